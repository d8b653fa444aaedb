//! A file that grows and is rotated: each poll reads what is new.
//!
//! Nothing here waits: the caller decides when to poll. Rotation is seen in three ways: another file stands at the
//! path (renamed: the old one is read to its end first), the file is shorter than what was read of it, or it begins
//! with other bytes (both: emptied in place).

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    ops::ControlFlow,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::AtomicU64,
};

use super::{
    batch::{Gatherer, LINE_BYTES_MAX},
    config::SourceConfig,
    counts::Counts,
    error::LogsError,
    input::{self, Compression, compression},
    miner::Miner,
    position::{Cursor, FINGERPRINT_BYTES, Position},
    read::{Sink, read_source},
    reject::RejectReason,
};

/// Polls for which a renamed file is still looked at: its writer may need a moment to let go of it.
const POLLS_AFTER_RENAME: u32 = 2;

/// Files beside the followed one that are looked at for one rotated while nobody followed.
const SIBLINGS_MAX: usize = 1_000;

/// Follows one plain file.
#[derive(Debug)]
pub struct Follower {
    miner: Miner,
    source: SourceConfig,
    path: PathBuf,
    gatherer: Gatherer,
    /// Where an earlier run left off, until the first poll has found that file.
    left_at: Option<Position>,
    current: Option<Tail>,
    renamed: Option<(Tail, u32)>,
}

/// An open file and how far it has been read.
#[derive(Debug)]
struct Tail {
    file: File,
    cursor: Cursor,
}

impl Follower {
    /// Follows `source.path`, going on at `from`. The file need not exist yet.
    pub fn new(miner: &Miner, source: &SourceConfig, from: Option<Position>) -> Result<Self, LogsError> {
        Ok(Self {
            gatherer: Gatherer::new(miner, source, &source.path)?,
            miner: miner.clone(),
            source: source.clone(),
            path: PathBuf::from(&source.path),
            left_at: from,
            current: None,
            renamed: None,
        })
    }

    /// Reads all complete lines that are new and returns what became of them. Without news there is no batch.
    ///
    /// An unfinished last line waits for the poll that finds its end. After an error, poll again later.
    pub fn poll(&mut self, sink: &mut Sink<'_>) -> Result<Counts, LogsError> {
        let mut total = Counts::default();
        let read = self.poll_into(&mut total, sink);
        read.map(|_| total).map_err(|source| LogsError::Read { file: self.source.path.clone(), source })
    }

    fn poll_into(&mut self, total: &mut Counts, sink: &mut Sink<'_>) -> io::Result<ControlFlow<()>> {
        if let Some(from) = self.left_at.take() {
            let flow = self.go_on_from(&from, total, sink).inspect_err(|_| self.left_at = Some(from))?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        self.turn()?;
        let flow = self.drain_renamed(total, sink)?;
        if flow.is_break() {
            return Ok(flow);
        }
        self.drain_current(total, sink)
    }

    /// Opens what `from` is a position of: the file at the path, or the one it was renamed to meanwhile.
    fn go_on_from(
        &mut self,
        from: &Position,
        total: &mut Counts,
        sink: &mut Sink<'_>,
    ) -> io::Result<ControlFlow<()>> {
        if let Some(mut file) = open(&self.path)? {
            let head = head(&mut file)?;
            if from.fits(&head) && file.metadata()?.len() >= from.offset {
                self.current = Some(Tail { file, cursor: Cursor::resumed(from, &head) });
                return Ok(ControlFlow::Continue(()));
            }
        }
        let Some(sibling) = self.rotated(from)? else { return Ok(ControlFlow::Continue(())) };
        let mut stopped_at = None;
        let counts = read_source(&self.miner, &self.source, &sibling, Some(from), &mut |mut batch| {
            batch.source.clone_from(&self.source.path);
            let position = batch.position.clone();
            let flow = sink(batch);
            stopped_at = flow.is_break().then_some(position);
            flow
        });
        total.merge(&counts.map_err(io::Error::other)?);
        self.left_at = stopped_at;
        Ok(if self.left_at.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// A file beside the followed one, named as rotation names them, that begins as `from` says.
    fn rotated(&self, from: &Position) -> io::Result<Option<PathBuf>> {
        let Some(name) = self.path.file_name().filter(|_| from.offset > 0) else { return Ok(None) };
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        for entry in entries.take(SIBLINGS_MAX) {
            let path = entry?.path();
            let beside = path.file_name().is_some_and(|other| {
                other != name && other.as_encoded_bytes().starts_with(name.as_encoded_bytes())
            });
            if beside && begins_as(&path, from) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn drain_current(&mut self, total: &mut Counts, sink: &mut Sink<'_>) -> io::Result<ControlFlow<()>> {
        if self.current.is_none() {
            let Some(mut file) = open(&self.path)? else { return Ok(ControlFlow::Continue(())) };
            head(&mut file)?;
            self.current = Some(Tail { file, cursor: Cursor::default() });
        }
        let Some(tail) = &mut self.current else { return Ok(ControlFlow::Continue(())) };
        tail.drain(&mut self.gatherer, false, total, sink)
    }

    fn drain_renamed(&mut self, total: &mut Counts, sink: &mut Sink<'_>) -> io::Result<ControlFlow<()>> {
        let Some((tail, polls_left)) = &mut self.renamed else { return Ok(ControlFlow::Continue(())) };
        *polls_left -= 1;
        let last = *polls_left == 0;
        let flow = tail.drain(&mut self.gatherer, last, total, sink)?;
        if last && flow.is_continue() {
            self.renamed = None;
        }
        Ok(flow)
    }

    /// Notices a rotation, before anything is read from where the old text was.
    fn turn(&mut self) -> io::Result<()> {
        let Some(tail) = &mut self.current else { return Ok(()) };
        let Some(mut found) = open(&self.path)? else { return Ok(()) };
        let (there, here) = (found.metadata()?, tail.file.metadata()?);
        if (there.dev(), there.ino()) != (here.dev(), here.ino()) {
            let next = Tail { file: found, cursor: Cursor::default() };
            self.renamed = self.current.replace(next).map(|old| (old, POLLS_AFTER_RENAME));
            return Ok(());
        }
        let position = tail.cursor.position();
        if there.len() < position.offset || !position.fits(&head(&mut found)?) {
            tail.cursor = Cursor::default();
        }
        Ok(())
    }
}

impl Tail {
    /// Reads complete lines from the cursor to the end; with `finish`, the unfinished last one too.
    fn drain(
        &mut self,
        gatherer: &mut Gatherer,
        finish: bool,
        total: &mut Counts,
        sink: &mut Sink<'_>,
    ) -> io::Result<ControlFlow<()>> {
        self.file.seek(SeekFrom::Start(self.cursor.offset))?;
        let mut lines = BufReader::with_capacity(LINE_BYTES_MAX, &self.file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = read_line(&mut lines, &mut line)?;
            let number = self.cursor.line + 1;
            match read {
                LineEnd::Found(discarded) => {
                    gather(gatherer, &line, discarded, number);
                    self.cursor.pass(&line, discarded);
                }
                LineEnd::Missing if finish && !line.is_empty() => {
                    gatherer.line(&line, number);
                    self.cursor.pass(&line, 0);
                }
                LineEnd::Missing => {}
            }
            let ended = matches!(read, LineEnd::Missing);
            if gatherer.is_full() || ended && !gatherer.is_empty() {
                let batch = gatherer.take(self.cursor.position());
                total.merge(&batch.counts);
                if sink(batch).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if ended {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }
}

fn gather(gatherer: &mut Gatherer, line: &[u8], discarded: u64, number: u64) {
    if discarded > 0 {
        gatherer.bad_line(RejectReason::TooLong, line, number);
    } else {
        gatherer.line(line.strip_suffix(b"\n").unwrap_or(line), number);
    }
}

/// How a line ended.
enum LineEnd {
    /// With its line end, after this many bytes that were not kept.
    Found(u64),
    Missing,
}

/// One line with its line end; of one that is too long, only the beginning is kept.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<LineEnd> {
    let kept_max = LINE_BYTES_MAX as u64 + 2;
    lines.by_ref().take(kept_max).read_until(b'\n', line)?;
    if line.ends_with(b"\n") {
        return Ok(LineEnd::Found(0));
    }
    if (line.len() as u64) < kept_max {
        return Ok(LineEnd::Missing);
    }
    let mut discarded = 0;
    loop {
        let chunk = lines.fill_buf()?;
        if chunk.is_empty() {
            return Ok(LineEnd::Missing);
        }
        let (bytes, found) = memchr::memchr(b'\n', chunk).map_or((chunk.len(), false), |at| (at + 1, true));
        lines.consume(bytes);
        discarded += bytes as u64;
        if found {
            return Ok(LineEnd::Found(discarded));
        }
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(FINGERPRINT_BYTES);
    file.take(FINGERPRINT_BYTES as u64).read_to_end(&mut head)?;
    if compression(&head) != Compression::Plain {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a compressed file cannot be followed"));
    }
    Ok(head)
}

/// Whether the file at `path`, compressed or not, begins as `from` says. What cannot be read does not.
fn begins_as(path: &Path, from: &Position) -> bool {
    let bytes_read = AtomicU64::new(0);
    let Ok(opened) = input::open(&path.to_string_lossy(), &bytes_read) else { return false };
    let mut head = Vec::new();
    let read = opened.take(from.fingerprint_bytes() as u64).read_to_end(&mut head);
    read.is_ok() && from.fits(&head)
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write};

    use super::*;
    use crate::logs::{InstanceFrom, LogFormat, LogsConfig};

    const NONE: [u32; 0] = [];

    /// A log that is written and rotated, and one who follows it.
    struct Log {
        folder: tempfile::TempDir,
        follower: Follower,
        last: Option<Position>,
    }

    fn follower(path: &Path, from: Option<Position>) -> Follower {
        let mut config = LogsConfig::default();
        config.extract.from = InstanceFrom::Client;
        let miner = Miner::new(&config).unwrap();
        Follower::new(&miner, &SourceConfig::new(path.to_str().unwrap(), LogFormat::Combined), from).unwrap()
    }

    fn line(n: u32) -> String {
        format!("192.0.2.{n} - - [17/May/2015:10:00:00 +0000] \"GET /{n} HTTP/1.1\" 200 5 \"-\" \"x\"\n")
    }

    impl Log {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let follower = follower(&folder.path().join("a.log"), None);
            Self { folder, follower, last: None }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("a.log")
        }

        fn append(&self, text: &str) {
            let mut file = OpenOptions::new().create(true).append(true).open(self.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn rename(&self, name: &str) {
            fs::rename(self.path(), self.folder.path().join(name)).unwrap();
        }

        fn restart(&mut self) {
            self.follower = follower(&self.path(), self.last.clone());
        }

        /// The last parts of the clients seen by one poll.
        fn poll(&mut self) -> Vec<u32> {
            let mut seen = Vec::new();
            let last = &mut self.last;
            let counts = self.follower.poll(&mut |batch| {
                let client = |id: &str| id.rsplit('.').next().unwrap().parse::<u32>().unwrap();
                seen.extend(batch.sightings.iter().map(|s| client(s.instance.as_str())));
                *last = Some(batch.position);
                ControlFlow::Continue(())
            });
            assert_eq!(counts.unwrap().records, seen.len() as u64);
            seen
        }
    }

    #[test]
    fn each_poll_gives_what_is_new_and_half_a_line_waits() {
        let mut log = Log::new();
        assert_eq!(log.poll(), NONE);
        log.append(&(line(1) + &line(2)));
        assert_eq!(log.poll(), [1, 2]);
        assert_eq!(log.poll(), NONE);
        let (half, rest) = (&line(3)[..40], &line(3)[40..]);
        log.append(half);
        assert_eq!(log.poll(), NONE);
        log.append(rest);
        assert_eq!(log.poll(), [3]);
        assert_eq!(log.last.as_ref().unwrap().line, 3);
    }

    #[test]
    fn a_renamed_file_is_finished_before_the_new_one() {
        let mut log = Log::new();
        log.append(&line(1));
        assert_eq!(log.poll(), [1]);
        log.append(&line(2));
        let mut old = OpenOptions::new().append(true).open(log.path()).unwrap();
        log.rename("a.log.1");
        assert_eq!(log.poll(), [2], "nothing stands at the path yet");
        log.append(&line(4));
        old.write_all(line(3).as_bytes()).unwrap();
        assert_eq!(log.poll(), [3, 4]);
        // A writer that has not yet let go of the old file, and ends it without a line end.
        old.write_all(line(5).trim_end().as_bytes()).unwrap();
        log.append(&line(6));
        assert_eq!(log.poll(), [5, 6]);
        assert_eq!(log.poll(), NONE);
    }

    #[test]
    fn a_file_emptied_in_place_is_read_from_its_start() {
        let mut log = Log::new();
        log.append(&(line(1) + &line(2)));
        assert_eq!(log.poll(), [1, 2]);
        fs::write(log.path(), line(3)).unwrap();
        assert_eq!(log.poll(), [3]);
        // Emptied and grown beyond where reading was: only its first bytes tell.
        fs::write(log.path(), [line(4), line(5), line(6)].concat()).unwrap();
        assert_eq!(log.poll(), [4, 5, 6]);
        assert_eq!(log.poll(), NONE);
    }

    #[test]
    fn a_restart_goes_on_where_it_was() {
        let mut log = Log::new();
        log.append(&(line(1) + &line(2)));
        assert_eq!(log.poll(), [1, 2]);
        log.append(&line(3));
        log.restart();
        assert_eq!(log.poll(), [3]);
    }

    #[test]
    fn a_restart_finds_the_file_that_was_rotated_meanwhile() {
        for packed in [false, true] {
            let mut log = Log::new();
            log.append(&line(1));
            assert_eq!(log.poll(), [1]);
            log.append(&line(2));
            log.rename("a.log.1");
            if packed {
                let plain = log.folder.path().join("a.log.1");
                let bytes = zstd::encode_all(fs::read(&plain).unwrap().as_slice(), 1).unwrap();
                fs::write(log.folder.path().join("a.log.1.zst"), bytes).unwrap();
                fs::remove_file(plain).unwrap();
            }
            log.append(&line(3));
            log.restart();
            assert_eq!(log.poll(), [2, 3], "packed: {packed}");
            assert_eq!(log.poll(), NONE);
        }
    }

    #[test]
    fn a_stop_loses_nothing() {
        let mut log = Log::new();
        let many: String = (0..15_000).map(|n| line(n % 200)).collect();
        log.append(&many);
        let mut lines = 0;
        let mut stop = |follower: &mut Follower| {
            let counts = follower.poll(&mut |_| ControlFlow::Break(())).unwrap();
            lines += counts.lines;
            counts.lines
        };
        assert_eq!(stop(&mut log.follower), 10_000);
        assert_eq!(stop(&mut log.follower), 5_000);
        assert_eq!(stop(&mut log.follower), 0);
        assert_eq!(lines, 15_000);
    }

    #[test]
    fn a_compressed_file_is_refused_and_a_huge_line_is_counted() {
        let mut log = Log::new();
        log.append(&"x".repeat(3 * LINE_BYTES_MAX));
        assert_eq!(log.poll(), NONE);
        log.append("\n");
        let counts = log.follower.poll(&mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(counts.rejects[&RejectReason::TooLong], 1);
        log.append(&line(1));
        assert_eq!(log.poll(), [1]);

        let packed = log.folder.path().join("b.log");
        fs::write(&packed, zstd::encode_all(line(1).as_bytes(), 1).unwrap()).unwrap();
        let error = follower(&packed, None).poll(&mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("cannot be followed"));
    }
}
