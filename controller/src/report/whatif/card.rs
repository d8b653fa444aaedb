//! The scorecard of one policy.

use reveille_proto::HostId;
use serde::Serialize;

/// What a policy would have done in the span that counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Card {
    /// Days times instances of which enough was known to say something.
    pub instance_days: u64,
    pub arrivals: u64,
    /// Arrivals for which a wake had the instance serving.
    pub found_awake: u64,
    pub found_awake_share: Option<f64>,
    /// Arrivals that had to ask, or to wait for a wake that had begun.
    pub asked: u64,
    /// Of them, those whose instance was starting already.
    pub asked_while_starting: u64,
    pub idle_h: f64,
    pub idle_h_per_instance_day: Option<f64>,
    /// Wakes that were started.
    pub wakes: u64,
    /// Of them, those nobody came for.
    pub wakes_false: u64,
    /// Of them, those started later than planned, and by how much, nearest rank.
    pub wakes_delayed: u64,
    pub delay_p50_s: Option<i64>,
    pub delay_p90_s: Option<i64>,
    /// Wakes that waited until it was too late to start them.
    pub wakes_expired: u64,
    /// Wakes whose user came while they waited.
    pub wakes_overtaken: u64,
    /// By host, in the order of the hosts; empty for a policy without a throttle.
    pub hosts: Vec<HostCard>,
}

/// What a policy would have made of a host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostCard {
    pub host: HostId,
    pub cores: f64,
    /// What was taken for its CPU while nothing starts.
    pub background_percent: f64,
    pub cpu_max_percent: f64,
    pub above_ceiling_s: u64,
}

/// What is counted on the way.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) instance_days: u64,
    pub(super) found_awake: u64,
    pub(super) asked: u64,
    pub(super) asked_while_starting: u64,
    pub(super) idle_s: f64,
    pub(super) wakes: u64,
    pub(super) wakes_false: u64,
    /// Of the delayed, in seconds.
    pub(super) delays_s: Vec<i64>,
    pub(super) wakes_expired: u64,
    pub(super) wakes_overtaken: u64,
}

impl Count {
    pub(super) fn card(mut self, hosts: Vec<HostCard>) -> Card {
        self.delays_s.sort_unstable();
        let arrivals = self.found_awake + self.asked;
        let idle_h = self.idle_s / 3_600.0;
        Card {
            instance_days: self.instance_days,
            arrivals,
            found_awake: self.found_awake,
            found_awake_share: per(self.found_awake as f64, arrivals),
            asked: self.asked,
            asked_while_starting: self.asked_while_starting,
            idle_h,
            idle_h_per_instance_day: per(idle_h, self.instance_days),
            wakes: self.wakes,
            wakes_false: self.wakes_false,
            wakes_delayed: self.delays_s.len() as u64,
            delay_p50_s: rank(&self.delays_s, 50),
            delay_p90_s: rank(&self.delays_s, 90),
            wakes_expired: self.wakes_expired,
            wakes_overtaken: self.wakes_overtaken,
            hosts,
        }
    }
}

fn per(sum: f64, of: u64) -> Option<f64> {
    (of > 0).then(|| sum / of as f64)
}

/// The least value that at least so many percent do not exceed.
fn rank(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_ranks() {
        let count = Count {
            instance_days: 10,
            found_awake: 3,
            asked: 1,
            idle_s: 36_000.0,
            delays_s: (1..=10).rev().collect(),
            ..Count::default()
        };
        let card = count.card(Vec::new());
        assert_eq!((card.arrivals, card.found_awake_share), (4, Some(0.75)));
        assert_eq!(card.idle_h_per_instance_day, Some(1.0));
        assert_eq!((card.wakes_delayed, card.delay_p50_s, card.delay_p90_s), (10, Some(5), Some(9)));
        let nothing = Count::default().card(Vec::new());
        assert_eq!((nothing.found_awake_share, nothing.delay_p50_s), (None, None));
    }
}
