//! Forecasts and the report, from visits that were really absorbed and a model that was really fitted.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;

use super::desk::Desk;
use crate::{
    logs::{Batch, Counts, Position},
    model::meta::ModelKind,
    tasks::learn_once,
    visits::{Sighting, SightingKind},
};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn midnight(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second().div_euclid(86_400) * 86_400).unwrap()
}

/// `instance` asked to be woken at 09:10 UTC on each of the last 40 days.
async fn seen_each_morning(desk: &Desk, instance: &str, today: Timestamp) {
    let sighting = |day: i32| Sighting {
        instance: InstanceId::new(instance).unwrap(),
        at: today - DAY * day + SignedDuration::from_mins(9 * 60 + 10),
        kind: SightingKind::WakeRequest,
    };
    let batch = Batch {
        sightings: (1..=40).map(sighting).collect(),
        counts: Counts::default(),
        samples: Vec::new(),
        source: format!("{instance}.log"),
        position: Position { fingerprint: "f".into(), offset: 1, line: 40 },
    };
    let gap = SignedDuration::from_hours(2);
    desk.app.shared().store.visits_absorb(&batch, gap, desk.now()).await.unwrap();
}

async fn learn(desk: &Desk) {
    let shared = desk.app.shared();
    let learned = learn_once(&shared.store, &shared.config, desk.now()).await.unwrap();
    assert_eq!(learned.rejected, None);
}

#[tokio::test]
async fn forecasts_come_from_the_model_in_service() {
    let desk = Desk::with(|config| config.model.kind = ModelKind::Rule).await;
    desk.get("/v1/forecast").await.problem(404, "not_found");
    let today = midnight(desk.now());
    seen_each_morning(&desk, "dev1", today).await;
    seen_each_morning(&desk, "dev2", today).await;
    learn(&desk).await;
    let at = (today + DAY + SignedDuration::from_hours(8)).to_string();
    let page = desk.get(&format!("/v1/forecast?at={at}&within=2h&page_size=1")).await.ok(200);
    assert_eq!((&page["model_version"], &page["within_s"]), (&1.into(), &7200.into()));
    assert_eq!(page["items"][0]["instance_id"], "dev1");
    assert_eq!(page["items"][0]["probability"], 1.0);
    assert_eq!(page["next_page_token"], "dev1");
    let rest = desk.get(&format!("/v1/forecast?at={at}&within=2h&page_token=dev1")).await.ok(200);
    assert_eq!((&rest["items"][0]["instance_id"], &rest["next_page_token"]), (&"dev2".into(), &"".into()));
    let unlikely = desk.get(&format!("/v1/forecast?at={at}&within=1h&min_probability=0.5")).await.ok(200);
    assert_eq!(unlikely["items"].as_array().unwrap().len(), 0, "at 8 nobody comes");
    let one = desk.get(&format!("/v1/forecast?at={at}&within=1h&instance=dev2")).await.ok(200);
    assert_eq!(one["items"][0]["probability"], 0.0);
    desk.get("/v1/forecast?instance=stranger").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_new_version_takes_the_place_of_the_one_in_memory() {
    let desk = Desk::open().await;
    let today = midnight(desk.now());
    seen_each_morning(&desk, "dev1", today).await;
    learn(&desk).await;
    assert_eq!(desk.get("/v1/forecast").await.ok(200)["items"].as_array().unwrap().len(), 1);
    seen_each_morning(&desk, "dev2", today).await;
    learn(&desk).await;
    let page = desk.get("/v1/forecast").await.ok(200);
    assert_eq!((&page["model_version"], page["items"].as_array().unwrap().len()), (&2.into(), 2));
    let models = desk.get("/v1/models").await.ok(200);
    let versions: Vec<_> = models["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["version"].as_u64().unwrap(), &m["status"]))
        .collect();
    assert_eq!(versions, [(2, &"serving".into()), (1, &"superseded".into())]);
}

#[tokio::test]
async fn the_report_counts_what_the_logs_said() {
    let desk = Desk::open().await;
    desk.host("h1", &["dev1"]).await;
    let today = midnight(desk.now());
    seen_each_morning(&desk, "dev1", today).await;
    let (from, to) = (today - DAY * 7, today);
    let card = desk.get(&format!("/v1/report?from={from}&to={to}")).await.ok(200);
    assert_eq!((&card["arrivals"], &card["asked"], &card["found_awake"]), (&7.into(), &7.into(), &0.into()));
    let baseline = &card["baseline"][0];
    assert_eq!((&baseline["cohort"], &baseline["now_per_day"]), (&"blue".into(), &serde_json::Value::Null));
    assert_eq!(baseline["before_per_day"], 1.0);
    let wake = desk.post("/v1/instances/dev1/wake").await.ok(202);
    desk.post(&format!("/v1/wakes/{}/cancel", wake["wake_id"].as_str().unwrap())).await.ok(200);
    let until = desk.now() + SignedDuration::from_secs(1);
    let card = desk.get(&format!("/v1/report?from={from}&to={until}")).await.ok(200);
    assert_eq!((&card["wakes_asked_for"], &card["wakes"]), (&1.into(), &0.into()));
    let sources = desk.get("/v1/sources").await.ok(200);
    assert_eq!(sources["items"][0]["source"], "dev1.log");
}

#[tokio::test]
async fn before_the_first_plan_there_is_none() {
    let desk = Desk::open().await;
    desk.get("/v1/plan").await.problem(404, "not_found");
    assert_eq!(desk.get("/v1/plan/omissions").await.ok(200)["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn an_explanation_needs_an_instance_and_a_fitted_model() {
    let desk = Desk::open().await;
    desk.get("/v1/instances/dev1/explain").await.problem(404, "not_found");
    desk.host("host-1", &["dev1"]).await;
    let problem = desk.get("/v1/instances/dev1/explain").await.problem(404, "not_found");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("fitted model")), "{problem}");
    desk.get("/v1/instances/dev1/explain?at=soon").await.problem(400, "invalid");
}

#[tokio::test]
async fn a_fitted_model_forecasts_and_explains() {
    let desk = Desk::open().await;
    desk.host("host-1", &["dev1", "dev2"]).await;
    let today = midnight(desk.now());
    seen_each_morning(&desk, "dev1", today).await;
    seen_each_morning(&desk, "dev2", today).await;
    learn(&desk).await;
    // Yesterday at 8 the users were about to come, as on every day.
    let at = (today - DAY + SignedDuration::from_hours(8)).to_string();
    let page = desk.get(&format!("/v1/forecast?at={at}&within=3h&page_size=1")).await.ok(200);
    let first = &page["items"][0];
    assert_eq!((&first["instance_id"], &page["next_page_token"]), (&"dev1".into(), &"dev1".into()));
    assert!(first["probability"].as_f64().is_some_and(|likely| likely > 0.3), "{first}");
    assert!(
        first["why"]
            .as_str()
            .is_some_and(|why| why.contains("within the next 3 h on 28 of the last 28 days"))
    );
    let told = desk.get(&format!("/v1/instances/dev1/explain?at={at}")).await.ok(200);
    assert_eq!((&told["within_3h"], &told["habit"]), (&first["probability"], &first["why"]));
    assert_eq!((told["week"].as_array().map(Vec::len), &told["plan"]), (Some(672), &serde_json::Value::Null));
    assert!(told["score"].is_f64() && told["threshold"].is_f64(), "{told}");
    desk.get("/v1/forecast?instance=stranger").await.problem(404, "not_found");
}
