//! Kill -9 in the worst moments of a wake that starts a process: still one end, and one process.

use std::fs;

use serde_json::Value;
use toml::Table;

use crate::harness::{Installation, until};

/// Long enough that a kill finds the start in progress.
const BURN_S: u32 = 4;

const ENDED_S_MAX: u64 = 240;

/// An installation that only does what it is asked to, and notes every start of a process.
async fn on_demand(instances: u16) -> Installation {
    let installation =
        Installation::write(instances, BURN_S, &[("REVEILLE_POLICY__MODE", "forecast-only")]).await;
    note_starts(&installation);
    installation
}

/// Lets the agent start each instance through a shell that notes it first.
fn note_starts(installation: &Installation) {
    let path = installation.file("agent.toml");
    let mut config: Table = fs::read_to_string(&path).expect("a configuration").parse().expect("valid");
    let template = &mut config["instance_templates"][0];
    let driver = template["driver"].as_table_mut().expect("a driver");
    let program = driver.insert("command".into(), "sh".into()).expect("a command");
    let script = format!("echo \"$0\" >> '{}'; exec \"$@\"", starts_file(installation).display());
    let noted = ["-c".into(), script.into(), "{instance}".into(), program];
    driver["args"].as_array_mut().expect("arguments").splice(0..0, noted);
    fs::write(path, config.to_string()).expect("a configuration that can be written");
}

fn starts_file(installation: &Installation) -> std::path::PathBuf {
    installation.file("starts.log")
}

/// The instances whose process was started, once for each start.
fn starts(installation: &Installation) -> Vec<String> {
    let text = fs::read_to_string(starts_file(installation)).unwrap_or_default();
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

async fn ask_for(installation: &Installation, name: &str) {
    let asked = installation.ask(&["wake", name]).await;
    assert_eq!(asked["instance_id"], name, "{asked}");
}

async fn is_open(installation: &Installation, name: &str) -> bool {
    installation.wakes().await.iter().any(|wake| wake["instance_id"] == name && wake["end"].is_null())
}

async fn all_end_woken_with_one_start_each(installation: &Installation, wakes: usize) {
    until("all wakes have ended", ENDED_S_MAX, async || {
        let all = installation.wakes().await;
        let open: Vec<&Value> = all.iter().filter(|wake| wake["end"].is_null()).collect();
        if open.is_empty() { Ok(()) } else { Err(format!("{open:?}; {}", installation.gate().await)) }
    })
    .await;
    let all = installation.wakes().await;
    assert_eq!(all.len(), wakes, "{all:?}");
    assert!(all.iter().all(|wake| wake["end"] == "woken"), "{all:?}");
    let mut names: Vec<String> = installation.names().collect();
    names.sort_unstable();
    assert_eq!(starts(installation), names, "one process for each instance");
    let hosts = installation.ask(&["hosts"]).await;
    assert_eq!(hosts["items"][0]["active_wakes"], 0, "a permit is left: {hosts}");
}

#[tokio::test]
async fn an_agent_killed_while_a_process_starts_finds_it_again() {
    let mut installation = on_demand(2).await;
    installation.start_controller().await;
    installation.start_agent().await;
    installation.open_gate(2).await;

    // The earliest moment there is: the process runs, the agent may not have noted it yet.
    ask_for(&installation, "dev1").await;
    started(&installation, "dev1").await;
    installation.take_agent().kill().await;
    assert!(is_open(&installation, "dev1").await, "the kill comes too late to show anything");
    installation.start_agent().await;

    // And a late one: the controller knows that it starts.
    ask_for(&installation, "dev2").await;
    until("dev2 starts", ENDED_S_MAX, async || {
        let wakes = installation.wakes().await;
        let wake = wakes.iter().find(|wake| wake["instance_id"] == "dev2").expect("it was asked for");
        if wake["state"] == "starting" { Ok(()) } else { Err(wake.to_string()) }
    })
    .await;
    installation.take_agent().kill().await;
    assert!(is_open(&installation, "dev2").await, "the kill comes too late to show anything");
    assert_eq!(installation.living_instances().len(), 2, "the instances outlive the agent");
    installation.start_agent().await;

    all_end_woken_with_one_start_each(&installation, 2).await;
    assert!(installation.serves(1).await && installation.serves(2).await);
}

async fn started(installation: &Installation, name: &str) {
    until("a process is started", ENDED_S_MAX, async || {
        let starts = starts(installation);
        if starts.iter().any(|start| start == name) { Ok(()) } else { Err(installation.gate().await) }
    })
    .await;
}

#[tokio::test]
async fn a_controller_killed_while_wakes_are_queued_ends_them_all() {
    let mut installation = on_demand(4).await;
    installation.start_controller().await;
    installation.start_agent().await;
    installation.open_gate(1).await;
    let names: Vec<String> = installation.names().collect();
    for name in &names {
        ask_for(&installation, name).await;
    }
    until("one is under way", ENDED_S_MAX, async || {
        if starts(&installation).is_empty() { Err(installation.gate().await) } else { Ok(()) }
    })
    .await;
    let queued = installation.wakes().await.iter().filter(|wake| wake["state"] == "queued").count();
    assert!(queued > 0, "the kill comes too late to show anything");
    installation.take_controller().kill().await;
    installation.start_controller().await;
    all_end_woken_with_one_start_each(&installation, 4).await;
}
