//! From what was observed to a verdict and an exit code.

mod verdict;

pub use verdict::{Judgement, Verdict};
