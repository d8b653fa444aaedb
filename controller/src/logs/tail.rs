//! An open file that may still grow, read line by line from where it was left.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    ops::ControlFlow,
    path::Path,
};

use super::{
    batch::Gatherer,
    counts::Counts,
    input::{Compression, compression},
    lines::LINE_BYTES_MAX,
    position::{Cursor, FINGERPRINT_BYTES},
    read::Sink,
    reject::RejectReason,
};

/// An open file and how far it has been read.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: File,
    pub(super) cursor: Cursor,
}

impl Tail {
    /// Reads complete lines from the cursor to the end; with `finish`, the unfinished last one too.
    pub(super) fn drain(
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

/// The file at `path`, or nothing when there is none.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Its first bytes, when it is a file that can be followed.
pub(super) fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(FINGERPRINT_BYTES);
    file.take(FINGERPRINT_BYTES as u64).read_to_end(&mut head)?;
    if compression(&head) != Compression::Plain {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a compressed file cannot be followed"));
    }
    Ok(head)
}
