//! What a judge found.

use std::panic::Location;

use serde::Serialize;

use super::{
    l1_ends, l2_looked_at, l3_streams, l4_nothing_left, s1_slots, s2_fail_closed, s3_preflight,
    s4_one_effect, s5_one_end, s6_epochs, s7_lever, s8_schedule, s10_books, s12_kept, s13_addressed,
    s14_waiting, s15_attempts,
};
use crate::history::{Event, History};

/// One breach of an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The event that broke it.
    pub i: u64,
    pub text: String,
    /// Indices of the events that show it, in order.
    pub chain: Vec<u64>,
}

/// One invariant over one history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub id: &'static str,
    pub statement: &'static str,
    /// Where its judge is.
    #[serde(skip)]
    pub judge: &'static Location<'static>,
    /// How many things were judged; 0 proves nothing.
    pub checked: u64,
    pub violations: Vec<Violation>,
}

impl Checked {
    #[track_caller]
    pub fn new(id: &'static str, statement: &'static str) -> Self {
        Self { id, statement, judge: Location::caller(), checked: 0, violations: Vec::new() }
    }

    pub fn violated(&mut self, event: &Event, chain: impl IntoIterator<Item = u64>, text: String) {
        let chain = chain.into_iter().chain([event.i]).collect();
        self.violations.push(Violation { i: event.i, text, chain });
    }
}

/// The safety invariants of every played day, S1-S5 of the proving ground's design.
pub fn check_all(history: &History) -> Vec<Checked> {
    let events = &history.events;
    vec![
        s1_slots::check(events),
        s2_fail_closed::check(events),
        s3_preflight::check(events),
        s4_one_effect::check(events),
        s5_one_end::check(events),
    ]
}

/// Those, and what the link and a last look at the hosts tell: S6, S15 and L1-L4.
pub fn check_linked(history: &History) -> Vec<Checked> {
    let events = &history.events;
    let mut checked = check_all(history);
    checked.extend([
        s6_epochs::check(events),
        s15_attempts::check(events),
        l1_ends::check(events),
        l2_looked_at::check(events),
        l3_streams::check(events),
        l4_nothing_left::check(events),
    ]);
    checked
}

/// Those, S7, S13, and S14 for those who asked: what a run tells in which somebody looks at the gates now and then.
pub fn check_simulated(history: &History) -> Vec<Checked> {
    let mut checked = check_linked(history);
    let events = &history.events;
    checked.extend([s7_lever::check(events), s13_addressed::check(events), s14_waiting::check(events)]);
    checked
}

/// Those, and what the books of the end tell: S8, S10 and S12.
pub fn check_experiment(history: &History) -> Vec<Checked> {
    let events = &history.events;
    let mut checked = check_simulated(history);
    if events.iter().any(|event| event.v.get("books").is_some()) {
        checked.extend([s8_schedule::check(events), s10_books::check(events), s12_kept::check(events)]);
    }
    checked
}

/// Those of [`check_linked`], and what can only be judged where every ask, stop, death and last look is in the history: S7, S8, S10, S12 and S14.
pub fn check_course(history: &History) -> Vec<Checked> {
    let events = &history.events;
    let mut checked = check_linked(history);
    checked.extend([
        s7_lever::check(events),
        s8_schedule::check(events),
        s10_books::check(events),
        s12_kept::check(events),
        s14_waiting::check(events),
    ]);
    checked
}
