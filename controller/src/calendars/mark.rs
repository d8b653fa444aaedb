//! Marks the days and spans of events in a [`DayCalendar`].

use std::collections::BTreeMap;

use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, Time},
    tz::TimeZone,
};

use super::{
    BadEvent, CalendarConfig, CalendarFileError, CalendarKind,
    event::{Event, When},
    occur::starts,
    read_file,
};
use crate::model::{
    DayCalendar,
    calendar::{date_of, day_of},
    days::Whose,
};

const DAY_S: i64 = 86_400;

/// The days that are marked; what an event says of others is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Days since 1970-01-01.
    pub from_day: i32,
    /// The first day that is not marked any more.
    pub until_day: i32,
}

impl Reach {
    /// From 400 days before `now`, more than any model looks back, until 400 days after it.
    pub fn around(now: Timestamp) -> Self {
        let today = now.as_second().div_euclid(DAY_S) as i32;
        Self { from_day: today - 400, until_day: today + 400 }
    }

    /// From 1970 until 2060: for looking for mistakes without a clock.
    pub fn wide() -> Self {
        Self { from_day: 0, until_day: 32_872 }
    }

    fn from(self) -> DateTime {
        date_of(self.from_day).to_datetime(Time::midnight())
    }

    fn until(self) -> DateTime {
        date_of(self.until_day).to_datetime(Time::midnight())
    }
}

/// Reads all calendar files at once, for a training or a replay that runs once: the calendar and the events that
/// were left out. A file that cannot be read at all is an error.
///
/// `zone` is where the days of holidays with times in UTC are, for they name no place.
pub fn read_calendars(
    configs: &[CalendarConfig],
    zone: &TimeZone,
    reach: Reach,
) -> Result<(DayCalendar, Vec<BadEvent>), CalendarFileError> {
    let mut days = DayCalendar::default();
    let mut bad = Vec::new();
    for config in configs {
        let (events, unread) = read_file(&config.file)?;
        bad.extend(unread);
        bad.extend(mark(&mut days, config, &events, zone, reach));
    }
    Ok((days, bad))
}

/// Marks what the events of one file say; gives back those whose recurrence cannot be followed.
pub(super) fn mark(
    days: &mut DayCalendar,
    config: &CalendarConfig,
    events: &[Event],
    zone: &TimeZone,
    reach: Reach,
) -> Vec<BadEvent> {
    let replaced = replaced(events);
    let mut bad = Vec::new();
    for event in events.iter().filter(|event| !event.cancelled) {
        // Occurrences that begin on the last day by another clock are within it.
        let until = reach.until().saturating_add(SignedDuration::from_hours(24));
        let starts = match starts(&config.file, event, until) {
            Ok(starts) => starts,
            Err(why) => {
                bad.push(why);
                continue;
            }
        };
        let replaced =
            event.uid.as_ref().filter(|_| event.replaces.is_none()).and_then(|uid| replaced.get(uid));
        let stands = |start: &When| !replaced.is_some_and(|list| list.iter().any(|other| other.names(start)));
        for start in starts.iter().filter(|start| stands(start)) {
            for whose in whose(config) {
                match config.kind {
                    CalendarKind::Holiday => holiday(days, whose, start, event.lasts, zone, reach),
                    CalendarKind::Quiet => quiet(days, whose, start, event.lasts, reach),
                }
            }
        }
    }
    bad
}

/// The occurrences that events of their own stand for, by `uid`.
fn replaced(events: &[Event]) -> BTreeMap<&String, Vec<&When>> {
    let mut replaced: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events {
        if let (Some(uid), Some(start)) = (&event.uid, &event.replaces) {
            replaced.entry(uid).or_default().push(start);
        }
    }
    replaced
}

fn whose(config: &CalendarConfig) -> impl Iterator<Item = Whose<'_>> {
    let everybody = config.cohorts.is_empty().then_some(Whose::Everybody);
    everybody.into_iter().chain(config.cohorts.iter().map(|cohort| Whose::Cohort(cohort)))
}

/// Marks the days the event covers wholly, by the clock it is written in.
fn holiday(
    days: &mut DayCalendar,
    whose: Whose<'_>,
    start: &When,
    lasts: SignedDuration,
    zone: &TimeZone,
    reach: Reach,
) {
    let (from, until) = match start {
        When::In(_, own) => {
            let zone = if *own == TimeZone::UTC { zone } else { own };
            let from = start.instant().unwrap_or(Timestamp::MIN);
            (zone.to_datetime(from), zone.to_datetime(from.saturating_add(lasts).unwrap_or(Timestamp::MAX)))
        }
        _ => (start.clock(), start.clock().saturating_add(lasts)),
    };
    let begun = i32::from(from.time() != Time::midnight());
    let first = (day_of(from.date()) + begun).max(reach.from_day);
    for day in first..day_of(until.date()).min(reach.until_day) {
        days.mark_holiday(whose, day);
    }
}

fn quiet(days: &mut DayCalendar, whose: Whose<'_>, start: &When, lasts: SignedDuration, reach: Reach) {
    match start {
        When::Day(date) => {
            let first = day_of(*date);
            let end = first.saturating_add((lasts.as_secs() / DAY_S) as i32);
            for day in first.max(reach.from_day)..end.min(reach.until_day) {
                days.mark_quiet_day(whose, day);
            }
        }
        When::Local(local) => {
            let until = local.saturating_add(lasts);
            if until > reach.from() {
                days.mark_quiet_local(whose, *local, until);
            }
        }
        When::In(..) => {
            let from = start.instant().unwrap_or(Timestamp::MAX);
            let until = from.saturating_add(lasts).unwrap_or(Timestamp::MAX);
            if TimeZone::UTC.to_datetime(until) > reach.from() {
                days.mark_quiet(whose, from, until);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::days::DayKind;

    const REACH: Reach = Reach { from_day: 20_000, until_day: 21_500 };

    fn marked(kind: CalendarKind, cohorts: &[&str], events: &[&str]) -> (DayCalendar, Vec<String>) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("some.ics");
        let events: Vec<_> =
            events.iter().map(|e| format!("BEGIN:VEVENT\r\n{e}\r\nEND:VEVENT\r\n")).collect();
        let events = events.concat();
        std::fs::write(&file, format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n")).expect("written");
        let cohorts = cohorts.iter().map(|name| (*name).to_owned()).collect();
        let berlin = TimeZone::get("Europe/Berlin").expect("a known zone");
        let config = CalendarConfig { file, kind, cohorts };
        let (days, bad) = read_calendars(&[config], &berlin, REACH).expect("can be read");
        let bad = bad.iter().map(ToString::to_string);
        (days, bad.map(|bad| bad.rsplit('/').next().unwrap_or_default().to_owned()).collect())
    }

    fn holidays(events: &[&str]) -> Vec<String> {
        let (days, bad) = marked(CalendarKind::Holiday, &[], events);
        assert!(bad.is_empty(), "{bad:?}");
        let all = (REACH.from_day..REACH.until_day).filter(|day| days.kind("dev", *day) == DayKind::Holiday);
        all.map(|day| date_of(day).to_string()).collect()
    }

    #[test]
    fn days_until_the_end_are_marked_and_the_end_is_not() {
        let found = holidays(&["DTSTART;VALUE=DATE:20271224\r\nDTEND;VALUE=DATE:20271227"]);
        assert_eq!(found, ["2027-12-24", "2027-12-25", "2027-12-26"]);
        assert_eq!(
            holidays(&["DTSTART:20280228\r\nDURATION:P3D"]),
            ["2028-02-28", "2028-02-29", "2028-03-01"]
        );
    }

    #[test]
    fn a_holiday_with_times_counts_for_whole_days() {
        let berlin = "DTSTART;TZID=Europe/Berlin:20271224T120000\r\nDTEND;TZID=Europe/Berlin:20271227T080000";
        assert_eq!(holidays(&[berlin]), ["2027-12-25", "2027-12-26"]);
        // Midnight to midnight of Berlin, in UTC; a day of 23 hours is whole too.
        assert_eq!(holidays(&["DTSTART:20270327T230000Z\r\nDTEND:20270328T220000Z"]), ["2027-03-28"]);
        assert!(holidays(&["DTSTART:20271224T080000\r\nDTEND:20271224T180000"]).is_empty());
    }

    #[test]
    fn quiet_times_end_when_they_say() {
        let night = "DTSTART;TZID=Europe/Berlin:20270327T220000\r\nDTEND;TZID=Europe/Berlin:20270328T060000";
        let (days, _) = marked(CalendarKind::Quiet, &["dev"], &[night, "DTSTART:20270401"]);
        let quiet =
            |cohort: &str, at: &str| days.is_quiet(cohort, &TimeZone::UTC, at.parse().expect("a time"));
        assert!(quiet("dev", "2027-03-27T21:00:00Z") && quiet("dev", "2027-03-28T03:59:59Z"));
        assert!(!quiet("dev", "2027-03-27T20:59:59Z") && !quiet("dev", "2027-03-28T04:00:00Z"));
        assert!(!quiet("ops", "2027-03-27T22:00:00Z"));
        assert_eq!(days.kind("dev", day_of("2027-04-01".parse().expect("a date"))), DayKind::Quiet);
        assert_eq!(days.kind("dev", day_of("2027-03-27".parse().expect("a date"))), DayKind::Ordinary);
    }

    #[test]
    fn a_bad_event_is_told_and_the_rest_goes_on() {
        let events = [
            "DTSTART:20271301",
            "DTSTART:20271003",
            "DTSTART:20270101\r\nRRULE:FREQ=MINUTELY",
            "X\r\nDTSTART:20270105",
        ];
        let (days, bad) = marked(CalendarKind::Holiday, &[], &events);
        assert_eq!(days.kind("dev", day_of("2027-10-03".parse().expect("a date"))), DayKind::Holiday);
        assert_eq!(bad.len(), 3, "{bad:?}");
        assert!(bad[0].starts_with("some.ics:3: DTSTART is no day"), "{bad:?}");
        assert!(bad.iter().any(|bad| bad == "some.ics:10: RRULE recurs more often than daily"), "{bad:?}");
        assert!(bad.iter().any(|bad| bad.starts_with("some.ics:13: VEVENT is no property")), "{bad:?}");
    }

    #[test]
    fn cancelled_and_moved_occurrences_are_not_marked() {
        let found = holidays(&[
            "UID:a\r\nDTSTART:20270101\r\nRRULE:FREQ=YEARLY;COUNT=2",
            "UID:a\r\nRECURRENCE-ID:20280101\r\nDTSTART:20280103",
            "UID:b\r\nDTSTART:20270501\r\nRRULE:FREQ=MONTHLY;COUNT=2",
            "UID:b\r\nRECURRENCE-ID:20270601\r\nDTSTART:20270601\r\nSTATUS:CANCELLED",
            "UID:c\r\nDTSTART:20270704\r\nSTATUS:CANCELLED",
            "UID:d\r\nDTSTART:20270705\r\nTRANSP:TRANSPARENT",
        ]);
        assert_eq!(found, ["2027-01-01", "2027-05-01", "2027-07-05", "2028-01-03"]);
    }

    #[test]
    fn days_out_of_reach_are_left_out() {
        assert_eq!(holidays(&["DTSTART:19900101\r\nDTEND:20990101"]).len(), 1_500);
        assert!(holidays(&["DTSTART:19900101", "DTSTART:20990101"]).is_empty());
    }
}
