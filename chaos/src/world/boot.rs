//! What one boot asks of its host: a quiet phase, a burst, a tail.

use rand::{RngExt, rngs::StdRng};

use super::chance::normal;

/// Shape of the boots of a world.
#[derive(Debug, Clone)]
pub struct BootSpec {
    /// Mean CPU of a boot, in core-seconds.
    pub work_core_s: f64,
    /// Most cores a boot may use; one of these is drawn.
    pub cores_max: Vec<f64>,
    /// Shortest boot, in seconds, on a host with nothing else to do.
    pub wall_min_s: usize,
}

impl Default for BootSpec {
    fn default() -> Self {
        Self { work_core_s: 120.0, cores_max: vec![1.0, 2.0, 4.0], wall_min_s: 180 }
    }
}

/// One boot on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Boot {
    /// Cores wanted in each second of its own progress.
    demand_cores: Vec<f64>,
    /// Seconds of progress made; slower than the clock on a host that has too much to do.
    progress_s: f64,
}

impl Boot {
    /// Draws a boot. `slowdown` >= 1 stretches it in time with the same total work.
    pub fn draw(spec: &BootSpec, slowdown: f64, rng: &mut StdRng) -> Self {
        let work = spec.work_core_s * (0.6 * normal(rng) - 0.18).exp();
        let peak = spec.cores_max[rng.random_range(0..spec.cores_max.len())];
        let wall_s = spec.wall_min_s as f64;
        let quiet_s = (rng.random_range(0.15..0.35) * wall_s) as usize;
        let tail_s = (rng.random_range(0.1..0.3) * wall_s) as usize;
        let burst_s = ((0.85 * work / peak).ceil() as usize).max(spec.wall_min_s - quiet_s - tail_s).max(5);
        let base = 0.15 * work / (quiet_s + tail_s).max(1) as f64;
        let mut demand = vec![base; quiet_s + burst_s + tail_s];
        front_loaded(&mut demand[quiet_s..quiet_s + burst_s], 0.85 * work, peak, rng.random_range(0.3..0.7));
        Self { demand_cores: stretched(&demand, slowdown.max(1.0)), progress_s: 0.0 }
    }

    /// The same boot at so many times the CPU, in the same time.
    #[must_use]
    pub fn costing(mut self, factor: f64) -> Self {
        self.demand_cores.iter_mut().for_each(|cores| *cores *= factor);
        self
    }

    /// Cores it wants now.
    pub fn demand_cores(&self) -> f64 {
        self.demand_cores.get(self.progress_s as usize).copied().unwrap_or(0.0)
    }

    /// Makes `share` of a second's progress; true when it is over.
    pub fn advance(&mut self, share: f64) -> bool {
        self.progress_s += share;
        self.progress_s >= self.demand_cores.len() as f64
    }

    /// Seconds it takes on a host with nothing else to do.
    pub fn wall_min_s(&self) -> usize {
        self.demand_cores.len()
    }

    /// Cores wanted in each second of its progress.
    pub fn course(&self) -> Vec<f64> {
        self.demand_cores.clone()
    }

    /// Total CPU it wants, in core-seconds.
    pub fn work_core_s(&self) -> f64 {
        self.demand_cores.iter().sum()
    }
}

/// A burst of `work` core-seconds that starts high and falls, never above `peak` cores by more than the correction needs.
fn front_loaded(burst: &mut [f64], work: f64, peak: f64, front: f64) {
    let level = work / burst.len() as f64;
    let last = (burst.len() - 1).max(1) as f64;
    for (i, cores) in burst.iter_mut().enumerate() {
        *cores = (level * (1.0 + front - 2.0 * front * i as f64 / last)).min(peak);
    }
    let correction = work / burst.iter().sum::<f64>();
    for cores in burst {
        *cores *= correction;
    }
}

fn stretched(demand: &[f64], slowdown: f64) -> Vec<f64> {
    let length = (demand.len() as f64 * slowdown).round() as usize;
    let at = |i: usize| demand[((i as f64 / slowdown) as usize).min(demand.len() - 1)];
    (0..length).map(|i| at(i) / slowdown).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::chance::stream, *};

    #[test]
    fn boots_have_the_mean_work_and_at_least_the_shortest_wall() {
        let mut rng = stream(3, 0);
        let boots: Vec<Boot> = (0..2_000).map(|_| Boot::draw(&BootSpec::default(), 1.0, &mut rng)).collect();
        let mean = boots.iter().map(Boot::work_core_s).sum::<f64>() / boots.len() as f64;
        assert!((mean - 120.0).abs() < 6.0, "{mean}");
        assert!(boots.iter().all(|b| b.wall_min_s() >= 178));
    }

    #[test]
    fn a_slow_boot_takes_longer_with_the_same_work() {
        let quick = Boot::draw(&BootSpec::default(), 1.0, &mut stream(3, 0));
        let slow = Boot::draw(&BootSpec::default(), 4.0, &mut stream(3, 0));
        assert_eq!(slow.wall_min_s(), 4 * quick.wall_min_s());
        assert!((slow.work_core_s() - quick.work_core_s()).abs() < 0.01 * quick.work_core_s());
    }

    #[test]
    fn progress_at_half_speed_takes_twice_as_long() {
        let mut boot = Boot::draw(&BootSpec::default(), 1.0, &mut stream(5, 0));
        let alone_s = boot.wall_min_s();
        let took_s = 1 + std::iter::from_fn(|| (!boot.advance(0.5)).then_some(())).count();
        assert_eq!(took_s, 2 * alone_s);
    }

    #[test]
    fn a_costly_boot_takes_its_time_and_more_work() {
        let [cheap, costly] =
            [1.0, 3.0].map(|factor| Boot::draw(&BootSpec::default(), 1.0, &mut stream(3, 0)).costing(factor));
        assert_eq!(costly.wall_min_s(), cheap.wall_min_s());
        assert!((costly.work_core_s() - 3.0 * cheap.work_core_s()).abs() < 1e-6);
    }
}
