//! Times as logs write them, read by hand because every line has one.

use jiff::{SignedDuration, Timestamp, civil::Date};

/// Longest time text that is looked at, in bytes.
const TIME_BYTES_MAX: usize = 40;

/// Reads `dd/Mon/yyyy:HH:MM:SS +zzzz` and remembers the day it saw last: most lines fall on the same one.
#[derive(Debug, Clone, Default)]
pub struct DayCache {
    day: [u8; 11],
    start_s: i64,
    filled: bool,
}

/// Bytes in `dd/Mon/yyyy:HH:MM:SS`.
const NCSA_BYTES: usize = 20;

impl DayCache {
    /// The time at the head of `text` and how many bytes it took; without a zone it is taken as UTC.
    pub fn ncsa_prefix(&mut self, text: &[u8]) -> Option<(Timestamp, usize)> {
        let (head, rest) = text.split_first_chunk::<NCSA_BYTES>()?;
        let [day @ .., _, _, _, _, _, _, _, _, _] = head;
        let [.., c0, h0, h1, c1, m0, m1, c2, s0, s1] = head;
        if [c0, c1, c2] != [&b':'; 3] {
            return None;
        }
        let clock_s = clock_s(two(*h0, *h1)?, two(*m0, *m1)?, two(*s0, *s1)?)?;
        let start_s = self.day_start_s(day)?;
        let (offset_s, zone_bytes) = zone_prefix(rest)?;
        let at = Timestamp::from_second(start_s + clock_s - offset_s).ok()?;
        Some((at, NCSA_BYTES + zone_bytes))
    }

    fn day_start_s(&mut self, day: &[u8; 11]) -> Option<i64> {
        if self.filled && self.day == *day {
            return Some(self.start_s);
        }
        let [d0, d1, b'/', m0, m1, m2, b'/', y0, y1, y2, y3] = *day else { return None };
        let year = i16::from(two(y0, y1)?) * 100 + i16::from(two(y2, y3)?);
        let date = Date::new(year, month([m0, m1, m2])?, two(d0, d1)?).ok()?;
        self.start_s = date_start_s(date);
        (self.day, self.filled) = (*day, true);
        Some(self.start_s)
    }
}

/// Seconds from 1970 to the start of `date` in UTC.
pub(super) fn date_start_s(date: Date) -> i64 {
    let days = date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
    days * 86_400
}

/// Seconds of a day; a leap second is taken as the one before.
pub(super) fn clock_s(hour: i8, minute: i8, second: i8) -> Option<i64> {
    let valid = hour < 24 && minute < 60 && second <= 60;
    valid.then(|| i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second.min(59)))
}

/// Two digits.
pub(super) fn two(tens: u8, ones: u8) -> Option<i8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| (tens * 10 + ones) as i8)
}

/// `Jan` to `Dec`, as 1 to 12.
pub(super) fn month(name: [u8; 3]) -> Option<i8> {
    const NAMES: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let name = name.to_ascii_lowercase();
    NAMES.iter().position(|known| known[..] == name[..]).map(|at| at as i8 + 1)
}

/// The offset at the head of `rest`, in seconds east of UTC, and the bytes it took: ` +hhmm`, ` +hh:mm`, ` GMT`,
/// ` UTC`, `Z`, or none. Another zone name has no certain meaning and is refused.
fn zone_prefix(rest: &[u8]) -> Option<(i64, usize)> {
    let (spaces, zone) = match rest {
        [b' ', zone @ ..] => (1, zone),
        zone => (0, zone),
    };
    match zone {
        [sign @ (b'+' | b'-'), h0, h1, m0, m1, ..] if *m0 != b':' => {
            Some((signed_offset_s(*sign, two(*h0, *h1)?, two(*m0, *m1)?)?, spaces + 5))
        }
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1, ..] => {
            Some((signed_offset_s(*sign, two(*h0, *h1)?, two(*m0, *m1)?)?, spaces + 6))
        }
        [b'G', b'M', b'T', ..] | [b'U', b'T', b'C', ..] => Some((0, spaces + 3)),
        [b'Z', ..] => Some((0, spaces + 1)),
        [b'A'..=b'Z', b'A'..=b'Z', ..] | [b'+' | b'-', b'0'..=b'9', ..] => None,
        _ => Some((0, 0)),
    }
}

fn signed_offset_s(sign: u8, hours: i8, minutes: i8) -> Option<i64> {
    let offset_s = i64::from(hours) * 3600 + i64::from(minutes) * 60;
    (hours < 24 && minutes < 60).then_some(if sign == b'-' { -offset_s } else { offset_s })
}

/// Any offset text alone, such as `+0100`, `-07:00`, `GMT`.
pub(super) fn offset_s(text: &[u8]) -> Option<i64> {
    let (offset_s, bytes) = zone_prefix(text)?;
    (bytes == text.len() && bytes > 0).then_some(offset_s)
}

/// A time in one of the ways JSON logs and F5 headers write it: RFC 3339, NCSA, RFC 2822 (HTTP dates), or a number
/// of seconds, milli- or microseconds since 1970.
pub(super) fn any_time(cache: &mut DayCache, text: &[u8]) -> Option<Timestamp> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"[").and_then(|t| t.strip_suffix(b"]")).unwrap_or(text);
    if text.len() > TIME_BYTES_MAX {
        return None;
    }
    if let Some((at, bytes)) = cache.ncsa_prefix(text) {
        return (bytes == text.len()).then_some(at);
    }
    let text = str::from_utf8(text).ok()?;
    if let Ok(number) = text.parse::<f64>() {
        return epoch(number);
    }
    let rfc3339 = text.parse::<Timestamp>().ok();
    rfc3339.or_else(|| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok())
}

/// A number since 1970, its unit told by its size: seconds until the year 5138, then milli-, then microseconds.
pub(super) fn epoch(number: f64) -> Option<Timestamp> {
    let seconds = match number.abs() {
        n if !n.is_finite() => return None,
        n if n < 1e11 => number,
        n if n < 1e14 => number / 1e3,
        _ => number / 1e6,
    };
    let since = SignedDuration::try_from_secs_f64(seconds).ok()?;
    // A log's clock has no finer grain than a microsecond, and a double no finer one today.
    Timestamp::UNIX_EPOCH.checked_add(since).ok()?.round(jiff::Unit::Microsecond).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        any_time(&mut DayCache::default(), text.as_bytes()).map(|at| at.to_string())
    }

    #[test]
    fn ncsa_times_are_read_with_their_zone() {
        assert_eq!(read("17/May/2015:10:05:03 +0000").as_deref(), Some("2015-05-17T10:05:03Z"));
        assert_eq!(read("17/May/2015:23:05:03 -0700").as_deref(), Some("2015-05-18T06:05:03Z"));
        assert_eq!(read("01/Jan/2024:00:10:00 +0530").as_deref(), Some("2023-12-31T18:40:00Z"));
        assert_eq!(read("[29/Feb/2024:12:00:00 GMT]").as_deref(), Some("2024-02-29T12:00:00Z"));
        assert_eq!(read("30/Jun/2015:23:59:60 +0000").as_deref(), Some("2015-06-30T23:59:59Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            "-",
            "30/Feb/2015:10:05:03 +0000",
            "17/Mai/2015:10:05:03 +0000",
            "17/May/2015:24:05:03 +0000",
            "17/May/2015:10:60:03 +0000",
            "17/May/2015:10:05:61 +0000",
            "17/May/2015:10:05:0x +0000",
            "17/May/2015 10:05:03 +0000",
            "17/May/2015:10:05:03 +00",
            "17/May/2015:10:05:03 +2400",
            "17/May/2015:10:05:03 CEST",
            "17/May/2015:10:05:03 +0000 tail",
            "1e300",
            "NaN",
            "99999999999999999999999999999999999999999999999999",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn other_writings_of_one_moment_agree() {
        for same in [
            "2026-03-02T08:14:59.250Z",
            "2026-03-02T09:14:59.250+01:00",
            "2026-03-02T09:14:59.250+0100",
            "1772439299.25",
            "1772439299250",
            "1772439299250000",
        ] {
            assert_eq!(read(same).as_deref(), Some("2026-03-02T08:14:59.25Z"), "{same:?}");
        }
        assert_eq!(read("Mon, 02 Mar 2026 08:14:59 GMT").as_deref(), Some("2026-03-02T08:14:59Z"));
    }

    proptest! {
        #[test]
        fn a_shared_cache_reads_what_a_calendar_writes(seconds in proptest::collection::vec(0i64..4_000_000_000, 1..8)) {
            let mut cache = DayCache::default();
            for second in seconds {
                let at = Timestamp::from_second(second).expect("in range");
                let text = at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
                prop_assert_eq!(cache.ncsa_prefix(text.as_bytes()), Some((at, text.len())));
            }
        }
    }
}
