//! Many rows as one parameter: a JSON array that both databases read as a table, so that a batch is one statement.

use serde::Serialize;

use super::Backend;

/// Rows per statement: the text stays at two or three megabytes.
pub(super) const ROWS_PER_STATEMENT: usize = 4000;

/// What a row comes to as text, or somewhat more.
const ROW_BYTES: usize = 512;

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Int,
    Real,
    Text,
}

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Self::Int => "BIGINT",
            Self::Real => "DOUBLE PRECISION",
            Self::Text => "TEXT",
        }
    }
}

/// `(SELECT .. FROM ..)` over the objects in parameter `$1`, a column per field.
pub(super) fn table(backend: Backend, columns: &[(&str, Kind)]) -> String {
    let each = |column: fn(&str, &str) -> String| {
        let columns: Vec<_> = columns.iter().map(|(name, kind)| column(name, kind.sql())).collect();
        columns.join(", ")
    };
    match backend {
        Backend::Sqlite => {
            let columns = each(|name, kind| format!("CAST(value ->> '{name}' AS {kind}) AS {name}"));
            format!("(SELECT {columns} FROM {} AS element)", backend.elements(1))
        }
        // One pass over the text for all columns.
        Backend::Postgres => {
            let columns = each(|name, kind| format!("{name} {kind}"));
            format!("(SELECT * FROM json_to_recordset(CAST($1 AS JSON)) AS element({columns}))")
        }
    }
}

/// The ids in parameter `$1`, which is an array of arrays of one text.
pub(super) fn ids(backend: Backend) -> String {
    format!("(SELECT CAST(value ->> 0 AS TEXT) FROM {} AS element)", backend.elements(1))
}

/// What [`ids`] reads.
pub(super) fn ids_json<T: ToString>(ids: impl IntoIterator<Item = T>) -> String {
    json(&ids.into_iter().map(|id| (id.to_string(),)).collect::<Vec<_>>())
}

/// What [`table`] reads.
pub(super) fn json(rows: &[impl Serialize]) -> String {
    // Growing by doubling would copy megabytes.
    let mut text = Vec::with_capacity(ROW_BYTES * rows.len() + 2);
    serde_json::to_writer(&mut text, rows).expect("rows are plain data");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// Text that both databases hold: PostgreSQL has no character of code 0.
pub(super) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
