//! What else runs on a host: a load that wanders around its mean, with a spike now and then.

use rand::{RngExt, rngs::StdRng};

use super::chance::normal;

/// Shape of the background of a host. Shares are of all its cores, 0-1.
#[derive(Debug, Clone)]
pub struct BackgroundSpec {
    pub mean_share: f64,
    pub wander_share: f64,
    /// One spike begins about this often, in seconds.
    pub spike_every_s: u32,
    /// The background alone never goes above this.
    pub share_max: f64,
}

impl Default for BackgroundSpec {
    fn default() -> Self {
        Self { mean_share: 0.25, wander_share: 0.05, spike_every_s: 900, share_max: 0.62 }
    }
}

/// An AR(1) walk stepped once a second, plus spikes of 30-120 s.
#[derive(Debug)]
pub struct Background {
    spec: BackgroundSpec,
    walk_share: f64,
    spike_share: f64,
    spike_left_s: u32,
    rng: StdRng,
}

impl Background {
    pub fn new(spec: BackgroundSpec, rng: StdRng) -> Self {
        Self { walk_share: spec.mean_share, spec, spike_share: 0.0, spike_left_s: 0, rng }
    }

    /// The share of the cores in use in the next second.
    pub fn step(&mut self) -> f64 {
        let pull = 0.02 * (self.spec.mean_share - self.walk_share);
        self.walk_share += pull + 0.2 * self.spec.wander_share * normal(&mut self.rng);
        if self.spike_left_s > 0 {
            self.spike_left_s -= 1;
        } else if self.rng.random_range(0..self.spec.spike_every_s.max(1)) == 0 {
            self.spike_left_s = self.rng.random_range(30..120);
            self.spike_share = self.rng.random_range(0.1..0.35);
        }
        let spike = if self.spike_left_s > 0 { self.spike_share } else { 0.0 };
        (self.walk_share + spike).clamp(0.02, self.spec.share_max)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::chance::stream, *};

    #[test]
    fn it_wanders_around_its_mean_and_stays_below_its_cap() {
        let mut background = Background::new(BackgroundSpec::default(), stream(1, 1));
        let shares: Vec<f64> = (0..86_400).map(|_| background.step()).collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        assert!((0.22..0.32).contains(&mean), "{mean}");
        assert!(shares.iter().all(|s| (0.02..=0.62).contains(s)));
        let high = shares.iter().filter(|s| **s > 0.45).count();
        assert!(high > 500, "spikes are missing: {high} s above 45 %");
    }
}
