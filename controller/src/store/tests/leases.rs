//! Leases: taken by one, renewed by its holder, and a late writer is kept out.

use super::*;
use crate::{
    plan::WakePlan,
    policy::Mode,
    store::{ControllerRow, Fence},
};

both!(a_lease_has_one_holder_and_every_taking_an_epoch, a_late_writer_is_fenced, controllers_are_known);

async fn a_lease_has_one_holder_and_every_taking_an_epoch(home: Home) {
    let store = home.open().await;
    assert_eq!(store.lease_read("lead").await.expect("readable"), None);
    assert_eq!(store.lease_take("lead", "c1", None).await.expect("asked"), Some(1));
    assert_eq!(store.lease_take("lead", "c2", None).await.expect("asked"), None, "too late");
    assert!(store.lease_renew("lead", "c1", 1).await.expect("renewed"));
    assert_eq!(store.lease_take("lead", "c2", Some((1, 0))).await.expect("asked"), None, "it has moved on");
    let seen = store.lease_read("lead").await.expect("readable").expect("held");
    assert_eq!((seen.holder.as_str(), seen.epoch, seen.beat), ("c1", 1, 1));
    let rivals = ["c2", "c3", "c4"].map(|me| {
        let store = store.clone();
        tokio::spawn(async move { store.lease_take("lead", me, Some((1, 1))).await.expect("asked") })
    });
    let mut taken = Vec::new();
    for rival in rivals {
        taken.extend(rival.await.expect("ran"));
    }
    assert_eq!(taken, [2], "one of them, under a new epoch");
    assert!(!store.lease_renew("lead", "c1", 1).await.expect("asked"));
    assert!(!store.lease_release("lead", "c1", 1).await.expect("asked"));
    let holder = store.lease_read("lead").await.expect("readable").expect("held").holder;
    assert!(store.lease_release("lead", &holder, 2).await.expect("released"));
    let free = store.lease_read("lead").await.expect("readable").expect("known");
    assert_eq!((free.holder.as_str(), free.epoch), ("", 2));
    let taken = store.lease_take("lead", "c1", Some((free.epoch, free.beat))).await.expect("asked");
    assert_eq!(taken, Some(3));
}

fn plan() -> WakePlan {
    WakePlan {
        made_at: t(0),
        horizon_end: t(7200),
        mode: Mode::Act,
        model_version: 1,
        hold_out_share: 0.0,
        wakes: Vec::new(),
        omissions: Vec::new(),
        passed: crate::plan::Passed::default(),
    }
}

async fn a_late_writer_is_fenced(home: Home) {
    let store = home.open().await;
    let fence = |epoch| Fence { lease: "lead".into(), epoch };
    let refused = store.plan_keep(&plan(), Some(&fence(1))).await;
    assert!(matches!(refused, Err(StoreError::Fenced { epoch: 1, .. })), "{refused:?}");
    store.lease_take("lead", "c1", None).await.expect("asked").expect("taken");
    let kept = store.plan_keep(&plan(), Some(&fence(1))).await.expect("kept");
    store.lease_take("lead", "c2", Some((1, 0))).await.expect("asked").expect("taken");
    let refused = store.plan_keep(&plan(), Some(&fence(1))).await.expect_err("late");
    assert_eq!(refused.to_string(), "the lease lead is no longer held under epoch 1");
    let newest = store.plan_newest().await.expect("readable").expect("one");
    assert_eq!(newest.plan_id, kept, "nothing of the late plan is kept");
    store.plan_keep(&plan(), Some(&fence(2))).await.expect("kept");
    store.lease_release("lead", "c2", 2).await.expect("released");
    store.plan_keep(&plan(), Some(&fence(2))).await.expect_err("let go");
    store.plan_keep(&plan(), None).await.expect("nobody asked for a lease");
}

async fn controllers_are_known(home: Home) {
    let store = home.open().await;
    let row = |name: &str, seen| ControllerRow {
        controller: name.into(),
        epoch: 1,
        started_at: t(0),
        seen_at: t(seen),
        grpc_address: "127.0.0.1:7412".into(),
        http_address: "127.0.0.1:7411".into(),
        version: "0".into(),
    };
    store.controller_keep(&row("c2", 0)).await.expect("kept");
    store.controller_keep(&row("c1", 0)).await.expect("kept");
    if store.is_shared() {
        let used = store.free_of_controllers(t(5)).await;
        assert!(matches!(used, Err(StoreError::InUse { age_s: 5, .. })), "{used:?}");
    }
    store.free_of_controllers(t(11)).await.expect("nobody was there lately");
    store.controller_seen("c1", t(5)).await.expect("kept");
    assert_eq!(store.controllers_seen_since(t(5)).await.expect("readable"), ["c1"]);
    assert_eq!(store.controllers_list().await.expect("readable"), [row("c1", 5), row("c2", 0)]);
    let epochs =
        [store.epoch_begin(t(0), "0").await.expect("one"), store.epoch_begin(t(0), "0").await.expect("two")];
    assert!(epochs[0] < epochs[1]);
}
