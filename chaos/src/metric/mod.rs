//! The figures experiments speak of, measured over a recorded history and over nothing else.

pub mod attempts;
pub mod measure;
pub mod streams;

pub use measure::measure;
