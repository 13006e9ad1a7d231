//! From a plan to security profiles.
