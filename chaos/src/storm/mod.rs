//! Many wakes at once: how fast a host is filled, and how far above its ceiling.

pub mod bench;
pub mod bound;
pub mod host;
pub mod policy;
pub mod spec;
