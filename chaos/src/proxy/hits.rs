//! The proof that a fault bit, counted where it bites.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

/// Counters of one fault, over all connections it meets.
#[derive(Debug, Default)]
pub(super) struct Hits {
    bytes: AtomicU64,
    chunks: AtomicU64,
    connections: AtomicU64,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Bitten {
    /// Bytes that were delayed, dropped or held.
    pub bytes: u64,
    /// Chunks of them, and ends of streams.
    pub chunks: u64,
    /// Connections of which at least one chunk, or the whole, was bitten; each direction of a partition counts.
    pub connections: u64,
}

impl Hits {
    pub(super) fn read(&self) -> Bitten {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Bitten { bytes: read(&self.bytes), chunks: read(&self.chunks), connections: read(&self.connections) }
    }

    pub(super) fn connections(&self, count: u64) {
        self.connections.fetch_add(count, Ordering::Relaxed);
    }
}

/// Counts the bites in one connection.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    hits: Arc<Hits>,
    is_bitten: bool,
}

impl Tally {
    pub(super) fn new(hits: &Arc<Hits>) -> Self {
        Self { hits: hits.clone(), is_bitten: false }
    }

    /// A chunk of so many bytes was bitten; 0 for an end.
    pub(super) fn chunk(&mut self, bytes: usize) {
        self.hits.chunks.fetch_add(1, Ordering::Relaxed);
        self.hits.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.connection();
    }

    /// The connection as such was bitten.
    pub(super) fn connection(&mut self) {
        if !std::mem::replace(&mut self.is_bitten, true) {
            self.hits.connections(1);
        }
    }
}

impl Bitten {
    /// One number for the journal: chunks, or connections where no chunk was there to be bitten.
    pub fn hits(self) -> u64 {
        self.chunks.max(self.connections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_counted_once_however_often_it_is_bitten() {
        let hits = Arc::new(Hits::default());
        for _ in 0..2 {
            let mut tally = Tally::new(&hits);
            tally.chunk(10);
            tally.chunk(5);
        }
        assert_eq!(hits.read(), Bitten { bytes: 30, chunks: 4, connections: 2 });
        assert_eq!(hits.read().hits(), 4);
    }
}
