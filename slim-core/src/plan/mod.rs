//! What is kept and allowed, and why.
