//! How long forecasts are waited for: pages of mixed parameters, from anywhere in the fleet.

use jiff::SignedDuration;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

use super::fleet::{Fleet, now};
use crate::{
    api::{Likely, view::PAGE_SIZE_MAX},
    model::{AbstainRule, Scorer},
};

/// The time in milliseconds that 99 of 100 of `count` queries take at most.
pub(super) fn p99_ms(
    fleet: &Fleet,
    scorer: &Scorer,
    count: u32,
    seed: u64,
    mut progress: impl FnMut(),
) -> f64 {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut took: Vec<f64> = Vec::with_capacity(count as usize);
    for n in 0..count {
        let likely = Likely {
            scorer,
            abstain: AbstainRule::default(),
            at: now() + SignedDuration::from_mins(15 * rng.random_range(0..672)),
            within_s: [900, 3_600, 10_800, 86_400, 604_800][rng.random_range(0..5)],
            min_probability: [0.0, 0.1, 0.5, 0.9, 1.0][rng.random_range(0..5)],
        };
        let from = rng.random_range(0..fleet.len());
        let size = [1, 20, 100, PAGE_SIZE_MAX as usize][rng.random_range(0..4)];
        let began = Instant::now();
        // A tenth asks for one instance.
        if n % 10 == 0 {
            for (instance, profile, zone) in fleet.from(from).take(1) {
                std::hint::black_box(likely.one(instance, profile, zone).is_ok());
            }
        } else {
            std::hint::black_box(likely.page(fleet.from(from), size));
        }
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
        progress();
    }
    took.sort_by(f64::total_cmp);
    let place = (took.len() * 99).div_ceil(100).saturating_sub(1);
    took.get(place).copied().unwrap_or_default()
}
