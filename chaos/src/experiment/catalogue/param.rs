//! What a parameter of a fault may be, and how one is read: with a type, a default and a range.

use std::{fmt::Display, ops::RangeInclusive};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::experiment::file::Length;

/// One parameter as documentation shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParamInfo {
    pub name: &'static str,
    pub default: Value,
    /// In words: `0 to 1`, `1s to 2h`, `reset, eof`.
    pub range: String,
    pub meaning: &'static str,
}

/// A parameter that is not there, not of its type or out of its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamProblem {
    pub name: String,
    pub message: String,
}

pub trait Param: Sized {
    /// What bounds it.
    type Range;

    /// The value, or in words why it is none.
    fn read(value: &Value, range: &Self::Range) -> Result<Self, String>;

    fn range_text(range: &Self::Range) -> String;
}

/// Reads the parameters of one fault and gathers all that is wrong with them.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    given: &'a Map<String, Value>,
    problems: Vec<ParamProblem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(given: &'a Map<String, Value>) -> Self {
        Self { given, problems: Vec::new() }
    }

    /// A problem for each parameter that the fault does not have.
    pub(super) fn refuse_others(&mut self, known: &[&str]) {
        let message = if known.is_empty() {
            "is not known, this fault has no parameters".to_owned()
        } else {
            format!("is not known, this fault has {}", known.join(", "))
        };
        let foreign = self.given.keys().filter(|name| !known.contains(&name.as_str()));
        let foreign = foreign.map(|name| ParamProblem { name: name.clone(), message: message.clone() });
        self.problems.extend(foreign);
    }

    /// The parameter, or its default where it is not given or not right.
    pub(super) fn take<T: Param>(&mut self, name: &str, range: &T::Range, default: T) -> T {
        let Some(value) = self.given.get(name) else { return default };
        T::read(value, range).unwrap_or_else(|message| {
            self.problems.push(ParamProblem { name: name.to_owned(), message });
            default
        })
    }

    pub(super) fn finish<T>(self, read: T) -> Result<T, Vec<ParamProblem>> {
        if self.problems.is_empty() { Ok(read) } else { Err(self.problems) }
    }
}

fn within<T: PartialOrd + Display + Copy>(given: T, range: &RangeInclusive<T>) -> Result<T, String> {
    if range.contains(&given) { Ok(given) } else { Err(format!("{given} is not within {}", span(range))) }
}

fn span<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", range.start(), range.end())
}

impl Param for f64 {
    type Range = RangeInclusive<Self>;

    fn read(value: &Value, range: &Self::Range) -> Result<Self, String> {
        within(value.as_f64().ok_or_else(|| format!("{value} is not a number"))?, range)
    }

    fn range_text(range: &Self::Range) -> String {
        span(range)
    }
}

impl Param for u64 {
    type Range = RangeInclusive<Self>;

    fn read(value: &Value, range: &Self::Range) -> Result<Self, String> {
        within(value.as_u64().ok_or_else(|| format!("{value} is not a whole number"))?, range)
    }

    fn range_text(range: &Self::Range) -> String {
        span(range)
    }
}

impl Param for Length {
    type Range = RangeInclusive<Self>;

    fn read(value: &Value, range: &Self::Range) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| format!("{value} is not a length of time such as 15s"))?;
        within(text.parse().map_err(|error| format!("{error}"))?, range)
    }

    fn range_text(range: &Self::Range) -> String {
        span(range)
    }
}

impl Param for bool {
    type Range = ();

    fn read(value: &Value, (): &()) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| format!("{value} is neither true nor false"))
    }

    fn range_text((): &()) -> String {
        "true, false".into()
    }
}

/// A length that each use draws anew, both ends included. One length alone stands for both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Between(pub Length, pub Length);

impl Param for Between {
    type Range = RangeInclusive<Length>;

    fn read(value: &Value, range: &Self::Range) -> Result<Self, String> {
        let Value::Array(ends) = value else {
            return Length::read(value, range).map(|length| Self(length, length));
        };
        let [low, high] = ends.as_slice() else {
            return Err(format!("{value} is not two lengths of time"));
        };
        let (low, high) = (Length::read(low, range)?, Length::read(high, range)?);
        if low <= high { Ok(Self(low, high)) } else { Err(format!("{low} is more than {high}")) }
    }

    fn range_text(range: &Self::Range) -> String {
        format!("one or two of {}", span(range))
    }
}

impl<T: Param> Param for Vec<T> {
    type Range = T::Range;

    fn read(value: &Value, range: &Self::Range) -> Result<Self, String> {
        let items = value.as_array().filter(|items| !items.is_empty());
        let items = items.ok_or_else(|| format!("{value} is not a list with at least one item"))?;
        items.iter().map(|item| T::read(item, range)).collect()
    }

    fn range_text(range: &Self::Range) -> String {
        format!("a list of {}", T::range_text(range))
    }
}

/// A time zone by its IANA name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Zone(pub String);

impl Param for Zone {
    type Range = ();

    fn read(value: &Value, (): &()) -> Result<Self, String> {
        let name = value.as_str().ok_or_else(|| format!("{value} is not the name of a time zone"))?;
        let known = jiff::tz::TimeZone::get(name).is_ok();
        if known { Ok(Self(name.to_owned())) } else { Err(format!("there is no time zone `{name}`")) }
    }

    fn range_text((): &()) -> String {
        "an IANA time zone".into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_type_refuses_what_is_not_of_it_or_out_of_range() {
        assert_eq!(f64::read(&json!(0.5), &(0.0..=1.0)), Ok(0.5));
        assert!(f64::read(&json!(1.5), &(0.0..=1.0)).is_err_and(|text| text.contains("not within 0 to 1")));
        assert!(u64::read(&json!(1.5), &(0..=9)).is_err());
        let range = Length::s(1)..=Length::m(1);
        assert_eq!(Length::read(&json!("15s"), &range), Ok(Length::s(15)));
        assert!(Length::read(&json!(15), &range).is_err() && Length::read(&json!("2m"), &range).is_err());
        assert_eq!(Between::read(&json!("5s"), &range), Ok(Between(Length::s(5), Length::s(5))));
        assert!(Between::read(&json!(["9s", "5s"]), &range).is_err_and(|text| text.contains("more than")));
        assert!(Between::read(&json!(["9s"]), &range).is_err());
        assert!(Vec::<u64>::read(&json!([]), &(0..=9)).is_err());
        assert!(Zone::read(&json!("Mars/Olympus"), &()).is_err());
    }
}
