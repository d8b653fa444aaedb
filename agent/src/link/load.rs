//! What a load report says: the latest reading, what wakes used since the report before, and which instances changed.

use jiff::Timestamp;
use reveille_proto::{
    edge::Observed,
    v1::{self, agent_message},
};
use tokio::sync::mpsc;

use super::Session;
use crate::{group::Since, load::Reading};

/// An instance's CPU is told again when it has changed by so many cores.
const CORES_CHANGE_MIN: f32 = 0.05;

/// What this session's controller was told last; at the beginning, nothing.
#[derive(Debug, Default)]
pub(super) struct Told {
    measured_at: Option<Timestamp>,
    /// In the order of the inventory.
    instances: Vec<Seen>,
}

type Seen = (Observed, Option<f32>);

impl Session {
    /// Only the latest load, only when it is new, and only when nothing waits before it.
    pub(super) fn send_load(&self, up: &mpsc::Sender<v1::AgentMessage>, told: &mut Told) {
        let Some(reading) = *self.load.borrow() else { return };
        if told.measured_at == Some(reading.measured_at) || up.capacity() < up.max_capacity() {
            return;
        }
        let (seen, active_wakes) = (self.executor.observed(), self.executor.active());
        // What was used is begun anew only when this report is on its way.
        self.tally.report(|since| {
            let instances: Vec<Seen> = seen
                .into_iter()
                .map(|(id, observed)| (observed, since.instances.get(id).map(|cores| *cores as f32)))
                .collect();
            let load = v1::Load {
                active_wakes,
                instances: changed(&told.instances, &instances),
                ..measured(&reading, since)
            };
            let message = v1::AgentMessage { kind: Some(agent_message::Kind::Load(load)) };
            let is_sent = up.try_send(message).is_ok();
            if is_sent {
                told.measured_at = Some(reading.measured_at);
                take(&mut told.instances, instances);
            }
            is_sent
        });
    }
}

fn measured(Reading { measured_at, sample }: &Reading, since: &Since) -> v1::Load {
    let pressures = sample.pressures.unwrap_or_default();
    let wake = |(wake, cores): (&reveille_proto::WakeId, &f64)| v1::WakeLoad {
        wake_id: wake.to_string(),
        cores: *cores,
    };
    v1::Load {
        measured_at_ms: measured_at.as_millisecond(),
        cpu_percent: sample.cpu_percent,
        cores: sample.cores,
        cpu_pressure_percent: pressures.cpu_percent,
        memory_pressure_percent: pressures.memory_percent,
        io_pressure_percent: pressures.io_percent,
        cpu_percent_now: Some(sample.cpu_percent_now),
        cpu_pressure60_percent: pressures.cpu60_percent,
        memory_pressure60_percent: pressures.memory60_percent,
        io_pressure60_percent: pressures.io60_percent,
        group_cores: since.group_cores,
        group_throttled_share: since.throttled_share,
        wakes: since.wakes.iter().map(wake).collect(),
        ..v1::Load::default()
    }
}

fn differs(told: &Seen, now: &Seen) -> bool {
    let cores = match (told.1, now.1) {
        (Some(told), Some(now)) => (told - now).abs() >= CORES_CHANGE_MIN,
        (told, now) => told.is_some() != now.is_some(),
    };
    told.0 != now.0 || cores
}

fn changed(told: &[Seen], now: &[Seen]) -> Vec<v1::InstanceLoad> {
    let is_new = |(n, seen): &(usize, &Seen)| told.get(*n).is_none_or(|told| differs(told, seen));
    let instance = |(n, (observed, cores)): (usize, &Seen)| v1::InstanceLoad {
        index: n as u32,
        observed: (*observed).into(),
        cores: *cores,
    };
    now.iter().enumerate().filter(is_new).map(instance).collect()
}

/// What was not worth telling stays as it was told, so that small steps add up to a change.
fn take(told: &mut Vec<Seen>, now: Vec<Seen>) {
    if told.is_empty() {
        *told = now;
        return;
    }
    for (told, now) in told.iter_mut().zip(now) {
        if differs(told, &now) {
            *told = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_instances_are_told_first_then_what_changed_and_small_steps_add_up() {
        let mut told = Vec::new();
        let mut next = |now: [Seen; 2]| {
            let changed = changed(&told, &now);
            take(&mut told, now.to_vec());
            changed.into_iter().map(|instance| instance.index).collect::<Vec<_>>()
        };
        let asleep = (Observed::Asleep, None);
        assert_eq!(next([asleep, asleep]), [0, 1]);
        assert!(next([asleep, asleep]).is_empty());
        assert_eq!(next([asleep, (Observed::Starting, Some(0.0))]), [1]);
        assert!(next([asleep, (Observed::Starting, Some(0.04))]).is_empty());
        assert_eq!(next([asleep, (Observed::Starting, Some(0.08))]), [1]);
        assert_eq!(next([asleep, (Observed::Serving, Some(0.08))]), [1]);
    }
}
