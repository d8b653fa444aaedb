//! `templates`, `list`, `validate`, `expand`, `plan`, `run`, `serve`, `report` and `lever`: all that can be done with an experiment.

pub(super) mod args;
mod expand;
mod files;
mod lever;
mod list;
mod plan;
mod report;
mod run;
mod serve;
mod validate;

pub(super) use expand::expand;
pub(super) use lever::lever;
pub(super) use list::{list, templates};
pub(super) use plan::plan;
pub(super) use report::report;
pub(super) use run::run;
pub(super) use serve::serve;
pub(super) use validate::validate;
