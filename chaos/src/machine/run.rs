//! One way of starting them after the other, each beside the same background and under the same observer.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use anyhow::Context as _;
use tokio::time::Instant;

use super::{
    HostBench, HostRow,
    background::Background,
    observer::{Observer, Seen, Stat},
    ours::Ours,
    peers,
};

/// What is measured.
#[derive(Debug, Clone)]
pub struct HostSpec {
    /// The `reveille-chaos` binary, which is every process here.
    pub program: PathBuf,
    pub instances: u16,
    /// CPU seconds of each start.
    pub work_s: u32,
    pub ceiling_percent: f64,
    /// Share of the host the background uses while it is on.
    pub background_share: f64,
    /// Whether the others are measured too.
    pub with_peers: bool,
}

/// Runs the bench; `told` hears who is measured and how many serve.
pub async fn bench(
    spec: &HostSpec,
    told: &mut (dyn FnMut(&'static str, usize) + Send),
) -> anyhow::Result<HostBench> {
    let cores = Stat::read()?.cores;
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    let ports = free_addresses(usize::from(spec.instances) + 2)?;
    let (control, instances) = ports.split_at(2);
    let mut ours = Ours::start(spec, dir.path(), [control[0], control[1]], instances).await?;
    let mut background = background(spec, cores);
    let used_s = ours.used_s()?;
    let (observer, began) = (Observer::start(), Instant::now());
    ours.wake_all(&mut background, &mut |served| told("reveille", served)).await?;
    let took_s = began.elapsed().as_secs_f64();
    let own_cores = (ours.used_s()? - used_s) / took_s;
    let reveille = row(spec, "reveille", cores, took_s, &observer.finish(), background.finish().await?);
    let uncapped = ours.uncapped();
    drop(ours);
    let mut peers = Vec::new();
    let all = usize::from(spec.instances);
    for (policy, at_once) in [("fixed-2", 2), ("all at once", all)].into_iter().filter(|_| spec.with_peers) {
        let addresses = free_addresses(all)?;
        let mut background = self::background(spec, cores);
        let (observer, began) = (Observer::start(), Instant::now());
        let mut tell = |served| told(policy, served);
        peers::start_all(spec, &addresses, at_once, &mut background, &mut tell).await?;
        let took_s = began.elapsed().as_secs_f64();
        peers.push(row(spec, policy, cores, took_s, &observer.finish(), background.finish().await?));
    }
    Ok(HostBench {
        cores,
        instances: spec.instances,
        work_core_s: spec.work_s.into(),
        cpu_ceiling_percent: spec.ceiling_percent,
        reveille,
        own_cores,
        peers,
        uncapped,
    })
}

fn background(spec: &HostSpec, cores: u32) -> Background {
    Background::new(&spec.program, spec.background_share * f64::from(cores))
}

fn row(
    spec: &HostSpec,
    policy: &'static str,
    cores: u32,
    makespan_s: f64,
    seen: &Seen,
    background_s: f64,
) -> HostRow {
    let ceiling = spec.ceiling_percent / 100.0;
    let background_cores = background_s / makespan_s;
    let work = f64::from(spec.instances) * f64::from(spec.work_s);
    let ideal_s = work / (ceiling * f64::from(cores) - background_cores);
    let within = seen.shares.iter().filter(|share| **share <= ceiling + 1e-9).count();
    HostRow {
        policy,
        makespan_s,
        ideal_s,
        ratio: makespan_s / ideal_s,
        seconds_within_ceiling_share: within as f64 / seen.shares.len().max(1) as f64,
        cpu_mean_percent: 100.0 * seen.mean(),
        cpu_max_percent: 100.0 * seen.shares.iter().copied().fold(0.0, f64::max),
        cpu_percent: seen.shares.iter().map(|share| (share * 1_000.0).round() / 10.0).collect(),
        stolen_cores: seen.stolen_share * f64::from(cores),
        background_cores,
    }
}

/// Ports that were free a moment ago.
fn free_addresses(count: usize) -> anyhow::Result<Vec<SocketAddr>> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> HostSpec {
        HostSpec {
            program: PathBuf::new(),
            instances: 24,
            work_s: 6,
            ceiling_percent: 70.0,
            background_share: 0.2,
            with_peers: true,
        }
    }

    #[test]
    fn the_ideal_is_the_work_by_what_ceiling_and_background_leave() {
        let seen = Seen { shares: vec![0.70, 0.60, 0.71, 0.10], stolen_share: 0.01 };
        let row = row(&spec(), "x", 2, 120.0, &seen, 24.0);
        assert!((row.ideal_s - 144.0 / 1.2).abs() < 1e-9 && (row.ratio - 1.0).abs() < 1e-9, "{row:?}");
        assert!((row.seconds_within_ceiling_share - 0.75).abs() < 1e-9);
        let bench = HostBench {
            cores: 2,
            instances: 24,
            work_core_s: 6.0,
            cpu_ceiling_percent: 70.0,
            reveille: row.clone(),
            own_cores: 0.05,
            peers: vec![row],
            uncapped: Some("no CPU group".into()),
        };
        assert_eq!(bench.missed().len(), 1);
        let text = bench.render();
        assert!(text.contains("not reached: 75.0 %") && text.contains("no CPU group"), "{text}");
        let json = serde_json::to_value(&bench).expect("JSON");
        assert!(json["makespan_s"].is_number() && json["peers"][0]["ratio"].is_number(), "{json}");
    }
}
