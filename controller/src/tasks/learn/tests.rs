//! Training on a fleet of people with habits: fresh weights serve, bad ones do not, and what an operator put back stays.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;

use super::{LearnStatus, learn_told};
use crate::{
    config::{Config, FitSource},
    logs::{Batch, Counts, Position},
    model::{Fitted, ModelKind, Origin},
    store::{ModelRow, ModelStatus, Store},
    tasks::TrainLimits,
    visits::{Sighting, SightingKind},
};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const INSTANCES: u64 = 9;
/// A Monday.
const START: &str = "2026-01-05T00:00:00Z";

/// Small enough for a test, large enough to fit to.
fn limits() -> TrainLimits {
    TrainLimits { rows_max: 12_000, active_instance_days_min: 300, ..TrainLimits::default() }
}

fn day(day: u64) -> Timestamp {
    START.parse::<Timestamp>().expect("a timestamp") + DAY * day as i32
}

/// The same number each time, evenly spread below `below`.
fn chance(instance: u64, day: u64, what: u64, below: u64) -> u64 {
    let mixed = (instance * 1_000_003 + day * 7_919 + what).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33) % below
}

struct Fleet {
    store: Store,
    config: Config,
    dir: tempfile::TempDir,
}

impl Fleet {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("reveille.db")).await.expect("opens");
        Self { store, config: Config::default(), dir }
    }

    async fn reopened(self) -> Self {
        self.store.close().await;
        let store = Store::open(&self.dir.path().join("reveille.db")).await.expect("opens again");
        Self { store, ..self }
    }

    /// What was seen from `from` until before `to`: on most workdays everybody comes at an hour of their own and stays
    /// for a morning. Where the hours are shuffled, people come on few days, at any time of them.
    async fn lives(&self, from: u64, to: u64, shuffled: bool) {
        for instance in 0..INSTANCES {
            let comes = (from..to).filter(|day| {
                let drawn = chance(instance, *day, 1, 10);
                if shuffled { drawn < 2 } else { day % 7 < 5 && drawn < 9 }
            });
            let minute = |day: u64| {
                if shuffled {
                    chance(instance, day, 2, 24 * 60)
                } else {
                    (7 + instance % 4) * 60 + chance(instance, day, 2, 40)
                }
            };
            let id = InstanceId::new(format!("dev{instance}")).expect("an id");
            let stays = comes.flat_map(|on| {
                let arrival = day(on) + SignedDuration::from_mins(minute(on) as i64);
                [0, 60, 120].map(|later| arrival + SignedDuration::from_mins(later))
            });
            let sighting = |at| Sighting { instance: id.clone(), at, kind: SightingKind::Visit };
            let batch = Batch {
                sightings: stays.map(sighting).collect(),
                counts: Counts::default(),
                samples: Vec::new(),
                source: format!("{id}.log"),
                position: Position { fingerprint: "f".into(), offset: to, line: to },
            };
            let gap = SignedDuration::from_secs(self.config.visits.idle_gap_s.into());
            self.store.visits_absorb(&batch, gap, day(to)).await.expect("kept");
        }
    }

    async fn learns(&self, on: u64) -> LearnStatus {
        learn_told(&self.store, &self.config, day(on), &limits(), |_| {}).await.expect("learns")
    }

    async fn serving(&self) -> ModelRow {
        self.store.model_serving().await.expect("readable").expect("one serves")
    }
}

#[tokio::test]
async fn weights_are_fitted_and_bad_ones_are_refused() {
    let fleet = Fleet::new().await;
    fleet.lives(0, 72, false).await;
    let first = fleet.learns(72).await;
    assert_eq!((first.origin, &first.rejected), (Some(Origin::Training), &None), "{first:?}");
    let quality = first.quality.expect("judged");
    assert!(quality.log_loss < 0.7 * quality.log_loss_constant, "{quality:?}");
    assert!(quality.log_loss < quality.log_loss_in_service && quality.recall > 0.3, "{quality:?}");
    let good = fleet.serving().await;
    assert_eq!((good.version, good.kind, &good.detail), (1, ModelKind::Fitted, &String::new()));
    let stays = fleet.store.stays_of(1).await.expect("readable");
    assert_eq!(stays.len(), INSTANCES as usize);
    assert!(stays.iter().all(|(_, profile, _)| profile.stays().len() > 40), "every visit is a stay");

    // Three weeks of noise: what is fitted to them says nothing, and neither goes what serves.
    fleet.lives(72, 94, true).await;
    let second = fleet.learns(94).await;
    assert_eq!(
        (second.origin, &second.rejected),
        (Some(Origin::Version { version: 1 }), &None),
        "{second:?}"
    );
    let why = second.kept_because.expect("refused");
    assert!(why.starts_with("the weights fitted were refused: on days it had not seen"), "{why}");
    let serving = fleet.serving().await;
    assert_eq!((serving.version, &serving.detail), (2, &why), "the profiles are new");
    assert_eq!(serving.fitted, good.fitted, "the weights are not");
    let third = fleet.learns(94).await;
    assert_eq!(
        third.origin,
        Some(Origin::Version { version: 1 }),
        "and not version 2, which only took them over"
    );
}

#[tokio::test]
async fn a_rollback_holds_over_restarts_and_trainings() {
    let fleet = Fleet::new().await;
    fleet.lives(0, 20, false).await;
    let first = fleet.learns(20).await;
    assert_eq!(first.origin, Some(Origin::Embedded));
    let why = first.kept_because.expect("too few days");
    assert!(why.contains("less than 56 days"), "{why}");
    assert_eq!(fleet.serving().await.fitted.as_ref(), Some(Fitted::embedded()));
    fleet.learns(20).await;
    fleet.store.model_serve(1, day(20), "ann").await.expect("put back");
    let fleet = fleet.reopened().await;
    let third = fleet.learns(21).await;
    assert_eq!(third.rejected.as_deref().map(|why| why.starts_with("version 1 is pinned")), Some(true));
    let serving = fleet.serving().await;
    assert_eq!((serving.version, serving.pinned), (1, true));
    assert_eq!(fleet.store.stays_of(1).await.expect("readable").len(), INSTANCES as usize);
    let changes = fleet.store.policy_changes(9).await.expect("readable");
    let told: Vec<_> = changes
        .iter()
        .map(|c| (c.key.as_str(), c.old_value.as_str(), c.new_value.as_str(), c.changed_by.as_str()))
        .collect();
    assert_eq!(told, [("model", "2", "1, pinned", "ann")]);
    assert_eq!(fleet.store.model_unpin(day(21), "bob").await.expect("unpinned"), 1);
    assert_eq!(fleet.learns(21).await.rejected, None);
    let statuses: Vec<_> = fleet
        .store
        .models_list(9)
        .await
        .expect("readable")
        .iter()
        .map(|row| (row.version, row.status))
        .collect();
    let expected =
        [ModelStatus::Serving, ModelStatus::Rejected, ModelStatus::Superseded, ModelStatus::Superseded];
    assert_eq!(statuses, [4, 3, 2, 1].into_iter().zip(expected).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_rule_asks_for_no_weights_and_embedded_ones_for_no_fit() {
    let mut fleet = Fleet::new().await;
    fleet.lives(0, 70, false).await;
    fleet.config.model.kind = ModelKind::Rule;
    let learned = fleet.learns(70).await;
    assert_eq!((learned.kind, learned.origin, learned.quality), (ModelKind::Rule, None, None));
    assert_eq!(fleet.serving().await.fitted, None);
    assert!(fleet.store.stays_of(1).await.expect("readable").is_empty());
    fleet.config.model.kind = ModelKind::Fitted;
    fleet.config.model.fit = FitSource::Embedded;
    let learned = fleet.learns(70).await;
    assert_eq!((learned.origin, learned.kept_because, learned.quality), (Some(Origin::Embedded), None, None));
}
