//! From a plan to a layer and an image.
