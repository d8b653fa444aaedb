//! When an event takes place: its recurrence worked out by the clock of its zone, within bounds.

use std::path::Path;

use calcard::{
    common::{PartialDateTime, timezone::Tz},
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarFrequency,
        ICalendarProperty as Property, ICalendarRecurrenceRule, ICalendarValue,
    },
};
use jiff::{
    Timestamp,
    civil::{DateTime, Time},
    tz::TimeZone,
};

use super::event::{Bad, BadEvent, Event, When, bad, when};

/// Most occurrences one rule may have from its start until the end of the reach: a century of days.
const OCCURRENCES_MAX: usize = 36_600;

/// The starts of all occurrences before `until`, by the clock of the event, in order and each once; those named in
/// `EXDATE` are left out. The first is the event's own start, whether or not its rule would name it.
pub(super) fn starts(path: &Path, event: &Event, until: DateTime) -> Result<Vec<When>, BadEvent> {
    let mut clocks = vec![event.start.clock()];
    for rule in &event.rules {
        let found = recur(rule, &event.start, until).map_err(|bad| BadEvent::of(path, &event.block, bad))?;
        clocks.extend(found);
    }
    clocks.extend(event.more.iter().map(|more| on_the_clock_of(&event.start, more)));
    clocks.retain(|clock| *clock < until);
    clocks.sort_unstable();
    clocks.dedup();
    let starts = clocks.into_iter().map(|clock| event.start.at_clock(clock));
    Ok(starts.filter(|start| !event.except.iter().any(|except| except.names(start))).collect())
}

/// What the clock of `start` shows at `other`.
fn on_the_clock_of(start: &When, other: &When) -> DateTime {
    match (start, other) {
        (When::In(_, zone), When::In(..)) => {
            other.instant().map_or(other.clock(), |instant| zone.to_datetime(instant))
        }
        // A day is meant at the time of day of the event.
        (_, When::Day(date)) => date.to_datetime(start.clock().time()),
        _ => other.clock(),
    }
}

/// The clock times of a rule, from `start` until `until`.
fn recur(rule: &ICalendarRecurrenceRule, start: &When, until: DateTime) -> Result<Vec<DateTime>, Bad> {
    if rule.freq > ICalendarFrequency::Daily {
        return Err(bad(&Property::Rrule, "recurs more often than daily"));
    }
    let last = last(rule, start)?.map_or(until, |last| last.min(until));
    if last < start.clock() {
        return Ok(Vec::new());
    }
    let bounded = ICalendarRecurrenceRule { until: Some(written(last)), ..rule.clone() };
    let expanded = alone(start.clock(), bounded).expand_dates(Tz::Floating, OCCURRENCES_MAX + 1);
    if let Some(error) = expanded.errors.first() {
        return Err(bad(&Property::Rrule, format!("cannot be followed: {}", error.error)));
    }
    if expanded.events.len() > OCCURRENCES_MAX {
        return Err(bad(&Property::Rrule, format!("recurs more than {OCCURRENCES_MAX} times")));
    }
    // A floating time is counted as if it were UTC.
    let clock = |second| Timestamp::from_second(second).ok().map(|at| TimeZone::UTC.to_datetime(at));
    Ok(expanded.events.iter().filter_map(|event| clock(event.start.timestamp())).collect())
}

/// The last clock time `UNTIL` allows; a day is allowed to its end.
fn last(rule: &ICalendarRecurrenceRule, start: &When) -> Result<Option<DateTime>, Bad> {
    let Some(until) = &rule.until else { return Ok(None) };
    let zone = if let When::In(_, zone) = start { Some(zone) } else { None };
    match when(until, zone) {
        Some(When::Day(date)) => Ok(Some(date.to_datetime(Time::MAX))),
        Some(until) => Ok(Some(on_the_clock_of(start, &until))),
        None => Err(bad(&Property::Rrule, "has an UNTIL that is no day and no time")),
    }
}

/// A calendar with nothing but one rule from one start, without a zone: time as the clock shows it.
fn alone(start: DateTime, rule: ICalendarRecurrenceRule) -> ICalendar {
    let entry = |name, value| ICalendarEntry { name, params: Vec::new(), values: vec![value] };
    let component = ICalendarComponent {
        component_type: ICalendarComponentType::VEvent,
        entries: vec![
            entry(Property::Dtstart, ICalendarValue::PartialDateTime(Box::new(written(start)))),
            entry(Property::Rrule, ICalendarValue::RecurrenceRule(Box::new(rule))),
        ],
        component_ids: Vec::new(),
    };
    ICalendar { components: vec![component] }
}

fn written(clock: DateTime) -> PartialDateTime {
    PartialDateTime {
        year: Some(clock.year().max(0) as u16),
        month: Some(clock.month() as u8),
        day: Some(clock.day() as u8),
        hour: Some(clock.hour() as u8),
        minute: Some(clock.minute() as u8),
        second: Some(clock.second() as u8),
        ..PartialDateTime::default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::{
        super::{cut::cut, event::event},
        *,
    };

    fn dates(lines: &str, until: &str) -> Result<Vec<String>, String> {
        let path = Path::new("h.ics");
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n");
        let event = event(path, cut(&text).expect("a calendar").remove(0)).expect("can be read");
        let until = until.parse::<Date>().expect("a date").to_datetime(Time::midnight());
        let starts = starts(path, &event, until).map_err(|bad| bad.to_string())?;
        Ok(starts
            .iter()
            .map(|start| start.instant().map_or(start.clock().to_string(), |at| at.to_string()))
            .collect())
    }

    fn days(lines: &str, until: &str) -> Vec<String> {
        dates(lines, until).expect("can be followed").iter().map(|clock| clock[..10].to_owned()).collect()
    }

    #[test]
    fn an_event_without_a_rule_takes_place_once() {
        assert_eq!(days("DTSTART:20261003", "2030-01-01"), ["2026-10-03"]);
        assert!(days("DTSTART:20261003", "2026-10-03").is_empty());
    }

    #[test]
    fn rules_are_followed_and_bounded() {
        assert_eq!(
            days("DTSTART:20240229\nRRULE:FREQ=YEARLY", "2033-01-01"),
            ["2024-02-29", "2028-02-29", "2032-02-29"]
        );
        let thanksgiving = "DTSTART:20251127\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH";
        assert_eq!(days(thanksgiving, "2028-01-01"), ["2025-11-27", "2026-11-26", "2027-11-25"]);
        assert_eq!(
            days("DTSTART:20260102\nRRULE:FREQ=WEEKLY;COUNT=3", "2030-01-01"),
            ["2026-01-02", "2026-01-09", "2026-01-16"]
        );
        assert_eq!(
            days("DTSTART:20260102\nRRULE:FREQ=WEEKLY;UNTIL=20260109", "2030-01-01"),
            ["2026-01-02", "2026-01-09"]
        );
        assert_eq!(
            days("DTSTART:20260131\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1", "2026-04-01"),
            ["2026-01-31", "2026-02-28", "2026-03-31"]
        );
    }

    #[test]
    fn exceptions_and_further_dates_count() {
        let lines = "DTSTART:20260102\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE:20260109\nRDATE:20260110,20260111\nEXDATE:20260111";
        assert_eq!(days(lines, "2030-01-01"), ["2026-01-02", "2026-01-10", "2026-01-16"]);
        // A time in another zone, and a mere day, name the same occurrence.
        for except in [
            "EXDATE:20260109T080000Z",
            "EXDATE;TZID=Asia/Kolkata:20260109T133000",
            "EXDATE;VALUE=DATE:20260109",
        ] {
            let lines = format!(
                "DTSTART;TZID=Europe/Berlin:20260102T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=3\n{except}"
            );
            assert_eq!(days(&lines, "2030-01-01"), ["2026-01-02", "2026-01-16"], "{except}");
        }
    }

    #[test]
    fn the_clock_is_kept_over_both_changes() {
        let lines = "DTSTART;TZID=Europe/Berlin:20260322T023000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;UNTIL=20260405T003000Z";
        // 02:30 does not exist on the 29th; it is as much later as the clock jumps.
        let found = dates(lines, "2030-01-01").unwrap();
        assert_eq!(found, ["2026-03-22T01:30:00Z", "2026-03-29T01:30:00Z", "2026-04-05T00:30:00Z"]);
        let lines = "DTSTART;TZID=Europe/Berlin:20261018T023000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=3";
        let found = dates(lines, "2030-01-01").unwrap();
        assert_eq!(
            found,
            ["2026-10-18T00:30:00Z", "2026-10-25T00:30:00Z", "2026-11-01T01:30:00Z"],
            "once each"
        );
    }

    #[test]
    fn a_rule_without_a_bound_is_told() {
        let refused =
            |rule: &str| dates(&format!("DTSTART:00010101\nRRULE:{rule}"), "2027-01-01").expect_err(rule);
        assert_eq!(refused("FREQ=HOURLY"), "h.ics:4: RRULE recurs more often than daily");
        assert_eq!(refused("FREQ=DAILY"), "h.ics:4: RRULE recurs more than 36600 times");
        assert!(
            refused("FREQ=YEARLY;BYMONTH=13").starts_with("h.ics:4: RRULE"),
            "{}",
            refused("FREQ=YEARLY;BYMONTH=13")
        );
        // A day that never comes leaves only the start.
        assert_eq!(
            days("DTSTART:20260101\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2030-01-01").len(),
            1
        );
    }
}
