//! Seeded draws: the same seed, proxy, connection and toxic, the same luck.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};

/// The luck of one toxic in one connection.
#[derive(Debug)]
pub(super) struct Draw {
    rng: StdRng,
    /// Compared to the toxicity, so that a greater toxicity only adds connections.
    pub(super) share: f64,
}

impl Draw {
    /// `connection` counts the connections of the proxy from 0 in the order they were accepted.
    pub(super) fn new(seed: u64, proxy: &str, connection: u64, toxic: &str) -> Self {
        let mut hash = Sha256::new();
        for part in
            [&seed.to_le_bytes()[..], &connection.to_le_bytes(), proxy.as_bytes(), &[0], toxic.as_bytes()]
        {
            hash.update(part);
        }
        let mut rng = StdRng::from_seed(hash.finalize().into());
        let share = rng.random();
        Self { rng, share }
    }

    /// Evenly from -1 to 1.
    pub(super) fn swing(&mut self) -> f64 {
        self.rng.random_range(-1.0..=1.0)
    }

    /// Evenly from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.rng.random_range(low..=high.max(low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luck_repeats_and_differs_by_connection_and_toxic() {
        let share = |connection, toxic| Draw::new(7, "db", connection, toxic).share;
        assert!((share(1, "a") - share(1, "a")).abs() < f64::EPSILON);
        assert!((share(1, "a") - share(2, "a")).abs() > f64::EPSILON);
        assert!((share(1, "a") - share(1, "b")).abs() > f64::EPSILON);
        let half = (0..1000).filter(|connection| share(*connection, "a") < 0.5).count();
        assert!((440..560).contains(&half), "{half}");
    }
}
