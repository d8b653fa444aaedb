//! What may be said to the commands about experiments.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, ValueEnum};
use jiff::SignedDuration;

use crate::experiment::file::RunMode;

#[derive(Debug, ClapArgs)]
pub struct ListArgs {
    /// Directory to look through; without one the templates of this program.
    pub dir: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct ValidateArgs {
    /// Files (YAML or JSON), or directories of them. A template is tried with its defaults and at the ends of each input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct ExpandArgs {
    /// `endpoint.slow_wake`, or its id `EP-03`.
    #[arg(value_name = "REF")]
    pub reference: String,
    /// An input of the template; the others have their defaults.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// Write to this file instead of to standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct PlanArgs {
    /// The experiment: a file, or a template by its name or id.
    pub file: PathBuf,
    /// Same seed, same targets.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// What held before (`{"held": {"0": 20}, "approved": false}`); without it only the first rung is open.
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Take what held before from the journals in this directory, as `run --journals` and `run --ladder` write them.
    #[arg(long, value_name = "DIR", conflicts_with = "evidence")]
    pub journals: Option<PathBuf>,
    /// A person's approval of this experiment for the real installation.
    #[arg(long, value_name = "FILE")]
    pub approval: Option<PathBuf>,
    /// Also write the plan to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct ReportArgs {
    /// Where `run --journals` has written journals.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Write the report as a page for a browser.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write it as Markdown, for the summary of a CI job.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write a `JUnit` report for CI.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct ServeArgs {
    /// The experiment: a file, or a template by its name or id.
    pub file: PathBuf,
    /// Same seed, same installation, people and faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the API listens. It asks nobody who they are: keep it on loopback.
    #[arg(long, default_value = "127.0.0.1:8475")]
    pub listen: SocketAddr,
    /// The client is taken for gone after so many seconds without a request.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub patience_s: u64,
    /// Write our journal of the run to this directory.
    #[arg(long, value_name = "DIR")]
    pub journals: Option<PathBuf>,
    /// What the installation is made of.
    #[arg(long, value_enum, default_value_t = ModeName::Sim)]
    pub mode: ModeName,
    /// Run it on the widest rung of this mode that the journals in DIR have unlocked.
    #[arg(long, value_name = "DIR")]
    pub ladder: Option<PathBuf>,
    /// With `--ladder`: this rung, which must be open, instead of the widest.
    #[arg(long, value_name = "N", requires = "ladder")]
    pub rung: Option<u64>,
    #[command(flatten)]
    pub local: LocalWorldArgs,
}

/// Where an experiment is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// Virtual time, in this process.
    Sim,
    /// Real processes on loopback, which end with whoever runs the experiment.
    Local,
    /// The same, each process in a container on a network made for them.
    Container,
    /// The real installation: needs `--ladder` and `--approval`, and is refused otherwise.
    Live,
}

impl ModeName {
    pub(in crate::cli) fn mode(self) -> RunMode {
        match self {
            Self::Sim => RunMode::Sim,
            Self::Local => RunMode::Local,
            Self::Container => RunMode::Container,
            Self::Live => RunMode::Live,
        }
    }
}

/// What a local world is told.
#[derive(Debug, Clone, ClapArgs)]
pub struct LocalWorldArgs {
    /// In a local world: seconds of the world in one of ours. What TCP and HTTP/2 themselves wait for stays as long as it is.
    #[arg(long, value_name = "FACTOR", default_value_t = 20.0, value_parser = local_speed)]
    pub speed: f64,
    /// In a local world: everything ends when nobody has renewed this, or given an order, for so long: 15s, 2m.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = lease)]
    pub lease: Duration,
}

fn local_speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "is not a number".to_owned())?;
    if (1.0..=240.0).contains(&speed) { Ok(speed) } else { Err("is not within 1..=240".to_owned()) }
}

pub(in crate::cli) fn lease(text: &str) -> Result<Duration, String> {
    let length = text.parse::<SignedDuration>().map_err(|error| error.to_string())?;
    crate::proxy::lease_length(length.as_secs_f64())
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("is not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
