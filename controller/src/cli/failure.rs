//! Why a command did not do what was asked, with what to do next.

use super::{Exit, backtest::BacktestError, bench::BenchError, mine::MineError};
use crate::{app::AppError, config::ConfigError, store::StoreError};

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The answer is no.
    #[error("{0}")]
    No(String),
    #[error("{0}")]
    Input(String),
    /// A file that cannot be used; the source says why.
    #[error(transparent)]
    File(anyhow::Error),
    #[error(
        "no controller answers at {address}; start one with `reveille serve` or name another with --address"
    )]
    Unreachable { address: String, source: reqwest::Error },
    #[error("{0}")]
    NotPermitted(String),
    #[error(transparent)]
    Internal(anyhow::Error),
    #[error("failed to write the output")]
    Output(#[from] std::io::Error),
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::No(_) => Exit::No,
            Self::Input(_) | Self::File(_) => Exit::Input,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::NotPermitted(_) => Exit::NotPermitted,
            // Whoever read our output has seen enough.
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Ok,
            Self::Internal(_) | Self::Output(_) => Exit::Internal,
        }
    }

    pub(super) fn file(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::File(anyhow::Error::new(error))
    }

    pub(super) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(anyhow::Error::new(error))
    }
}

impl From<MineError> for Failure {
    fn from(error: MineError) -> Self {
        match error {
            MineError::Output(error) => Self::Output(error),
            MineError::Logs(_) | MineError::NoSources => Self::file(error),
        }
    }
}

impl From<BacktestError> for Failure {
    fn from(error: BacktestError) -> Self {
        match error {
            BacktestError::Report(error) => Self::Output(error),
            other => Self::file(other),
        }
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Report(error) => Self::Output(error),
            BenchError::Model { .. } | BenchError::Plot { .. } | BenchError::PlotName(_) => Self::file(error),
            BenchError::App(error) => error.into(),
            BenchError::Store(_)
            | BenchError::Task(_)
            | BenchError::Start { .. }
            | BenchError::Unsent { .. }
            | BenchError::Draw(_) => Self::internal(error),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::file(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoMigration(_) | StoreError::NoWayBack { .. } | StoreError::InUse { .. } => {
                Self::No(error.to_string())
            }
            other => Self::internal(other),
        }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Config(_)
            | AppError::DataDir { .. }
            | AppError::Locked { .. }
            | AppError::Tls(_)
            | AppError::Tokens(_)
            | AppError::Listen { .. } => Self::file(error),
            AppError::Store(_) | AppError::Task(_) | AppError::TaskDied { .. } | AppError::Serve(_) => {
                Self::internal(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use clap::Parser;

    use super::*;
    use crate::{
        cli::{backtest::BacktestArgs, mine::MineArgs},
        logs::LogsConfig,
    };

    #[derive(Debug, Parser)]
    struct Mine {
        #[command(flatten)]
        args: MineArgs,
    }

    #[derive(Debug, Parser)]
    struct Backtest {
        #[command(flatten)]
        args: BacktestArgs,
    }

    /// An output whose reader has gone.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure_and_a_full_disk_is() {
        let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/presence_small.csv.gz");
        let backtest = Backtest::try_parse_from(["backtest", trace, "--min-share", "0.5"]).unwrap().args;
        let log = tempfile::NamedTempFile::new().unwrap();
        let mine = Mine::try_parse_from(["mine", log.path().to_str().unwrap()]).unwrap().args;
        for (kind, exit) in
            [(io::ErrorKind::BrokenPipe, Exit::Ok), (io::ErrorKind::StorageFull, Exit::Internal)]
        {
            for json in [false, true] {
                let out = &mut Broken(kind);
                let mined = super::super::mine::run(&mine, LogsConfig::default(), out, json, false);
                assert_eq!(Failure::from(mined.unwrap_err()).exit(), exit, "mine, json: {json}");
                let replayed = super::super::backtest::run(&backtest, out, json);
                assert_eq!(Failure::from(replayed.unwrap_err()).exit(), exit, "backtest, json: {json}");
            }
        }
    }
}
