//! Where containers run.
