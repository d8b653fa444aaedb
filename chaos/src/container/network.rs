//! A private network of a run. Members can be cut off and put back; nobody on it is told.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use testcontainers::bollard::{
    models::{NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest},
    query_parameters::InspectNetworkOptions,
};

use super::{Engine, Member, owner::labels};

/// Removed with its run.
#[derive(Debug, Clone)]
pub struct Network {
    engine: Engine,
    pub(super) name: String,
    /// Where this machine is found on it.
    pub gateway: Ipv4Addr,
}

impl Network {
    pub(super) async fn create(engine: &Engine, run: &str, name: &str) -> anyhow::Result<Self> {
        let name = format!("{run}-{name}");
        let asked = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".into()),
            labels: Some(labels(run).into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        engine
            .docker
            .create_network(asked)
            .await
            .with_context(|| format!("failed to make network {name}"))?;
        let seen = engine.docker.inspect_network(&name, None::<InspectNetworkOptions>).await?;
        let config = seen.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let gateway = config.into_iter().find_map(|config| config.gateway?.parse().ok());
        let gateway = gateway.with_context(|| format!("network {name} has no gateway"))?;
        Ok(Self { engine: engine.clone(), name, gateway })
    }

    /// Takes the member off the network: what is on its way is lost, and connections stay open at both ends.
    pub async fn cut(&self, member: &Member) -> anyhow::Result<()> {
        let off = NetworkDisconnectRequest { container: member.id().into(), force: Some(true) };
        let cut = self.engine.docker.disconnect_network(&self.name, off).await;
        cut.with_context(|| format!("failed to cut {} off {}", member.name, self.name))
    }

    /// Puts a member on the network, or back.
    pub async fn join(&self, member: &Member) -> anyhow::Result<()> {
        let on = NetworkConnectRequest { container: member.id().into(), endpoint_config: None };
        let joined = self.engine.docker.connect_network(&self.name, on).await;
        joined.with_context(|| format!("failed to put {} on {}", member.name, self.name))
    }
}
