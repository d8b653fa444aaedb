//! Columns become domain values once; what cannot is a named bad row.

use std::{fmt::Display, str::FromStr};

use jiff::Timestamp;

use super::StoreError;

/// Where a column's value comes from, for the error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a str,
}

impl Place<'_> {
    pub(crate) fn bad(self, problem: impl Into<String>) -> StoreError {
        StoreError::BadRow { table: self.table, row: self.row.to_owned(), problem: problem.into() }
    }

    pub(crate) fn time(self, column: &str, at_ms: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(at_ms).map_err(|_| self.bad(format!("{column} is out of range: {at_ms}")))
    }

    pub(crate) fn time_opt(self, column: &str, at_ms: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
        at_ms.map(|ms| self.time(column, ms)).transpose()
    }

    pub(crate) fn parse<T: FromStr<Err: Display>>(self, column: &str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|e| self.bad(format!("{column} {e}")))
    }

    pub(crate) fn parse_opt<T: FromStr<Err: Display>>(
        self,
        column: &str,
        text: Option<&str>,
    ) -> Result<Option<T>, StoreError> {
        text.map(|text| self.parse(column, text)).transpose()
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        self,
        column: &str,
        text: &str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|e| self.bad(format!("{column} is not what was expected: {e}")))
    }
}

/// Milliseconds since 1970.
pub(crate) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}
