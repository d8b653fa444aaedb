//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::{
    backtest::BacktestArgs, bench::BenchArgs, exit, explain::ExplainArgs, fleet::InstancesArgs,
    forecast::ForecastArgs, mine::MineArgs, models::ModelsArgs, notifications::NotificationsArgs,
    plan::PlanArgs, policy::PolicyArgs, report::ReportArgs, store::StoreArgs, train::TrainArgs,
    wake::WakeArgs, wakes::WakesArgs, whatif::WhatifArgs,
};

/// Wakes hibernated instances before their users arrive.
#[derive(Debug, Parser)]
#[command(name = "reveille", version, after_long_help = exit::help(), max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Tables for people, or the API's JSON for programs
    #[arg(
        long,
        value_enum,
        global = true,
        env = "REVEILLE_OUTPUT",
        default_value_t,
        help_heading = "Global options"
    )]
    pub(super) output: Output,
    /// When to use colours
    #[arg(
        long,
        value_enum,
        global = true,
        default_value_t,
        help_heading = "Global options",
        help = "When to use colours; NO_COLOR is heeded"
    )]
    pub(super) color: Color,
    /// Where the controller answers
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "REVEILLE_ADDRESS",
        help_heading = "Global options",
        help = "Where the controller answers [default: of client.toml, or http://127.0.0.1:7411]"
    )]
    pub(super) address: Option<String>,
    /// File with the operator's token
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "REVEILLE_TOKEN_FILE",
        help_heading = "Global options",
        help = "File with the operator's token [default: REVEILLE_TOKEN, of client.toml, or operator.token in the data directory]"
    )]
    pub(super) token_file: Option<PathBuf>,
    /// File with the authorities of the controller's certificate
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "REVEILLE_CA_FILE",
        help_heading = "Global options",
        help = "File with the authorities of the controller's certificate, as PEM [default: of client.toml, or those the system trusts]"
    )]
    pub(super) ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    #[default]
    Table,
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the controller
    Serve(ConfigFile),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Read access logs and say what they tell about visits, without a running controller
    Mine(MineCommand),
    /// Fit the model to what a database holds, without a running controller
    Train(TrainArgs),
    /// Versions of the database's tables: look, go forward, go back; without a running controller
    Store(StoreArgs),
    /// Versions of the model: list, show, put back in service
    Models(ModelsArgs),
    /// Who is likely to come
    Forecast(ForecastArgs),
    /// Why an instance is expected or not, and when next
    Explain(ExplainArgs),
    /// The newest plan, and whom it leaves out
    Plan(PlanArgs),
    /// Ask for an instance now
    Wake(WakeArgs),
    /// List, show, cancel, force and retry wakes
    Wakes(WakesArgs),
    /// List instances
    Instances(InstancesArgs),
    /// List hosts with their load and gate
    Hosts,
    /// List the controllers on this database, and which of them leads
    Controllers,
    /// List what receivers are told, and how far that is
    Notifications(NotificationsArgs),
    /// Show and change what may be changed at run time
    Policy(PolicyArgs),
    /// What Reveille was good for
    Report(ReportArgs),
    /// What another policy would have done with the stored visits, without a running controller
    Whatif(WhatifArgs),
    /// Replay a presence trace through the production planner
    Backtest(BacktestArgs),
    /// Measure what planning and asking cost, on a fleet that is made up
    Bench(BenchArgs),
    /// Print a completion script
    Completions { shell: Shell },
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigFile {
    /// The configuration
    #[arg(
        long,
        value_name = "FILE",
        env = "REVEILLE_CONFIG",
        help = "TOML; without it, defaults and environment (REVEILLE_SECTION__KEY)"
    )]
    pub(super) config: Option<PathBuf>,
}

/// `mine`, with the configuration its flags stand above.
#[derive(Debug, Args)]
pub(super) struct MineCommand {
    #[command(flatten)]
    pub(super) mine: MineArgs,
    #[command(flatten)]
    pub(super) file: ConfigFile,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say whether it can be used, and where not
    Check(ConfigFile),
    /// Print the configuration in effect: defaults, file and environment together
    Show(ConfigFile),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [["reveille", "--output", "json", "hosts"], ["reveille", "hosts", "--output", "json"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.global.output, Output::Json);
            assert!(matches!(cli.command, Command::Hosts));
        }
    }

    #[test]
    fn every_command_of_the_manual_parses() {
        for line in [
            "serve --config f.toml",
            "config check",
            "config show --config f.toml",
            "mine a.log b.log.gz --format combined --instance-from client",
            "train --database d",
            "store status",
            "store status --database d",
            "store migrate --to 3 --config f.toml",
            "models",
            "models list --limit 5",
            "models show 3",
            "models serve 3",
            "models unpin",
            "forecast --at 2026-03-02T08:00:00Z --within 90m --min-probability 0.2",
            "explain dev1 --at 2026-03-02T08:00:00Z --plot week.svg",
            "plan",
            "plan --omissions",
            "notifications",
            "notifications list --state given_up --receiver chat --instance dev1 --limit 5",
            "policy unset mode",
            "wake dev1 --wait",
            "wakes",
            "wakes --state queued",
            "wakes list --instance dev1",
            "wakes show 0195554f-7a00-7000-8000-000000000001",
            "wakes cancel 0195554f-7a00-7000-8000-000000000001",
            "wakes force 0195554f-7a00-7000-8000-000000000001",
            "wakes retry 0195554f-7a00-7000-8000-000000000001",
            "instances --limit 5",
            "hosts",
            "controllers",
            "policy",
            "policy get",
            "policy set mode act",
            "policy changes",
            "report --from 2026-03-01T00:00:00Z",
            "report --from 2026-03-01 --to 2026-03-08",
            "whatif --policy new.toml --from 2026-03-01 --to 2026-03-08 --frontier f.svg",
            "backtest t.csv.gz",
            "bench forecast --instances 1000000 --plot scaling.svg",
            "completions bash",
        ] {
            let words = std::iter::once("reveille").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "",
            "wake",
            "wake a b",
            "wakes show nonsense",
            "policy set mode",
            "store",
            "store migrate --to x",
            "models serve",
            "models show x",
            "hosts --output xml",
        ] {
            let words = std::iter::once("reveille").chain(line.split_terminator(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }
}
