//! Faults: each is injected at a seam of the world, proves that it bit, and recovers by itself when its span is over.

pub mod bite;
pub mod span;
pub mod whom;

use std::collections::BTreeMap;

pub use bite::Bite;
pub use span::{Edge, FaultProof, Span};
pub use whom::Whom;

use crate::experiment::catalogue::{FaultKind, endpoint::Endpoint};

/// The faults of a world, each under a number of its own.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<usize, Bite>);

impl Faults {
    pub fn put(&mut self, number: usize, fault: Bite) {
        self.0.insert(number, fault);
    }

    /// Follows the clock: gives what was switched on or off since the last time.
    pub fn follow(&mut self, now_s: i64) -> Vec<(&'static str, Edge)> {
        let follow = |fault: &mut Bite| fault.span.follow(now_s).map(|edge| (fault.kind(), edge));
        self.0.values_mut().filter_map(follow).collect()
    }

    /// It is over from `now_s` on, if it was not before.
    pub fn end(&mut self, number: usize, now_s: i64) {
        if let Some(fault) = self.0.get_mut(&number) {
            fault.span.end(now_s);
        }
    }

    pub fn proof(&self, number: usize) -> Option<FaultProof> {
        self.0.get(&number).map(|fault| fault.span.proof(fault.kind()))
    }

    pub fn proofs(&self) -> Vec<FaultProof> {
        self.0.values().map(|fault| fault.span.proof(fault.kind())).collect()
    }

    /// The fault of this kind that meets a passage of an instance on a host, if one does.
    pub fn meets(&mut self, kind: &str, host: usize, instance: usize) -> Option<&FaultKind> {
        self.0.values_mut().find_map(|fault| {
            let is_met = fault.kind() == kind && fault.meets(host, instance);
            is_met.then(|| fault.what())
        })
    }

    /// As [`Faults::meets`], where it would make a difference. Says whether it did.
    pub fn meets_if(
        &mut self,
        kind: &str,
        host: usize,
        instance: usize,
        matters: impl Fn(&FaultKind) -> bool,
    ) -> bool {
        let mut all = self.0.values_mut();
        all.any(|fault| fault.kind() == kind && matters(fault.what()) && fault.meets(host, instance))
    }

    /// As [`Faults::meets`], of a call through one of the endpoints.
    pub fn meets_call(
        &mut self,
        kind: &str,
        through: Endpoint,
        host: usize,
        instance: usize,
    ) -> Option<&FaultKind> {
        self.0.values_mut().find_map(|fault| {
            let is_met = fault.kind() == kind && fault.meets_call(through, host, instance);
            is_met.then(|| fault.what())
        })
    }

    /// Whether there is none, neither on nor to come.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults of this kind that meet this second of a host, each with the second it began.
    pub fn on_host(&mut self, kind: &str, host: usize) -> Vec<(&FaultKind, i64)> {
        let met = self.0.values_mut().filter(|fault| fault.kind() == kind);
        met.filter_map(|fault| fault.meets_host(host).then(|| (fault.what(), fault.span.from_s()))).collect()
    }

    /// Whether one of this kind is on.
    pub fn is_on(&self, kind: &str) -> bool {
        self.0.values().any(|fault| fault.kind() == kind && fault.span.on())
    }

    /// As [`Faults::on_host`], by somebody who only looks.
    pub fn seen_on_host(&self, kind: &str, host: usize) -> Vec<&FaultKind> {
        let met = self.0.values().filter(|fault| fault.kind() == kind && fault.is_on_host(host));
        met.map(Bite::what).collect()
    }

    /// As [`Faults::meets`], of a line about an instance in the log.
    pub fn meets_line(&mut self, kind: &str, host: usize, instance: usize) -> Option<(&FaultKind, f64)> {
        self.0.values_mut().find_map(|fault| {
            let is_met = fault.kind() == kind && fault.meets(host, instance);
            if is_met { Some(fault.with_draw()) } else { None }
        })
    }
}
