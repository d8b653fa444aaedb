//! What is wrong with a file: where, which field, which rule, and what to do.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use thiserror::Error;

use super::node::Mark;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// `None` where the parser could not tell.
    pub mark: Option<Mark>,
    /// JSON pointer (RFC 6901) of the field; empty for the whole file.
    pub path: String,
    /// Short name of what was broken, the same in every version: `target_exists`.
    pub rule: &'static str,
    pub message: String,
}

/// All that is wrong with a file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", self.lines())]
pub struct Invalid {
    pub problems: Vec<Problem>,
}

impl Invalid {
    fn lines(&self) -> String {
        self.problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
    }
}

impl From<Problem> for Invalid {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(mark) = self.mark {
            write!(f, ":{}:{}", mark.line, mark.column)?;
        }
        let path = if self.path.is_empty() { "/" } else { &self.path };
        write!(f, ": {path}: {} [{}]", self.message, self.rule)
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("file", &self.file)?;
        map.serialize_entry("line", &self.mark.map(|mark| mark.line))?;
        map.serialize_entry("column", &self.mark.map(|mark| mark.column))?;
        map.serialize_entry("path", &self.path)?;
        map.serialize_entry("rule", self.rule)?;
        map.serialize_entry("message", &self.message)?;
        map.end()
    }
}
