//! A profile as bytes, for the database and the wire: at most 512 of them.

use jiff::{fmt::temporal::DateTimeParser, tz::TimeZone};

use super::{
    hours::{HourProfile, Unchecked},
    rule::HISTORY_DAYS_MAX,
};

/// Longest accepted zone name, in bytes. The longest IANA name has 32.
pub const ZONE_BYTES_MAX: usize = 64;
const LAYOUT: u8 = 1;
const NO_FIRST_DAY: i32 = i32::MIN;
/// Farthest day from 1970-01-01, either way: the calendar has the years -9999 to 9999.
const DAY_MAX: i32 = 4_400_000;
const HOURS_MAX: u32 = (1 << 24) - 1;

/// Bytes that are not a profile, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProfile {
    #[error("profile is cut short at byte {0}")]
    Short(usize),
    #[error("profile has {0} bytes too many")]
    Long(usize),
    #[error("profile has the unknown layout {0}")]
    Layout(u8),
    #[error("profile has the unknown time zone `{0}`")]
    Zone(String),
    #[error("profile has {0} days, at most {HISTORY_DAYS_MAX} are allowed")]
    Days(usize),
    #[error("profile has day {0}, which no calendar has")]
    Day(i32),
    #[error("profile has a day with more than 24 hours")]
    Hours,
}

impl HourProfile {
    /// Layout 1: layout byte, `as_of` and first day (i32, little endian, days since 1970), zone name after its
    /// length byte, number of days, three bytes of hour bits per day.
    pub fn encode(&self) -> Vec<u8> {
        let zone = zone_name(&self.zone);
        let mut bytes = Vec::with_capacity(11 + zone.len() + 3 * self.hours_by_day.len());
        bytes.push(LAYOUT);
        bytes.extend_from_slice(&self.as_of_day.to_le_bytes());
        bytes.extend_from_slice(&self.first_day.unwrap_or(NO_FIRST_DAY).to_le_bytes());
        bytes.push(zone.len() as u8);
        bytes.extend_from_slice(zone.as_bytes());
        bytes.push(self.hours_by_day.len() as u8);
        for hours in &self.hours_by_day {
            bytes.extend_from_slice(&hours.to_le_bytes()[..3]);
        }
        bytes
    }

    /// Reads what [`HourProfile::encode`] wrote. The zone is looked up in the time zone database.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadProfile> {
        let mut rest = Rest { bytes, at: 0 };
        let [layout] = rest.take()?;
        if layout != LAYOUT {
            return Err(BadProfile::Layout(layout));
        }
        let as_of_day = i32::from_le_bytes(rest.take()?);
        let first_day = Some(i32::from_le_bytes(rest.take()?)).filter(|day| *day != NO_FIRST_DAY);
        let [zone_len] = rest.take()?;
        let zone = String::from_utf8_lossy(rest.slice(usize::from(zone_len))?).into_owned();
        let zone = DateTimeParser::new().parse_time_zone(&zone).map_err(|_| BadProfile::Zone(zone))?;
        let [days] = rest.take()?;
        let hours = (0..days).map(|_| rest.take().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0])));
        let hours_by_day = hours.collect::<Result<_, _>>()?;
        match bytes.len() - rest.at {
            0 => Unchecked { zone, as_of_day, first_day, hours_by_day }.try_into(),
            more => Err(BadProfile::Long(more)),
        }
    }
}

impl TryFrom<Unchecked> for HourProfile {
    type Error = BadProfile;

    fn try_from(read: Unchecked) -> Result<Self, BadProfile> {
        let Unchecked { zone, as_of_day, first_day, hours_by_day } = read;
        if hours_by_day.len() > usize::from(HISTORY_DAYS_MAX) {
            return Err(BadProfile::Days(hours_by_day.len()));
        }
        let days = [Some(as_of_day), first_day];
        if let Some(day) = days.into_iter().flatten().find(|day| !(-DAY_MAX..=DAY_MAX).contains(day)) {
            return Err(BadProfile::Day(day));
        }
        if hours_by_day.iter().any(|hours| *hours > HOURS_MAX) {
            return Err(BadProfile::Hours);
        }
        Ok(Self { zone, as_of_day, first_day, hours_by_day: hours_by_day.into() })
    }
}

/// A name `decode` reads back. A zone without one (taken from an unnamed system file) is kept as UTC.
fn zone_name(zone: &TimeZone) -> String {
    let name = jiff::fmt::temporal::DateTimePrinter::new().time_zone_to_string(zone);
    name.ok().filter(|name| name.len() <= ZONE_BYTES_MAX).unwrap_or_else(|| "UTC".to_owned())
}

struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn slice(&mut self, len: usize) -> Result<&'a [u8], BadProfile> {
        let short = BadProfile::Short(self.bytes.len());
        let slice = self.bytes.get(self.at..self.at + len).ok_or(short)?;
        self.at += len;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadProfile> {
        let short = BadProfile::Short(self.bytes.len());
        self.slice(N)?.try_into().map_err(|_| short)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;
    use proptest::prelude::*;

    use super::*;

    fn profile(zone: TimeZone, as_of_day: i32, first_day: Option<i32>, hours: &[u32]) -> HourProfile {
        HourProfile { zone, as_of_day, first_day, hours_by_day: hours.into() }
    }

    #[test]
    fn zones_survive_by_name_or_offset() {
        let named = TimeZone::get("America/Argentina/ComodRivadavia").expect("the longest name");
        for zone in [named, TimeZone::UTC, TimeZone::fixed(Offset::constant(-3))] {
            let before = profile(zone, 20_000, None, &[1, 0, 0xFF_FFFF]);
            assert_eq!(HourProfile::decode(&before.encode()), Ok(before));
        }
    }

    #[test]
    fn the_longest_profile_fits_in_512_bytes() {
        let zone = TimeZone::get("America/Argentina/ComodRivadavia").expect("the longest name");
        let longest = profile(zone, 20_000, Some(1), &vec![0; usize::from(HISTORY_DAYS_MAX)]);
        assert!(longest.encode().len() <= 512 - ZONE_BYTES_MAX, "{}", longest.encode().len());
    }

    #[test]
    fn broken_bytes_say_what_is_wrong() {
        let good = profile(TimeZone::UTC, 20_000, Some(19_000), &[7; 30]).encode();
        assert_eq!(HourProfile::decode(&good[..good.len() - 1]), Err(BadProfile::Short(good.len() - 1)));
        assert_eq!(HourProfile::decode(&[]), Err(BadProfile::Short(0)));
        assert_eq!(HourProfile::decode(&[&good[..], &[0]].concat()), Err(BadProfile::Long(1)));
        assert_eq!(HourProfile::decode(&[9]), Err(BadProfile::Layout(9)));
        let far = profile(TimeZone::UTC, DAY_MAX + 1, None, &[]).encode();
        assert_eq!(HourProfile::decode(&far), Err(BadProfile::Day(DAY_MAX + 1)));
        let mut lost = good;
        lost[10] = b'X';
        assert_eq!(HourProfile::decode(&lost), Err(BadProfile::Zone("XTC".into())));
    }

    #[test]
    fn json_is_checked_like_bytes() {
        let good = profile(TimeZone::UTC, 20_000, Some(19_000), &[7; 3]);
        let mut json = serde_json::to_value(&good).expect("serializes");
        assert_eq!(serde_json::from_value::<HourProfile>(json.clone()).expect("comes back"), good);
        json["as_of_day"] = i32::MAX.into();
        assert!(serde_json::from_value::<HourProfile>(json.clone()).is_err());
        json["as_of_day"] = 20_000.into();
        json["hours_by_day"] = vec![1u32 << 24].into();
        assert!(serde_json::from_value::<HourProfile>(json.clone()).is_err());
        json["hours_by_day"] = vec![0u32; 121].into();
        assert!(serde_json::from_value::<HourProfile>(json).is_err());
    }

    proptest! {
        #[test]
        fn bytes_come_back_as_the_same_profile(
            as_of in -100_000..100_000i32,
            first in proptest::option::of(-100_000..100_000i32),
            hours in proptest::collection::vec(0..1u32 << 24, 0..=usize::from(HISTORY_DAYS_MAX)),
        ) {
            let before = profile(TimeZone::UTC, as_of, first, &hours);
            prop_assert_eq!(HourProfile::decode(&before.encode()), Ok(before));
        }

        #[test]
        fn noise_is_refused_or_can_be_asked(as_of in any::<i32>(), first in any::<i32>(), hours in any::<[u8; 3]>()) {
            let head = [&[LAYOUT][..], &as_of.to_le_bytes(), &first.to_le_bytes(), b"\x03UTC\x01", &hours].concat();
            if let Ok(profile) = HourProfile::decode(&head) {
                let rule = crate::model::Rule::default();
                let _ = crate::model::forecast(&profile, &rule, jiff::Timestamp::UNIX_EPOCH);
            }
        }
    }
}
