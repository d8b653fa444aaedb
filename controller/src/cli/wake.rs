//! `reveille wake`

use std::time::Duration;

use clap::Args;
use reqwest::Method;
use reveille_proto::{InstanceId, clock::Clock};

use super::{Exit, client::Answer, failure::Failure, gate::Gate, screen::Screen, session::Session, wakes};
use crate::api::{
    WakeAsked,
    view::{WakeBody, WakeStoryView, WakeView},
};

/// How often a wake that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct WakeArgs {
    instance: InstanceId,
    /// Wait until it is over; ends with 1 when the instance does not serve
    #[arg(long)]
    wait: bool,
    /// How long to wait at most, as in 15m
    #[arg(long, value_name = "DURATION", default_value = "30m", requires = "wait")]
    timeout: jiff::SignedDuration,
}

pub(super) async fn run(session: &Session, args: &WakeArgs) -> Result<Exit, Failure> {
    let path = ["instances", args.instance.as_str(), "wake"];
    let answer = session.client.send_body(Method::POST, &path, &WakeBody::default()).await?;
    if !args.wait {
        return session.show(&answer, |asked: &WakeAsked, _| said(asked));
    }
    let asked: WakeAsked = answer.read()?;
    Screen::say(said(&asked));
    let clock = Clock::system();
    let waited = clock.timeout(args.timeout.unsigned_abs(), until_over(session, &clock, &asked.wake)).await;
    let (answer, end) = waited.ok_or_else(|| {
        let id = &asked.wake.wake_id;
        Failure::No(format!(
            "the wake is not over after {:#}; `reveille wakes show {id}` follows it",
            args.timeout
        ))
    })??;
    session.show(&answer, wakes::render_story)?;
    let serves = matches!(end.as_str(), "woken" | "already_awake");
    Ok(if serves { Exit::Ok } else { Exit::No })
}

fn said(asked: &WakeAsked) -> String {
    let WakeView { instance_id, wake_id, state, detail, .. } = &asked.wake;
    let how = if asked.joined { "its wake is under way already" } else { "asked for" };
    format!("{instance_id}: {how}; wake {wake_id} is {state}: {detail}")
}

/// Looks until the wake has ended; says every change of state, and of what keeps it in the queue.
async fn until_over(session: &Session, clock: &Clock, wake: &WakeView) -> Result<(Answer, String), Failure> {
    let id = wake.wake_id.as_str();
    let mut shown = String::new();
    let mut gate = Gate::of(&wake.instance_id);
    loop {
        let answer = session.client.get(&["wakes", id], &[]).await?;
        let story: WakeStoryView = answer.read()?;
        if let Some(end) = story.wake.end {
            return Ok((answer, end));
        }
        if story.wake.detail != shown {
            Screen::say(format_args!("{}: {}", story.wake.state, story.wake.detail));
            shown = story.wake.detail;
        }
        if story.wake.state == "queued"
            && let Some(why) = gate.news(&session.client).await?
        {
            Screen::say(format_args!("waiting: {why}"));
        }
        clock.sleep(LOOK_EVERY).await;
    }
}
