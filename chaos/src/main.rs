//! The `reveille-chaos` command.

fn main() {}
