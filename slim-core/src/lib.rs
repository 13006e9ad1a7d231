//! slim watches a container from the kernel and turns what it saw into the smallest image that still works and the
//! tightest profiles that it still runs under.
//!
//! Data flows one way. On the left things happen: an [`engine`] runs a container, the [`trace`]r watches it, a
//! [`probe`] exercises it. What they saw is a [`recording::Recording`]. Right of it everything is a pure function of
//! the [`image::Image`], the recording and the options: [`reach`] closes the set of files over what the observed ones
//! need, a [`plan::Plan`] holds what is kept and allowed and why, [`profile`] and [`build`] render it. Only
//! [`pipeline`] joins them.
//!
//! ```
//! use slim_core::recording::Recording;
//!
//! // Recordings of one image unite in any order: a test suite, a staging replica and a probe add up.
//! let image = "sha256:ad2ef0d4f1f6b0c1a2a4fd2c5c3dbb4d1f6c9f0a4a1c5e6d7b8a9c0d1e2f3a4b".parse()?;
//! let a = Recording::new(image);
//! let b = a.clone();
//! assert_eq!(a.clone().merge(b)?, a);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod build;
pub mod cancel;
pub mod digest;
pub mod engine;
pub mod image;
pub mod owned;
pub mod path;
pub mod pipeline;
pub mod plan;
pub mod probe;
pub mod profile;
pub mod reach;
pub mod recording;
pub mod report;
pub mod spec;
#[cfg(test)]
mod test_tools;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
pub mod verify;
