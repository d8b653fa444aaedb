//! The profiles of a fleet: one after the other in memory, found by the instance's name.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;

use super::{profile::Profile, relive::sightings_of};
use crate::visits::Visit;

/// A clock of the log may be ahead of ours by so much; what is later is not believed.
pub const AHEAD_MAX_S: i64 = 300;

/// Profiles with the zones they were learned in.
#[derive(Debug, Clone, Default)]
pub struct Profiles {
    index: BTreeMap<InstanceId, u32>,
    all: Vec<Profile>,
    zones: Vec<TimeZone>,
}

impl Profiles {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes a profile in the place of the one there was.
    pub fn insert(&mut self, instance: InstanceId, profile: Profile, zone: TimeZone) {
        if let Some(at) = self.index.get(&instance) {
            self.all[*at as usize] = profile;
            self.zones[*at as usize] = zone;
            return;
        }
        self.index.insert(instance, self.all.len() as u32);
        self.all.push(profile);
        self.zones.push(zone);
    }

    pub fn get(&self, instance: &InstanceId) -> Option<(&Profile, &TimeZone)> {
        let at = *self.index.get(instance)? as usize;
        Some((&self.all[at], &self.zones[at]))
    }

    /// In order of instance, from the one after `after` on.
    pub fn after<'a>(
        &'a self,
        after: Option<&InstanceId>,
    ) -> impl Iterator<Item = (&'a InstanceId, &'a Profile, &'a TimeZone)> + use<'a> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
        let found = self.index.range((from, Bound::Unbounded));
        found.map(|(instance, at)| (instance, &self.all[*at as usize], &self.zones[*at as usize]))
    }

    /// Takes a sighting; an instance not known yet lives in `zone`. False when it is of a time that has not come
    /// yet by more than [`AHEAD_MAX_S`], which is not believed.
    pub fn see(
        &mut self,
        instance: &InstanceId,
        at: Timestamp,
        now: Timestamp,
        idle_gap_s: i64,
        zone: impl FnOnce() -> TimeZone,
    ) -> bool {
        if at.as_second() > now.as_second() + AHEAD_MAX_S {
            return false;
        }
        if !self.index.contains_key(instance) {
            self.insert(instance.clone(), Profile::default(), zone());
        }
        if let Some(at_index) = self.index.get(instance).map(|index| *index as usize) {
            self.all[at_index].see(at, &self.zones[at_index], idle_gap_s);
        }
        true
    }

    /// Takes a whole visit, whatever of it was known before.
    pub fn relive(
        &mut self,
        visit: &Visit,
        now: Timestamp,
        idle_gap_s: i64,
        zone: impl FnOnce() -> TimeZone,
    ) {
        let mut zone = Some(zone);
        let (arrived_s, departed_s) = (visit.arrived_at.as_second(), visit.departed_at.as_second());
        for at_s in sightings_of(arrived_s, departed_s, idle_gap_s) {
            let Ok(at) = Timestamp::from_second(at_s) else { return };
            // What comes after one that is not believed is of a time still farther ahead.
            if !self.see(&visit.instance, at, now, idle_gap_s, || {
                zone.take().map_or(TimeZone::UTC, |zone| zone())
            }) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    fn dev(n: u32) -> InstanceId {
        InstanceId::new(format!("dev{n}")).expect("an id")
    }

    #[test]
    fn a_visit_told_twice_is_one_stay() {
        let visit = Visit {
            instance: dev(1),
            arrived_at: at("2026-03-02T08:05:00Z"),
            departed_at: at("2026-03-02T17:40:00Z"),
            asked_at: None,
        };
        let mut profiles = Profiles::default();
        for _ in 0..2 {
            profiles.relive(&visit, at("2026-03-03T00:00:00Z"), 7_200, || TimeZone::UTC);
        }
        let (profile, _) = profiles.get(&dev(1)).expect("is known");
        let stays: Vec<_> = profile.stays().iter().map(|stay| stay.end - stay.start).collect();
        assert_eq!(stays, [38]);
    }

    #[test]
    fn what_has_not_happened_yet_is_not_believed() {
        let mut profiles = Profiles::default();
        let now = at("2026-03-02T08:00:00Z");
        assert!(!profiles.see(&dev(1), at("2027-03-02T08:00:00Z"), now, 7_200, || TimeZone::UTC));
        assert!(profiles.is_empty());
        assert!(profiles.see(&dev(1), at("2026-03-02T08:04:00Z"), now, 7_200, || TimeZone::UTC));
    }

    #[test]
    fn profiles_are_paged_in_order_whenever_they_came() {
        let mut profiles = Profiles::default();
        for n in [3, 1, 2] {
            profiles.insert(dev(n), Profile::default(), TimeZone::UTC);
        }
        let after: Vec<_> =
            profiles.after(Some(&dev(1))).map(|(instance, ..)| instance.to_string()).collect();
        assert_eq!(after, ["dev2", "dev3"]);
        assert_eq!(profiles.after(None).count(), 3);
    }

    #[test]
    fn a_profile_that_is_put_in_takes_the_place_of_the_one_there_was() {
        let mut profiles = Profiles::default();
        profiles.insert(dev(1), Profile::default(), TimeZone::UTC);
        profiles.insert(dev(2), Profile::default(), TimeZone::UTC);
        let mut seen = Profile::default();
        seen.see_second(1_772_528_400, 0, 7_200);
        let berlin = TimeZone::get("Europe/Berlin").expect("a known zone");
        profiles.insert(dev(1), seen.clone(), berlin.clone());
        assert_eq!(profiles.get(&dev(1)), Some((&seen, &berlin)));
        assert_eq!((profiles.len(), profiles.is_empty()), (2, false));
        assert_eq!(profiles.get(&dev(3)), None);
    }

    #[test]
    fn a_clock_may_be_ahead_by_five_minutes() {
        let mut profiles = Profiles::default();
        let now = at("2026-03-02T08:00:00Z");
        assert!(profiles.see(&dev(1), at("2026-03-02T08:05:00Z"), now, 7_200, || TimeZone::UTC));
        assert!(!profiles.see(&dev(1), at("2026-03-02T08:05:01Z"), now, 7_200, || TimeZone::UTC));
        let (profile, _) = profiles.get(&dev(1)).expect("is known");
        assert_eq!(profile.last_seen(), Some(at("2026-03-02T08:05:00Z")));
        // Of a visit that is not over, what has been is known.
        let visit = Visit {
            instance: dev(2),
            arrived_at: at("2026-03-02T06:00:00Z"),
            departed_at: at("2026-03-02T09:00:00Z"),
            asked_at: None,
        };
        profiles.relive(&visit, now, 7_200, || TimeZone::UTC);
        let (profile, _) = profiles.get(&dev(2)).expect("is known");
        assert_eq!(profile.last_seen(), Some(at("2026-03-02T08:00:00Z")));
    }
}
