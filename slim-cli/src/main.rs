//! slim
fn main() {}
