//! The metrics an experiment may name in probes, predictions and guards.

use super::comparison::Op;

/// What may be measured of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// M1 to M20 of the library; empty for what only guards and single experiments use.
    pub id: &'static str,
    pub name: &'static str,
    pub meaning: &'static str,
    /// The steady state it is usually held to; `None` where that is a matter of the experiment.
    pub gate: Option<(Op, f64)>,
}

const fn metric(
    id: &'static str,
    name: &'static str,
    meaning: &'static str,
    gate: Option<(Op, f64)>,
) -> Metric {
    Metric { id, name, meaning, gate }
}

/// Ratios are 0 to 1, times in the unit their name ends with.
pub const METRICS: [Metric; 26] = [
    metric("M1", "wake_success_ratio", "woken / started", Some((Op::AtLeast, 0.98))),
    metric("M2", "wake_start_lag_p95_s", "from due to start", Some((Op::AtMost, 120.0))),
    metric("M3", "wake_terminal_p95_s", "from start to the end", Some((Op::AtMost, 600.0))),
    metric("M4", "host_concurrency_max", "most wakes at once on a host", None),
    metric("M5", "host_cpu_max", "highest CPU of a host", Some((Op::AtMost, 0.70))),
    metric("M6", "duplicate_effects", "effects beyond one of an instance and window", Some((Op::Equal, 0.0))),
    metric("M7", "lost_due", "due, neither run nor left out with a reason", Some((Op::Equal, 0.0))),
    metric("M8", "false_wake_ratio", "woken, nobody came in the window", None),
    metric("M9", "hit_ratio", "somebody came within the window of a wake", None),
    metric("M10", "manual_wakes_per_day", "people who had to ask", None),
    metric(
        "M11",
        "controller_recovery_s",
        "restart until all in flight are looked at",
        Some((Op::AtMost, 30.0)),
    ),
    metric("M12", "inflight_orphans", "without an end past their deadline", Some((Op::Equal, 0.0))),
    metric("M13", "call_amplification", "calls / wakes started, looks apart", Some((Op::AtMost, 1.5))),
    metric("M14", "slot_leak", "permits held when all is quiet", Some((Op::Equal, 0.0))),
    metric(
        "M15",
        "agent_stream_up_ratio",
        "share of the time agents are connected",
        Some((Op::AtLeast, 0.99)),
    ),
    metric("M16", "queue_wait_p95_s", "waiting while a place is free", Some((Op::AtMost, 60.0))),
    metric("M17", "probe_age_s", "age of the newest telemetry", Some((Op::AtMost, 30.0))),
    metric("M18", "audit_gap", "moves without a row that tells of them", Some((Op::Equal, 0.0))),
    metric("M19", "model_age_h", "age of the model in service", Some((Op::AtMost, 26.0))),
    metric("M19", "schedule_coverage", "share of the instances the model knows", Some((Op::AtLeast, 0.95))),
    metric("M20", "api_p99_ms", "answer of the API", Some((Op::AtMost, 250.0))),
    metric("M20", "api_error_ratio", "answers of the API that are errors", Some((Op::AtMost, 0.001))),
    metric("", "wakes_started_per_min", "wakes started", None),
    metric("", "endpoint_error_ratio", "calls that failed / calls", None),
    metric("", "budget_spent", "share of the harm budget that is spent", None),
    metric("", "invariant_violations", "violations of all invariants so far", Some((Op::Equal, 0.0))),
];

/// The metric of this name.
pub fn known(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn m1_to_m20_are_all_there_and_names_are_unique() {
        let ids: BTreeSet<&str> = METRICS.iter().map(|metric| metric.id).collect();
        for number in 1..=20 {
            assert!(ids.contains(format!("M{number}").as_str()), "M{number}");
        }
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        assert!(known("host_cpu_max").is_some() && known("host_cpu").is_none());
    }
}
