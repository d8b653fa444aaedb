//! Experiments: the file and what is wrong with it, the catalogue of faults, the templates, the plan; and from what was
//! observed to a verdict and an exit code.

pub mod catalogue;
pub mod file;
pub mod journals;
pub mod plan;
pub mod report;
pub mod run;
pub mod serve;
pub mod template;

mod verdict;

pub use verdict::{Judgement, Verdict};
