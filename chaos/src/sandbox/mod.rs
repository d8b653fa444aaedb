//! A small installation to try Reveille on: configurations, a log of the last weeks, and instances that are real
//! processes.

mod files;
mod instance;

pub use files::{Sandbox, write};
pub use instance::serve;
