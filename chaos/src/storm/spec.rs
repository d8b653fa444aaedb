//! Storms: many wakes wanted at once on one host.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::world::{
    background::{Background, BackgroundSpec},
    boot::{Boot, BootSpec},
};

/// The ceiling of all storms, as a share of the cores.
pub const CEILING: f64 = 0.70;
/// A storm that takes longer is stopped.
pub const SECONDS_MAX: usize = 40_000;

/// So long a host is measured before a storm.
const BEFORE_S: usize = 600;

/// A class of storms.
#[derive(Debug, Clone)]
pub struct StormSpec {
    pub name: &'static str,
    pub cores: f64,
    pub wakes: usize,
    /// The classes of instances; each wake is of one of them.
    pub boots: Vec<BootSpec>,
}

/// The classes that are measured: three of one class of instances each, and all of them mixed.
pub fn classes() -> Vec<StormSpec> {
    let boot = |work_core_s, cores_max: &[f64], wall_min_s| BootSpec {
        work_core_s,
        cores_max: cores_max.to_vec(),
        wall_min_s,
    };
    let light = boot(40.0, &[1.0, 2.0], 150);
    let medium = boot(120.0, &[1.0, 2.0, 4.0], 180);
    let heavy = boot(240.0, &[2.0, 4.0], 180);
    let of = |name, cores, wakes, boots: &[&BootSpec]| StormSpec {
        name,
        cores,
        wakes,
        boots: boots.iter().map(|boot| (*boot).clone()).collect(),
    };
    vec![
        of("light", 16.0, 150, &[&light]),
        of("medium", 16.0, 100, &[&medium]),
        of("heavy", 32.0, 100, &[&heavy]),
        of("mixed", 32.0, 120, &[&light, &medium, &heavy]),
    ]
}

/// One storm, drawn.
#[derive(Debug, Clone)]
pub struct Storm {
    pub cores: f64,
    /// In the order of the queue, each with its class.
    pub boots: Vec<(usize, Boot)>,
    /// Cores that the background uses, second by second: in the minutes before the storm, and from then on.
    pub before: Vec<f64>,
    pub background: Vec<f64>,
}

impl Storm {
    pub fn draw(spec: &StormSpec, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let boots = (0..spec.wakes).map(|_| draw_boot(spec, &mut rng)).collect();
        let shape = BackgroundSpec { share_max: 0.95, ..BackgroundSpec::default() };
        let mut background = Background::new(shape, StdRng::seed_from_u64(seed ^ 0x5EED));
        let mut cores = |seconds: usize| (0..seconds).map(|_| background.step() * spec.cores).collect();
        Self { cores: spec.cores, boots, before: cores(BEFORE_S), background: cores(SECONDS_MAX) }
    }
}

/// Boots of other days, for what is to be learned before the storm.
pub fn earlier_boots(spec: &StormSpec, count: usize) -> Vec<(usize, Boot)> {
    let mut rng = StdRng::seed_from_u64(0xEA_511E5);
    (0..count).map(|_| draw_boot(spec, &mut rng)).collect()
}

fn draw_boot(spec: &StormSpec, rng: &mut StdRng) -> (usize, Boot) {
    let class = rng.random_range(0..spec.boots.len());
    (class, Boot::draw(&spec.boots[class], 1.0, rng))
}
