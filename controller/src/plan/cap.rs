//! The fleet's caps per clock hour and per day: where more wakes are due than they allow, the likeliest stay.

use std::{cmp::Ordering, collections::BTreeMap};

use super::choice::Choice;

const HOUR_S: i64 = 3_600;
const HOURS_PER_DAY: i64 = 24;

/// Which of `wakes` are over the cap of their clock hour.
pub(super) fn over_hour(
    wakes: &[Choice<'_>],
    wakes_per_hour_max: u32,
    already_due_per_hour: &BTreeMap<i64, u32>,
) -> Vec<bool> {
    let already = |hour| already_due_per_hour.get(&hour).copied().unwrap_or(0);
    over_cap(wakes, wakes_per_hour_max, HOUR_S, already)
}

/// Which of `wakes` are over the budget of their UTC day; none where there is no budget.
pub(super) fn over_day(
    wakes: &[Choice<'_>],
    wakes_per_day_max: u32,
    already_due_per_hour: &BTreeMap<i64, u32>,
) -> Vec<bool> {
    if wakes_per_day_max == 0 {
        return vec![false; wakes.len()];
    }
    let already = |day: i64| {
        let hours = day * HOURS_PER_DAY..(day + 1) * HOURS_PER_DAY;
        already_due_per_hour.range(hours).map(|(_, due)| due).sum()
    };
    over_cap(wakes, wakes_per_day_max, HOURS_PER_DAY * HOUR_S, already)
}

/// Takes linear time: the wakes of a span over its cap are parted, not sorted.
fn over_cap(
    wakes: &[Choice<'_>],
    wakes_max: u32,
    span_s: i64,
    already_due: impl Fn(i64) -> u32,
) -> Vec<bool> {
    let mut by_span: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (index, wake) in wakes.iter().enumerate() {
        by_span.entry(wake.due_at.as_second().div_euclid(span_s)).or_default().push(index);
    }
    let mut over = vec![false; wakes.len()];
    for (span, mut indices) in by_span {
        let room = wakes_max.saturating_sub(already_due(span)) as usize;
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

    #[derive(Clone, Copy)]
    enum Cap {
        Hour(u32),
        Day(u32),
    }

    /// Who, when due, when to serve, how likely.
    type Told = (&'static str, &'static str, &'static str, f64);

    /// The ids of those that are kept.
    fn kept(wakes: &[Told], cap: Cap, already: &[(i64, u32)]) -> Vec<&'static str> {
        let ids: Vec<_> = wakes.iter().map(|(id, ..)| InstanceId::new(*id).expect("an id")).collect();
        let (host, zone) = (HostId::new("host-1").expect("an id"), TimeZone::UTC);
        let choice = |(instance, (_, due, serve, probability)): (_, &Told)| Choice {
            instance,
            cohort: "dev",
            host: &host,
            zone: &zone,
            earliest: at(due),
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
        let already = already.iter().copied().collect();
        let over = match cap {
            Cap::Hour(wakes_max) => over_hour(&choices, wakes_max, &already),
            Cap::Day(wakes_max) => over_day(&choices, wakes_max, &already),
        };
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
        assert_eq!(kept(&wakes, Cap::Hour(1), &[]), ["e"]);
        assert_eq!(kept(&wakes, Cap::Hour(2), &[]), ["c", "e"]);
        assert_eq!(kept(&wakes, Cap::Hour(3), &[]), ["d", "c", "e"]);
        assert_eq!(kept(&wakes, Cap::Hour(4), &[]), ["d", "c", "b", "e"]);
        assert_eq!(kept(&wakes, Cap::Hour(5), &[]).len(), 5);
        assert_eq!(kept(&wakes, Cap::Hour(0), &[]).len(), 0);
    }

    #[test]
    fn hours_are_counted_apart_and_with_what_is_due_already() {
        let wakes = [("a", "08:55", "09:00", 0.4), ("b", "09:00", "09:05", 0.3)];
        let eight = at("08:00").as_second() / HOUR_S;
        assert_eq!(kept(&wakes, Cap::Hour(1), &[]), ["a", "b"]);
        assert_eq!(kept(&wakes, Cap::Hour(1), &[(eight, 1)]), ["b"]);
        assert_eq!(kept(&wakes, Cap::Hour(2), &[(eight, 1), (eight + 1, 5)]), ["a"]);
    }

    #[test]
    fn the_budget_of_a_day_counts_all_its_hours() {
        let wakes =
            [("a", "08:55", "09:00", 0.4), ("b", "12:00", "12:05", 0.3), ("c", "12:00", "12:05", 0.9)];
        let eight = at("08:00").as_second() / HOUR_S;
        assert_eq!(kept(&wakes, Cap::Day(0), &[(eight, 99)]).len(), 3, "there is no budget");
        assert_eq!(kept(&wakes, Cap::Day(2), &[]), ["a", "c"]);
        assert_eq!(kept(&wakes, Cap::Day(2), &[(eight - 8, 1), (eight - 9, 50)]), ["c"], "yesterday is over");
        assert_eq!(kept(&wakes, Cap::Day(2), &[(eight, 1), (eight + 1, 1)]).len(), 0);
    }
}
