//! The flags of `reveille bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Most instances a bench is made for: half a terabyte of profiles is somebody's slip of the finger.
const INSTANCES_MAX: i64 = 20_000_000;

#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub(super) bench: Bench,
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Bench {
    /// One planning tick, new visits and forecast queries on a fleet of people who come as people do
    Forecast(ForecastArgs),
    /// Decisions per second of the dispatcher on each database, beside the usual job loop on PostgreSQL
    Queue(QueueArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Databases {
    Sqlite,
    Postgres,
    Both,
}

#[derive(Debug, Clone, Args)]
pub(super) struct QueueArgs {
    /// Hosts with a connected agent
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) hosts: u32,
    /// Wakes that are due at once
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) wakes: u32,
    /// Wakes whose time comes one after the other, for the latency
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) later: u32,
    /// How many of those come due in a second
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) later_per_s: u32,
    /// How long the job loop is measured with each number of workers
    #[arg(long, value_name = "S", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(super) peer_s: u32,
    /// Which databases are measured; the job loop always is, where there is a server
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Databases::Both)]
    pub(super) database: Databases,
    /// An empty database on a server: `postgres://user@host/database`. Default: a private server, where it is installed
    #[arg(long, value_name = "URL", env = "REVEILLE_BENCH_POSTGRES_URL", hide_env_values = true)]
    pub(super) postgres_url: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct ForecastArgs {
    /// How many instances the fleet has
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=INSTANCES_MAX))]
    pub(super) instances: u32,
    /// Threads that score
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) threads: u16,
    /// Forecast queries of mixed parameters
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) queries: u32,
    /// Ticks per size; the median is told
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(super) repeats: u16,
    /// The same seed makes the same fleet
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(super) seed: u64,
    /// Score with this model instead of the built-in one, JSON
    #[arg(long, value_name = "FILE")]
    pub(super) model: Option<PathBuf>,
    /// Draw cost against instances to this file, .svg or .png
    #[arg(long, value_name = "FILE")]
    pub(super) plot: Option<PathBuf>,
}
