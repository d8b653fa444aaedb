//! The files of a sandbox: what a controller, an agent and a web front would have.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};

/// Days of log before today; a forecast needs 30 of them.
const DAYS: i64 = 35;
/// How long after the sandbox was made its wakes are still due at once.
const MARGIN_S: i64 = 600;
const HOUR_S: i64 = 3600;
/// What follows the instance in the host name of a log line.
const SUFFIX: &str = ".dev.example.com";

/// What a sandbox is made from.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// Made when it is not there; must be empty.
    pub dir: PathBuf,
    pub instances: u16,
    /// The instances listen on this port and the next ones, the controller on the two ports below.
    pub port_base: u16,
    /// CPU an instance burns while it starts, in seconds.
    pub burn_s: u32,
    /// The program that plays an instance.
    pub instance_program: PathBuf,
    pub now: Timestamp,
}

/// Writes `controller.toml`, `agent.toml` and `access.log`, a log in which everybody comes in this and the next hour
/// of every day.
pub fn write(sandbox: &Sandbox) -> anyhow::Result<()> {
    ensure!(
        sandbox.port_base >= 1026,
        "--port-base must leave room for the controller's two ports above 1023"
    );
    let ports = sandbox.port_base.checked_add(sandbox.instances);
    ensure!(ports.is_some(), "--port-base is too high for {} instances", sandbox.instances);
    let dir = &sandbox.dir;
    fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))?;
    let mut entries = fs::read_dir(dir).with_context(|| format!("failed to look into {}", dir.display()))?;
    ensure!(entries.next().is_none(), "{} is not empty", dir.display());
    let dir = fs::canonicalize(dir).context("failed to resolve the directory")?;
    keep(&dir, "controller.toml", &controller(sandbox, &dir))?;
    keep(&dir, "agent.toml", &agent(sandbox, &dir))?;
    keep(&dir, "access.log", &log(sandbox))
}

fn keep(dir: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = dir.join(name);
    fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// A TOML string.
fn quoted(path: &Path) -> String {
    serde_json::Value::String(path.display().to_string()).to_string()
}

fn controller(sandbox: &Sandbox, dir: &Path) -> String {
    let (http, grpc) = (sandbox.port_base - 2, sandbox.port_base - 1);
    format!(
        r#"# A controller for this directory: `reveille serve --config controller.toml`.
[listen]
http = "127.0.0.1:{http}"
grpc = "127.0.0.1:{grpc}"

[store]
data_dir = {data}

[[logs.sources]]
path = {log}
follow = true

[logs.extract]
from = "vhost"
strip_suffix = "{SUFFIX}"

[model]
# Everybody here comes at the same minutes of two hours every day: counting hours is enough.
kind = "rule"
# Until lead times are learned: so long that the wakes of the next hour are due now, and nobody waits for them.
lead_time_default_s = {lead_time_s}

[throttle]
# What one of these instances costs, smoothed as the agent measures; bigger instances need the default or more.
wake_cost_cores = 0.5
wake_cost_decay_s = 20

[plan]
interval_s = 10
# Everybody is woken here. Elsewhere the default holds one instance-day in twenty out, to tell the effect by it.
hold_out_share = 0.0

[policy]
mode = "act"
"#,
        lead_time_s = HOUR_S - sandbox.now.as_second() % HOUR_S + MARGIN_S,
        data = quoted(&dir.join("controller")),
        log = quoted(&dir.join("access.log")),
    )
}

fn agent(sandbox: &Sandbox, dir: &Path) -> String {
    let Sandbox { instances, port_base, burn_s, .. } = sandbox;
    let grpc = port_base - 1;
    format!(
        r#"# An agent for this directory: `reveille-agent --config agent.toml`.
host_id = "sandbox"
state_dir = {state}

[controller]
address = "http://127.0.0.1:{grpc}"
token_file = {token}

[[instance_templates]]
ids = {{ prefix = "dev", from = 1, to = {instances} }}
port_base = {port_base}
cohort = "sandbox"

[instance_templates.driver]
kind = "process"
command = {program}
args = ["instance", "--name", "{{instance}}", "--listen", "127.0.0.1:{{port}}", "--burn-s", "{burn_s}"]

[instance_templates.readiness]
kind = "http"
url = "http://127.0.0.1:{{port}}/"
expect = {{ body_contains = "instance {{instance}}" }}
interval_ms = 500
"#,
        state = quoted(&dir.join("agent")),
        token = quoted(&dir.join("controller").join("agent.token")),
        program = quoted(&sandbox.instance_program),
    )
}

fn log(sandbox: &Sandbox) -> String {
    let mut text = String::new();
    for days_ago in (1..=DAYS).rev() {
        for hour in 0..2 {
            for n in 1..=sandbox.instances {
                let spread = SignedDuration::from_secs(i64::from(n) * 61 % 1800);
                let back = SignedDuration::from_hours(24 * days_ago - hour);
                let at =
                    sandbox.now - SignedDuration::from_secs(sandbox.now.as_second() % HOUR_S) - back + spread;
                line(&mut text, at, n);
            }
        }
    }
    text
}

/// A line as nginx writes it with the virtual host in front.
fn line(text: &mut String, at: Timestamp, n: u16) {
    let when = at.strftime("%d/%b/%Y:%H:%M:%S %z");
    let (high, low) = (n / 250, n % 250 + 1);
    writeln!(
        text,
        "dev{n}{SUFFIX} 10.0.{high}.{low} - - [{when}] \"GET / HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0\""
    )
    .expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_ones_the_programs_accept() {
        let dir = tempfile::tempdir().expect("a directory");
        let sandbox = Sandbox {
            dir: dir.path().join("box"),
            instances: 3,
            port_base: 7420,
            burn_s: 2,
            instance_program: "/bin/true".into(),
            now: "2026-03-02T08:10:00Z".parse().expect("valid"),
        };
        write(&sandbox).expect("written");
        let path = |name: &str| sandbox.dir.join(name);
        reveille_controller::config::Config::load(Some(&path("controller.toml"))).expect("accepted");
        fs::create_dir_all(path("controller")).expect("made");
        fs::write(path("controller").join("agent.token"), "0".repeat(64)).expect("written");
        reveille_agent::config::Config::load(Some(&path("agent.toml"))).expect("accepted");
        let log = fs::read_to_string(path("access.log")).expect("readable");
        assert_eq!(log.lines().count(), 35 * 2 * 3);
        assert!(log.contains("dev3.dev.example.com 10.0.0.4 - - [01/Mar/2026:08:03:03 +0000]"), "{log}");
        assert!(write(&sandbox).is_err(), "it is not empty any more");
    }
}
