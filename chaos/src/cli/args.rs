//! What may be said on the command line.

use std::{ops::Range, path::PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub use super::experiment::args::{
    ExpandArgs, ListArgs, ModeName, PlanArgs, ReportArgs, ServeArgs, ValidateArgs,
};
use super::proxy::ProxyArgs;
use crate::{fleet::DatabaseChoice, points::CourseDatabase, world::spec::PLAYED_DAYS_MAX};

/// The proving ground of Reveille: plays a simulated world against the real controller and agents, and judges.
#[derive(Debug, Parser)]
#[command(name = "reveille-chaos", version, propagate_version = true)]
pub struct Args {
    /// How the report is printed; progress goes to standard error.
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plays two days of sixty instances on three hosts and shows what Reveille did for their users.
    Demo(DemoArgs),
    /// Runs experiments; or, without any, plays the same world with a fault and asserts the invariants.
    Run(RunArgs),
    /// Runs one experiment in a simulation, as a client takes its steps over HTTP: the stock Chaos Toolkit, say.
    Serve(ServeArgs),
    /// Tells what the journals of many runs come to: what was proved, and how well it was foretold.
    Report(ReportArgs),
    /// Ends every world of processes or containers that is kept on this machine, whoever runs it.
    Lever,
    /// Plays mornings of small installations under a clock that leaps, with random faults, one for each seed.
    Sim(SimArgs),
    /// Plays the morning of one seed again and tells what happened.
    Replay(ReplayArgs),
    /// Plays every plan of the corpus again: each once did not hold.
    Corpus(CorpusArgs),
    /// Makes the plan of a seed that does not hold smaller, as long as it fails in the same way.
    Shrink(ShrinkArgs),
    /// Plays a run that holds again and again, each time without one of the messages that its wakes were made of.
    Lineage(LineageArgs),
    /// Plants defects in the programs, one after the other, and looks whether the simulation finds them.
    #[cfg(feature = "planted")]
    Planted(super::planted::PlantedArgs),
    /// Shows the templates this program comes with.
    Templates,
    /// Shows the experiments below a directory.
    List(ListArgs),
    /// Checks experiment files and tells everything that is wrong with them.
    Validate(ValidateArgs),
    /// Makes an experiment of a template.
    Expand(ExpandArgs),
    /// Shows whom an experiment would hit, frozen and under a hash; touches nothing.
    Plan(PlanArgs),
    /// Writes configurations and a log for a small installation, to try the controller and an agent by hand.
    Sandbox(SandboxArgs),
    /// Plays one instance as a process: burns CPU, then serves.
    Instance(InstanceArgs),
    /// Uses a share of this machine until it is killed.
    #[command(hide = true)]
    Burn(BurnArgs),
    /// Carries connections, and breaks them when it is told to, over the HTTP API of Toxiproxy.
    Proxy(ProxyArgs),
    /// Measures what no demonstration can show.
    Bench(BenchArgs),
}

#[derive(Debug, ClapArgs)]
pub struct SimArgs {
    /// From the first to before the last.
    #[arg(long, value_name = "A..B", default_value = "0..100", value_parser = seeds)]
    pub seeds: Range<u64>,
    /// Without faults.
    #[arg(long)]
    pub calm: bool,
    /// With a random subset of all faults, of random strength, at random times; so it is anyway without `--calm`.
    #[arg(long, conflicts_with = "calm")]
    pub swarm: bool,
    /// Seeds at a time; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Keep plans, histories and pages of seeds that did not hold in this directory.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Play only as many of the seeds as fit into so many seconds, at least one.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub budget_s: Option<u64>,
    /// Write a `JUnit` report for CI.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the sweep as a page for a browser.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the sweep as Markdown, for the summary of a CI job.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write what broke as SARIF 2.1.0, for annotations in CI.
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct CorpusArgs {
    /// Every `plan.json` below it is played, but for those below `planted`.
    #[arg(default_value = "chaos/corpus")]
    pub dir: PathBuf,
    /// Plans at a time; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Write a `JUnit` report for CI.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write what broke as SARIF 2.1.0, for annotations in CI.
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct ReplayArgs {
    #[arg(long, required_unless_present = "plan")]
    pub seed: Option<u64>,
    /// Without faults.
    #[arg(long)]
    pub calm: bool,
    /// Play this plan instead, as `sim --keep` or `--output json` writes it.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub plan: Option<PathBuf>,
    /// Keep database, journals, log and history in this directory, which must be empty.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Write the run as a page for a browser.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct ShrinkArgs {
    #[arg(long, required_unless_present = "plan")]
    pub seed: Option<u64>,
    /// Make this plan smaller instead, as `sim --keep` writes it.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub plan: Option<PathBuf>,
    /// Real seconds after which the smallest so far will do.
    #[arg(long, default_value_t = 120)]
    pub budget_s: u64,
    /// Where the plan is written.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct LineageArgs {
    #[arg(long, required_unless_present = "plan")]
    pub seed: Option<u64>,
    /// Without faults.
    #[arg(long)]
    pub calm: bool,
    /// Play this plan instead, as `sim --output json` and `shrink` write it.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub plan: Option<PathBuf>,
    /// Runs at a time; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Keep the plans that do not hold without a message in this directory.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Begin no further run after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub budget_s: Option<u64>,
}

/// The world, whatever is done with it.
#[derive(Debug, ClapArgs)]
pub struct WorldArgs {
    /// Same seed, same world.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Instances of the world, spread over three hosts.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=5000))]
    pub instances: u16,
    /// Seconds of the world in one real second; by default 1440, and 20 where experiments are run in a local world.
    #[arg(long, value_parser = speed)]
    pub speed: Option<f64>,
    /// Keep database, logs and history in this directory, which must be empty.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct SandboxArgs {
    /// Directory to write to; made when it is not there, and must be empty.
    pub dir: PathBuf,
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub instances: u16,
    /// The instances listen here and on the ports that follow, the controller on the two ports before.
    #[arg(long, default_value_t = 7420)]
    pub port_base: u16,
    /// CPU each instance burns while it starts, in seconds.
    #[arg(long, default_value_t = 2)]
    pub burn_s: u32,
}

#[derive(Debug, ClapArgs)]
pub struct InstanceArgs {
    /// What it answers to be.
    #[arg(long)]
    pub name: String,
    #[arg(long)]
    pub listen: std::net::SocketAddr,
    /// CPU it burns before it serves, in seconds.
    #[arg(long, default_value_t = 2)]
    pub burn_s: u32,
}

#[derive(Debug, ClapArgs)]
pub struct DemoArgs {
    #[command(flatten)]
    pub world: WorldArgs,
    /// Days to play.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=i64::from(PLAYED_DAYS_MAX)))]
    pub days: u32,
}

#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// Experiments to run in a simulation: files, ids of templates (EP-03), or `library` for every template that can be.
    pub experiments: Vec<String>,
    /// For experiments: where they are run.
    #[arg(long, value_enum, default_value_t = ModeName::Sim, requires = "experiments")]
    pub mode: ModeName,
    /// For experiments in a local world: everything ends when this process has been gone for so long: 15s, 2m.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = super::experiment::args::lease)]
    pub lease: std::time::Duration,
    /// For experiments: a run for each of these seeds, instead of the one.
    #[arg(long, value_name = "A..B", value_parser = seeds, requires = "experiments")]
    pub seeds: Option<Range<u64>>,
    /// For experiments: runs at once; by default as many as there are cores.
    #[arg(long, requires = "experiments")]
    pub jobs: Option<u16>,
    /// For experiments: write a journal and a page of each run to this directory.
    #[arg(long, value_name = "DIR", requires = "experiments")]
    pub journals: Option<PathBuf>,
    /// For experiments: climb the ladder. Each is run on the widest rung of this mode that the journals in DIR have unlocked,
    /// and its journals are added there.
    #[arg(long, value_name = "DIR", requires = "experiments", conflicts_with = "journals")]
    pub ladder: Option<PathBuf>,
    /// With `--ladder`: this rung, which must be open, instead of the widest.
    #[arg(long, value_name = "N", requires = "ladder")]
    pub rung: Option<u64>,
    /// For mode live: a person's approval of the experiment (`{"experiment_sha256": ..., "approved_by": ..., "until": ...}`).
    #[arg(long, value_name = "FILE", requires = "ladder")]
    pub approval: Option<PathBuf>,
    /// For experiments: only those with this tag; with several, those with all of them.
    #[arg(long, value_name = "TAG", requires = "experiments")]
    pub tag: Vec<String>,
    /// For experiments: begin no further run after so many seconds.
    #[arg(long, value_name = "SECONDS", requires = "experiments", value_parser = clap::value_parser!(u64).range(1..))]
    pub budget_s: Option<u64>,
    /// For experiments: write a `JUnit` report for CI.
    #[arg(long, value_name = "FILE", requires = "experiments")]
    pub junit: Option<PathBuf>,
    #[command(flatten)]
    pub world: WorldArgs,
    /// Hours to play from midnight on.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=i64::from(PLAYED_DAYS_MAX) * 24))]
    pub hours: u32,
    /// The fault; without one the world is played as it is.
    #[arg(long, value_enum)]
    pub fault: Option<FaultName>,
    /// For http-error: share of the calls that are answered with 500.
    #[arg(long, default_value_t = 0.2, value_parser = share)]
    pub share: f64,
    /// For slow-wake: how much longer a boot takes.
    #[arg(long, default_value_t = 4.0, value_parser = factor)]
    pub factor: f64,
    /// Hours after the start when the fault goes on; by default after a quarter of the hours.
    #[arg(long, value_name = "HOURS")]
    pub fault_at: Option<f64>,
    /// Hours the fault is on; by default half of the hours.
    #[arg(long, value_name = "HOURS")]
    pub fault_for: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FaultName {
    /// The wake endpoints answer 500 to a share of the calls.
    HttpError,
    /// Boots take a multiple of their time.
    SlowWake,
}

#[derive(Debug, ClapArgs)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub bench: Bench,
}

#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Kills controller, agents and endpoints (kill -9) at random points under a load of wakes.
    Crash(CrashArgs),
    /// Stops controller and agents at each point of a course in turn: after each row and each effect.
    Points(PointsArgs),
    /// Plays storms of wakes on simulated hosts, with the throttle and with what it is compared to.
    Throttle(ThrottleArgs),
    /// Fills this very machine with real instances, and looks at its CPU from outside.
    Host(HostArgs),
    /// Kills, stops and cuts off the leader of two controllers in containers, and restarts their PostgreSQL, under load.
    Failover(FailoverArgs),
    /// Puts thousands of agents on one controller, restarts it, and lets its database hang.
    Fleet(FleetArgs),
}

#[derive(Debug, ClapArgs)]
pub struct FailoverArgs {
    /// One fault each: killed, stopped, cut off, the database; and over again.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Keep configurations, logs and the history in this directory, which must be empty.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct PointsArgs {
    /// Where the controller keeps its rows.
    #[arg(long, value_enum, default_value_t = CourseDatabase::Both)]
    pub database: CourseDatabase,
    /// Only every n-th point.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub every: u32,
    /// Of these, begin with this one, counted from 0.
    #[arg(long, default_value_t = 0)]
    pub from: u32,
    /// Only points whose name holds this text; the whole name of one is walked up to without looking for others.
    #[arg(long, value_name = "POINT")]
    pub only: Option<String>,
    /// Courses at once, each with processes of its own: they mostly wait.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// Keep databases, journals, logs and histories of every course in this directory, which must be empty.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct FleetArgs {
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub agents: u32,
    /// Minutes of reports that are measured.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1440))]
    pub minutes: u32,
    #[arg(long, value_enum, default_value_t = DatabaseChoice::Auto)]
    pub database: DatabaseChoice,
    /// Minutes of the same with TLS, with a file as the database; 0 leaves it out.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1440))]
    pub tls_minutes: u32,
}

#[derive(Debug, ClapArgs)]
pub struct HostArgs {
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub instances: u16,
    /// CPU each instance burns while it starts, in seconds.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub work_s: u32,
    /// CPU of this machine that must not be passed, in percent of its cores.
    #[arg(long, default_value_t = 70.0, value_parser = percent)]
    pub ceiling: f64,
    /// Share of this machine the background uses while it is on.
    #[arg(long, default_value_t = 0.2, value_parser = share)]
    pub background: f64,
    /// Leave out fixed-2 and all at once.
    #[arg(long)]
    pub no_peers: bool,
}

#[derive(Debug, ClapArgs)]
pub struct BurnArgs {
    /// Cores to use, until it is killed.
    #[arg(long)]
    pub cores: f64,
}

#[derive(Debug, ClapArgs)]
pub struct ThrottleArgs {
    /// Storms of each class.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: u32,
    /// Draw throughput against the seconds above the ceiling to this file (.svg or .png).
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct CrashArgs {
    /// How often a process is killed.
    #[arg(long, default_value_t = 200)]
    pub kills: u32,
    /// Wakes asked for meanwhile, each of an instance of its own.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub wakes: u32,
    /// Same seed, same order of kills.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Keep databases, journals and logs in this directory, which must be empty.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// `A..B`, with A below B.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("is not A..B, such as 0..1000")?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is not a whole number"));
    let (from, to) = (number(from)?, number(to)?);
    if from < to { Ok(from..to) } else { Err(format!("{from}..{to} holds no seed")) }
}

fn within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "is not a number".to_owned())?;
    if (low..=high).contains(&value) { Ok(value) } else { Err(format!("is not within {low}..={high}")) }
}

fn speed(text: &str) -> Result<f64, String> {
    within(text, 1.0, 20_000.0)
}

fn percent(text: &str) -> Result<f64, String> {
    within(text, 1.0, 95.0)
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 0.0, 1.0)
}

fn factor(text: &str) -> Result<f64, String> {
    within(text, 1.0, 100.0)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_refuses_nonsense() {
        Args::command().debug_assert();
        assert!(Args::try_parse_from(["c", "demo", "--output", "json", "--days", "7"]).is_ok());
        assert!(Args::try_parse_from(["c", "demo", "--days", "8"]).is_err());
        assert!(Args::try_parse_from(["c", "run", "--fault", "http-error", "--share", "1.5"]).is_err());
        assert!(Args::try_parse_from(["c", "run", "--fault", "nothing"]).is_err());
        assert!(Args::try_parse_from(["c", "sim", "--seeds", "5..9", "--calm"]).is_ok());
        assert!(Args::try_parse_from(["c", "sim", "--seeds", "9..9"]).is_err());
        assert!(
            Args::try_parse_from(["c", "sim", "--budget-s", "90", "--sarif", "s", "--html", "h"]).is_ok()
        );
        assert!(Args::try_parse_from(["c", "sim", "--budget-s", "0"]).is_err());
        assert!(Args::try_parse_from(["c", "corpus", "--junit", "j"]).is_ok());
        assert!(Args::try_parse_from(["c", "replay", "--seed", "7"]).is_ok());
        assert!(Args::try_parse_from(["c", "replay"]).is_err());
    }
}
