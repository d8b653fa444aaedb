//! A sweep, and the corpus, as files for CI: `JUnit` for the list of tests, Markdown for the summary, SARIF for the lines
//! of a change, and a page for people.

pub mod case;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod sarif;

pub use case::{Case, Cases};
