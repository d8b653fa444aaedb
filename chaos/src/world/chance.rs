//! Seeded draws the world is made of.

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// A generator of its own for each thing that draws, so that one more draw here moves nothing there.
pub fn stream(seed: u64, purpose: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(purpose))
}

/// Standard normal, by Box and Muller.
pub fn normal(rng: &mut StdRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut rng = stream(1, 2);
        let draws: Vec<f64> = (0..20_000).map(|_| normal(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn streams_repeat_and_differ() {
        assert_eq!(stream(7, 1).random::<u64>(), stream(7, 1).random::<u64>());
        assert_ne!(stream(7, 1).random::<u64>(), stream(7, 2).random::<u64>());
    }
}
