//! What the processes of the course are told: configurations, and the log of a time before.

use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr, path::Path};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use super::{Role, nodes};

/// Wakes a host may run at once: more than there are. Several of the course fail, which brakes a host; it is let go at once.
pub const HOST_WAKES_MAX: u32 = 16;
/// From the command until the instance must serve.
pub const WAKE_TIMEOUT_S: u32 = 5;
/// How long after the deadline the controller waits for a result.
pub const DEADLINE_GRACE_S: u32 = 1;
/// How long what somebody asked for may wait in the queue.
pub const DEMAND_EXPIRY_S: u32 = 7;
pub const ATTEMPTS_MAX: u32 = 4;
/// The agents' longest wait before they connect again.
pub const RECONNECT_S_MAX: u64 = 1;
/// A Monday, ten minutes before the hour in which users are expected, less two seconds to start in.
pub const WORLD_START: &str = "2026-03-02T08:49:58Z";
/// Before their hour, forecast instances are woken so early.
const LEAD_TIME_S: u32 = 600;
/// Days of log before the course.
const DAYS: i64 = 45;
const SUFFIX: &str = ".dev.example.com";

/// Where the files of one run are, and who is where.
#[derive(Debug, Clone)]
pub struct Places<'a> {
    pub dir: &'a Path,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    /// Where agents find the controller: the tap.
    pub link: SocketAddr,
    /// Where each role's endpoints and pages are.
    pub stage: &'a BTreeMap<Role, SocketAddr>,
    /// Of a PostgreSQL database; without one, it is a file.
    pub database_url: Option<&'a str>,
}

/// Where it is on the clock of the course.
pub fn world_start() -> Timestamp {
    WORLD_START.parse().expect("a timestamp")
}

impl Places<'_> {
    /// Writes all of them.
    pub fn write(&self) -> anyhow::Result<()> {
        keep(&self.dir.join("access.log"), &history())?;
        keep(&self.dir.join("controller.toml"), &self.controller())?;
        (0..nodes::AGENTS).try_for_each(|agent| {
            keep(&self.dir.join(format!("{}.toml", nodes::agent(agent))), &self.agent(agent))
        })
    }

    fn controller(&self) -> String {
        let Self { dir, http, grpc, database_url, .. } = self;
        let url = database_url.map(|url| format!("database_url = {}\n", quoted(url))).unwrap_or_default();
        let data = quoted(&dir.join("controller").to_string_lossy());
        let log = quoted(&dir.join("access.log").to_string_lossy());
        let opted_out = Role::OptedOut.name();
        format!(
            "[listen]\nhttp = \"{http}\"\ngrpc = \"{grpc}\"\n\
             [store]\ndata_dir = {data}\n{url}\
             [[logs.sources]]\npath = {log}\nfollow = true\n\
             [logs.extract]\nfrom = \"vhost\"\nstrip_suffix = \"{SUFFIX}\"\n\
             [visits]\npoll_interval_ms = 300\nlog_lag_s = 0\n\
             [model]\nkind = \"rule\"\nlead_time_default_s = {LEAD_TIME_S}\n\
             [plan]\nhold_out_share = 0.0\ninterval_s = 30\n\
             [policy]\nmode = \"act\"\nhost_wakes_max = {HOST_WAKES_MAX}\nopted_out = [\"{opted_out}\"]\n\
             [wake]\ntimeout_s = {WAKE_TIMEOUT_S}\ndeadline_grace_s = {DEADLINE_GRACE_S}\n\
             demand_expiry_s = {DEMAND_EXPIRY_S}\nbackoff_base_s = 1\nbackoff_max_s = 2\n\
             attempts_max = {ATTEMPTS_MAX}\ndispatch_interval_ms = 100\n\
             [throttle]\nlimit_start = {HOST_WAKES_MAX}\nlimit_raise_after_s = 0\n\
             [fleet]\nload_interval_ms = 200\n"
        )
    }

    fn agent(&self, agent: usize) -> String {
        let Self { dir, link, .. } = self;
        let state = quoted(&dir.join(nodes::agent(agent)).to_string_lossy());
        let token = quoted(&dir.join("controller").join("agent.token").to_string_lossy());
        let host = nodes::host(agent);
        let mut text = format!(
            "host_id = \"{host}\"\nstate_dir = {state}\n\
             [controller]\naddress = \"http://{link}\"\ntoken_file = {token}\n\
             reconnect_backoff_max_s = {RECONNECT_S_MAX}\n\
             [guard]\nwakes_max = {HOST_WAKES_MAX}\n\
             [load]\ninterval_ms = 200\n"
        );
        for (role, stage) in self.stage.iter().filter(|(role, _)| role.agent() == agent) {
            let endpoint = |name: &str| {
                format!(
                    "url = \"http://{stage}/{name}/{{instance}}/wake?wake={{wake_id}}\"\nrequest_timeout_s = 1\n"
                )
            };
            let id = role.name();
            write!(
                text,
                "[[instances]]\nid = \"{id}\"\ncohort = \"dev\"\n\
                 [instances.driver]\nkind = \"http\"\n{}",
                endpoint("portal")
            )
            .expect("text can be written to");
            if role.has_fallback() {
                write!(text, "[instances.driver.fallback]\n{}", endpoint("own"))
                    .expect("text can be written to");
            }
            write!(
                text,
                "[instances.readiness]\nkind = \"http\"\nurl = \"http://{stage}/i/{{instance}}/\"\n\
                 interval_ms = 100\n"
            )
            .expect("text can be written to");
            if role.has_platform() {
                write!(
                    text,
                    "[instances.status]\nurl = \"http://{stage}/status/{{instance}}\"\nfield = \"/state\"\n\
                     values = {{ hibernated = \"asleep\", reclaimed = \"reclaimed\" }}\n"
                )
                .expect("text can be written to");
            }
        }
        text
    }
}

/// Everybody who is expected came five minutes past nine on every day before.
fn history() -> String {
    let nine = world_start() + SignedDuration::from_secs(15 * 60 + 2);
    let mut text = String::new();
    for days_ago in (1..=DAYS).rev() {
        for role in Role::ALL.into_iter().filter(|role| role.is_expected()) {
            text.push_str(&seen(role, nine - SignedDuration::from_hours(24 * days_ago)));
        }
    }
    text
}

/// A line of the log: the user of an instance was there.
pub fn seen(role: Role, at: Timestamp) -> String {
    let when = at.strftime("%d/%b/%Y:%H:%M:%S %z");
    let id = role.name();
    format!("{id}{SUFFIX} 10.0.0.7 - - [{when}] \"GET / HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0\"\n")
}

/// A JSON string is a TOML basic string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn keep(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_ones_the_programs_accept() {
        let dir = tempfile::tempdir().expect("a directory");
        let address: SocketAddr = "127.0.0.1:4000".parse().expect("an address");
        let other: SocketAddr = "127.0.0.1:4001".parse().expect("an address");
        let stage = Role::ALL.into_iter().map(|role| (role, address)).collect();
        let places = Places {
            dir: dir.path(),
            http: address,
            grpc: other,
            link: address,
            stage: &stage,
            database_url: None,
        };
        places.write().expect("written");
        let path = |name: &str| dir.path().join(name);
        reveille_controller::config::Config::load(Some(&path("controller.toml"))).expect("accepted");
        let mut instances = 0;
        for agent in 0..nodes::AGENTS {
            let file = path(&format!("{}.toml", nodes::agent(agent)));
            let config = reveille_agent::config::Config::load(Some(&file)).expect("accepted");
            instances += config.listed_instances().expect("accepted").len();
        }
        assert_eq!(instances, Role::ALL.len());
        let log = std::fs::read_to_string(path("access.log")).expect("readable");
        assert!(log.ends_with("\"Mozilla/5.0\"\n") && log.contains("[01/Mar/2026:09:05:00 +0000]"), "{log}");
    }
}
