//! Kill -9 of whoever made the faults, in the middle of every kind: within the lease and five seconds nothing is left.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream as Socket,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{sleep, timeout},
};

use crate::harness::{Process, Stage, programs, until};

const LEASE_S: f64 = 3.0;
/// What a dead runner may leave behind its lease, in seconds.
const LEFT_S_MAX: u64 = 5;

/// Tells this binary that it is the runner, and where the proxy is.
const RUNNER_OF: &str = "REVEILLE_ROAD_RUNNER_OF";

/// Each on a proxy of its own, named after it.
fn faults() -> Vec<(&'static str, Value)> {
    vec![
        ("latency", json!({"latency": 600_000})),
        ("bandwidth", json!({"rate": 0})),
        ("slow_close", json!({"delay": 600_000})),
        ("timeout", json!({"timeout": 0})),
        ("reset_peer", json!({})),
        ("slicer", json!({"average_size": 1, "delay": 600_000_000})),
        ("limit_data", json!({"bytes": 1})),
        ("partition", json!({})),
        ("one_way", json!({"mode": "drop"})),
        ("half_open", json!({})),
        ("down", Value::Null),
    ]
}

/// One request, as plain as a socket allows: the runner has no time for more, and is killed anyway.
fn ask(api: &str, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let asked = || -> std::io::Result<String> {
        let mut socket = Socket::connect(api)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let len = body.len();
        write!(socket, "{method} {path} HTTP/1.0\r\nhost: {api}\r\ncontent-length: {len}\r\n\r\n{body}")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = asked().map_err(|error| error.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| answer.clone())?;
    if !head.lines().next().is_some_and(|line| line.contains(" 20")) {
        return Err(answer);
    }
    Ok(serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Not a test of its own: the process that is killed. It adds all faults and renews their leases for ever.
#[tokio::test]
async fn runner_that_is_killed() {
    let Ok(api) = std::env::var(RUNNER_OF) else { return };
    for (kind, attributes) in faults() {
        let done = if kind == "down" {
            ask(&api, "POST", "/proxies/down", &json!({"enabled": false, "lease_s": LEASE_S}))
        } else {
            let toxic = json!({"type": kind, "attributes": attributes, "lease_s": LEASE_S});
            ask(&api, "POST", &format!("/proxies/{kind}/toxics"), &toxic)
        };
        done.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    loop {
        ask(&api, "POST", "/v1/faults/renew", &Value::Null).expect("the proxy answers");
        sleep(Duration::from_millis(300)).await;
    }
}

/// Says back what it hears.
async fn echo(listener: TcpListener) {
    while let Ok((mut socket, _)) = listener.accept().await {
        tokio::spawn(async move {
            let (mut from, mut to) = socket.split();
            tokio::io::copy(&mut from, &mut to).await.ok();
            to.shutdown().await.ok();
        });
    }
}

/// There and back again, to the end of the stream.
async fn works(address: &str) -> Result<(), String> {
    let there_and_back = async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(b"ping").await?;
        socket.shutdown().await?;
        let mut heard = Vec::new();
        socket.read_to_end(&mut heard).await?;
        Ok::<_, std::io::Error>(heard)
    };
    match timeout(Duration::from_secs(2), there_and_back).await {
        Ok(Ok(heard)) if heard == b"ping" => Ok(()),
        Ok(heard) => Err(format!("{heard:?}")),
        Err(_) => Err("no end in time".into()),
    }
}

/// A proxy that listens, and where its API is.
pub(crate) async fn start_proxy(stage: &Stage, more: &[&str]) -> (Process, String) {
    let mut command = stage.command(&programs().chaos);
    command.args(["--output", "json", "proxy", "--listen", "127.0.0.1:0"]).args(more);
    let process = stage.start("proxy", command);
    let api = until("the proxy says where it is", 60, async || {
        let said = std::fs::read_to_string(stage.path("proxy.log")).map_err(|error| error.to_string())?;
        let line = said.lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
        line.and_then(|line| line["listen"].as_str().map(str::to_owned)).ok_or(said)
    })
    .await;
    (process, api)
}

fn journal(api: &str) -> Result<Vec<Value>, String> {
    let answer = ask(api, "GET", "/v1/faults", &Value::Null)?;
    Ok(answer["faults"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn nothing_outlives_the_runner_by_more_than_the_lease() {
    let stage = Stage::enter().await;
    let (proxy, api) = start_proxy(&stage, &[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let upstream = listener.local_addr().expect("bound").to_string();
    let serving = tokio::spawn(echo(listener));
    let mut addresses = Vec::new();
    for (kind, _) in faults() {
        let new = json!({"name": kind, "listen": "127.0.0.1:0", "upstream": upstream});
        let made = ask(&api, "POST", "/proxies", &new).expect("created");
        let address = made["listen"].as_str().expect("an address").to_owned();
        works(&address).await.expect("without a fault");
        addresses.push((kind, address));
    }

    // By this name it is found even when a build has put another file in its place meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", "dead_runner::runner_that_is_killed", "--nocapture"]).env(RUNNER_OF, &api);
    let mut runner = stage.start("runner", command);
    until("all faults are on", 60, async || {
        assert_eq!(runner.ended(), None, "the runner failed");
        let on = journal(&api)?;
        if on.len() == faults().len() { Ok(()) } else { Err(format!("{on:?}")) }
    })
    .await;
    // In the middle of each: it bites, and has been renewed beyond its first lease.
    for (kind, address) in &addresses {
        assert!(works(address).await.is_err(), "{kind} does not bite");
    }
    sleep(Duration::from_secs_f64(LEASE_S)).await;
    for fault in journal(&api).expect("a journal") {
        assert_eq!(fault["until"], Value::Null, "it was not renewed: {fault}");
        assert!(fault["proven"] == true || fault["kind"] == "link.down", "it did not bite: {fault}");
    }

    runner.kill().await;
    until("all faults are over", LEASE_S as u64 + LEFT_S_MAX, async || {
        let open: Vec<Value> =
            journal(&api)?.into_iter().filter(|fault| fault["removed_by"] != "lease").collect();
        if !open.is_empty() {
            return Err(format!("{open:?}"));
        }
        for (kind, address) in &addresses {
            works(address).await.map_err(|seen| format!("{kind}: {seen}"))?;
        }
        Ok(())
    })
    .await;
    let proxies = ask(&api, "GET", "/proxies", &Value::Null).expect("answered");
    for (kind, _) in &addresses {
        assert_eq!(
            (&proxies[kind]["enabled"], &proxies[kind]["toxics"]),
            (&json!(true), &json!([])),
            "{kind}"
        );
    }
    assert!(proxy.terminate().await.success());
    for (kind, address) in &addresses {
        assert!(TcpStream::connect(address).await.is_err(), "{kind} still listens");
    }
    serving.abort();
}
