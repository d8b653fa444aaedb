//! `reveille-chaos proxy`.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use reveille_proto::clock::Clock;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::args::Output;
use crate::{
    experiment::Verdict,
    proxy::{Registry, Server, Settings, lease_length},
};

#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// Where the API listens. It asks nobody who they are: keep it on loopback.
    #[arg(long, default_value = "127.0.0.1:8474")]
    pub listen: SocketAddr,
    /// Faults that bring no lease of their own end after this time unless they are renewed: 15s, 2m.
    #[arg(long, value_name = "TIME", value_parser = lease)]
    pub lease: Option<Duration>,
    /// Same seed, same luck of every connection: jitter, slices, toxicity.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Let proxies listen elsewhere than on loopback.
    #[arg(long)]
    pub any_address: bool,
    /// Open connections of one proxy; further ones wait.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections_max: u32,
}

/// Serves until SIGINT or SIGTERM.
pub(super) async fn serve(args: ProxyArgs, output: Output) -> anyhow::Result<Verdict> {
    let context = "failed to listen for signals";
    let mut interrupt = signal(SignalKind::interrupt()).context(context)?;
    let mut terminate = signal(SignalKind::terminate()).context(context)?;
    allow_many_sockets();
    let (lease, seed, any_address) = (args.lease, args.seed, args.any_address);
    let settings = Settings { seed, lease, any_address, connections_max: args.connections_max };
    let registry = Registry::new(Clock::system(), settings);
    let server = Server::start(args.listen, registry).await;
    let server = server.with_context(|| format!("failed to listen on {}", args.listen))?;
    say(&server, lease, seed, output);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    server.stop().await;
    Ok(Verdict::Held)
}

fn say(server: &Server, lease: Option<Duration>, seed: u64, output: Output) {
    let address = server.address();
    if !address.ip().is_loopback() {
        anstream::eprintln!(
            "reveille-chaos: whoever reaches {address} can break links: the API asks nobody who they are"
        );
    }
    match output {
        Output::Json => {
            let lease_s = lease.map(|lease| lease.as_secs_f64());
            let line = json!({ "listen": address, "api": format!("http://{address}"), "lease_s": lease_s, "seed": seed });
            anstream::println!("{line}");
        }
        Output::Table => {
            let end = lease.map_or_else(
                || "faults stay until they are removed, unless they bring a lease".to_owned(),
                |lease| {
                    format!(
                        "faults end after {:#} unless they are renewed",
                        SignedDuration::try_from(lease).unwrap_or_default()
                    )
                },
            );
            anstream::println!("the proxy takes orders at http://{address} (API of Toxiproxy 2); {end}");
        }
    }
}

/// Each connection needs two sockets. What the system allows at most is taken; less is no reason not to start.
fn allow_many_sockets() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "failed to raise the number of open files");
    }
}

fn lease(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => text.parse::<SignedDuration>().map_err(|error| error.to_string())?.as_secs_f64(),
    };
    lease_length(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_written_as_people_do() {
        assert_eq!(lease("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(lease("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(lease("0.5"), Ok(Duration::from_millis(500)));
        assert!(lease("0s").is_err() && lease("soon").is_err());
    }
}
