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
