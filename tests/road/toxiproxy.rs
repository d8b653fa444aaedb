//! A client of Toxiproxy that others have written drives our proxy: `toxiproxy-python`, as the package index has it.

use std::{path::PathBuf, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::{dead_runner::start_proxy, harness::Stage};

/// The client, pinned: what it sends is known.
const CLIENT: &str = "toxiproxy-python==0.1.1";
const INSTALL_S_MAX: u64 = 240;
const RUN_S_MAX: u64 = 120;

const SCRIPT: &str = r#"
import socket, sys, threading, time
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

def echo():
    server = socket.create_server(("127.0.0.1", 0))
    def serve():
        while True:
            connection, _ = server.accept()
            def talk(connection=connection):
                try:
                    while data := connection.recv(4096):
                        connection.sendall(data)
                except OSError:
                    pass
                connection.close()
            threading.Thread(target=talk, daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return "127.0.0.1:%d" % server.getsockname()[1]

def connect(proxy):
    host, port = proxy.listen.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=20)
    return connection

def round_trip(connection):
    began = time.monotonic()
    connection.sendall(b"ping")
    assert connection.recv(4) == b"ping"
    return time.monotonic() - began

def refused(error, call):
    try:
        call()
    except error:
        return
    raise AssertionError("not refused with %s" % error)

host, port = sys.argv[1].rsplit(":", 1)
server = Toxiproxy()
server.update_api_consumer(host, int(port))
assert server.running() and b'"version"' in server.version()
upstream = echo()

proxy = server.create(name="db", upstream=upstream)
assert proxy.enabled and not proxy.listen.endswith(":0"), proxy.listen
refused(ProxyExists, lambda: server.create(name="db", upstream=upstream))
assert set(server.proxies()) == {"db"}
connection = connect(proxy)
round_trip(connection)

# On a connection that is open, and off again.
proxy.add_toxic(type="latency", attributes={"latency": 250, "jitter": 0})
toxic = proxy.get_toxic("latency_downstream")
assert (toxic.stream, toxic.toxicity, toxic.attributes["latency"]) == ("downstream", 1.0, 250), vars(toxic)
assert round_trip(connection) >= 0.25
refused(ProxyExists, lambda: proxy.add_toxic(type="latency"))
refused(InvalidToxic, lambda: proxy.add_toxic(type="mars"))
proxy.destroy_toxic("latency_downstream")
refused(NotFound, lambda: proxy.destroy_toxic("latency_downstream"))
round_trip(connection)

proxy.add_toxic(name="cut", type="reset_peer", stream="upstream")
connection.sendall(b"ping")
refused(ConnectionResetError, lambda: connection.recv(4))
proxy.destroy_toxic("cut")

with proxy.down():
    refused(ConnectionRefusedError, lambda: connect(proxy))
round_trip(connect(proxy))

proxy.add_toxic(type="timeout", attributes={"timeout": 0})
proxy.disable()
assert server.reset()
assert proxy.toxics() == {} and server.get_proxy("db").enabled
populated = server.populate([{"name": "cache", "listen": "127.0.0.1:0", "upstream": upstream}])
round_trip(connect(populated[0]))
server.destroy_all()
assert server.proxies() == {}
print("all of it")
"#;

/// An interpreter that has the client, or why there is none.
async fn python(stage: &Stage) -> Result<PathBuf, String> {
    let dir = stage.path("venv");
    // With this user's settings: where packages come from, and through whom.
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&dir);
    run(make, INSTALL_S_MAX).await?;
    let python = dir.join("bin/python");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", CLIENT]);
    run(install, INSTALL_S_MAX).await?;
    Ok(python)
}

async fn run(mut command: Command, within_s: u64) -> Result<String, String> {
    let output = timeout(Duration::from_secs(within_s), command.kill_on_drop(true).output()).await;
    let output =
        output.map_err(|_| format!("not within {within_s} s"))?.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}\n{said}{errors}", output.status))
}

#[tokio::test]
async fn a_client_from_the_package_index_drives_the_proxy() {
    let stage = Stage::enter().await;
    let python = match python(&stage).await {
        Ok(python) => python,
        Err(why) => {
            let last = why.lines().last().unwrap_or_default();
            eprintln!("SKIPPED: 1 client of Toxiproxy ({CLIENT} cannot be installed here: {last})");
            return;
        }
    };
    let (proxy, api) = start_proxy(&stage, &["--lease", "60s", "--seed", "5"]).await;
    std::fs::write(stage.path("client.py"), SCRIPT).expect("written");
    let mut client = stage.command(python);
    client.arg(stage.path("client.py")).arg(&api);
    let said = run(client, RUN_S_MAX).await.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(said.trim(), "all of it");
    assert!(proxy.terminate().await.success());
}
