//! A fault that takes a share of what passes its injection point.

use rand::{RngExt, rngs::StdRng};

use super::{Span, Whom};

#[derive(Debug)]
pub struct Toll {
    pub span: Span,
    /// Share of the passages that are met, 0-1.
    share: f64,
    whom: Whom,
    rng: StdRng,
}

impl Toll {
    pub fn new(span: Span, share: f64, rng: StdRng) -> Self {
        Self { span, share: share.clamp(0.0, 1.0), whom: Whom::Everybody, rng }
    }

    /// Of these instances only.
    pub fn of(self, whom: Whom) -> Self {
        Self { whom, ..self }
    }

    /// Whether this passage, of an instance, is met.
    pub fn bites(&mut self, instance: usize) -> bool {
        if !self.span.on() || !self.whom.has(instance) {
            return false;
        }
        let hit = self.rng.random_bool(self.share);
        self.span.count(hit);
        hit
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn it_takes_its_share_while_it_is_on_and_nothing_after() {
        let mut fault = Toll::new(Span::new(0, 10), 0.2, StdRng::seed_from_u64(1));
        assert!(!fault.bites(0), "not on yet");
        fault.span.follow(0);
        let hits = (0..1_000).filter(|one| fault.bites(*one)).count();
        assert!((160..240).contains(&hits), "{hits}");
        fault.span.follow(10);
        assert!(!(0..1_000).any(|one| fault.bites(one)));
        let proof = fault.span.proof("x");
        assert_eq!((proof.hits as usize, proof.opportunities, proof.on), (hits, 1_000, false));
    }

    #[test]
    fn only_those_it_is_about_are_met() {
        let whom = Whom::Only([3, 5].into());
        let mut fault = Toll::new(Span::new(0, 10), 1.0, StdRng::seed_from_u64(1)).of(whom);
        fault.span.follow(0);
        assert_eq!((0..8).filter(|one| fault.bites(*one)).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(fault.span.proof("x").opportunities, 2);
    }
}
