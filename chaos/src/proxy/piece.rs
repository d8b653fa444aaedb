//! What travels through a link: bytes, and at last its end.

use bytes::Bytes;

/// One step of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Data(Bytes),
    End(End),
}

/// How a direction, or with it the whole connection, comes to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The sender has said all it had to say; the other direction goes on.
    Fin,
    /// The connection is closed in order, both ways.
    Close,
    /// The connection is reset, both ways: `SO_LINGER` 0, the peers see a real RST.
    Reset,
    /// The sender is gone without a word: it is reset, and the receiver hears nothing at all.
    Abandon,
}

impl Piece {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len(),
            Self::End(_) => 0,
        }
    }
}
