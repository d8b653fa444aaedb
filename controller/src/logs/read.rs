//! Reading one source from where it was left to its end: one thread decompresses, one parses.

use std::{
    io::{self, Cursor as Bytes, Read},
    ops::ControlFlow,
    path::Path,
    sync::{
        atomic::AtomicU64,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

use memchr::memchr_iter;

use super::{
    batch::{Batch, Gatherer},
    config::SourceConfig,
    counts::Counts,
    error::LogsError,
    input,
    lines::{Block, Blocks, End},
    miner::Miner,
    position::{Cursor, Position},
    reject::RejectReason,
};

/// Blocks read ahead of the parser.
const BLOCKS_AHEAD_MAX: usize = 2;

/// What is given each batch; [`ControlFlow::Break`] stops the reading after it.
pub(super) type Sink<'s> = dyn FnMut(Batch) -> ControlFlow<()> + 's;

/// Reads `file` of `source` from `from` (or its start, when that position is not of this file) to its end, in
/// batches. Blocks the thread.
///
/// A file cut or damaged on the way is no error: what could be read counts, and so does the damage
/// ([`Counts::unreadable`]), with a sample saying what is wrong. A last line without a line end is read, but the
/// position stays before it, since it may still be growing.
pub fn read_source(
    miner: &Miner,
    source: &SourceConfig,
    file: &Path,
    from: Option<&Position>,
    sink: &mut Sink<'_>,
) -> Result<Counts, LogsError> {
    read_watched(miner, source, file, from, &AtomicU64::new(0), sink)
}

/// As [`read_source`], adding the bytes read of the (perhaps compressed) file to `bytes_read` as it goes.
pub fn read_watched(
    miner: &Miner,
    source: &SourceConfig,
    file: &Path,
    from: Option<&Position>,
    bytes_read: &AtomicU64,
    sink: &mut Sink<'_>,
) -> Result<Counts, LogsError> {
    let name = file.to_string_lossy();
    let failed = |source| LogsError::Open { file: name.to_string(), source };
    let opened = input::open(&name, bytes_read).map_err(failed)?;
    let (rest, cursor) = resume(opened, from);
    let mut reading =
        Reading { gatherer: Gatherer::new(miner, source, &name)?, cursor, total: Counts::default() };
    thread::scope(|scope| {
        let (full, blocks) = sync_channel(BLOCKS_AHEAD_MAX);
        let (empty, spare) = channel();
        scope.spawn(move || cut(rest, &full, &spare));
        reading.consume(&blocks, &empty, sink);
    });
    Ok(reading.total)
}

/// The thread that reads ahead; ends with the source, or when nobody listens any more.
fn cut(source: impl Read, full: &SyncSender<Block>, spare: &Receiver<Vec<u8>>) {
    let mut blocks = Blocks::new(source);
    loop {
        let block = blocks.next(spare.try_recv().unwrap_or_default());
        let ended = block.end.is_some();
        if full.send(block).is_err() || ended {
            return;
        }
    }
}

/// Goes to `from` when it is a position of what `source` holds, else to the start.
fn resume<'r>(
    mut source: Box<dyn Read + Send + 'r>,
    from: Option<&Position>,
) -> (Box<dyn Read + Send + 'r>, Cursor) {
    let Some(from) = from else { return (source, Cursor::default()) };
    let mut head = Vec::new();
    let read = source.by_ref().take(from.fingerprint_bytes() as u64).read_to_end(&mut head);
    if read.is_ok() && from.fits(&head) {
        let cursor = Cursor::resumed(from, &head);
        let skip = from.offset - head.len() as u64;
        return (Box::new(Skipped { source, skip }), cursor);
    }
    // A read that failed fails again behind the head, where it is counted.
    (Box::new(Bytes::new(head).chain(source)), Cursor::default())
}

/// A source whose first bytes were read before.
struct Skipped<R> {
    source: R,
    skip: u64,
}

impl<R: Read> Read for Skipped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.skip > 0 {
            let skipped = io::copy(&mut self.source.by_ref().take(self.skip), &mut io::sink())?;
            self.skip -= skipped;
            if self.skip > 0 {
                // Shorter than what was read before, with the same head: nothing is new in it.
                return Ok(0);
            }
        }
        self.source.read(buffer)
    }
}

struct Reading {
    gatherer: Gatherer,
    cursor: Cursor,
    total: Counts,
}

impl Reading {
    fn consume(&mut self, blocks: &Receiver<Block>, empty: &Sender<Vec<u8>>, sink: &mut Sink<'_>) {
        for block in blocks {
            let flow = self.block(&block, sink);
            if flow.is_break() || block.end.is_some() {
                return;
            }
            // The reader may be gone already; then nobody needs the space.
            let _ = empty.send(block.bytes);
        }
    }

    fn block(&mut self, block: &Block, sink: &mut Sink<'_>) -> ControlFlow<()> {
        let mut start = 0;
        for end in memchr_iter(b'\n', &block.bytes) {
            self.gatherer.line(&block.bytes[start..end], self.cursor.line + 1);
            self.cursor.pass(&block.bytes[start..=end], 0);
            start = end + 1;
            self.flush(false, sink)?;
        }
        let tail = &block.bytes[start..];
        if block.discarded > 0 {
            self.gatherer.bad_line(RejectReason::TooLong, tail, self.cursor.line + 1);
            self.cursor.pass(tail, block.discarded);
        }
        if let Some(end) = &block.end {
            let tail = if block.discarded > 0 { &[] } else { tail };
            self.last(tail, end);
            self.flush(true, sink)?;
        }
        ControlFlow::Continue(())
    }

    /// The unfinished line at the end, when there is one.
    fn last(&mut self, tail: &[u8], end: &End) {
        let number = self.cursor.line + 1;
        match end {
            End::Eof if tail.is_empty() => {}
            End::Eof => self.gatherer.line(tail, number),
            End::Error(error) => {
                if !tail.is_empty() {
                    self.gatherer.bad_line(RejectReason::Truncated, tail, number);
                }
                self.gatherer.unreadable(error, number);
            }
        }
    }

    fn flush(&mut self, ended: bool, sink: &mut Sink<'_>) -> ControlFlow<()> {
        if !(self.gatherer.is_full() || ended && !self.gatherer.is_empty()) {
            return ControlFlow::Continue(());
        }
        let batch = self.gatherer.take(self.cursor.position());
        self.total.merge(&batch.counts);
        sink(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, path::PathBuf};

    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::logs::{InstanceFrom, LINE_BYTES_MAX, LogFormat, LogsConfig};

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn put(&self, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join("a.log");
            fs::write(&path, bytes).unwrap();
            path
        }
    }

    fn folder() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn miner() -> Miner {
        let mut config = LogsConfig::default();
        config.extract.from = InstanceFrom::Client;
        Miner::new(&config).unwrap()
    }

    fn line(n: u32) -> String {
        let (minute, second) = (n / 60 % 60, n % 60);
        let client = n % 7;
        format!(
            "192.0.2.{client} - - [17/May/2015:10:{minute:02}:{second:02} +0000] \"GET /{n} HTTP/1.1\" 200 5 \"-\" \"x\"\n"
        )
    }

    fn lines(n: u32) -> String {
        (0..n).map(line).collect()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(file: &Path, from: Option<&Position>) -> (Counts, Vec<Batch>) {
        let source = SourceConfig::new(file.to_str().unwrap(), LogFormat::Combined);
        let mut batches = Vec::new();
        let counts = read_source(&miner(), &source, file, from, &mut |batch| {
            batches.push(batch);
            ControlFlow::Continue(())
        });
        (counts.unwrap(), batches)
    }

    #[test]
    fn batches_hold_everything_and_their_counts_add_up() {
        let folder = folder();
        let text = lines(25_000);
        for bytes in
            [text.clone().into_bytes(), gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 1).unwrap()]
        {
            let (counts, batches) = read(&folder.put(&bytes), None);
            assert_eq!(batches.iter().map(|b| b.counts.lines).collect::<Vec<_>>(), [10_000, 10_000, 5_000]);
            assert_eq!((counts.lines, counts.records, counts.sightings.visit), (25_000, 25_000, 25_000));
            let end = &batches[2].position;
            assert_eq!((end.offset, end.line), (text.len() as u64, 25_000));
            assert_eq!(batches[0].sightings[8].at.to_string(), "2015-05-17T10:00:08Z");
            assert_eq!(batches[0].sightings[8].instance.as_str(), "192.0.2.1");
        }
    }

    #[test]
    fn every_position_can_be_gone_on_from_whatever_the_compression() {
        let folder = folder();
        let text = lines(25_000);
        let (whole, batches) = read(&folder.put(text.as_bytes()), None);
        for bytes in [text.clone().into_bytes(), gzip(text.as_bytes())] {
            let file = folder.put(&bytes);
            for (n, batch) in batches.iter().enumerate() {
                let (counts, rest) = read(&file, Some(&batch.position));
                assert_eq!(rest, batches[n + 1..]);
                assert_eq!(counts.lines, whole.lines - batch.position.line);
            }
        }
    }

    #[test]
    fn what_was_appended_is_read_and_another_file_is_read_from_its_start() {
        let folder = folder();
        let (_, before) = read(&folder.put(lines(30).as_bytes()), None);
        let position = &before[0].position;
        let (counts, after) = read(&folder.put(lines(50).as_bytes()), Some(position));
        assert_eq!(counts.lines, 20);
        assert_eq!(after[0].position, read(&folder.put(lines(50).as_bytes()), None).1[0].position);
        let other = lines(50).replace("GET /3 ", "GET /x ");
        assert_eq!(read(&folder.put(other.as_bytes()), Some(position)).0.lines, 50);
        let shorter = lines(10);
        assert_eq!(read(&folder.put(shorter.as_bytes()), Some(position)).0.lines, 10);
    }

    #[test]
    fn an_unfinished_last_line_is_read_and_read_again() {
        let folder = folder();
        let text = lines(3);
        let (counts, batches) = read(&folder.put(&text.as_bytes()[..text.len() - 1]), None);
        assert_eq!(counts.records, 3);
        assert_eq!((batches[0].position.line, batches[0].position.offset as usize), (2, lines(2).len()));
        let (again, _) = read(&folder.put(text.as_bytes()), Some(&batches[0].position));
        assert_eq!(again.records, 1);
    }

    #[test]
    fn line_ends_bytes_and_lengths_of_every_kind_are_counted() {
        let folder = folder();
        let good = line(1);
        let crlf = good.replace('\n', "\r\n");
        let agent = |n: usize| good.replace("\"x\"", &format!("\"{}\"", "x".repeat(n)));
        let exact = agent(LINE_BYTES_MAX - (good.len() - 2));
        assert_eq!(exact.len(), LINE_BYTES_MAX + 1);
        let long = agent(LINE_BYTES_MAX);
        let huge = agent(3 << 20);
        let mut bytes = [&crlf, "\n", &exact, &long, &huge, &good].map(str::as_bytes).concat();
        bytes.extend_from_slice(&good.as_bytes()[..good.len() - 3]);
        bytes.extend_from_slice(b"\xff\xfe\"\n");
        let (counts, batches) = read(&folder.put(&bytes), None);
        assert_eq!((counts.lines, counts.records), (7, 4));
        assert_eq!(counts.rejects[&RejectReason::TooLong], 2);
        assert_eq!(counts.rejects[&RejectReason::Blank], 1);
        let samples: Vec<_> = batches[0].samples.iter().map(|s| (s.line, s.reason)).collect();
        assert_eq!(
            samples,
            [(2, RejectReason::Blank), (4, RejectReason::TooLong), (5, RejectReason::TooLong)]
        );
        assert_eq!(batches[0].position.offset, bytes.len() as u64);
    }

    #[test]
    fn a_cut_compressed_file_gives_what_it_holds_and_says_so() {
        let folder = folder();
        let text = lines(25_000);
        for packed in [gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 1).unwrap()] {
            let (counts, batches) = read(&folder.put(&packed[..packed.len() * 3 / 4]), None);
            assert_eq!(counts.unreadable, 1);
            assert!(counts.records > 5_000, "{counts:?}");
            assert_eq!(counts.lines, counts.records + counts.rejected());
            let last = batches.last().unwrap();
            assert_eq!(last.samples.last().unwrap().reason, RejectReason::Unreadable);
            // Once the file is whole, reading goes on where the damage was.
            let (rest, _) = read(&folder.put(&packed), Some(&last.position));
            assert_eq!(rest.records, 25_000 - last.position.line);
        }
    }

    #[test]
    fn a_sink_can_stop_the_reading() {
        let folder = folder();
        let file = folder.put(lines(25_000).as_bytes());
        let source = SourceConfig::new("a", LogFormat::Combined);
        let mut calls = 0;
        let counts = read_source(&miner(), &source, &file, None, &mut |_| {
            calls += 1;
            ControlFlow::Break(())
        });
        assert_eq!((calls, counts.unwrap().lines), (1, 10_000));
    }

    #[test]
    fn only_the_first_bad_lines_are_shown_and_all_are_counted() {
        let folder = folder();
        let text = " \"curl\"\n".repeat(25_000);
        let (counts, batches) = read(&folder.put(text.as_bytes()), None);
        assert_eq!(counts.rejects[&RejectReason::Orphan], 25_000);
        assert_eq!(batches.iter().map(|b| b.samples.len()).collect::<Vec<_>>(), [5, 0, 0]);
        assert_eq!(batches[0].samples[4].line, 5);
    }

    #[test]
    fn a_missing_file_is_an_error_with_its_name() {
        let source = SourceConfig::new("nowhere.log", LogFormat::Combined);
        let read =
            read_source(
                &miner(),
                &source,
                Path::new("nowhere.log"),
                None,
                &mut |_| ControlFlow::Continue(()),
            );
        assert_eq!(read.unwrap_err().to_string(), "could not open nowhere.log");
    }
}
