//! `reveille serve`

use std::path::Path;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, failure::Failure, logging, screen::Screen};
use crate::{
    app::{App, Seams},
    config::Config,
};

/// Runs until a signal, then drains. A second signal ends the process at once.
pub(super) async fn run(path: Option<&Path>) -> Result<Exit, Failure> {
    let config = Config::load(path)?;
    logging::init(&config.log)?;
    let signals = Signals::listen()?;
    let app = App::build(config, Seams::production()).await?;
    announce(&app, path);
    let shutdown = CancellationToken::new();
    tokio::spawn(signals.obey(shutdown.clone()));
    app.run(shutdown).await?;
    Ok(Exit::Ok)
}

/// Where everything is, for whoever started it by hand.
fn announce(app: &App, path: Option<&Path>) {
    let configuration =
        path.map_or_else(|| "none: defaults and environment".into(), |path| path.display().to_string());
    let scheme = if app.shared().config.tls.own().is_some() { "https" } else { "http" };
    let lines = [
        format!("Reveille {}", env!("CARGO_PKG_VERSION")),
        format!("  API, metrics     {scheme}://{}", app.http_addr()),
        format!("  agents, gRPC     {scheme}://{}", app.grpc_addr()),
        format!("  configuration    {configuration}"),
        format!("  database         {}", app.database()),
        format!("  operator's token {}", app.tokens().operator_path.display()),
        format!("  agents' token    {}", app.tokens().agent_path.display()),
    ];
    Screen::say(lines.join("\n"));
}

/// SIGTERM and SIGINT, listened for before anything is started.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(Failure::internal);
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// The number of the next signal.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }

    async fn obey(mut self, shutdown: CancellationToken) {
        self.next().await;
        // Before the log line: going down must not depend on a log that can be written.
        shutdown.cancel();
        tracing::info!("going down; wakes under way stay with the agents. A second signal ends at once");
        let number = self.next().await;
        std::process::exit(128 + number);
    }
}
