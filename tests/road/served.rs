//! The stock Chaos Toolkit takes the steps of experiments against `reveille-chaos serve`: what it says of them is what we say,
//! and the run is, byte for byte, the one that the same seed gives without it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    harness::{Python, Stage, end_well, programs, until},
    toolkit::PACKAGES,
};

/// Experiments, each with a seed: together they end in more than one way.
const RUNS: [(&str, u64); 3] = [("CT-01", 1), ("EP-05", 1), ("EP-06", 1)];
const RUN_S_MAX: u64 = 600;

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fields that both journals have, as far as they do not say when or how long.
fn common(journal: &Value) -> Value {
    let step = |step: &Value| {
        let answered = ["status", "body"].map(|field| step["output"][field].clone());
        serde_json::json!([step["activity"]["name"], step["status"], step["tolerance_met"], answered])
    };
    let steps = |list: &Value| list.as_array().into_iter().flatten().map(step).collect::<Vec<_>>();
    let state = |state: &Value| {
        let is_there = !state.is_null();
        is_there.then(|| (state["steady_state_met"].clone(), steps(&state["probes"])))
    };
    let states = ["before", "after"].map(|when| state(&journal["steady_states"][when]));
    serde_json::json!({
        "title": journal["experiment"]["title"],
        "status": journal["status"],
        "deviated": journal["deviated"],
        "steady_states": states,
        "run": steps(&journal["run"]),
        "rollbacks": steps(&journal["rollbacks"]),
    })
}

/// Journals of one experiment.
struct Told {
    toolkit: Value,
    served: Value,
    ours: Value,
}

async fn run(stage: &Stage, toolkit: &Python, id: &str, seed: u64) -> Told {
    let file = stage.path(format!("{id}.yaml"));
    let mut expand = std::process::Command::new(&programs().chaos);
    end_well(expand.args(["expand", id, "--out"]).arg(&file)).expect("the template expands");
    let (served, ours) = (stage.path("served"), stage.path("ours"));

    let mut serve = stage.command(&programs().chaos);
    serve.args(["--output", "json", "serve", "--listen", "127.0.0.1:0", "--seed", &seed.to_string()]);
    serve.arg("--journals").arg(&served).arg(&file);
    let name = format!("serve-{id}");
    let mut server = stage.start(&name, serve);
    let log = stage.path(&name).with_extension("log");
    let url = until("the installation stands", RUN_S_MAX, async || {
        let said = std::fs::read_to_string(&log).map_err(|error| error.to_string())?;
        assert_eq!(server.ended(), None, "it has ended: {said}");
        let line = said.lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
        line.and_then(|line| line["harness_url"].as_str().map(str::to_owned)).ok_or(said)
    })
    .await;

    let journal = stage.path(format!("{id}-toolkit.json"));
    let mut chaos = stage.command(toolkit.program("chaos"));
    chaos.env("REVEILLE_HARNESS_URL", &url).args(["--no-version-check", "run", "--journal-path"]);
    chaos.arg(&journal).arg(&file);
    let mut client = stage.start(&format!("toolkit-{id}"), chaos);
    until("the toolkit has ended", RUN_S_MAX, async || client.ended().ok_or_else(String::new)).await;
    let ended =
        until("the server has ended", RUN_S_MAX, async || server.ended().ok_or_else(String::new)).await;

    let mut run = stage.command(&programs().chaos);
    run.arg("run").arg(&file).args(["--seeds", &format!("{seed}..{}", seed + 1), "--journals"]).arg(&ours);
    let ran = run.output().await.expect("the program runs");
    // A series may want more than a run: what its file wants to have been seen in one of many.
    assert!(ran.status.code().is_some_and(|code| code < 64), "{}", String::from_utf8_lossy(&ran.stderr));

    let named = |dir: &Path| -> PathBuf { dir.join(format!("{id}-{seed}.json")) };
    let told = Told { toolkit: read(&journal), served: read(&named(&served)), ours: read(&named(&ours)) };
    assert_eq!(ended.success(), told.served["reveille"]["verdict"] == "held", "{id} ended with {ended}");
    told
}

#[tokio::test]
async fn the_stock_toolkit_comes_to_what_we_come_to() {
    let what = &format!("{} runs by the stock Chaos Toolkit", RUNS.len());
    let Some(toolkit) = Python::install_or_skip(&PACKAGES, what) else { return };
    let stage = Stage::enter().await;
    let mut verdicts = Vec::new();
    for (id, seed) in RUNS {
        let Told { toolkit, served, ours } = run(&stage, &toolkit, id, seed).await;
        assert_eq!(common(&toolkit), common(&served), "{id}");
        for field in ["verdict", "why", "history_sha256", "plan_sha256", "predictions"] {
            assert_eq!(served["reveille"][field], ours["reveille"][field], "{id}: {field}");
        }
        verdicts.push(format!("{id} {}", ours["reveille"]["verdict"]));
    }
    eprintln!("the stock Chaos Toolkit and we agree: {}", verdicts.join(", "));
}
