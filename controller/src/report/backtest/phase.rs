//! Shifts sightings to the user's own clock, whose offset each sighting carries and some carry wrongly.

/// Sightings over which the offset is agreed upon, the latest included.
const OFFSETS: usize = 15;

/// Sorts the sightings, each `(seconds since 1970, offset in minutes)`, and returns for each the offset from UTC in
/// seconds that its user's clock had: the most frequent of the last 15, which is robust to a stray one.
pub fn offsets_s(sightings: &mut [(i64, i32)]) -> Vec<i32> {
    sightings.sort_unstable();
    let offsets: Vec<i32> = sightings.iter().map(|(_, offset)| *offset).collect();
    let last = |i: usize| &offsets[(i + 1).saturating_sub(OFFSETS)..=i];
    (0..offsets.len()).map(|i| 60 * most_frequent(last(i))).collect()
}

/// Seconds since 1970 by the user's clock, sorted, by the offsets of [`offsets_s`].
pub fn shift_to_local(mut sightings: Vec<(i64, i32)>) -> Vec<i64> {
    let offsets_s = offsets_s(&mut sightings);
    let shifted = sightings.iter().zip(offsets_s).map(|((at_s, _), offset_s)| at_s + i64::from(offset_s));
    let mut shifted: Vec<i64> = shifted.collect();
    shifted.sort_unstable();
    shifted
}

fn most_frequent(offsets: &[i32]) -> i32 {
    let count = |offset: i32| offsets.iter().filter(|o| **o == offset).count();
    let mut best = (0, 0);
    for offset in tie_order(offsets) {
        let times = count(offset);
        if times > best.0 {
            best = (times, offset);
        }
    }
    best.1
}

/// The distinct offsets in the order in which the reference scorer (`prewake.py`) looks at them: it takes the first
/// of equally frequent ones as a `CPython` set of integers yields them, which is their order in an open-addressing
/// table of 8 slots, or of 32 once it holds five. Any order would do, but only this one lets both see the same trace.
fn tie_order(offsets: &[i32]) -> Vec<i32> {
    let mut table = vec![None; 8];
    let mut used = 0;
    for offset in offsets {
        if !insert(&mut table, *offset) {
            continue;
        }
        used += 1;
        if used * 5 >= (table.len() - 1) * 3 {
            let old = std::mem::replace(&mut table, vec![None; 32]);
            for offset in old.into_iter().flatten() {
                insert(&mut table, offset);
            }
        }
    }
    table.into_iter().flatten().collect()
}

/// Returns whether it was not there yet. The table always has free slots.
fn insert(table: &mut [Option<i32>], offset: i32) -> bool {
    const NEIGHBOURS: usize = 9;
    let mask = table.len() - 1;
    // An integer is its own hash, except that -1 is reserved.
    let hash = i64::from(if offset == -1 { -2 } else { offset }) as u64;
    let mut perturb = hash;
    let mut slot = hash as usize & mask;
    loop {
        let last = if slot + NEIGHBOURS <= mask { slot + NEIGHBOURS } else { slot };
        for entry in &mut table[slot..=last] {
            match entry {
                None => {
                    *entry = Some(offset);
                    return true;
                }
                Some(there) if *there == offset => return false,
                Some(_) => {}
            }
        }
        perturb >>= 5;
        slot = (slot.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb as usize)) & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_offset_is_outvoted_by_the_last_fifteen() {
        let mut sightings: Vec<(i64, i32)> = (0..20).map(|i| (i * 10_000, 120)).collect();
        sightings[10].1 = 0;
        assert!(
            shift_to_local(sightings.clone()).iter().zip(&sightings).all(|(s, (at, _))| *s == at + 7_200)
        );
        // A move: the eighth sighting with the new offset is the first to have the majority of fifteen.
        let moved: Vec<(i64, i32)> = (0..30).map(|i| (i * 100_000, if i < 15 { 60 } else { -300 })).collect();
        let shifted = shift_to_local(moved);
        assert_eq!(shifted[21], 2_100_000 + 3_600);
        assert_eq!(shifted[22], 2_200_000 - 18_000);
    }

    /// Expected: `python3 -c 'print(list(set([...])))'`.
    #[test]
    fn ties_are_seen_in_the_scorers_order() {
        assert_eq!(tie_order(&[-420, 120, -480, 0]), [120, 0, -480, -420]);
        assert_eq!(tie_order(&[60, 120, 540, 330]), [120, 330, 60, 540]);
        assert_eq!(tie_order(&[-1, -300, 630, -2]), [630, -300, -1, -2]);
        assert_eq!(
            tie_order(&[-420, 120, -480, 0, 60, 330, -300, 540]),
            [0, -480, 330, 60, -300, 120, -420, 540]
        );
        assert_eq!(tie_order(&[0, 32, 64, 96, -32]), [0, -32, 32, 64, 96]);
        assert_eq!(tie_order(&[9, 0, 1, 2, 3]), [0, 1, 2, 3, 9]);
        assert_eq!(tie_order(&[7, 15, 23, 31]), [31, 15, 23, 7]);
        assert_eq!(tie_order(&[-1, -2, -3]), [-3, -1, -2]);
        assert_eq!(tie_order(&[1, 33, 65, 1, 97, 129, 161, 33]), [65, 1, 129, 97, 33, 161]);
        assert_eq!(
            tie_order(&[-300, -360, -420, -480, -240, -180, -500]),
            [-480, -180, -500, -240, -300, -360, -420]
        );
        let fifteen = [480, -480, 60, -60, 330, -1, -2, 345, 570, 0, 765, 120, -210, 840, -570];
        let seen = [480, -480, 0, -60, -570, 840, 330, -210, -2, 120, 345, 570, 60, 765, -1];
        assert_eq!(tie_order(&fifteen), seen);
    }

    #[test]
    fn of_equally_frequent_offsets_the_first_in_that_order_counts() {
        assert_eq!([most_frequent(&[60, 120, 120, 60]), most_frequent(&[-420, 0, -420, 0])], [120, 0]);
        assert_eq!([most_frequent(&[60, 120, 60]), most_frequent(&[])], [60, 0]);
    }

    #[test]
    fn an_offset_moves_a_sighting_by_its_minutes_and_sorts_anew() {
        let mut sightings = vec![(10_000, 60), (0, -300)];
        assert_eq!(offsets_s(&mut sightings), [-18_000, -18_000], "of two, the first is looked at first");
        assert_eq!(sightings, [(0, -300), (10_000, 60)]);
        let moved: Vec<_> = (0..8).map(|i| (i * 1_000, if i < 3 { 600 } else { 0 })).collect();
        // Four of seven: from the seventh on the clock goes ten hours less, and what it shows lies before.
        let expected = [6_000, 7_000, 36_000, 37_000, 38_000, 39_000, 40_000, 41_000];
        assert_eq!(shift_to_local(moved), expected);
    }
}
