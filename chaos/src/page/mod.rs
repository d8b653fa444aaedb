//! A run, or a sweep of many, as one page for a browser, without anything to load: what broke, why, what happened when, and
//! how to see it again.

mod chain;
mod drawing;
mod style;
mod timeline;
mod whole;
mod words;

pub use style::{class, heading, page};
pub use timeline::Timeline;
pub use whole::{Struck, Told, render};
pub use words::sentence;
