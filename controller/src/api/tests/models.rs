//! Versions of the model: shown with their weights, put back, pinned, let go.

use jiff::SignedDuration;
use reveille_proto::InstanceId;

use super::desk::Desk;
use crate::{
    logs::{Batch, Counts, Position},
    tasks::learn_once,
    visits::{Sighting, SightingKind},
};

/// Two versions, the second in service, both with the weights Reveille comes with.
async fn two_versions() -> Desk {
    let desk = Desk::open().await;
    let shared = desk.app.shared();
    let sighting = |day: i64| Sighting {
        instance: InstanceId::new("dev1").unwrap(),
        at: desk.now() - SignedDuration::from_hours(24 * day),
        kind: SightingKind::Visit,
    };
    let batch = Batch {
        sightings: (1..=20).map(sighting).collect(),
        counts: Counts::default(),
        samples: Vec::new(),
        source: "access.log".into(),
        position: Position { fingerprint: "f".into(), offset: 1, line: 20 },
    };
    shared.store.visits_absorb(&batch, SignedDuration::from_hours(2), desk.now()).await.unwrap();
    for _ in 0..2 {
        learn_once(&shared.store, &shared.config, desk.now()).await.unwrap();
    }
    desk
}

#[tokio::test]
async fn a_version_is_put_back_and_on_record() {
    let desk = Box::pin(two_versions()).await;
    let served = desk.post("/v1/models/1/serve").await.ok(200);
    assert_eq!((&served["status"], &served["pinned"]), (&"serving".into(), &true.into()));
    let models = desk.get("/v1/models").await.ok(200);
    assert_eq!(models["items"][0]["status"], "superseded");
    let changes = desk.get("/v1/policy/changes").await.ok(200);
    let change = &changes["items"][0];
    assert_eq!((&change["key"], &change["changed_by"]), (&"model".into(), &"ada".into()));
    assert_eq!((&change["old_value"], &change["new_value"]), (&"2".into(), &"1, pinned".into()));
    let unpinned = desk.post("/v1/models/unpin").await.ok(200);
    assert_eq!((&unpinned["version"], &unpinned["pinned"]), (&1.into(), &false.into()));
}

#[tokio::test]
async fn a_version_shows_what_it_weighs() {
    let desk = Box::pin(two_versions()).await;
    let shown = desk.get("/v1/models/2").await.ok(200);
    assert_eq!((&shown["kind"], &shown["metrics"]["origin"]["from"]), (&"fitted".into(), &"embedded".into()));
    assert!(shown["detail"].as_str().unwrap().contains("less than 56 days"), "{shown}");
    for head in ["wake", "within_1h", "within_3h", "within_24h"] {
        assert!(shown["weights"][head]["intercept"].is_number(), "{head}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_put_back() {
    let desk = Desk::open().await;
    desk.get("/v1/models/7").await.problem(404, "not_found");
    desk.get("/v1/models/seven").await.problem(400, "invalid");
    desk.post("/v1/models/7/serve").await.problem(404, "not_found");
    desk.post("/v1/models/unpin").await.problem(409, "conflict");
}
