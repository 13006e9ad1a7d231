//! What exercises the app.
