//! The name of a point: the same in every run of the course, whatever the order things happened in.

use std::{fmt, str::FromStr};

/// One point of one process, by what was done, for which role, and which time it was.
///
/// Written `node/step/what/role/nth`; `role` is `-` where a point is of no wake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointKey {
    /// Of the process, as in [`super::nodes`].
    pub node: String,
    pub step: String,
    pub what: String,
    pub role: String,
    /// Counted from 1, since the process was started first.
    pub nth: u32,
}

impl PointKey {
    /// All of it but how often.
    pub fn stem(&self) -> (&str, &str, &str, &str) {
        (&self.node, &self.step, &self.what, &self.role)
    }
}

impl fmt::Display for PointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, step, what, role, nth } = self;
        write!(f, "{node}/{step}/{what}/{role}/{nth}")
    }
}

impl FromStr for PointKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no point: node/step/what/role/nth");
        let parts: Vec<&str> = text.split('/').collect();
        let [node, step, what, role, nth] = parts[..] else { return Err(bad()) };
        let nth = nth.parse().ok().filter(|nth| *nth > 0).ok_or_else(bad)?;
        let [node, step, what, role] = [node, step, what, role].map(str::to_owned);
        Ok(Self { node, step, what, role, nth })
    }
}

impl serde::Serialize for PointKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_as_it_is_written() {
        let text = "controller/row-committed/dispatch:queued:dispatched/accepted/2";
        let key: PointKey = text.parse().expect("a point");
        assert_eq!((key.role.as_str(), key.nth, key.to_string().as_str()), ("accepted", 2, text));
        for bad in ["", "controller/row-committed/x/accepted", "a/b/c/d/0", "a/b/c/d/x", "a/b/c/d/1/2"] {
            assert!(bad.parse::<PointKey>().is_err(), "{bad}");
        }
    }
}
