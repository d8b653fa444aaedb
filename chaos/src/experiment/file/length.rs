//! A length of time as experiments write it: `50ms`, `15s`, `20m`, `6h`, `1d`, also with a fraction (`1.5h`).

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

/// Units by their length in milliseconds, the longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Longest that is accepted: ten years, so that sums never overflow.
const MS_MAX: u64 = 3_650 * 86_400_000;

/// Whole milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length(u64);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no length of time: write a number and ms, s, m, h or d, such as 15s or 1.5h")]
pub struct NoLength(String);

impl Length {
    pub const ZERO: Self = Self(0);

    pub const fn ms(ms: u64) -> Self {
        Self(ms)
    }

    pub const fn s(s: u64) -> Self {
        Self(s * 1_000)
    }

    pub const fn m(minutes: u64) -> Self {
        Self::s(minutes * 60)
    }

    pub const fn h(hours: u64) -> Self {
        Self::m(hours * 60)
    }

    pub const fn as_ms(self) -> u64 {
        self.0
    }

    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    pub fn as_secs_f64(self) -> f64 {
        self.as_duration().as_secs_f64()
    }

    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl From<Length> for Duration {
    fn from(length: Length) -> Self {
        length.as_duration()
    }
}

impl FromStr for Length {
    type Err = NoLength;

    fn from_str(text: &str) -> Result<Self, NoLength> {
        let no = || NoLength(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(no)?;
        let (number, unit) = text.split_at(digits);
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(no)?;
        let well_formed = number.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.');
        let number: f64 = number.parse().ok().filter(|_| well_formed).ok_or_else(no)?;
        let ms = (number * *ms as f64).round();
        if ms <= MS_MAX as f64 { Ok(Self(ms as u64)) } else { Err(no()) }
    }
}

/// In the largest unit that needs no fraction.
impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, ms): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*ms);
        let (unit, ms) = UNITS.iter().find(whole).unwrap_or(&("s", 1_000));
        write!(f, "{}{unit}", self.0 / ms)
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<u64> {
        text.parse().ok().map(Length::as_ms)
    }

    #[test]
    fn each_unit_is_read_and_nothing_else() {
        assert_eq!(read("50ms"), Some(50));
        assert_eq!(read("15s"), Some(15_000));
        assert_eq!(read("20m"), Some(1_200_000));
        assert_eq!(read("1.5h"), Some(5_400_000));
        assert_eq!(read("2d"), Some(172_800_000));
        for wrong in ["", "15", "s", ".5s", "5.s", "1.2.3s", "-5s", "5 s", "5w", "1e3s", "99999d"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (ms, text) in [(0, "0s"), (50, "50ms"), (1_500, "1500ms"), (90_000, "90s"), (7_200_000, "2h")] {
            assert_eq!(Length::ms(ms).to_string(), text);
            assert_eq!(read(text), Some(ms));
        }
    }
}
