//! A controller or an agent of a local world: a process of this machine, or a container of its own.

use std::time::Duration;

use super::process::Process;
use crate::container::Member;

/// How long a container may take to go down in order.
const DRAIN: Duration = Duration::from_secs(10);

/// Dropping it kills it.
#[derive(Debug)]
pub(crate) enum Running {
    Process(Box<Process>),
    Container(Box<Member>),
}

impl Running {
    /// Without warning; nothing of it is left.
    pub(crate) async fn kill(self) {
        match self {
            Self::Process(process) => process.kill().await,
            Self::Container(member) => {
                let name = member.name.clone();
                if let Err(error) = member.remove().await {
                    tracing::warn!(error = format!("{error:#}"), name, "it could not be removed");
                }
            }
        }
    }

    /// In order.
    pub(crate) async fn terminate(self) -> anyhow::Result<()> {
        match self {
            Self::Process(process) => process.terminate().await,
            Self::Container(member) => member.terminate(DRAIN).await,
        }
    }

    /// Stops it in the middle of what it does, and waits until it is stopped.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        match self {
            Self::Process(process) => process.stop().await,
            Self::Container(member) => member.pause().await,
        }
    }

    /// It goes on as if nothing had been.
    pub(crate) async fn go_on(&self) -> anyhow::Result<()> {
        match self {
            Self::Process(process) => process.go_on(),
            Self::Container(member) => member.unpause().await,
        }
    }

    pub(crate) async fn has_ended(&mut self) -> bool {
        match self {
            Self::Process(process) => process.has_ended(),
            Self::Container(member) => !member.is_running().await.unwrap_or(false),
        }
    }
}
