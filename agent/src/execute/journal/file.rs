//! The file: JSON lines behind a header that names the journal. Torn ends are cut off, bad lines are passed over.

use std::{
    fs::{File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use reveille_proto::planted;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::JournalError;
use crate::execute::{Book, Record};

const FORMAT: &str = "reveille-agent-journal/1";

/// A file below this size is not compacted while it is in use.
const COMPACT_AT_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Bad lines that are told one by one.
const BAD_LINES_SHOWN_MAX: u64 = 5;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    journal_id: String,
}

/// The open file, to which only this process appends.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    file: File,
    /// Up to here all lines are whole.
    good_bytes: u64,
    /// At this size the file is compacted.
    compact_at_bytes: u64,
    torn: bool,
    id: String,
    bad_lines: u64,
    _lock: File,
}

impl JournalFile {
    /// Opens the journal in `dir`, or begins one named `new_id`, and gives what it says.
    pub fn open(dir: &Path, new_id: &str, now: Timestamp) -> Result<(Self, Book), JournalError> {
        std::fs::create_dir_all(dir).map_err(|e| failed("create", dir, e))?;
        let lock = lock(&dir.join("journal.lock"))?;
        let path = dir.join("journal.jsonl");
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(|e| failed("read", &path, e))?,
        };
        let Read { id, mut book, bad_lines } = read(&path, &bytes);
        if !bytes.is_empty() && planted!("journal-not-read") {
            book = Book::default();
        }
        book.forget(now);
        let id = id.unwrap_or_else(|| new_id.to_owned());
        let (file, good_bytes) = rewrite(&path, &id, &book)?;
        sync_dir(&path)?;
        let compact_at_bytes = COMPACT_AT_BYTES_MIN.max(2 * good_bytes);
        let journal =
            Self { path, file, good_bytes, compact_at_bytes, torn: false, id, bad_lines, _lock: lock };
        Ok((journal, book))
    }

    /// Changes when the journal was lost.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Lines that said nothing when it was opened.
    pub fn bad_lines(&self) -> u64 {
        self.bad_lines
    }

    /// From now on the file is another one, say one on a full disk.
    #[cfg(test)]
    pub(in crate::execute) fn write_to_for_tests(&mut self, path: &Path) {
        self.file = File::options().append(true).open(path).expect("opened");
    }

    /// Drops what nobody will ask for again, when the file has grown. A failure leaves the old file in use.
    pub fn compact_if_large(&mut self, now: Timestamp) -> Result<(), JournalError> {
        if self.good_bytes < self.compact_at_bytes {
            return Ok(());
        }
        self.compact_at_bytes = 2 * self.good_bytes;
        let bytes = std::fs::read(&self.path).map_err(|e| failed("read", &self.path, e))?;
        let Read { mut book, .. } = read(&self.path, &bytes);
        book.forget(now);
        (self.file, self.good_bytes) = rewrite(&self.path, &self.id, &book)?;
        // Should the directory forget the new name, what is appended from here on would be lost with it.
        self.torn = true;
        sync_dir(&self.path)?;
        self.torn = false;
        self.compact_at_bytes = COMPACT_AT_BYTES_MIN.max(2 * self.good_bytes);
        Ok(())
    }

    /// Appends whole lines, and with `sync` returns only when they are on disk.
    pub fn append(&mut self, lines: &[u8], sync: bool) -> Result<(), JournalError> {
        if self.torn {
            return Err(JournalError::Torn);
        }
        let written =
            self.file.write_all(lines).and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => {
                self.good_bytes += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // What was half written must not become the beginning of the next line.
                self.torn = self.file.set_len(self.good_bytes).is_err();
                Err(failed("append to", &self.path, error))
            }
        }
    }
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::Io { what, path: path.into(), source: Arc::new(source) }
}

fn lock(path: &Path) -> Result<File, JournalError> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|e| failed("open", path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path: path.into() }),
        Err(TryLockError::Error(e)) => Err(failed("lock", path, e)),
    }
}

struct Read {
    id: Option<String>,
    book: Book,
    bad_lines: u64,
}

fn read(path: &Path, bytes: &[u8]) -> Read {
    // What follows the last line end was never whole; nothing was done on its strength.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut read = Read { id: None, book: Book::default(), bad_lines: 0 };
    for (index, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        if index == 0
            && let Ok(header) = serde_json::from_slice::<Header>(line)
            && header.format == FORMAT
        {
            read.id = Some(header.journal_id);
            continue;
        }
        match serde_json::from_slice::<Record>(line) {
            Ok(record) => read.book.apply(&record),
            Err(error) => {
                read.bad_lines += 1;
                if read.bad_lines <= BAD_LINES_SHOWN_MAX {
                    warn!(file = %path.display(), line = index + 1, %error, "a line of the journal is passed over");
                }
            }
        }
    }
    read
}

/// Writes the journal anew beside the old one and puts it in its place, so that a crash leaves one or the other.
fn rewrite(path: &Path, id: &str, book: &Book) -> Result<(File, u64), JournalError> {
    let mut bytes = Vec::new();
    line(&mut bytes, &Header { format: FORMAT.into(), journal_id: id.into() });
    for record in book.compacted() {
        line(&mut bytes, &record);
    }
    let fresh = path.with_extension("jsonl.new");
    match std::fs::remove_file(&fresh) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &fresh, e)),
        _ => {}
    }
    let file = File::options().append(true).create_new(true).open(&fresh);
    let mut file = file.map_err(|e| failed("create", &fresh, e))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|e| failed("write", &fresh, e))?;
    std::fs::rename(&fresh, path).map_err(|e| failed("put in place", path, e))?;
    Ok((file, bytes.len() as u64))
}

/// Makes the new name of a file last.
fn sync_dir(path: &Path) -> Result<(), JournalError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| failed("sync", dir, e))
}

/// Appends `value` as one line.
pub(super) fn line(bytes: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(&mut *bytes, value).expect("plain data writes itself to memory");
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests {
    use reveille_proto::v1;

    use super::*;
    use crate::execute::harness::{at, ending, order};

    fn open(dir: &Path, id: &str) -> (JournalFile, Book) {
        JournalFile::open(dir, id, at(0)).expect("opened")
    }

    fn received(n: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        line(&mut bytes, &Record::Received { order: order(n, 1), at: at(0) });
        bytes
    }

    #[test]
    fn what_was_written_is_there_again_under_the_same_id() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut file, _) = open(dir.path(), "first");
        file.append(&received(1), true).expect("written");
        drop(file);
        let (file, book) = open(dir.path(), "second");
        assert_eq!((file.id(), book.entries().count(), file.bad_lines()), ("first", 1, 0));
    }

    #[test]
    fn two_agents_cannot_share_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let _first = open(dir.path(), "a");
        let error = JournalFile::open(dir.path(), "b", at(0)).expect_err("locked");
        assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    }

    #[test]
    fn bad_lines_are_passed_over_and_a_torn_end_is_cut_off() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut file, _) = open(dir.path(), "a");
        let third = received(3);
        let lines =
            [received(1), b"{\"event\":\"no such\"}\n\xff\n".to_vec(), received(2), third[..20].to_vec()];
        file.append(&lines.concat(), true).expect("written");
        drop(file);
        let (mut file, book) = open(dir.path(), "b");
        assert_eq!((file.bad_lines(), book.entries().count(), file.id()), (2, 2, "a"));
        file.append(&third, true).expect("written");
        drop(file);
        let (file, book) = open(dir.path(), "b");
        assert_eq!((file.bad_lines(), book.entries().count()), (0, 3));
    }

    #[test]
    fn a_grown_file_is_compacted_in_use_and_loses_nothing_that_matters() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut file, _) = open(dir.path(), "a");
        for n in 1..=40 {
            file.append(&received(n % 2), false).expect("written");
        }
        let grown = file.good_bytes;
        file.compact_if_large(at(0)).expect("not yet");
        assert_eq!(file.good_bytes, grown);
        file.compact_at_bytes = grown;
        file.compact_if_large(at(0)).expect("compacted");
        assert!(file.good_bytes < grown / 10, "{} of {grown}", file.good_bytes);
        file.append(&received(9), true).expect("written");
        drop(file);
        let (file, book) = open(dir.path(), "b");
        assert_eq!((file.id(), book.entries().count(), file.bad_lines()), ("a", 3, 0));
    }

    #[test]
    fn what_was_acknowledged_long_ago_is_dropped_when_it_is_opened() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut file, _) = open(dir.path(), "a");
        let (wake, attempt) = (order(1, 1).wake, 1);
        let ending = ending(v1::Outcome::Woken, v1::Effect::Accepted, at(1));
        let mut lines = received(1);
        line(&mut lines, &Record::Done { wake, attempt, ending });
        line(&mut lines, &Record::Acked { wake, attempt, at: at(2) });
        file.append(&lines, true).expect("written");
        drop(file);
        let count = |now| JournalFile::open(dir.path(), "b", now).expect("opened").1.entries().count();
        assert_eq!((count(at(3600)), count(at(25 * 3600))), (1, 0));
    }

    #[test]
    fn a_lost_header_is_a_new_journal_that_still_knows_its_wakes() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("journal.jsonl"), received(1)).expect("written");
        let (file, book) = open(dir.path(), "fresh");
        assert_eq!((file.id(), book.entries().count()), ("fresh", 1));
    }
}
