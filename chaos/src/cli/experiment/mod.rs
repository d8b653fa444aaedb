//! `templates`, `list`, `validate`, `expand` and `plan`: all that can be done with an experiment without running it.

pub(super) mod args;
mod expand;
mod files;
mod list;
mod plan;
mod validate;

pub(super) use expand::expand;
pub(super) use list::{list, templates};
pub(super) use plan::plan;
pub(super) use validate::validate;
