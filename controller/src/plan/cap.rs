//! The fleet's cap per clock hour: where more wakes are due than it allows, the likeliest stay.

use std::{cmp::Ordering, collections::BTreeMap};

use super::PlannedWake;

const HOUR_S: i64 = 3_600;

/// The clock hour (UTC, since 1970) a wake is due in.
pub(super) fn due_hour(wake: &PlannedWake) -> i64 {
    wake.due_at.as_second().div_euclid(HOUR_S)
}

/// Which of `wakes` are over the cap. Takes linear time: the wakes of an hour over the cap are parted, not sorted.
pub(super) fn over_cap(
    wakes: &[PlannedWake],
    wakes_per_hour_max: u32,
    already_due_per_hour: &BTreeMap<i64, u32>,
) -> Vec<bool> {
    let mut by_hour: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (index, wake) in wakes.iter().enumerate() {
        by_hour.entry(due_hour(wake)).or_default().push(index);
    }
    let mut over = vec![false; wakes.len()];
    for (hour, mut indices) in by_hour {
        let already = already_due_per_hour.get(&hour).copied().unwrap_or(0);
        let room = wakes_per_hour_max.saturating_sub(already) as usize;
        if indices.len() <= room {
            continue;
        }
        indices.select_nth_unstable_by(room, |a, b| before(&wakes[*a], &wakes[*b]));
        for index in &indices[room..] {
            over[*index] = true;
        }
    }
    over
}

/// Higher probability first, then the earlier serving time, then the id.
fn before(a: &PlannedWake, b: &PlannedWake) -> Ordering {
    b.probability
        .total_cmp(&a.probability)
        .then_with(|| a.serve_at.cmp(&b.serve_at))
        .then_with(|| a.instance.cmp(&b.instance))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use reveille_proto::{HostId, InstanceId};

    use super::*;

    fn wake(instance: &str, due: &str, serve: &str, probability: f64) -> PlannedWake {
        let at = |text: &str| format!("2026-03-02T{text}:00Z").parse::<Timestamp>().expect("a timestamp");
        PlannedWake {
            instance: InstanceId::new(instance).expect("an id"),
            host: HostId::new("host-1").expect("an id"),
            due_at: at(due),
            serve_at: at(serve),
            hour_at: at("09:00"),
            expires_at: at("12:00"),
            probability,
            idle_h: None,
            saved_s: None,
            why: String::new(),
        }
    }

    fn kept(wakes: &[PlannedWake], wakes_per_hour_max: u32, already: &[(i64, u32)]) -> Vec<String> {
        let over = over_cap(wakes, wakes_per_hour_max, &already.iter().copied().collect());
        let kept = wakes.iter().zip(over).filter(|(_, over)| !over);
        kept.map(|(wake, _)| wake.instance.to_string()).collect()
    }

    #[test]
    fn the_likeliest_stay_then_the_earliest_then_by_id() {
        let wakes = [
            wake("d", "08:55", "09:00", 0.4),
            wake("c", "08:55", "09:00", 0.4),
            wake("b", "08:55", "09:05", 0.4),
            wake("a", "08:55", "09:00", 0.3),
            wake("e", "08:55", "09:30", 0.9),
        ];
        assert_eq!(kept(&wakes, 1, &[]), ["e"]);
        assert_eq!(kept(&wakes, 2, &[]), ["c", "e"]);
        assert_eq!(kept(&wakes, 3, &[]), ["d", "c", "e"]);
        assert_eq!(kept(&wakes, 4, &[]), ["d", "c", "b", "e"]);
        assert_eq!(kept(&wakes, 5, &[]).len(), 5);
        assert_eq!(kept(&wakes, 0, &[]).len(), 0);
    }

    #[test]
    fn hours_are_counted_apart_and_with_what_is_due_already() {
        let wakes = [wake("a", "08:55", "09:00", 0.4), wake("b", "09:00", "09:05", 0.3)];
        let eight = due_hour(&wakes[0]);
        assert_eq!(kept(&wakes, 1, &[]), ["a", "b"]);
        assert_eq!(kept(&wakes, 1, &[(eight, 1)]), ["b"]);
        assert_eq!(kept(&wakes, 2, &[(eight, 1), (eight + 1, 5)]), ["a"]);
    }
}
