//! What a container is started with, apart from its image.

pub mod privileges;
