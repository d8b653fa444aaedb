//! One event as it was written: when it begins, how long it lasts, how it comes again.

use std::path::{Path, PathBuf};

use calcard::{
    Entry, Parser,
    common::{PartialDateTime, timezone::Tz},
    icalendar::{
        ICalendarComponent, ICalendarEntry, ICalendarParameterName, ICalendarProperty as Property,
        ICalendarRecurrenceRule, ICalendarStatus, ICalendarValue,
    },
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::cut::Block;

/// An event that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {property} {problem}", path.display())]
pub struct BadEvent {
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// The property's name, or `VEVENT` for the event as a whole.
    pub property: String,
    pub problem: String,
}

/// A problem with one property, before file and line are known.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) property: Property,
    pub(super) problem: String,
}

/// A moment as an event names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    /// A day wherever one is.
    Day(Date),
    /// A time by the clock wherever one is.
    Local(DateTime),
    /// A time by the clock of a zone. UTC is one.
    In(DateTime, TimeZone),
}

/// An event that can be used.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) block: Block,
    pub(super) uid: Option<String>,
    /// Cancelled events mark nothing, but may replace an occurrence.
    pub(super) cancelled: bool,
    pub(super) start: When,
    /// Above zero; whole days for a start that is a day.
    pub(super) lasts: SignedDuration,
    pub(super) rules: Vec<ICalendarRecurrenceRule>,
    /// Further starts.
    pub(super) more: Vec<When>,
    /// Starts that fall out.
    pub(super) except: Vec<When>,
    /// The start of the occurrence of the same `uid` it stands for.
    pub(super) replaces: Option<When>,
}

impl When {
    /// By the clock; a day begins at midnight.
    pub(super) fn clock(&self) -> DateTime {
        match self {
            Self::Day(date) => date.to_datetime(Time::midnight()),
            Self::Local(local) | Self::In(local, _) => *local,
        }
    }

    /// The same kind of moment at another time of the clock.
    pub(super) fn at_clock(&self, clock: DateTime) -> Self {
        match self {
            Self::Day(_) => Self::Day(clock.date()),
            Self::Local(_) => Self::Local(clock),
            Self::In(_, zone) => Self::In(clock, zone.clone()),
        }
    }

    /// The instant of a moment in a zone. A time the clocks skip is that much later, one they show twice the first.
    pub(super) fn instant(&self) -> Option<Timestamp> {
        match self {
            Self::In(local, zone) => {
                Some(zone.to_ambiguous_timestamp(*local).compatible().unwrap_or(Timestamp::MAX))
            }
            Self::Day(_) | Self::Local(_) => None,
        }
    }

    /// Whether this names the occurrence that starts at `start`. A day names every occurrence on it.
    pub(super) fn names(&self, start: &Self) -> bool {
        match (self.instant(), start.instant()) {
            (Some(this), Some(start)) => this == start,
            _ if matches!(self, Self::Day(_)) => self.clock().date() == start.clock().date(),
            _ => self.clock() == start.clock(),
        }
    }
}

impl BadEvent {
    pub(super) fn of(path: &Path, block: &Block, bad: Bad) -> Self {
        let property = bad.property.as_str().to_owned();
        Self { path: path.to_owned(), line: block.line_of(&property), property, problem: bad.problem }
    }
}

/// Reads one event.
pub(super) fn event(path: &Path, block: Block) -> Result<Event, BadEvent> {
    if let Some((line, problem)) = block.flaw {
        let property = "VEVENT".to_owned();
        return Err(BadEvent { path: path.to_owned(), line, property, problem: problem.to_owned() });
    }
    let parsed = match Parser::new(&block.text).entry() {
        Entry::ICalendar(calendar) => calendar.components.into_iter().next(),
        _ => None,
    };
    let Some(component) = parsed else {
        let (line, property) = (block.line, "VEVENT".to_owned());
        return Err(BadEvent { path: path.to_owned(), line, property, problem: "cannot be read".to_owned() });
    };
    match parts(&component) {
        Ok(event) => Ok(Event { block, ..event }),
        Err(bad) => Err(BadEvent::of(path, &block, bad)),
    }
}

fn parts(component: &ICalendarComponent) -> Result<Event, Bad> {
    let start = one(component, &Property::Dtstart)?
        .ok_or_else(|| bad(&Property::Dtstart, "is missing: the event has no start"))?;
    let replaced = component.property(&Property::RecurrenceId);
    if replaced.is_some_and(|entry| entry.has_parameter(&ICalendarParameterName::Range)) {
        return Err(bad(&Property::RecurrenceId, "has a RANGE, which is not supported"));
    }
    if component.has_property(&Property::Exrule) {
        return Err(bad(&Property::Exrule, "is not supported; name the dates in EXDATE"));
    }
    Ok(Event {
        block: Block { line: 0, text: String::new(), lines: std::collections::BTreeMap::new(), flaw: None },
        uid: component.uid().map(str::to_owned),
        cancelled: component.status() == Some(&ICalendarStatus::Cancelled),
        lasts: lasts(component, &start)?,
        rules: component.properties(&Property::Rrule).map(rule).collect::<Result<_, _>>()?,
        more: all(component, &Property::Rdate)?,
        except: all(component, &Property::Exdate)?,
        replaces: one(component, &Property::RecurrenceId)?,
        start,
    })
}

/// How long the event lasts: until its end, for its duration, else a day if it starts on one.
fn lasts(component: &ICalendarComponent, start: &When) -> Result<SignedDuration, Bad> {
    let is_day = matches!(start, When::Day(_));
    let (property, lasts) = if let Some(end) = one(component, &Property::Dtend)? {
        if matches!(end, When::Day(_)) != is_day {
            return Err(bad(&Property::Dtend, "and DTSTART must both be days or both be times"));
        }
        let lasts = match (start.instant(), end.instant()) {
            (Some(start), Some(end)) => end.duration_since(start),
            _ => end.clock().duration_since(start.clock()),
        };
        (Property::Dtend, lasts)
    } else if let Some(entry) = component.property(&Property::Duration) {
        let Some(ICalendarValue::Duration(duration)) = entry.values.first() else {
            return Err(bad(&Property::Duration, "is no duration such as P1D or PT8H"));
        };
        (Property::Duration, SignedDuration::from_secs(duration.as_seconds()))
    } else if is_day {
        (Property::Dtstart, SignedDuration::from_hours(24))
    } else {
        return Err(bad(&Property::Dtend, "is missing: an event with times needs an end"));
    };
    if lasts <= SignedDuration::ZERO {
        return Err(bad(&property, "is not after DTSTART"));
    }
    if is_day && lasts.as_secs() % 86_400 != 0 {
        return Err(bad(&property, "is no whole number of days, and DTSTART is a day"));
    }
    Ok(lasts)
}

fn rule(entry: &ICalendarEntry) -> Result<ICalendarRecurrenceRule, Bad> {
    match entry.values.first() {
        Some(ICalendarValue::RecurrenceRule(rule)) => Ok((**rule).clone()),
        Some(ICalendarValue::Text(text)) => Err(bad(&entry.name, format!("is no recurrence rule: {text:?}"))),
        _ => Err(bad(&entry.name, "is empty")),
    }
}

fn one(component: &ICalendarComponent, property: &Property) -> Result<Option<When>, Bad> {
    Ok(all(component, property)?.into_iter().next())
}

fn all(component: &ICalendarComponent, property: &Property) -> Result<Vec<When>, Bad> {
    let mut found = Vec::new();
    for entry in component.properties(property) {
        let zone = zone(entry)?;
        if entry.values.is_empty() {
            return Err(bad(property, "is empty"));
        }
        for value in &entry.values {
            let when = match value {
                ICalendarValue::PartialDateTime(written) => when(written, zone.as_ref()),
                _ => None,
            };
            let shown = value.as_text().map_or_else(String::new, |text| format!(": {text:?}"));
            found.push(when.ok_or_else(|| bad(property, format!("is no day and no time{shown}")))?);
        }
    }
    Ok(found)
}

/// The zone a `TZID` names: an IANA name, or a name known elsewhere, such as those of Windows. What a file's own
/// `VTIMEZONE` says is not read: its name is.
fn zone(entry: &ICalendarEntry) -> Result<Option<TimeZone>, Bad> {
    let Some(name) = entry.tz_id() else { return Ok(None) };
    // Some write a path to the name, such as `/example.org/Europe/Berlin`.
    let ends = name.match_indices('/').map(|(at, _)| &name[at + 1..]);
    let known = std::iter::once(name).chain(ends).find_map(|name| TimeZone::get(name).ok()).or_else(|| {
        let other: Tz = name.parse().ok()?;
        TimeZone::get(&other.name()?).ok()
    });
    known.map(Some).ok_or_else(|| bad(&entry.name, format!("has the unknown time zone {name:?}")))
}

/// A date or time that exists.
pub(super) fn when(written: &PartialDateTime, zone: Option<&TimeZone>) -> Option<When> {
    let small = |value: Option<u8>| i8::try_from(value?).ok();
    let date =
        Date::new(i16::try_from(written.year?).ok()?, small(written.month)?, small(written.day)?).ok()?;
    if written.hour.is_none() {
        return Some(When::Day(date));
    }
    // A leap second is the second before it.
    let second = small(written.second).unwrap_or(0).min(59);
    let time = Time::new(small(written.hour)?, small(written.minute).unwrap_or(0), second, 0).ok()?;
    let local = date.to_datetime(time);
    let zone = if written.tz_hour.is_some() { Some(&TimeZone::UTC) } else { zone };
    Some(zone.map_or(When::Local(local), |zone| When::In(local, zone.clone())))
}

pub(super) fn bad(property: &Property, problem: impl Into<String>) -> Bad {
    Bad { property: property.clone(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::{super::cut::cut, *};

    fn read(lines: &str) -> Result<Event, String> {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n");
        let block = cut(&text).expect("a calendar").remove(0);
        event(Path::new("h.ics"), block).map_err(|bad| bad.to_string())
    }

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    #[test]
    fn days_and_times_are_told_apart() {
        let event = read("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227").unwrap();
        assert_eq!(event.start, When::Day(date("2026-12-24")));
        assert_eq!(event.lasts, SignedDuration::from_hours(72));
        let event = read("DTSTART:20261224T090000Z\nDURATION:PT90M").unwrap();
        assert_eq!(event.start.instant(), Some("2026-12-24T09:00:00Z".parse().unwrap()));
        assert_eq!(event.lasts, SignedDuration::from_mins(90));
        let event = read("DTSTART:20261224T090000\nDTEND:20261224T100000").unwrap();
        assert_eq!(event.start, When::Local(date("2026-12-24").at(9, 0, 0, 0)));
        let event = read("DTSTART:20261224").unwrap();
        assert_eq!(
            (event.start, event.lasts),
            (When::Day(date("2026-12-24")), SignedDuration::from_hours(24))
        );
    }

    #[test]
    fn zones_go_by_many_names() {
        for name in
            ["Europe/Berlin", "W. Europe Standard Time", "/freeassociation.sourceforge.net/Europe/Berlin"]
        {
            let event = read(&format!("DTSTART;TZID=\"{name}\":20260701T090000\nDURATION:PT1H"));
            let event = event.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(event.start.instant(), Some("2026-07-01T07:00:00Z".parse().unwrap()), "{name}");
        }
        let error = read("DTSTART;TZID=Mars/Olympus:20260701T090000\nDURATION:PT1H").unwrap_err();
        assert_eq!(error, "h.ics:3: DTSTART has the unknown time zone \"Mars/Olympus\"");
    }

    #[test]
    fn the_length_is_exact_over_a_clock_change() {
        let zoned = "DTSTART;TZID=Europe/Berlin:20260328T220000\nDTEND;TZID=Europe/Berlin:20260329T060000";
        assert_eq!(read(zoned).unwrap().lasts, SignedDuration::from_hours(7));
    }

    #[test]
    fn folded_lines_and_lower_case_are_read() {
        let event = read("SUMMARY:x\ndtstart;value=da\n te:202612\n 24\nstatus:cancelled\nUID:a@b").unwrap();
        assert_eq!(event.start, When::Day(date("2026-12-24")));
        assert!(event.cancelled);
        assert_eq!(event.uid.as_deref(), Some("a@b"));
    }

    #[test]
    fn each_problem_names_line_and_property() {
        for (lines, problem) in [
            ("SUMMARY:x", "h.ics:2: DTSTART is missing"),
            ("SUMMARY:x\nDTSTART:soon", "h.ics:4: DTSTART is no day and no time: \"soon\""),
            ("DTSTART;VALUE=DATE:20260230", "h.ics:3: DTSTART is no day and no time"),
            ("DTSTART:20260101\nDTEND:20260101", "h.ics:4: DTEND is not after DTSTART"),
            ("DTSTART:20260101\nDTEND:20260102T080000", "h.ics:4: DTEND and DTSTART must both be days"),
            ("DTSTART:20260101T080000Z", "h.ics:2: DTEND is missing"),
            ("DTSTART:20260101\nDURATION:PT5H", "h.ics:4: DURATION is no whole number of days"),
            ("DTSTART:20260101\nDURATION:long", "h.ics:4: DURATION is no duration"),
            (
                "DTSTART:20260101\nRRULE:FREQ=SOMETIMES",
                "h.ics:4: RRULE is no recurrence rule: \"FREQ=SOMETIMES\"",
            ),
            ("DTSTART:20260101\nEXRULE:FREQ=DAILY", "h.ics:4: EXRULE is not supported"),
            ("DTSTART:20260101\nEXDATE:", "h.ics:4: EXDATE is no day and no time: \"\""),
            ("DTSTART 20260101", "h.ics:3: VEVENT is no property"),
        ] {
            let error = read(lines).expect_err(lines);
            assert!(error.starts_with(problem), "{lines:?}: {error}");
        }
    }
}
