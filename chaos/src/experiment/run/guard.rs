//! Guards, held against a finished history: in a simulation nobody is harmed, so a run is judged as if it had been stopped
//! at the moment a guard says so.

use serde::Serialize;

use super::Spans;
use crate::{
    experiment::file::{Experiment, Guard, GuardAction},
    history::{Event, Function},
    metric::measure,
};

/// Seconds between two looks, in which every host reports once at least.
const LOOK_EVERY_S: f64 = 10.0;
/// The span a look at a share of many is over.
const LOOK_BACK_S: f64 = 60.0;

/// A guard that stopped the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tripped {
    pub id: String,
    pub expr: String,
    pub at_s: f64,
    pub value: f64,
}

/// The first guard that would have stopped the run while it was an experiment: from the first fault on.
pub(super) fn tripped(experiment: &Experiment, events: &[Event], spans: &Spans) -> Option<Tripped> {
    let ours = experiment.reveille();
    let aborts = ours.guards.iter().filter(|guard| guard.r#do == GuardAction::Abort);
    let first = |guard: &Guard| {
        let value = |at_s: f64| match guard.expr.metric.as_str() {
            "budget_spent" => spent(experiment, events, at_s),
            // What is true at each instant is looked at since the last look: a second above does not count as a minute.
            metric @ "host_cpu_max" => measure(metric, since(events, at_s - LOOK_EVERY_S), (0.0, at_s)),
            metric => measure(metric, events, ((at_s - LOOK_BACK_S).max(0.0), at_s)),
        };
        trips(guard, (spans.fault_from_s, spans.end_s), value)
    };
    aborts.filter_map(first).min_by(|a, b| a.at_s.total_cmp(&b.at_s))
}

/// The events from `from_s` on; they are in the order of their times.
fn since(events: &[Event], from_s: f64) -> &[Event] {
    &events[events.partition_point(|event| event.t_s() < from_s)..]
}

fn trips(guard: &Guard, (from_s, to_s): (f64, f64), value: impl Fn(f64) -> Option<f64>) -> Option<Tripped> {
    let (mut at_s, mut since_s) = (from_s + LOOK_EVERY_S, None);
    while at_s <= to_s {
        let now = value(at_s).filter(|value| guard.expr.holds(*value));
        match now {
            Some(value) if at_s - *since_s.get_or_insert(at_s) >= guard.r#for.as_secs_f64() => {
                return Some(Tripped { id: guard.id.clone(), expr: guard.expr.to_string(), at_s, value });
            }
            Some(_) => {}
            None => since_s = None,
        }
        at_s += LOOK_EVERY_S;
    }
    None
}

/// The share of the harm budget that is spent by `at_s`: of the kind of which most is.
fn spent(experiment: &Experiment, events: &[Event], at_s: f64) -> Option<f64> {
    let failed = events.iter().filter(|event| {
        let end = event.text("end");
        event.f == Function::Terminal
            && event.t_s() <= at_s
            && matches!(end, Some("failed" | "timed_out" | "host_lost"))
    });
    let failed = failed.count() as f64;
    let budget = &experiment.reveille().blast_radius.budget;
    let share = |(harm, most): (&String, &f64)| (harm == "failed_wakes").then(|| failed / most.max(1e-9));
    budget.iter().filter_map(share).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::file::Length;

    fn guard(for_s: u64) -> Guard {
        let expr = "host_cpu_max > 0.85".parse().expect("an expression");
        Guard { id: "cpu".into(), expr, r#for: Length::s(for_s), r#do: GuardAction::Abort }
    }

    #[test]
    fn a_guard_trips_when_it_has_held_for_its_time() {
        let hot = |at_s: f64| Some(if (100.0..200.0).contains(&at_s) { 0.9 } else { 0.5 });
        assert_eq!(trips(&guard(40), (0.0, 1_000.0), hot).map(|one| one.at_s), Some(140.0));
        assert_eq!(trips(&guard(120), (0.0, 1_000.0), hot), None);
        assert_eq!(trips(&guard(0), (0.0, 1_000.0), |_| None), None, "what is unknown trips nothing");
    }
}
