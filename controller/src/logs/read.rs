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
    let mut reading = Reading { gatherer: Gatherer::new(miner, source, &name)?, cursor, total: Counts::default() };
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
fn resume<'r>(mut source: Box<dyn Read + Send + 'r>, from: Option<&Position>) -> (Box<dyn Read + Send + 'r>, Cursor) {
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
