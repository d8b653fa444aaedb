//! The last stays of one instance, packed: when each began and how long it lasted, in local quarter hours.

/// Stays remembered. Three bytes each: with what else a profile holds they stay well under 512 bytes.
pub const STAYS_MAX: usize = 128;

/// Quarter hours of the instance's own clock since 1970-01-01 00:00 there.
pub type LocalQuarter = i32;

pub const QUARTERS_PER_DAY: i32 = 96;

/// How far behind the newest stay the oldest may lie, in quarter hours: what 16 bits hold, about 682 days.
const SPAN_MAX: i32 = u16::MAX as i32;

/// Stays in order of their beginning, the oldest first; the oldest is dropped when there is no more room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    base: LocalQuarter,
    len: u8,
    /// Quarter hours from `base`.
    starts: [u16; STAYS_MAX],
    /// Quarter hours from the first to the last sighting, at most 255.
    lengths: [u8; STAYS_MAX],
    /// Whether stays were dropped: the oldest kept is then not the first there was.
    dropped: bool,
}

impl Default for Stays {
    fn default() -> Self {
        Self { base: 0, len: 0, starts: [0; STAYS_MAX], lengths: [0; STAYS_MAX], dropped: false }
    }
}

/// One stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    pub start: LocalQuarter,
    /// The quarter hour of the last sighting.
    pub end: LocalQuarter,
}

impl Stays {
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether older stays were forgotten for lack of room.
    pub fn dropped(&self) -> bool {
        self.dropped
    }

    pub fn get(&self, index: usize) -> Option<Stay> {
        (index < self.len()).then(|| {
            let start = self.base + i32::from(self.starts[index]);
            Stay { start, end: start + i32::from(self.lengths[index]) }
        })
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Stay> + '_ {
        self.starts().iter().zip(self.lengths()).map(|(start, length)| {
            let start = self.base + i32::from(*start);
            Stay { start, end: start + i32::from(*length) }
        })
    }

    pub fn last(&self) -> Option<Stay> {
        self.get(self.len().checked_sub(1)?)
    }

    /// What the starts count from.
    pub(super) fn base(&self) -> LocalQuarter {
        self.base
    }

    /// Beginnings in quarter hours from [`Stays::base`], ascending.
    pub(super) fn starts(&self) -> &[u16] {
        &self.starts[..self.len()]
    }

    pub(super) fn lengths(&self) -> &[u8] {
        &self.lengths[..self.len()]
    }

    /// How many began at or before `at`: as a rule all of them.
    #[inline]
    pub(super) fn known_at(&self, at: LocalQuarter) -> usize {
        let is_known = |start: &u16| self.base.saturating_add(i32::from(*start)) <= at;
        if self.starts().last().is_none_or(is_known) {
            return self.len();
        }
        self.starts().partition_point(is_known)
    }

    /// Begins a stay after all others. One that is not later than the last is taken as late: see [`Stays::late`].
    pub fn begin(&mut self, at: LocalQuarter) {
        if self.last().is_some_and(|last| at <= last.start) {
            self.late(at, 0);
            return;
        }
        self.insert(self.len(), at);
    }

    /// The newest stay lasts until `at` at least.
    pub fn prolong(&mut self, at: LocalQuarter) {
        let Some(last) = self.len().checked_sub(1) else { return };
        self.reach(last, at);
    }

    /// Takes a sighting that came out of order: it lengthens the stay it is nearer than `gap` quarter hours to, or
    /// becomes a stay of its own. Older than everything that can be kept, it is forgotten.
    pub fn late(&mut self, at: LocalQuarter, gap: i32) {
        let after = self.iter().take_while(|stay| stay.start <= at).count();
        if let Some(before) = after.checked_sub(1)
            && let Some(stay) = self.get(before)
            && at < (stay.end + gap).max(stay.start + 1)
        {
            self.reach(before, at);
            return;
        }
        match self.get(after) {
            Some(next) if next.start - at < gap && at >= self.base => {
                let longer = i32::from(self.lengths[after]) + next.start - at;
                self.starts[after] = (at - self.base) as u16;
                self.lengths[after] = longer.min(255) as u8;
            }
            _ => self.insert(after, at),
        }
    }

    fn reach(&mut self, index: usize, at: LocalQuarter) {
        let length = at - self.base - i32::from(self.starts[index]);
        let length = length.clamp(0, 255) as u8;
        self.lengths[index] = self.lengths[index].max(length);
    }

    fn insert(&mut self, mut index: usize, at: LocalQuarter) {
        if self.is_empty() && !(self.base..=self.base.saturating_add(SPAN_MAX)).contains(&at) {
            // Room for late sightings on both sides.
            self.base = at - SPAN_MAX / 2;
        }
        if at < self.base {
            self.dropped = true;
            return;
        }
        if at - self.base > SPAN_MAX {
            index -= self.rebase(at - SPAN_MAX * 3 / 4).min(index);
        }
        if self.len() == STAYS_MAX {
            self.dropped = true;
            if index == 0 {
                return;
            }
            self.forget(1);
            index -= 1;
        }
        let len = self.len();
        self.starts.copy_within(index..len, index + 1);
        self.lengths.copy_within(index..len, index + 1);
        self.starts[index] = (at - self.base) as u16;
        self.lengths[index] = 0;
        self.len += 1;
    }

    /// Counts from `base` on; stays before it are forgotten. Returns how many.
    fn rebase(&mut self, base: LocalQuarter) -> usize {
        let shift = base - self.base;
        let gone = self.starts().partition_point(|start| i32::from(*start) < shift);
        self.forget(gone);
        self.dropped |= gone > 0;
        let len = self.len();
        for start in &mut self.starts[..len] {
            *start -= shift as u16;
        }
        self.base = base;
        gone
    }

    fn forget(&mut self, oldest: usize) {
        let len = self.len();
        self.starts.copy_within(oldest..len, 0);
        self.lengths.copy_within(oldest..len, 0);
        self.len -= oldest as u8;
    }

    /// Puts together what [`Stays::iter`] gave. Out of order or too far apart, they come out as if seen one by one.
    pub(super) fn restore(stays: impl Iterator<Item = Stay>, dropped: bool) -> Self {
        let stays: Vec<Stay> = stays.collect();
        let mut restored = Self::default();
        if let (Some(first), Some(last)) = (stays.first(), stays.last()) {
            // Where all of them have their place; an order that is none is put right below.
            restored.base = first.start.max(last.start.saturating_sub(SPAN_MAX));
        }
        for stay in stays {
            restored.begin(stay.start);
            restored.prolong(stay.end);
        }
        restored.dropped |= dropped;
        restored
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(stays: &Stays) -> Vec<(i32, i32)> {
        stays.iter().map(|stay| (stay.start, stay.end)).collect()
    }

    #[test]
    fn stays_are_kept_in_order_and_the_oldest_goes_first() {
        let mut stays = Stays::default();
        for i in 0..200 {
            stays.begin(1_000_000 + i * 96);
            stays.prolong(1_000_000 + i * 96 + 5);
        }
        assert_eq!(stays.len(), STAYS_MAX);
        assert!(stays.dropped());
        let first = 1_000_000 + (200 - STAYS_MAX as i32) * 96;
        assert_eq!(of(&stays)[0], (first, first + 5));
        assert_eq!(stays.last().map(|stay| stay.start), Some(1_000_000 + 199 * 96));
    }

    #[test]
    fn a_late_sighting_finds_its_place() {
        let mut stays = Stays::default();
        for at in [100, 200, 300] {
            stays.begin(at);
        }
        stays.late(204, 8);
        stays.late(294, 8);
        stays.late(250, 8);
        stays.late(10, 8);
        assert_eq!(of(&stays), [(10, 10), (100, 100), (200, 204), (250, 250), (294, 300)]);
        stays.begin(250);
        assert_eq!(stays.len(), 5, "known already");
    }

    #[test]
    fn after_two_years_of_silence_only_the_new_is_known() {
        let mut stays = Stays::default();
        stays.begin(0);
        stays.begin(96);
        stays.begin(96 * 800);
        stays.late(50, 8);
        assert_eq!(of(&stays), [(96 * 800, 96 * 800)]);
        assert!(stays.dropped());
    }

    proptest! {
        #[test]
        fn any_order_is_kept_ascending(ats in proptest::collection::vec(0..400_000i32, 0..300)) {
            let mut stays = Stays::default();
            for at in &ats {
                stays.late(*at, 8);
            }
            let starts: Vec<i32> = stays.iter().map(|stay| stay.start).collect();
            prop_assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(starts.iter().all(|start| ats.contains(start)));
        }
    }

    fn with(stays: &[(i32, i32)]) -> Stays {
        Stays::restore(stays.iter().map(|(start, end)| Stay { start: *start, end: *end }), false)
    }

    #[test]
    fn a_sighting_just_within_the_gap_lengthens_a_stay_and_one_just_beyond_does_not() {
        let told = |at: i32| {
            let mut stays = with(&[(100, 104), (200, 203)]);
            stays.late(at, 8);
            of(&stays)
        };
        assert_eq!(told(111), [(100, 111), (200, 203)]);
        assert_eq!(told(112), [(100, 104), (112, 112), (200, 203)]);
        assert_eq!(told(192), [(100, 104), (192, 192), (200, 203)]);
        assert_eq!(told(193), [(100, 104), (193, 203)]);
        assert_eq!(told(102), [(100, 104), (200, 203)], "known already");
        assert_eq!(told(200), [(100, 104), (200, 203)]);
        assert_eq!(told(215), [(100, 104), (200, 203), (215, 215)]);
        // Nearer than the gap to both, it goes on from the one before.
        let mut near = with(&[(100, 100), (110, 110)]);
        near.late(105, 8);
        assert_eq!(of(&near), [(100, 105), (110, 110)]);
    }

    #[test]
    fn a_stay_lasts_255_quarter_hours_at_most() {
        let mut stays = with(&[(100, 104)]);
        stays.prolong(100 + 255);
        assert_eq!(of(&stays), [(100, 355)]);
        stays.prolong(100 + 300);
        assert_eq!(of(&stays), [(100, 355)]);
        stays.prolong(200);
        assert_eq!(of(&stays), [(100, 355)], "never shorter");
        let mut long = Stays::default();
        long.begin(100);
        long.prolong(350);
        long.late(93, 8);
        assert_eq!(of(&long), [(93, 348)]);
    }

    #[test]
    fn a_late_one_before_what_is_counted_from_is_forgotten() {
        let mut stays = with(&[(100, 104), (200, 203)]);
        assert!(!stays.dropped());
        stays.late(98, 8);
        assert_eq!(of(&stays), [(100, 104), (200, 203)]);
        assert!(stays.dropped());
        assert_eq!(stays.base(), 100);
    }

    #[test]
    fn the_first_stay_leaves_room_on_both_sides_and_the_last_one_takes_it() {
        let mut stays = Stays::default();
        stays.begin(1_000_000);
        assert_eq!(stays.base(), 1_000_000 - 32_767);
        stays.begin(1_000_000 + 32_768);
        assert_eq!((stays.len(), stays.base(), stays.dropped()), (2, 1_000_000 - 32_767, false));
        // One more quarter hour, and room is made for a quarter of all there is.
        stays.begin(1_000_000 + 32_769);
        assert_eq!((stays.len(), stays.base(), stays.dropped()), (3, 1_000_000 + 32_769 - 49_151, false));
        assert_eq!(of(&stays).iter().map(|stay| stay.0 - 1_000_000).collect::<Vec<_>>(), [0, 32_768, 32_769]);
        stays.begin(1_000_000 + 60_000);
        assert_eq!((stays.len(), stays.dropped()), (3, true), "the first was too long ago");
        assert_eq!(
            of(&stays).iter().map(|stay| stay.0 - 1_000_000).collect::<Vec<_>>(),
            [32_768, 32_769, 60_000]
        );
    }

    #[test]
    fn where_there_is_no_room_a_late_one_takes_that_of_the_oldest() {
        let mut stays = with(&(0..STAYS_MAX as i32).map(|i| (i * 96, i * 96 + 3)).collect::<Vec<_>>());
        assert!(!stays.dropped());
        stays.late(50 * 96 + 40, 8);
        assert!(stays.dropped());
        let found = of(&stays);
        assert_eq!((found.len(), found[0]), (STAYS_MAX, (96, 99)));
        assert_eq!(
            found[48..52],
            [
                (49 * 96, 49 * 96 + 3),
                (50 * 96, 50 * 96 + 3),
                (50 * 96 + 40, 50 * 96 + 40),
                (51 * 96, 51 * 96 + 3)
            ]
        );
        // Older than all that are kept, it is the one that is forgotten.
        stays.late(40, 8);
        assert_eq!(of(&stays), found);
    }

    #[test]
    fn how_many_began_at_or_before_a_moment_is_told() {
        let stays = with(&[(100, 104), (200, 203), (300, 300)]);
        let known: Vec<_> =
            [99, 100, 199, 200, 299, 300, 5_000].iter().map(|at| stays.known_at(*at)).collect();
        assert_eq!(known, [0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(Stays::default().known_at(0), 0);
        let got: Vec<_> = (0..4).map(|i| stays.get(i).map(|stay| (stay.start, stay.end))).collect();
        assert_eq!(got, [Some((100, 104)), Some((200, 203)), Some((300, 300)), None]);
        assert_eq!(stays.iter().next_back(), stays.last());
    }

    #[test]
    fn what_is_put_together_is_what_was_taken_apart() {
        let apart = [(0, 3), (70, 80), (40_000, 40_255), (65_535, 65_540)];
        let stays = with(&apart);
        assert_eq!((of(&stays), stays.dropped()), (apart.to_vec(), false));
        let too_far = with(&[(0, 3), (70, 80), (65_536, 65_540)]);
        assert_eq!(
            (of(&too_far), too_far.dropped()),
            (vec![(65_536, 65_540)], true),
            "as if seen one by one"
        );
        assert!(Stays::restore(std::iter::empty(), true).dropped());
    }
}
