//! Thousands of connections at once, and the same luck for the same seed.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::stage::{Stage, soon};
use crate::proxy::{NewProxy, Registry, Settings};
use reveille_proto::clock::Clock;

/// Four sockets each, two of them the proxy's.
const CONNECTIONS: u32 = 200;

async fn echo(stage: Stage) {
    loop {
        let Ok((mut socket, _)) = stage.server.accept().await else { return };
        tokio::spawn(async move {
            let (mut from, mut to) = socket.split();
            tokio::io::copy(&mut from, &mut to).await.ok();
            to.shutdown().await.ok();
        });
    }
}

async fn round_trip(address: String) -> Result<(), std::io::Error> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(b"ping").await?;
    client.read_exact(&mut [0u8; 4]).await?;
    Ok(())
}

#[tokio::test]
async fn many_connections_are_carried_at_once() {
    let stage = Stage::new().await;
    let upstream = stage.server.local_addr().expect("bound").to_string();
    let registry =
        Registry::new(Clock::system(), Settings { connections_max: CONNECTIONS / 4, ..Settings::default() });
    let new = NewProxy { name: "few".into(), upstream, ..NewProxy::default() };
    let address = registry.create(new).await.expect("created").listen;
    let serving = tokio::spawn(echo(stage));
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(round_trip(address.clone()));
    }
    let answered = soon(clients.join_all()).await;
    assert!(answered.iter().all(Result::is_ok), "{answered:?}");
    assert_eq!(registry.connections("few").await.expect("a proxy").1, u64::from(CONNECTIONS));
    serving.abort();
}

#[tokio::test]
async fn toxicity_hits_its_share_of_the_connections_and_the_same_ones_again() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let stage = Stage::new().await;
        stage.add(json!({"type": "reset_peer", "stream": "upstream", "toxicity": 0.5})).await;
        let (address, serving) = (stage.address.clone(), tokio::spawn(echo(stage)));
        let mut lucky = Vec::new();
        for _ in 0..40 {
            lucky.push(round_trip(address.clone()).await.is_ok());
        }
        serving.abort();
        runs.push(lucky);
    }
    assert_eq!(runs[0], runs[1]);
    let lucky = runs[0].iter().filter(|lucky| **lucky).count();
    assert!((10..=30).contains(&lucky), "{lucky} of 40");
}
