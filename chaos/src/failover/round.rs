//! One round: steady, a fault, who leads then and when every host starts something again, and steady once more.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use reveille_proto::clock::Clock;
use serde::Serialize;
use serde_json::json;

use super::{
    Fault,
    lease::{LeaseWatch, Seen},
    ledger::Ledger,
    steady::{Steady, steady},
    world::{AGENTS, World},
};
use crate::history::{Entry, Function, Key, Kind, Recorder};

/// A cluster that has not taken over after this is not going to.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What one fault cost. Seconds count from the fault, of the database from its first answer after it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Round {
    pub round: u32,
    pub fault: Fault,
    /// Who led when it struck.
    pub leader: String,
    /// Agents that had their session with it.
    pub agents_of_leader: usize,
    pub new_leader: Option<String>,
    /// Until the lease was held again by one that renews it.
    pub failover_s: Option<f64>,
    /// Until an endpoint was called for a wake that was asked for after the fault.
    pub first_call_s: Option<f64>,
    /// Until that had happened on every host.
    pub all_hosts_s: Option<f64>,
    /// From the end of the fault until everybody was there again.
    pub steady_s: Option<f64>,
}

/// What a round is played with.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) world: &'a World,
    pub(super) lease: &'a LeaseWatch,
    pub(super) ledger: &'a Ledger,
    pub(super) recorder: &'a Recorder,
    pub(super) clock: &'a Clock,
}

/// When what was asked.
struct Struck {
    /// Seconds count from here.
    from: Timestamp,
    /// The fault is certainly there: only what is asked for from now on counts.
    by: Timestamp,
    lease: Seen,
}

impl Stage<'_> {
    /// Adds what it measured to `rounds`. Fails when the steady state does not come, before or after.
    pub(super) async fn play(&self, round: u32, rounds: &mut Vec<Round>) -> anyhow::Result<()> {
        let before = steady(self.world, self.lease, self.clock).await?;
        let fault = Fault::of_round(round);
        let leader = &self.world.controllers[before.leader].name;
        let mut played = Round {
            round: round + 1,
            fault,
            leader: leader.clone(),
            agents_of_leader: before.agents_of_leader,
            new_leader: None,
            failover_s: None,
            first_call_s: None,
            all_hosts_s: None,
            steady_s: None,
        };
        self.note(Function::FaultOn, fault, leader);
        let struck = self.strike(fault, &before).await?;
        let (lease, calls) = tokio::join!(self.lease_held_again(fault, &struck), self.hosts_called(&struck));
        if fault.is_of_the_leader() {
            fault.undo(self.world, before.leader).await?;
        }
        self.note(Function::FaultOff, fault, leader);
        let since = |at: Timestamp| at.duration_since(struck.from).as_millis().max(0) as f64 / 1000.0;
        if let Some(lease) = lease {
            let index = before.ids.iter().position(|id| *id == lease.holder);
            played.new_leader =
                Some(index.map_or(lease.holder, |index| self.world.controllers[index].name.clone()));
            played.failover_s = Some(since(lease.at));
        }
        played.first_call_s = calls.iter().flatten().min().map(|at| since(*at));
        // Only when there is one of every host.
        played.all_hosts_s = calls
            .iter()
            .copied()
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().max())
            .map(since);
        rounds.push(played);
        let over = self.clock.now();
        steady(self.world, self.lease, self.clock).await?;
        let took = self.clock.now().duration_since(over);
        if let Some(played) = rounds.last_mut() {
            played.steady_s = Some(took.as_millis() as f64 / 1000.0);
        }
        Ok(())
    }

    async fn strike(&self, fault: Fault, before: &Steady) -> anyhow::Result<Struck> {
        let from = self.clock.now();
        fault.inject(self.world, before.leader).await?;
        let by = self.clock.now();
        if fault.is_of_the_leader() {
            let lease = self.lease.when(|_| true).await?;
            return Ok(Struck { from, by, lease });
        }
        fault.undo(self.world, before.leader).await?;
        let back = tokio::time::timeout(PATIENCE, self.lease.when(|seen| seen.at > by)).await;
        let lease = back.with_context(|| format!("the database did not answer within {PATIENCE:?}"))??;
        Ok(Struck { from: lease.at, by, lease })
    }

    async fn lease_held_again(&self, fault: Fault, struck: &Struck) -> Option<Seen> {
        let is_held = |seen: &Seen| {
            let is_anew = seen.epoch > struck.lease.epoch;
            let is_renewed = seen.epoch == struck.lease.epoch && seen.beat > struck.lease.beat;
            !seen.holder.is_empty() && (is_anew || (is_renewed && !fault.is_of_the_leader()))
        };
        tokio::time::timeout(PATIENCE, self.lease.when(is_held)).await.ok()?.ok()
    }

    /// When each host's first endpoint was called for what was asked for after the fault.
    async fn hosts_called(&self, struck: &Struck) -> [Option<Timestamp>; AGENTS] {
        let all = async {
            while self.ledger.first_calls_since(struck.by).iter().any(Option::is_none) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // What is still missing then is told as missing.
        tokio::time::timeout(PATIENCE, all).await.ok();
        self.ledger.first_calls_since(struck.by)
    }

    fn note(&self, function: Function, fault: Fault, leader: &str) {
        let value = json!({"fault": fault, "leader": leader});
        self.recorder.record(Entry::new("bench", Kind::Info, function, Key::default()).value(value));
    }
}
