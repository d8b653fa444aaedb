//! Carries out the steps of an experiment in an installation. In a simulation time passes only in steps that say so; in a local
//! world it passes anyway, and [`Harness::follow`] has what is due meanwhile happen.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::Path};

use serde_json::{Value, json};

use super::{
    Order,
    removed::{FaultEnd, RemovedBy},
    world,
};
use crate::{
    experiment::{
        catalogue::FaultKind,
        file::{Experiment, RunMode},
        plan,
    },
    metric::measure,
    sim::{
        Plan, Planned,
        plan::Ask,
        play::{Curtain, Play},
        stage::Means,
    },
};

/// Between two looks at a fault that is to be met.
const LOOK_EVERY_S: u32 = 5;

/// What an order is answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// As HTTP has it.
    pub status: u16,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Text(String),
    Json(Value),
}

impl Body {
    /// As a client that reads JSON where it is JSON has it.
    pub fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Json(value) => value.clone(),
        }
    }
}

/// When what was on, in seconds since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Spans {
    /// The first fault began.
    pub fault_from_s: f64,
    /// The last one was over.
    pub fault_to_s: f64,
    /// The world had had its time to recover.
    pub recovered_s: f64,
    pub end_s: f64,
}

/// An installation that experiments are run in.
pub struct Harness {
    play: Play,
    plan: Plan,
    experiment: Experiment,
    frozen: plan::Plan,
    /// Places in the play, by the id of the fault.
    places: BTreeMap<String, Vec<usize>>,
    asks: Vec<Ask>,
    fault_from_s: Option<u32>,
    fault_to_s: Option<u32>,
    recovered_s: Option<u32>,
    mode: RunMode,
    /// Who ended the faults that did not end in their own time, by id.
    removed: BTreeMap<String, RemovedBy>,
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness")
            .field("plan", &self.plan)
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl Harness {
    /// Starts the installation and plays until the first fault is due: what comes before is what the steady state is like.
    ///
    /// # Errors
    /// When the world cannot be simulated, or the installation cannot be set up.
    pub async fn set(
        experiment: &Experiment,
        frozen: &plan::Plan,
        dir: &Path,
        means: &Means,
    ) -> anyhow::Result<Self> {
        let lead_s = means.lead_s();
        let plan = world::of(experiment, frozen.seed).map_err(anyhow::Error::msg)?;
        let plan = Plan { played_s: plan.played_s + lead_s, ..plan };
        let mut play = Play::set(&plan, dir, means).await?;
        play.follow_model();
        let ours = experiment.reveille();
        let first = ours.faults.iter().map(|fault| fault.schedule.at).min();
        let begins_s = lead_s + world::begins_s(experiment).map_err(anyhow::Error::msg)?;
        // What the controller forecasts is its own affair. So that there is something to see in every quarter of an hour, as
        // many people as the file has wakes by forecast ask from the start on.
        let ends = ours.faults.iter().map(|fault| fault.schedule.ends()).max().unwrap_or_default();
        let length_s = begins_s + world::seconds(ends.plus(ours.recovery.deadline));
        let first_ask_s = lead_s + world::FIRST_ASK_S;
        let span = (first_ask_s, length_s.saturating_sub(first_ask_s));
        let asks = world::asks(experiment, &plan, ours.world.workload.predicted, span);
        for ask in &asks {
            play.expect_ask(ask.clone());
        }
        play.until(begins_s + world::seconds(first.unwrap_or_default())).await?;
        Ok(Self {
            play,
            plan,
            experiment: experiment.clone(),
            frozen: frozen.clone(),
            places: BTreeMap::new(),
            asks,
            fault_from_s: None,
            fault_to_s: None,
            recovered_s: None,
            mode: means.mode(),
            removed: BTreeMap::new(),
        })
    }

    /// Carries out one order.
    ///
    /// # Errors
    /// When the installation itself cannot be played on; an order that cannot be carried out is answered so.
    pub async fn obey(&mut self, order: &Order) -> anyhow::Result<Answer> {
        Ok(match order {
            Order::Workload => self.workload(),
            Order::Inject { fault } => self.inject(fault).await?,
            Order::Await { fault, hits } => self.hits(fault, *hits).await?,
            Order::Advance { seconds } => {
                let to_s = self.play.now_s().saturating_add(seconds.ceil() as u32);
                if to_s > self.plan.played_s {
                    let problem = format!("the horizon is {} s", self.plan.played_s);
                    return Ok(refused(409, &problem));
                }
                self.until(to_s).await?;
                done(json!({"now_s": self.play.now_s()}))
            }
            Order::Clear => {
                self.note_removed(RemovedBy::Request);
                for place in self.places.values().flatten().copied().collect::<Vec<_>>() {
                    self.play.end(place).await?;
                }
                self.note_end();
                done(json!({"active": []}))
            }
            Order::Residue => {
                if self.play.is_at_peace() {
                    done(json!({"left": []}))
                } else {
                    let left: Vec<&String> = self.places.keys().collect();
                    Answer { status: 409, body: Body::Json(json!({"left": left})) }
                }
            }
            Order::Probe { metric, window, as_text } => {
                self.recover().await?;
                let now_s = f64::from(self.play.now_s());
                let from_s = window.map_or(0.0, |window| (now_s - window.as_secs_f64()).max(0.0));
                // What happens in this second counts.
                let span = (from_s, now_s + 1.0);
                let value = self.play.recorder().look(|events| measure(metric, events, span));
                match value {
                    Some(value) if *as_text => Answer { status: 200, body: Body::Text(value.to_string()) },
                    None if *as_text => Answer { status: 200, body: Body::Text("unknown".to_owned()) },
                    value => done(json!({"metric": metric, "value": value})),
                }
            }
        })
    }

    fn workload(&mut self) -> Answer {
        let ours = self.experiment.reveille();
        let faults = ours.faults.iter().map(|fault| fault.schedule.ends()).max().unwrap_or_default();
        let from_s = self.play.now_s() + 1;
        let first = ours.faults.iter().map(|fault| fault.schedule.at).min().unwrap_or_default();
        let length = world::seconds(faults.plus(ours.recovery.deadline)) - world::seconds(first);
        let for_s = length.max(1);
        let asks = world::asks(&self.experiment, &self.plan, ours.world.workload.manual, (from_s, for_s));
        for ask in &asks {
            self.play.expect_ask(ask.clone());
        }
        self.asks.extend(asks);
        done(json!({"asks": self.asks.len()}))
    }

    async fn inject(&mut self, id: &str) -> anyhow::Result<Answer> {
        let Some(fault) = self.experiment.reveille().faults.iter().find(|fault| fault.id == id).cloned()
        else {
            return Ok(refused(404, &format!("the experiment has no fault `{id}`")));
        };
        if self.places.contains_key(id) {
            return Ok(refused(409, &format!("`{id}` was injected already")));
        }
        let now_s = self.play.now_s();
        // A file says when each is due; the first of them is now.
        let all = &self.experiment.reveille().faults;
        let first = all.iter().map(|fault| fault.schedule.at).min().unwrap_or_default();
        let after_s = world::seconds(fault.schedule.at) - world::seconds(first);
        let from_s = now_s.max(self.fault_from_s.unwrap_or(now_s) + after_s);
        let turns = world::turns(&fault, &self.frozen, from_s)?;
        let is_playable = |turn: &Planned| match self.mode {
            RunMode::Sim => turn.is_playable(),
            mode => turn.is_playable_by(mode),
        };
        if let Some(turn) = turns.iter().find(|turn| !is_playable(turn)) {
            let problem = format!("{} cannot be played in mode {} yet", turn.kind(), self.mode.name());
            return Ok(refused(501, &problem));
        }
        let ends_s = turns.iter().map(Planned::until_s).max().unwrap_or(now_s);
        let places = turns.into_iter().map(|turn| self.play.expect(turn)).collect();
        self.places.insert(id.to_owned(), places);
        self.fault_from_s.get_or_insert(from_s);
        self.fault_to_s = self.fault_to_s.max(Some(ends_s));
        // It may begin in this second.
        self.play.until(now_s).await?;
        Ok(done(json!({"ref": id, "from_s": from_s, "until_s": ends_s})))
    }

    async fn hits(&mut self, id: &str, wanted: u64) -> anyhow::Result<Answer> {
        let Some(places) = self.places.get(id).cloned() else {
            return Ok(refused(404, &format!("`{id}` was not injected")));
        };
        let fault = self.experiment.reveille().faults.iter().find(|fault| fault.id == id);
        let within = fault.and_then(|fault| fault.proof.within.or(Some(fault.schedule.r#for)));
        let begins_s = places.first().map_or(0, |place| self.play.begins_s(*place));
        let last_s = self.play.now_s().max(begins_s) + within.map_or(0, world::seconds);
        let last_s = last_s.min(self.plan.played_s);
        loop {
            let hits: u64 = places.iter().map(|place| self.play.hits(*place)).sum();
            let now_s = self.play.now_s();
            if hits >= wanted || now_s >= last_s {
                let status = if hits >= wanted { 200 } else { 504 };
                return Ok(Answer { status, body: Body::Json(json!({"ref": id, "hits": hits})) });
            }
            self.until((now_s + LOOK_EVERY_S).min(last_s)).await?;
        }
    }

    async fn until(&mut self, to_s: u32) -> anyhow::Result<()> {
        self.play.until(to_s).await?;
        self.note_end();
        Ok(())
    }

    /// Faults that ended by themselves ended when they were due, others now.
    fn note_end(&mut self) {
        if self.play.is_at_peace() {
            let now_s = self.play.now_s();
            self.fault_to_s = self.fault_to_s.map(|to_s| to_s.min(now_s));
        }
    }

    /// When the faults are over, the steady state is looked at after the time that recovering may take, and not before.
    async fn recover(&mut self) -> anyhow::Result<()> {
        let Some(fault_to_s) = self.fault_to_s.filter(|_| self.play.is_at_peace()) else { return Ok(()) };
        if self.recovered_s.is_none() {
            let deadline_s = world::seconds(self.experiment.reveille().recovery.deadline);
            let to_s = fault_to_s.saturating_add(deadline_s).max(self.play.now_s());
            self.until(to_s).await?;
            self.recovered_s = Some(self.play.now_s());
        }
        Ok(())
    }

    /// Hits of each fault that was injected, by its id.
    pub fn proofs(&self) -> BTreeMap<String, u64> {
        let hits = |places: &Vec<usize>| places.iter().map(|place| self.play.hits(*place)).sum();
        self.places.iter().map(|(id, places)| (id.clone(), hits(places))).collect()
    }

    /// The same installation and the same people, without a fault: what the run is compared with.
    pub(super) fn control_plan(&self) -> Plan {
        // In the same night, with the same people told, with the whole log.
        let is_kept = |what: &&FaultKind| {
            let of_told = matches!(what, FaultKind::ControllerSlowSink(_) | FaultKind::OperatorBlind(_));
            of_told || matches!(what, FaultKind::ClockDst(_))
        };
        let foreseen = self.plan.foreseen.iter().filter(is_kept).cloned().collect();
        Plan { asks: self.asks.clone(), played_s: self.play.now_s(), foreseen, ..self.plan.clone() }
    }

    /// What has become due while nobody gave an order happens.
    ///
    /// # Errors
    /// When the installation cannot be played on.
    pub(super) async fn follow(&mut self) -> anyhow::Result<()> {
        let now_s = self.play.now_s();
        self.until(now_s).await
    }

    /// Addresses that are listened on for as long as the installation is there; none in a simulation.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.play.addresses()
    }

    /// Whoever is not over now was ended so.
    pub(super) fn note_removed(&mut self, by: RemovedBy) {
        for (id, places) in &self.places {
            let is_over = |place: &usize| self.play.proof(*place).is_some_and(|proof| !proof.on);
            if !places.iter().all(is_over) {
                self.removed.entry(id.clone()).or_insert(by);
            }
        }
    }

    /// What became of every fault that was injected.
    pub(super) fn ends(&self) -> Vec<FaultEnd> {
        let end = |(id, places): (&String, &Vec<usize>)| {
            let proofs: Vec<_> = places.iter().filter_map(|place| self.play.proof(*place)).collect();
            let fault = self.experiment.reveille().faults.iter().find(|fault| fault.id == *id);
            FaultEnd {
                id: id.clone(),
                kind: fault.map(|fault| fault.kind.clone()).unwrap_or_default(),
                hits: places.iter().map(|place| self.play.hits(*place)).sum(),
                from_s: proofs.iter().map(|proof| proof.from_s).min(),
                removed_by: self.removed.get(id).copied().unwrap_or(RemovedBy::Due),
            }
        };
        self.places.iter().map(end).collect()
    }

    /// Ends every fault and takes the installation down at once; what became of the faults.
    pub(super) async fn abandoned(mut self) -> anyhow::Result<Vec<FaultEnd>> {
        self.play.told().await;
        self.note_removed(RemovedBy::Lease);
        let ends = self.ends();
        Box::pin(self.play.abandoned()).await?;
        Ok(ends)
    }

    /// Ends everything and takes the installation down; when what was on, and what did not recover.
    pub(super) async fn over(mut self) -> anyhow::Result<(Curtain, Spans)> {
        if self.fault_to_s.is_some() {
            self.recover().await?;
        }
        let now_s = self.play.now_s();
        let from_s = self.fault_from_s.unwrap_or(now_s);
        let to_s = self.fault_to_s.unwrap_or(now_s);
        let spans = Spans {
            fault_from_s: from_s.into(),
            fault_to_s: to_s.into(),
            recovered_s: self.recovered_s.unwrap_or(to_s).into(),
            end_s: now_s.into(),
        };
        Ok((Box::pin(self.play.over()).await?, spans))
    }
}

fn done(body: Value) -> Answer {
    Answer { status: 200, body: Body::Json(body) }
}

fn refused(status: u16, problem: &str) -> Answer {
    Answer { status, body: Body::Json(json!({"error": problem})) }
}
