//! Why a queued wake waits: the gate of its host.

use super::{client::Client, failure::Failure};
use crate::api::view::{HostView, InstancePage, Items, PAGE_SIZE_MAX};

/// Of how many looks at a queued wake one is at its host too; hosts are given all at once.
const LOOKS_PER_GATE: u32 = 4;

/// The gate one instance waits at.
#[derive(Debug)]
pub(super) struct Gate<'a> {
    instance: &'a str,
    /// Once it was found.
    host: Option<String>,
    looks: u32,
    /// The name of what was told last.
    closed_by: Option<String>,
}

impl<'a> Gate<'a> {
    pub(super) fn of(instance: &'a str) -> Self {
        Self { instance, host: None, looks: 0, closed_by: None }
    }

    /// To be called at each look at the queued wake: what keeps the gate closed, when that is news.
    pub(super) async fn news(&mut self, client: &Client) -> Result<Option<String>, Failure> {
        self.looks += 1;
        if self.looks % LOOKS_PER_GATE != 1 {
            return Ok(None);
        }
        let closed = self.look(client).await?.filter(|host| host.gate != "open" && host.gate != "elsewhere");
        // By its name: the figures in its words change all the time.
        let name = closed.as_ref().map(|host| host.gate.clone());
        let is_news = name != self.closed_by;
        self.closed_by = name;
        Ok(closed.as_ref().filter(|_| is_news).map(said))
    }

    /// The host; `None` when nobody knows it.
    async fn look(&mut self, client: &Client) -> Result<Option<HostView>, Failure> {
        if self.host.is_none() {
            self.host = host_of(client, self.instance).await?;
        }
        let Some(host) = &self.host else { return Ok(None) };
        let hosts: Items<HostView> = client.get(&["hosts"], &[]).await?.read()?;
        Ok(hosts.items.into_iter().find(|view| view.host_id == *host))
    }
}

/// Instances come in order of id, a page at a time.
async fn host_of(client: &Client, instance: &str) -> Result<Option<String>, Failure> {
    let mut query = vec![("page_size", PAGE_SIZE_MAX.to_string())];
    loop {
        let page: InstancePage = client.get(&["instances"], &query).await?.read()?;
        if let Some(item) = page.items.into_iter().find(|item| item.instance_id == instance) {
            return Ok(item.host_id);
        }
        if page.next_page_token.is_empty() {
            return Ok(None);
        }
        query.truncate(1);
        query.push(("page_token", page.next_page_token));
    }
}

fn said(host: &HostView) -> String {
    let why = if host.gate_detail.is_empty() { &host.gate } else { &host.gate_detail };
    format!("the gate of host {} is closed: {why}", host.host_id)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Json, Router, extract::State, routing::get};
    use serde_json::{Value, json};

    use super::{super::target::Target, *};

    fn host(id: &str, gate: &str, gate_detail: &str) -> Value {
        json!({
            "host_id": id, "host_class": "", "zone": "", "cores": 8.0, "agent_version": "", "connected": true,
            "last_seen_at": "2026-03-02T08:00:00Z", "cpu_percent": null, "load_age_ms": null, "active_wakes": 0,
            "wakes_limit": 4, "gate": gate, "gate_detail": gate_detail, "instances": 1,
        })
    }

    fn instance(id: &str, host: &str) -> Value {
        json!({
            "instance_id": id, "host_id": host, "cohort": "", "time_zone": "UTC", "last_seen_at": null,
            "opted_out": false,
        })
    }

    type Hosts = Arc<Mutex<Vec<Value>>>;

    /// A controller of two pages of instances and of whatever hosts are put.
    async fn controller(hosts: Hosts) -> Client {
        let instances = |uri: axum::http::Uri| async move {
            let second = uri.query().is_some_and(|query| query.ends_with("&page_token=dev1"));
            Json(if second {
                json!({ "items": [instance("dev2", "host-2")], "next_page_token": "" })
            } else {
                json!({ "items": [instance("dev1", "host-1")], "next_page_token": "dev1" })
            })
        };
        let all = |State(hosts): State<Hosts>| async move {
            let items = hosts.lock().unwrap().clone();
            Json(json!({ "items": items }))
        };
        let routes = Router::new()
            .route("/v1/instances", get(instances))
            .route("/v1/hosts", get(all))
            .with_state(hosts);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        // Fails only when a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::new(Target { address, token: None, token_place: "the test".into(), ca_file: None }).unwrap()
    }

    /// What is told until the host has been looked at once.
    async fn look(gate: &mut Gate<'_>, client: &Client) -> Option<String> {
        let mut told = Vec::new();
        for _ in 0..LOOKS_PER_GATE {
            told.extend(gate.news(client).await.unwrap());
        }
        assert!(told.len() <= 1, "{told:?}");
        told.pop()
    }

    #[tokio::test]
    async fn only_another_reason_is_news() {
        let hosts = Hosts::default();
        let client = controller(hosts.clone()).await;
        let mut gate = Gate::of("dev2");
        let mut steps = Vec::new();
        for (name, detail) in [
            ("open", ""),
            ("over_ceiling", "CPU 71 %"),
            ("over_ceiling", "CPU 72 %"),
            ("host_full", "4 run"),
            ("open", ""),
            ("host_full", "4 run"),
        ] {
            *hosts.lock().unwrap() = vec![host("host-1", "no_load", "none"), host("host-2", name, detail)];
            steps.push(look(&mut gate, &client).await);
        }
        let told = |why: &str| Some(format!("the gate of host host-2 is closed: {why}"));
        assert_eq!(steps, [None, told("CPU 71 %"), None, told("4 run"), None, told("4 run")]);
    }

    #[tokio::test]
    async fn an_instance_that_is_nowhere_has_no_gate() {
        let client = controller(Hosts::default()).await;
        assert_eq!(look(&mut Gate::of("dev3"), &client).await, None);
    }
}
