//! How exact the observation was, moment by moment: a machine that was held up saw and did things late.

use serde_json::{Value, json};

use crate::history::{Entry, Event, Function, Key, Kind};

/// The stalls of a run, from the `late_s` that its pulse wrote down.
#[derive(Debug, Clone, Default)]
pub struct Exactness {
    /// When a stall was over, and how long it had been, in seconds of the run's clock.
    stalls: Vec<(f64, f64)>,
}

impl Exactness {
    /// The event that tells of a stall of `late_s` seconds that is just over.
    pub fn entry(late_s: f64) -> Entry {
        Entry::new("machine", Kind::Info, Function::ConfigSet, Key::default())
            .value(json!({"late_s": late_s}))
    }

    pub fn of(events: &[Event]) -> Self {
        let told = events.iter().filter(|event| event.f == Function::ConfigSet);
        let stall = |event: &Event| {
            let late_s = event.v.get("late_s").and_then(Value::as_f64)?;
            Some((event.t_s(), late_s))
        };
        Self { stalls: told.filter_map(stall).collect() }
    }

    /// Seconds by which what was seen at `t_s` may be off, beyond what is always allowed: twice the longest stall (one at
    /// either end of a message) during it and for as long again afterwards, until the backlog is gone.
    pub fn extra_s(&self, t_s: f64) -> f64 {
        let touches =
            |(over_s, late_s): &&(f64, f64)| (over_s - 2.0 * late_s..=over_s + 2.0 * late_s).contains(&t_s);
        self.stalls.iter().filter(touches).fold(0.0, |extra, (_, late_s)| extra.max(2.0 * late_s))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::told::Told, *};

    #[test]
    fn a_stall_blurs_only_its_own_time() {
        let mut told = Told::default();
        told.add(100.0, Function::ConfigSet, Key::default(), Exactness::entry(10.0).value);
        let exactness = Exactness::of(&told.0);
        let extra: Vec<f64> = [70.0, 85.0, 100.0, 119.0, 121.0].map(|t_s| exactness.extra_s(t_s)).into();
        assert_eq!(extra, [0.0, 20.0, 20.0, 20.0, 0.0]);
    }
}
