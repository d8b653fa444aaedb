//! How far a source has been read, in a way that survives renaming and compression.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes at the head of a source that tell it from another.
pub(super) const FINGERPRINT_BYTES: usize = 4096;

/// How far a source has been read. Offsets count decompressed bytes, so it also fits the compressed copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// SHA-256, in hex, of the first `min(offset, 4096)` bytes: says whether a file begins as this one did.
    pub fingerprint: String,
    /// Decompressed bytes of whole lines consumed.
    pub offset: u64,
    /// Lines consumed.
    pub line: u64,
}

impl Position {
    /// How many bytes the fingerprint is of.
    pub(super) fn fingerprint_bytes(&self) -> usize {
        usize::try_from(self.offset).unwrap_or(usize::MAX).min(FINGERPRINT_BYTES)
    }

    /// Whether a source beginning with `head` is the one this position is of.
    pub(super) fn fits(&self, head: &[u8]) -> bool {
        head.get(..self.fingerprint_bytes()).is_some_and(|head| fingerprint(head) == self.fingerprint)
    }
}

/// The head of a source as it goes by, and where reading is.
#[derive(Debug, Clone, Default)]
pub(super) struct Cursor {
    head: Vec<u8>,
    whole: Option<String>,
    pub(super) offset: u64,
    pub(super) line: u64,
}

impl Cursor {
    /// Behind `position`, of a source beginning with `head`.
    pub(super) fn resumed(position: &Position, head: &[u8]) -> Self {
        let head = head[..position.fingerprint_bytes()].to_vec();
        Self { head, whole: None, offset: position.offset, line: position.line }
    }

    /// Moves behind one line and its line end.
    pub(super) fn pass(&mut self, line_with_end: &[u8], discarded: u64) {
        if self.head.len() < FINGERPRINT_BYTES {
            let room = (FINGERPRINT_BYTES - self.head.len()).min(line_with_end.len());
            self.head.extend_from_slice(&line_with_end[..room]);
        }
        self.offset += line_with_end.len() as u64 + discarded;
        self.line += 1;
    }

    pub(super) fn position(&mut self) -> Position {
        let fingerprint = match &self.whole {
            Some(whole) => whole.clone(),
            None => fingerprint(&self.head),
        };
        if self.head.len() == FINGERPRINT_BYTES {
            self.whole = Some(fingerprint.clone());
        }
        Position { fingerprint, offset: self.offset, line: self.line }
    }
}

fn fingerprint(head: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(head).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_fits_the_source_it_was_taken_in_however_that_grew() {
        let text: Vec<u8> = (0..3000u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        let mut cursor = Cursor::default();
        for line in text.split_inclusive(|b| *b == b'\n') {
            cursor.pass(line, 0);
            let position = cursor.position();
            assert!(position.fits(&text));
            assert_eq!(position.fingerprint_bytes(), (position.offset as usize).min(FINGERPRINT_BYTES));
        }
        let end = cursor.position();
        assert_eq!((end.offset, end.line), (text.len() as u64, 3000));
        let mut other = text.clone();
        other[FINGERPRINT_BYTES - 1] ^= 1;
        assert!(!end.fits(&other));
        assert!(!end.fits(&text[..100]));
        assert_eq!(Cursor::resumed(&end, &text).position(), end);
    }

    #[test]
    fn a_resumed_cursor_goes_on_as_if_it_had_never_stopped() {
        let (mut whole, mut first) = (Cursor::default(), Cursor::default());
        whole.pass(b"one\n", 0);
        first.pass(b"one\n", 0);
        let mut second = Cursor::resumed(&first.position(), b"one\ntwo\n");
        second.pass(b"two\n", 5);
        whole.pass(b"two\n", 5);
        assert_eq!(second.position(), whole.position());
    }
}
