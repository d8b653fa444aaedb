//! A simulated installation while it is played: what is due happens when it is due, faults begin and end, somebody looks.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use rand::rngs::StdRng;
use reveille_proto::v1::{Reason, WakeView};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Plan, Planned,
    inject::{self, Hits},
    looks::Looks,
    plan::Ask,
    stage::{Means, Stage},
};
use crate::{
    experiment::catalogue::{FaultKind, operator::Channel},
    fault::{FaultProof, Span},
    history::{Entry, Function, Key, Kind, Recorder},
    local::Installation,
    world::{host_id, stream},
};

/// As long as wakes still in progress at the end are waited for: the controller's deadline and its grace.
const SETTLE: Duration = Duration::from_secs(1_800);
/// Streams of the seed that faults draw from, by their place in the play.
const STREAM: u64 = 920;
/// As long as whoever looks waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Play {
    pub(super) stage: Stage,
    pub(super) seed: u64,
    /// How often the weather of a host's link had been met when a fault began, by the fault's place and the host.
    pub(super) met_before: BTreeMap<(usize, usize), u64>,
    pub(super) own: inject::Own,
    /// Who asks, and has no answer yet.
    pub(super) asking: JoinSet<()>,
    /// What was seen that must not be.
    found: Vec<String>,
    /// What each fault draws from, by place.
    rngs: Vec<StdRng>,
    asks: Vec<Ask>,
    /// In the order in which they became known; a fault is called by its place.
    faults: Vec<Planned>,
    agenda: BTreeSet<(u32, Due)>,
    look_every_s: u32,
    /// Places of what is on.
    active: BTreeSet<usize>,
    /// Of what has begun, by place.
    proofs: BTreeMap<usize, FaultProof>,
    /// What whoever looks has seen.
    pub(super) looks: Looks,
}

/// What is due at a second of the play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    // Before what begins at the same second.
    Off(usize),
    On(usize),
    Step(usize),
    Ask(usize),
    Look,
}

/// What is left when the play is over.
#[derive(Debug)]
pub(crate) struct Curtain {
    pub(crate) proofs: Vec<FaultProof>,
    pub(crate) not_recovered: Vec<String>,
}

impl Play {
    /// Sets the stage of `plan`, whose faults and asks are due in their time.
    pub(crate) async fn set(plan: &Plan, dir: &Path, means: &Means) -> anyhow::Result<Self> {
        let mut play = Self {
            stage: Stage::set(plan, dir, means).await?,
            seed: plan.seed,
            met_before: BTreeMap::new(),
            own: inject::Own::default(),
            asking: JoinSet::new(),
            found: Vec::new(),
            rngs: Vec::new(),
            asks: Vec::new(),
            faults: Vec::new(),
            look_every_s: plan.look_every_s,
            agenda: BTreeSet::from([(plan.look_every_s, Due::Look)]),
            active: BTreeSet::new(),
            proofs: BTreeMap::new(),
            looks: Looks::default(),
        };
        for planned in &plan.faults {
            play.expect(planned.clone());
        }
        for ask in &plan.asks {
            play.expect_ask(ask.clone());
        }
        Ok(play)
    }

    /// It will happen; gives its place.
    pub(crate) fn expect(&mut self, planned: Planned) -> usize {
        let place = self.faults.len();
        self.agenda.insert((planned.at_s, Due::On(place)));
        self.agenda.insert((planned.until_s(), Due::Off(place)));
        self.faults.push(planned);
        self.rngs.push(stream(self.seed, STREAM + place as u64));
        place
    }

    /// Somebody will ask.
    pub(crate) fn expect_ask(&mut self, ask: Ask) {
        self.agenda.insert((ask.at_s, Due::Ask(self.asks.len())));
        self.asks.push(ask);
    }

    /// Plays until `to_s` seconds after the start; what is due then has happened.
    pub(crate) async fn until(&mut self, to_s: u32) -> anyhow::Result<()> {
        while let Some((at_s, due)) = self.agenda.first().copied().filter(|(at_s, _)| *at_s <= to_s) {
            self.agenda.pop_first();
            self.sleep_until(at_s).await;
            match due {
                Due::Off(place) => self.end(place).await?,
                Due::On(place) => self.begin(place, at_s).await?,
                Due::Step(place) if self.is_on(place) => {
                    let next = inject::step(self, place).await?;
                    self.step_after(place, at_s, next);
                }
                // The fault is over.
                Due::Step(_) => {}
                Due::Ask(place) => self.ask(self.asks[place].instance),
                Due::Look => {
                    self.look().await;
                    self.look_at_model(at_s).await;
                    if !inject::is_in_line(self) {
                        inject::follow(self).await;
                    }
                    // Of a controller that does not answer each look takes long: nothing else may have to wait for many.
                    let next_s = at_s.max(self.now_s()) + self.look_every_s;
                    self.agenda.insert((next_s, Due::Look));
                }
            }
        }
        self.sleep_until(to_s).await;
        Ok(())
    }

    /// Seconds since the start.
    pub(crate) fn now_s(&self) -> u32 {
        let since = self.stage.live.clock().now().duration_since(self.stage.starts_at);
        u32::try_from(since.as_secs()).unwrap_or_default()
    }

    async fn sleep_until(&self, at_s: u32) {
        let at = self.stage.starts_at + Duration::from_secs(at_s.into());
        self.stage.live.clock().sleep_until(at).await;
    }

    /// The fault begins now, whenever it was due.
    async fn begin(&mut self, place: usize, at_s: u32) -> anyhow::Result<()> {
        self.active.insert(place);
        self.note(Function::FaultOn, place);
        let ((from_s, until_s), kind) = (self.span_s(place), self.planned(place).kind());
        let proof = FaultProof { kind, from_s, until_s, hits: 0, opportunities: 0, on: true };
        self.proofs.insert(place, proof);
        let next = inject::on(self, place).await?;
        self.step_after(place, at_s, next);
        Ok(())
    }

    fn step_after(&mut self, place: usize, at_s: u32, next: Option<u32>) {
        if let Some(after_s) = next {
            self.agenda.insert((at_s + after_s, Due::Step(place)));
        }
    }

    /// The fault is over now, whenever it was due. Of one that is not on, nothing happens.
    pub(crate) async fn end(&mut self, place: usize) -> anyhow::Result<()> {
        if !self.active.contains(&place) {
            return Ok(());
        }
        inject::told(self, place).await;
        let hits = inject::hits(self, place);
        self.settle_hits(place, hits);
        self.active.remove(&place);
        self.note(Function::FaultOff, place);
        inject::off(self, place).await?;
        if let Some(proof) = self.proofs.get_mut(&place) {
            proof.on = false;
        }
        Ok(())
    }

    pub(super) fn planned(&self, place: usize) -> &Planned {
        &self.faults[place]
    }

    /// When it is due, in seconds since the start.
    pub(crate) fn begins_s(&self, place: usize) -> u32 {
        self.faults[place].at_s
    }

    pub(super) fn what(&self, place: usize) -> FaultKind {
        self.faults[place].what.clone()
    }

    /// The hosts it is about, all where it names none.
    pub(super) fn hosts_of(&self, place: usize) -> Vec<usize> {
        (0..self.stage.agents.len()).filter(|host| self.faults[place].hits_host(*host)).collect()
    }

    pub(super) fn rng(&mut self, place: usize) -> &mut StdRng {
        &mut self.rngs[place]
    }

    /// How often it was met so far.
    pub(crate) fn hits(&self, place: usize) -> u64 {
        if self.is_on(place) { inject::hits(self, place).hits } else { self.counted(place).hits }
    }

    /// What was counted elsewhere of what is on is known here from now on.
    pub(crate) async fn told(&mut self) {
        for place in self.places_on() {
            inject::told(self, place).await;
        }
    }

    /// What is known of a fault that has begun.
    pub(crate) fn proof(&self, place: usize) -> Option<&FaultProof> {
        self.proofs.get(&place)
    }

    /// Addresses that are listened on for as long as the installation is there; none in a simulation.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.stage.local.as_ref().map(Installation::addresses).unwrap_or_default()
    }

    /// Whether anything is on, or will be.
    pub(crate) fn is_at_peace(&self) -> bool {
        let is_to_come = |(_, due): &(u32, Due)| matches!(due, Due::On(_));
        self.active.is_empty() && !self.agenda.iter().any(is_to_come)
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.stage.recorder
    }

    pub(super) fn is_on(&self, place: usize) -> bool {
        self.active.contains(&place)
    }

    pub(super) fn on_now(&self) -> impl Iterator<Item = &Planned> {
        self.active.iter().map(|place| &self.faults[*place])
    }

    pub(super) fn places_on(&self) -> Vec<usize> {
        self.active.iter().copied().collect()
    }

    /// How many people are expected to ask.
    pub(super) fn asks_planned(&self) -> usize {
        self.asks.len()
    }

    /// Something was seen that must not be, whatever the judges say.
    pub(super) fn found(&mut self, what: String) {
        self.found.push(what);
    }

    /// From now until it is due to be over.
    pub(super) fn span(&self, place: usize) -> Span {
        let (from_s, until_s) = self.span_s(place);
        Span::new(from_s, until_s)
    }

    fn span_s(&self, place: usize) -> (i64, i64) {
        let from_s = self.stage.live.clock().now().as_second();
        (from_s, from_s + i64::from(self.faults[place].for_s))
    }

    /// One passage of a fault that the world does not count.
    pub(super) fn count(&mut self, place: usize, is_hit: bool) {
        if let Some(proof) = self.proofs.get_mut(&place) {
            proof.opportunities += 1;
            proof.hits += u64::from(is_hit);
        }
    }

    /// What was counted of it so far.
    pub(super) fn counted(&self, place: usize) -> Hits {
        let proof = self.proofs.get(&place);
        proof.map(|proof| Hits { hits: proof.hits, opportunities: proof.opportunities }).unwrap_or_default()
    }

    pub(super) fn settle_hits(&mut self, place: usize, hits: Hits) {
        if let Some(proof) = self.proofs.get_mut(&place) {
            (proof.hits, proof.opportunities) = (hits.hits, hits.opportunities);
        }
    }

    /// The judges give a host that is cut off the time it is: until the last fault that does it is over. What the world does,
    /// it tells itself.
    fn note(&self, function: Function, place: usize) {
        let planned = &self.faults[place];
        if planned.is_of_world() {
            return;
        }
        let mut value = json!({"kind": planned.kind()});
        if function == Function::FaultOff {
            value["hits"] = json!(self.counted(place).hits);
        }
        if matches!(&planned.what, FaultKind::OperatorBlind(blind) if blind.channels.contains(&Channel::Metrics))
        {
            value["unseen"] = json!(true);
        }
        if let Some(night) = self.stage.night.as_ref().filter(|_| planned.is_of_before()) {
            value["changes_at_ms"] = json!(night.changes_at.as_millisecond());
        }
        let tell = |host: Option<usize>| {
            let key = Key { host: host.map(|host| host_id(host).to_string()), ..Key::default() };
            self.stage.recorder.record(Entry::new("world", Kind::Ok, function, key).value(value.clone()));
        };
        let others = self.active.iter().filter(|other| **other != place).map(|other| &self.faults[*other]);
        let others: Vec<&Planned> = others.filter(|other| other.cuts_off()).collect();
        let cut = if planned.cuts_off() { self.hosts_of(place) } else { Vec::new() };
        let is_cut_still = |host: &usize| others.iter().any(|other| other.hits_host(*host));
        let told: Vec<usize> = cut.into_iter().filter(|host| !is_cut_still(host)).collect();
        if told.is_empty() {
            tell(None);
        }
        for host in told {
            tell(Some(host));
        }
    }

    /// Takes everything down at once, whatever it has in hand: with what a fault is at, the fault is over. What was stopped is not
    /// let go on, and what was killed is not started again for a moment.
    pub(crate) async fn abandoned(mut self) -> anyhow::Result<()> {
        self.own = inject::Own::default();
        self.stage.abandoned().await
    }

    /// Ends what is still on, waits until everything has settled, looks a last time and takes everything down.
    pub(crate) async fn over(mut self) -> anyhow::Result<Curtain> {
        for place in self.active.clone() {
            self.end(place).await?;
        }
        let mut not_recovered = std::mem::take(&mut self.found);
        not_recovered.extend(self.settled().await);
        self.last_look().await;
        self.last_books().await;
        let is_over = match &mut self.stage.controller {
            Some(controller) => controller.is_over().await,
            None => false,
        };
        if is_over {
            not_recovered.push("the controller went down by itself".to_owned());
        }
        let proofs = self.proofs.into_values().collect();
        self.stage.struck().await?;
        Ok(Curtain { proofs, not_recovered })
    }

    /// Has no more wakes started and waits until none is in progress; says what is left when none ends for as long as any wake
    /// may take.
    async fn settled(&mut self) -> Vec<String> {
        let clock = self.stage.live.clock().clone();
        let mut until = clock.now() + SETTLE;
        let (mut is_told, mut fewest, mut quiet) = (false, usize::MAX, 0);
        while quiet < 2 && clock.now() < until {
            clock.sleep(Duration::from_secs(self.look_every_s.into())).await;
            if !inject::is_in_line(self) {
                inject::follow(self).await;
            }
            // A controller that has just been started may not answer yet.
            let control = self.stage.watch.control();
            is_told = is_told || control.set_policy("mode", "forecast-only").await.is_ok();
            // Whoever waits now is judged as before: gates are looked at as well.
            let is_seen = is_told && self.look().await;
            let left = self.left();
            quiet = if is_seen && left == 0 { quiet + 1 } else { 0 };
            if is_seen && left < fewest {
                // A long queue takes its time, as long as it moves.
                (fewest, until) = (left, clock.now() + SETTLE);
            }
        }
        let left = self.left();
        let mut not_recovered = Vec::new();
        if quiet < 2 {
            not_recovered.push(format!("{left} wakes had no end yet"));
        }
        if !inject::is_in_line(self) {
            not_recovered.push("the policy is not as it was".to_owned());
        }
        not_recovered
    }

    /// Wakes that somebody waits for, an agent or who asked: a forecast that was never sent may expire in its own time.
    fn left(&self) -> usize {
        let asked: BTreeSet<String> = self.recorder().look(|events| {
            let asked = events.iter().filter(|event| event.f == Function::ManualWake);
            asked.filter_map(|event| event.k.wake.clone()).collect()
        });
        let is_waited_for = |wake: &WakeView| {
            wake.attempt > 0 || wake.reason() != Reason::Forecast || asked.contains(&wake.wake_id)
        };
        let all = &self.stage.watch.seen.all;
        all.iter().filter(|wake| wake.end.is_empty() && is_waited_for(wake)).count()
    }
}
