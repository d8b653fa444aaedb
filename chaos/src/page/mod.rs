//! A run as one page for a browser, without anything to load: what broke, why, what happened when, and how to see it again.

pub mod drawing;
pub mod timeline;
pub mod whole;

pub use timeline::Timeline;
pub use whole::{Told, render};
