//! Images and their file systems.
