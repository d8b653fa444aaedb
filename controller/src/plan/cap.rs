//! The fleet's cap per clock hour: where more wakes are due than it allows, the likeliest stay.

use std::{cmp::Ordering, collections::BTreeMap};

use super::choice::Choice;

const HOUR_S: i64 = 3_600;

/// The clock hour (UTC, since 1970) a wake is due in.
pub(super) fn due_hour(wake: &Choice<'_>) -> i64 {
    wake.due_at.as_second().div_euclid(HOUR_S)
}

/// Which of `wakes` are over the cap. Takes linear time: the wakes of an hour over the cap are parted, not sorted.
pub(super) fn over_cap(
    wakes: &[Choice<'_>],
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
fn before(a: &Choice<'_>, b: &Choice<'_>) -> Ordering {
    b.probability()
        .total_cmp(&a.probability())
        .then_with(|| a.serve_at.cmp(&b.serve_at))
        .then_with(|| a.instance.cmp(b.instance))
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp, tz::TimeZone};
    use reveille_proto::{HostId, InstanceId};

    use super::*;
    use crate::{model::Scored, plan::choice::Grounds};

    /// Who, when due, when to serve, how likely.
    type Told = (&'static str, &'static str, &'static str, f64);

    /// The ids of those that are kept.
    fn kept(wakes: &[Told], wakes_per_hour_max: u32, already: &[(i64, u32)]) -> Vec<&'static str> {
        let ids: Vec<_> = wakes.iter().map(|(id, ..)| InstanceId::new(*id).expect("an id")).collect();
        let (host, zone) = (HostId::new("host-1").expect("an id"), TimeZone::UTC);
        let choice = |(instance, (_, due, serve, probability)): (_, &Told)| Choice {
            instance,
            cohort: "dev",
            host: &host,
            zone: &zone,
            due_at: at(due),
            serve_at: at(serve),
            hour_at: at("09:00"),
            expires_at: at("12:00"),
            grounds: Grounds::Score {
                scored: Scored { score: 0.0, probability: *probability, idle_h: 0.0, waits: false },
                lead_time: SignedDuration::ZERO,
                hold: SignedDuration::ZERO,
            },
        };
        let choices: Vec<_> = ids.iter().zip(wakes).map(choice).collect();
        let over = over_cap(&choices, wakes_per_hour_max, &already.iter().copied().collect());
        wakes.iter().zip(over).filter(|(_, over)| !over).map(|((id, ..), _)| *id).collect()
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-03-02T{text}:00Z").parse().expect("a timestamp")
    }

    #[test]
    fn the_likeliest_stay_then_the_earliest_then_by_id() {
        let wakes = [
            ("d", "08:55", "09:00", 0.4),
            ("c", "08:55", "09:00", 0.4),
            ("b", "08:55", "09:05", 0.4),
            ("a", "08:55", "09:00", 0.3),
            ("e", "08:55", "09:30", 0.9),
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
        let wakes = [("a", "08:55", "09:00", 0.4), ("b", "09:00", "09:05", 0.3)];
        let eight = at("08:00").as_second() / HOUR_S;
        assert_eq!(kept(&wakes, 1, &[]), ["a", "b"]);
        assert_eq!(kept(&wakes, 1, &[(eight, 1)]), ["b"]);
        assert_eq!(kept(&wakes, 2, &[(eight, 1), (eight + 1, 5)]), ["a"]);
    }
}
