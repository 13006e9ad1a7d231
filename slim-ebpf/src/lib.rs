//! The types that slim's eBPF program and its user side share.
#![no_std]
