//! (under construction)

pub mod mine;
