//! All simulated hosts together: who waits, who starts, who is too late.

use super::{
    card::HostCard,
    host::{Host, HostSpec, Queued, Round, STEP_S},
    story::Story,
};
use crate::{policy::Policy, throttle::ThrottleRule};

#[derive(Debug)]
pub(super) struct Yard<'a> {
    hosts: Vec<Host<'a>>,
    policy: &'a Policy,
    rule: &'a ThrottleRule,
    /// What was before is not in the figures.
    counted_from_s: i64,
}

impl<'a> Yard<'a> {
    pub(super) fn new(
        specs: &'a [HostSpec],
        policy: &'a Policy,
        rule: &'a ThrottleRule,
        counted_from_s: i64,
    ) -> Self {
        Self { hosts: specs.iter().map(|spec| Host::new(spec, rule)).collect(), policy, rule, counted_from_s }
    }

    fn host(&mut self, story: &Story) -> Option<&mut Host<'a>> {
        self.hosts.get_mut(story.host?)
    }

    /// False when there is nowhere to wait.
    pub(super) fn enqueue(&mut self, story: &Story, queued: Queued) -> bool {
        let Some(host) = self.host(story) else { return false };
        host.enqueue(queued);
        true
    }

    pub(super) fn withdraw(&mut self, story: &Story, index: usize) {
        if let Some(host) = self.host(story) {
            host.withdraw(index);
        }
    }

    pub(super) fn start_by_user(&mut self, story: &Story, at_s: i64) {
        if let Some(host) = self.host(story) {
            host.start_by_user(at_s, story.lead_time_s);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.hosts.iter().all(Host::is_idle)
    }

    /// One look at all queues.
    pub(super) fn step(&mut self, now_s: i64) -> Round {
        for host in &mut self.hosts {
            host.retire(now_s, self.rule);
        }
        let mut fleet_active = self.hosts.iter().map(Host::permits).sum();
        let mut all = Round::default();
        for host in self.hosts.iter_mut().filter(|host| !host.is_idle()) {
            let round = host.dispatch(now_s, self.policy, self.rule, &mut fleet_active);
            all.started.extend(round.started);
            all.expired.extend(round.expired);
            if now_s >= self.counted_from_s {
                host.account(now_s, self.policy, self.rule);
            }
        }
        all
    }

    /// The first step at or after `at_s`, of those that begin at `from_s`.
    pub(super) fn step_at(from_s: i64, at_s: i64) -> i64 {
        from_s + (at_s - from_s).max(0).unsigned_abs().div_ceil(STEP_S.unsigned_abs()) as i64 * STEP_S
    }

    pub(super) fn cards(&self) -> Vec<HostCard> {
        self.hosts.iter().map(Host::card).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_with_the_quarter_hour() {
        let at = |at_s| Yard::step_at(900, at_s);
        assert_eq!([900, 901, 905, 906, 3].map(at), [900, 905, 905, 910, 900]);
    }
}
