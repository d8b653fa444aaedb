//! Mines co-visits from arrivals as they happen, and says who usually follows one that just did.

use std::collections::{BTreeMap, VecDeque};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;

use super::{
    partners::Partners,
    rhythm::Rhythm,
    rule::{Association, CovisitRule},
};
use crate::model::calendar::{hour_start, local_hour};

/// What was learned of who follows whom. It knows only the arrivals it was told.
///
/// Each instance takes about 250 bytes and 32 for each of at most `partners_max` partners. An arrival costs at most
/// `waiting_max * partners_max` looks at a partner, whatever the size of the fleet.
#[derive(Debug, Clone)]
pub struct Covisits {
    rule: CovisitRule,
    nodes: IndexMap<InstanceId, Node>,
    groups: BTreeMap<String, Group>,
}

#[derive(Debug, Clone)]
struct Node {
    rhythm: Rhythm,
    partners: Partners,
    last_at: Timestamp,
    /// The arrival that followers are waited for.
    waits_since: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Group {
    /// Arrivals waited upon, oldest first.
    waiting: VecDeque<(Timestamp, u32)>,
    latest: Timestamp,
}

/// An instance that usually follows, with how likely and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Triggered<'a> {
    pub instance: &'a InstanceId,
    /// That it arrives within the rule's span after the arrival that triggered it.
    pub probability: f64,
    pub rule: Association,
    /// Until when it is to be expected.
    pub until: Timestamp,
}

impl Covisits {
    pub fn new(rule: CovisitRule) -> Self {
        Self { rule, nodes: IndexMap::new(), groups: BTreeMap::new() }
    }

    /// An arrival of `instance` in `zone`. Within a `group`, such as a cohort or a host, arrivals must come in the
    /// order of time; an earlier one than the latest is left out. Gives back how many partners were looked at.
    pub fn arrive(&mut self, instance: &InstanceId, group: &str, at: Timestamp, zone: &TimeZone) -> usize {
        let room = self.groups.remove_entry(group);
        let (name, mut room) = room.unwrap_or_else(|| (group.to_owned(), Group::empty()));
        let mut looks = 0;
        if at >= room.latest {
            room.latest = at;
            looks = self.close(&mut room, at);
            let arrived = self.node(instance, at, zone);
            looks += self.followed(&room, arrived, at);
            looks += self.begin(&mut room, arrived, at, zone);
        }
        self.groups.insert(name, room);
        looks
    }

    /// Who usually follows `just_arrived`, as long as `now` is within the span after its last arrival: the rules that
    /// are good enough, in no particular order. Whether they are awake already is for the caller to know.
    pub fn triggered(
        &self,
        just_arrived: &InstanceId,
        now: Timestamp,
    ) -> impl Iterator<Item = Triggered<'_>> {
        let node = self
            .nodes
            .get(just_arrived)
            .filter(|node| node.last_at <= now && now <= self.end_of(node.last_at));
        node.into_iter().flat_map(move |node| {
            let until = self.end_of(node.last_at);
            self.rules_of(node).filter(|(_, rule)| rule.is_used(&self.rule)).map(move |(instance, rule)| {
                Triggered { instance, probability: rule.probability(), rule, until }
            })
        })
    }

    /// Every rule that is counted, good enough or not: who arrives first, who follows, and how often.
    pub fn associations(&self) -> impl Iterator<Item = (&InstanceId, &InstanceId, Association)> {
        self.nodes
            .iter()
            .flat_map(|(first, node)| self.rules_of(node).map(move |(then, rule)| (first, then, rule)))
    }

    /// The thresholds rules are held against.
    pub fn rule(&self) -> &CovisitRule {
        &self.rule
    }

    fn rules_of<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = (&'a InstanceId, Association)> {
        let named = |index: u32| self.nodes.get_index(index as usize).map(|(instance, _)| instance);
        node.partners.iter().filter_map(move |partner| Some((named(partner.index)?, partner.association())))
    }

    fn end_of(&self, from: Timestamp) -> Timestamp {
        from.saturating_add(SignedDuration::from_secs(self.rule.within_s.into())).unwrap_or(Timestamp::MAX)
    }

    /// Counts what followed the arrivals whose span is over.
    fn close(&mut self, room: &mut Group, now: Timestamp) -> usize {
        let mut looks = 0;
        while let Some((since, index)) =
            room.waiting.front().copied().filter(|(since, _)| self.end_of(*since) < now)
        {
            room.waiting.pop_front();
            looks += self.end_wait(index, since, Partners::settle);
        }
        looks
    }

    /// Ends the wait upon an arrival that is still waited upon.
    fn end_wait(&mut self, index: u32, since: Timestamp, how: impl Fn(&mut Partners)) -> usize {
        let Some((_, node)) = self.nodes.get_index_mut(index as usize) else { return 0 };
        if node.waits_since != Some(since) {
            return 0;
        }
        node.waits_since = None;
        how(&mut node.partners);
        node.partners.iter().len()
    }

    /// The index of an instance, whose rhythm counts the arrival.
    fn node(&mut self, instance: &InstanceId, at: Timestamp, zone: &TimeZone) -> u32 {
        let hour = local_hour(zone, at);
        let index = self.nodes.get_index_of(instance).unwrap_or_else(|| {
            let rhythm = Rhythm::new(hour.day);
            let node =
                Node { rhythm, partners: Partners::default(), last_at: Timestamp::MIN, waits_since: None };
            self.nodes.insert_full(instance.clone(), node).0
        });
        self.nodes[index].rhythm.arrive(i64::from(hour.day) * 24 + i64::from(hour.hour));
        index as u32
    }

    /// `arrived` follows every arrival waited upon that it has not followed yet.
    fn followed(&mut self, room: &Group, arrived: u32, at: Timestamp) -> usize {
        let before = std::mem::replace(&mut self.nodes[arrived as usize].last_at, at);
        let mut looks = 0;
        for (since, index) in
            room.waiting.iter().filter(|(since, index)| *index != arrived && before <= *since)
        {
            let node = &mut self.nodes[*index as usize];
            if node.waits_since == Some(*since) {
                looks += node.partners.iter().len().max(1);
                node.partners.follow(arrived, self.rule.partners_max.into());
            }
        }
        looks
    }

    /// Followers of this arrival are waited for, unless those of an earlier one still are.
    fn begin(&mut self, room: &mut Group, arrived: u32, at: Timestamp, zone: &TimeZone) -> usize {
        if self.nodes[arrived as usize].waits_since.is_some() {
            return 0;
        }
        if room.waiting.len() >= usize::from(self.rule.waiting_max.max(1)) {
            let oldest = room.waiting.pop_front();
            oldest.map(|(since, index)| self.end_wait(index, since, Partners::give_up));
        }
        room.waiting.push_back((at, arrived));
        let hour = local_hour(zone, at);
        let hour_index = i64::from(hour.day) * 24 + i64::from(hour.hour);
        let span_s = self.end_of(at).duration_since(hour_start(zone, at)).as_secs();
        let hours = span_s.div_euclid(3_600) + 1;
        let mut partners = std::mem::take(&mut self.nodes[arrived as usize].partners);
        partners.begin(|index| self.nodes[index as usize].rhythm.expected(hour_index, hours));
        let looks = partners.iter().len();
        let node = &mut self.nodes[arrived as usize];
        (node.partners, node.waits_since) = (partners, Some(at));
        looks
    }
}

impl Group {
    fn empty() -> Self {
        Self { waiting: VecDeque::new(), latest: Timestamp::MIN }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    fn id(name: &str) -> InstanceId {
        InstanceId::new(name).expect("an id")
    }

    fn start() -> Timestamp {
        "2026-03-02T00:00:00Z".parse().expect("a timestamp")
    }

    /// Arrivals in minutes since the start, told in order of time.
    fn mine(mut arrivals: Vec<(i64, &str)>, rule: CovisitRule) -> (Covisits, usize) {
        arrivals.sort_unstable();
        let mut covisits = Covisits::new(rule);
        let looks = arrivals
            .iter()
            .map(|(minute, name)| {
                covisits.arrive(
                    &id(name),
                    "dev",
                    start() + SignedDuration::from_mins(*minute),
                    &TimeZone::UTC,
                )
            })
            .sum();
        (covisits, looks)
    }

    fn used(covisits: &Covisits) -> Vec<(String, String)> {
        let good = covisits.associations().filter(|(_, _, rule)| rule.is_used(covisits.rule()));
        good.map(|(first, then, _)| (first.to_string(), then.to_string())).collect()
    }

    const DAY: i64 = 24 * 60;

    /// For 60 days: `a` at some hour of the day, `b` 5 to 30 minutes later on nine of ten days, and `others` each at
    /// an hour of their own choosing.
    fn planted(others: &[&'static str], seed: u64) -> Vec<(i64, &'static str)> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut arrivals = Vec::new();
        for day in 0..60 {
            let a = day * DAY + rng.random_range(7 * 60..19 * 60);
            arrivals.push((a, "a"));
            if rng.random_range(0..10) > 0 {
                arrivals.push((a + rng.random_range(5..30), "b"));
            }
            for other in others {
                arrivals.push((day * DAY + rng.random_range(7 * 60..19 * 60), other));
            }
        }
        arrivals
    }

    #[test]
    fn a_planted_pair_is_found_and_nothing_else() {
        for seed in 0..5 {
            let others = ["c", "d", "e", "f", "g", "h", "i", "j"];
            let (covisits, _) = mine(planted(&others, seed), CovisitRule::default());
            assert_eq!(used(&covisits), [("a".to_owned(), "b".to_owned())], "seed {seed}");
        }
    }

    #[test]
    fn people_of_the_same_hours_do_not_follow_each_other() {
        // All between 08:50 and 09:40 of every workday, each for themselves.
        let mut rng = StdRng::seed_from_u64(7);
        let names = ["a", "b", "c", "d", "e", "f"];
        let days = (0..80).filter(|day| day % 7 < 5);
        let all = days.flat_map(|day| names.map(|name| (day, name)));
        let arrivals = all.map(|(day, name)| (day * DAY + rng.random_range(530..580), name)).collect();
        let (covisits, _) = mine(arrivals, CovisitRule::default());
        assert_eq!(used(&covisits), []);
    }

    #[test]
    fn an_arrival_triggers_who_follows_for_as_long_as_they_may() {
        let (mut covisits, _) = mine(planted(&[], 1), CovisitRule::default());
        let at = start() + SignedDuration::from_hours(24 * 61 + 12);
        let follow = |covisits: &Covisits, at| {
            covisits.triggered(&id("a"), at).map(|t| t.instance.to_string()).collect::<Vec<_>>()
        };
        assert!(follow(&covisits, at).is_empty(), "a has not arrived");
        covisits.arrive(&id("a"), "dev", at, &TimeZone::UTC);
        let triggered = covisits.triggered(&id("a"), at).next().expect("b follows");
        assert_eq!((triggered.instance, triggered.until), (&id("b"), at + SignedDuration::from_mins(40)));
        assert!((0.75..1.0).contains(&triggered.probability), "{triggered:?}");
        assert!(triggered.rule.lift() > 2.0);
        assert_eq!(follow(&covisits, at + SignedDuration::from_mins(40)), ["b"]);
        assert!(follow(&covisits, at + SignedDuration::from_mins(41)).is_empty(), "too late");
        assert!(follow(&covisits, at - SignedDuration::from_mins(1)).is_empty(), "before it arrived");
        assert_eq!(covisits.triggered(&id("b"), at).count(), 0, "not the other way round");
        assert_eq!(covisits.triggered(&id("nobody"), at).count(), 0);
    }

    #[test]
    fn what_comes_later_changes_nothing_said_before() {
        let mut arrivals = planted(&["c"], 3);
        arrivals.sort_unstable();
        let half = arrivals.len() / 2;
        let (before, _) = mine(arrivals[..half].to_vec(), CovisitRule::default());
        let mut online = Covisits::new(CovisitRule::default());
        for (i, (minute, name)) in arrivals.iter().enumerate() {
            if i == half {
                let said: Vec<_> = online.associations().collect();
                assert_eq!(said, before.associations().collect::<Vec<_>>());
            }
            online.arrive(&id(name), "dev", start() + SignedDuration::from_mins(*minute), &TimeZone::UTC);
        }
        // The last arrival of `a` waits for its followers: whether there are any does not count yet.
        let count =
            |covisits: &Covisits| covisits.associations().map(|(_, _, rule)| rule.arrivals).sum::<f64>();
        let told = count(&online);
        let late = start() + SignedDuration::from_hours(24 * 62);
        online.arrive(&id("a"), "dev", late, &TimeZone::UTC);
        let settled = count(&online);
        assert!(settled >= told);
        online.arrive(&id("z"), "dev", late + SignedDuration::from_mins(1), &TimeZone::UTC);
        assert!((count(&online) - settled).abs() < 1e-9, "nothing is judged before its time is over");
        assert_eq!(
            online.arrive(&id("b"), "dev", late - SignedDuration::from_mins(1), &TimeZone::UTC),
            0,
            "out of order"
        );
    }

    #[test]
    fn groups_do_not_mix() {
        let mut covisits = Covisits::new(CovisitRule::default());
        let mut arrivals = planted(&[], 1);
        arrivals.sort_unstable();
        for (minute, name) in arrivals {
            let group = if name == "a" { "dev" } else { "ops" };
            covisits.arrive(&id(name), group, start() + SignedDuration::from_mins(minute), &TimeZone::UTC);
        }
        assert_eq!(covisits.associations().count(), 0);
    }

    #[test]
    fn memory_is_bounded_and_the_cost_is_linear() {
        let rule = CovisitRule { partners_max: 4, waiting_max: 16, ..CovisitRule::default() };
        let names: Vec<&'static str> =
            (0..200).map(|i| &*Box::leak(format!("dev{i}").into_boxed_str())).collect();
        let busy = |days: i64| {
            let mut rng = StdRng::seed_from_u64(5);
            let all = (0..days).flat_map(|day| names.iter().map(move |name| (day, *name)));
            all.map(|(day, name)| (day * DAY + rng.random_range(480..600), name)).collect::<Vec<_>>()
        };
        let (few, many) = (busy(10), busy(40));
        let (arrivals_few, arrivals_many) = (few.len(), many.len());
        let (covisits, looks_few) = mine(few, rule);
        assert!(covisits.associations().count() <= 200 * 4);
        let (covisits, looks_many) = mine(many, rule);
        assert!(covisits.associations().count() <= 200 * 4);
        assert!(covisits.groups["dev"].waiting.len() <= 16);
        // 16 waited upon with 4 partners each, 4 of its own, and those whose span ends.
        assert!(looks_few <= arrivals_few * (16 * 4 + 4 + 4), "{looks_few}");
        assert!(looks_many <= arrivals_many * (16 * 4 + 4 + 4), "{looks_many}");
        let ratio = (looks_many as f64 / arrivals_many as f64) / (looks_few as f64 / arrivals_few as f64);
        assert!((0.8..1.25).contains(&ratio), "the cost of an arrival does not grow: {ratio}");
    }

    #[test]
    fn an_arrival_looks_at_those_that_wait_and_at_its_own_partners() {
        let mut covisits = Covisits::new(CovisitRule::default());
        // Minutes after nine, and the looks at a partner: at least one for each arrival that is followed.
        for (minute, name, looks) in [
            (0, "a", 0),
            (10, "b", 1),  // follows a
            (20, "a", 1),  // follows b; the arrival before is still waited upon
            (30, "b", 0),  // has followed already
            (60, "b", 3),  // the spans of a and b end, with a partner each; b begins to wait with its own
            (61, "c", 1),  // follows b
            (100, "d", 3), // follows b, just in time, which has two partners, and c, which has none
        ] {
            let at = start() + SignedDuration::from_mins(9 * 60 + minute);
            assert_eq!(covisits.arrive(&id(name), "dev", at, &TimeZone::UTC), looks, "{name} at {minute}");
        }
        covisits.arrive(&id("e"), "dev", start() + SignedDuration::from_hours(12), &TimeZone::UTC);
        let found: Vec<_> = covisits
            .associations()
            .map(|(first, then, rule)| (first.to_string() + then.as_str(), rule.followed, rule.arrivals))
            .collect();
        let expected =
            [("ab", 0.0, 0.0), ("ba", 0.0, 1.0), ("bc", 0.0, 0.0), ("bd", 0.0, 0.0), ("cd", 0.0, 0.0)];
        assert_eq!(found, expected.map(|(names, followed, arrivals)| (names.to_owned(), followed, arrivals)));
        // From ten until twenty to eleven a is expected by its hours: it came once, at nine.
        let (_, _, rule) = covisits.associations().nth(1).expect("b and a");
        assert!((rule.expected - 1.0 / 168.0).abs() < 1e-6, "{rule:?}");
    }

    #[test]
    fn what_was_expected_of_a_partner_is_what_it_does_in_the_hours_of_the_span() {
        // A comes at nine and waits at ten to ten again, when b is its partner: until half past ten, two hours count.
        let at = |minute: i64| start() + SignedDuration::from_mins(9 * 60 + minute);
        let mut covisits = Covisits::new(CovisitRule::default());
        for (minute, name) in [(0, "a"), (5, "b"), (50, "a"), (120, "c")] {
            covisits.arrive(&id(name), "dev", at(minute), &TimeZone::UTC);
        }
        let (_, _, rule) = covisits.associations().next().expect("a and b");
        assert_eq!((rule.followed, rule.arrivals), (0.0, 1.0));
        // Of one week and one more, with two arrivals in 168 hours: 1/2 + 1/168 at nine, 1/168 at ten.
        assert!((rule.expected - 0.5 - 2.0 / 168.0).abs() < 1e-6, "{rule:?}");
    }

    #[test]
    fn where_too_many_wait_the_oldest_is_given_up() {
        let rule = CovisitRule { waiting_max: 2, ..CovisitRule::default() };
        let (covisits, _) = mine(vec![(0, "a"), (1, "b"), (2, "c"), (3, "d")], rule);
        let waiting: Vec<_> = covisits.groups["dev"].waiting.iter().map(|(_, index)| *index).collect();
        assert_eq!(waiting, [2, 3]);
        let waits: Vec<_> = covisits.nodes.values().map(|node| node.waits_since.is_some()).collect();
        assert_eq!(waits, [false, false, true, true]);
        let followers: Vec<_> = covisits.nodes.values().map(|node| node.partners.iter().len()).collect();
        assert_eq!(followers, [2, 2, 1, 0], "b and c after a, c and d after b");
    }
}
