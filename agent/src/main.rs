//! The `reveille-agent` command.

fn main() {}
