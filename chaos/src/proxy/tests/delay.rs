//! Toxics that only make things late or small: all of it arrives.

use std::time::Duration;

use serde_json::json;
use tokio::{io::AsyncWriteExt, time::Instant};

use super::stage::{Stage, hear, rest, say, soon};

#[tokio::test]
async fn without_toxics_bytes_and_ends_pass_both_ways() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    say(&mut client, "question").await;
    client.shutdown().await.expect("half closed");
    assert_eq!(rest(&mut server).await, b"question");
    say(&mut server, "answer").await;
    drop(server);
    assert_eq!(rest(&mut client).await, b"answer");
}

#[tokio::test]
async fn latency_delays_one_direction_and_proves_it() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("latency", "downstream", json!({"latency": 120})).await;
    say(&mut client, "up").await;
    hear(&mut server, "up").await;
    assert!(!stage.now(&fault).await.proven, "the other direction is left alone");
    let sent_at = Instant::now();
    say(&mut server, "down").await;
    hear(&mut client, "down").await;
    assert!(sent_at.elapsed() >= Duration::from_millis(120));
    let fault = stage.now(&fault).await;
    assert_eq!((fault.bitten.bytes, fault.bitten.connections, fault.proven), (4, 1, true));
}

#[tokio::test]
async fn bandwidth_limits_the_rate_and_loses_nothing() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("bandwidth", "upstream", json!({"rate": 100})).await;
    let bytes: Vec<u8> = (0..40_000u32).map(|n| n as u8).collect();
    let (sent, started_at) = (bytes.clone(), Instant::now());
    let sending = tokio::spawn(async move {
        client.write_all(&sent).await.expect("sent");
        client.shutdown().await.expect("half closed");
        client
    });
    assert_eq!(rest(&mut server).await, bytes);
    assert!(started_at.elapsed() >= Duration::from_millis(400), "40 KB at 100 KB/s");
    sending.await.expect("sent");
    assert_eq!(stage.now(&fault).await.bitten.bytes, 40_000);
}

#[tokio::test]
async fn a_slow_close_is_late_and_its_bytes_are_not() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("slow_close", "downstream", json!({"delay": 150})).await;
    let ended_at = Instant::now();
    say(&mut server, "bye").await;
    drop(server);
    hear(&mut client, "bye").await;
    assert_eq!(rest(&mut client).await, b"");
    assert!(ended_at.elapsed() >= Duration::from_millis(150));
    assert_eq!(stage.now(&fault).await.bitten.connections, 1);
}

#[tokio::test]
async fn a_slicer_cuts_into_packets_and_loses_nothing() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let attributes = json!({"average_size": 10, "size_variation": 3, "delay": 100});
    let fault = stage.toxic("slicer", "upstream", attributes).await;
    let bytes: Vec<u8> = (0..2000u32).map(|n| n as u8).collect();
    client.write_all(&bytes).await.expect("sent");
    client.shutdown().await.expect("half closed");
    assert_eq!(rest(&mut server).await, bytes);
    let slices = stage.now(&fault).await.bitten.chunks;
    assert!((150..300).contains(&slices), "{slices} slices of about 10 bytes");
}

#[tokio::test]
async fn toxics_act_in_a_row() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    for name in ["first", "second"] {
        let attributes = json!({"latency": 60});
        stage.add(json!({"name": name, "type": "latency", "attributes": attributes})).await;
    }
    let sent_at = Instant::now();
    say(&mut server, "x").await;
    soon(hear(&mut client, "x")).await;
    assert!(sent_at.elapsed() >= Duration::from_millis(120));
}
