//! One run: a plan is played to its end, and what was recorded is judged.

use std::path::Path;

use anyhow::Context as _;
use reveille_proto::waits::Waits;
use tokio::time::Instant;

use super::{
    Plan, SimOutcome,
    play::{Curtain, Play},
    room,
};
use crate::history::History;

/// Plays `plan` with everything it writes in `dir`, which must be empty.
///
/// # Errors
/// When the installation cannot be set up or taken down: nothing is said of the code under test then.
pub fn run(plan: &Plan, dir: &Path) -> anyhow::Result<SimOutcome> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let began = Instant::now();
    let ended = room::within(|waits| play(plan, dir, waits)).context("failed to make a runtime")??;
    let history = dir.join("history.jsonl");
    let bytes = std::fs::read(&history).with_context(|| format!("failed to read {}", history.display()))?;
    let events = History::read(&history)?;
    Ok(SimOutcome::new(plan, &events, &bytes, ended, began.elapsed()))
}

/// What is known when everything has been taken down.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) curtain: Curtain,
    pub(super) simulated: std::time::Duration,
}

async fn play(plan: &Plan, dir: &Path, waits: Waits) -> anyhow::Result<Ended> {
    let began = Instant::now();
    let mut play = Play::set(plan, dir, waits).await?;
    play.until(plan.played_s).await?;
    let curtain = play.over().await?;
    Ok(Ended { curtain, simulated: began.elapsed() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        experiment::Verdict,
        sim::{Fault, Planned},
    };

    fn played(plan: &Plan) -> SimOutcome {
        let directory = room::directory().expect("a directory");
        run(plan, directory.path()).expect("played")
    }

    fn short(faults: Vec<Planned>) -> Plan {
        Plan { hosts: 2, host_wakes_max: 2, start_hour: 8, faults, ..Plan::calm(3) }
    }

    fn planned(at_s: u32, for_s: u32, fault: Fault) -> Planned {
        Planned { at_s, for_s, instances: Vec::new(), fault }
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
            Fault::HttpError { share: 0.5 },
            Fault::Throttled { share: 0.3 },
            Fault::Refused { share: 0.3 },
            Fault::LostResponse { share: 0.5 },
            Fault::SlowWake { factor: 2.0 },
            Fault::CpuNoise { host: 0, share: 0.3 },
            Fault::Latency { host: 1, delay_ms: 500, jitter_ms: 500 },
            Fault::Reset { host: 0 },
        ];
        let mut faults: Vec<Planned> = all.into_iter().map(|fault| planned(300, 6_600, fault)).collect();
        // Not until the end: whoever asked for an instance there waits until somebody measures again.
        faults.push(planned(300, 1_200, Fault::LyingLoad { host: 1, cpu_percent: 99.0 }));
        faults.push(planned(1_500, 120, Fault::ControllerCrash {}));
        faults.push(planned(2_700, 90, Fault::AgentCrash { host: 0 }));
        faults.push(planned(3_600, 600, Fault::Partition { host: 0 }));
        faults.push(planned(4_500, 20, Fault::StaleCommand { host: 0 }));
        faults.push(planned(5_400, 300, Fault::OneWay { host: 1, up: true }));
        let plan = short(faults);
        let outcome = played(&plan);
        assert_eq!(outcome.verdict, Verdict::Held, "{}", outcome.render());
        assert_eq!(outcome.faults.len(), plan.faults.len());
        for proof in &outcome.faults {
            assert!(proof.hits > 0 && !proof.on, "{proof:?}\n{}", outcome.render());
        }
        assert_eq!(outcome.coverage["crashed"], 2);
    }
}
