//! The hold-out on a real database: planned once, kept asleep all day, told in the report.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{InstanceId, clock::Clock};
use serde_json::Value;

use super::desk::Desk;
use crate::{
    app::Seams,
    config::Config,
    logs::{Batch, Counts, Position},
    plan::HoldOut,
    policy::Mode,
    report::effect::Arm,
    tasks::{Plan, Task, learn_once},
    visits::{Sighting, SightingKind},
};

const INSTANCES: usize = 20;

fn at(text: &str) -> Timestamp {
    format!("2026-03-{text}:00Z").parse().unwrap()
}

fn name(n: usize) -> String {
    format!("dev{n:02}")
}

/// All ask to be woken at the given times.
async fn ask(desk: &Desk, source: &str, times: &[Timestamp]) {
    let sighting = |(n, time): (usize, &Timestamp)| Sighting {
        instance: InstanceId::new(name(n)).unwrap(),
        at: *time,
        kind: SightingKind::WakeRequest,
    };
    let batch = Batch {
        sightings: (0..INSTANCES)
            .flat_map(|n| times.iter().map(move |time| (n, time)))
            .map(sighting)
            .collect(),
        counts: Counts::default(),
        samples: Vec::new(),
        source: source.into(),
        position: Position { fingerprint: "f".into(), offset: 1, line: 1 },
    };
    let gap = SignedDuration::from_hours(2);
    desk.app.shared().store.visits_absorb(&batch, gap, desk.now()).await.unwrap();
}

/// Twenty instances that were used at 09:10 on each of forty days; it is half past eight on the second of March.
async fn morning(change: impl FnOnce(&mut Config)) -> Desk {
    let seams = Seams::new(Clock::scaled(at("02T08:30"), 1.0), 1);
    let desk = Desk::with_seams(seams, |config| {
        config.plan.hold_out_share = 0.5;
        config.policy.mode = Mode::Act;
        change(config);
    })
    .await;
    let names: Vec<String> = (0..INSTANCES).map(name).collect();
    desk.host("h1", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let days = (1..=40).map(|back| at("02T09:10") - SignedDuration::from_hours(24 * back));
    ask(&desk, "history.log", &days.collect::<Vec<_>>()).await;
    let shared = desk.app.shared();
    assert_eq!(learn_once(&shared.store, &shared.config, desk.now()).await.unwrap().rejected, None);
    desk
}

/// How many wakes are planned and how many held out.
async fn wished(desk: &Desk) -> (usize, usize) {
    let store = &desk.app.shared().store;
    let (from, to) = (at("01T00:00"), at("09T00:00"));
    let planned = store.planned_between(from, to).await.unwrap();
    let held_out = store.held_out_between(from, to).await.unwrap();
    (planned.len(), held_out.len())
}

#[tokio::test]
async fn who_is_held_out_is_kept_asleep_and_written_down_once() {
    let desk = Box::pin(morning(|_| {})).await;
    let mut plan = Plan::new(desk.app.shared().clone());
    plan.activate().await.unwrap();
    let draw = HoldOut { share: 0.5, salt: String::new() };
    let today = (at("02T00:00").as_second() / 86_400) as i32;
    let held =
        (0..INSTANCES).filter(|n| draw.holds("blue", &InstanceId::new(name(*n)).unwrap(), today)).count();
    assert!((1..INSTANCES).contains(&held), "both arms: {held}");
    assert_eq!(wished(&desk).await, (INSTANCES - held, held));
    let wakes = desk.get("/v1/wakes").await.ok(200);
    assert_eq!(wakes["items"].as_array().map(Vec::len), Some(INSTANCES - held));
    let first = desk.app.shared().store.omissions_list(None, 0).await.unwrap();
    assert!(first.len() == held && first.iter().all(|row| row.code == "held_out"), "{first:?}");

    plan.activate().await.unwrap();
    assert_eq!(wished(&desk).await, (INSTANCES - held, held), "nothing twice");
    let second = desk.app.shared().store.omissions_list(None, 0).await.unwrap();
    assert!(second.is_empty(), "that all are covered is counted, not noted: {second:?}");
    let plan = desk.app.shared().store.plan_newest().await.unwrap().unwrap();
    assert_eq!(plan.omissions, INSTANCES as u64);

    // A person is never held out.
    let id = first[0].instance.as_str();
    assert_eq!(desk.post(&format!("/v1/instances/{id}/wake")).await.ok(202)["reason"], "demand");
}

#[tokio::test]
async fn the_report_compares_both_arms_when_the_day_is_over() {
    let desk = Box::pin(morning(|_| {})).await;
    let shared = desk.app.shared().clone();
    Plan::new(shared.clone()).activate().await.unwrap();
    ask(&desk, "today.log", &[at("02T09:20")]).await;
    let told = async |to: &str| {
        let card = desk.get(&format!("/v1/report?to={}", at(to))).await.ok(200);
        card["trial"].clone()
    };
    shared.logs_read(at("02T23:00"));
    assert_eq!(told("02T23:00").await["since"], Value::Null, "the day is not over");
    shared.logs_read(at("03T01:00"));
    let trial = told("03T01:00").await;
    let (woken, held) = wished(&desk).await;
    assert_eq!(
        (&trial["woken"]["units"], &trial["held_out"]["units"]),
        (&woken.into(), &held.into()),
        "{trial}"
    );
    // No agent was there: all asked.
    assert_eq!((&trial["woken"]["asked"], &trial["held_out"]["asked"]), (&woken.into(), &held.into()));
    assert_eq!((&trial["effect"], &trial["significance"]["significant"]), (&Value::Null, &"not_yet".into()));
    let since = trial["since"].as_str().expect("a time");
    assert!(since.starts_with("2026-03-02T08:30"), "due when the plan was made: {since}");
}

#[tokio::test]
async fn plans_that_do_not_act_or_do_not_draw_are_no_part_of_the_trial() {
    for (mode, share) in [(Mode::ForecastOnly, 0.5), (Mode::Act, 0.0)] {
        let change = |config: &mut Config| {
            config.policy.mode = mode;
            config.plan.hold_out_share = share;
        };
        let desk = Box::pin(morning(change)).await;
        let shared = desk.app.shared().clone();
        Plan::new(shared.clone()).activate().await.unwrap();
        let (planned, _) = wished(&desk).await;
        assert!(planned > 0);
        assert_eq!(shared.store.wishes_began_at().await.unwrap(), None);
        assert_eq!(shared.store.wishes_between(at("01T00:00"), at("09T00:00")).await.unwrap(), []);
    }
}

#[tokio::test]
async fn wishes_are_read_in_order_and_forgotten_in_time() {
    let desk = Box::pin(morning(|_| {})).await;
    let shared = desk.app.shared().clone();
    Plan::new(shared.clone()).activate().await.unwrap();
    let all = || shared.store.wishes_between(at("02T08:30"), at("02T09:00"));
    let wishes = all().await.unwrap();
    assert!(wishes.is_sorted_by_key(|wish| (wish.instance.clone(), wish.due_at)));
    let arms: Vec<usize> =
        [Arm::Woken, Arm::HeldOut].map(|arm| wishes.iter().filter(|wish| wish.arm == arm).count()).into();
    assert_eq!((arms[0], arms[1]), wished(&desk).await);
    let one = &wishes[0];
    assert_eq!(one.hour_at, at("02T08:30"), "the quarter hour it serves in");
    assert!((at("02T08:30")..at("02T08:31")).contains(&one.due_at));
    assert_eq!(one.serve_at, one.due_at + SignedDuration::from_secs(300));
    assert!((one.hold_out_share - 0.5).abs() < 1e-12);
    assert_eq!(shared.store.wishes_began_at().await.unwrap(), Some(one.serve_at));
    shared.store.prune(at("02T09:01")).await.unwrap();
    assert_eq!((wished(&desk).await, all().await.unwrap()), ((0, 0), vec![]));
}
