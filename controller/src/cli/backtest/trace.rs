//! Reads a presence trace; a bad row is counted and shown, and stops nothing else.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use reveille_proto::InstanceId;
use serde::Serialize;

/// Bad rows that are kept to be shown.
const REJECTED_SHOWN_MAX: usize = 5;
/// How much of a wrong header is shown.
const HEADER_SHOWN_CHARACTERS_MAX: usize = 80;
/// Farthest a clock is from UTC, in minutes.
const OFFSET_MIN_MAX: i32 = 26 * 60;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A trace that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("failed to open trace {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("failed to read trace {}", path.display())]
    Read { path: PathBuf, source: csv::Error },
    #[error("trace {} must begin with the columns entity,utc[,tz], not with {found:?}", path.display())]
    Header { path: PathBuf, found: String },
    #[error("trace {} has no usable row{}", path.display(), told(rejected_first))]
    Empty { path: PathBuf, rejected_first: Vec<RejectedRow> },
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRow {
    pub file: PathBuf,
    pub line: u64,
    pub field: &'static str,
    pub problem: String,
}

impl fmt::Display for RejectedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: field `{}` {}", self.file.display(), self.line, self.field, self.problem)
    }
}

/// The end of an error's text: a line for each of `rows`.
fn told(rows: &[RejectedRow]) -> String {
    rows.iter().fold(String::new(), |text, row| format!("{text}\n  {row}"))
}

/// What a trace holds.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Seconds since 1970 and offset in minutes of each sighting.
    pub sightings: BTreeMap<InstanceId, Vec<(i64, i32)>>,
    pub rejected: u64,
    /// The first of them.
    pub rejected_first: Vec<RejectedRow>,
}

pub(super) fn read(path: &Path) -> Result<Trace, TraceError> {
    let open = |source| TraceError::Open { path: path.to_owned(), source };
    let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(open)?);
    let packed = file.fill_buf().map_err(open)?.starts_with(&GZIP_MAGIC);
    let bytes: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let trace = read_rows(path, bytes)?;
    if trace.sightings.is_empty() {
        return Err(TraceError::Empty { path: path.to_owned(), rejected_first: trace.rejected_first });
    }
    Ok(trace)
}

fn read_rows(path: &Path, bytes: impl Read) -> Result<Trace, TraceError> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let mut trace = Trace::default();
    let mut row = csv::ByteRecord::new();
    let failed = |source| TraceError::Read { path: path.to_owned(), source };
    check_header(path, rows.byte_headers().map_err(failed)?)?;
    while rows.read_byte_record(&mut row).map_err(failed)? {
        match sighting(&row) {
            Ok((instance, at)) => trace.sightings.entry(instance).or_default().push(at),
            Err((field, problem)) => trace.reject(path, &row, field, problem),
        }
    }
    Ok(trace)
}

/// Columns are taken by their place; a file that names others, or begins with a row, is no trace.
fn check_header(path: &Path, header: &csv::ByteRecord) -> Result<(), TraceError> {
    let names: Vec<_> = header.iter().map(|name| String::from_utf8_lossy(name.trim_ascii())).collect();
    let is = |i: usize, expected: &str| names.get(i).is_some_and(|name| name.eq_ignore_ascii_case(expected));
    if is(0, "entity") && is(1, "utc") {
        return Ok(());
    }
    let found = names.join(",").chars().take(HEADER_SHOWN_CHARACTERS_MAX).collect();
    Err(TraceError::Header { path: path.to_owned(), found })
}

impl Trace {
    fn reject(&mut self, path: &Path, row: &csv::ByteRecord, field: &'static str, problem: String) {
        self.rejected += 1;
        if self.rejected_first.len() < REJECTED_SHOWN_MAX {
            let line = row.position().map_or(0, csv::Position::line);
            self.rejected_first.push(RejectedRow { file: path.to_owned(), line, field, problem });
        }
    }
}

/// A field that cannot be read, and why.
type BadField = (&'static str, String);

/// The first three fields; the rest is not read.
fn sighting(row: &csv::ByteRecord) -> Result<(InstanceId, (i64, i32)), BadField> {
    let text = |i: usize, field| {
        let bytes = row.get(i).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| (field, "is not UTF-8".to_owned()))
    };
    let instance = InstanceId::new(text(0, "entity")?).map_err(|e| ("entity", e.to_string()))?;
    let utc = text(1, "utc")?.trim();
    let at_s: i64 = utc.parse().map_err(|_| ("utc", format!("is {utc:?}, not whole seconds since 1970")))?;
    // A day is left on both sides for the offset and the day after the last.
    let room = 2 * 86_400;
    let years = Timestamp::MIN.as_second() + room..=Timestamp::MAX.as_second() - room;
    if !years.contains(&at_s) {
        return Err(("utc", format!("is {at_s}, out of the calendar's range")));
    }
    let offset_min = match text(2, "tz")?.trim() {
        "" => 0,
        tz => tz.parse().map_err(|_| ("tz", format!("is {tz:?}, not whole minutes")))?,
    };
    if !(-OFFSET_MIN_MAX..=OFFSET_MIN_MAX).contains(&offset_min) {
        return Err(("tz", format!("is {offset_min} minutes, more than 26 hours off UTC")));
    }
    Ok((instance, (at_s, offset_min)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_rows_are_told_by_line_and_field_and_stop_nothing() {
        let text = "entity,utc,tz,role\na,100,60,x\na,soon,0\nb c,1,0\na,1,1e3\na,99999999999999,0\n\
                    a,200\na,7,9999\na,300,,x\n\"\",1,0\n";
        let trace = read_rows(Path::new("t.csv"), text.as_bytes()).expect("reads to the end");
        assert_eq!(trace.sightings.len(), 1);
        assert_eq!(trace.sightings[&InstanceId::new("a").unwrap()], [(100, 60), (200, 0), (300, 0)]);
        assert_eq!(trace.rejected, 6);
        let first: Vec<_> = trace.rejected_first.iter().map(|row| (row.line, row.field)).collect();
        assert_eq!(first, [(3, "utc"), (4, "entity"), (5, "tz"), (6, "utc"), (8, "tz")]);
        assert_eq!(trace.rejected_first[0].problem, "is \"soon\", not whole seconds since 1970");
    }

    #[test]
    fn a_trace_that_is_not_there_or_says_nothing_is_an_error() {
        assert!(matches!(read(Path::new("/no/such/trace")), Err(TraceError::Open { .. })));
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "entity,utc\n").expect("written");
        assert!(matches!(read(file.path()), Err(TraceError::Empty { .. })));
        std::fs::write(file.path(), "entity,utc\na,soon\nb,late\n").expect("written");
        let error = read(file.path()).expect_err("no row is usable").to_string();
        for part in ["no usable row", ":2: field `utc` is \"soon\"", ":3: field `utc` is \"late\""] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_table_of_something_else_is_no_trace() {
        let read = |text: &str| read_rows(Path::new("t.csv"), text.as_bytes());
        for text in ["", "a,1500000000,0\n", "utc,entity\n1,a\n", "entity\na\n"] {
            assert!(matches!(read(text), Err(TraceError::Header { .. })), "{text}");
        }
        let error = read("time,user\n1,a\n").expect_err("other columns").to_string();
        assert!(error.contains("entity,utc[,tz], not with \"time,user\""), "{error}");
        assert_eq!(read(" Entity , UTC\na,1\n").expect("the same names").sightings.len(), 1);
    }
}
