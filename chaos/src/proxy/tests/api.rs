//! The API over HTTP: routes, status codes, fields and defaults clients of Toxiproxy rely on.

use reqwest::{Client, Method, header::USER_AGENT};
use serde_json::{Value, json};

use super::stage::registry;
use crate::proxy::Server;

struct Api {
    server: Server,
    client: Client,
}

impl Api {
    async fn start() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listen = "127.0.0.1:0".parse().expect("an address");
        let server = Server::start(listen, registry()).await.expect("a port");
        Self { server, client: Client::builder().no_proxy().build().expect("a client") }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("http://{}{path}", self.server.address()));
        if let Some(body) = body {
            // As a client that says nothing of its type.
            request = request.body(body.to_string());
        }
        let answer = request.send().await.expect("answered");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> u16 {
        self.ask(Method::DELETE, path, None).await.0
    }
}

#[tokio::test]
async fn proxies_are_created_shown_updated_and_deleted() {
    let api = Api::start().await;
    assert_eq!(api.get("/proxies").await, (200, json!({})));
    let new = json!({"name": "db", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"});
    let (status, made) = api.post("/proxies", new.clone()).await;
    assert_eq!((status, &made["enabled"], &made["toxics"]), (201, &json!(true), &json!([])));
    assert!(!made["listen"].as_str().expect("an address").ends_with(":0"), "the port it has: {made}");
    assert_eq!(api.get("/proxies").await.1["db"], made);
    assert_eq!(api.get("/proxies/db").await, (200, made.clone()));
    let exists = json!({"error": "proxy already exists", "status": 409});
    assert_eq!(api.post("/proxies", new).await, (409, exists));
    for method in [Method::POST, Method::PATCH] {
        let (status, down) = api.ask(method, "/proxies/db", Some(json!({"enabled": false}))).await;
        assert_eq!((status, &down["enabled"], &down["listen"]), (200, &json!(false), &made["listen"]));
    }
    assert_eq!(api.delete("/proxies/db").await, 204);
    let missing = json!({"error": "proxy not found", "status": 404});
    assert_eq!(api.get("/proxies/db").await, (404, missing));
    assert_eq!(api.delete("/proxies/db").await, 404);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_status() {
    let api = Api::start().await;
    let (status, told) = api.post("/proxies", json!({"name": "db"})).await;
    assert_eq!((status, told), (400, json!({"error": "missing required field: upstream", "status": 400})));
    let (status, told) = api.post("/proxies", json!("db")).await;
    assert!(
        status == 400 && told["error"].as_str().expect("text").starts_with("bad request body: "),
        "{told}"
    );
    let open = json!({"name": "db", "listen": "0.0.0.0:0", "upstream": "127.0.0.1:1"});
    let (status, told) = api.post("/proxies", open).await;
    assert!(status == 400 && told["error"].as_str().expect("text").contains("not on loopback"), "{told}");
    assert_eq!(api.get("/nothing").await.0, 404);
}

#[tokio::test]
async fn toxics_have_their_defaults_and_keep_what_an_update_does_not_name() {
    let api = Api::start().await;
    api.post("/proxies", json!({"name": "db", "upstream": "127.0.0.1:1"})).await;
    let new = json!({"type": "latency", "attributes": {"latency": 1000}});
    let (status, made) = api.post("/proxies/db/toxics", new.clone()).await;
    let wanted = json!({"name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1.0,
        "attributes": {"latency": 1000, "jitter": 0}, "fault": "f1"});
    assert_eq!((status, &made), (200, &wanted));
    assert_eq!(api.get("/proxies/db/toxics").await, (200, json!([wanted])));
    let exists = json!({"error": "toxic already exists", "status": 409});
    assert_eq!(api.post("/proxies/db/toxics", new).await, (409, exists));
    let change = json!({"attributes": {"jitter": 50}, "toxicity": 0.5});
    for method in [Method::POST, Method::PATCH] {
        let path = "/proxies/db/toxics/latency_downstream";
        let (status, changed) = api.ask(method, path, Some(change.clone())).await;
        assert_eq!((status, &changed["attributes"]), (200, &json!({"latency": 1000, "jitter": 50})));
        assert_eq!(changed["toxicity"], 0.5);
    }
    let (status, told) = api.post("/proxies/db/toxics", json!({"type": "mars"})).await;
    assert_eq!((status, &told["error"]), (400, &json!("invalid toxic type")));
    let (status, _) = api.post("/proxies/db/toxics", json!({"type": "latency", "stream": "sideways"})).await;
    assert_eq!(status, 400);
    assert_eq!(api.delete("/proxies/db/toxics/latency_downstream").await, 204);
    assert_eq!(api.delete("/proxies/db/toxics/latency_downstream").await, 404);
    assert_eq!(api.get("/proxies/no/toxics").await.1["error"], "proxy not found");
}

#[tokio::test]
async fn populate_creates_replaces_and_leaves_alone() {
    let api = Api::start().await;
    let one =
        |name: &str, upstream: &str| json!({"name": name, "listen": "127.0.0.1:0", "upstream": upstream});
    let (status, made) =
        api.post("/populate", json!([one("a", "127.0.0.1:1"), one("b", "127.0.0.1:1")])).await;
    assert_eq!((status, made["proxies"].as_array().expect("a list").len()), (201, 2));
    assert!(made.get("error").is_none());
    api.post("/proxies/a/toxics", json!({"type": "timeout"})).await;
    api.post("/proxies/b/toxics", json!({"type": "timeout"})).await;
    let (_, again) = api.post("/populate", json!([one("a", "127.0.0.1:1"), one("b", "127.0.0.1:2")])).await;
    assert_eq!(again["proxies"][0]["toxics"].as_array().expect("a list").len(), 1, "as it was");
    assert_eq!(again["proxies"][1]["toxics"], json!([]), "a new one");
    let (status, told) = api.post("/populate", json!([one("c", "")])).await;
    assert_eq!((status, &told["error"]), (400, &json!("missing required field: upstream at proxy 1")));
}

#[tokio::test]
async fn reset_enables_all_and_removes_all() {
    let api = Api::start().await;
    let new = json!({"name": "db", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "enabled": false});
    let (_, made) = api.post("/proxies", new).await;
    assert_eq!((&made["enabled"], &made["listen"]), (&json!(false), &json!("127.0.0.1:0")));
    api.post("/proxies/db/toxics", json!({"type": "timeout"})).await;
    assert_eq!(api.ask(Method::POST, "/reset", None).await.0, 204);
    let (_, after) = api.get("/proxies/db").await;
    assert_eq!((&after["enabled"], &after["toxics"]), (&json!(true), &json!([])));
    let version = api.get("/version").await.1;
    assert!(version["version"].as_str().expect("text").starts_with("2."), "{version}");
}

#[tokio::test]
async fn leases_and_the_journal_are_ours() {
    let api = Api::start().await;
    api.post("/proxies", json!({"name": "db", "upstream": "127.0.0.1:1"})).await;
    let url = format!("http://{}/proxies/db/toxics", api.server.address());
    let request = api.client.post(url).header("reveille-lease-s", "600").body(r#"{"type": "timeout"}"#);
    assert_eq!(request.send().await.expect("answered").status(), 200);
    let (_, journal) = api.get("/v1/faults").await;
    let fault = &journal["faults"][0];
    assert_eq!(fault["kind"], "link.timeout");
    assert_eq!((&fault["target"], &fault["toxic"]), (&json!("db/downstream"), &json!("timeout_downstream")));
    assert_eq!((&fault["hits"], &fault["proven"]), (&json!(0), &json!(false)));
    assert_eq!(
        (&fault["lease_s"], &fault["removed_by"], &fault["until"]),
        (&json!(600.0), &Value::Null, &Value::Null)
    );
    let (status, renewed) = api.post("/v1/faults/f1/renew", json!({"lease_s": 0.01})).await;
    assert_eq!((status, &renewed["lease_s"]), (200, &json!(0.01)));
    let (status, over) = api.get("/v1/faults/f1/await?hits=1").await;
    assert_eq!((status, &over["removed_by"]), (409, &json!("lease")), "over before it was proven");
    assert_eq!(api.post("/v1/faults/f1/renew", json!({})).await.0, 404);
    assert_eq!(api.get("/v1/faults/f9").await.0, 404);
}

#[tokio::test]
async fn pages_in_browsers_are_kept_out() {
    let api = Api::start().await;
    let request = api.client.get(format!("http://{}/proxies", api.server.address()));
    let answer = request.header(USER_AGENT, "Mozilla/5.0").send().await.expect("answered");
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn stopped_it_leaves_nothing_open() {
    let api = Api::start().await;
    let (_, made) = api.post("/proxies", json!({"name": "db", "upstream": "127.0.0.1:1"})).await;
    let address = made["listen"].as_str().expect("an address").to_owned();
    let own = api.server.address();
    api.server.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    assert!(tokio::net::TcpStream::connect(own).await.is_err());
}
