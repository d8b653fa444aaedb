//! The configuration and its sections, with their defaults.

use std::{net::SocketAddr, path::PathBuf};

use etcetera::BaseStrategy;
use reveille_proto::HostId;
use serde::Deserialize;

use super::{Addresses, ConfigError, CpuGroup, Endpoints, Instance, InstanceTemplate};

/// Port of the controller's gRPC face.
const CONTROLLER_DEFAULT: &str = "http://127.0.0.1:7412";

/// All the agent is told. Every key may also be given as `REVEILLE_AGENT__SECTION__KEY`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Default: the host's name.
    pub host_id: Option<HostId>,
    /// Kind of host for which lead times are learned together.
    pub host_class: String,
    /// Failure domain of the host.
    pub zone: String,
    /// Where the journal and the pid files live. Default: `reveille-agent` in the user's state directory.
    pub state_dir: Option<PathBuf>,
    pub controller: Controller,
    pub guard: Guard,
    pub load: LoadSection,
    pub cpu_group: CpuGroup,
    pub endpoints: Endpoints,
    pub metrics: MetricsSection,
    pub instances: Vec<Instance>,
    pub instance_templates: Vec<InstanceTemplate>,
}

/// Where the controller is, or the controllers are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Controller {
    /// One, or a list of controllers that share a database: the agent has a session with one of them, and dials the next
    /// when that one is not there, does not answer or says no.
    pub address: Addresses,
    /// File with the token that is sent as `authorization: Bearer`.
    /// Default for a controller on this host: `reveille/agent.token` in the user's data directory, if it exists.
    pub token_file: Option<PathBuf>,
    /// Authorities of the controller's certificate, as PEM. Default: those the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The agent's own certificate and key, as PEM, for a controller that asks for them; it must name the host id.
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// Name in the controller's certificate, where it is another than in the address.
    pub server_name: Option<String>,
    pub reconnect_backoff_max_s: u64,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            address: Addresses::new([CONTROLLER_DEFAULT]),
            token_file: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            server_name: None,
            reconnect_backoff_max_s: 30,
        }
    }
}

/// What the agent refuses whatever the controller says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    pub cpu_ceiling_percent: f64,
    /// Wakes carried out at once. Default: one per core, two where starts run in a CPU group.
    pub wakes_max: Option<u32>,
}

impl Default for Guard {
    fn default() -> Self {
        Self { cpu_ceiling_percent: 85.0, wakes_max: None }
    }
}

/// How load is measured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadSection {
    pub interval_ms: u64,
    /// Time constant of the moving average, in seconds; 0 is none.
    pub smoothing_s: f64,
    /// Measure a cgroup (v2) instead of the host where it limits the CPU: its directory, or `auto` for the agent's own.
    pub cgroup: Option<String>,
}

impl Default for LoadSection {
    fn default() -> Self {
        Self { interval_ms: 1000, smoothing_s: 5.0, cgroup: None }
    }
}

/// Where the agent's own figures are served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSection {
    /// `address:port` of `/metrics`; none is served when not given.
    pub listen: Option<SocketAddr>,
}

impl Config {
    /// The configured id, or the host's name.
    pub fn host_id(&self) -> Result<HostId, ConfigError> {
        if let Some(id) = &self.host_id {
            return Ok(id.clone());
        }
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map_err(|e| ConfigError::key("host_id", format!("is not set and the host has no name: {e}")))?;
        HostId::new(name.trim())
            .map_err(|e| ConfigError::key("host_id", format!("is not set and the host's name {e}")))
    }

    /// The configured directory, or the user's.
    pub fn state_dir(&self) -> Result<PathBuf, ConfigError> {
        if let Some(dir) = &self.state_dir {
            return Ok(dir.clone());
        }
        let base = etcetera::choose_base_strategy()
            .map_err(|e| ConfigError::key("state_dir", format!("is not set and there is no home: {e}")))?;
        Ok(base.state_dir().unwrap_or_else(|| base.data_dir()).join("reveille-agent"))
    }
}

impl Controller {
    /// The file the token is read from, if there is to be one.
    pub fn token_path(&self) -> Option<PathBuf> {
        if self.token_file.is_some() {
            return self.token_file.clone();
        }
        if !self.is_loopback() {
            return None;
        }
        let path = etcetera::choose_base_strategy().ok()?.data_dir().join("reveille").join("agent.token");
        path.exists().then_some(path)
    }

    fn is_loopback(&self) -> bool {
        let is_loopback = |address: &String| {
            let Ok(url) = reqwest::Url::parse(address) else { return false };
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
            host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        };
        // What is on this host is nobody else's to hear.
        self.address.all().iter().all(is_loopback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_controller_on_this_host_gets_the_default_token() {
        let all = |addresses: &[&str]| Controller {
            address: Addresses::new(addresses.iter().copied()),
            ..Controller::default()
        };
        let at = |address| all(&[address]);
        let both = all(&["http://127.0.0.1:1", "http://10.0.0.1:1"]);
        assert!(!both.is_loopback(), "the token would go to another host as well");
        assert!(at("http://127.0.0.1:1").is_loopback() && at("http://[::1]:1").is_loopback());
        assert!(at("http://localhost:1").is_loopback());
        assert!(!at("http://10.0.0.1:1").is_loopback() && !at("http://localhost.evil.test").is_loopback());
        assert_eq!(at("http://10.0.0.1:1").token_path(), None);
    }
}
