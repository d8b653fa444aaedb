//! Who comes when: real presence, laid over the world's calendar with weekday and local hour kept.
//!
//! The sample holds 60 people of a public trace of commit times (`gitdev_corp_dev`), each with 42 whole local days from a
//! Monday on, at most one row per five minutes. People and spans were drawn with a fixed seed among those active on at
//! least 10 of the days 7-34; nothing of the last seven days, the ones that are played, went into the choice.

use std::{collections::BTreeMap, io::Read};

use flate2::read::GzDecoder;
use jiff::{
    ToSpan,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

static SAMPLE_CSV_GZ: &[u8] = include_bytes!("../../data/presence_sample.csv.gz");

/// Events of one person closer than this belong to one stay.
pub const STAY_GAP_S: i64 = 2 * 3600;
/// How long somebody is taken to stay after the last event of a stay.
pub const STAY_TAIL_S: i64 = 20 * 60;
const DAY_S: i64 = 86_400;
/// 1970-01-05, the first Monday, in days since 1970.
const FIRST_MONDAY_DAY: i64 = 4;

/// One stay of a user: seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    pub arrive_s: i64,
    pub depart_s: i64,
}

/// A presence file that cannot be used, and where.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    #[error("failed to read the presence sample")]
    Unreadable(#[source] csv::Error),
    #[error("row {row} of the presence sample: field `{field}` is not a number: {text:?}")]
    NotANumber { row: usize, field: &'static str, text: String },
    #[error("the presence sample is laid from a Monday on, not from {0}")]
    NotMonday(Date),
    #[error("{0} lies outside the calendar")]
    OutOfRange(Date),
}

/// The embedded sample: per person the local seconds (as if UTC) of the events since the Monday the sample starts on.
pub fn sample() -> Result<Vec<Vec<i64>>, PresenceError> {
    read(GzDecoder::new(SAMPLE_CSV_GZ))
}

/// Reads `entity,utc,tz` (seconds since 1970, minutes east of UTC). People come in the order of their ids.
pub fn read(rows: impl Read) -> Result<Vec<Vec<i64>>, PresenceError> {
    let mut people: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (i, record) in csv::Reader::from_reader(rows).records().enumerate() {
        let record = record.map_err(PresenceError::Unreadable)?;
        let number = |at: usize, field: &'static str| {
            let text = record.get(at).unwrap_or_default();
            text.parse::<i64>().map_err(|_| PresenceError::NotANumber {
                row: i + 2,
                field,
                text: text.into(),
            })
        };
        let local_s = number(1, "utc")? + 60 * number(2, "tz")?;
        people.entry(record.get(0).unwrap_or_default().to_owned()).or_default().push(local_s);
    }
    Ok(people.into_values().map(since_monday).collect())
}

fn since_monday(mut local_s: Vec<i64>) -> Vec<i64> {
    local_s.sort_unstable();
    let first_day = local_s.first().map_or(0, |s| s.div_euclid(DAY_S));
    let monday = (first_day - FIRST_MONDAY_DAY).div_euclid(7) * 7 + FIRST_MONDAY_DAY;
    local_s.iter().map(|s| s - monday * DAY_S).collect()
}

/// Lays one person's events (local seconds since a Monday) over the calendar from `monday` on in `zone`.
pub fn stays(events_s: &[i64], monday: Date, zone: &TimeZone) -> Result<Vec<Stay>, PresenceError> {
    if monday.weekday() != Weekday::Monday {
        return Err(PresenceError::NotMonday(monday));
    }
    let mut stays: Vec<Stay> = Vec::new();
    for local_s in events_s {
        let at_s = on_calendar(*local_s, monday, zone)?;
        match stays.last_mut() {
            Some(stay) if at_s - (stay.depart_s - STAY_TAIL_S) < STAY_GAP_S => {
                stay.depart_s = at_s + STAY_TAIL_S;
            }
            _ => stays.push(Stay { arrive_s: at_s, depart_s: at_s + STAY_TAIL_S }),
        }
    }
    Ok(stays)
}

fn on_calendar(local_s: i64, monday: Date, zone: &TimeZone) -> Result<i64, PresenceError> {
    let out = || PresenceError::OutOfRange(monday);
    let date = monday.checked_add(local_s.div_euclid(DAY_S).days()).map_err(|_| out())?;
    let second = local_s.rem_euclid(DAY_S);
    let time = Time::midnight() + jiff::SignedDuration::from_secs(second);
    let at = date.to_datetime(time).to_zoned(zone.clone()).map_err(|_| out())?;
    Ok(at.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, civil::date};

    use super::*;

    fn zurich() -> TimeZone {
        TimeZone::get("Europe/Zurich").expect("in the bundled database")
    }

    #[test]
    fn the_sample_is_sixty_people_over_six_weeks() {
        let people = sample().expect("readable");
        assert_eq!(people.len(), 60);
        for events in &people {
            assert!(events.iter().all(|s| (0..42 * DAY_S).contains(s)));
            assert!(events.is_sorted() && !events.is_empty());
        }
    }

    #[test]
    fn weekday_and_local_hour_are_kept() {
        // Tuesday 2019-07-02 09:30 at UTC-7.
        let rows = "entity,utc,tz\na,1562085000,-420\n";
        let people = read(rows.as_bytes()).expect("readable");
        let stays = stays(&people[0], date(2026, 2, 2), &zurich()).expect("on the calendar");
        let at = Timestamp::from_second(stays[0].arrive_s).expect("in range").to_zoned(zurich());
        assert_eq!(at.to_string(), "2026-02-03T09:30:00+01:00[Europe/Zurich]");
    }

    #[test]
    fn events_less_than_two_hours_apart_are_one_stay() {
        let stays =
            stays(&[0, 7199, 7199 + 7200], date(2026, 2, 2), &TimeZone::UTC).expect("on the calendar");
        assert_eq!(stays.len(), 2);
        assert_eq!(stays[0].depart_s - stays[0].arrive_s, 7199 + STAY_TAIL_S);
    }

    #[test]
    fn a_bad_row_is_named() {
        let error = read("entity,utc,tz\na,1,0\nb,x,0\n".as_bytes()).expect_err("not a number");
        assert_eq!(error.to_string(), "row 3 of the presence sample: field `utc` is not a number: \"x\"");
        assert!(stays(&[0], date(2026, 2, 3), &TimeZone::UTC).is_err(), "a Tuesday");
    }
}
