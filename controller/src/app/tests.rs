//! The running controller as an agent sees it: a real socket, a real database, restarts.

use std::{path::Path, time::Duration};

use jiff::SignedDuration;
use reveille_proto::{
    InstanceId, PROTOCOL_VERSION, WakeId,
    clock::Clock,
    v1::{
        self, AgentMessage, agent_message::Kind as Up, controller_message::Kind as Down,
        fleet_client::FleetClient,
    },
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming, transport::Channel};

use self::world::{FakeAgent, PATIENCE, Running, config, hello};
use super::{App, AppError, Seams, Shared};
use crate::{
    api::Control,
    calendars::{CalendarConfig, CalendarKind},
    config::{Config, InstanceConfig},
    store::NewWake,
    wake::{End, Event, Reason, State, Wake},
};

mod cable;
mod cut;
mod needs;
mod notify;
mod several;
mod unsure;
mod world;

#[tokio::test]
async fn an_incompatible_agent_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let mut agent = FakeAgent::connect(&controller, hello(99), &controller.token).await.expect("connects");
    let Down::Refused(refused) = agent.next().await else { panic!("must be refused") };
    assert_eq!(refused.code(), v1::refused::Code::Protocol);
    assert!(refused.detail.contains("99"), "{}", refused.detail);
    assert!(agent.down.message().await.expect("no error").is_none(), "the stream ends");

    let mut nameless = hello(PROTOCOL_VERSION);
    nameless.inventory[0].instance_id = "a b".into();
    let mut agent = FakeAgent::connect(&controller, nameless, &controller.token).await.expect("connects");
    let Down::Refused(refused) = agent.next().await else { panic!("must be refused") };
    assert!(refused.detail.contains("hello.inventory[0].instance_id"), "{}", refused.detail);
    controller.crash().await;
}

#[tokio::test]
async fn an_agent_without_the_token_gets_no_session() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let denied = FakeAgent::connect(&controller, hello(PROTOCOL_VERSION), "wrong").await;
    assert_eq!(denied.err().map(|status| status.code()), Some(tonic::Code::Unauthenticated));
    controller.crash().await;
}

#[tokio::test]
async fn nothing_starts_without_a_load_and_a_wake_ends_with_an_acknowledged_result() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let mut agent = FakeAgent::welcomed(&controller).await;
    let id = controller.request("dev1").await;
    agent.load(&controller, 95.0).await;
    controller.gate_closed("over_ceiling").await;
    let queued = controller.shared.store.wake_get(id).await.expect("readable").expect("there");
    assert!(matches!(queued.state, State::Queued { .. }), "{:?}", queued.state);

    agent.load(&controller, 20.0).await;
    let command = agent.next_wake().await;
    assert_eq!((command.wake_id.as_str(), command.look_only), (id.to_string().as_str(), false));
    agent.served(&controller, &command).await;
    assert_eq!(agent.next_ack().await.wake_id, id.to_string());
    let ended = controller.wake_when(id, |wake| wake.state.ended().is_some()).await;
    assert_eq!(ended.state.ended(), Some(End::Woken));
    // Said again, it is acknowledged again and changes nothing.
    agent.served(&controller, &command).await;
    agent.next_ack().await;
    let again = controller.shared.store.wake_get(id).await.expect("readable").expect("there");
    assert_eq!(again, ended);
    controller.crash().await;
}

#[tokio::test]
async fn a_crashed_controller_goes_on_with_the_wake_under_a_higher_epoch() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let mut agent = FakeAgent::welcomed(&controller).await;
    agent.load(&controller, 10.0).await;
    let id = controller.request("dev1").await;
    let first = agent.next_wake().await;
    controller.crash().await;
    drop(agent);

    let controller = Running::start(dir.path()).await;
    let mut agent = FakeAgent::welcomed(&controller).await;
    let again = agent.next_wake().await;
    assert_eq!((&again.wake_id, again.attempt, again.look_only), (&first.wake_id, first.attempt, false));
    assert!(again.epoch > first.epoch);
    // The journal says it was over before the crash: its result still carries the old epoch.
    agent.served(&controller, &first).await;
    agent.next_ack().await;
    let ended = controller.wake_when(id, |wake| wake.state.ended().is_some()).await;
    assert_eq!(ended.state.ended(), Some(End::Woken));
    controller.crash().await;
}

#[tokio::test]
async fn an_agent_that_comes_back_is_told_to_stop_what_was_ended_without_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let mut agent = FakeAgent::welcomed(&controller).await;
    agent.load(&controller, 10.0).await;
    let id = controller.request("dev1").await;
    let wake = agent.next_wake().await;
    // Ended by force, and the controller died before it could tell the agent.
    let force = Event::Force { by: "test".into(), at: controller.shared.clock.now() };
    let rule = controller.shared.config.wake.retry_rule();
    controller.shared.store.wake_step(id, &force, &rule).await.expect("ended");
    controller.crash().await;
    drop(agent);

    let controller = Running::start(dir.path()).await;
    let in_hand = |wake_id: &str, phase: v1::Phase| v1::UnfinishedWake {
        wake_id: wake_id.into(),
        attempt: wake.attempt,
        instance_id: "dev1".into(),
        phase: phase.into(),
        ..Default::default()
    };
    let unknown = controller.shared.wake_id(controller.shared.clock.now()).to_string();
    let unfinished =
        vec![in_hand(&unknown, v1::Phase::Accepted), in_hand(&wake.wake_id, v1::Phase::Accepted)];
    let back = v1::Hello { unfinished, ..hello(PROTOCOL_VERSION) };
    let mut agent = FakeAgent::connect(&controller, back, &controller.token).await.expect("connects");
    let cancel = loop {
        if let Down::Cancel(cancel) = agent.next().await {
            break cancel;
        }
    };
    assert_eq!(cancel.wake_id, wake.wake_id, "and not the one that may be another's");
    controller.crash().await;
}

#[tokio::test]
async fn another_journal_is_told_to_look_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let mut agent = FakeAgent::welcomed(&controller).await;
    agent.load(&controller, 10.0).await;
    controller.request("dev1").await;
    agent.next_wake().await;
    drop(agent);
    let fresh = v1::Hello { journal_id: "j2".into(), ..hello(PROTOCOL_VERSION) };
    let mut agent = FakeAgent::connect(&controller, fresh, &controller.token).await.expect("connects");
    assert!(agent.next_wake().await.look_only);
    controller.crash().await;
}

#[tokio::test]
async fn a_second_controller_on_the_same_data_is_told_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let second = App::build(config(dir.path()), Seams::new(Clock::system(), 2)).await;
    assert!(matches!(second.err(), Some(AppError::Locked { .. })));
    controller.crash().await;
}

#[tokio::test]
async fn a_change_of_policy_reaches_the_agents() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let mut agent = FakeAgent::welcomed(&controller).await;
    controller.shared.policy_set("cpu_ceiling_percent", "55", "ann").await.expect("allowed");
    let configured = loop {
        if let Down::Configure(configure) = agent.next().await {
            break configure;
        }
    };
    assert!((configured.cpu_ceiling_percent - 55.0).abs() < f64::EPSILON);
    let changes = controller.shared.store.policy_changes(5).await.expect("readable");
    assert_eq!(changes[0].changed_by, "ann");
    controller.crash().await;
}

#[tokio::test]
async fn a_forecast_wake_is_taken_back_when_the_policy_no_longer_wants_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let agent = FakeAgent::welcomed(&controller).await;
    // The default is to plan only: a wake left over from a time when the mode was `act` must not be carried out.
    let id = controller.request_for(Reason::Forecast, "dev1").await;
    agent.load(&controller, 10.0).await;
    let ended = controller.wake_when(id, |wake| wake.state.ended().is_some()).await;
    assert_eq!(ended.state.ended(), Some(End::Cancelled));
    assert!(ended.detail.contains("forecast only"), "{}", ended.detail);
    controller.crash().await;
}

#[tokio::test]
async fn what_the_agents_own_guard_refuses_is_not_sent() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let guarded = v1::Hello { cpu_ceiling_percent: 50.0, ..hello(PROTOCOL_VERSION) };
    let mut agent = FakeAgent::connect(&controller, guarded, &controller.token).await.expect("connects");
    let id = controller.request("dev1").await;
    agent.load(&controller, 55.0).await;
    controller.gate_closed("over_ceiling").await;
    let queued = controller.shared.store.wake_get(id).await.expect("readable").expect("there");
    assert_eq!(queued.last_attempt, 0, "55 % is below the policy's 70 %, but above the agent's 50 %");
    agent.load(&controller, 10.0).await;
    assert_eq!(agent.next_wake().await.wake_id, id.to_string());
    controller.crash().await;
}

#[tokio::test]
async fn a_quiet_date_takes_back_what_was_planned_for_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let agent = FakeAgent::welcomed(&controller).await;
    let today = controller.shared.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let days = format!("[\"{today}\", \"{}\"]", today.tomorrow().expect("in range"));
    controller.shared.policy_set("quiet_dates", &days, "ann").await.expect("allowed");
    controller.shared.policy_set("mode", "act", "ann").await.expect("allowed");
    let id = controller.request_for(Reason::Forecast, "dev1").await;
    agent.load(&controller, 10.0).await;
    let ended = controller.wake_when(id, |wake| wake.state.ended().is_some()).await;
    assert!(ended.detail.contains("quiet date"), "{}", ended.detail);
    controller.crash().await;
}

#[tokio::test]
async fn a_quiet_period_of_a_calendar_takes_back_what_was_planned_for_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("freeze.ics");
    let today = Clock::system().now().to_zoned(jiff::tz::TimeZone::UTC).date().strftime("%Y%m%d").to_string();
    let event = format!("BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:{today}\r\nDURATION:P2D\r\nEND:VEVENT\r\n");
    std::fs::write(&file, format!("BEGIN:VCALENDAR\r\n{event}END:VCALENDAR\r\n")).expect("written");
    let mut config = config(dir.path());
    config.calendars = vec![CalendarConfig { file, kind: CalendarKind::Quiet, cohorts: vec![] }];
    let controller = Running::start_with(dir.path(), config).await;
    let agent = FakeAgent::welcomed(&controller).await;
    controller.shared.policy_set("mode", "act", "ann").await.expect("allowed");
    let id = controller.request_for(Reason::Forecast, "dev1").await;
    agent.load(&controller, 10.0).await;
    let ended = controller.wake_when(id, |wake| wake.state.ended().is_some()).await;
    assert!(ended.detail.contains("quiet period"), "{}", ended.detail);
    controller.crash().await;
}

/// Two starts that fail within a short while are the host's fault, unless the endpoint turned them down.
#[tokio::test]
async fn what_endpoints_refuse_does_not_slow_the_host_down() {
    for (code, is_braked) in [("endpoint_refused", false), ("", true)] {
        let dir = tempfile::tempdir().expect("a directory");
        let controller = Running::start(dir.path()).await;
        let item = |id: &str| v1::InventoryItem { instance_id: id.into(), ..Default::default() };
        let two = v1::Hello { inventory: vec![item("dev1"), item("dev2")], ..hello(PROTOCOL_VERSION) };
        let mut agent = FakeAgent::connect(&controller, two, &controller.token).await.expect("connects");
        agent.load(&controller, 10.0).await;
        for id in ["dev1", "dev2"] {
            controller.request(id).await;
            let command = agent.next_wake().await;
            agent.failed(&controller, &command, code).await;
            agent.next_ack().await;
        }
        let host = "h1".parse().expect("a host");
        let live = controller.shared.fleet.live(&host).expect("there");
        assert_eq!(live.gate.is_braked(), is_braked, "{code:?}");
        controller.crash().await;
    }
}

#[tokio::test]
async fn the_stop_lever_reaches_agents_and_nothing_is_sent_until_it_is_let_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start(dir.path()).await;
    let mut agent = FakeAgent::welcomed(&controller).await;
    controller.shared.policy_set("stopped", "true", "ann").await.expect("allowed");
    let configured = loop {
        if let Down::Configure(configure) = agent.next().await {
            break configure;
        }
    };
    assert!(configured.stopped);
    agent.load(&controller, 10.0).await;
    let id = controller.request("dev1").await;
    controller.gate_closed("stopped").await;
    let queued = controller.shared.store.wake_get(id).await.expect("readable").expect("there");
    assert_eq!(queued.last_attempt, 0);
    controller.shared.policy_set("stopped", "false", "ann").await.expect("allowed");
    agent.load(&controller, 10.1).await;
    assert_eq!(agent.next_wake().await.wake_id, id.to_string());
    controller.crash().await;
}
