//! Visits that are over become sightings again, so that what is learned from the store is what was seen live.

use jiff::{Timestamp, tz::TimeZone};

use super::profile::Profile;

/// Sightings that make one stay of a visit, in seconds since 1970: its arrival, its departure, and between them
/// as many as an idle gap needs not to split it.
pub fn sightings_of(arrived_s: i64, departed_s: i64, idle_gap_s: i64) -> impl Iterator<Item = i64> {
    let step_s = (idle_gap_s / 2).max(1);
    let last_s = departed_s.max(arrived_s);
    let before = std::iter::successors(Some(arrived_s), move |at_s| at_s.checked_add(step_s));
    before.take_while(move |at_s| *at_s < last_s).chain([last_s])
}

impl Profile {
    /// Takes a whole visit as one stay.
    pub fn relive(
        &mut self,
        arrived_at: Timestamp,
        departed_at: Timestamp,
        zone: &TimeZone,
        idle_gap_s: i64,
    ) {
        for at_s in sightings_of(arrived_at.as_second(), departed_at.as_second(), idle_gap_s) {
            let at = Timestamp::from_second(at_s).unwrap_or(departed_at);
            self.see(at, zone, idle_gap_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP_S: i64 = 7_200;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn a_long_visit_is_one_stay_on_all_its_days() {
        let mut profile = Profile::default();
        profile.relive(at("2026-03-02T09:00:00Z"), at("2026-03-04T17:00:00Z"), &TimeZone::UTC, GAP_S);
        assert_eq!(profile.stays().len(), 1);
        let stay = profile.stays().last().expect("one");
        assert_eq!(stay.end - stay.start, 4 * (24 + 24 + 8));
        let day = stay.start.div_euclid(96);
        assert_eq!(profile.days_before(day + 3), 0b111);
        assert_eq!(profile.last_seen(), Some(at("2026-03-04T17:00:00Z")));
    }

    #[test]
    fn two_visits_are_two_stays() {
        let mut profile = Profile::default();
        profile.relive(at("2026-03-02T09:00:00Z"), at("2026-03-02T09:00:00Z"), &TimeZone::UTC, GAP_S);
        profile.relive(at("2026-03-02T11:00:00Z"), at("2026-03-02T12:00:00Z"), &TimeZone::UTC, GAP_S);
        assert_eq!(profile.stays().len(), 2);
    }

    #[test]
    fn a_moment_is_one_sighting_and_none_is_farther_than_half_a_gap() {
        assert_eq!(sightings_of(100, 100, GAP_S).collect::<Vec<_>>(), [100]);
        assert_eq!(sightings_of(100, 90, GAP_S).collect::<Vec<_>>(), [100], "a departure before the arrival");
        assert_eq!(sightings_of(0, 8_000, GAP_S).collect::<Vec<_>>(), [0, 3_600, 7_200, 8_000]);
        assert_eq!(sightings_of(0, 3, 1).collect::<Vec<_>>(), [0, 1, 2, 3], "a gap of a second ends as well");
    }
}
