//! The course: one short day that passes through every move of a wake and everything that follows from one.
//!
//! ```text
//! forecasts are planned and woken            people ask for thirteen instances
//! one is cancelled, one ended by force       one host is cut off, and somebody asks for an instance there
//! the other host is cut off for a moment     those whose user comes are seen in the log
//! everything is stopped for six seconds; meanwhile somebody asks, twice, and somebody asks and cancels
//! what was refused is retried                the host is back
//! ```
//! A step waits until what it needs is there, for a while; when it cannot be done, because a crash made things go another
//! way, that is written down and the course goes on.

use std::{path::PathBuf, time::Duration};

use reveille_proto::clock::Clock;
use serde_json::json;
use tokio::{sync::watch, time::Instant};

use super::{
    Role, Stage,
    desk::{Desk, WakeSeen},
    files::{self, DEADLINE_GRACE_S, DEMAND_EXPIRY_S, WAKE_TIMEOUT_S},
    nodes,
    watch::Seen,
};
use crate::{
    history::{Entry, Function, Key, Kind, Recorder},
    world::Switch,
};

/// A step's longest wait for what it needs.
const STEP_S_MAX: u64 = 12;
/// Everything is stopped for so long: more than stopping may take, and a bit to look at.
const STOPPED: Duration = Duration::from_millis(5600);
/// What is late is looked at so long after it became late.
const LOOK_AFTER: Duration = Duration::from_millis(200);
/// Controllers that share a database leave what is late on a lost host to its own controller for so long.
const OTHERS_HAVE_S: u64 = 15;

/// Who walks the course.
#[derive(Debug, Clone)]
pub struct Walker {
    pub desk: Desk,
    pub recorder: Recorder,
    pub clock: Clock,
    pub stage: Stage,
    pub switch: Switch,
    pub seen: watch::Receiver<Seen>,
    pub access_log: PathBuf,
    /// Whether other controllers could use the database.
    pub is_shared: bool,
}

impl Walker {
    /// Walks it once.
    pub async fn walk(&mut self) -> anyhow::Result<()> {
        self.expect_forecasts();
        for role in Role::ASKED {
            self.ask(role).await;
        }
        self.stop_some().await;
        let cut_off_at = self.cut_off().await;
        self.rest_ends().await;
        self.come(&[Role::Forecast, Role::ForecastJoined, Role::Accepted])?;
        self.stop_everything().await;
        self.ends(&[Role::Levered, Role::CancelledQueued]).await;
        self.late_is_due(cut_off_at).await;
        self.retry(Role::Refused).await;
        self.ends(&[Role::TimesOut, Role::Muted, Role::HostLost, Role::Expired, Role::Refused]).await;
        self.unmute();
        // An agent tells what was not heard when it comes back, and otherwise only now and then.
        self.switch.cut(&nodes::host(0));
        self.switch.release(&nodes::host(1));
        self.note_fault(Function::FaultOff, &nodes::host(1));
        Ok(())
    }

    /// Their users came in this hour of every day: each is to be woken, or there is a reason why not.
    fn expect_forecasts(&self) {
        for role in Role::ALL.into_iter().filter(|role| role.is_expected()) {
            let key = Key { window: Some("09:00".into()), ..instance(role) };
            let value = json!({"reason": "forecast"});
            self.recorder.record(Entry::new("users", Kind::Ok, Function::Due, key).value(value));
        }
    }

    /// One wake is ended by force, one is cancelled, one is asked for while it goes on, one is not heard of any more.
    async fn stop_some(&mut self) {
        if let Some(wake) = self.reaches(Role::Muted, "starting").await {
            self.switch.mute(&wake.wake_id);
        }
        if let Some(wake) = self.reaches(Role::Forced, "starting").await {
            self.act("force", Role::Forced, &wake.wake_id).await;
        }
        if let Some(wake) = self.reaches(Role::Cancelled, "starting").await {
            self.act("cancel", Role::Cancelled, &wake.wake_id).await;
        }
        self.reaches(Role::ForecastJoined, "starting").await;
        self.ask(Role::ForecastJoined).await;
    }

    /// The second host is cut off for the rest of the course, the first for a moment.
    async fn cut_off(&mut self) -> Instant {
        self.reaches(Role::HostLost, "starting").await;
        self.reaches(Role::TimesOut, "starting").await;
        self.note_fault(Function::FaultOn, &nodes::host(1));
        self.switch.hold(&nodes::host(1));
        self.switch.cut(&nodes::host(0));
        self.ask(Role::Expired).await;
        Instant::now()
    }

    async fn rest_ends(&mut self) {
        let soon = [
            Role::Forecast,
            Role::ForecastJoined,
            Role::Accepted,
            Role::Fallback,
            Role::Retried,
            Role::HeldBack,
            Role::Awake,
            Role::Refused,
            Role::LostAnswer,
            Role::Failed,
            Role::Cancelled,
            Role::Forced,
        ];
        self.ends(&soon).await;
    }

    /// Their users are seen in the log.
    fn come(&self, roles: &[Role]) -> anyhow::Result<()> {
        use std::io::Write as _;
        let now = self.clock.now();
        let mut log = std::fs::OpenOptions::new().append(true).open(&self.access_log)?;
        for role in roles {
            // One write a line: it is read while it grows.
            log.write_all(files::seen(*role, now).as_bytes())?;
            self.recorder.record(Entry::new("users", Kind::Ok, Function::SessionSeen, instance(*role)));
        }
        Ok(())
    }

    async fn stop_everything(&mut self) {
        self.lever(true).await;
        let since = Instant::now();
        if let Some(wake) = self.ask(Role::CancelledQueued).await {
            self.act("cancel", Role::CancelledQueued, &wake).await;
        }
        tokio::time::sleep_until(since + STOPPED / 2).await;
        self.ask(Role::Levered).await;
        self.ask(Role::Levered).await;
        tokio::time::sleep_until(since + STOPPED).await;
        self.lever(false).await;
    }

    /// Until the wakes of the host that was cut off are so late that somebody has to end them. The end of another wake
    /// makes the controller look.
    async fn late_is_due(&self, cut_off_at: Instant) {
        let others = if self.is_shared { OTHERS_HAVE_S } else { 0 };
        let late = u64::from(WAKE_TIMEOUT_S + DEADLINE_GRACE_S) + others;
        let late = Duration::from_secs(late.max(DEMAND_EXPIRY_S.into()));
        tokio::time::sleep_until(cut_off_at + late + LOOK_AFTER).await;
    }

    async fn retry(&mut self, role: Role) {
        self.stage.allow(role);
        if let Some(wake) = self.reaches(role, "ended").await {
            self.act("retry", role, &wake.wake_id).await;
        }
    }

    fn unmute(&self) {
        self.seen.borrow().iter().for_each(|wake| self.switch.unmute(&wake.wake_id));
    }

    /// The newest wake of a role, once it is in a state or past it.
    async fn reaches(&mut self, role: Role, state: &str) -> Option<WakeSeen> {
        let order = ["queued", "dispatched", "calling", "starting", "ended"];
        let place = |state: &str| order.iter().position(|known| *known == state);
        let newest = |seen: &Seen| seen.iter().rev().find(|wake| wake.instance_id == role.name()).cloned();
        let is_there = |seen: &Seen| newest(seen).is_some_and(|wake| place(&wake.state) >= place(state));
        let reached = self.seen.wait_for(is_there);
        let reached = tokio::time::timeout(Duration::from_secs(STEP_S_MAX), reached).await;
        reached.ok()?.ok().and_then(|seen| newest(&seen))
    }

    /// Waits until the wakes of these roles are over.
    async fn ends(&mut self, roles: &[Role]) {
        let all = async {
            for role in roles {
                self.reaches(*role, "ended").await;
            }
        };
        tokio::time::timeout(Duration::from_secs(STEP_S_MAX), all).await.ok();
    }

    fn note_fault(&self, function: Function, host: &str) {
        let key = Key { host: Some(host.to_owned()), ..Key::default() };
        self.recorder.record(Entry::new("link", Kind::Ok, function, key).value(json!({"kind": "cut-off"})));
    }
}

/// What an event of an instance is about.
pub(super) fn instance(role: Role) -> Key {
    let host = Some(nodes::host(role.agent()));
    Key { instance: Some(role.name().into()), host, ..Key::default() }
}
