//! What each instance uses, from the counters of its group; nothing is lost when it moves from one group to another.

use std::collections::BTreeMap;

use reveille_proto::InstanceId;
use tokio::time::Instant;

use super::{Groups, Starts, StartsSample, cgroup::Cgroup};

/// A meter per instance that has a group.
#[derive(Debug, Default)]
pub(super) struct Meters(BTreeMap<InstanceId, Meter>);

#[derive(Debug)]
struct Meter {
    group: Cgroup,
    /// What the group's counter read last, in seconds.
    read_s: f64,
    /// Used since the last sample, in seconds.
    used_s: f64,
    is_over: bool,
}

impl Meters {
    /// From now on.
    pub(super) fn begin(&mut self, instance: &InstanceId, group: &Cgroup) {
        let used_s = self.0.remove(instance).map_or(0.0, |meter| meter.used_s);
        let meter =
            Meter { group: group.clone(), read_s: group.used_s().unwrap_or(0.0), used_s, is_over: false };
        self.0.insert(instance.clone(), meter);
    }

    /// It is in another group now.
    pub(super) fn moved(&mut self, instance: &InstanceId, to: &Cgroup) {
        if let Some(meter) = self.0.get_mut(instance) {
            meter.read();
        }
        self.begin(instance, to);
    }

    /// It is gone; what it used is in the next sample.
    pub(super) fn end(&mut self, instance: &InstanceId) {
        if let Some(meter) = self.0.get_mut(instance) {
            meter.is_over = true;
        }
    }

    /// Seconds used by each since the last time.
    fn take(&mut self) -> BTreeMap<InstanceId, f64> {
        let used = self.0.iter_mut().map(|(instance, meter)| {
            meter.read();
            (instance.clone(), std::mem::take(&mut meter.used_s))
        });
        let used = used.collect();
        self.0.retain(|_, meter| !meter.is_over);
        used
    }
}

impl Meter {
    /// A group that has been removed says nothing.
    fn read(&mut self) {
        if let Ok(read_s) = self.group.used_s() {
            self.used_s += (read_s - self.read_s).max(0.0);
            self.read_s = read_s;
        }
    }
}

/// Samples of the groups.
#[derive(Debug)]
pub struct GroupStarts {
    groups: Groups,
    sampled_at: Instant,
    /// Periods of the quota, and those in which it was used up.
    periods: (f64, f64),
}

impl GroupStarts {
    pub(super) fn new(groups: Groups) -> Self {
        let periods = groups.periods().unwrap_or_default();
        Self { groups, sampled_at: Instant::now(), periods }
    }

    fn throttled_share(&mut self) -> Option<f64> {
        let now = self.groups.periods().ok()?;
        let (periods, throttled) = (now.0 - self.periods.0, now.1 - self.periods.1);
        self.periods = now;
        // Without a period nobody was there to want anything.
        Some(if periods > 0.0 { (throttled / periods).clamp(0.0, 1.0) } else { 0.0 })
    }
}

impl Starts for GroupStarts {
    fn sample(&mut self) -> StartsSample {
        let throttled_share = self.throttled_share();
        let mut state = self.groups.state();
        let now = Instant::now();
        // What two calls at once have used cannot be told from what took no time.
        let elapsed_s = now.duration_since(self.sampled_at).as_secs_f64().max(1e-3);
        self.sampled_at = now;
        let cores = state.meters.take().into_iter().map(|(id, used_s)| (id, used_s / elapsed_s));
        StartsSample { cores: cores.collect(), group_cores: state.cores, throttled_share }
    }
}
