//! What new sightings cost: as many as there are instances, in no order, each into its profile.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

use super::fleet::{Fleet, IDLE_GAP_S, NOW_S};

/// Sightings taken per second. The fleet has been through a busy hour afterwards.
pub(super) fn visits_per_s(fleet: &mut Fleet, seed: u64) -> f64 {
    let mut rng = StdRng::seed_from_u64(seed);
    let count = fleet.len();
    let whose: Vec<u32> = (0..count).map(|_| rng.random_range(0..count) as u32).collect();
    let began = Instant::now();
    for (n, whose) in whose.iter().enumerate() {
        let at_s = NOW_S + (n * 3_600 / count) as i64;
        let index = *whose as usize;
        let offset_s = fleet.offsets_s[usize::from(fleet.zone_of[index])];
        fleet.profiles[index].see_second(at_s, offset_s, IDLE_GAP_S);
    }
    count as f64 / began.elapsed().as_secs_f64()
}
