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
    use reveille_proto::{HostId, InstanceId};

    use super::{super::host::tests::wake, *};

    #[test]
    fn steps_begin_with_the_quarter_hour() {
        let at = |at_s| Yard::step_at(900, at_s);
        assert_eq!([900, 901, 905, 906, 3].map(at), [900, 905, 905, 910, 900]);
    }

    fn spec(name: &str) -> HostSpec {
        HostSpec { host: HostId::new(name).expect("an id"), cores: 4.0, background_percent: 10.0 }
    }

    fn story(host: Option<usize>) -> Story {
        let instance = InstanceId::new("dev1").expect("an id");
        let mut story = Story::new(instance, Vec::new(), 7_200);
        (story.host, story.lead_time_s) = (host, 300);
        story
    }

    fn started(round: &Round) -> Vec<usize> {
        round.started.iter().map(|queued| queued.index).collect()
    }

    #[test]
    fn each_waits_on_the_host_on_which_it_lives() {
        let (specs, policy, rule) = ([spec("h1"), spec("h2")], Policy::default(), ThrottleRule::default());
        let mut yard = Yard::new(&specs, &policy, &rule, 0);
        assert!(yard.is_idle());
        assert!(yard.enqueue(&story(Some(1)), wake(7, 0)));
        assert!(!yard.enqueue(&story(Some(2)), wake(8, 0)) && !yard.enqueue(&story(None), wake(9, 0)));
        assert!(!yard.is_idle() && yard.hosts[0].is_idle());
        yard.withdraw(&story(Some(0)), 7);
        assert!(!yard.is_idle());
        assert_eq!(started(&yard.step(0)), [7]);
        yard.enqueue(&story(Some(0)), wake(3, 0));
        yard.withdraw(&story(Some(0)), 3);
        yard.step(300);
        assert!(yard.is_idle(), "withdrawn, and served");
        yard.start_by_user(&story(Some(0)), 300);
        yard.start_by_user(&story(None), 300);
        assert!(!yard.hosts[0].is_idle() && yard.hosts[1].is_idle());
        assert_eq!(yard.cards().iter().map(|card| card.host.as_str()).collect::<Vec<_>>(), ["h1", "h2"]);
    }

    #[test]
    fn the_fleet_is_one() {
        let (specs, rule) = ([spec("h1"), spec("h2")], ThrottleRule::default());
        let policy = Policy { fleet_wakes_max: 1, ..Policy::default() };
        let mut yard = Yard::new(&specs, &policy, &rule, 0);
        yard.enqueue(&story(Some(0)), wake(1, 0));
        yard.enqueue(&story(Some(1)), wake(2, 0));
        assert_eq!(started(&yard.step(0)), [1]);
        assert_eq!(started(&yard.step(295)), [] as [usize; 0]);
        assert_eq!(started(&yard.step(300)), [2]);
        let late = yard.step(2_000);
        assert_eq!((started(&late), late.expired), (vec![], vec![]));
        yard.enqueue(&story(Some(0)), wake(4, 0));
        assert_eq!(yard.step(2_000).expired, [4]);
    }

    #[test]
    fn only_what_happens_on_the_days_that_count_is_in_the_figures() {
        let (specs, rule) = ([spec("h1"), spec("h2")], ThrottleRule::default());
        let policy = Policy { cpu_ceiling_percent: 30.0, ..Policy::default() };
        let mut yard = Yard::new(&specs, &policy, &rule, 100);
        yard.start_by_user(&story(Some(1)), 0);
        for now_s in [90, 95, 100, 105] {
            yard.step(now_s);
        }
        // The background and one of four cores.
        let figures: Vec<_> = yard
            .cards()
            .iter()
            .map(|card| (card.above_ceiling_s, card.cpu_max_percent.round() as i64))
            .collect();
        assert_eq!(figures, [(0, 10), (10, 35)]);
    }
}
