//! The proxies between agents and the rest: faults of sockets that no line within a process has, such as a reset.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use reveille_proto::clock::Clock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    experiment::{catalogue::FaultKind, file::Length},
    proxy::{NewProxy, NewToxic, Registry, Settings},
};

const CONNECTIONS_MAX: u32 = 1_000;

/// One proxy for each host, called by its name.
#[derive(Debug, Clone)]
pub(crate) struct Wires {
    registry: Registry,
    speed: f64,
    /// Where proxies listen.
    on: IpAddr,
}

/// A fault that a proxy has, by its type and attributes there; `None` for every other.
pub(crate) fn toxic(what: &FaultKind, speed: f64) -> Option<(&'static str, Value)> {
    let ms = |length: Length| (Duration::from(length).as_secs_f64() * 1_000.0 / speed).round() as u64;
    Some(match what {
        FaultKind::LinkReset(fault) => ("reset_peer", json!({"timeout": ms(fault.after)})),
        FaultKind::LinkSlowClose(fault) => ("slow_close", json!({"delay": ms(fault.delay)})),
        // None at all would be for ever.
        FaultKind::LinkTimeout(fault) => ("timeout", json!({"timeout": ms(fault.after).max(1)})),
        FaultKind::LinkSlicer(fault) => {
            ("slicer", json!({"average_size": fault.slice_bytes, "delay": 1_000 * ms(fault.gap)}))
        }
        FaultKind::LinkLimit(fault) => ("limit_data", json!({"bytes": fault.limit_bytes})),
        _ => return None,
    })
}

impl Wires {
    pub(super) fn start(seed: u64, speed: f64, on: IpAddr, stop: &CancellationToken) -> Self {
        let any_address = !on.is_loopback();
        let settings = Settings { seed, lease: None, any_address, connections_max: CONNECTIONS_MAX };
        let registry = Registry::new(Clock::system(), settings);
        let (closing, stop) = (registry.clone(), stop.clone());
        tokio::spawn(async move {
            stop.cancelled().await;
            closing.stop().await;
        });
        Self { registry, speed, on }
    }

    /// Opens the proxy of a host, which dials `to`; gives where it listens.
    pub(super) async fn lay(&self, host: &str, to: SocketAddr) -> anyhow::Result<SocketAddr> {
        let new = NewProxy {
            name: host.to_owned(),
            listen: SocketAddr::new(self.on, 0).to_string(),
            upstream: to.to_string(),
            enabled: None,
        };
        let proxy = self.registry.create(new).await.context("failed to open a proxy")?;
        proxy.listen.parse().context("a proxy has no address")
    }

    /// The fault in this place is on at these hosts.
    pub(crate) async fn put(&self, place: usize, what: &FaultKind, hosts: &[String]) -> anyhow::Result<()> {
        let (kind, attributes) = toxic(what, self.speed).context("no proxy has this fault")?;
        let Value::Object(attributes) = attributes else { return Ok(()) };
        for host in hosts {
            let new = NewToxic {
                name: name(place),
                kind: kind.to_owned(),
                attributes: Some(attributes.clone()),
                ..NewToxic::default()
            };
            self.registry.add_toxic(host, new).await.with_context(|| format!("failed to add {kind}"))?;
        }
        Ok(())
    }

    /// It is over there. One that is over already stays so.
    pub(crate) async fn take(&self, place: usize, hosts: &[String]) {
        for host in hosts {
            if let Err(error) = self.registry.remove_toxic(host, &name(place)).await {
                tracing::debug!(%error, %host, place, "there was nothing to remove");
            }
        }
    }

    /// How often it was met so far.
    pub(crate) async fn met(&self, place: usize) -> u64 {
        let name = name(place);
        let faults = self.registry.journal().await.faults;
        faults.iter().filter(|fault| fault.toxic.as_deref() == Some(&name)).map(|fault| fault.hits).sum()
    }
}

/// What the fault in a place is called at the proxies.
fn name(place: usize) -> String {
    format!("fault-{place}")
}
