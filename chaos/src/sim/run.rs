//! One run: the faults of a plan happen when they are due, somebody looks, and in the end it is judged.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use reveille_proto::{
    v1::{Reason, WakeView},
    waits::Waits,
};
use serde_json::json;
use tokio::time::Instant;
use tonic::Code;

use super::{
    Fault, Plan, Planned, SimOutcome, room,
    stage::{LOOK_EVERY, Stage},
};
use crate::{
    fault::{FaultProof, Level, SlowWake, Span, Toll},
    history::{Entry, Function, History, Key, Kind},
    net::{Flow, Weather},
    play::watch::Wakes,
    world::{host_id, instance_id, stream},
};

/// As long as wakes still in progress at the end are waited for: the controller's deadline and its grace.
const SETTLE: Duration = Duration::from_secs(1_800);
/// Streams of the seed that faults draw from, by their place in the plan.
const STREAM: u64 = 920;

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
    pub(super) proofs: Vec<FaultProof>,
    pub(super) not_recovered: Vec<String>,
    pub(super) simulated: Duration,
}

async fn play(plan: &Plan, dir: &Path, waits: Waits) -> anyhow::Result<Ended> {
    let began = Instant::now();
    let stage = Stage::set(plan, dir, waits).await?;
    let mut run = Run {
        plan,
        stage,
        active: BTreeSet::new(),
        proofs: BTreeMap::new(),
        met_before: BTreeMap::new(),
        gates: BTreeMap::new(),
    };
    run.put_into_world();
    run.faults().await?;
    let mut not_recovered = run.settled().await?;
    run.last_look().await;
    let mut proofs = run.stage.live.enter().faults.proofs();
    proofs.extend(run.proofs.into_values());
    if run.stage.controller.as_ref().is_some_and(super::node::Node::is_over) {
        not_recovered.push("the controller went down by itself".to_owned());
    }
    run.stage.struck().await?;
    Ok(Ended { proofs, not_recovered, simulated: began.elapsed() })
}

struct Run<'a> {
    plan: &'a Plan,
    stage: Stage,
    /// Places in the plan of what is on.
    active: BTreeSet<usize>,
    /// Of what the world itself does not count, by place.
    proofs: BTreeMap<usize, FaultProof>,
    /// How often the weather of a link had been met when a fault of it began, by place.
    met_before: BTreeMap<usize, u64>,
    /// What the gates of the hosts said when they were last looked at.
    gates: BTreeMap<String, String>,
}

/// What is due at a second of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    // Before what begins at the same second.
    Off(usize),
    On(usize),
    Ask(usize),
    Look,
}

impl Run<'_> {
    /// Faults of the world itself go on and off with its clock.
    fn put_into_world(&self) {
        let start_s = self.stage.starts_at.as_second();
        let mut world = self.stage.live.enter();
        for (place, planned) in self.plan.faults.iter().enumerate() {
            let from_s = start_s + i64::from(planned.at_s);
            let span = Span::new(from_s, from_s + i64::from(planned.for_s));
            let kind = planned.fault.kind();
            let faults = &mut world.faults;
            match planned.fault {
                Fault::HttpError { share }
                | Fault::Throttled { share }
                | Fault::Refused { share }
                | Fault::LostResponse { share }
                | Fault::HalfOpen { share }
                | Fault::NeverUp { share } => {
                    let rng = stream(self.plan.seed, STREAM + place as u64);
                    faults.tolls.insert(kind, Toll::new(span, share, rng));
                }
                Fault::SlowWake { factor } => faults.slow_wake = Some(SlowWake::new(span, factor)),
                Fault::LyingLoad { host, cpu_percent } => {
                    faults.levels.insert(kind, Level::new(span, host, cpu_percent));
                }
                Fault::CpuNoise { host, share } => {
                    faults.levels.insert(kind, Level::new(span, host, share));
                }
                Fault::AgentCrash { .. }
                | Fault::ControllerCrash {}
                | Fault::Partition { .. }
                | Fault::OneWay { .. }
                | Fault::Latency { .. }
                | Fault::Reset { .. } => {}
            }
        }
    }

    /// From the start to the end of what is played.
    async fn faults(&mut self) -> anyhow::Result<()> {
        let mut agenda = BTreeSet::new();
        for (place, planned) in self.plan.faults.iter().enumerate().filter(|(_, one)| is_ours(one.fault)) {
            agenda.insert((planned.at_s, Due::On(place)));
            agenda.insert((planned.until_s(), Due::Off(place)));
        }
        agenda.extend(self.plan.asks.iter().enumerate().map(|(place, ask)| (ask.at_s, Due::Ask(place))));
        let look_s = LOOK_EVERY.as_secs() as u32;
        agenda.extend((look_s..self.plan.played_s).step_by(look_s as usize).map(|at_s| (at_s, Due::Look)));
        for (at_s, due) in agenda {
            let at = self.stage.starts_at + Duration::from_secs(at_s.into());
            self.stage.live.clock().sleep_until(at).await;
            match due {
                Due::Off(place) => self.off(place).await?,
                Due::On(place) => self.on(place).await?,
                Due::Ask(place) => self.ask(self.plan.asks[place].instance).await,
                Due::Look => self.look().await,
            }
        }
        let end = self.stage.starts_at + Duration::from_secs(self.plan.played_s.into());
        self.stage.live.clock().sleep_until(end).await;
        Ok(())
    }

    /// A controller that is down cannot be looked at.
    async fn look(&mut self) {
        let looked = async {
            self.stage.watch.look().await?;
            self.stage.watch.control().hosts().await
        };
        let hosts = match looked.await {
            Ok(hosts) => hosts,
            Err(error) => return tracing::debug!(%error, "the controller could not be looked at"),
        };
        for host in hosts {
            if self.gates.get(&host.host_id) == Some(&host.gate) {
                continue;
            }
            let key = Key { host: Some(host.host_id.clone()), ..Key::default() };
            let value = json!({"free": host.gate == "open", "gate": host.gate});
            self.stage.recorder.record(Entry::new("controller", Kind::Ok, Function::Gate, key).value(value));
            self.gates.insert(host.host_id, host.gate);
        }
    }

    /// Somebody asks for an instance; whom nobody answers does not know what became of it.
    async fn ask(&mut self, instance: usize) {
        let host = host_id(self.stage.spec.world.host_of(instance)).to_string();
        let instance = instance_id(instance).to_string();
        let answer = self.stage.watch.control().wake(&instance).await;
        let wake = answer.as_ref().ok().map(|wake| wake.wake_id.clone());
        let kind = match answer {
            Ok(_) => Kind::Ok,
            Err(status) if status.code() == Code::Unavailable => Kind::Info,
            Err(_) => Kind::Fail,
        };
        let key = Key { instance: Some(instance), wake, host: Some(host), ..Key::default() };
        let entry = Entry::new("person", kind, Function::ManualWake, key);
        self.stage.recorder.record(entry.value(json!({"what": "ask"})));
    }

    async fn on(&mut self, place: usize) -> anyhow::Result<()> {
        let planned = &self.plan.faults[place];
        self.active.insert(place);
        self.note(Function::FaultOn, planned);
        let from_s = self.stage.live.clock().now().as_second();
        let proof = FaultProof {
            kind: planned.fault.kind(),
            from_s,
            until_s: from_s + i64::from(planned.for_s),
            hits: 0,
            opportunities: 0,
            on: true,
        };
        self.proofs.insert(place, proof);
        match planned.fault {
            Fault::AgentCrash { host } => {
                self.hit(place, self.stage.agents[host].is_some());
                self.stage.agent_dies(host).await;
            }
            Fault::ControllerCrash {} => {
                self.hit(place, self.stage.controller.is_some());
                self.stage.controller_dies().await;
            }
            Fault::Reset { host } => {
                let before = self.met(host);
                self.stage.exchange.cut(host_id(host).as_str());
                // The lines notice when it is their turn.
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.hit(place, self.met(host) > before);
            }
            fault => {
                if let Some(host) = fault.host() {
                    // What was met before is not this fault's doing.
                    self.met_before.insert(place, self.met(host));
                    self.weather(host);
                }
            }
        }
        Ok(())
    }

    async fn off(&mut self, place: usize) -> anyhow::Result<()> {
        let planned = &self.plan.faults[place];
        self.active.remove(&place);
        self.note(Function::FaultOff, planned);
        match planned.fault {
            Fault::AgentCrash { host } => self.stage.agent_starts(host).await?,
            Fault::ControllerCrash {} => self.stage.controller_starts().await?,
            Fault::Partition { host } | Fault::OneWay { host, .. } | Fault::Latency { host, .. } => {
                let hits = self.met(host) - self.met_before.get(&place).copied().unwrap_or(0);
                if let Some(proof) = self.proofs.get_mut(&place) {
                    (proof.hits, proof.opportunities) = (hits, hits);
                }
                self.weather(host);
            }
            _ => {}
        }
        if let Some(proof) = self.proofs.get_mut(&place) {
            proof.on = false;
        }
        Ok(())
    }

    fn met(&self, host: usize) -> u64 {
        self.stage.exchange.met(host_id(host).as_str())
    }

    fn hit(&mut self, place: usize, is_hit: bool) {
        if let Some(proof) = self.proofs.get_mut(&place) {
            proof.opportunities += 1;
            proof.hits += u64::from(is_hit);
        }
    }

    /// What all faults of a host's link that are on come to together: the worst of each direction.
    fn weather(&self, host: usize) {
        let mut now = Weather::default();
        for planned in self.active.iter().map(|place| &self.plan.faults[*place]) {
            match planned.fault {
                Fault::Partition { host: of } if of == host => {
                    (now.there, now.back) = (Flow::Held, Flow::Held);
                }
                Fault::OneWay { host: of, up } if of == host => {
                    *(if up { &mut now.there } else { &mut now.back }) = Flow::Held;
                }
                Fault::Latency { host: of, delay_ms, jitter_ms } if of == host => {
                    let (delay, jitter) = (Duration::from_millis(delay_ms), Duration::from_millis(jitter_ms));
                    for flow in [&mut now.there, &mut now.back] {
                        if *flow == Flow::Free {
                            *flow = Flow::Late { delay, jitter };
                        }
                    }
                }
                _ => {}
            }
        }
        self.stage.exchange.change(host_id(host).as_str(), |weather| {
            (weather.there, weather.back) = (now.there, now.back);
        });
    }

    /// The judges give a host that is cut off the time it is: until the last fault that does it is over.
    fn note(&self, function: Function, planned: &Planned) {
        let still = |host: usize| {
            let mut others =
                self.active.iter().map(|place| &self.plan.faults[*place]).filter(|one| *one != planned);
            others.any(|other| other.fault.cuts_off() && other.fault.host() == Some(host))
        };
        let host = planned.fault.host().filter(|host| planned.fault.cuts_off() && !still(*host));
        let key = Key { host: host.map(|host| host_id(host).to_string()), ..Key::default() };
        let entry = Entry::new("world", Kind::Ok, function, key);
        self.stage.recorder.record(entry.value(json!({"kind": planned.fault.kind()})));
    }

    /// Has no more wakes started and waits until none is in progress; says what is left when that takes longer than any wake
    /// may.
    async fn settled(&mut self) -> anyhow::Result<Vec<String>> {
        let clock = self.stage.live.clock().clone();
        let watch = &mut self.stage.watch;
        let gone = async {
            // A controller that has just been started may not answer yet.
            while watch.control().set_policy("mode", "forecast-only").await.is_err() {
                clock.sleep(LOOK_EVERY).await;
            }
            let mut quiet = 0;
            while quiet < 2 {
                clock.sleep(LOOK_EVERY).await;
                let is_quiet = watch.look().await.is_ok() && left(&watch.seen) == 0;
                quiet = if is_quiet { quiet + 1 } else { 0 };
            }
        };
        let is_settled = clock.timeout(SETTLE, gone).await.is_some();
        let left = left(&self.stage.watch.seen);
        Ok(if is_settled { Vec::new() } else { vec![format!("{left} wakes had no end yet")] })
    }

    /// The hosts as they are in the end.
    async fn last_look(&mut self) {
        let hosts = self.stage.watch.control().hosts().await.unwrap_or_default();
        for host in hosts {
            let key = Key { host: Some(host.host_id), ..Key::default() };
            let value = json!({"last": true, "active_wakes": host.active_wakes, "connected": host.connected});
            self.stage.recorder.record(Entry::new("controller", Kind::Ok, Function::Gate, key).value(value));
        }
    }
}

/// Wakes that somebody waits for, an agent or who asked: a forecast that was never sent may expire in its own time.
fn left(seen: &Wakes) -> usize {
    let is_waited_for = |wake: &WakeView| wake.attempt > 0 || wake.reason() != Reason::Forecast;
    seen.all.iter().filter(|wake| wake.end.is_empty() && is_waited_for(wake)).count()
}

/// Whether the world does not do it by itself.
fn is_ours(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::AgentCrash { .. }
            | Fault::ControllerCrash {}
            | Fault::Partition { .. }
            | Fault::OneWay { .. }
            | Fault::Latency { .. }
            | Fault::Reset { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Verdict;

    fn played(plan: &Plan) -> SimOutcome {
        let directory = room::directory().expect("a directory");
        run(plan, directory.path()).expect("played")
    }

    fn short(faults: Vec<Planned>) -> Plan {
        Plan { hosts: 2, host_wakes_max: 2, start_hour: 8, faults, ..Plan::calm(3) }
    }

    fn planned(at_s: u32, for_s: u32, fault: Fault) -> Planned {
        Planned { at_s, for_s, fault }
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
