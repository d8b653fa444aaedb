//! The flags of `reveille whatif`.

use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;

use crate::cli::args::ConfigFile;

/// Replay the stored visits through planner, queue and throttle, under the policy in force and under another.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct WhatifArgs {
    /// The other policy: TOML with keys of `[policy]`; those it leaves out stay as they are in force
    #[arg(long, value_name = "FILE")]
    pub(super) policy: PathBuf,
    /// The first day that counts, in UTC [default: 30 days before --to]
    #[arg(long, value_name = "DATE")]
    pub(super) from: Option<Date>,
    /// The day after the last that counts [default: the day after the last visit, at most today]
    #[arg(long, value_name = "DATE")]
    pub(super) to: Option<Date>,
    /// Draw found awake against idle hours to this file (.svg or .png), with both policies in it
    #[arg(long, value_name = "FILE")]
    pub(super) frontier: Option<PathBuf>,
    /// Directory of an embedded database [default: the configuration's database]
    #[arg(long, value_name = "DIR")]
    pub(super) database: Option<PathBuf>,
    #[command(flatten)]
    pub(super) file: ConfigFile,
}
