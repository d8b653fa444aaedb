//! Worlds in which every kind of fault is on that they take, side by side: each on hosts of its own, or on all of them.

use std::collections::BTreeMap;

use reveille_chaos::{
    experiment::{
        catalogue::KindInfo,
        file::{RunMode, TargetKind},
    },
    local,
};
use serde_json::{Value, json};

use super::{LEASE_S, SPEED};

/// Faults in a world that have a host each.
const HOSTS_MAX: usize = 10;
pub(super) const PER_HOST: usize = 4;

/// A fault that is injected, and whom it hits.
#[derive(Debug, Clone)]
pub(super) struct Injected {
    pub(super) info: &'static KindInfo,
    pub(super) target: Value,
}

impl Injected {
    pub(super) fn id(&self) -> String {
        self.info.name.replace(['.', '_'], "-")
    }

    pub(super) fn on_host(info: &'static KindInfo, host: usize) -> Self {
        let host = json!({"mode": "fixed", "names": [format!("host-{}", host + 1)]});
        Self { info, target: json!({"kind": info.targets[0], "select": {"host": host}}) }
    }

    /// On the instances of a host of its own, where it can be about instances: a host on which much fails is braked.
    fn on_instances(info: &'static KindInfo, host: usize) -> Self {
        if !info.targets.contains(&TargetKind::Instance) {
            return Self::on_all(info);
        }
        let host = json!({"mode": "fixed", "names": [format!("host-{}", host + 1)]});
        let select = json!({"host": host, "instances": {"mode": "all"}});
        Self { info, target: json!({"kind": "instance", "select": select}) }
    }

    pub(super) fn on_all(info: &'static KindInfo) -> Self {
        let all = json!({"mode": "all"});
        let select = match info.targets[0] {
            TargetKind::Endpoint => json!({"endpoint": all}),
            TargetKind::Controller | TargetKind::Clock => json!({"controller": all}),
            TargetKind::Feed => json!({"feed": all}),
            _ => json!({}),
        };
        Self { info, target: json!({"kind": info.targets[0], "select": select}) }
    }
}

/// A file of its own.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) hosts: usize,
    /// Instances of each host.
    pub(super) per_host: usize,
    /// Seconds of the world in one of ours.
    pub(super) speed: u32,
    pub(super) mode: RunMode,
    pub(super) faults: Vec<Injected>,
}

/// What makes a fault bite soon, and still be in the middle of it when the runner dies; its defaults where nothing is said.
fn params(kind: &str) -> Value {
    match kind {
        "agent.crash_restart" | "controller.crash" => json!({"down": "1h"}),
        "agent.crash_loop" | "controller.crash_loop" => json!({"up": "1m", "down": "1m"}),
        "controller.overload" => json!({"factor": 2.0}),
        "link.limit" => json!({"limit_bytes": 100}),
        "link.timeout" | "link.reset" => json!({"after": "5s"}),
        "link.duplicate" | "link.reorder" => json!({"share": 1.0, "ways": "both"}),
        // Under pressure nothing boots there.
        "host.mem_io" => json!({"pressure": 0.0}),
        // Next to always.
        "store.busy" => json!({"held": "5m", "every": "301s"}),
        "link.loss" | "store.commit_unknown" | "data.duplicate" | "data.late" => json!({"share": 0.5}),
        _ => json!({}),
    }
}

/// Those that hide others come after them: each is met before the next begins.
fn rank(info: &KindInfo) -> u8 {
    match info.name {
        "store.slow" | "store.commit_unknown" => 0,
        "store.busy" => 2,
        "store.hang" => 3,
        "store.refuse" => 4,
        // Nothing is started any more.
        "operator.kill_switch" => 9,
        _ => 1,
    }
}

/// Every kind that a world takes in this mode, in as few worlds as can hold them.
pub(super) fn plans(mode: RunMode) -> Vec<Plan> {
    let mut worlds: BTreeMap<String, Vec<&'static KindInfo>> = BTreeMap::new();
    for info in local::kinds(mode) {
        let world = match (info.targets[0], info.layer()) {
            (TargetKind::Agent | TargetKind::Link | TargetKind::Host, _) => "hosts".to_owned(),
            (TargetKind::Endpoint | TargetKind::Instance, _) => "endpoints".to_owned(),
            (TargetKind::Feed, _) => "feed".to_owned(),
            (_, "store") => "store".to_owned(),
            (_, "operator") => "operator".to_owned(),
            (TargetKind::Controller, _) if !stops_controller(info) => "operator".to_owned(),
            _ => info.name.replace('.', "-"),
        };
        worlds.entry(world).or_default().push(info);
    }
    let mut plans = Vec::new();
    for (name, mut kinds) in worlds {
        kinds.sort_by_key(|info| rank(info));
        if name == "hosts" {
            plans.extend(on_hosts(mode, &kinds));
            continue;
        }
        let fault = |(place, info): (usize, &&'static KindInfo)| {
            if name == "endpoints" { Injected::on_instances(info, place) } else { Injected::on_all(info) }
        };
        let faults: Vec<Injected> = kinds.iter().enumerate().map(fault).collect();
        plans.push(match name.as_str() {
            "endpoints" => Plan { name, hosts: faults.len(), per_host: PER_HOST, speed: SPEED, mode, faults },
            // Where many live, somebody comes and is expected soon.
            "feed" | "operator" => Plan { name, hosts: 2, per_host: 60, speed: 3 * SPEED, mode, faults },
            _ => Plan { name, hosts: 1, per_host: PER_HOST, speed: SPEED, mode, faults },
        });
    }
    // What takes longest begins first.
    plans.sort_by_key(|plan| std::cmp::Reverse((plan.speed, plan.faults.len())));
    plans
}

/// Whether it stops or kills the controller, so that no other fault of it is met.
fn stops_controller(info: &KindInfo) -> bool {
    !["controller.overload", "controller.config_change"].contains(&info.name)
}

/// Each has a host of its own; but a close is held back only where somebody closes.
fn on_hosts(mode: RunMode, kinds: &[&'static KindInfo]) -> Vec<Plan> {
    let closes = "agent.flapping";
    let mut kinds: Vec<&KindInfo> =
        kinds.iter().copied().filter(|info| info.name != "link.slow_close").collect();
    kinds.sort_by_key(|info| info.name != closes);
    let worlds = kinds.len().div_ceil(HOSTS_MAX);
    let chunks = kinds.chunks(kinds.len().div_ceil(worlds)).enumerate();
    let plan = |(number, kinds): (usize, &[&'static KindInfo])| {
        let mut faults = Vec::new();
        for (host, info) in kinds.iter().enumerate() {
            if info.name == closes {
                let slow = local::kinds(mode).find(|info| info.name == "link.slow_close");
                faults.extend(slow.map(|info| Injected::on_host(info, host)));
                faults.insert(0, Injected::on_host(info, host));
            } else {
                faults.push(Injected::on_host(info, host));
            }
        }
        let name = format!("hosts-{}", number + 1);
        Plan { name, hosts: kinds.len(), per_host: PER_HOST, speed: SPEED, mode, faults }
    };
    chunks.map(plan).collect()
}

fn http(name: &str, kind: &str, method: &str, url: &str, body: Value) -> Value {
    let url = format!("${{harness_url}}{url}");
    let mut provider = json!({"type": "http", "method": method, "url": url, "timeout": [2, 300]});
    if !body.is_null() {
        provider["headers"] = json!({"Content-Type": "application/json"});
        provider["arguments"] = body;
    }
    json!({"name": name, "type": kind, "provider": provider})
}

pub(super) const ID: &str = "CT-90";

impl Plan {
    fn method(&self) -> Vec<Value> {
        let mut steps = vec![http("people", "action", "POST", "/v1/workload", json!({"experiment": ID}))];
        for faults in self.faults.chunk_by(|one, other| rank(one.info) == rank(other.info)) {
            for id in faults.iter().map(Injected::id) {
                let body = json!({"ref": id, "experiment": ID, "lease_s": LEASE_S});
                steps.push(http(&format!("inject-{id}"), "action", "POST", "/v1/faults", body));
            }
            for id in faults.iter().map(Injected::id) {
                let met = format!("/v1/faults/{id}/await?hits=1");
                steps.push(http(&format!("met-{id}"), "probe", "GET", &met, Value::Null));
            }
        }
        steps.push(http("hold", "action", "POST", "/v1/clock/advance", json!({"seconds": 10_800})));
        steps
    }

    fn fault(fault: &Injected) -> Value {
        json!({
            "id": fault.id(), "kind": fault.info.name, "target": format!("of-{}", fault.id()),
            "params": params(fault.info.name), "schedule": {"at": "1m", "for": "3h"},
            "lease": format!("{LEASE_S}s"), "proof": {"hits": {"op": ">=", "value": 1}, "within": "1h"},
        })
    }

    fn world(&self) -> Value {
        // Each instance is asked for again and again, but where people are multiplied.
        let each =
            if self.faults.iter().any(|fault| fault.info.name == "controller.overload") { 4 } else { 20 };
        let people = each * self.hosts * PER_HOST;
        let boot = json!({"p50": "60s", "p95": "90s", "cpu_per_boot": 0.05});
        json!({
            "fleet": {"hosts": self.hosts, "instances_per_host": self.per_host, "cores": 8, "boot": boot},
            "controller": {"replicas": 1, "per_host_limit": 8, "cpu_limit": 0.9, "poll": "10s",
                           "deadline": "15m", "preflight_ttl": "30s"},
            "workload": {"profile": "morning_peak", "predicted": people, "manual": people,
                         "returns_within": "3h", "true_positive": 0.6},
        })
    }

    /// The experiment, in which nothing but the faults matters.
    pub(super) fn file(&self) -> Value {
        let mut probe = http("cpu", "probe", "GET", "/v1/probes/host_cpu_max?as=text", Value::Null);
        probe["tolerance"] = json!({"type": "range", "target": "body", "range": [0, 9]});
        let target = |fault: &Injected| (format!("of-{}", fault.id()), fault.target.clone());
        let targets: BTreeMap<String, Value> = self.faults.iter().map(target).collect();
        let ours = json!({
            "name": "reveille.chaos/v1", "id": ID, "layer": "controller", "quadrant": "known-known", "tier": if self.mode == RunMode::Local { "T3" } else { "T4" },
            "owner": "road", "links": [],
            "hypothesis": {"because": "who is gone cannot end what it has begun", "confidence": 0.5,
                           "predicts": [{"metric": "host_cpu_max", "op": "<=", "value": 9, "during": "whole"}]},
            "modes": [self.mode],
            "sim": {"tier": "logic", "seeds": {"from": 0, "count": 1}, "horizon": "12h",
                    "start": "2026-03-02T08:00:00+01:00", "swarm": false, "determinism_check": 0.05},
            "world": self.world(), "targets": targets,
            "faults": self.faults.iter().map(Self::fault).collect::<Vec<_>>(),
            "blast_radius": {
                "max": {"hosts": self.hosts, "instances": self.hosts * self.per_host,
                        "concurrent_faults": self.faults.len(), "duration": "4h"},
                "budget": {"failed_wakes": 1000},
                "windows": {"tz": "Europe/Zurich", "allow": ["Mon-Sun 00:00-23:59"], "deny_dates": []},
                "ladder": [{"rung": 0, "mode": self.mode, "scope": {"share": 1.0}}],
            },
            "guards": [{"id": "none", "expr": "host_cpu_max > 9", "for": "0s", "do": "abort"}],
            "invariants": ["S1"], "control": {"kind": "none"},
            "recovery": {"deadline": "15m", "steady_state": "required", "residue": "none"},
            "coverage": {"sometimes": []},
            "verdict": {"on_unproven_fault": "inconclusive", "on_control_failed": "inconclusive",
                        "flake_policy": "never-retry"},
            "report": {"formats": ["reveille-json"], "attach": []},
        });
        json!({
            "title": "Nothing outlives its runner", "description": "Every fault here is on when the runner dies.",
            "tags": ["road"],
            "contributions": {"reliability": "high", "availability": "high", "performance": "low", "security": "none"},
            "configuration": {"harness_url": {"type": "env", "key": "REVEILLE_HARNESS_URL",
                                              "default": "http://127.0.0.1:8475"}},
            "steady-state-hypothesis": {"title": "Somebody measures", "probes": [probe]},
            "method": self.method(),
            "rollbacks": [http("clear", "action", "DELETE", &format!("/v1/faults?experiment={ID}"), Value::Null),
                          http("left", "action", "GET", "/v1/residue", Value::Null)],
            "runtime": {"hypothesis": {"strategy": "default"}, "rollbacks": {"strategy": "always"}},
            "extensions": [ours],
        })
    }
}
