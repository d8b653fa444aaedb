//! The container engine, where there is one.

use std::time::Duration;

use anyhow::Context as _;
use testcontainers::{
    bollard::{
        Docker,
        query_parameters::{ListContainersOptions, ListNetworksOptions, RemoveContainerOptions},
    },
    core::client::docker_client_instance,
};

use super::owner::{OWNER_LABEL, RUN_LABEL, is_gone};

/// An engine that does not answer so long is none.
const REACH_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no engine to use.
#[derive(Debug, thiserror::Error)]
#[error("no container engine answers: {0}")]
pub struct NoEngine(String);

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

    /// Removes all containers and networks of a run.
    pub(super) async fn remove_run(&self, run: &str) -> anyhow::Result<()> {
        self.remove_where(RUN_LABEL, |label| label == run).await
    }

    /// Containers first: a network in use cannot be removed.
    async fn remove_where(&self, label: &str, is_it: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let filters = || Some([("label".to_owned(), vec![label.to_owned()])].into());
        let listed =
            ListContainersOptions { all: true, filters: filters(), ..ListContainersOptions::default() };
        let containers =
            self.docker.list_containers(Some(listed)).await.context("failed to list containers")?;
        for container in containers {
            let value = container.labels.unwrap_or_default().remove(label).unwrap_or_default();
            if let Some(id) = container.id.filter(|_| is_it(&value)) {
                let force =
                    RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
                gone(self.docker.remove_container(&id, Some(force)).await)?;
            }
        }
        let listed = ListNetworksOptions { filters: filters() };
        let networks = self.docker.list_networks(Some(listed)).await.context("failed to list networks")?;
        for network in networks {
            let value = network.labels.unwrap_or_default().remove(label).unwrap_or_default();
            if let Some(id) = network.id.filter(|_| is_it(&value)) {
                gone(self.docker.remove_network(&id).await)?;
            }
        }
        Ok(())
    }
}

/// What somebody else has removed, or is removing, is gone as well.
fn gone(removed: Result<(), testcontainers::bollard::errors::Error>) -> anyhow::Result<()> {
    use testcontainers::bollard::errors::Error::DockerResponseServerError;
    match removed {
        Err(DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
        other => other.context("failed to remove what a run left"),
    }
}
