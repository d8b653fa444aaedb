//! What is changed acts on connections that are open.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::stage::{Stage, hear, is_silent, rest, say, soon};
use crate::proxy::{ProxyChange, RemovedBy, ToxicChange};

fn change(attributes: &Value) -> ToxicChange {
    serde_json::from_value(json!({"attributes": attributes})).expect("a change")
}

#[tokio::test]
async fn what_waits_in_a_toxic_follows_its_change_and_its_removal() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("latency", "downstream", json!({"latency": 3_600_000})).await;
    say(&mut server, "one").await;
    stage.bitten(&fault, 1).await;
    assert!(is_silent(&mut client).await);
    let changed =
        stage.registry.change_toxic("db", "latency_downstream", change(&json!({"latency": 1}))).await;
    assert_eq!(changed.expect("changed").attributes["latency"], 1);
    hear(&mut client, "one").await;
    stage
        .registry
        .change_toxic("db", "latency_downstream", change(&json!({"latency": 3_600_000})))
        .await
        .expect("changed");
    say(&mut server, "two").await;
    stage.bitten(&fault, 2).await;
    stage.remove(&fault).await;
    hear(&mut client, "two").await;
    assert_eq!(stage.now(&fault).await.removed_by, Some(RemovedBy::Request));
}

#[tokio::test]
async fn what_is_sent_after_a_toxic_was_added_meets_it() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    for round in 0..50 {
        let fault = stage.toxic("timeout", "downstream", json!({"timeout": 0})).await;
        say(&mut server, "x").await;
        stage.bitten(&fault, 1).await;
        stage.remove(&fault).await;
        assert_eq!(rest(&mut client).await, b"", "round {round}");
        (client, server) = stage.pair().await;
    }
}

#[tokio::test]
async fn toxicity_can_be_raised_on_an_open_connection() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let attributes = json!({"latency": 100});
    let fault =
        stage.add(json!({"name": "t", "type": "latency", "toxicity": 0.0, "attributes": attributes})).await;
    say(&mut server, "one").await;
    hear(&mut client, "one").await;
    assert!(!stage.now(&fault).await.proven, "it acts on nobody");
    let all = ToxicChange { toxicity: Some(1.0), ..ToxicChange::default() };
    stage.registry.change_toxic("db", "t", all).await.expect("changed");
    let sent_at = Instant::now();
    say(&mut server, "two").await;
    hear(&mut client, "two").await;
    assert!(sent_at.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_proxy_that_is_disabled_closes_all_and_refuses_new_ones() {
    let stage = Stage::new().await;
    let (mut client, _server) = stage.pair().await;
    let down = ProxyChange { enabled: Some(false), ..ProxyChange::default() };
    assert!(!stage.registry.update("db", down).await.expect("updated").enabled);
    assert_eq!(rest(&mut client).await, b"");
    assert!(tokio::net::TcpStream::connect(&stage.address).await.is_err());
    let journal = stage.registry.journal().await;
    assert_eq!((journal.faults[0].kind.as_str(), journal.faults[0].hits), ("link.down", 1));
    let up = ProxyChange { enabled: Some(true), ..ProxyChange::default() };
    let view = stage.registry.update("db", up).await.expect("updated");
    assert_eq!(view.listen, stage.address, "at its old address");
    let (_client, _server) = stage.pair().await;
    assert_eq!(stage.registry.journal().await.faults[0].removed_by, Some(RemovedBy::Request));
}

#[tokio::test]
async fn a_proxy_that_moves_drops_its_connections_and_keeps_its_toxics() {
    let stage = Stage::new().await;
    let (mut client, _server) = stage.pair().await;
    stage.toxic("latency", "downstream", json!({"latency": 1})).await;
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let upstream = Some(elsewhere.local_addr().expect("bound").to_string());
    let view = stage.registry.update("db", ProxyChange { upstream, ..ProxyChange::default() }).await;
    assert_eq!(view.expect("updated").toxics.len(), 1);
    assert_eq!(rest(&mut client).await, b"");
    let _client = stage.client().await;
    soon(elsewhere.accept()).await.expect("dialled elsewhere");
}
