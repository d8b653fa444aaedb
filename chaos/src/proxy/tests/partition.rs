//! Partitions, whole and one-way: nobody is told, and what was held arrives after the healing.

use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::stage::{Stage, hear, is_reset, is_silent, rest, say};

#[tokio::test]
async fn a_partition_holds_open_and_new_connections_and_heals() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.add(json!({"type": "partition"})).await;
    say(&mut client, "up").await;
    say(&mut server, "down").await;
    let mut newcomer = stage.client().await;
    say(&mut newcomer, "hello").await;
    // Two directions of one connection, and the newcomer.
    assert_eq!(stage.bitten(&fault, 3).await.bitten.bytes, 6);
    assert!(is_silent(&mut client).await && is_silent(&mut server).await);
    stage.remove(&fault).await;
    hear(&mut server, "up").await;
    hear(&mut client, "down").await;
    let (mut late, _) = stage.server.accept().await.expect("dialled");
    hear(&mut late, "hello").await;
}

#[tokio::test]
async fn a_partition_that_drops_resets_who_lost_something() {
    let stage = Stage::new().await;
    let (mut talker, mut server) = stage.pair().await;
    let (mut silent, mut of_silent) = stage.pair().await;
    let fault = stage.add(json!({"type": "partition", "attributes": {"mode": "drop"}})).await;
    say(&mut talker, "lost").await;
    stage.bitten(&fault, 1).await;
    assert!(is_silent(&mut server).await);
    stage.remove(&fault).await;
    assert!(is_reset(&mut talker).await && is_reset(&mut server).await);
    say(&mut silent, "fine").await;
    hear(&mut of_silent, "fine").await;
}

#[tokio::test]
async fn one_way_the_other_way_goes_on_and_no_end_gets_through() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("one_way", "downstream", json!({})).await;
    say(&mut client, "up").await;
    hear(&mut server, "up").await;
    server.shutdown().await.expect("half closed");
    stage.bitten(&fault, 1).await;
    assert!(is_silent(&mut client).await, "the end is held");
    say(&mut client, "more").await;
    hear(&mut server, "more").await;
    stage.remove(&fault).await;
    assert_eq!(rest(&mut client).await, b"");
}

#[tokio::test]
async fn what_is_sent_into_a_partition_stays_bounded() {
    let stage = Stage::new().await;
    let (client, _server) = stage.pair().await;
    let fault = stage.toxic("one_way", "upstream", json!({})).await;
    let bytes = vec![0u8; 64 * 1024];
    // Until the kernel's own buffers are full as well.
    let mut sent = 0;
    client.writable().await.expect("connected");
    while let Ok(written) = client.try_write(&bytes) {
        sent += written;
        assert!(sent < 64 * 1024 * 1024, "the sender is never held back");
        tokio::task::yield_now().await;
    }
    let held = stage.bitten(&fault, 1).await.bitten;
    assert_eq!(held.chunks, 1, "the proxy itself holds one chunk: {held:?}");
}
