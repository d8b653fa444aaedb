//! A simulated host: cores, what runs in the background, boots that share what is left, one step per second.

use reveille_proto::HostId;
use serde::Serialize;

use super::{background::Background, boot::Boot};

/// A boot on a host, by the index of its instance.
#[derive(Debug)]
struct Running {
    instance: usize,
    boot: Boot,
}

/// What was seen on a host, second by second.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HostRecord {
    pub seconds: u64,
    pub cpu_max_percent: f64,
    pub cpu_mean_percent: f64,
    /// Seconds above the ceiling, whoever caused them.
    pub above_ceiling_s: u64,
    /// Of these, seconds in which the background alone was above it.
    pub above_by_background_s: u64,
    pub boots: u64,
    pub boots_at_once_max: usize,
}

impl HostRecord {
    /// Share of the seconds above the ceiling, 0-100.
    pub fn above_ceiling_percent(&self) -> f64 {
        100.0 * self.above_ceiling_s as f64 / self.seconds.max(1) as f64
    }
}

#[derive(Debug)]
pub struct Host {
    pub id: HostId,
    pub cores: f64,
    background: Background,
    running: Vec<Running>,
    cpu_percent: f64,
    record: HostRecord,
}

impl Host {
    pub fn new(id: HostId, cores: f64, background: Background) -> Self {
        Self { id, cores, background, running: Vec::new(), cpu_percent: 0.0, record: HostRecord::default() }
    }

    /// CPU in use in the last second, 0-100 of all cores.
    pub fn cpu_percent(&self) -> f64 {
        self.cpu_percent
    }

    pub fn boots_now(&self) -> usize {
        self.running.len()
    }

    pub fn record(&self) -> &HostRecord {
        &self.record
    }

    pub fn forget_record(&mut self) {
        self.record = HostRecord::default();
    }

    pub fn begin_boot(&mut self, instance: usize, boot: Boot) {
        self.running.push(Running { instance, boot });
        self.record.boots += 1;
        self.record.boots_at_once_max = self.record.boots_at_once_max.max(self.running.len());
    }

    /// Its boots come to nothing.
    pub fn lose_boots(&mut self) {
        self.running.clear();
    }

    /// One second: every boot advances, all at the same pace when they want more than the cores (processor sharing).
    /// Gives the instances whose boot is over.
    /// `noise_share` of the cores, 0-1, is used by something else besides the background.
    pub fn step(&mut self, noise_share: f64, ceiling_percent: f64) -> Vec<usize> {
        let background = (self.background.step() + noise_share) * self.cores;
        let wanted: f64 = self.running.iter().map(|r| r.boot.demand_cores()).sum();
        let total = background + wanted;
        let pace = if total > self.cores { self.cores / total } else { 1.0 };
        self.cpu_percent = (100.0 * total / self.cores).min(100.0);
        self.note(100.0 * background / self.cores, ceiling_percent);
        let mut over = Vec::new();
        self.running.retain_mut(|running| {
            let done = running.boot.advance(pace);
            if done {
                over.push(running.instance);
            }
            !done
        });
        over
    }

    fn note(&mut self, background_percent: f64, ceiling_percent: f64) {
        let record = &mut self.record;
        record.seconds += 1;
        record.cpu_max_percent = record.cpu_max_percent.max(self.cpu_percent);
        record.cpu_mean_percent += (self.cpu_percent - record.cpu_mean_percent) / record.seconds as f64;
        if self.cpu_percent > ceiling_percent {
            record.above_ceiling_s += 1;
            record.above_by_background_s += u64::from(background_percent > ceiling_percent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{background::BackgroundSpec, boot::BootSpec, chance::stream},
        *,
    };

    fn host(mean_share: f64) -> Host {
        let spec = BackgroundSpec { mean_share, wander_share: 0.0, spike_every_s: u32::MAX, share_max: 0.95 };
        Host::new(HostId::new("h1").expect("valid"), 4.0, Background::new(spec, stream(1, 1)))
    }

    fn boot(seed: u64) -> Boot {
        let spec = BootSpec { cores_max: vec![4.0], ..BootSpec::default() };
        Boot::draw(&spec, 1.0, &mut stream(seed, 9))
    }

    fn run_until_idle(host: &mut Host) -> u64 {
        while host.boots_now() > 0 {
            host.step(0.0, 70.0);
        }
        host.record().seconds
    }

    #[test]
    fn a_crowded_host_stretches_boots_and_counts_the_seconds_above_its_ceiling() {
        let mut alone = host(0.2);
        alone.begin_boot(0, boot(1));
        let alone_s = run_until_idle(&mut alone);
        assert_eq!(alone_s as usize, boot(1).wall_min_s());

        let mut crowded = host(0.2);
        (0..20).for_each(|i| crowded.begin_boot(i, boot(1)));
        let crowded_s = run_until_idle(&mut crowded);
        let record = crowded.record();
        assert!(crowded_s > 3 * alone_s, "{crowded_s} s against {alone_s} s");
        assert!(record.above_ceiling_s > alone_s && record.above_by_background_s == 0);
        assert!((record.cpu_max_percent - 100.0).abs() < 1e-9);
        assert_eq!((record.boots, record.boots_at_once_max), (20, 20));
    }

    #[test]
    fn what_the_background_does_alone_is_told_apart() {
        let mut hot = host(0.8);
        (0..100).for_each(|_| drop(hot.step(0.0, 70.0)));
        assert_eq!(hot.record().above_by_background_s, hot.record().above_ceiling_s);
        assert!(hot.record().above_ceiling_percent() > 99.0);
    }
}
