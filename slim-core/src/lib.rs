//! slim watches a container from the kernel and turns what it saw into the smallest image that still works and the
//! tightest profiles that it still runs under.
//!
//! ```no_run
//! use slim_core::cancel::Cancel;
//! use slim_core::image::{ImageName, packages};
//! use slim_core::reach;
//! use slim_core::recording::Recording;
//!
//! // Which files of this image does the recorded application need?
//! let ImageName::Archive(file) = "docker-archive:app.tar".parse()? else { unreachable!() };
//! let image = file.read()?.into_image("app");
//! let recording = Recording::load("slim-app/recording.json".as_ref())?;
//! let owners = packages::owners(&image.rootfs);
//! let reached = reach::close(&image, &owners, &recording, &Default::default(), &Cancel::default())?;
//! for (path, kept) in &reached.files {
//!     println!("{path}: {}", kept.causes[0].kind());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Data flows one way. On the left things happen: an [`engine`] runs a container, the [`trace`]r watches it, a
//! [`probe`] exercises it. What they saw is a [`recording::Recording`]. Right of it everything is a pure function of
//! the [`image::Image`], the recording and the options: [`reach`] closes the set of files over what the observed ones
//! need, a [`plan::Plan`] holds what is kept and allowed and why, [`profile`] and [`build`] render it. Only
//! [`pipeline`] knows all of them.
//!
//! # Features
//!
//! Without features the library is the tracer and the recording. `image` adds images, the closure, plans, profiles and
//! layers; `docker` the Docker engine, `probe` what exercises an application, `languages` what sources of scripting
//! languages and class files name. The three last ones are on by default; `image` and `probe` together give [`pipeline`].
//! `clap` makes the options of `docker run` arguments of a program, `testing` brings scripted engines and tracers.
//!
//! The examples record a container, trace a cgroup, close an image and render a profile.

#[cfg(feature = "image")]
pub mod build;
pub mod cancel;
mod cgroup;
pub mod digest;
#[cfg(feature = "image")]
pub mod engine;
#[cfg(feature = "image")]
pub mod image;
pub mod machine;
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
mod signal;
pub mod spec;
#[cfg(feature = "image")]
pub mod store;
#[cfg(test)]
mod test_tools;
#[cfg(all(any(test, feature = "testing"), feature = "image", feature = "probe"))]
pub mod testing;
pub mod trace;
#[cfg(feature = "image")]
pub mod verify;
