//! slim watches a container from the kernel and turns what it saw into the smallest image that still works and the
//! tightest profiles that it still runs under.
//!
//! Data flows one way. On the left things happen: an [`engine`] runs a container, the [`trace`]r watches it, a
//! [`probe`] exercises it. What they saw is a [`recording::Recording`]. Right of it everything is a pure function of
//! the [`image::Image`], the recording and the options: [`reach`] closes the set of files over what the observed ones
//! need, a [`plan::Plan`] holds what is kept and allowed and why, [`profile`] and [`build`] render it. Only
//! [`pipeline`] joins the rooms.
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

#[cfg(feature = "image")]
pub mod build;
pub mod cancel;
mod cgroup;
pub mod digest;
#[cfg(feature = "image")]
pub mod engine;
#[cfg(feature = "image")]
pub mod image;
mod mountinfo;
pub mod owned;
pub mod path;
#[cfg(all(feature = "image", feature = "probe"))]
pub mod pipeline;
#[cfg(feature = "image")]
pub mod plan;
#[cfg(feature = "probe")]
pub mod probe;
#[cfg(feature = "image")]
pub mod profile;
#[cfg(feature = "image")]
pub mod reach;
pub mod recording;
#[cfg(feature = "image")]
pub mod report;
pub mod spec;
#[cfg(test)]
mod test_tools;
#[cfg(all(any(test, feature = "testing"), feature = "image", feature = "probe"))]
pub mod testing;
pub mod trace;
#[cfg(feature = "image")]
pub mod verify;
