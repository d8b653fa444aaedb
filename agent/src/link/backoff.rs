//! How long to wait before the next try: full jitter, so that a fleet does not come back all at once.

use std::time::Duration;

use rand::RngExt;
use reveille_proto::planted;

/// A fleet whose controller restarts comes back over so long: no second of it may bring more than about a third.
const BASE_MS: u64 = 3000;

/// Doubles its bound at each failure up to a cap.
#[derive(Debug, Clone)]
pub struct Backoff {
    cap_ms: u64,
    failures: u32,
}

impl Backoff {
    pub fn new(cap_s: u64) -> Self {
        Self { cap_ms: cap_s.saturating_mul(1000), failures: 0 }
    }

    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Anything between nothing and the present bound.
    pub fn next(&mut self, rng: &mut impl RngExt) -> Duration {
        let cap_ms = if planted!("backoff-without-cap") { u64::MAX } else { self.cap_ms };
        let bound_ms = BASE_MS.saturating_mul(1 << self.failures.min(30)).min(cap_ms);
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(rng.random_range(0..=bound_ms))
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn it_grows_to_its_cap_is_spread_and_begins_anew() {
        let mut rng = StdRng::seed_from_u64(7);
        let longest = |failures: usize, rng: &mut StdRng| {
            (0..200)
                .map(|_| {
                    let mut backoff = Backoff::new(30);
                    (0..failures).for_each(|_| {
                        backoff.next(rng);
                    });
                    backoff.next(rng).as_millis()
                })
                .fold((u128::MAX, 0), |(low, high), ms| (low.min(ms), high.max(ms)))
        };
        let (_, first) = longest(0, &mut rng);
        assert!((2400..=3000).contains(&first), "{first}");
        let (low, late) = longest(50, &mut rng);
        assert!((27_000..=30_000).contains(&late) && low < 3_000, "{low}..{late}");
        let mut backoff = Backoff::new(30);
        (0..20).for_each(|_| {
            backoff.next(&mut rng);
        });
        backoff.reset();
        assert!(backoff.next(&mut rng) <= Duration::from_millis(BASE_MS));
    }
}
