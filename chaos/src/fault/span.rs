//! When a fault is on, and the proof that it was hit. The span ends at the injection point itself, whoever started it.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    On,
    Off,
}

/// From `from_s` (inclusive) until `until_s` (exclusive), seconds since 1970 on the world's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    from_s: i64,
    until_s: i64,
    on: bool,
    hits: u64,
    opportunities: u64,
}

/// What is left of a fault when it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultProof {
    pub kind: &'static str,
    pub from_s: i64,
    pub until_s: i64,
    /// How often the fault was met while it was on.
    pub hits: u64,
    /// How often it could have been met.
    pub opportunities: u64,
    /// Still on: it was not recovered.
    pub on: bool,
}

impl Span {
    pub fn new(from_s: i64, until_s: i64) -> Self {
        Self { from_s, until_s, on: false, hits: 0, opportunities: 0 }
    }

    pub fn follow(&mut self, now_s: i64) -> Option<Edge> {
        let on = (self.from_s..self.until_s).contains(&now_s);
        let changed = on != self.on;
        self.on = on;
        changed.then_some(if on { Edge::On } else { Edge::Off })
    }

    /// It is over from `now_s` on.
    pub fn end(&mut self, now_s: i64) {
        self.until_s = self.until_s.min(now_s);
    }

    pub fn from_s(&self) -> i64 {
        self.from_s
    }

    pub fn on(&self) -> bool {
        self.on
    }

    /// Counts one passage of the injection point while the fault is on.
    pub fn count(&mut self, hit: bool) {
        self.opportunities += 1;
        self.hits += u64::from(hit);
    }

    pub fn proof(&self, kind: &'static str) -> FaultProof {
        FaultProof {
            kind,
            from_s: self.from_s,
            until_s: self.until_s,
            hits: self.hits,
            opportunities: self.opportunities,
            on: self.on,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_goes_on_and_off_once() {
        let mut span = Span::new(10, 20);
        let edges: Vec<_> = (0..30).filter_map(|s| span.follow(s).map(|edge| (s, edge))).collect();
        assert_eq!(edges, [(10, Edge::On), (20, Edge::Off)]);
        assert!(!span.proof("x").on);
    }

    #[test]
    fn a_span_that_is_ended_early_goes_off_then() {
        let mut span = Span::new(10, 20);
        assert_eq!(span.follow(12), Some(Edge::On));
        span.end(15);
        assert_eq!((span.follow(14), span.follow(15)), (None, Some(Edge::Off)));
        span.end(17);
        assert_eq!((span.follow(16), span.proof("x").until_s), (None, 15));
    }
}
