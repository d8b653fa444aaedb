//! The controller's own log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::config::{LogConfig, LogFormat};

/// Once per process; a second call changes nothing.
pub(super) fn init(config: &LogConfig) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|e| {
        Failure::Input(format!("bad configuration: `log.filter` is no filter such as \"info\": {e}"))
    })?;
    let terminal = std::io::stderr().is_terminal();
    let human = match config.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    // By default a line that cannot be written is complained about on standard error, with a macro that panics when
    // that is what is gone: it would take the task that logs with it.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    // An error means that a subscriber is set already, which then stays.
    let _ = if human {
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        builder.with_ansi(colours).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    Ok(())
}
