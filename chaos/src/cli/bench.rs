//! `bench`.

use std::io::Write as _;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::{Bench, BenchArgs, Output};
use crate::{
    crash::{CrashSpec, crash_watched},
    experiment::Verdict,
};

pub(super) async fn bench(args: BenchArgs, output: Output) -> anyhow::Result<Verdict> {
    let Bench::Crash(args) = args.bench;
    let program = std::env::current_exe().context("failed to find this program")?;
    let spec = CrashSpec { program, kills: args.kills, wakes: args.wakes, seed: args.seed, keep: args.keep };
    let bar = progress(spec.kills);
    let outcome = crash_watched(&spec, &mut |kills| bar.set_position(kills.into())).await;
    bar.finish_and_clear();
    let outcome = outcome?;
    let text = match output {
        Output::Table => outcome.render(),
        Output::Json => serde_json::to_string_pretty(&outcome)? + "\n",
    };
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(outcome.verdict)
}

/// On standard error, and only on a terminal.
fn progress(kills: u32) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{elapsed_precise} {bar:30} kill {pos} of {len}, {per_sec}, {eta} left");
    ProgressBar::new(kills.into()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
