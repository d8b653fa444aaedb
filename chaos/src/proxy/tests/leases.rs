//! Leases end faults by themselves, whoever made them. Time is the runtime's, and paused.

use std::time::Duration;

use jiff::Timestamp;
use reveille_proto::clock::Clock;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::proxy::{FaultView, NewProxy, NewToxic, ProxyChange, Registry, RemovedBy, Settings, ToxicChange};

/// A registry whose keeper runs, with a proxy that does not listen: a socket would let the paused time run.
async fn registry(lease: Option<Duration>) -> Registry {
    let clock = Clock::scaled(Timestamp::UNIX_EPOCH, 1.0);
    let registry = Registry::new(clock, Settings { lease, connections_max: 10, ..Settings::default() });
    let keeper = registry.clone();
    tokio::spawn(async move { keeper.keep_leases().await });
    let new = NewProxy {
        name: "db".into(),
        listen: "127.0.0.1:0".into(),
        upstream: "127.0.0.1:1".into(),
        enabled: Some(false),
    };
    registry.create(new).await.expect("created");
    registry
}

async fn add(registry: &Registry, toxic: Value) -> FaultView {
    let new: NewToxic = serde_json::from_value(toxic).expect("a toxic");
    let view = registry.add_toxic("db", new).await.expect("added");
    registry.fault(view.fault).await.expect("in the journal")
}

fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

async fn removed_by(registry: &Registry, fault: &FaultView) -> Option<RemovedBy> {
    registry.fault(fault.id).await.expect("in the journal").removed_by
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_with_its_lease_and_says_so() {
    let registry = registry(None).await;
    let leased = add(&registry, json!({"name": "a", "type": "timeout", "lease_s": 15})).await;
    let lasting = add(&registry, json!({"name": "b", "type": "timeout"})).await;
    assert_eq!((leased.lease_s, lasting.lease_s), (Some(15.0), None));
    sleep(seconds(14.9)).await;
    assert_eq!(removed_by(&registry, &leased).await, None);
    sleep(seconds(0.2)).await;
    let over = registry.fault(leased.id).await.expect("in the journal");
    assert_eq!(over.removed_by, Some(RemovedBy::Lease));
    let lasted = over.until.expect("over").duration_since(over.since);
    assert!((15_000..15_100).contains(&lasted.as_millis()), "{lasted}");
    assert_eq!(registry.toxics("db").await.expect("a proxy").len(), 1);
    sleep(seconds(1e6)).await;
    assert_eq!(removed_by(&registry, &lasting).await, None, "it has no lease");
}

#[tokio::test(start_paused = true)]
async fn who_renews_in_time_keeps_it() {
    let registry = registry(None).await;
    let fault = add(&registry, json!({"type": "timeout", "lease_s": 10})).await;
    for _ in 0..5 {
        sleep(seconds(9.0)).await;
        registry.renew(fault.id, None).await.expect("it is on");
    }
    sleep(seconds(9.0)).await;
    assert_eq!(registry.renew_all(Some(30.0)).await.expect("renewed").len(), 1);
    sleep(seconds(29.0)).await;
    let change = ToxicChange { toxicity: Some(0.5), ..ToxicChange::default() };
    registry.change_toxic("db", "timeout_downstream", change).await.expect("a change renews as well");
    sleep(seconds(29.0)).await;
    assert_eq!(removed_by(&registry, &fault).await, None);
    sleep(seconds(2.0)).await;
    assert_eq!(removed_by(&registry, &fault).await, Some(RemovedBy::Lease));
    assert!(registry.renew(fault.id, None).await.is_err(), "it is over");
}

#[tokio::test(start_paused = true)]
async fn the_servers_lease_holds_for_who_brings_none() {
    let registry = registry(Some(Duration::from_secs(5))).await;
    let first = add(&registry, json!({"name": "a", "type": "timeout"})).await;
    let longer = add(&registry, json!({"name": "b", "type": "timeout", "lease_s": 60})).await;
    sleep(seconds(5.5)).await;
    assert_eq!(removed_by(&registry, &first).await, Some(RemovedBy::Lease));
    assert_eq!(removed_by(&registry, &longer).await, None);
}

#[tokio::test]
async fn a_proxy_that_is_down_comes_back_with_its_lease() {
    let registry = registry(None).await;
    let enabled =
        |enabled, lease_s| ProxyChange { enabled: Some(enabled), lease_s, ..ProxyChange::default() };
    let listen = registry.update("db", enabled(true, None)).await.expect("up").listen;
    registry.update("db", enabled(false, Some(0.05))).await.expect("down");
    while !registry.proxy("db").await.expect("a proxy").enabled {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(registry.proxy("db").await.expect("a proxy").listen, listen);
    let journal = registry.journal().await;
    assert_eq!((journal.faults.len(), journal.faults[0].removed_by), (1, Some(RemovedBy::Lease)));
}

#[tokio::test(start_paused = true)]
async fn reset_and_deletion_end_faults_too() {
    let registry = registry(None).await;
    let reset = add(&registry, json!({"type": "timeout"})).await;
    registry.reset().await.expect("reset");
    assert_eq!(removed_by(&registry, &reset).await, Some(RemovedBy::Reset));
    assert!(registry.proxy("db").await.expect("a proxy").enabled);
    let deleted = add(&registry, json!({"type": "timeout"})).await;
    registry.delete("db").await.expect("deleted");
    assert_eq!(removed_by(&registry, &deleted).await, Some(RemovedBy::Proxy));
}
