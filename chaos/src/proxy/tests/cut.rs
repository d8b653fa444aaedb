//! Toxics that end a connection: in order, with a reset, or by leaving one side alone.

use serde_json::json;
use tokio::io::AsyncReadExt;

use super::stage::{Stage, is_reset, is_silent, rest, say, soon};

#[tokio::test]
async fn reset_peer_is_a_real_reset_on_both_sides() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("reset_peer", "upstream", json!({})).await;
    say(&mut client, "question").await;
    assert!(is_reset(&mut client).await);
    assert!(is_reset(&mut server).await, "and the server heard nothing");
    let fault = stage.now(&fault).await;
    assert_eq!((fault.bitten.bytes, fault.bitten.connections), (8, 1));
}

#[tokio::test]
async fn a_timeout_drops_data_and_closes_in_order() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("timeout", "upstream", json!({"timeout": 50})).await;
    say(&mut client, "lost").await;
    assert_eq!(rest(&mut client).await, b"");
    assert_eq!(rest(&mut server).await, b"");
    assert_eq!(stage.now(&fault).await.bitten.bytes, 4);
}

#[tokio::test]
async fn a_timeout_of_0_holds_the_line_until_it_is_removed() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("timeout", "upstream", json!({"timeout": 0})).await;
    say(&mut client, "lost").await;
    stage.bitten(&fault, 1).await;
    assert!(is_silent(&mut client).await && is_silent(&mut server).await);
    stage.remove(&fault).await;
    assert_eq!(rest(&mut client).await, b"");
}

#[tokio::test]
async fn limit_data_lets_so_many_bytes_through() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("limit_data", "downstream", json!({"bytes": 6})).await;
    say(&mut server, "abcdefgh").await;
    assert_eq!(rest(&mut client).await, b"abcdef");
    assert!(stage.now(&fault).await.proven);
}

#[tokio::test]
async fn half_open_leaves_the_client_alone_and_resets_it_in_the_end() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("half_open", "downstream", json!({})).await;
    assert!(is_reset(&mut server).await, "it is gone");
    say(&mut client, "anybody there?").await;
    let bitten = stage.bitten(&fault, 1).await;
    assert!(bitten.bitten.connections >= 1);
    assert!(is_silent(&mut client).await);
    let mut newcomer = stage.client().await;
    say(&mut newcomer, "hello").await;
    assert!(is_silent(&mut newcomer).await);
    stage.remove(&fault).await;
    assert!(is_reset(&mut client).await && is_reset(&mut newcomer).await);
    let (_client, _server) = stage.pair().await;
}

#[tokio::test]
async fn half_open_upstream_leaves_the_server_alone() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.pair().await;
    let fault = stage.toxic("half_open", "upstream", json!({})).await;
    assert!(is_reset(&mut client).await);
    say(&mut server, "still there?").await;
    assert!(is_silent(&mut server).await);
    stage.remove(&fault).await;
    assert!(is_reset(&mut server).await);
}

#[tokio::test]
async fn a_reset_of_one_side_is_passed_on_as_a_reset() {
    let stage = Stage::new().await;
    let (mut client, server) = stage.pair().await;
    server.set_zero_linger().expect("a socket");
    drop(server);
    assert!(is_reset(&mut client).await);
}

#[tokio::test]
async fn a_server_that_is_not_there_ends_the_connection() {
    let Stage { registry: _registry, address, server } = Stage::new().await;
    drop(server);
    let mut client = tokio::net::TcpStream::connect(address).await.expect("it listens");
    assert_eq!(soon(client.read(&mut [0u8; 1])).await.expect("in order"), 0);
}
