//! The steady state: everybody is there, one leads, every agent has a session. It is waited for, never slept for.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, bail};
use jiff::SignedDuration;
use reveille_proto::clock::Clock;
use tokio::{net::TcpStream, time::Instant};

use super::{
    lease::LeaseWatch,
    world::{AGENTS, CONTROLLERS, World},
};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A leader that is there renews its lease once a second, and the watcher sees it.
const RENEWED_WITHIN: SignedDuration = SignedDuration::from_secs(3);
/// A cluster that is not back after this does not come back.
const STEADY_S_MAX: u64 = 120;
const DATABASE_S_MAX: u64 = 60;

/// The cluster when nothing is wrong.
#[derive(Debug, Clone)]
pub(super) struct Steady {
    /// Index of the controller that leads.
    pub(super) leader: usize,
    /// Ids of the controllers' starts, by index.
    pub(super) ids: Vec<String>,
    /// Agents with a session with the leader.
    pub(super) agents_of_leader: usize,
}

/// Waits until the database's port takes connections.
pub(super) async fn database_answers(at: Ipv4Addr) -> anyhow::Result<()> {
    let dialled = async {
        while TcpStream::connect((at, 5432)).await.is_err() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(DATABASE_S_MAX), dialled).await;
    waited.with_context(|| format!("the database did not answer within {DATABASE_S_MAX} s"))
}

/// Waits for the steady state; what is missing is said when it does not come.
pub(super) async fn steady(world: &World, lease: &LeaseWatch, clock: &Clock) -> anyhow::Result<Steady> {
    let began = Instant::now();
    loop {
        match look(world, lease, clock).await {
            Ok(steady) => return Ok(steady),
            Err(missing) if began.elapsed() > Duration::from_secs(STEADY_S_MAX) => {
                return Err(missing.context(format!("no steady state within {STEADY_S_MAX} s")));
            }
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

async fn look(world: &World, lease: &LeaseWatch, clock: &Clock) -> anyhow::Result<Steady> {
    let (mut ids, mut leaders, mut agents) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..CONTROLLERS {
        let name = &world.controllers[index].name;
        let rows = world.doors.known_to(index).await.with_context(|| format!("{name} does not answer"))?;
        let me =
            rows.iter().find(|row| row.answers).with_context(|| format!("{name} does not know itself"))?;
        ids.push(me.controller_id.clone());
        leaders.extend(rows.iter().filter(|row| row.leads).map(|row| row.controller_id.clone()));
        let hosts = world.doors.hosts(index).await.with_context(|| format!("{name} does not answer"))?;
        agents.push(
            hosts.into_iter().filter(|host| host.connected).map(|host| host.id).collect::<BTreeSet<_>>(),
        );
    }
    let [first, second] = leaders.as_slice() else {
        bail!("{} leaders are told of, not one each", leaders.len())
    };
    if first != second {
        bail!("{first} and {second} are said to lead");
    }
    let leader =
        ids.iter().position(|id| id == first).with_context(|| format!("{first} leads and is not there"))?;
    let seen = lease.latest().context("nobody has seen the lease")?;
    if seen.holder != *first || clock.now().duration_since(seen.since) > RENEWED_WITHIN {
        bail!("the lease is {}'s and was last renewed at {}", seen.holder, seen.since);
    }
    let connected: usize = agents.iter().map(BTreeSet::len).sum();
    let different: BTreeSet<&String> = agents.iter().flatten().collect();
    if (connected, different.len()) != (AGENTS, AGENTS) {
        bail!("{connected} sessions of {} agents, not one of each", different.len());
    }
    Ok(Steady { leader, ids, agents_of_leader: agents[leader].len() })
}
