//! The `reveille` command: controller and operator's tool.

fn main() {}
