//! The container engine, where there is one.

use std::time::Duration;

use anyhow::{Context as _, bail};
use testcontainers::{
    bollard::{
        Docker,
        models::ContainerSummary,
        query_parameters::{ListContainersOptions, ListNetworksOptions, RemoveContainerOptions},
    },
    core::client::docker_client_instance,
};

use tokio::time::Instant;

use super::owner::{OWNER_LABEL, RUN_LABEL, is_gone};

/// An engine that does not answer so long is none.
const REACH_TIMEOUT: Duration = Duration::from_secs(10);
/// For all containers of a run; each takes a moment.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why there is no engine to use.
#[derive(Debug, thiserror::Error)]
#[error("no container engine answers: {0}")]
pub struct NoEngine(String);

/// A container or a network that a run has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    pub name: String,
    /// The engine has frozen all of it.
    pub is_paused: bool,
}

/// A client of the engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) docker: Docker,
}

impl Engine {
    /// The engine at `DOCKER_HOST`, or at the usual socket. What runs before left behind is removed.
    pub async fn reach() -> Result<Self, NoEngine> {
        let docker = docker_client_instance().await.map_err(|error| NoEngine(error.to_string()))?;
        let pong = tokio::time::timeout(REACH_TIMEOUT, docker.ping()).await;
        let pong = pong.map_err(|_| NoEngine(format!("not within {REACH_TIMEOUT:?}")))?;
        pong.map_err(|error| NoEngine(error.to_string()))?;
        let engine = Self { docker };
        if let Err(error) = engine.remove_where(OWNER_LABEL, is_gone).await {
            tracing::warn!(error = format!("{error:#}"), "what earlier runs left could not be removed");
        }
        Ok(engine)
    }

    /// All containers and networks that runs have made and that are there now.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn of_runs(&self) -> anyhow::Result<Vec<Made>> {
        let filters = || Some([("label".to_owned(), vec![RUN_LABEL.to_owned()])].into());
        let listed =
            ListContainersOptions { all: true, filters: filters(), ..ListContainersOptions::default() };
        let containers = self.docker.list_containers(Some(listed)).await?;
        let networks = self.docker.list_networks(Some(ListNetworksOptions { filters: filters() })).await?;
        let container = |seen: ContainerSummary| {
            let name = seen.names.into_iter().flatten().next().unwrap_or_default();
            Made { name, is_paused: seen.status.is_some_and(|status| status.contains("(Paused)")) }
        };
        let network = |name: String| Made { name, is_paused: false };
        let networks = networks.into_iter().filter_map(|seen| seen.name).map(network);
        Ok(containers.into_iter().map(container).chain(networks).collect())
    }

    /// Removes all containers and networks of a run.
    pub(super) async fn remove_run(&self, run: &str) -> anyhow::Result<()> {
        self.remove_where(RUN_LABEL, |label| label == run).await
    }

    /// Until nothing of it is left: others may be removing the same, and a network that is still in use cannot be.
    async fn remove_where(&self, label: &str, is_it: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let is_left = self.remove_once(label, &is_it).await?;
            if !is_left {
                return Ok(());
            }
            if began.elapsed() > REMOVE_TIMEOUT {
                bail!("something of it was still there after {REMOVE_TIMEOUT:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Returns whether there was anything.
    async fn remove_once(&self, label: &str, is_it: &impl Fn(&str) -> bool) -> anyhow::Result<bool> {
        let filters = || Some([("label".to_owned(), vec![label.to_owned()])].into());
        let listed =
            ListContainersOptions { all: true, filters: filters(), ..ListContainersOptions::default() };
        let containers =
            self.docker.list_containers(Some(listed)).await.context("failed to list containers")?;
        let listed = ListNetworksOptions { filters: filters() };
        let networks = self.docker.list_networks(Some(listed)).await.context("failed to list networks")?;
        let mut is_left = false;
        for container in containers {
            let value = container.labels.unwrap_or_default().remove(label).unwrap_or_default();
            if let Some(id) = container.id.filter(|_| is_it(&value)) {
                is_left = true;
                let force =
                    RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
                // What could not be removed is listed again.
                self.docker.remove_container(&id, Some(force)).await.ok();
            }
        }
        for network in networks {
            let value = network.labels.unwrap_or_default().remove(label).unwrap_or_default();
            if let Some(id) = network.id.filter(|_| is_it(&value)) {
                is_left = true;
                self.docker.remove_network(&id).await.ok();
            }
        }
        Ok(is_left)
    }
}
