//! Faults: each is injected at a seam of the world, proves that it bit, and recovers by itself when its span is over.

pub mod kind;
pub mod level;
pub mod slow_wake;
pub mod span;
pub mod toll;
pub mod whom;

use std::collections::BTreeMap;

pub use level::Level;
pub use slow_wake::SlowWake;
pub use span::{Edge, FaultProof, Span};
pub use toll::Toll;
pub use whom::Whom;

/// The faults of a world; at most one of each kind, or of each kind on each host.
#[derive(Debug, Default)]
pub struct Faults {
    pub slow_wake: Option<SlowWake>,
    pub tolls: BTreeMap<&'static str, Toll>,
    /// By kind and host.
    pub levels: BTreeMap<(&'static str, usize), Level>,
}

impl Faults {
    /// Follows the clock: gives what was switched on or off since the last time.
    pub fn follow(&mut self, now_s: i64) -> Vec<(&'static str, Edge)> {
        self.spans_mut().filter_map(|(kind, span)| span.follow(now_s).map(|edge| (kind, edge))).collect()
    }

    pub fn proofs(&self) -> Vec<FaultProof> {
        let tolls = self.tolls.iter().map(|(kind, fault)| fault.span.proof(kind));
        let levels = self.levels.iter().map(|((kind, _), fault)| fault.span.proof(kind));
        let slow_wake = self.slow_wake.as_ref().map(|fault| fault.span.proof(kind::SLOW_WAKE));
        tolls.chain(levels).chain(slow_wake).collect()
    }

    /// Whether this passage, of an instance, is met by the fault of this kind, if there is one.
    pub fn bites(&mut self, kind: &'static str, instance: usize) -> bool {
        self.tolls.get_mut(kind).is_some_and(|toll| toll.bites(instance))
    }

    /// The level a fault of this kind has set for this host, if there is one.
    pub fn level(&mut self, kind: &'static str, host: usize) -> Option<f64> {
        self.levels.get_mut(&(kind, host))?.level()
    }

    fn spans_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Span)> {
        let tolls = self.tolls.iter_mut().map(|(kind, fault)| (*kind, &mut fault.span));
        let levels = self.levels.iter_mut().map(|((kind, _), fault)| (*kind, &mut fault.span));
        let slow_wake = self.slow_wake.as_mut().map(|fault| (kind::SLOW_WAKE, &mut fault.span));
        tolls.chain(levels).chain(slow_wake)
    }
}
