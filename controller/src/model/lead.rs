//! How long before an arrival a wake must start: the p90 of what wakes took until the instance served.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Lead time while too little is known, in seconds: the default of `model.lead_time_default_s`.
pub const LEAD_TIME_DEFAULT_S: u32 = 300;
/// No lead time is shorter, in seconds.
pub const LEAD_TIME_MIN_S: i64 = 30;
/// No lead time is longer, in seconds.
pub const LEAD_TIME_MAX_S: i64 = 3_600;
/// Wakes that must have served before their class, or the fleet, is believed.
pub const SAMPLES_MIN: usize = 10;

/// Lead times per host class, and of the whole fleet for classes with too few wakes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeadTimes {
    by_class: BTreeMap<String, Learned>,
    fleet: Option<Learned>,
}

/// One learned lead time and what it was learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    pub p90: SignedDuration,
    pub samples: usize,
}

impl LeadTimes {
    /// Learns from pairs of host class and time from a wake's call to its serving. Negative times, which only a
    /// clock that was set back can make, are left out.
    pub fn learn<C: AsRef<str>>(samples: impl Iterator<Item = (C, SignedDuration)>) -> Self {
        let mut by_class: BTreeMap<String, Vec<SignedDuration>> = BTreeMap::new();
        let mut fleet = Vec::new();
        for (class, took) in samples.filter(|(_, took)| !took.is_negative()) {
            fleet.push(took);
            match by_class.get_mut(class.as_ref()) {
                Some(known) => known.push(took),
                None => drop(by_class.insert(class.as_ref().to_owned(), vec![took])),
            }
        }
        let by_class =
            by_class.into_iter().filter_map(|(class, mut took)| Some((class, learned(&mut took)?))).collect();
        Self { by_class, fleet: learned(&mut fleet) }
    }

    /// The lead time for hosts of `class`, within 30 s and 1 h: its own p90, else the fleet's, else `default`.
    pub fn lead_time(&self, class: &str, default: SignedDuration) -> SignedDuration {
        let learned = self.by_class.get(class).or(self.fleet.as_ref()).map(|learned| learned.p90);
        learned
            .unwrap_or(default)
            .clamp(SignedDuration::from_secs(LEAD_TIME_MIN_S), SignedDuration::from_secs(LEAD_TIME_MAX_S))
    }

    /// Classes with enough wakes of their own, with their p90 before it is bounded.
    pub fn classes(&self) -> impl Iterator<Item = (&str, Learned)> {
        self.by_class.iter().map(|(class, learned)| (class.as_str(), *learned))
    }

    pub fn fleet(&self) -> Option<Learned> {
        self.fleet
    }
}

/// The p90 by nearest rank: the least value that at least 90 % of the samples do not exceed.
fn learned(took: &mut [SignedDuration]) -> Option<Learned> {
    let samples = took.len();
    if samples < SAMPLES_MIN {
        return None;
    }
    let rank = (samples * 9).div_ceil(10);
    let (_, p90, _) = took.select_nth_unstable(rank - 1);
    Some(Learned { p90: *p90, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(s: i64) -> SignedDuration {
        SignedDuration::from_secs(s)
    }

    fn learn(samples: &[(&str, std::ops::RangeInclusive<i64>)]) -> LeadTimes {
        let pairs = samples.iter().flat_map(|(class, range)| range.clone().map(move |s| (*class, secs(s))));
        LeadTimes::learn(pairs)
    }

    #[test]
    fn nine_wakes_teach_nothing_and_ten_do() {
        assert_eq!(learn(&[("m5", 101..=109)]).lead_time("m5", secs(300)), secs(300));
        assert_eq!(learn(&[("m5", 101..=110)]).lead_time("m5", secs(300)), secs(109));
        assert_eq!(learn(&[("m5", 101..=111)]).lead_time("m5", secs(300)), secs(110));
        assert_eq!(learn(&[("m5", 101..=200)]).lead_time("m5", secs(300)), secs(190));
    }

    #[test]
    fn a_class_with_few_wakes_takes_the_fleets() {
        let times = learn(&[("m5", 101..=110), ("c5", 401..=409)]);
        assert_eq!(times.lead_time("m5", secs(300)), secs(109));
        assert_eq!(times.lead_time("c5", secs(300)), secs(408), "18th of 19");
        assert_eq!(times.lead_time("never seen", secs(300)), secs(408));
        assert_eq!(times.classes().map(|(class, _)| class).collect::<Vec<_>>(), ["m5"]);
    }

    #[test]
    fn lead_times_are_bounded_and_negative_ones_left_out() {
        assert_eq!(learn(&[("m5", 1..=20)]).lead_time("m5", secs(300)), secs(30));
        assert_eq!(learn(&[("m5", 5_000..=5_020)]).lead_time("m5", secs(300)), secs(3_600));
        assert_eq!(learn(&[("m5", -20..=-1)]).lead_time("m5", secs(300)), secs(300));
    }

    #[test]
    fn the_fleet_has_the_lead_time_of_all() {
        let times = learn(&[("m5", 101..=110), ("c5", 401..=409)]);
        assert_eq!(times.fleet(), Some(Learned { p90: secs(408), samples: 19 }));
        assert_eq!(times.classes().collect::<Vec<_>>(), [("m5", Learned { p90: secs(109), samples: 10 })]);
        assert_eq!(learn(&[("m5", 101..=109)]).fleet(), None);
    }
}
