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
