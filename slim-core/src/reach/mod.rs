//! The graph of an image and its resolvers.
