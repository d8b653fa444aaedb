//! The world in whole seconds: who is where, what boots, what every host's CPU does.

mod boots;
mod noise;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, rngs::StdRng};
use reveille_proto::InstanceId;
use serde_json::json;

use super::{
    agenda::{Agenda, Due},
    background::Background,
    boot::Boot,
    chance::stream,
    hosts::Host,
    instances::{CallEffect, Instance, State},
    lines::Lines,
    presence::{self, PresenceError, Stay},
    spec::{WorldSpec, host_id, instance_id},
    token::Token,
    users::{User, UserRecord},
};
use crate::{
    experiment::catalogue::endpoint::Endpoint,
    fault::{Edge, Faults},
    history::{Entry, Function, Key, Kind, Recorder},
};

const NOISE_EVERY_S: std::ops::Range<i64> = 120..900;

/// A look at the whole world.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Glance {
    pub asleep: usize,
    pub booting: usize,
    pub serving: usize,
    /// Per host: CPU now, 0-100.
    pub cpu_percent: Vec<f64>,
}

#[derive(Debug)]
pub struct World {
    spec: WorldSpec,
    now_s: i64,
    /// Every second of every host counts; before, idle time is skipped.
    live: bool,
    hosts: Vec<Host>,
    /// Hosts that are not there.
    lost: BTreeSet<usize>,
    /// Boots that are held back, by instance.
    held_boots: BTreeMap<usize, Boot>,
    instances: Vec<Instance>,
    by_id: BTreeMap<InstanceId, usize>,
    users: Vec<User>,
    agenda: Agenda,
    pub lines: Lines,
    pub faults: Faults,
    /// What the portal wants to see of whoever calls.
    pub token: Token,
    record: UserRecord,
    recorder: Option<Recorder>,
    rng: StdRng,
}

impl World {
    /// A world that starts where its back-filled history does, everything asleep.
    pub fn new(spec: WorldSpec) -> Result<Self, PresenceError> {
        let now_s = spec.history_starts_at()?.as_second();
        let background = |h| Background::new(spec.background.clone(), stream(spec.seed, 100 + h as u64));
        let hosts: Vec<Host> =
            (0..spec.hosts).map(|h| Host::new(host_id(h), spec.cores, background(h))).collect();
        let asleep = |i| Instance::asleep(instance_id(i), spec.host_of(i));
        let instances: Vec<Instance> = (0..spec.instances).map(asleep).collect();
        let by_id = instances.iter().enumerate().map(|(i, instance)| (instance.id.clone(), i)).collect();
        let users: Vec<User> = stays(&spec)?.into_iter().map(User::new).collect();
        let mut world = Self {
            lines: Lines::new(spec.zone.clone(), stream(spec.seed, 1)),
            rng: stream(spec.seed, 2),
            now_s,
            live: false,
            hosts,
            lost: BTreeSet::new(),
            held_boots: BTreeMap::new(),
            instances,
            by_id,
            users,
            agenda: Agenda::default(),
            faults: Faults::default(),
            token: Token::default(),
            record: UserRecord::default(),
            recorder: None,
            spec,
        };
        (0..world.users.len()).for_each(|user| world.expect_arrival(user));
        world.agenda.put(now_s, Due::Noise);
        Ok(world)
    }

    /// From here on every second counts, and what happens is recorded.
    pub fn go_live(&mut self, recorder: Option<Recorder>) {
        self.live = true;
        self.recorder = recorder;
        self.record = UserRecord::default();
        self.hosts.iter_mut().for_each(Host::forget_record);
    }

    /// Plays until `to_s` (seconds since 1970).
    pub fn advance(&mut self, to_s: i64) {
        while self.now_s < to_s {
            let busy = self.live || self.hosts.iter().any(|host| host.boots_now() > 0);
            let next_s = self.agenda.next_s().unwrap_or(to_s).clamp(self.now_s + 1, to_s);
            self.now_s = if busy { self.now_s + 1 } else { next_s };
            self.follow_faults();
            while let Some(due) = self.agenda.pop_due(self.now_s) {
                self.happen(due);
            }
            if busy {
                self.step_hosts();
            }
        }
    }

    pub fn now_s(&self) -> i64 {
        self.now_s
    }

    pub fn spec(&self) -> &WorldSpec {
        &self.spec
    }

    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    pub fn user_record(&self) -> &UserRecord {
        &self.record
    }

    pub fn index_of(&self, instance: &str) -> Option<usize> {
        self.by_id.get(&InstanceId::new(instance).ok()?).copied()
    }

    pub fn instance(&self, index: usize) -> &Instance {
        &self.instances[index]
    }

    /// Somebody calls a wake endpoint of an instance.
    pub fn call(&mut self, through: Endpoint, index: usize) -> CallEffect {
        let effect = self.instances[index].call(self.now_s);
        if effect == CallEffect::Boots {
            self.begin_boot(through, index);
        }
        effect
    }

    pub fn glance(&self) -> Glance {
        let count = |test: fn(&State) -> bool| self.instances.iter().filter(|i| test(&i.state)).count();
        Glance {
            asleep: count(|s| matches!(s, State::Asleep)),
            booting: count(|s| matches!(s, State::Booting { .. })),
            serving: count(|s| matches!(s, State::Serving { .. })),
            cpu_percent: self.hosts.iter().map(Host::cpu_percent).collect(),
        }
    }

    /// Adds to the history, if there is one.
    pub fn note(&self, entry: Entry) -> Option<u64> {
        self.recorder.as_ref().map(|recorder| recorder.record(entry))
    }

    /// Tells which faults have begun and ended by now.
    pub fn follow_faults(&mut self) {
        for (kind, edge) in self.faults.follow(self.now_s) {
            let function = if edge == Edge::On { Function::FaultOn } else { Function::FaultOff };
            self.note(Entry::new("world", Kind::Ok, function, Key::default()).value(json!({"kind": kind})));
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Arrive(user) => self.arrive(user),
            Due::Act(user) => self.act(user),
            Due::Sleep(instance) => self.maybe_sleep(instance),
            Due::GiveUp(instance) => self.give_up(instance),
            Due::Boot(instance) => self.begin_held_boot(instance),
            Due::Noise => {
                let instance = self.rng.random_range(0..self.instances.len().max(1));
                if let Some(instance) = self.instances.get(instance) {
                    self.lines.noise(self.now_s, instance.id.as_str());
                }
                let next_s = self.now_s + self.rng.random_range(NOISE_EVERY_S);
                self.agenda.put(next_s, Due::Noise);
            }
        }
    }

    fn step_hosts(&mut self) {
        let mut booted = Vec::new();
        for (index, host) in self.hosts.iter_mut().enumerate() {
            let noise_share = noise::noise_share(&mut self.faults, index, self.now_s);
            booted.append(&mut host.step(noise_share, self.spec.cpu_ceiling_percent));
        }
        for instance in booted {
            self.instances[instance].booted(self.now_s);
            self.serve_waiting(instance);
            self.expect_sleep(instance);
        }
    }

    fn expect_sleep(&mut self, instance: usize) {
        if let Some(at_s) = self.instances[instance].sleeps_at_s(self.spec.sleep) {
            self.agenda.put(at_s.max(self.now_s + 1), Due::Sleep(instance));
        }
    }

    fn maybe_sleep(&mut self, instance: usize) {
        let due = self.instances[instance].sleeps_at_s(self.spec.sleep);
        if due.is_some_and(|at_s| at_s <= self.now_s) {
            if let State::Serving { since_s, used_s: None } = self.instances[instance].state {
                self.record.idle_before_use_s += self.now_s - since_s;
            }
            self.instances[instance].sleep();
        } else {
            self.expect_sleep(instance);
        }
    }

    fn note_instance(&self, function: Function, index: usize, value: serde_json::Value) {
        if self.recorder.is_none() {
            return;
        }
        let instance = &self.instances[index];
        let key = Key {
            instance: Some(instance.id.to_string()),
            host: Some(self.hosts[instance.host].id.to_string()),
            window: Some(instance.window()),
            ..Key::default()
        };
        self.note(Entry::new("world", Kind::Ok, function, key).value(value));
    }
}

/// The stays of every user. Past the end of the sample its people come again, each shifted by a few minutes.
fn stays(spec: &WorldSpec) -> Result<Vec<Vec<Stay>>, PresenceError> {
    let people = presence::sample()?;
    let mut rng = stream(spec.seed, 3);
    let monday = spec.presence_monday()?;
    let mut stays = Vec::with_capacity(spec.instances);
    for user in 0..spec.instances {
        let shift_s: i64 = if user < people.len() { 0 } else { rng.random_range(-5400..5400) };
        let events: Vec<i64> = people[user % people.len()].iter().map(|s| s + shift_s).collect();
        stays.push(presence::stays(&events, monday, &spec.zone)?);
    }
    Ok(stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(instances: usize) -> World {
        World::new(WorldSpec { instances, ..WorldSpec::default() }).expect("the sample is readable")
    }

    fn live(instances: usize) -> World {
        let mut world = world(instances);
        let start_s = world.spec().starts_at().expect("in range").as_second();
        world.advance(start_s);
        world.lines.take();
        world.go_live(None);
        world
    }

    #[test]
    fn history_is_full_of_visits_and_wake_requests() {
        let mut world = world(10);
        world.advance(world.spec().starts_at().expect("in range").as_second());
        let text = world.lines.take();
        let asked = text.matches(crate::world::WAKE_REQUEST_PATH).count() as u64;
        let record = world.user_record();
        assert!(record.arrivals > 100, "{record:?}");
        assert_eq!(asked, record.asked());
        assert_eq!(record.found_awake + record.asked(), record.arrivals);
        assert!(text.lines().count() > 1_000 && record.waited_s > 0);
    }

    #[test]
    fn the_same_seed_writes_the_same_log() {
        let text = |seed| {
            let spec = WorldSpec { seed, instances: 5, ..WorldSpec::default() };
            let mut world = World::new(spec).expect("the sample is readable");
            world.advance(world.now_s() + 5 * 86_400);
            world.lines.take()
        };
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn an_unused_wake_boots_serves_three_hours_and_sleeps() {
        let mut world = live(3);
        // Midnight: nobody of the three is about to come in this seed's first hours.
        let before = world.glance();
        assert_eq!(before.booting, 0);
        let asleep = (0..3).find(|i| world.instance(*i).state == State::Asleep).expect("somebody sleeps");
        assert_eq!(world.call(Endpoint::PortalApi, asleep), CallEffect::Boots);
        assert_eq!(world.call(Endpoint::PortalApi, asleep), CallEffect::AlreadyBooting);
        let start_s = world.now_s();
        while !world.instance(asleep).serving() {
            world.advance(world.now_s() + 1);
        }
        let boot_s = world.now_s() - start_s;
        assert!((150..900).contains(&boot_s), "{boot_s}");
        let serving_s = world.now_s();
        while world.instance(asleep).serving() && world.user_record().arrivals == 0 {
            world.advance(world.now_s() + 1);
        }
        assert_eq!(world.now_s() - serving_s, 3 * 3600);
        assert_eq!(world.user_record().idle_before_use_s, 3 * 3600);
    }

    #[test]
    fn live_hosts_are_measured_every_second() {
        let mut world = live(5);
        world.advance(world.now_s() + 1_000);
        for host in world.hosts() {
            assert_eq!(host.record().seconds, 1_000);
            assert!(host.record().cpu_mean_percent > 5.0);
        }
    }
}
