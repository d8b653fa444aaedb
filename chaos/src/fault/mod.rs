//! Faults: each is injected at a seam of the world, proves that it bit, and recovers by itself when its span is over.

pub mod http_error;
pub mod slow_wake;
pub mod span;

pub use http_error::HttpError;
pub use slow_wake::SlowWake;
pub use span::{Edge, FaultProof, Span};

/// The faults of a world; at most one of each kind.
#[derive(Debug, Default)]
pub struct Faults {
    pub http_error: Option<HttpError>,
    pub slow_wake: Option<SlowWake>,
}

impl Faults {
    /// Follows the clock: gives what was switched on or off since the last time.
    pub fn follow(&mut self, now_s: i64) -> Vec<(&'static str, Edge)> {
        self.spans_mut().filter_map(|(kind, span)| span.follow(now_s).map(|edge| (kind, edge))).collect()
    }

    pub fn proofs(&self) -> Vec<FaultProof> {
        let http_error = self.http_error.as_ref().map(|fault| fault.span.proof(http_error::KIND));
        let slow_wake = self.slow_wake.as_ref().map(|fault| fault.span.proof(slow_wake::KIND));
        http_error.into_iter().chain(slow_wake).collect()
    }

    fn spans_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Span)> {
        let http_error = self.http_error.as_mut().map(|fault| (http_error::KIND, &mut fault.span));
        let slow_wake = self.slow_wake.as_mut().map(|fault| (slow_wake::KIND, &mut fault.span));
        http_error.into_iter().chain(slow_wake)
    }
}
