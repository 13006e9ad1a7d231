//! The system calls that kept code can make, whether or not a recording saw them.
//!
//! A call graph over the machine code of the files in play: functions, the data whose addresses they take, and the
//! pointers in that data. Where execution begins (a program's entry, what a loader calls, what a module exports) is
//! followed to every instruction that enters the kernel, whose number is found by following registers through wrappers.
//! A number that is computed is counted and never guessed.

mod binary;
mod graph;
mod isa;
mod kept;
mod numbers;
mod sweep;
#[cfg(test)]
mod tests;
mod x86_64;

pub use kept::{numbers_of, of_kept};

pub use graph::{Calls, Step};
