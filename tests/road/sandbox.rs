//! The whole road on this machine: a log in, twenty real processes woken by forecast, their users counted.

use jiff::Timestamp;
use serde_json::Value;

use crate::harness::{Installation, until};

const INSTANCES: u16 = 20;

/// CPU each instance burns while it starts, in seconds.
const BURN_S: u32 = 2;

/// Forty seconds of CPU; the gate stays closed while others take all of it.
const WOKEN_S_MAX: u64 = 1200;

/// A plan, the log and the verdicts are looked at every ten seconds or more often.
const TICK_S_MAX: u64 = 90;

#[tokio::test]
async fn twenty_processes_are_woken_by_forecast_and_their_users_are_counted() {
    let mut box20 = Installation::write(INSTANCES, BURN_S, &[]).await;
    box20.start_controller().await;
    box20.start_agent().await;
    box20.open_gate(4).await;

    all_are_woken(&box20).await;
    all_serve_as_themselves(&box20).await;
    their_users_come_and_are_counted(&box20).await;
    who_is_awake_is_not_woken_again(&box20).await;
    both_drain_and_the_instances_live_on(&mut box20).await;
}

async fn all_are_woken(box20: &Installation) {
    until("twenty wakes have ended woken", WOKEN_S_MAX, async || {
        let wakes = box20.wakes().await;
        let ended: Vec<&str> = wakes.iter().filter_map(|wake| wake["end"].as_str()).collect();
        let bad = ended.iter().find(|end| **end != "woken");
        assert!(bad.is_none(), "a wake ended {bad:?}: {wakes:?}");
        if ended.len() == usize::from(INSTANCES) {
            return Ok(());
        }
        Err(format!("{} of {} wakes ended; {}", ended.len(), wakes.len(), box20.gate().await))
    })
    .await;
    let wakes = box20.wakes().await;
    let mut woken: Vec<&str> = wakes.iter().filter_map(|wake| wake["instance_id"].as_str()).collect();
    woken.sort_unstable();
    let mut names: Vec<String> = box20.names().collect();
    names.sort_unstable();
    assert_eq!(woken, names, "every instance once");
    for wake in &wakes {
        assert_eq!(wake["reason"], "forecast", "{wake}");
        assert!(wake["called_at"].as_str() < wake["serving_at"].as_str(), "{wake}");
    }
}

async fn all_serve_as_themselves(box20: &Installation) {
    for n in 1..=INSTANCES {
        assert!(box20.serves(n).await, "dev{n} does not serve");
    }
    assert_eq!(box20.living_instances().len(), usize::from(INSTANCES), "one process for each");
}

async fn their_users_come_and_are_counted(box20: &Installation) {
    let before = box20.ask(&["report"]).await;
    assert!(before["wakes_by_verdict"]["used"].is_null(), "nobody has come yet: {before}");
    // A log knows whole seconds: a user of the second in which an instance began to serve may have come before it did.
    let served_s = box20.wakes().await.iter().map(|wake| time(&wake["serving_at"]).as_second()).max();
    until("the second of the last start is over", TICK_S_MAX, async || {
        if Some(now().as_second()) > served_s { Ok(()) } else { Err("it is not".into()) }
    })
    .await;
    box20.users_come(now());
    until("twenty wakes are used", TICK_S_MAX, async || {
        let report = box20.ask(&["report"]).await;
        if report["wakes_by_verdict"]["used"] == INSTANCES { Ok(()) } else { Err(report.to_string()) }
    })
    .await;
    let report = box20.ask(&["report"]).await;
    assert_eq!(report["wakes"], INSTANCES, "{report}");
    assert_eq!(report["wakes_by_end"]["woken"], INSTANCES, "{report}");
    assert_eq!(report["precision"], 1.0, "{report}");
    // Each start burns its two seconds, so that is the least a user was spared.
    let spared = f64::from(INSTANCES) * f64::from(BURN_S) / 60.0;
    assert!(report["minutes_saved"].as_f64() >= Some(spared), "{report}");
}

async fn who_is_awake_is_not_woken_again(box20: &Installation) {
    let story = box20.ask(&["wake", "dev7", "--wait", "--timeout", "5m"]).await;
    assert_eq!((&story["end"], &story["reason"]), (&"already_awake".into(), &"demand".into()), "{story}");
    assert!(story["called_at"].is_null(), "{story}");
    assert_eq!(box20.living_instances().len(), usize::from(INSTANCES), "no second process");
}

async fn both_drain_and_the_instances_live_on(box20: &mut Installation) {
    let agent = box20.take_agent().terminate().await;
    let controller = box20.take_controller().terminate().await;
    assert_eq!((agent.code(), controller.code()), (Some(0), Some(0)));
    all_serve_as_themselves(box20).await;
    box20.kill_instances();
    until("the test has taken its instances down", TICK_S_MAX, async || {
        let left = box20.living_instances();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

#[expect(clippy::disallowed_methods, reason = "real programs are run, in real time")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no time"))
}
