//! The queue as the dispatcher sees it: every queued wake by host and rank, and those whose time is still to come.
//!
//! The rows of the store are the queue; this is their mirror in memory, so that choosing the next wake of ten thousand
//! hosts needs no query. What stands here and is not true any more is found out when the move is committed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId, WakeId};

use super::{Rank, rank};
use crate::wake::{Priority, State, Wake};

/// Among so many of the first of a host, the owner with the fewest wakes in progress goes first.
const FAIR_AMONG: usize = 32;

/// A queued wake with what choosing it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    pub wake: Wake,
    /// Where its instance lives; `None` while no agent lists it.
    pub host: Option<HostId>,
    /// Of the instance.
    pub cohort: String,
    /// IANA name; empty where the instance names none.
    pub time_zone: String,
}

impl Queued {
    /// On whose account it is: who asked, or the cohort a forecast is made for.
    pub fn owner(&self) -> &str {
        if self.wake.priority == Priority::Forecast { &self.cohort } else { &self.wake.requested_by }
    }

    /// From when on it may be started.
    pub(super) fn not_before(&self) -> Timestamp {
        match self.wake.state {
            State::Queued { not_before, .. } => not_before.max(self.wake.due_at),
            _ => self.wake.due_at,
        }
    }

    /// Whether it may be started at `now`. Somebody who waits is due at once, whatever a clock said when they asked; after a
    /// first attempt they wait for their turn.
    fn is_ripe(&self, now: Timestamp) -> bool {
        self.not_before() <= now || self.wake.is_due_at_once()
    }
}

/// All queued wakes.
#[derive(Debug, Clone, Default)]
pub struct Board {
    wakes: BTreeMap<WakeId, Queued>,
    /// An instance has one open wake at most.
    by_instance: BTreeMap<InstanceId, WakeId>,
    /// Their time is still to come.
    waiting: BTreeSet<(Timestamp, WakeId)>,
    ready: BTreeMap<HostId, BTreeSet<Rank>>,
}

impl Board {
    /// Takes in a queued wake, in place of what was known of it.
    pub fn put(&mut self, queued: Queued, now: Timestamp) {
        self.remove(queued.wake.id);
        let id = queued.wake.id;
        if !queued.is_ripe(now) {
            self.waiting.insert((queued.not_before(), id));
        } else if let Some(host) = &queued.host {
            self.ready.entry(host.clone()).or_default().insert(rank(&queued.wake));
        }
        self.by_instance.insert(queued.wake.instance.clone(), id);
        self.wakes.insert(id, queued);
    }

    /// It is no longer queued.
    pub fn remove(&mut self, id: WakeId) -> Option<Queued> {
        let queued = self.wakes.remove(&id)?;
        self.by_instance.remove(&queued.wake.instance);
        self.waiting.remove(&(queued.not_before(), id));
        if let Some(host) = &queued.host
            && let Some(ready) = self.ready.get_mut(host)
        {
            ready.remove(&rank(&queued.wake));
            if ready.is_empty() {
                self.ready.remove(host);
            }
        }
        Some(queued)
    }

    /// The instance lives on `host` now.
    pub fn rehome(&mut self, instance: &InstanceId, host: &HostId, now: Timestamp) {
        let Some(id) = self.by_instance.get(instance).copied() else { return };
        if self.wakes.get(&id).is_some_and(|queued| queued.host.as_ref() == Some(host)) {
            return;
        }
        if let Some(queued) = self.remove(id) {
            self.put(Queued { host: Some(host.clone()), ..queued }, now);
        }
    }

    /// Moves those whose time has come to their hosts. Returns the hosts.
    pub fn ripen(&mut self, now: Timestamp) -> BTreeSet<HostId> {
        let mut hosts = BTreeSet::new();
        while let Some((at, id)) = self.waiting.first().copied() {
            if at > now {
                break;
            }
            self.waiting.pop_first();
            let Some(queued) = self.wakes.get(&id) else { continue };
            if let Some(host) = &queued.host {
                self.ready.entry(host.clone()).or_default().insert(rank(&queued.wake));
                hosts.insert(host.clone());
            }
        }
        hosts
    }

    /// When the next one's time comes.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// How many of a host's wakes are to be started now.
    pub fn ready_on(&self, host: &HostId) -> usize {
        self.ready.get(host).map_or(0, BTreeSet::len)
    }

    /// Hosts with a wake whose time has come.
    pub fn hosts(&self) -> impl Iterator<Item = &HostId> {
        self.ready.keys()
    }

    /// The rank of the first of a host's wakes whose time has come.
    pub fn first_rank(&self, host: &HostId, skipped: &BTreeSet<WakeId>) -> Option<Rank> {
        self.ready.get(host)?.iter().find(|(.., id)| !skipped.contains(id)).copied()
    }

    /// The wakes of a host whose time has come, in the order in which they are to be tried.
    ///
    /// Inside a class the order is that of the ranks, but an owner who has `in_progress` wakes lets those go first who have
    /// fewer, among the next few: nobody with a hundred instances holds up somebody with one.
    pub fn next_of<'a>(
        &'a self,
        host: &HostId,
        in_progress: impl Fn(&str) -> u32,
        skipped: &BTreeSet<WakeId>,
    ) -> Option<&'a Queued> {
        let ready = self.ready.get(host)?;
        let mut first = ready.iter().filter(|(.., id)| !skipped.contains(id));
        let (class, at, id) = *first.next()?;
        let others = first.take(FAIR_AMONG - 1).take_while(|(other, ..)| *other == class);
        std::iter::once(&(class, at, id))
            .chain(others)
            .filter_map(|(_, at, id)| self.wakes.get(id).map(|queued| (at, queued)))
            .min_by_key(|(at, queued)| (in_progress(queued.owner()), **at, queued.wake.id))
            .map(|(_, queued)| queued)
    }

    pub fn get(&self, id: WakeId) -> Option<&Queued> {
        self.wakes.get(&id)
    }

    /// How many are tried before it on its host, from 0; `None` while its time is to come.
    pub fn position(&self, id: WakeId) -> Option<usize> {
        let queued = self.wakes.get(&id)?;
        let ready = self.ready.get(queued.host.as_ref()?)?;
        let rank = rank(&queued.wake);
        ready.contains(&rank).then(|| ready.range(..rank).count())
    }

    pub fn len(&self) -> usize {
        self.wakes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.wakes.is_empty()
    }

    /// Ids of all, for setting the mirror right.
    pub fn ids(&self) -> impl Iterator<Item = WakeId> {
        self.wakes.keys().copied()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wake::Reason;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + s).expect("in range")
    }

    pub(in crate::queue) fn queued(n: u8, due_s: i64, reason: Reason, owner: &str) -> Queued {
        let wake = Wake {
            id: format!("0190a1b2-0000-7000-8000-0000000000{n:02}").parse().expect("valid"),
            instance: format!("dev{n}").parse().expect("valid"),
            reason,
            priority: reason.priority(),
            requested_by: owner.into(),
            plan_id: None,
            probability: None,
            created_at: t(0),
            due_at: t(due_s),
            serve_at: None,
            expires_at: t(10_000),
            state: State::Queued { attempt: 1, failures: 0, not_before: t(due_s) },
            called_at: None,
            serving_at: None,
            detail: String::new(),
            last_host: None,
            last_attempt: 0,
            dispatched_at: None,
            moves: 0,
        };
        Queued { wake, host: Some(host()), cohort: owner.into(), time_zone: String::new() }
    }

    fn host() -> HostId {
        HostId::new("h1").expect("valid")
    }

    /// The order in which all would be tried.
    fn order(board: &Board) -> Vec<String> {
        let (mut skipped, mut order) = (BTreeSet::new(), Vec::new());
        while let Some(next) = board.next_of(&host(), |_| 0, &skipped) {
            skipped.insert(next.wake.id);
            order.push(next.wake.instance.to_string());
        }
        order
    }

    #[test]
    fn people_go_first_then_who_is_needed_first() {
        let mut board = Board::default();
        for (n, due, reason) in [
            (1, 5, Reason::Forecast),
            (2, 1, Reason::Forecast),
            (3, 9, Reason::Demand),
            (4, 3, Reason::Operator),
        ] {
            board.put(queued(n, due, reason, "a"), t(100));
        }
        assert_eq!(order(&board), ["dev3", "dev4", "dev2", "dev1"]);
        let last = board.get(queued(1, 0, Reason::Demand, "a").wake.id).expect("there").wake.id;
        assert_eq!((board.position(last), board.len()), (Some(3), 4));
    }

    #[test]
    fn a_likely_arrival_goes_before_an_unlikely_one_that_is_a_little_earlier() {
        let mut board = Board::default();
        for (n, serve_s, probability) in [(1, 1000, 0.05), (2, 1300, 0.95), (3, 3000, 1.0)] {
            let mut one = queued(n, 0, Reason::Forecast, "a");
            (one.wake.serve_at, one.wake.probability) = (Some(t(serve_s)), Some(probability));
            board.put(one, t(100));
        }
        assert_eq!(order(&board), ["dev2", "dev1", "dev3"]);
    }

    #[test]
    fn who_has_many_in_progress_lets_others_go_first() {
        let mut board = Board::default();
        for n in 1..=3 {
            board.put(queued(n, 0, Reason::Forecast, "crowd"), t(1));
        }
        board.put(queued(4, 1, Reason::Forecast, "one"), t(1));
        let busy = |owner: &str| if owner == "crowd" { 2 } else { 0 };
        let next = board.next_of(&host(), busy, &BTreeSet::new()).expect("one");
        assert_eq!(next.wake.instance.as_str(), "dev4");
        assert_eq!(order(&board)[0], "dev1", "with nothing in progress the earliest goes first");
    }

    #[test]
    fn a_forecast_is_on_the_account_of_its_cohort_and_a_wish_on_that_of_who_has_it() {
        let owner =
            |reason| Queued { cohort: "dev".into(), ..queued(1, 0, reason, "ann") }.owner().to_owned();
        assert_eq!([Reason::Forecast, Reason::Operator, Reason::Demand].map(owner), ["dev", "ann", "ann"]);
    }

    #[test]
    fn fairness_looks_at_the_next_thirty_two_only() {
        let busy = |owner: &str| if owner == "crowd" { 2 } else { 0 };
        let next = |crowd: u8| {
            let mut board = Board::default();
            for n in 1..=crowd {
                board.put(queued(n, 0, Reason::Forecast, "crowd"), t(9));
            }
            board.put(queued(99, 1, Reason::Forecast, "one"), t(9));
            board.next_of(&host(), busy, &BTreeSet::new()).expect("one").wake.instance.to_string()
        };
        assert_eq!([31, 32].map(next), ["dev99", "dev1"]);
    }

    #[test]
    fn a_host_knows_how_many_are_ready_and_who_is_first() {
        let mut board = Board::default();
        for (n, due_s) in [(1, 5), (2, 3), (3, 500)] {
            board.put(queued(n, due_s, Reason::Forecast, "a"), t(100));
        }
        let id = |n| queued(n, 0, Reason::Forecast, "a").wake.id;
        assert!(!board.is_empty());
        assert_eq!(board.ids().collect::<Vec<_>>(), [1, 2, 3].map(id));
        let elsewhere = HostId::new("h2").expect("valid");
        assert_eq!((board.ready_on(&host()), board.ready_on(&elsewhere)), (2, 0));
        let first = |skipped: &[u8]| {
            let skipped = skipped.iter().copied().map(id).collect();
            board.first_rank(&host(), &skipped).map(|(.., id)| id)
        };
        assert_eq!([first(&[]), first(&[2]), first(&[1, 2])], [Some(id(2)), Some(id(1)), None]);
    }

    #[test]
    fn a_wake_becomes_ready_when_its_time_has_come() {
        let mut board = Board::default();
        board.put(queued(1, 50, Reason::Forecast, "a"), t(0));
        assert_eq!((order(&board).len(), board.next_due()), (0, Some(t(50))));
        assert!(board.ripen(t(49)).is_empty());
        assert_eq!(board.ripen(t(50)), [host()].into());
        assert_eq!((order(&board).len(), board.next_due()), (1, None));
    }

    #[test]
    fn whoever_asked_while_the_clock_was_ahead_does_not_wait_until_then() {
        let mut board = Board::default();
        board.put(queued(1, 3_600, Reason::Demand, "a"), t(0));
        assert_eq!(order(&board), ["dev1"]);
        // Refused by a host that was hot.
        let mut refused = queued(2, 0, Reason::Demand, "a");
        refused.wake.state = State::Queued { attempt: 2, failures: 0, not_before: t(30) };
        board.put(refused, t(0));
        assert_eq!(order(&board), ["dev1"], "it waits for its turn");
    }

    #[test]
    fn what_is_put_again_replaces_what_was_known_and_what_is_removed_leaves_nothing() {
        let mut board = Board::default();
        let one = queued(1, 50, Reason::Forecast, "a");
        board.put(one.clone(), t(0));
        let asked =
            Queued { wake: Wake { priority: Priority::Person, due_at: t(1), ..one.wake.clone() }, ..one };
        let asked = Queued {
            wake: Wake { state: State::Queued { attempt: 1, failures: 0, not_before: t(1) }, ..asked.wake },
            ..asked
        };
        board.put(asked.clone(), t(2));
        assert_eq!((board.len(), order(&board).len(), board.next_due()), (1, 1, None));
        board.remove(asked.wake.id);
        assert!(board.is_empty() && board.hosts().next().is_none() && board.ids().next().is_none());
    }

    #[test]
    fn an_instance_that_moved_is_tried_where_it_lives_now() {
        let mut board = Board::default();
        board.put(Queued { host: None, ..queued(1, 0, Reason::Demand, "a") }, t(1));
        assert!(board.hosts().next().is_none());
        let there = HostId::new("h2").expect("valid");
        board.rehome(&"dev1".parse().expect("valid"), &there, t(1));
        board.rehome(&"dev9".parse().expect("valid"), &there, t(1));
        assert_eq!(board.hosts().collect::<Vec<_>>(), [&there]);
    }
}
