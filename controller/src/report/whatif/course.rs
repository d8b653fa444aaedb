//! One policy on its way through the replay: its plans, its wakes, and what comes of them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reveille_proto::{HostId, WakeId};

use super::{
    card::{Card, Count},
    host::{Queued, STEP_S},
    replay::WhatIf,
    spend::Spend,
    story::{Story, instant},
    yard::Yard,
};
use crate::{
    model::{Rule, Scored},
    plan::{Candidate, HoldOut, Outlook, PlanInput, PlannedWake, Presence, SLOT_S, plan},
    policy::{Mode, Policy},
    wake::{Priority, Reason, State, Wake},
};

const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;

/// A policy that takes part.
#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    pub policy: Policy,
    /// Whether its wakes wait for the hosts. Without, each starts when it is due, wherever its instance lives.
    pub throttled: bool,
}

/// A sleeping instance that some policy may wake.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worthy {
    pub(super) index: usize,
    pub(super) scored: Scored,
    /// What the score is at most at a first look.
    pub(super) bound: f32,
}

/// How a sleeping instance stands with the policy. Whoever comes uses up what there is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Standing {
    Asleep,
    /// Its wake waits for a permit.
    Queued {
        covered_until_s: i64,
    },
    /// Its wake waited too long. Plans leave it alone all the same, as long as if it had served in time.
    Expired {
        covered_until_s: i64,
    },
    /// Woken; when its user will come, if one does within the window, and whether it serves by then.
    Woken {
        covered_until_s: i64,
        user: Option<(i64, bool)>,
    },
}

#[derive(Debug)]
pub(super) struct Course<'a> {
    input: WhatIf<'a>,
    contender: &'a Contender,
    spend: Spend,
    threshold: f32,
    standings: Vec<Standing>,
    due_per_hour: BTreeMap<i64, u32>,
    yard: Option<Yard<'a>>,
    /// Where instances live whose host nobody knows, for a policy that waits for no host.
    anywhere: Option<HostId>,
    /// Nobody: who is held out tells what Reveille is good for, not what a policy does.
    hold_out: HoldOut,
    rule: Rule,
    /// Wakes so far.
    serial: u64,
    count: Count,
}

impl<'a> Course<'a> {
    pub(super) fn new(input: WhatIf<'a>, contender: &'a Contender) -> Self {
        let yard = || Yard::new(input.hosts, &contender.policy, input.throttle, input.counted_from_s());
        Self {
            input,
            contender,
            spend: Spend::new(input.scorer.fitted(), contender.policy.idle_budget_h),
            threshold: f32::INFINITY,
            standings: vec![Standing::Asleep; input.stories.len()],
            due_per_hour: BTreeMap::new(),
            yard: contender.throttled.then(yard),
            anywhere: if contender.throttled { None } else { HostId::new("anywhere").ok() },
            hold_out: HoldOut::default(),
            rule: Rule::default(),
            serial: 0,
            count: Count::default(),
        }
    }

    pub(super) fn begin_day(&mut self, today: i32) {
        self.threshold = self.spend.begin_day(today);
        let hour = i64::from(today) * 24;
        self.due_per_hour.retain(|known, _| *known >= hour);
    }

    /// So many instances were forecast today.
    pub(super) fn end_day(&mut self, today: i32, instances: u64) {
        self.spend.forecast(today, instances);
        if today >= self.input.from_day {
            self.count.instance_days += instances;
        }
    }

    /// Scores below are not looked at: nobody is woken for them.
    pub(super) fn threshold(&self) -> f32 {
        if self.contender.policy.mode == Mode::Act { self.threshold } else { f32::INFINITY }
    }

    /// Plans the quarter hour from `now_s` on. `worthy` are in order of instance.
    pub(super) fn plan(&mut self, now_s: i64, worthy: &[Worthy]) {
        if self.contender.policy.mode != Mode::Act || worthy.is_empty() {
            return;
        }
        let made = plan(PlanInput {
            now: instant(now_s),
            horizon: SignedDuration::from_secs(SLOT_S),
            rule: &self.rule,
            threshold: self.threshold,
            policy: &self.contender.policy,
            model_version: 0,
            hold: SignedDuration::from_secs(self.input.window_s),
            already_due_per_hour: &self.due_per_hour,
            starts_at_once: &BTreeMap::new(),
            hold_out: &self.hold_out,
            candidates: worthy.iter().map(|worthy| self.candidate(worthy, now_s)),
        });
        for planned in made.wakes {
            let stories = self.input.stories;
            let Ok(index) = stories.binary_search_by(|story| story.instance.cmp(&planned.instance)) else {
                continue;
            };
            let story = &stories[index];
            if self.input.days.is_quiet(&story.cohort, &story.zone, planned.hour_at.max(instant(now_s))) {
                continue;
            }
            *self.due_per_hour.entry(planned.due_at.as_second().div_euclid(HOUR_S)).or_default() += 1;
            self.carry_out(index, &planned, now_s);
        }
    }

    fn candidate<'c>(&'c self, worthy: &Worthy, now_s: i64) -> Candidate<'c> {
        let story = &self.input.stories[worthy.index];
        let presence = match self.standings[worthy.index] {
            Standing::Queued { covered_until_s: until_s }
            | Standing::Expired { covered_until_s: until_s }
            | Standing::Woken { covered_until_s: until_s, .. }
                if now_s < until_s =>
            {
                Presence::Covered { until: instant(until_s) }
            }
            _ => Presence::Asleep,
        };
        let lives = story.host.and_then(|host| self.input.hosts.get(host)).map(|spec| &spec.host);
        let is_unlikely = worthy.bound < self.threshold();
        Candidate {
            instance: &story.instance,
            cohort: &story.cohort,
            host: lives.or(self.anywhere.as_ref()),
            zone: &story.zone,
            outlook: if is_unlikely { Outlook::Unlikely } else { Outlook::Scored(Ok(worthy.scored)) },
            presence,
            lead_time: SignedDuration::from_secs(story.lead_time_s),
            opted_out: false,
        }
    }

    /// A planned wake goes into the queue of its host, or starts where there is no queue.
    fn carry_out(&mut self, index: usize, planned: &PlannedWake, now_s: i64) {
        let due_s = planned.due_at.as_second();
        // Written as digits, a number always is an id.
        let Ok(id) = format!("{:032x}", self.serial).parse() else { return };
        self.serial += 1;
        let story = &self.input.stories[index];
        let Some(yard) = &mut self.yard else { return self.start(index, id, due_s, due_s.max(now_s)) };
        let wake = queued(id, planned, now_s);
        if yard.enqueue(story, Queued { index, wake, lead_time_s: story.lead_time_s }) {
            let covered_until_s = due_s.max(now_s) + self.input.window_s;
            self.standings[index] = Standing::Queued { covered_until_s };
        }
    }

    fn start(&mut self, index: usize, id: WakeId, due_s: i64, now_s: i64) {
        let story = &self.input.stories[index];
        let fate = story.fate(id, due_s, now_s, self.input.window_s);
        let serves_s = now_s + story.lead_time_s;
        // Until its window closes, so that a wake that follows is planned without a gap on this grid of quarter hours;
        // production looks more often, and covers for the lead time more.
        let covered_until_s = now_s + self.input.window_s;
        self.standings[index] = Standing::Woken { covered_until_s, user: fate.user };
        self.spend.woke(serves_s.div_euclid(DAY_S) as i32, fate.idle_s);
        if !self.input.counts(due_s) {
            return;
        }
        self.count.wakes += 1;
        self.count.wakes_false += u64::from(fate.user.is_none());
        self.count.idle_s += fate.idle_s;
        if now_s > due_s {
            self.count.delays_s.push(now_s - due_s);
        }
    }

    /// Lets the time from `from_s` to `until_s` pass. `arrivals` are those in it, by time, with their instances.
    pub(super) fn advance(&mut self, from_s: i64, until_s: i64, arrivals: &[(i64, usize)]) {
        let mut arrivals = arrivals.iter().copied().peekable();
        let mut now_s = from_s;
        while self.yard.is_some() && now_s < until_s {
            while let Some((at_s, index)) = arrivals.next_if(|(at_s, _)| *at_s <= now_s) {
                self.arrive(index, at_s);
            }
            let Some(yard) = &mut self.yard else { break };
            if yard.is_idle() {
                let next_s = arrivals.peek().map_or(until_s, |(at_s, _)| Yard::step_at(from_s, *at_s));
                now_s = next_s.max(now_s + STEP_S);
                continue;
            }
            let round = yard.step(now_s);
            for index in round.expired {
                self.expire(index, now_s);
            }
            for queued in round.started {
                self.start(queued.index, queued.wake.id, queued.wake.due_at.as_second(), now_s);
            }
            now_s += STEP_S;
        }
        for (at_s, index) in arrivals {
            self.arrive(index, at_s);
        }
    }

    fn expire(&mut self, index: usize, now_s: i64) {
        if let Standing::Queued { covered_until_s } = self.standings[index] {
            self.standings[index] = Standing::Expired { covered_until_s };
        }
        self.count.wakes_expired += u64::from(self.input.counts(now_s));
    }

    /// Its user arrives, and uses up whatever wake there is.
    fn arrive(&mut self, index: usize, at_s: i64) {
        let story = &self.input.stories[index];
        let standing = std::mem::replace(&mut self.standings[index], Standing::Asleep);
        let counts = self.input.counts(at_s);
        let met = match standing {
            Standing::Woken { user: Some((user_s, serves)), .. } if user_s == at_s => Some(serves),
            _ => None,
        };
        if met.is_none() {
            self.ask(story, index, at_s, matches!(standing, Standing::Queued { .. }));
        }
        if counts {
            self.count.found_awake += u64::from(met == Some(true));
            self.count.asked += u64::from(met != Some(true));
            self.count.asked_while_starting += u64::from(met == Some(false));
        }
    }

    fn ask(&mut self, story: &Story, index: usize, at_s: i64, waits: bool) {
        let Some(yard) = &mut self.yard else { return };
        if waits {
            yard.withdraw(story, index);
            self.count.wakes_overtaken += u64::from(self.input.counts(at_s));
        }
        yard.start_by_user(story, at_s);
    }

    pub(super) fn finish(self) -> Card {
        self.count.card(self.yard.map(|yard| yard.cards()).unwrap_or_default())
    }
}

/// The wake as it would stand in the queue.
fn queued(id: WakeId, planned: &PlannedWake, now_s: i64) -> Wake {
    Wake {
        id,
        instance: planned.instance.clone(),
        reason: Reason::Forecast,
        priority: Priority::Forecast,
        requested_by: "forecast".to_owned(),
        plan_id: None,
        probability: Some(planned.probability),
        created_at: instant(now_s),
        due_at: planned.due_at,
        serve_at: Some(planned.serve_at),
        expires_at: planned.expires_at,
        state: State::Queued { attempt: 1, failures: 0, not_before: planned.due_at },
        called_at: None,
        serving_at: None,
        detail: String::new(),
        last_host: None,
        last_attempt: 0,
        dispatched_at: None,
        moves: 0,
    }
}

#[cfg(test)]
mod tests;
