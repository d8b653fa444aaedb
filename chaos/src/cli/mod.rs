//! The command line: what is asked, and with which exit code it ends.

pub mod args;
mod bench;
#[cfg(test)]
mod ci_jobs;
mod experiment;
#[cfg(feature = "planted")]
pub mod planted;
mod play;
pub mod proxy;
mod sandbox;
mod sim;
mod tell;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::experiment::Verdict;
use args::{Args, Command};

/// Runs the command and gives its exit code: 0 held, 10 deviated, 11 violated, 12 not recovered, 20 inconclusive,
/// 30 aborted, 64 wrong usage, 70 the proving ground itself failed.
pub async fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(code) = crate::crash::node::main_if_node(&args).await {
        return code;
    }
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let usage = error.use_stderr();
            drop(error.print());
            return if usage { Verdict::InvalidFile.into() } else { ExitCode::SUCCESS };
        }
    };
    log_to_stderr(&args.command);
    rustls::crypto::ring::default_provider().install_default().ok();
    let ended = match args.command {
        Command::Demo(demo) => play::demo(demo, args.output).await,
        Command::Run(run) if run.experiments.is_empty() => play::run(run, args.output).await,
        Command::Run(run) => experiment::run(run, args.output).await,
        Command::Serve(serve) => experiment::serve(serve, args.output).await,
        Command::Sim(sim) => sim::sim(sim, args.output).await,
        Command::Corpus(corpus) => sim::corpus(corpus, args.output).await,
        Command::Shrink(shrink) => sim::shrink(shrink, args.output).await,
        Command::Lineage(lineage) => sim::lineage(lineage, args.output).await,
        Command::Replay(replay) => sim::replay(replay, args.output).await,
        #[cfg(feature = "planted")]
        Command::Planted(hunt) => planted::planted(hunt, args.output).await,
        Command::Templates => experiment::templates(args.output),
        Command::List(list) => experiment::list(&list, args.output),
        Command::Validate(validate) => experiment::validate(&validate, args.output),
        Command::Expand(expand) => experiment::expand(&expand, args.output),
        Command::Plan(plan) => experiment::plan(&plan, args.output),
        Command::Lever => experiment::lever(args.output).await,
        Command::Report(report) => experiment::report(&report, args.output),
        Command::Sandbox(sandbox) => sandbox::write(sandbox, args.output),
        Command::Instance(instance) => sandbox::serve(instance).await,
        Command::Burn(burn) => {
            crate::machine::burn_share(burn.cores);
            Ok(Verdict::Held)
        }
        Command::Proxy(proxy) => proxy::serve(proxy, args.output).await,
        Command::Bench(bench) => bench::bench(bench, args.output).await,
    };
    ended.map_or_else(
        |error| {
            anstream::eprintln!("reveille-chaos: {error:#}");
            Verdict::Error.into()
        },
        ExitCode::from,
    )
}

/// What goes wrong within a simulated installation is what was asked for, and is judged.
const HARNESS_ONLY: &str = "error,reveille_controller=off,reveille_agent=off";

fn log_to_stderr(command: &Command) {
    let is_played = matches!(
        command,
        Command::Sim(_)
            | Command::Corpus(_)
            | Command::Lineage(_)
            | Command::Replay(_)
            | Command::Shrink(_)
            | Command::Serve(_)
    );
    let is_played = is_played || matches!(command, Command::Run(run) if !run.experiments.is_empty());
    let usual = if is_played { HARNESS_ONLY } else { "error" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    // A program that already has a subscriber keeps it.
    drop(tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init());
}
