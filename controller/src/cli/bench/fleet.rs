//! A made-up fleet of people who come as people do: on working days, about their own hour, in their own zone.

use jiff::{Timestamp, tz::TimeZone};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reveille_proto::InstanceId;

use crate::model::Profile;

/// Where people live, the more often named the more of them.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "America/Los_Angeles",
    "America/New_York",
    "Australia/Sydney",
];

/// Stays of an instance, about; who comes rarely has known the platform for longer.
const STAYS: f64 = 60.0;
const DAYS_MAX: i64 = 400;
const DAY_S: i64 = 86_400;

/// Idle time after which an instance hibernates.
pub(super) const IDLE_GAP_S: i64 = 7_200;

/// Tuesday 2026-03-03 08:30 UTC: Europe is at work or about to, India at lunch, America asleep.
pub(super) const NOW_S: i64 = 1_772_526_600;

/// Instances with their profiles, in order of instance.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    pub(super) instances: Vec<InstanceId>,
    pub(super) profiles: Vec<Profile>,
    /// Places in `zones`.
    pub(super) zone_of: Vec<u8>,
    pub(super) zones: Vec<TimeZone>,
    /// What the clocks of each zone are ahead of UTC.
    pub(super) offsets_s: Vec<i32>,
}

/// How one person comes.
struct Person {
    /// Share of the working days with a visit, and of the others.
    working: f64,
    resting: f64,
    /// Local second of the day the first visit is about.
    start_s: f64,
    /// How much that varies, in seconds.
    spread_s: f64,
    /// Share of the days with a second and a third visit.
    again: f64,
}

impl Fleet {
    /// The same seed makes the same fleet, and a smaller one is the beginning of a larger one.
    pub(super) fn new(count: usize, seed: u64, mut progress: impl FnMut(usize)) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let zones: Vec<_> = ZONES.iter().map(|name| TimeZone::get(name).unwrap_or(TimeZone::UTC)).collect();
        let offsets_s = zones.iter().map(|zone| zone.to_offset(now()).seconds()).collect();
        let mut fleet = Self {
            instances: Vec::with_capacity(count),
            profiles: Vec::with_capacity(count),
            zone_of: Vec::with_capacity(count),
            zones,
            offsets_s,
        };
        for n in 0..count {
            let zone = rng.random_range(0..ZONES.len());
            let profile = Person::draw(&mut rng).live(fleet.offsets_s[zone], &mut rng);
            fleet
                .instances
                .push(InstanceId::new(format!("dev{n:07}")).unwrap_or_else(|_| unreachable!("an id")));
            fleet.profiles.push(profile);
            fleet.zone_of.push(zone as u8);
            if n % 10_000 == 0 {
                progress(n);
            }
        }
        fleet
    }

    pub(super) fn len(&self) -> usize {
        self.profiles.len()
    }

    pub(super) fn is_awake(&self, index: usize) -> bool {
        self.profiles[index].last_seen().is_some_and(|seen| seen.as_second() + IDLE_GAP_S > NOW_S)
    }

    /// In order of instance, from the place `from` on.
    pub(super) fn from(&self, from: usize) -> impl Iterator<Item = (&InstanceId, &Profile, &TimeZone)> {
        let zones = self.zone_of[from..].iter().map(|zone| &self.zones[usize::from(*zone)]);
        self.instances[from..].iter().zip(&self.profiles[from..]).zip(zones).map(|((i, p), z)| (i, p, z))
    }
}

/// The moment of planning.
pub(super) fn now() -> Timestamp {
    Timestamp::constant(NOW_S, 0)
}

impl Person {
    fn draw(rng: &mut StdRng) -> Self {
        // Few come daily, many now and then.
        let working = 0.04 + 0.9 * rng.random::<f64>().powi(2);
        Self {
            working,
            resting: working * if rng.random_bool(0.1) { 0.8 } else { 0.08 },
            start_s: 3_600.0 * (9.5 + bell(rng) * 1.5),
            spread_s: 600.0 + 7_200.0 * rng.random::<f64>(),
            again: 0.7 * rng.random::<f64>(),
        }
    }

    /// The past up to now.
    fn live(&self, offset_s: i32, rng: &mut StdRng) -> Profile {
        let per_week = (5.0 * self.working + 2.0 * self.resting) * (1.0 + 1.5 * self.again);
        let days = ((STAYS * 7.0 / per_week) as i64).clamp(14, DAYS_MAX);
        let today = (NOW_S + i64::from(offset_s)).div_euclid(DAY_S);
        let mut profile = Profile::default();
        for day in today - days..=today {
            // 1970-01-01 was a Thursday.
            let rests = (day + 3).rem_euclid(7) >= 5;
            if !rng.random_bool(if rests { self.resting } else { self.working }) {
                continue;
            }
            let mut at_s = day * DAY_S + (self.start_s + self.spread_s * bell(rng)) as i64;
            for visit in 0..3 {
                if visit > 0 && !rng.random_bool(self.again) {
                    break;
                }
                let until_s = at_s + rng.random_range(300..9_000);
                stay(&mut profile, at_s, until_s, offset_s);
                at_s = until_s + IDLE_GAP_S + rng.random_range(0..7_200);
            }
        }
        profile
    }
}

/// From one local second to another, as far as it has happened by now.
fn stay(profile: &mut Profile, mut at_s: i64, until_s: i64, offset_s: i32) {
    while at_s < until_s && at_s - i64::from(offset_s) <= NOW_S {
        profile.see_second(at_s - i64::from(offset_s), offset_s, IDLE_GAP_S);
        at_s += IDLE_GAP_S / 2;
    }
}

/// About normal, with a variance of 1 and nothing beyond 3.5.
fn bell(rng: &mut StdRng) -> f64 {
    let sum: f64 = (0..4).map(|_| rng.random::<f64>()).sum();
    (sum - 2.0) * 3f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_have_about_sixty_stays_and_a_zone() {
        let fleet = Fleet::new(400, 7, |_| {});
        let stays: usize = fleet.profiles.iter().map(|profile| profile.stays().len()).sum();
        assert!((40..80).contains(&(stays / 400)), "{}", stays / 400);
        let awake = (0..400).filter(|index| fleet.is_awake(*index)).count();
        assert!((10..200).contains(&awake), "{awake}");
        assert!(fleet.profiles.iter().all(|p| p.last_seen().is_none_or(|seen| seen <= now())));
        assert!(fleet.offsets_s.iter().any(|offset| *offset != 0));
        assert!(fleet.instances.is_sorted());
    }

    #[test]
    fn a_smaller_fleet_is_the_beginning_of_a_larger_one() {
        let (small, large) = (Fleet::new(20, 7, |_| {}), Fleet::new(30, 7, |_| {}));
        assert_eq!(small.profiles[..], large.profiles[..20]);
        assert_ne!(Fleet::new(20, 8, |_| {}).profiles, small.profiles);
        assert_eq!(large.from(28).count(), 2);
    }
}
