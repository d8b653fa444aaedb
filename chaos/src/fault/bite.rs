//! One fault at its injection point in the world: when it is on, whom it is about, and how often it was met.

use rand::{RngExt, rngs::StdRng};

use super::{Span, Whom};
use crate::experiment::catalogue::{FaultKind, endpoint::Endpoint};

#[derive(Debug)]
pub struct Bite {
    pub span: Span,
    what: FaultKind,
    hosts: Whom,
    instances: Whom,
    rng: StdRng,
}

impl Bite {
    /// It draws from `rng` which of the passages it takes, where it takes a share of them.
    pub fn new(span: Span, what: FaultKind, rng: StdRng) -> Self {
        Self { span, what, hosts: Whom::Everybody, instances: Whom::Everybody, rng }
    }

    /// About these hosts and instances only.
    pub fn of(self, hosts: Whom, instances: Whom) -> Self {
        Self { hosts, instances, ..self }
    }

    pub fn what(&self) -> &FaultKind {
        &self.what
    }

    pub fn kind(&self) -> &'static str {
        self.what.info().name
    }

    /// Whether a passage of an instance on a host is met.
    pub(super) fn meets(&mut self, host: usize, instance: usize) -> bool {
        if !self.span.on() || !self.hosts.has(host) || !self.instances.has(instance) {
            return false;
        }
        let hit = self.rng.random_bool(share_of(&self.what));
        self.span.count(hit);
        hit
    }

    /// As [`Bite::meets`], of a call through one of the endpoints.
    pub(super) fn meets_call(&mut self, through: Endpoint, host: usize, instance: usize) -> bool {
        endpoints_of(&self.what).is_none_or(|some| some.contains(&through)) && self.meets(host, instance)
    }

    /// Whether it is on for a host, without being met.
    pub(super) fn is_on_host(&self, host: usize) -> bool {
        self.span.on() && self.hosts.has(host)
    }

    /// Itself, and a number of its own from 0 to 1.
    pub(super) fn with_draw(&mut self) -> (&FaultKind, f64) {
        let drawn = self.rng.random();
        (&self.what, drawn)
    }

    /// Whether a second of a host is met.
    pub(super) fn meets_host(&mut self, host: usize) -> bool {
        let is_met = self.is_on_host(host);
        if is_met {
            self.span.count(true);
        }
        is_met
    }
}

/// Share of the passages that are met, 0-1.
fn share_of(what: &FaultKind) -> f64 {
    let share = match what {
        FaultKind::EndpointHttpError(fault) => fault.share,
        FaultKind::EndpointThrottled429(fault) => fault.share,
        FaultKind::EndpointRefused(fault) => fault.share,
        FaultKind::EndpointReset(fault) => fault.share,
        FaultKind::EndpointLostResponse(fault) => fault.share,
        FaultKind::EndpointHalfOpen(fault) => fault.share,
        FaultKind::EndpointNeverUp(fault) => fault.share,
        FaultKind::EndpointGarbage(fault) => fault.share,
        FaultKind::EndpointSlowDrip(fault) => fault.share,
        FaultKind::DataDuplicate(fault) => fault.share,
        FaultKind::DataLate(fault) => fault.share,
        _ => 1.0,
    };
    share.clamp(0.0, 1.0)
}

/// The endpoints it is about; all, where it names none.
fn endpoints_of(what: &FaultKind) -> Option<&[Endpoint]> {
    Some(match what {
        FaultKind::EndpointHttpError(fault) => &fault.endpoints,
        FaultKind::EndpointThrottled429(fault) => &fault.endpoints,
        FaultKind::EndpointSlowWake(fault) => &fault.endpoints,
        FaultKind::EndpointAuthExpired(fault) => &fault.endpoints,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::experiment::catalogue::endpoint::HttpError;

    fn fault(share: f64) -> Bite {
        let what = FaultKind::EndpointHttpError(HttpError { share, ..HttpError::default() });
        Bite::new(Span::new(0, 10), what, StdRng::seed_from_u64(1))
    }

    #[test]
    fn it_takes_its_share_while_it_is_on_and_nothing_after() {
        let mut fault = fault(0.2);
        assert!(!fault.meets(0, 0), "not on yet");
        fault.span.follow(0);
        let hits = (0..1_000).filter(|one| fault.meets(0, *one)).count();
        assert!((160..240).contains(&hits), "{hits}");
        fault.span.follow(10);
        assert!(!(0..1_000).any(|one| fault.meets(0, one)));
        let proof = fault.span.proof(fault.kind());
        assert_eq!((proof.hits as usize, proof.opportunities, proof.on), (hits, 1_000, false));
    }

    #[test]
    fn only_those_it_is_about_are_met() {
        let mut fault = fault(1.0).of(Whom::Only([1].into()), Whom::Only([3, 5].into()));
        fault.span.follow(0);
        assert_eq!((0..8).filter(|one| fault.meets(1, *one)).collect::<Vec<_>>(), [3, 5]);
        assert!(!fault.meets(0, 3) && fault.meets_host(1) && !fault.meets_host(2));
        assert_eq!(fault.span.proof("x").opportunities, 3);
    }

    #[test]
    fn only_the_endpoints_it_names_are_met() {
        let what = HttpError { endpoints: vec![Endpoint::PortalApi], ..HttpError::default() };
        let what = FaultKind::EndpointHttpError(what);
        let mut fault = Bite::new(Span::new(0, 10), what, StdRng::seed_from_u64(1));
        fault.span.follow(0);
        assert!(fault.meets_call(Endpoint::PortalApi, 0, 0));
        assert!(!fault.meets_call(Endpoint::ActivateMyInstance, 0, 0));
    }
}
