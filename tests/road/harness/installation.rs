//! A sandbox with its controller and its agent as processes, asked through the command line like by anybody.

use std::{fmt::Write as _, fs, path::PathBuf, process::Output};

use jiff::Timestamp;
use nix::unistd::Pid;
use serde_json::Value;

use super::{
    Process, Stage,
    instances::{kill_instances, living_instances},
    page::page,
    ports::free_ports,
    programs, until,
};

/// How long a process may take to answer for the first time on a busy machine.
const START_S_MAX: u64 = 60;

/// Settings that let a small busy machine carry out many small wakes: whatever it measures, the throttle is obeyed.
const SETTINGS: [(&str, &str); 7] = [
    ("REVEILLE_VISITS__LOG_LAG_S", "0"),
    ("REVEILLE_WAKE__ATTEMPTS_MAX", "50"),
    ("REVEILLE_WAKE__BACKOFF_BASE_S", "1"),
    ("REVEILLE_WAKE__BACKOFF_MAX_S", "2"),
    ("REVEILLE_THROTTLE__WAKE_COST_CORES", "0.1"),
    ("REVEILLE_THROTTLE__CPU_PRESSURE_PERCENT_MAX", "100"),
    ("REVEILLE_FLEET__LOAD_INTERVAL_MS", "250"),
];

/// The same for the agent, whose own ceiling is above the controller's.
const AGENT_SETTINGS: [(&str, &str); 3] = [
    ("REVEILLE_AGENT__GUARD__CPU_CEILING_PERCENT", "100"),
    ("REVEILLE_AGENT__GUARD__WAKES_MAX", "4"),
    ("REVEILLE_AGENT__LOAD__SMOOTHING_S", "1"),
];

#[derive(Debug)]
pub(crate) struct Installation {
    controller: Option<Process>,
    agent: Option<Process>,
    settings: Vec<(String, String)>,
    instances: u16,
    port_base: u16,
    pub(crate) stage: Stage,
}

impl Installation {
    /// Writes its files; nothing runs yet. `settings` are environment variables of the controller.
    pub(crate) async fn write(instances: u16, burn_s: u32, settings: &[(&str, &str)]) -> Self {
        let stage = Stage::enter().await;
        let port_base = free_ports(instances + 2) + 2;
        let mut command = stage.command(&programs().chaos);
        command.arg("sandbox").arg(stage.path("box"));
        for (flag, value) in
            [("--instances", instances.into()), ("--port-base", port_base.into()), ("--burn-s", burn_s)]
        {
            command.arg(flag).arg(value.to_string());
        }
        succeeded(&command.output().await.expect("the program starts"), "sandbox");
        let settings =
            SETTINGS.iter().chain(settings).map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Self { controller: None, agent: None, settings, instances, port_base, stage }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.stage.path("box").join(name)
    }

    /// `dev1` and so on.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> + use<> {
        (1..=self.instances).map(|n| format!("dev{n}"))
    }

    /// Starts the controller and waits until it is ready.
    pub(crate) async fn start_controller(&mut self) {
        let mut command = self.stage.command(&programs().reveille);
        command.arg("serve").arg("--config").arg(self.file("controller.toml")).envs(self.settings.clone());
        let mut controller = self.stage.start("controller", command);
        let http = self.port_base - 2;
        until("the controller is ready", START_S_MAX, async || {
            assert_eq!(controller.ended(), None, "the controller ended");
            let answer = page(http, "/readyz").await.map_err(|error| error.to_string())?;
            if answer.contains(" 200 ") { Ok(()) } else { Err(answer) }
        })
        .await;
        self.controller = Some(controller);
    }

    /// Starts the agent and waits until the controller knows it as connected.
    pub(crate) async fn start_agent(&mut self) {
        let mut command = self.stage.command(&programs().agent);
        command.arg("--config").arg(self.file("agent.toml")).envs(AGENT_SETTINGS);
        self.agent = Some(self.stage.start("agent", command));
        until("the agent is connected", START_S_MAX, async || {
            let ended = self.agent.as_mut().and_then(Process::ended);
            assert_eq!(ended, None, "the agent ended");
            let hosts = self.ask(&["hosts"]).await;
            if hosts["items"][0]["connected"] == true { Ok(()) } else { Err(hosts.to_string()) }
        })
        .await;
    }

    pub(crate) fn take_controller(&mut self) -> Process {
        self.controller.take().expect("the controller runs")
    }

    pub(crate) fn take_agent(&mut self) -> Process {
        self.agent.take().expect("the agent runs")
    }

    /// Lets the host start `wakes_max` at once up to the highest ceiling there is.
    pub(crate) async fn open_gate(&self, wakes_max: u32) {
        self.ask(&["policy", "set", "cpu_ceiling_percent", "95"]).await;
        self.ask(&["policy", "set", "host_wakes_max", &wakes_max.to_string()]).await;
    }

    /// The answer of `reveille ARGS --output json`, whatever it is.
    pub(crate) async fn try_ask(&self, args: &[&str]) -> Output {
        let mut command = self.stage.command(&programs().reveille);
        command.arg("--address").arg(format!("http://127.0.0.1:{}", self.port_base - 2));
        command.arg("--token-file").arg(self.file("controller").join("operator.token"));
        command.args(["--output", "json"]).args(args).output().await.expect("the program starts")
    }

    /// The answer of a command that must succeed.
    pub(crate) async fn ask(&self, args: &[&str]) -> Value {
        let answer = self.try_ask(args).await;
        succeeded(&answer, &args.join(" "));
        serde_json::from_slice(&answer.stdout).expect("JSON")
    }

    /// All wakes, newest first.
    pub(crate) async fn wakes(&self) -> Vec<Value> {
        let mut page = self.ask(&["wakes", "--limit", "1000"]).await;
        assert_eq!(page["next_page_token"], "", "more wakes than a page");
        page["items"].as_array_mut().map(std::mem::take).expect("a list")
    }

    /// Why nothing moves, for the message of a test that waits.
    pub(crate) async fn gate(&self) -> String {
        let hosts = self.ask(&["hosts"]).await;
        let host = &hosts["items"][0];
        format!("gate {} {}, CPU {}", host["gate"], host["gate_detail"], host["cpu_percent"])
    }

    /// Whether the `n`th instance answers as itself.
    pub(crate) async fn serves(&self, n: u16) -> bool {
        let answer = page(self.port_base + n - 1, "/").await;
        answer.is_ok_and(|answer| answer.contains(&format!("instance dev{n}\n")))
    }

    /// Appends a visit of every instance at `at` to the access log.
    pub(crate) fn users_come(&self, at: Timestamp) {
        let when = at.strftime("%d/%b/%Y:%H:%M:%S %z");
        let mut lines = String::new();
        for name in self.names() {
            let request = "\"GET / HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0\"";
            writeln!(lines, "{name}.dev.example.com 10.0.0.1 - - [{when}] {request}")
                .expect("writes to a string");
        }
        let log = self.file("access.log");
        let mut text = fs::read_to_string(&log).expect("a readable log");
        text.push_str(&lines);
        fs::write(&log, text).expect("a log that can be written");
    }

    pub(crate) fn living_instances(&self) -> Vec<Pid> {
        living_instances(&self.file("agent"))
    }

    pub(crate) fn kill_instances(&self) {
        kill_instances(&self.file("agent"));
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // The agent first: it would start what is killed here.
        drop(self.agent.take());
        drop(self.controller.take());
        self.kill_instances();
    }
}

fn succeeded(answer: &Output, what: &str) {
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "`{what}` ended with {}: {said}", answer.status);
}
