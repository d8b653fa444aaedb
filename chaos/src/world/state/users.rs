//! What users do in the world: come, ask for what is not up, wait, work, leave.

use crate::experiment::catalogue::endpoint::Endpoint;
use jiff::{Timestamp, civil::Date};
use rand::RngExt;
use serde_json::json;

use super::World;
use crate::{
    history::Function,
    world::{agenda::Due, instances::State, users::Presence},
};

/// Between two things a user does, in seconds.
const ACT_EVERY_S: std::ops::Range<i64> = 120..420;
/// A user who had to wait stays at least this long afterwards.
const STAY_AFTER_WAIT_S: i64 = 300;

impl World {
    pub(super) fn expect_arrival(&mut self, user: usize) {
        if let Some(stay) = self.users[user].next_stay(self.now_s) {
            self.agenda.put(stay.arrive_s, Due::Arrive(user));
        }
    }

    pub(super) fn arrive(&mut self, user: usize) {
        let Some(stay) = self.users[user].arrive() else { return };
        if self.users[user].presence != Presence::Away {
            // Still there after a long wait: the stays have grown together.
            if let Presence::Present { until_s } = &mut self.users[user].presence {
                *until_s = stay.depart_s.max(*until_s);
            }
            return self.expect_arrival(user);
        }
        let state = self.instances[user].state;
        self.record.arrived(self.today(), self.instances[user].serving());
        self.note_instance(Function::SessionSeen, user, json!({"found": found(state)}));
        match state {
            State::Serving { since_s, used_s } => {
                self.record.found_awake += 1;
                if used_s.is_none() {
                    self.record.idle_before_use_s += self.now_s - since_s;
                }
                self.users[user].presence = Presence::Present { until_s: stay.depart_s };
                self.act(user);
            }
            State::Booting { .. } => {
                self.record.found_booting += 1;
                self.ask(user);
            }
            State::Asleep => {
                self.record.found_asleep += 1;
                self.ask(user);
            }
        }
    }

    fn today(&self) -> Date {
        let now = Timestamp::from_second(self.now_s).unwrap_or(Timestamp::MAX);
        now.to_zoned(self.spec.zone.clone()).date()
    }

    /// A user meets an instance that is not up and asks for it, as people did before Reveille.
    fn ask(&mut self, user: usize) {
        self.lines.wake_request(self.now_s, user, self.instances[user].id.as_str());
        self.note_instance(Function::ManualWake, user, json!(null));
        self.users[user].presence = Presence::Waiting { since_s: self.now_s };
        self.call(Endpoint::PortalApi, user);
    }

    /// A user who still waits for an instance that fell asleep over it.
    pub(super) fn ask_again(&mut self, user: usize) {
        if matches!(self.users[user].presence, Presence::Waiting { .. }) {
            self.lines.wake_request(self.now_s, user, self.instances[user].id.as_str());
            self.note_instance(Function::ManualWake, user, json!(null));
            self.call(Endpoint::PortalApi, user);
        }
    }

    pub(super) fn act(&mut self, user: usize) {
        let Presence::Present { until_s } = self.users[user].presence else { return };
        if self.now_s >= until_s {
            self.users[user].presence = Presence::Away;
            return self.expect_arrival(user);
        }
        self.lines.visit(self.now_s, user, self.instances[user].id.as_str());
        self.instances[user].used(self.now_s);
        let next_s = self.now_s + self.rng.random_range(ACT_EVERY_S);
        self.agenda.put(next_s.min(until_s), Due::Act(user));
    }

    pub(super) fn serve_waiting(&mut self, user: usize) {
        let Presence::Waiting { since_s } = self.users[user].presence else { return };
        self.record.waited_s += self.now_s - since_s;
        let planned_s = self.users[user].current_departure_s();
        let until_s = planned_s.max(self.now_s + STAY_AFTER_WAIT_S);
        self.users[user].presence = Presence::Present { until_s };
        self.act(user);
    }
}

fn found(state: State) -> &'static str {
    match state {
        State::Asleep => "asleep",
        State::Booting { .. } => "booting",
        State::Serving { .. } => "awake",
    }
}
