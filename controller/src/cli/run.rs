//! From the command line to an exit code.

use std::{ffi::OsString, process::ExitCode};

use anstream::ColorChoice;
use clap::{CommandFactory, Parser};

use super::{
    Cli, Exit,
    args::{Color, Command, ConfigCommand, Global, MineCommand},
    backtest, bench, config, explain,
    failure::Failure,
    fleet, forecast, mine, models, notifications, plan, policy, report,
    screen::Screen,
    serve,
    session::Session,
    store, train, wake, wakes, whatif,
};
use crate::config::Config;

/// Runs the command that `args` name, the program's own name first.
pub async fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    choice(cli.global.color).write_global();
    match run(cli).await {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if failure.exit() != Exit::Ok {
                tell(&failure);
            }
            failure.exit().into()
        }
    }
}

fn choice(color: Color) -> ColorChoice {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
}

/// Prints the whole chain, once.
fn tell(failure: &Failure) {
    let style = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
    let mut text = failure.to_string();
    let mut source = std::error::Error::source(failure);
    while let Some(error) = source {
        let cause = error.to_string();
        // Some libraries repeat their source in their own text.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    Screen::say(format_args!("{style}error{style:#}: {text}"));
}

async fn run(cli: Cli) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    let screen = Screen::new(global.output);
    match command {
        Command::Serve(file) => serve::run(file.config.as_deref()).await,
        Command::Config(ConfigCommand::Check(file)) => config::check(&screen, file.config.as_deref()),
        Command::Config(ConfigCommand::Show(file)) => config::show(&screen, file.config.as_deref()),
        Command::Store(args) => store::run(&screen, &args).await,
        Command::Train(args) => Box::pin(train::run(&screen, &args)).await,
        Command::Mine(args) => mined(&screen, args).await,
        Command::Whatif(args) => whatif::run(&screen, &args).await,
        Command::Backtest(args) => backtested(&screen, args).await,
        Command::Bench(args) => benched(&screen, args).await,
        Command::Completions { shell } => {
            // Into memory first: the generator panics when its output cannot be written.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "reveille", &mut script);
            Screen::print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Ok)
        }
        asks => ask(asks, global, screen).await,
    }
}

/// Commands that talk to a running controller.
async fn ask(command: Command, global: Global, screen: Screen) -> Result<Exit, Failure> {
    let session = Session::open(&global, screen)?;
    match command {
        Command::Forecast(args) => forecast::run(&session, &args).await,
        Command::Explain(args) => explain::run(&session, &args).await,
        Command::Plan(args) => plan::run(&session, &args).await,
        Command::Wake(args) => wake::run(&session, &args).await,
        Command::Wakes(args) => wakes::run(&session, args).await,
        Command::Instances(args) => fleet::instances(&session, &args).await,
        Command::Hosts => fleet::hosts(&session).await,
        Command::Controllers => fleet::controllers(&session).await,
        Command::Notifications(args) => notifications::run(&session, args).await,
        Command::Models(args) => models::run(&session, args).await,
        Command::Policy(args) => policy::run(&session, args).await,
        Command::Report(args) => report::run(&session, &args).await,
        Command::Serve(_)
        | Command::Config(_)
        | Command::Mine(_)
        | Command::Store(_)
        | Command::Train(_)
        | Command::Whatif(_)
        | Command::Backtest(_)
        | Command::Bench(_)
        | Command::Completions { .. } => unreachable!("answered without a controller"),
    }
}

/// What could not be read is in the report; the exit code says that there was something.
async fn mined(screen: &Screen, args: MineCommand) -> Result<Exit, Failure> {
    let config = Config::load(args.file.config.as_deref())?;
    let json = screen.is_json();
    let work = move || mine::run(&args.mine, config.logs, &mut anstream::stdout().lock(), json, true);
    let report = tokio::task::spawn_blocking(work).await.map_err(Failure::internal)??;
    if !report.is_complete() {
        return Ok(Exit::Input);
    }
    if report.is_all_rejected() {
        let lines = report.total.counts.lines;
        return Err(Failure::No(format!(
            "none of {lines} lines could be read; say how they are written with --format (combined, f5, json), or \
             `format` of `logs.sources` in a configuration"
        )));
    }
    Ok(Exit::Ok)
}

async fn backtested(screen: &Screen, args: backtest::BacktestArgs) -> Result<Exit, Failure> {
    let json = screen.is_json();
    let work = move || backtest::run(&args, &mut anstream::stdout().lock(), json);
    let report = tokio::task::spawn_blocking(work).await.map_err(Failure::internal)??;
    Ok(if report.rejected > 0 { Exit::Input } else { Exit::Ok })
}

async fn benched(screen: &Screen, args: bench::BenchArgs) -> Result<Exit, Failure> {
    let json = screen.is_json();
    let work = move || bench::run(&args, &mut anstream::stdout().lock(), json);
    tokio::task::spawn_blocking(work).await.map_err(Failure::internal)??;
    Ok(Exit::Ok)
}
