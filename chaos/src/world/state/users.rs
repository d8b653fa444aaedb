//! What users do in the world: come, ask for what is not up, wait, work, leave.

use jiff::{Timestamp, civil::Date};
use rand::{RngExt, rngs::StdRng};
use serde_json::json;

use super::World;
use crate::{
    experiment::catalogue::{data, endpoint::Endpoint},
    history::Function,
    world::{agenda::Due, instances::State, presence::Stay, users::Presence},
};

/// Between two things a user does, in seconds.
const ACT_EVERY_S: std::ops::Range<i64> = 120..420;
/// Who comes at other hours comes so much later, in seconds.
const OTHER_HOURS_S: i64 = 6 * 3600;
/// As long as a holiday lasts.
const HOLIDAY_S: i64 = 7 * 86_400;
/// A user who had to wait stays at least this long afterwards.
const STAY_AFTER_WAIT_S: i64 = 300;

impl World {
    pub(super) fn expect_arrival(&mut self, user: usize) {
        if let Some(stay) = self.users[user].next_stay(self.now_s) {
            self.agenda.put(stay.arrive_s, Due::Arrive(user));
        }
    }

    /// A share of the people changes its ways, as `rng` draws it.
    pub fn change_ways(&mut self, shift: &data::RegimeShift, rng: &mut StdRng) {
        let now_s = self.now_s;
        for user in 0..self.users.len() {
            if !rng.random_bool(shift.share.clamp(0.0, 1.0)) {
                continue;
            }
            let changed = |stay: Stay| match shift.what {
                data::Shift::HolidayWeek if stay.arrive_s < now_s + HOLIDAY_S => None,
                data::Shift::OtherHours => Some(Stay {
                    arrive_s: stay.arrive_s + OTHER_HOURS_S,
                    depart_s: stay.depart_s + OTHER_HOURS_S,
                }),
                _ => Some(stay),
            };
            self.users[user].change(now_s, changed);
            self.expect_arrival(user);
        }
    }

    /// And everybody is as before.
    pub fn change_back(&mut self) {
        for user in 0..self.users.len() {
            if self.users[user].change_back(self.now_s) {
                self.expect_arrival(user);
            }
        }
    }

    pub(super) fn arrive(&mut self, user: usize) {
        if self.users[user].next_stay(self.now_s).is_none_or(|stay| stay.arrive_s != self.now_s) {
            // Who has changed does not come now.
            let host = self.instances[user].host;
            self.faults.meets(data::RegimeShift::INFO.name, host, user);
            return;
        }
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
