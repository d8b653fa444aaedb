//! Makes a plan for the coming horizon; in mode `act` its rows become queued wakes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;
use tracing::info;

use super::{
    Task, TaskError,
    learn::zones,
    outlook::{Questions, Standing, outlooks},
};
use crate::{
    app::{Learned, Mind, Shared},
    model::{Crowds, DayCalendar, LeadTimes, Moment, profiles::AHEAD_MAX_S},
    plan::{Candidate, Omission, OmissionReason, PlanInput, Presence, Price, WakePlan, plan},
    policy::Mode,
    store::{HeldOutRow, InstanceRow, NewWake, PlannedRow, WakeFilter},
    wake::{End, Reason, State},
};

/// Ended wakes the lead time is learned from.
const SERVING_TIMES_MAX: u32 = 5000;

const HOUR_S: i64 = 3600;
const DAY_S: i64 = 86_400;

/// Days of spending the price of an idle hour is found from.
const PRICE_DAYS: i32 = 180;

/// Changes of policy looked through for the last one of the budget.
const POLICY_CHANGES_MAX: u32 = 1000;

/// Plans on a timer, after every training, and after every change of policy.
#[derive(Debug)]
pub struct Plan {
    shared: Shared,
    /// What the cohorts do, with the model version and the hour it was learned in.
    crowds: Option<(u64, i64, Crowds)>,
}

/// A wake keeps an instance up, from its serving until its hold is over or, if somebody came, until that visit ends.
#[derive(Debug, Clone, Copy)]
struct Cover {
    from: Timestamp,
    until: Timestamp,
}

/// What the world looks like to the planner.
struct View {
    now: Timestamp,
    instances: Vec<InstanceRow>,
    zones: BTreeMap<InstanceId, TimeZone>,
    zone_default: TimeZone,
    covered: BTreeMap<InstanceId, Cover>,
    due_per_hour: BTreeMap<i64, u32>,
    lead_times: LeadTimes,
    host_classes: BTreeMap<String, String>,
    /// Holidays and quiet times of the cohorts.
    days: Arc<DayCalendar>,
    /// Scores from here on are woken.
    threshold: f32,
}

impl Plan {
    pub fn new(shared: Shared) -> Self {
        Self { shared, crowds: None }
    }

    fn window(&self) -> SignedDuration {
        SignedDuration::from_secs(self.shared.config.plan.window_s.into())
    }

    fn horizon(&self) -> SignedDuration {
        SignedDuration::from_secs(self.shared.config.plan.horizon_s.into())
    }

    async fn view(&self, now: Timestamp) -> Result<View, TaskError> {
        let store = &self.shared.store;
        let instances = store.instances_list(None, 0).await?;
        let learns = self.shared.config.model.learn_phase;
        let learned =
            if learns { self.shared.learned(learned_zones).unwrap_or_default() } else { BTreeMap::new() };
        let (zones, zone_default) = zones(&instances, &self.shared.config, |instance| learned.get(instance))?;
        let (from, to) = (self.looked_back_to(now), now + self.horizon());
        let planned = store.planned_between(from, to).await?;
        let held_out = store.held_out_between(from, to).await?;
        let lead_times = LeadTimes::learn(store.wakes_serving_times(SERVING_TIMES_MAX).await?.into_iter());
        let hosts = store.hosts_list().await?;
        Ok(View {
            now,
            instances,
            zones,
            zone_default,
            covered: self.covered(now, &planned, &held_out).await?,
            due_per_hour: due_per_hour(&planned, &held_out),
            lead_times,
            host_classes: hosts.into_iter().map(|host| (host.host.to_string(), host.class)).collect(),
            days: self.shared.days(now),
            threshold: self.threshold(now).await?,
        })
    }

    /// How far back plans matter: a wake holds for its window, and a budget for its day.
    fn looked_back_to(&self, now: Timestamp) -> Timestamp {
        let from = now - self.window();
        let midnight = Timestamp::from_second(now.as_second().div_euclid(DAY_S) * DAY_S).unwrap_or(from);
        if self.shared.policy().wakes_per_day_max > 0 { from.min(midnight) } else { from }
    }

    /// What the idle budget buys at present.
    ///
    /// The price is found anew from the days on record, so that a restart changes nothing: those since the budget was
    /// last changed, without the last two, whose verdicts may not all be in.
    async fn threshold(&self, now: Timestamp) -> Result<f32, TaskError> {
        let budget_h = self.shared.policy().idle_budget_h;
        let start = self.shared.learned(|learned| match &learned.mind {
            Mind::Rule { .. } => f32::INFINITY,
            Mind::Fitted { scorer, .. } => scorer.fitted().threshold(budget_h),
        });
        let Some(start) = start.filter(|start| start.is_finite()) else { return Ok(f32::INFINITY) };
        let today = now.as_second().div_euclid(DAY_S) as i32;
        let changes = self.shared.store.policy_changes(POLICY_CHANGES_MAX).await?;
        let changed = changes.iter().filter(|change| change.key == "idle_budget_h");
        let changed_day = changed.map(|change| change.changed_at.as_second().div_euclid(DAY_S) as i32).max();
        let from_day = (today - PRICE_DAYS).max(changed_day.map_or(i32::MIN, |day| day + 1));
        let mut price = Price::new(start, budget_h);
        for day in self.shared.store.spend_of(from_day).await? {
            if day.day < today - 1 && day.instances > 0 {
                price.after_day(day.instances, day.idle_s.max(0.0) as u64);
            }
        }
        Ok(price.threshold())
    }

    /// By what each instance is kept up: a wake that is open, has ended well, or is planned. One that was held out
    /// counts as if it kept the instance up: the next plan would wish for the same wake again.
    async fn covered(
        &self,
        now: Timestamp,
        planned: &[PlannedRow],
        held_out: &[HeldOutRow],
    ) -> Result<BTreeMap<InstanceId, Cover>, TaskError> {
        let window = self.window();
        let mut covered = BTreeMap::new();
        let mut cover = |instance: &InstanceId, from: Timestamp| {
            let until = from + window;
            let known = covered.entry(instance.clone()).or_insert(Cover { from, until });
            if until > known.until {
                *known = Cover { from, until };
            }
        };
        let act = self.shared.policy().mode == Mode::Act;
        for row in planned {
            // In mode `act` a planned wake that never became one keeps nothing up.
            if !act || row.wake.is_some() || row.serve_at > now {
                cover(&row.instance, row.serve_at);
            }
        }
        for row in held_out {
            cover(&row.instance, row.serve_at);
        }
        let since = now - window - SignedDuration::from_secs(self.shared.config.wake.timeout_s.into());
        let filter = WakeFilter { from: Some(since - self.horizon()), ..WakeFilter::default() };
        for wake in self.shared.store.wakes_list(&filter).await? {
            match &wake.state {
                State::Ended { end: End::Woken | End::AlreadyAwake, at } => cover(&wake.instance, *at),
                // It was called and may yet come up: the same window sees no second call by forecast.
                State::Ended { at, .. } if wake.called_at.is_some() => cover(&wake.instance, *at),
                State::Ended { .. } => {}
                _ => cover(&wake.instance, wake.serve_at.unwrap_or(wake.due_at)),
            }
        }
        Ok(covered)
    }

    /// Learns anew what the cohorts do, once an hour and with every version.
    fn look_around(&mut self, view: &View) {
        let hour = view.now.as_second().div_euclid(HOUR_S);
        let known = self.crowds.as_ref().map(|(version, hour, _)| (*version, *hour));
        let learned = self.shared.learned(|learned| {
            let Mind::Fitted { scorer, profiles } = &learned.mind else { return None };
            if known == Some((learned.version, hour)) {
                return None;
            }
            let people = view.instances.iter().filter_map(|row| {
                let (profile, zone) = profiles.get(&row.instance)?;
                Some((row.cohort.as_str(), profile, Moment::new(view.now, zone)))
            });
            Some((learned.version, hour, Crowds::learn(people, &scorer.fitted().population)))
        });
        if let Some(crowds) = learned.flatten() {
            self.crowds = Some(crowds);
        }
    }

    fn make(&self, view: &View, learned: Option<&Learned>) -> WakePlan {
        let config = &self.shared.config;
        let idle_gap = SignedDuration::from_secs(config.visits.idle_gap_s.into());
        let policy = self.shared.policy();
        let (rule, threshold) = match learned.map(|learned| &learned.mind) {
            None => (&config.model.rule, f32::INFINITY),
            Some(Mind::Rule { rule, .. }) => (rule, f32::INFINITY),
            Some(Mind::Fitted { .. }) => (&config.model.rule, view.threshold),
        };
        let lead_default = SignedDuration::from_secs(config.model.lead_time_default_s.into());
        let crowds = self.crowds.as_ref().map(|(.., crowds)| crowds);
        let abstain = config.model.abstain;
        let standing = |row| Standing {
            row,
            presence: presence(row, view, idle_gap),
            lead_time: view.lead_times.lead_time(view.class_of(row), lead_default),
        };
        let standings: Vec<Standing<'_>> = view.instances.iter().map(standing).collect();
        let window = self.window();
        let questions = Questions { now: view.now, window, threshold, abstain, crowds, days: &view.days };
        let outlooks = outlooks(questions, learned, &standings);
        let candidates = standings.iter().zip(outlooks).map(|(standing, outlook)| {
            let Standing { row, presence, lead_time } = *standing;
            Candidate {
                instance: &row.instance,
                cohort: &row.cohort,
                host: row.host.as_ref(),
                zone: view.zones.get(&row.instance).unwrap_or(&view.zone_default),
                outlook,
                presence,
                lead_time,
                opted_out: policy.opted_out.contains(&row.instance),
            }
        });
        let hold_out = self.shared.config.plan.hold_out();
        let starts_at_once = self.shared.fleet.starts_at_once(&policy);
        let mut made = plan(PlanInput {
            now: view.now,
            horizon: self.horizon(),
            rule,
            threshold,
            policy: &policy,
            model_version: learned.map_or(0, |learned| learned.version),
            hold: self.window(),
            already_due_per_hour: &view.due_per_hour,
            starts_at_once: &starts_at_once,
            hold_out: &hold_out,
            candidates,
        });
        leave_quiet(&mut made, view);
        made
    }

    /// Puts every planned wake of the horizon in the queue that is not there yet.
    async fn act(&self, now: Timestamp) -> Result<u32, TaskError> {
        let mut queued = 0;
        let planned = self.shared.store.planned_between(now - self.window(), now + self.horizon()).await?;
        for row in planned.iter().filter(|row| row.wake.is_none() && row.expires_at > now) {
            let wake = NewWake {
                id: self.shared.wake_id(now),
                instance: row.instance.clone(),
                reason: Reason::Forecast,
                requested_by: "forecast".into(),
                plan_id: Some(row.plan_id),
                probability: Some(row.probability),
                created_at: now,
                due_at: row.due_at,
                serve_at: Some(row.serve_at),
                expires_at: row.expires_at,
            };
            if self.shared.store.wake_plan(&wake, row.hour_at).await? {
                self.shared.board.ask_for(wake.id);
                queued += 1;
            }
        }
        Ok(queued)
    }
}

/// The offset learned of an instance: its profile was fitted by it, and planning goes by the same clock.
fn learned_zones(learned: &Learned) -> BTreeMap<InstanceId, TimeZone> {
    let fixed = |(instance, zone): (&InstanceId, &TimeZone)| {
        zone.to_fixed_offset().is_ok().then(|| (instance.clone(), zone.clone()))
    };
    match &learned.mind {
        Mind::Rule { profiles, .. } => {
            profiles.iter().filter_map(|(id, profile)| fixed((id, profile.zone()))).collect()
        }
        Mind::Fitted { profiles, .. } => {
            profiles.after(None).filter_map(|(id, _, zone)| fixed((id, zone))).collect()
        }
    }
}

/// Takes wakes out of a plan whose hour falls into a quiet time of a calendar. Where the planner leaves them out by
/// itself, nothing is left to take.
fn leave_quiet(made: &mut WakePlan, view: &View) {
    if view.days.is_empty() {
        return;
    }
    let cohorts: BTreeMap<_, _> =
        view.instances.iter().map(|row| (&row.instance, row.cohort.as_str())).collect();
    let omissions = &mut made.omissions;
    made.wakes.retain(|wake| {
        let zone = view.zones.get(&wake.instance).unwrap_or(&view.zone_default);
        let cohort = cohorts.get(&wake.instance).copied().unwrap_or_default();
        let is_quiet = view.days.is_quiet(cohort, zone, wake.hour_at.max(view.now));
        if is_quiet {
            omissions.push(Omission { instance: wake.instance.clone(), reason: OmissionReason::QuietDate });
        }
        !is_quiet
    });
}

impl View {
    fn class_of(&self, row: &InstanceRow) -> &str {
        let class = row.host.as_ref().and_then(|host| self.host_classes.get(host.as_str()));
        class.map_or("", String::as_str)
    }
}

fn presence(row: &InstanceRow, view: &View, idle_gap: SignedDuration) -> Presence {
    // A sighting of a time that has not come yet is not believed: it would keep the instance "awake" until then.
    let ahead = view.now + SignedDuration::from_secs(AHEAD_MAX_S);
    let seen = row.last_seen_at.filter(|seen| *seen <= ahead);
    if let Some(until) = seen.map(|seen| seen + idle_gap).filter(|until| *until > view.now) {
        return Presence::Awake { until };
    }
    match view.covered.get(&row.instance) {
        // Who came and went again has used the wake up: it keeps nothing awake any more.
        Some(cover) if cover.until > view.now && row.last_seen_at.is_none_or(|seen| seen < cover.from) => {
            Presence::Covered { until: cover.until }
        }
        _ => Presence::Asleep,
    }
}

/// Held-out wakes take their place under the cap as if they were made.
fn due_per_hour(planned: &[PlannedRow], held_out: &[HeldOutRow]) -> BTreeMap<i64, u32> {
    let mut hours = BTreeMap::new();
    let planned = planned.iter().map(|row| row.due_at);
    for due_at in planned.chain(held_out.iter().map(|row| row.due_at)) {
        *hours.entry(due_at.as_second().div_euclid(HOUR_S)).or_default() += 1;
    }
    hours
}

impl Task for Plan {
    const NAME: &'static str = "plan";
    const LEADER_ONLY: bool = true;

    fn period(&self) -> Duration {
        Duration::from_secs(self.shared.config.plan.interval_s.into())
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let now = self.shared.clock.now();
        self.shared.learn_anew().await?;
        let view = self.view(now).await?;
        self.look_around(&view);
        let began = tokio::time::Instant::now();
        let made = self.shared.learned(|learned| self.make(&view, Some(learned)));
        let plan = made.unwrap_or_else(|| self.make(&view, None));
        self.shared.metrics.plan_took(began.elapsed().as_secs_f64());
        let plan_id = self.shared.store.plan_keep(&plan, self.shared.lead.fence().as_ref()).await?;
        let unknown = |omission: &&Omission| matches!(omission.reason, OmissionReason::NoProfile);
        let silent = plan.passed.abstained + plan.omissions.iter().filter(unknown).count() as u64;
        let forecast = plan.wakes.len() as u64 + plan.left_out() - silent;
        let today = now.as_second().div_euclid(DAY_S) as i32;
        // A day on which nobody may be woken says nothing of what a threshold costs.
        if plan.mode == Mode::Act && !self.shared.policy().paused {
            self.shared.store.spend_keep_instances(today, forecast).await?;
        }
        let queued = if plan.mode == Mode::Act { self.act(now).await? } else { 0 };
        if !plan.wakes.is_empty() {
            info!(plan_id, mode = plan.mode.as_str(), wakes = plan.wakes.len(), queued, "plan made");
        }
        self.shared.signals.dispatch.notify_one();
        self.shared.signals.notify.notify_one();
        Ok(format!(
            "plan {plan_id}: {} wakes, {} left out, {queued} queued",
            plan.wakes.len(),
            plan.left_out()
        ))
    }
}

#[cfg(test)]
mod tests {
    use reveille_proto::HostId;

    use super::*;
    use crate::{
        model::days::Whose,
        plan::{Passed, PlannedWake},
    };

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    fn wake(instance: &str, hour_at: &str) -> PlannedWake {
        PlannedWake {
            instance: InstanceId::new(instance).expect("an id"),
            host: HostId::new("h1").expect("an id"),
            due_at: at(hour_at),
            serve_at: at(hour_at),
            hour_at: at(hour_at),
            expires_at: at(hour_at),
            probability: 1.0,
            idle_h: None,
            saved_s: None,
            why: String::new(),
        }
    }

    #[test]
    fn wakes_for_a_quiet_time_of_their_cohort_are_left_out() {
        let mut days = DayCalendar::default();
        days.mark_quiet(Whose::Cohort("dev"), at("2026-03-02T09:00:00Z"), at("2026-03-02T10:00:00Z"));
        let row = |name: &str, cohort: &str| InstanceRow {
            instance: InstanceId::new(name).expect("an id"),
            host: None,
            cohort: cohort.into(),
            time_zone: String::new(),
            first_seen_at: None,
            last_seen_at: None,
        };
        let view = View {
            now: at("2026-03-02T08:30:00Z"),
            instances: vec![row("dev1", "dev"), row("dev2", "dev"), row("ops1", "ops")],
            zones: BTreeMap::new(),
            zone_default: TimeZone::UTC,
            covered: BTreeMap::new(),
            due_per_hour: BTreeMap::new(),
            lead_times: LeadTimes::default(),
            host_classes: BTreeMap::new(),
            days: Arc::new(days),
            threshold: 0.0,
        };
        let mut made = WakePlan {
            made_at: view.now,
            horizon_end: at("2026-03-02T10:30:00Z"),
            mode: Mode::Act,
            model_version: 1,
            hold_out_share: 0.0,
            wakes: vec![
                wake("dev1", "2026-03-02T09:00:00Z"),
                wake("dev2", "2026-03-02T10:00:00Z"),
                wake("ops1", "2026-03-02T09:00:00Z"),
            ],
            omissions: Vec::new(),
            passed: Passed::default(),
        };
        leave_quiet(&mut made, &view);
        let left: Vec<_> = made.wakes.iter().map(|wake| wake.instance.as_str()).collect();
        assert_eq!(left, ["dev2", "ops1"]);
        assert_eq!(made.omissions[0].reason, OmissionReason::QuietDate);
        assert_eq!(made.omissions[0].instance.as_str(), "dev1");
    }
}
