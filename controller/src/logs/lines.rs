//! Bytes cut into blocks of whole lines, so that reading and parsing can go on side by side.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

use super::batch::LINE_BYTES_MAX;

/// Bytes read at once.
const BLOCK_BYTES: usize = 1024 * 1024;

/// Some whole lines; the last block may end in an unfinished one.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Bytes of the block's last line that were thrown away because it is far too long, its line end included.
    pub(super) discarded: u64,
    /// Set on the last block.
    pub(super) end: Option<End>,
}

/// How a source ended.
#[derive(Debug)]
pub(super) enum End {
    Eof,
    Error(io::Error),
}

/// Cuts what `source` gives into blocks.
pub(super) struct Blocks<R> {
    source: R,
    /// The beginning of the next block.
    carry: Vec<u8>,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, carry: Vec::new() }
    }

    /// The next block, in the space of `bytes`. Not to be called after one with an end.
    pub(super) fn next(&mut self, mut bytes: Vec<u8>) -> Block {
        bytes.clear();
        bytes.append(&mut self.carry);
        let room = BLOCK_BYTES.saturating_sub(bytes.len());
        let read = self.source.by_ref().take(room as u64).read_to_end(&mut bytes);
        let end = match read {
            Err(error) => Some(End::Error(error)),
            Ok(read) if read < room => Some(End::Eof),
            Ok(_) => None,
        };
        if end.is_some() {
            return Block { bytes, discarded: 0, end };
        }
        match memrchr(b'\n', &bytes) {
            Some(at) => {
                self.carry.extend_from_slice(&bytes[at + 1..]);
                bytes.truncate(at + 1);
                Block { bytes, discarded: 0, end: None }
            }
            None => self.discard(bytes),
        }
    }

    /// `bytes` is the beginning of one endless line: keeps enough to see that, and drops the rest of it.
    fn discard(&mut self, mut bytes: Vec<u8>) -> Block {
        let mut discarded = (bytes.len() - LINE_BYTES_MAX - 1) as u64;
        bytes.truncate(LINE_BYTES_MAX + 1);
        let mut chunk = Vec::with_capacity(LINE_BYTES_MAX);
        loop {
            chunk.clear();
            let read = self.source.by_ref().take(LINE_BYTES_MAX as u64).read_to_end(&mut chunk);
            if let Some(at) = memchr(b'\n', &chunk) {
                discarded += at as u64 + 1;
                self.carry.extend_from_slice(&chunk[at + 1..]);
                // An error here comes back on the next read.
                return Block { bytes, discarded, end: None };
            }
            discarded += chunk.len() as u64;
            match read {
                Err(error) => return Block { bytes, discarded, end: Some(End::Error(error)) },
                Ok(0) => return Block { bytes, discarded, end: Some(End::Eof) },
                Ok(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails after its bytes.
    struct Cut<'a>(&'a [u8]);

    impl Read for Cut<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                bytes => Ok(bytes),
            }
        }
    }

    fn blocks(source: impl Read) -> Vec<Block> {
        let mut blocks = Blocks::new(source);
        let mut all = Vec::new();
        while all.last().is_none_or(|block: &Block| block.end.is_none()) {
            all.push(blocks.next(Vec::new()));
        }
        all
    }

    #[test]
    fn blocks_hold_whole_lines_and_everything() {
        let text: Vec<u8> = (0..400_000u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        let all = blocks(text.as_slice());
        assert!(all.len() > 2);
        assert!(all.iter().all(|block| block.bytes.is_empty() || block.bytes.ends_with(b"\n")));
        assert_eq!(all.iter().flat_map(|block| block.bytes.clone()).collect::<Vec<_>>(), text);
    }

    #[test]
    fn an_endless_line_is_dropped_and_the_next_one_kept() {
        let long = vec![b'x'; 3 * BLOCK_BYTES];
        let text = [b"a\n".as_slice(), &long, b"\nb\nc"].concat();
        let all = blocks(text.as_slice());
        let kept: Vec<u8> = all.iter().flat_map(|block| block.bytes.clone()).collect();
        let discarded: u64 = all.iter().map(|block| block.discarded).sum();
        assert_eq!(kept.len() as u64 + discarded, text.len() as u64);
        let giant = all.iter().find(|block| block.discarded > 0).unwrap();
        assert_eq!(giant.bytes.len(), LINE_BYTES_MAX + 1);
        assert_eq!(all.last().unwrap().bytes, b"b\nc");
    }

    #[test]
    fn what_was_read_before_an_error_is_kept() {
        let all = blocks(Cut(b"a\nb"));
        assert_eq!(all[0].bytes, b"a\nb");
        assert!(matches!(&all[0].end, Some(End::Error(_))));
        let long = vec![b'x'; 2 * BLOCK_BYTES];
        assert!(matches!(&blocks(Cut(&long)).last().unwrap().end, Some(End::Error(_))));
    }
}
