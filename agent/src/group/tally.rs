//! What wakes used between two reports: samples are added up, so that a report that could not be sent loses nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use reveille_proto::{InstanceId, WakeId};

use super::StartsSample;

/// The sums. Cheap to clone; every clone adds to the same.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Sums>>);

#[derive(Debug, Default)]
struct Sums {
    elapsed_s: f64,
    throttled_s: Option<f64>,
    group_cores: Option<f64>,
    /// Core-seconds of each wake.
    used: BTreeMap<WakeId, f64>,
    /// Cores of each instance in the latest sample.
    instances: BTreeMap<InstanceId, f64>,
    /// Whose wake is in hand, or was at the latest sample.
    in_hand: BTreeMap<InstanceId, WakeId>,
    over: BTreeSet<WakeId>,
}

/// What one report says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Since {
    /// Average cores of each wake that could be measured.
    pub wakes: BTreeMap<WakeId, f64>,
    /// Cores of each instance that can be measured, in the latest sample.
    pub instances: BTreeMap<InstanceId, f64>,
    pub group_cores: Option<f64>,
    pub throttled_share: Option<f64>,
}

impl Tally {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// What this instance uses is this wake's from now on.
    pub fn begin(&self, wake: WakeId, instance: &InstanceId) {
        let mut sums = self.sums();
        sums.over.remove(&wake);
        sums.in_hand.insert(instance.clone(), wake);
    }

    /// The wake is over; what it used up to now is in the next sample.
    pub fn end(&self, wake: WakeId) {
        self.sums().over.insert(wake);
    }

    /// Adds a sample of the last `elapsed_s`.
    pub fn add(&self, sample: StartsSample, elapsed_s: f64) {
        let mut sums = self.sums();
        let Sums { used, in_hand, over, .. } = &mut *sums;
        for (instance, cores) in &sample.cores {
            if let Some(wake) = in_hand.get(instance) {
                *used.entry(*wake).or_default() += cores * elapsed_s;
            }
        }
        in_hand.retain(|_, wake| !over.contains(wake));
        over.clear();
        sums.elapsed_s += elapsed_s;
        sums.group_cores = sample.group_cores;
        if let Some(share) = sample.throttled_share {
            *sums.throttled_s.get_or_insert(0.0) += share * elapsed_s;
        }
        sums.instances = sample.cores;
    }

    /// Hands `send` what was added since the last report; if it says that this one is on its way, the next begins at
    /// nothing.
    pub fn report(&self, send: impl FnOnce(&Since) -> bool) {
        let mut sums = self.sums();
        if send(&sums.since()) {
            (sums.elapsed_s, sums.throttled_s) = (0.0, None);
            sums.used.clear();
        }
    }
}

impl Sums {
    fn since(&self) -> Since {
        let per_second = |sum: f64| if self.elapsed_s > 0.0 { sum / self.elapsed_s } else { 0.0 };
        Since {
            wakes: self.used.iter().map(|(wake, used)| (*wake, per_second(*used))).collect(),
            instances: self.instances.clone(),
            group_cores: self.group_cores,
            throttled_share: self.throttled_s.map(|s| per_second(s).clamp(0.0, 1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake(n: u8) -> WakeId {
        format!("0190a1b2-0000-7000-8000-{n:012}").parse().expect("valid")
    }

    fn dev(n: u8) -> InstanceId {
        format!("dev{n}").parse().expect("valid")
    }

    fn sample(cores: &[(u8, f64)], throttled: f64) -> StartsSample {
        let cores = cores.iter().map(|(n, cores)| (dev(*n), *cores)).collect();
        StartsSample { cores, group_cores: Some(1.5), throttled_share: Some(throttled) }
    }

    /// What a report says that is sent, or not.
    fn since(tally: &Tally, is_sent: bool) -> Since {
        let mut told = None;
        tally.report(|since| {
            told = Some(since.clone());
            is_sent
        });
        told.expect("asked")
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_report_that_was_not_sent_is_in_the_next() {
        let tally = Tally::default();
        tally.begin(wake(1), &dev(1));
        tally.add(sample(&[(1, 1.0), (2, 0.5)], 1.0), 1.0);
        assert!(close(since(&tally, false).wakes[&wake(1)], 1.0));
        tally.add(sample(&[(1, 0.0), (2, 0.5)], 0.0), 3.0);
        let report = since(&tally, false);
        assert!(close(report.wakes[&wake(1)], 0.25) && report.wakes.len() == 1, "{report:?}");
        assert!(close(report.throttled_share.expect("measured"), 0.25));
        assert!(close(report.instances[&dev(2)], 0.5), "one that serves is no wake");
        since(&tally, true);
        assert!(since(&tally, false).wakes.is_empty());
    }

    #[test]
    fn the_last_of_a_wake_is_told_after_its_end_and_the_next_wake_begins_at_nothing() {
        let tally = Tally::default();
        tally.begin(wake(1), &dev(1));
        tally.end(wake(1));
        tally.add(sample(&[(1, 0.8)], 0.0), 1.0);
        tally.add(sample(&[(1, 0.8)], 0.0), 1.0);
        assert!(close(since(&tally, false).wakes[&wake(1)], 0.4), "what it uses later is not the wake's");
        since(&tally, true);
        tally.begin(wake(2), &dev(1));
        tally.add(sample(&[(1, 0.3)], 0.0), 1.0);
        assert_eq!(since(&tally, false).wakes.into_keys().collect::<Vec<_>>(), [wake(2)]);
    }

    #[test]
    fn a_wake_that_takes_over_before_the_sample_is_not_forgotten() {
        let tally = Tally::default();
        tally.begin(wake(1), &dev(1));
        tally.end(wake(1));
        tally.begin(wake(1), &dev(1));
        tally.add(sample(&[(1, 0.8)], 0.0), 1.0);
        tally.add(sample(&[(1, 0.8)], 0.0), 1.0);
        assert!(close(since(&tally, false).wakes[&wake(1)], 0.8));
    }
}
