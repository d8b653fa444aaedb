//! When a new quota is worth its write.
//!
//! At each write the kernel fills the quota up anew, and who has used it up gets that much on top: with three periods in a
//! look, up to a third of the look. Were every small change written, each write would be answered by the next, and the group
//! would be given more than by any quota. Left alone, a quota keeps a second as even as the kernel counts it.

/// Smaller changes are not written, as a share of the quota.
const LESS_MIN: f64 = 0.03;
const MORE_MIN: f64 = 0.05;
/// More is given when it could have been for so long, to a group that wants more.
const MORE_AFTER_S: f64 = 1.0;

/// The quota that stands, in cores, and what would have been given instead.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Steps {
    stands: f64,
    /// For how long more could have been given, and the least of it.
    more: Option<(f64, f64)>,
}

/// What was seen since the last look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) elapsed_s: f64,
    /// Share of the periods in which the group wanted more.
    pub(super) throttled_share: f64,
}

impl Steps {
    /// The quota that stands, in cores; 0 before the first.
    pub(super) fn stands(&self) -> f64 {
        self.stands
    }

    /// This was written.
    pub(super) fn written(&mut self, quota: f64) {
        *self = Self { stands: quota, more: None };
    }

    /// What is to be written where `quota` would be right by now. A group that has `least` or does not want more is given
    /// more at once.
    pub(super) fn next(&mut self, quota: f64, least: f64, seen: Seen) -> Option<f64> {
        if quota < (1.0 - LESS_MIN) * self.stands {
            return Some(quota);
        }
        if quota <= (1.0 + MORE_MIN) * self.stands {
            self.more = None;
            return None;
        }
        let (for_s, more) = self.more.unwrap_or((0.0, f64::INFINITY));
        let (for_s, more) = (for_s + seen.elapsed_s, more.min(quota));
        self.more = Some((for_s, more));
        let is_at_once = seen.throttled_share <= 0.0 || self.stands <= least;
        (is_at_once || for_s >= MORE_AFTER_S).then_some(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Seen = Seen { elapsed_s: 0.25, throttled_share: 1.0 };

    /// What would be written, look after look.
    fn looks(steps: &mut Steps, seen: Seen, quotas: &[f64]) -> Vec<Option<f64>> {
        quotas.iter().map(|quota| steps.next(*quota, 0.1, seen)).collect()
    }

    fn standing(quota: f64) -> Steps {
        let mut steps = Steps::default();
        steps.written(quota);
        steps
    }

    #[test]
    fn less_counts_at_once_and_what_is_hardly_less_never() {
        assert_eq!(looks(&mut standing(1.0), FULL, &[0.98, 0.975, 0.9]), [None, None, Some(0.9)]);
    }

    #[test]
    fn more_counts_after_a_second_and_only_the_least_of_it() {
        let mut steps = standing(1.0);
        assert_eq!(looks(&mut steps, FULL, &[1.04, 1.2, 1.1, 1.3, 1.2]), [None, None, None, None, Some(1.1)]);
        let mut steps = standing(1.0);
        assert_eq!(looks(&mut steps, FULL, &[1.2, 1.2, 1.2, 1.0, 1.2]), [None; 5], "it was not all the time");
    }

    #[test]
    fn who_wants_no_more_or_has_hardly_anything_is_given_more_at_once() {
        let idle = Seen { throttled_share: 0.0, ..FULL };
        assert_eq!(looks(&mut standing(1.0), idle, &[1.2]), [Some(1.2)]);
        assert_eq!(looks(&mut standing(0.1), FULL, &[1.2]), [Some(1.2)]);
    }
}
