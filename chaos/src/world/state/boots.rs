//! Boots that begin, and what may come between: they are withheld, held back, slower or costlier, or their host is gone.

use serde_json::json;

use super::World;
use crate::{
    experiment::catalogue::{
        FaultKind,
        endpoint::{self, Endpoint},
        host,
    },
    history::Function,
    world::{agenda::Due, boot::Boot, instances::State, users::Presence},
};

/// A platform takes an instance that does not come up for asleep again after this long.
const BOOT_GIVEN_UP_S: i64 = 1_500;
/// What the controller gives a wake by default, from the command until the instance must serve.
const DEADLINE_S: i64 = 900;

impl World {
    /// The instance was asleep, and was called.
    pub(super) fn begin_boot(&mut self, through: Endpoint, index: usize) {
        let host = self.instances[index].host;
        let never_up = endpoint::NeverUp::INFO.name;
        if self.lost.contains(&host) {
            // The platform has said yes, and nobody is there to do it.
            return self.agenda.put(self.now_s + BOOT_GIVEN_UP_S, Due::GiveUp(index));
        }
        if self.faults.meets(never_up, host, index).is_some() {
            self.note_instance(Function::FaultHit, index, json!({"kind": never_up}));
            return self.agenda.put(self.now_s + BOOT_GIVEN_UP_S, Due::GiveUp(index));
        }
        let slowdown = self.slowdown(through, index);
        let cost = self.cost(index);
        let boot = Boot::draw(&self.spec.boot, slowdown, &mut self.rng).costing(cost);
        let late_up = endpoint::LateUp::INFO.name;
        let met = self.faults.meets(late_up, host, index);
        if let Some(FaultKind::EndpointLateUp(fault)) = met {
            let serves_s = self.now_s + DEADLINE_S + (fault.after_deadline.as_ms() / 1_000) as i64;
            self.note_instance(Function::FaultHit, index, json!({"kind": late_up}));
            let begins_s = (serves_s - boot.wall_min_s() as i64).max(self.now_s + 1);
            self.held_boots.insert(index, boot);
            return self.agenda.put(begins_s, Due::Boot(index));
        }
        self.hosts[host].begin_boot(index, boot);
    }

    pub(super) fn begin_held_boot(&mut self, index: usize) {
        let Some(boot) = self.held_boots.remove(&index) else { return };
        self.hosts[self.instances[index].host].begin_boot(index, boot);
    }

    /// How much longer the boot of an instance that begins now takes.
    fn slowdown(&mut self, through: Endpoint, index: usize) -> f64 {
        let host = self.instances[index].host;
        let mut slowdown = 1.0;
        let kind = endpoint::SlowWake::INFO.name;
        let met = self.faults.meets_call(kind, through, host, index);
        if let Some(FaultKind::EndpointSlowWake(fault)) = met {
            slowdown *= fault.factor;
            self.note_instance(Function::FaultHit, index, json!({"kind": kind}));
        }
        let kind = host::MemIo::INFO.name;
        if let Some(FaultKind::HostMemIo(fault)) = self.faults.meets(kind, host, index) {
            slowdown *= fault.boot_factor;
            self.note_instance(Function::FaultHit, index, json!({"kind": kind}));
        }
        slowdown
    }

    /// How many times the CPU it costs.
    fn cost(&mut self, index: usize) -> f64 {
        let kind = host::BootCost::INFO.name;
        let met = self.faults.meets(kind, self.instances[index].host, index);
        let Some(FaultKind::HostBootCost(fault)) = met else { return 1.0 };
        let factor = fault.factor;
        self.note_instance(Function::FaultHit, index, json!({"kind": kind}));
        factor
    }

    /// A boot that came to nothing; whoever waits for it asks again.
    pub(super) fn give_up(&mut self, instance: usize) {
        // It may have fallen asleep and been called again meanwhile.
        let is_its_time = |since_s: i64| self.now_s - since_s >= BOOT_GIVEN_UP_S;
        if matches!(self.instances[instance].state, State::Booting { since_s } if is_its_time(since_s)) {
            self.instances[instance].sleep();
            self.ask_again(instance);
        }
    }

    /// The host is gone. With `and_all`, whatever ran or booted on it is asleep, and whoever used it has to come again.
    pub fn lose_host(&mut self, host: usize, and_all: bool) {
        self.lost.insert(host);
        if !and_all {
            return;
        }
        self.hosts[host].lose_boots();
        for index in 0..self.instances.len() {
            if self.instances[index].host != host {
                continue;
            }
            self.held_boots.remove(&index);
            if self.instances[index].state != State::Asleep {
                self.instances[index].sleep();
            }
            if self.users[index].presence != Presence::Away {
                self.users[index].presence = Presence::Away;
                self.expect_arrival(index);
            }
        }
    }

    /// It is there again.
    pub fn return_host(&mut self, host: usize) {
        self.lost.remove(&host);
    }

    /// Whether nothing on this host answers.
    pub fn is_lost(&self, host: usize) -> bool {
        self.lost.contains(&host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        experiment::catalogue::FaultKind,
        fault::{Bite, Span},
        world::{CallEffect, WorldSpec, stream},
    };

    fn live() -> World {
        let spec = WorldSpec { instances: 6, ..WorldSpec::default() };
        let mut world = World::new(spec).expect("the sample is readable");
        let start_s = world.spec().starts_at().expect("in range").as_second();
        world.advance(start_s);
        world.go_live(None);
        world
    }

    fn put(world: &mut World, kind: &str) {
        let what = FaultKind::read(kind, &serde_json::Map::new()).expect("a kind");
        world.faults.put(0, Bite::new(Span::new(0, i64::MAX), what, stream(1, 77)));
        world.follow_faults();
    }

    /// Seconds from a call of somebody asleep until it serves.
    fn boots_in(world: &mut World) -> i64 {
        let asleep = (0..6).find(|i| world.instance(*i).state == State::Asleep).expect("somebody sleeps");
        let from_s = world.now_s();
        assert_eq!(world.call(Endpoint::PortalApi, asleep), CallEffect::Boots);
        while !world.instance(asleep).serving() {
            world.advance(world.now_s() + 1);
        }
        world.now_s() - from_s
    }

    #[test]
    fn one_that_is_held_back_serves_after_the_deadline() {
        let mut world = live();
        put(&mut world, "endpoint.late_up");
        let boots_s = boots_in(&mut world);
        // Five minutes after the quarter of an hour it may take, to the second in which it was called.
        assert!((1_199..1_300).contains(&boots_s), "{boots_s}");
        assert_eq!(world.faults.proofs()[0].hits, 1);
    }

    #[test]
    fn one_on_a_host_short_of_memory_takes_long_and_one_that_costs_more_does_not() {
        let usual_s = boots_in(&mut live());
        let mut short = live();
        put(&mut short, "host.mem_io");
        assert!(boots_in(&mut short) > 4 * usual_s);
        let mut costly = live();
        put(&mut costly, "host.boot_cost");
        assert!(boots_in(&mut costly) < 2 * usual_s);
        assert_eq!((short.faults.proofs()[0].hits, costly.faults.proofs()[0].hits), (1, 1));
    }

    #[test]
    fn a_host_that_is_lost_takes_all_with_it_and_boots_again_when_it_is_back() {
        let mut world = live();
        let (on, other) = (0, 1);
        for index in [on, other] {
            world.call(Endpoint::PortalApi, index);
        }
        world.lose_host(world.instance(on).host, true);
        assert_eq!(world.instance(on).state, State::Asleep);
        assert!(matches!(world.instance(other).state, State::Booting { .. } | State::Serving { .. }));
        world.call(Endpoint::PortalApi, on);
        world.advance(world.now_s() + 1_000);
        assert!(!world.instance(on).serving(), "nobody is there");
        world.return_host(world.instance(on).host);
        world.advance(world.now_s() + 501);
        assert!(boots_in(&mut world) < 1_000);
    }
}
