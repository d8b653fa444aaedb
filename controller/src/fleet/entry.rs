//! What is kept of one host, and what the throttle makes of it.

use std::collections::BTreeSet;

use reveille_proto::v1;
use tokio::sync::mpsc;

use super::{Ask, Granted, LiveHost, LoadHour, starts::Starts, tally::Tally, unheard::Unheard};
use crate::{
    policy::Policy,
    throttle::{Admission, Closed, Outlook, Room, Running, StartCurve, ThrottleRule, admit},
};

/// One host of the registry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) live: LiveHost,
    pub(super) starts: Starts,
    /// Number of the session that owns the entry; an older session's end does not touch a newer one.
    pub(super) session: u64,
    pub(super) outbox: Option<mpsc::Sender<Box<v1::ControllerMessage>>>,
    pub(super) unheard: Unheard,
    pub(super) hour: LoadHour,
    /// Whether the permits were set right by the store since the session began.
    pub(super) is_reconciled: bool,
    /// Changes with everything a decision is made from.
    pub(super) generation: u64,
}

impl Entry {
    pub(super) fn tally(&self, tally: &mut Tally) {
        self.starts.running().values().for_each(|permitted| tally.add(&self.live.zone, permitted));
    }

    pub(super) fn untally(&self, tally: &mut Tally) {
        self.starts.running().values().for_each(|permitted| tally.take(&self.live.zone, permitted));
    }

    pub(super) fn cut_off(&mut self, connected: &mut usize) {
        *connected -= usize::from(self.live.connected);
        self.live.connected = false;
        self.live.load = None;
        self.outbox = None;
        self.unheard = Unheard::default();
    }

    /// Puts a message on its way; `false` when there is no session, or its agent does not keep up.
    pub(super) fn send(&self, message: v1::controller_message::Kind) -> bool {
        let message = v1::ControllerMessage { kind: Some(message) };
        self.outbox.as_ref().is_some_and(|outbox| outbox.try_send(Box::new(message)).is_ok())
    }

    pub(super) fn starts_at_once(&self, policy: &Policy, curves: &[StartCurve], rule: &ThrottleRule) -> u32 {
        let Some(load) = &self.live.load else { return 1 };
        let limits = self.live.limits(policy);
        let room = Room {
            cores: load.cores,
            cpu_ceiling_percent: limits.cpu_ceiling_percent,
            is_capped: load.group_cores.is_some(),
        };
        let classes: BTreeSet<usize> = self.starts.inventory().classes().collect();
        let is_known = |class: &usize| curves.get(*class).is_some_and(StartCurve::is_known);
        let known = classes.into_iter().filter(is_known);
        // By the class of which fewest fit; before any is known, by what a start is assumed to cost.
        let fit = known.map(|class| self.starts.pace().fit(class, &room, curves, limits.wakes_max)).min();
        let base = self.live.gate.limit(&limits, fit.is_some());
        let fit = fit.unwrap_or_else(|| {
            let left = room.ceiling_cores() - self.starts.pace().level();
            if room.is_capped { base } else { (left / rule.wake_cost_cores).max(0.0) as u32 }
        });
        base.min(limits.wakes_max.saturating_sub(limits.places_for_people)).min(fit).max(1)
    }

    pub(super) fn ask(
        &self,
        ask: &Ask<'_>,
        curves: &[StartCurve],
        rule: &ThrottleRule,
    ) -> Result<Granted, Closed> {
        if self.live.connected && !self.is_reconciled {
            return Err(Closed::PermitsUnknown);
        }
        if let Some(problem) = &self.live.bad_load {
            return Err(Closed::BadLoad { problem: problem.to_string() });
        }
        if self.live.is_of_future {
            return Err(Closed::FutureLoad);
        }
        let limits = self.live.limits(ask.policy);
        let running: Vec<Running> =
            self.starts.running().values().map(|permitted| Running { since: permitted.since }).collect();
        let settling: Vec<Running> = self.starts.settling().collect();
        let admit_one = |class: Option<usize>| {
            admit(&Admission {
                gate: &self.live.gate,
                load: self.live.load.as_ref(),
                frozen_since: self.live.frozen_since,
                running: &running,
                settling: &settling,
                outlook: class.map(|class| Outlook { pace: self.starts.pace(), curves, class }),
                is_for_person: ask.is_for_person,
                fleet_active: ask.fleet_active,
                limits,
                rule,
                now: ask.now,
            })
        };
        let inventory = self.starts.inventory();
        let permit = if let Some(instance) = ask.instance {
            admit_one(inventory.class_of(instance))
        } else {
            let answers = inventory.classes().map(|class| admit_one(Some(class)));
            answers.reduce(Result::or).unwrap_or_else(|| admit_one(None))
        }?;
        let load = self.live.load.unwrap_or_default();
        Ok(Granted {
            permit,
            cpu_percent: load.cpu_percent,
            load_at: load.measured_at,
            cpu_ceiling_percent: limits.cpu_ceiling_percent,
            active: running.len() as u32,
        })
    }
}
