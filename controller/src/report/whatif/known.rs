//! What is known of one instance by now.

use super::story::{Story, instant};
use crate::model::{Moment, Profile};

/// As much as there was to see.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) profile: Profile,
    /// Sightings taken.
    seen: usize,
    last_seen_s: Option<i64>,
}

impl Known {
    /// Takes the sightings up to `now_s`.
    pub(super) fn catch_up(&mut self, story: &Story, now_s: i64, idle_gap_s: i64) {
        while let Some(at_s) = story.sighting_s(self.seen).filter(|at_s| *at_s <= now_s) {
            self.profile.see(instant(at_s), &story.zone, idle_gap_s);
            self.last_seen_s = Some(at_s);
            self.seen += 1;
        }
    }

    /// Whether the platform has hibernated it, unless a wake holds it up.
    pub(super) fn sleeps(&self, now_s: i64, idle_gap_s: i64) -> bool {
        self.last_seen_s.is_none_or(|at_s| now_s >= at_s + idle_gap_s)
    }
}

/// What the clock of the instance shows at `at_s`.
pub(super) fn moment(story: &Story, at_s: i64) -> Moment {
    Moment::new(instant(at_s), &story.zone)
}

#[cfg(test)]
mod tests {
    use jiff::tz::{Offset, TimeZone};
    use reveille_proto::InstanceId;

    use super::*;
    use crate::visits::Visit;

    fn story() -> Story {
        let instance = InstanceId::new("dev1").expect("an id");
        let visit = |arrived_s, departed_s| Visit {
            instance: instance.clone(),
            arrived_at: instant(arrived_s),
            departed_at: instant(departed_s),
            asked_at: None,
        };
        // Seen at its start, and at its end.
        let visits = vec![visit(10_000, 13_000), visit(50_000, 50_000)];
        let mut story = Story::new(instance, visits, 7_200);
        story.zone = TimeZone::fixed(Offset::constant(2));
        story
    }

    #[test]
    fn nothing_is_known_before_it_was_seen() {
        let (story, mut known) = (story(), Known::default());
        known.catch_up(&story, 9_999, 7_200);
        assert_eq!((known.seen, known.last_seen_s), (0, None));
        assert!(known.sleeps(9_999, 7_200));
        known.catch_up(&story, 10_000, 7_200);
        assert_eq!((known.seen, known.last_seen_s), (1, Some(10_000)));
        known.catch_up(&story, 49_999, 7_200);
        assert_eq!((known.seen, known.last_seen_s), (2, Some(13_000)));
        assert_eq!([13_000, 20_199, 20_200].map(|now_s| known.sleeps(now_s, 7_200)), [false, false, true]);
        known.catch_up(&story, 60_000, 7_200);
        assert_eq!((known.seen, known.last_seen_s), (3, Some(50_000)));
        assert_eq!(known.profile.first_day(), Some(0));
    }

    #[test]
    fn a_moment_is_of_the_instances_own_clock() {
        // 22:00 in UTC is midnight there.
        assert_eq!(moment(&story(), 22 * 3_600), Moment::of_second(22 * 3_600, 7_200));
        assert_eq!((moment(&story(), 22 * 3_600).day(), moment(&story(), 22 * 3_600 - 1).day()), (1, 0));
    }
}
