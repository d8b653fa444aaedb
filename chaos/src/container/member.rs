//! One container of a run, whose first process is the program itself: what is done to the one is done to the other.

use std::{fmt, net::Ipv4Addr, path::PathBuf};

use anyhow::Context as _;
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt as _,
    bollard::query_parameters::{InspectContainerOptions, KillContainerOptions, StartContainerOptions},
    core::{AccessMode, Mount},
    runners::AsyncRunner as _,
};

use super::{Engine, Network, owner::labels};

/// What a member is made of.
#[derive(Debug, Clone, Default)]
pub struct MemberSpec {
    pub name: String,
    /// A command of the shell; it should `exec` the program, which is then what signals reach.
    pub script: String,
    /// Files and directories of this machine, and where they are found inside.
    pub mounts: Vec<(PathBuf, String)>,
    /// The same, which cannot be written to.
    pub mounts_read_only: Vec<(PathBuf, String)>,
    /// `user:group` of this machine; the superuser otherwise.
    pub user: Option<String>,
}

/// Removed when it is dropped.
pub struct Member {
    engine: Engine,
    /// Its name within the run.
    pub name: String,
    /// Its name on the networks it is on.
    pub host_name: String,
    container: ContainerAsync<GenericImage>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("name", &self.name).field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Member {
    pub(super) async fn start(
        engine: &Engine,
        run: &str,
        image: &str,
        network: &Network,
        spec: &MemberSpec,
    ) -> anyhow::Result<Self> {
        let (repository, tag) = image.rsplit_once(':').context("an image has a tag")?;
        let host_name = format!("{run}-{}", spec.name);
        let mut asked = GenericImage::new(repository, tag)
            .with_cmd(["/bin/sh", "-c", &spec.script])
            .with_container_name(&host_name)
            .with_network(&network.name)
            .with_labels(labels(run));
        if let Some(user) = &spec.user {
            asked = asked.with_user(user);
        }
        let mount = |(from, to): &(PathBuf, String)| Mount::bind_mount(from.to_string_lossy(), to);
        for mounted in &spec.mounts {
            asked = asked.with_mount(mount(mounted));
        }
        for mounted in &spec.mounts_read_only {
            asked = asked.with_mount(mount(mounted).with_access_mode(AccessMode::ReadOnly));
        }
        let started = asked.start().await;
        let container = started.with_context(|| format!("failed to start {}", spec.name))?;
        Ok(Self { engine: engine.clone(), name: spec.name.clone(), host_name, container })
    }

    pub(super) fn id(&self) -> &str {
        self.container.id()
    }

    async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let options = KillContainerOptions { signal: signal.into() };
        let sent = self.engine.docker.kill_container(self.id(), Some(options)).await;
        sent.with_context(|| format!("failed to send {signal} to {}", self.name))
    }

    /// kill -9 of its first process; with it goes every other.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.signal("SIGKILL").await
    }

    /// SIGSTOP: it keeps its connections and does nothing.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.signal("SIGSTOP").await
    }

    /// SIGCONT: it goes on as if no time had gone by.
    pub async fn go_on(&self) -> anyhow::Result<()> {
        self.signal("SIGCONT").await
    }

    /// Freezes all of it, as the engine does: it keeps its connections and does nothing.
    pub async fn pause(&self) -> anyhow::Result<()> {
        let paused = self.engine.docker.pause_container(self.id()).await;
        paused.with_context(|| format!("failed to pause {}", self.name))
    }

    /// It goes on as if no time had gone by.
    pub async fn unpause(&self) -> anyhow::Result<()> {
        let unpaused = self.engine.docker.unpause_container(self.id()).await;
        unpaused.with_context(|| format!("failed to unpause {}", self.name))
    }

    /// SIGTERM, and waits until it has gone down or `patience` is over; leaves nothing of it.
    pub async fn terminate(self, patience: std::time::Duration) -> anyhow::Result<()> {
        self.signal("SIGTERM").await?;
        let down = async {
            while self.is_running().await.unwrap_or(false) {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(patience, down).await.ok();
        self.remove().await
    }

    /// Starts it again after a kill, with the files it left. The engine may still be burying it: that is waited for.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        while self.is_running().await? {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let started = self.engine.docker.start_container(self.id(), None::<StartContainerOptions>).await;
        started.with_context(|| format!("failed to start {} again", self.name))
    }

    /// Kills it and leaves nothing of it.
    pub async fn remove(self) -> anyhow::Result<()> {
        let removed = self.container.rm().await;
        removed.with_context(|| format!("failed to remove {}", self.name))
    }

    pub async fn is_running(&self) -> anyhow::Result<bool> {
        let seen = self.engine.docker.inspect_container(self.id(), None::<InspectContainerOptions>).await?;
        Ok(seen.state.and_then(|state| state.running).unwrap_or(false))
    }

    /// Where it is found on a network; another address, perhaps, after each start.
    pub async fn address(&self, network: &Network) -> anyhow::Result<Ipv4Addr> {
        let seen = self.engine.docker.inspect_container(self.id(), None::<InspectContainerOptions>).await?;
        let networks = seen.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let address = networks.get(&network.name).and_then(|on| on.ip_address.as_deref()?.parse().ok());
        address.with_context(|| format!("{} has no address on {}", self.name, network.name))
    }
}
