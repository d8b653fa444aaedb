//! `reveille whatif`: the stored visits once more, under another policy.

mod args;

mod policy;

mod span;

mod stored;

mod report;

mod table;

mod plot;

mod run;

pub(super) use args::WhatifArgs;
pub(super) use run::run;

#[cfg(test)]
mod tests;
