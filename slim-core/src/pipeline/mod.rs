//! The only room that joins the others.
