//! Roots: the paths that are kept for a reason outside the image's files.

pub(super) mod image_config;
pub(super) mod include_option;
pub(super) mod listed_directory;
pub(super) mod observed;
