//! `bench`.

use std::io::Write as _;

use anyhow::Context as _;

use super::args::{Bench, BenchArgs, Output};
use crate::{
    crash::{CrashSpec, crash},
    experiment::Verdict,
};

pub(super) async fn bench(args: BenchArgs, output: Output) -> anyhow::Result<Verdict> {
    let Bench::Crash(args) = args.bench;
    let program = std::env::current_exe().context("failed to find this program")?;
    let spec = CrashSpec { program, kills: args.kills, wakes: args.wakes, seed: args.seed, keep: args.keep };
    let outcome = crash(&spec).await?;
    let text = match output {
        Output::Table => outcome.render(),
        Output::Json => serde_json::to_string_pretty(&outcome)? + "\n",
    };
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(outcome.verdict)
}
