//! After the rounds: everything comes to its end, and is counted.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;
use tokio::time::Instant;

use super::{FailoverOutcome, run::Bench, world::CONTROLLERS};
use crate::{
    history::History,
    oracle::{Checked, s4_one_effect, s5_one_end, s6_one_leader},
    world::instance_id,
};

/// After the last round every wake must have its end within this: all attempts of the slowest.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Bench {
    pub(super) async fn look(&mut self) -> bool {
        for index in 0..CONTROLLERS {
            *self.watch.control() = self.world.doors.control(index);
            if self.watch.look().await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Waits until every wake has its end and no permit is held, as long as that may take.
    pub(super) async fn settle(&mut self) {
        let began = Instant::now();
        while began.elapsed() < SETTLE_TIMEOUT {
            let is_over = self.look().await && self.watch.seen.all.iter().all(|wake| !wake.end.is_empty());
            if is_over && self.permits().await.is_ok_and(|permits| permits.iter().all(|(_, held)| *held == 0))
            {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Of each host, by the controller that has its session.
    async fn permits(&self) -> anyhow::Result<Vec<(String, u32)>> {
        let mut permits = Vec::new();
        for index in 0..CONTROLLERS {
            let hosts = self.world.doors.hosts(index).await?;
            permits.extend(
                hosts.into_iter().filter(|host| host.connected).map(|host| (host.id, host.active_wakes)),
            );
        }
        Ok(permits)
    }

    /// What this side of the sockets knows by itself.
    pub(super) fn count_own(&self, outcome: &mut FailoverOutcome) {
        outcome.acknowledged = self.ledger.all_acknowledged().len() as u64;
        let (calls, doubled) = self.ledger.calls();
        outcome.calls = calls;
        outcome.doubled = doubled.len();
        outcome.doubled_instances =
            doubled.into_iter().map(|(index, calls)| (instance_id(index).to_string(), calls)).collect();
    }

    pub(super) async fn count(&mut self, outcome: &mut FailoverOutcome) -> anyhow::Result<()> {
        self.count_own(outcome);
        if !self.look().await {
            outcome.not_recovered.push("no controller tells what became of the wakes".into());
        }
        let seen = &self.watch.seen;
        let acknowledged = self.ledger.all_acknowledged();
        let ended = seen.all.iter().filter(|wake| !wake.end.is_empty());
        let ended: BTreeSet<&str> = ended.map(|wake| wake.wake_id.as_str()).collect();
        let lost = acknowledged.keys().filter(|id| !ended.contains(id.as_str()));
        outcome.lost_wakes = lost.cloned().collect();
        outcome.lost = outcome.lost_wakes.len();
        outcome.wakes = seen.all.len() as u64;
        outcome.by_end = seen.by(|wake| &wake.end);
        outcome.permits_left = self.permits().await.context("nobody tells of permits")?.into_iter().collect();
        if self.ledger.asked() >= self.instances {
            outcome
                .not_recovered
                .push(format!("the load ended: all {} instances were asked for", self.instances));
        }
        Ok(())
    }
}

/// What the history has the observations for.
pub(super) fn checked(history: &History) -> Vec<Checked> {
    let events = &history.events;
    vec![s4_one_effect::check(events), s5_one_end::check(events), s6_one_leader::check(events)]
}
