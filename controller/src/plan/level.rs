//! Brings wakes of one host forward that would all be due at once: a host starts a few at a time, and the last of a morning
//! would serve long after its user came.
//!
//! Backwards from when they are to serve: each of the host's places takes a wake that is over when the place is needed again,
//! and the latest place goes to the least likely wake, so that the likeliest are started first and have time to spare.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BinaryHeap},
};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::HostId;

use super::{choice::Choice, choose::later};

/// No wake is brought forward by more: it would be awake for so long without its user.
const FORWARD_MAX_S: i64 = 30 * 60;

/// Cost: sorting what is due on each host.
pub(super) fn level(choices: &mut [Choice<'_>], starts_at_once: &BTreeMap<HostId, u32>) {
    if starts_at_once.is_empty() {
        return;
    }
    let mut by_host: BTreeMap<&HostId, Vec<usize>> = BTreeMap::new();
    for (index, choice) in choices.iter().enumerate() {
        by_host.entry(choice.host).or_default().push(index);
    }
    for (host, mut indices) in by_host {
        let Some(places) = starts_at_once.get(host).map(|places| (*places).max(1) as usize) else { continue };
        // As many as the host starts at once are in nobody's way.
        if indices.len() <= places {
            continue;
        }
        indices.sort_unstable_by(|a, b| backwards(&choices[*a], &choices[*b]));
        // Until when each place is free; the latest on top.
        let mut free: BinaryHeap<Timestamp> = std::iter::repeat_n(Timestamp::MAX, places).collect();
        for index in indices {
            let choice = &mut choices[index];
            let lead_time = choice.serve_at.duration_since(choice.due_at);
            let until = free.pop().unwrap_or(Timestamp::MAX).min(choice.serve_at);
            let earliest =
                choice.earliest.max(later(choice.due_at, SignedDuration::from_secs(-FORWARD_MAX_S)));
            let due_at = later(until, -lead_time).max(earliest).min(choice.due_at);
            choice.due_at = due_at;
            free.push(due_at);
        }
    }
}

/// The last to serve first, then the least likely, then by id.
fn backwards(a: &Choice<'_>, b: &Choice<'_>) -> Ordering {
    b.serve_at
        .cmp(&a.serve_at)
        .then_with(|| a.probability().total_cmp(&b.probability()))
        .then_with(|| b.instance.cmp(a.instance))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use reveille_proto::InstanceId;

    use super::*;
    use crate::{model::Scored, plan::choice::Grounds};

    /// Who, where, the earliest start, when due, when to serve, how likely.
    type Told = (&'static str, &'static str, &'static str, &'static str, &'static str, f64);

    fn at(text: &str) -> Timestamp {
        format!("2026-03-02T{text}:00Z").parse().expect("a timestamp")
    }

    /// When each is due after levelling, with so many places on host `h1` and no word of others.
    fn due(told: &[Told], places: u32) -> Vec<String> {
        let ids: Vec<_> = told.iter().map(|(id, ..)| InstanceId::new(*id).expect("an id")).collect();
        let hosts: Vec<_> = told.iter().map(|(_, host, ..)| HostId::new(*host).expect("an id")).collect();
        let zone = TimeZone::UTC;
        let choice = |((instance, host), (_, _, earliest, due, serve, probability)): (_, &Told)| Choice {
            instance,
            cohort: "dev",
            host,
            zone: &zone,
            earliest: at(earliest),
            due_at: at(due),
            serve_at: at(serve),
            hour_at: at(serve),
            expires_at: at("12:00"),
            grounds: Grounds::Score {
                scored: Scored { score: 0.0, probability: *probability, idle_h: 0.0, waits: false },
                lead_time: SignedDuration::ZERO,
                hold: SignedDuration::ZERO,
            },
        };
        let mut choices: Vec<_> = ids.iter().zip(&hosts).zip(told).map(choice).collect();
        level(&mut choices, &[(HostId::new("h1").expect("an id"), places)].into());
        choices.iter().map(|choice| choice.due_at.strftime("%H:%M").to_string()).collect()
    }

    #[test]
    fn a_host_that_starts_two_at_once_begins_in_time_for_five_and_the_likeliest_first() {
        let told = [
            ("a", "h1", "08:00", "08:55", "09:00", 0.9),
            ("b", "h1", "08:00", "08:55", "09:00", 0.5),
            ("c", "h1", "08:00", "08:55", "09:00", 0.4),
            ("d", "h1", "08:00", "08:55", "09:00", 0.3),
            ("e", "h1", "08:00", "08:55", "09:00", 0.2),
            ("f", "h2", "08:00", "08:55", "09:00", 0.2),
        ];
        assert_eq!(due(&told, 2), ["08:45", "08:50", "08:50", "08:55", "08:55", "08:55"]);
        assert_eq!(due(&told, 5)[..5], ["08:55"; 5], "they fit");
    }

    #[test]
    fn none_starts_before_it_may_nor_half_an_hour_too_early() {
        let told = [
            ("a", "h1", "08:53", "08:55", "09:00", 0.9),
            ("b", "h1", "08:00", "08:40", "09:00", 0.5),
            ("c", "h1", "08:00", "08:40", "09:00", 0.4),
            ("d", "h1", "08:00", "08:40", "09:00", 0.3),
        ];
        assert_eq!(due(&told, 1), ["08:53", "08:10", "08:20", "08:40"]);
    }

    #[test]
    fn what_serves_earlier_is_not_held_up_by_what_serves_later() {
        let told = [
            ("a", "h1", "08:00", "08:55", "09:00", 0.2),
            ("b", "h1", "08:00", "09:55", "10:00", 0.9),
            ("c", "h1", "08:00", "08:55", "09:00", 0.1),
        ];
        assert_eq!(due(&told, 1), ["08:50", "09:55", "08:55"]);
    }
}
