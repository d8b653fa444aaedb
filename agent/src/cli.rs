//! The command line, for people and service managers. Exit codes: 0 ended as asked; 64 bad usage or configuration;
//! 70 an internal error; 75 a temporary one (another agent holds the journal, a port is taken).

use std::{ffi::OsString, io::IsTerminal, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use etcetera::BaseStrategy;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::error;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::chain::Chain;
use crate::{
    app::{Agent, AgentError, Seams},
    config::Config,
    execute::journal::JournalError,
};

const EXIT_USAGE: u8 = 64;
const EXIT_INTERNAL: u8 = 70;
const EXIT_TEMPORARY: u8 = 75;

/// Beside each host: measures load, obeys a wake, refuses when hot, reports.
#[derive(Debug, Parser)]
#[command(
    name = "reveille-agent",
    version,
    after_help = "Exit codes: 0 ended as asked, 64 bad usage or configuration, 70 internal error, 75 temporary error.\nEvery key of the configuration may also be given as REVEILLE_AGENT__SECTION__KEY."
)]
struct Args {
    /// Configuration (TOML) [default: reveille/agent.toml in the user's configuration directory, if it exists]
    #[arg(long, global = true, env = "REVEILLE_AGENT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How log lines are written, to standard error
    #[arg(long, global = true, env = "REVEILLE_AGENT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until a signal (this is what happens without a command)
    Run,
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check it, and the files it names
    Check,
}

/// The whole command with these arguments, the program's name first.
pub async fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are answers, not errors; a closed pipe takes neither.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let config = match Config::load(args.config.or_else(default_config).as_deref()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("reveille-agent: {}", Chain(&error));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match args.command {
        Some(Command::Config(ConfigCommand::Check)) => check(&config),
        None | Some(Command::Run) => {
            log(args.log_format);
            match run(config).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    error!(error = %Chain(&error), "the agent ends");
                    ExitCode::from(exit_code(&error))
                }
            }
        }
    }
}

/// The file is already checked; what is left is to say so.
fn check(config: &Config) -> ExitCode {
    let instances = config.listed_instances().map_or(0, |listed| listed.len());
    let host = config.host_id().map(|id| id.to_string()).unwrap_or_default();
    println!(
        "the configuration is good: host {host}, {instances} instances, controller {}",
        config.controller.address
    );
    ExitCode::SUCCESS
}

async fn run(config: Config) -> Result<(), AgentError> {
    let seams = Seams::production(&config)?;
    let shutdown = CancellationToken::new();
    // From here on a signal ends the agent in order, also while it starts.
    let signalled = tokio::spawn(stop_on_signal(shutdown.clone()));
    let ended = Agent::build(config, seams).await?.run(shutdown).await;
    signalled.abort();
    ended
}

/// Catches the signals when it is called, not when it is awaited.
fn stop_on_signal(shutdown: CancellationToken) -> impl Future<Output = ()> {
    let caught = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = caught else {
            return error!("signals cannot be caught; the agent can only be killed");
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
    }
}

fn default_config() -> Option<PathBuf> {
    let path = etcetera::choose_base_strategy().ok()?.config_dir().join("reveille").join("agent.toml");
    path.exists().then_some(path)
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    // Whoever calls this as a library may have set up its own.
    let _ = match format {
        LogFormat::Human => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
}

fn exit_code(error: &AgentError) -> u8 {
    match error {
        AgentError::Config(_) | AgentError::Group(_) => EXIT_USAGE,
        AgentError::Journal(JournalError::Locked { .. }) | AgentError::Listen { .. } => EXIT_TEMPORARY,
        AgentError::Load(_) | AgentError::Journal(_) | AgentError::Target(_) | AgentError::Part(_) => {
            EXIT_INTERNAL
        }
    }
}
