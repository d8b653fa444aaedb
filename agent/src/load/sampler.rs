//! The loop that measures, and the latest reading for those who ask.

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::clock::Clock;
use tokio::sync::watch;
use tracing::{info, warn};

use super::{LoadError, Sample, Smooth, Source};
use crate::{
    chain::Chain,
    group::{Starts, Tally},
};

/// Older readings say nothing about now.
pub const LOAD_AGE_MAX_S: i64 = 30;

/// How often a source that has nothing to say yet is asked at the start.
const FIRST_SAMPLE_TRIES_MAX: u32 = 50;

/// A sample with its time, its CPU share smoothed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub measured_at: Timestamp,
    pub sample: Sample,
}

impl Reading {
    /// Whether it still says something at `now`.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.duration_since(self.measured_at) <= SignedDuration::from_secs(LOAD_AGE_MAX_S)
    }
}

/// Measures at an interval.
pub struct Sampler {
    clock: Clock,
    source: Box<dyn Source>,
    starts: Box<dyn Starts>,
    tally: Tally,
    smooth: Smooth,
    interval: Duration,
    readings: watch::Sender<Option<Reading>>,
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").field("interval", &self.interval).finish_non_exhaustive()
    }
}

impl Sampler {
    /// Starting instances are measured together with the host, so that the difference means something.
    pub fn new(
        clock: Clock,
        source: Box<dyn Source>,
        starts: Box<dyn Starts>,
        smoothing_s: f64,
        interval_ms: u64,
    ) -> Self {
        Self {
            clock,
            source,
            starts,
            tally: Tally::default(),
            smooth: Smooth::new(smoothing_s),
            interval: Duration::from_millis(interval_ms),
            readings: watch::Sender::new(None),
        }
    }

    /// The latest reading; `None` before the first.
    pub fn readings(&self) -> watch::Receiver<Option<Reading>> {
        self.readings.subscribe()
    }

    /// What instances used, added up for the next report.
    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// The first reading, which also says how many cores there are.
    pub async fn first(&mut self) -> Result<Reading, LoadError> {
        for _ in 1..FIRST_SAMPLE_TRIES_MAX {
            match self.measure() {
                Err(LoadError::TooSoon) => {
                    self.clock.sleep(self.interval.min(Duration::from_millis(100))).await;
                }
                other => return other,
            }
        }
        self.measure()
    }

    fn measure(&mut self) -> Result<Reading, LoadError> {
        let mut sample = self.source.sample()?;
        if !sample.cpu_percent.is_finite() {
            return Err(LoadError::NoNumber(sample.cpu_percent));
        }
        let measured_at = self.clock.now();
        let before = self.readings.borrow().map(|reading| reading.measured_at);
        let elapsed = before.map_or(SignedDuration::ZERO, |before| measured_at.duration_since(before));
        self.tally.add(self.starts.sample(), elapsed.as_secs_f64().max(0.0));
        sample.cpu_percent_now = sample.cpu_percent;
        sample.cpu_percent = self.smooth.add(measured_at, sample.cpu_percent);
        let reading = Reading { measured_at, sample };
        self.readings.send_replace(Some(reading));
        Ok(reading)
    }

    /// Measures until it is dropped. A failure leaves the old reading, which grows stale and closes the guard.
    pub async fn run(mut self) {
        let mut failing = false;
        loop {
            self.clock.sleep(self.interval).await;
            match self.measure() {
                Ok(_) if failing => {
                    info!("load is measured again");
                    failing = false;
                }
                Ok(_) | Err(LoadError::TooSoon) => {}
                Err(error) if !failing => {
                    warn!(
                        error = %Chain(&error),
                        "load cannot be measured; wakes will be refused"
                    );
                    failing = true;
                }
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Unmeasured;

    /// Says one after the other.
    struct Says(Vec<f64>);

    impl Source for Says {
        fn sample(&mut self) -> Result<Sample, LoadError> {
            Ok(Sample { cpu_percent: self.0.remove(0), cores: 4.0, ..Sample::default() })
        }
    }

    #[test]
    fn a_measurement_that_is_no_number_is_none_and_spoils_no_later_one() {
        let clock = Clock::scaled(Timestamp::UNIX_EPOCH, 1.0);
        let source = Box::new(Says(vec![20.0, f64::NAN, f64::INFINITY, 20.0]));
        let mut sampler = Sampler::new(clock, source, Box::new(Unmeasured), 5.0, 1_000);
        let before = sampler.measure().expect("measured");
        for _ in 0..2 {
            assert!(matches!(sampler.measure(), Err(LoadError::NoNumber(_))));
            assert_eq!(*sampler.readings().borrow(), Some(before), "the old reading stays, and grows stale");
        }
        let after = sampler.measure().expect("measured");
        assert!((after.sample.cpu_percent - 20.0).abs() < 1e-9, "{after:?}");
    }
}
