//! Where each stay lies as seen from a moment: its day, its time of day, how far ahead of now's time of day it began.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for wide registers: see `wide`"
)]

use super::{
    moment::Moment,
    stays::{QUARTERS_PER_DAY, STAYS_MAX, Stays},
};

const DAY: u16 = QUARTERS_PER_DAY as u16;

/// Farthest ahead of now's time of day that a stay of an earlier day is still counted to that day, in quarter hours.
pub(super) const AHEAD_MAX: u16 = 23;

/// Farthest back that a moment sees, in quarter hours: older stays lie there. 16 bits hold it and what is added.
const REACH: i32 = 65_280;

/// One column for each number, filled without a branch.
#[derive(Debug)]
pub(super) struct Places {
    /// Local days back from now's.
    pub age: [u16; STAYS_MAX],
    /// Quarter hour of its local day.
    pub slot: [u16; STAYS_MAX],
    /// Which day's time of day it is near to, counted back from now.
    pub back: [u16; STAYS_MAX],
    /// [`AHEAD_MAX`] less the quarter hours it began ahead of the time of day that was now on that day: 0..96.
    pub behind: [u16; STAYS_MAX],
}

impl Default for Places {
    fn default() -> Self {
        let blank = [0; STAYS_MAX];
        Self { age: blank, slot: blank, back: blank, behind: blank }
    }
}

impl Places {
    /// Of the first `known` stays, which must begin at or before `now`. The rest of the columns stays as it is.
    #[inline(always)]
    pub(super) fn fill(&mut self, stays: &Stays, known: usize, now: Moment) {
        let to_now = now.quarter.saturating_sub(stays.base()).max(0);
        let shift = (to_now - REACH).max(0);
        // Stays from before the reach come to lie at its end; 16 bits hold what a shift can take away.
        let shift_most = shift.min(i32::from(u16::MAX)) as u16;
        let to_now = (to_now - shift) as u16;
        let into_day = (stays.base().wrapping_add(shift)).rem_euclid(QUARTERS_PER_DAY) as u16;
        let today = (to_now + into_day) / DAY;
        let columns = self.age.iter_mut().zip(&mut self.slot).zip(&mut self.back).zip(&mut self.behind);
        for ((((age, slot), back), behind), start) in columns.zip(&stays.starts()[..known]) {
            let start = start.saturating_sub(shift_most);
            let (of_day, of_now) = (start + into_day, to_now - start + AHEAD_MAX);
            *age = today - of_day / DAY;
            *slot = of_day % DAY;
            *back = of_now / DAY;
            *behind = of_now % DAY;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::stays::Stay;

    fn stays(starts: &[i32]) -> Stays {
        Stays::restore(starts.iter().map(|start| Stay { start: *start, end: *start }), false)
    }

    /// Of each stay its age, slot, back and behind.
    fn filled(starts: &[i32], quarter: i32) -> Vec<[i32; 4]> {
        let mut places = Places::default();
        places.fill(&stays(starts), starts.len(), Moment { quarter });
        let of = |i: usize| [places.age[i], places.slot[i], places.back[i], places.behind[i]].map(i32::from);
        (0..starts.len()).map(of).collect()
    }

    #[test]
    fn a_stay_lies_on_its_day_and_near_to_a_time_of_day() {
        // Now it is ten in the morning of day 1000; the day before it came at ten, at half past ten, at a quarter to
        // four and at four in the afternoon; today a quarter hour ago.
        let day = 96 * 1_000;
        let found = filled(&[day - 56, day - 54, day - 33, day - 32, day + 39], day + 40);
        let expected = [[1, 40, 1, 23], [1, 42, 1, 21], [1, 63, 1, 0], [1, 64, 0, 95], [0, 39, 0, 24]];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_lies_too_far_back_lies_where_the_reach_ends() {
        let last = 1_000 + 65_000;
        let found = filled(&[1_000, 1_300, last], last + 1_000);
        assert_eq!(found[0][2..], [680, 23], "680 days back");
        assert_eq!(found[0], found[1], "no matter how far");
        assert_eq!(found[2], [10, 48, 10, 63]);
        assert_eq!((found[0][0], found[0][1]), (680, (last + 1_000 - 65_280) % 96));
    }

    proptest! {
        #[test]
        fn all_within_the_reach_lie_where_they_are_counted_one_by_one(
            first in -100_000..2_000_000i32,
            gaps in proptest::collection::vec(1..1_500i32, 0..40),
            since in 0..3_000i32,
        ) {
            let mut starts = vec![first];
            for gap in gaps {
                starts.push(starts[starts.len() - 1] + gap);
            }
            let now = starts[starts.len() - 1] + since;
            let expected: Vec<_> = starts
                .iter()
                .map(|start| {
                    let near = now - start + i32::from(AHEAD_MAX);
                    [now.div_euclid(96) - start.div_euclid(96), start.rem_euclid(96), near / 96, near % 96]
                })
                .collect();
            prop_assert_eq!(filled(&starts, now), expected);
        }
    }
}
