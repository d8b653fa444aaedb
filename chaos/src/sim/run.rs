//! One run: a plan is played to its end, and what was recorded is judged.

use std::path::Path;

use anyhow::Context as _;
use tokio::time::Instant;

use super::{
    Plan, SimOutcome,
    play::{Curtain, Play},
    room,
    stage::Means,
};
use crate::history::History;

/// Plays `plan` with everything it writes in `dir`, which must be empty.
///
/// # Errors
/// When the installation cannot be set up or taken down: nothing is said of the code under test then.
pub fn run(plan: &Plan, dir: &Path) -> anyhow::Result<SimOutcome> {
    Ok(run_recorded(plan, dir)?.0)
}

/// The same, with the history.
///
/// # Errors
/// As [`run`].
pub fn run_recorded(plan: &Plan, dir: &Path) -> anyhow::Result<(SimOutcome, History)> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let began = Instant::now();
    let ended = room::within(plan.seed, |waits| play(plan, dir, Means::Simulated(waits), false))
        .context("failed to make a runtime")??;
    let history = dir.join("history.jsonl");
    let bytes = std::fs::read(&history).with_context(|| format!("failed to read {}", history.display()))?;
    let events = History::read(&history)?;
    Ok((SimOutcome::new(plan, &events, &bytes, ended, began.elapsed()), events))
}

/// The history of `plan` with looks at the model in service, unjudged: what an experiment is compared with.
pub(crate) fn recorded(plan: &Plan, dir: &Path) -> anyhow::Result<History> {
    room::within(plan.seed, |waits| play(plan, dir, Means::Simulated(waits), true))
        .context("failed to make a runtime")??;
    Ok(History::read(&dir.join("history.jsonl"))?)
}

/// The same, in the runtime and with the means of whoever asks.
pub(crate) async fn play_recorded(plan: &Plan, dir: &Path, means: &Means) -> anyhow::Result<History> {
    Box::pin(play(plan, dir, means.clone(), true)).await?;
    Ok(History::read(&dir.join("history.jsonl"))?)
}

/// What is known when everything has been taken down.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) curtain: Curtain,
    pub(super) simulated: std::time::Duration,
}

async fn play(plan: &Plan, dir: &Path, means: Means, follows_model: bool) -> anyhow::Result<Ended> {
    let began = Instant::now();
    let mut play = Play::set(plan, dir, &means).await?;
    if follows_model {
        play.follow_model();
    }
    play.until(plan.played_s).await?;
    let curtain = Box::pin(play.over()).await?;
    Ok(Ended { curtain, simulated: began.elapsed() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        experiment::{Verdict, catalogue::FaultKind},
        sim::Planned,
    };

    fn played(plan: &Plan) -> SimOutcome {
        let directory = room::directory().expect("a directory");
        run(plan, directory.path()).expect("played")
    }

    fn short(faults: Vec<Planned>) -> Plan {
        Plan { hosts: 2, host_wakes_max: 2, start_hour: 8, faults, ..Plan::calm(3) }
    }

    fn planned(at_s: u32, for_s: u32, hosts: &[usize], kind: &str, params: &Value) -> Planned {
        let what = FaultKind::read(kind, params.as_object().expect("an object")).expect("a kind");
        Planned { at_s, for_s, hosts: hosts.to_vec(), instances: Vec::new(), what }
    }

    #[test]
    fn a_calm_morning_holds_and_a_plan_is_a_history() {
        let plan = short(Vec::new());
        let (one, other) = (played(&plan), played(&plan));
        assert_eq!(one.verdict, Verdict::Held, "{}", one.render());
        assert_eq!(one.history_sha256, other.history_sha256);
        assert!(one.coverage["woken"] > 0 && one.coverage["forecast_sent"] > 0, "{}", one.render());
        assert!(one.simulated_s > 2.0 * 3600.0);
        assert_ne!(played(&Plan { seed: 4, ..plan }).history_sha256, one.history_sha256);
    }

    #[test]
    fn every_fault_bites_is_over_in_the_end_and_breaks_nothing() {
        let all = [
            ("endpoint.http_error", json!({"share": 0.5}), None),
            ("endpoint.throttled_429", json!({"share": 0.3}), None),
            ("endpoint.refused", json!({"share": 0.3}), None),
            ("endpoint.lost_response", json!({"share": 0.5}), None),
            ("endpoint.slow_wake", json!({"factor": 2.0}), None),
            ("host.cpu_noise", json!({"low": 0.1, "high": 0.3}), Some(0)),
            ("link.latency", json!({"mean": "500ms", "jitter": "500ms"}), Some(1)),
            ("link.reset", json!({"after": "10m"}), Some(0)),
        ];
        let mut faults: Vec<Planned> = all
            .iter()
            .map(|(kind, params, host)| planned(300, 6_600, host.as_slice(), kind, params))
            .collect();
        // Not until the end: whoever asked for an instance there waits until somebody measures again.
        faults.push(planned(300, 1_200, &[1], "agent.lying_load", &json!({"cpu": 0.99})));
        faults.push(planned(1_500, 300, &[], "controller.crash", &json!({"down": "2m"})));
        faults.push(planned(2_700, 90, &[0], "agent.crash_restart", &json!({})));
        faults.push(planned(3_600, 600, &[0], "link.partition", &json!({})));
        faults.push(planned(4_500, 20, &[0], "link.stale_command", &json!({})));
        faults.push(planned(5_400, 300, &[1], "link.one_way", &json!({"direction": "to_controller"})));
        let plan = short(faults);
        let outcome = played(&plan);
        assert_eq!(outcome.verdict, Verdict::Held, "{}", outcome.render());
        assert_eq!(outcome.faults.len(), plan.faults.len());
        for proof in &outcome.faults {
            assert!(proof.hits > 0 && !proof.on, "{proof:?}\n{}", outcome.render());
        }
        assert_eq!(outcome.coverage["crashed"], 2);
    }

    /// Plays and gives what was counted, by kind; everything must hold and be over.
    fn holds(faults: Vec<Planned>) -> std::collections::BTreeMap<&'static str, u64> {
        let outcome = played(&short(faults));
        assert_eq!(outcome.verdict, Verdict::Held, "{}", outcome.render());
        for proof in &outcome.faults {
            assert!(proof.hits > 0 && !proof.on, "{proof:?}\n{}", outcome.render());
        }
        outcome.faults.iter().map(|proof| (proof.kind, proof.hits)).collect()
    }

    #[test]
    fn those_who_run_it_change_stop_slip_and_ask_twice() {
        let hits = holds(vec![
            planned(
                300,
                900,
                &[],
                "controller.config_change",
                &json!({"per_host_limit": 1, "cpu_limit": 0.4}),
            ),
            planned(400, 60, &[], "operator.fat_finger", &json!({"what": "cpu700"})),
            planned(1_800, 600, &[], "operator.kill_switch", &json!({})),
            planned(3_000, 300, &[], "controller.overload", &json!({"factor": 3.0})),
            planned(30, 6_600, &[], "operator.double_run", &json!({})),
        ]);
        assert_eq!((hits["controller.config_change"], hits["operator.kill_switch"]), (2, 1));
        assert_eq!(hits["operator.fat_finger"], 1);
    }

    #[test]
    fn processes_that_die_again_and_again_or_are_there_twice_and_hosts_that_vanish() {
        let hits = holds(vec![
            planned(300, 300, &[0], "agent.crash_loop", &json!({})),
            planned(900, 300, &[], "controller.crash_loop", &json!({})),
            planned(1_500, 120, &[1], "agent.flapping", &json!({"every": "5s"})),
            planned(2_400, 600, &[0], "host.loss", &json!({})),
            planned(4_200, 300, &[1], "agent.clone", &json!({})),
        ]);
        assert!(hits["agent.crash_loop"] > 5 && hits["controller.crash_loop"] > 5, "{hits:?}");
        assert!(hits["agent.flapping"] > 5 && hits["host.loss"] == 1, "{hits:?}");
    }

    #[test]
    fn hosts_and_links_that_are_worse_than_usual() {
        holds(vec![
            planned(300, 1_800, &[0], "host.boot_cost", &json!({"factor": 2.0})),
            planned(300, 1_800, &[1], "host.mem_io", &json!({"boot_factor": 2.0, "pressure": 0.1})),
            planned(2_400, 300, &[1], "agent.frozen_load", &json!({"old_time": false})),
            planned(2_400, 300, &[0], "agent.frozen_load", &json!({})),
            planned(3_000, 600, &[], "link.loss", &json!({"share": 0.05})),
            planned(3_000, 600, &[], "link.bandwidth", &json!({"rate_bytes_per_s": 4_000})),
            planned(4_200, 300, &[], "link.half_open", &json!({})),
        ]);
    }

    #[test]
    fn stores_that_let_wait_answers_and_lines_that_are_odd() {
        holds(vec![
            planned(300, 60, &[], "store.hang", &json!({})),
            planned(600, 300, &[], "store.slow", &json!({})),
            planned(1_200, 300, &[], "store.busy", &json!({})),
            planned(1_800, 600, &[], "endpoint.garbage", &json!({"share": 0.5, "body": "wrong_shape"})),
            planned(2_400, 600, &[], "endpoint.slow_drip", &json!({})),
            planned(3_000, 600, &[], "endpoint.late_up", &json!({})),
            planned(300, 3_000, &[], "data.gap", &json!({"missing": "24h"})),
            planned(300, 3_000, &[], "data.duplicate", &json!({})),
            planned(300, 3_000, &[], "data.late", &json!({"by": "10m"})),
            planned(300, 3_000, &[], "data.poison", &json!({"what": "invalid_utf8"})),
        ]);
    }
}
