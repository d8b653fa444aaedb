//! The sockets of the platform: the portal that wakes, each instance's own wake address, and the instance itself.
//!
//! Only Reveille calls here (simulated users live in the world), so whatever arrives is Reveille's doing, and it is this
//! side of the socket that writes it into the history.

use std::{io, net::SocketAddr};

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{CallEffect, Live, World, odd};
use crate::{
    experiment::catalogue::{
        FaultKind,
        endpoint::{self, Cut, Endpoint},
    },
    history::{Entry, Function, Key, Kind},
    net::carrier::Withheld,
};

/// The header in which a caller names its attempt at one thing.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// Serves the endpoints on a loopback port until `stop`; gives the address at once.
pub async fn serve(live: Live, stop: CancellationToken) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = axum::serve(listener, router(live)).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the endpoints of the world stopped");
        }
    });
    Ok(address)
}

/// What is served.
pub fn router(live: Live) -> Router {
    Router::new()
        .route("/portal/{instance}/wake", post(portal_wake))
        .route("/i/{instance}/wake", post(instance_wake))
        .route("/i/{instance}/", get(instance_page))
        .with_state(live)
}

/// What a caller says of itself; all optional, as on real endpoints.
#[derive(Debug, Default, Deserialize)]
struct Caller {
    wake: Option<String>,
}

async fn portal_wake(
    State(live): State<Live>,
    Path(instance): Path<String>,
    Query(caller): Query<Caller>,
    headers: HeaderMap,
) -> Response {
    wake(&live, Endpoint::PortalApi, &instance, caller, &headers)
}

async fn instance_wake(
    State(live): State<Live>,
    Path(instance): Path<String>,
    Query(caller): Query<Caller>,
    headers: HeaderMap,
) -> Response {
    wake(&live, Endpoint::ActivateMyInstance, &instance, caller, &headers)
}

fn wake(live: &Live, through: Endpoint, instance: &str, caller: Caller, headers: &HeaderMap) -> Response {
    let mut world = live.enter();
    let Some(index) = world.index_of(instance) else { return StatusCode::NOT_FOUND.into_response() };
    let host = world.instance(index).host;
    let idem = headers.get(IDEMPOTENCY_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let key = Key { wake: caller.wake, idem, ..key(&world, index) };
    let node = node(through);
    let note = |function, kind| Entry::new(node, kind, function, key.clone());
    let call = world.note(note(Function::CallEndpoint, Kind::Invoke));
    let hit = |world: &World, fault: &str, response: &Response| {
        let mut value = json!({"kind": fault, "status": response.status().as_u16()});
        let told = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        if let Some(wait_s) = told.and_then(|told| told.parse::<u64>().ok()) {
            value["retry_after_s"] = json!(wait_s);
        }
        world.note(note(Function::FaultHit, Kind::Fail).value(value).cause(call));
    };
    for kind in WITHOUT_EFFECT {
        let met = world.faults.meets_call(kind, through, host, index);
        if let Some(response) = met.and_then(without_effect) {
            hit(&world, kind, &response);
            return response;
        }
    }
    let effect = world.call(through, index);
    let value = json!({"booted": effect == CallEffect::Boots, "endpoint": node});
    world.note(note(Function::EndpointEffect, Kind::Ok).value(value).cause(call));
    let (status, state) = match effect {
        CallEffect::Boots => (StatusCode::ACCEPTED, "booting"),
        CallEffect::AlreadyBooting => (StatusCode::OK, "already booting"),
        CallEffect::AlreadyServing => (StatusCode::OK, "already serving"),
    };
    let lost = endpoint::LostResponse::INFO.name;
    if let Some(FaultKind::EndpointLostResponse(fault)) = world.faults.meets_call(lost, through, host, index)
    {
        let response = withheld(match fault.cut {
            Cut::Reset | Cut::Eof => Withheld::Cut,
            Cut::Silence => Withheld::Silent,
        });
        hit(&world, lost, &response);
        return response;
    }
    let answer = json!({"instance": instance, "state": state});
    let drip = endpoint::SlowDrip::INFO.name;
    if let Some(FaultKind::EndpointSlowDrip(fault)) = world.faults.meets_call(drip, through, host, index) {
        let response = odd::dripped(live.clock().clone(), status, &answer, fault.rate_bytes_per_s);
        hit(&world, drip, &response);
        return response;
    }
    (status, Json(answer)).into_response()
}

/// What an endpoint is called in the history.
fn node(through: Endpoint) -> &'static str {
    match through {
        Endpoint::PortalApi => "portal",
        Endpoint::ActivateMyInstance => "instance",
    }
}

/// Faults of a call that then has no effect, in the order in which a call meets them.
const WITHOUT_EFFECT: [&str; 6] = [
    endpoint::Refused::INFO.name,
    endpoint::HalfOpen::INFO.name,
    endpoint::Reset::INFO.name,
    endpoint::Throttled429::INFO.name,
    endpoint::HttpError::INFO.name,
    endpoint::Garbage::INFO.name,
];

/// What a call gets that has no effect; `None` for a fault that is none of [`WITHOUT_EFFECT`].
fn without_effect(fault: &FaultKind) -> Option<Response> {
    Some(match fault {
        FaultKind::EndpointRefused(_) => withheld(Withheld::Refused),
        FaultKind::EndpointHalfOpen(_) => withheld(Withheld::Silent),
        FaultKind::EndpointReset(_) => withheld(Withheld::Cut),
        FaultKind::EndpointThrottled429(fault) => odd::throttled(fault),
        FaultKind::EndpointGarbage(fault) => odd::garbage(fault),
        FaultKind::EndpointHttpError(fault) => {
            let status = StatusCode::from_u16(fault.status as u16);
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        _ => return None,
    })
}

fn withheld(what: Withheld) -> Response {
    (Extension(what), StatusCode::BAD_GATEWAY).into_response()
}

async fn instance_page(State(live): State<Live>, Path(instance): Path<String>) -> Response {
    let world = live.enter();
    let Some(index) = world.index_of(&instance) else { return StatusCode::NOT_FOUND.into_response() };
    let serving = world.instance(index).serving();
    let entry = Entry::new("instance", Kind::Ok, Function::Poll, key(&world, index));
    world.note(entry.value(json!({"serving": serving})));
    if world.is_lost(world.instance(index).host) {
        withheld(Withheld::Silent)
    } else if serving {
        (StatusCode::OK, format!("instance {instance}\n")).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "hibernated\n").into_response()
    }
}

fn key(world: &World, index: usize) -> Key {
    let instance = world.instance(index);
    Key {
        instance: Some(instance.id.to_string()),
        window: Some(instance.window()),
        host: Some(world.hosts()[instance.host].id.to_string()),
        ..Key::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::tz::TimeZone;
    use reveille_proto::clock::Clock;

    use super::{
        super::{WorldSpec, stream},
        *,
    };
    use crate::{
        experiment::catalogue::endpoint::HttpError,
        fault::{Bite, Span},
        history::{Header, History, Recorder},
    };

    struct Stage {
        live: Live,
        base: String,
        recorder: Recorder,
        dir: tempfile::TempDir,
        client: reqwest::Client,
    }

    async fn stage(http_error_share: f64) -> Stage {
        let spec = WorldSpec { instances: 3, ..WorldSpec::default() };
        let clock = Clock::scaled(spec.starts_at().expect("in range"), 600.0);
        let mut world = World::new(spec).expect("the sample is readable");
        world.advance(clock.now().as_second());
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("history.jsonl");
        let header = Header::new("test", 1, "scaled", "UTC");
        let recorder = Recorder::create(&path, &header, clock.clone(), TimeZone::UTC).expect("created");
        world.go_live(Some(recorder.clone()));
        let span = Span::new(0, i64::MAX);
        let what =
            FaultKind::EndpointHttpError(HttpError { share: http_error_share, ..HttpError::default() });
        world.faults.put(0, Bite::new(span, what, stream(1, 77)));
        let live = Live::new(world, clock);
        let address = serve(live.clone(), CancellationToken::new()).await.expect("a free port");
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().build().expect("a client");
        Stage { live, base: format!("http://{address}"), recorder, dir, client }
    }

    impl Stage {
        async fn post(&self, path: &str) -> StatusCode {
            let url = format!("{}{path}", self.base);
            let request = self.client.post(url).header(IDEMPOTENCY_HEADER, "k1");
            request.send().await.expect("answered").status()
        }

        async fn get(&self, path: &str) -> (StatusCode, String) {
            let answer = self.client.get(format!("{}{path}", self.base)).send().await.expect("answered");
            (answer.status(), answer.text().await.expect("a body"))
        }

        fn history(&self, function: Function) -> Vec<crate::history::Event> {
            self.recorder.finish().expect("written");
            let history = History::read(&self.dir.path().join("history.jsonl")).expect("readable");
            history.events.into_iter().filter(|event| event.f == function).collect()
        }
    }

    #[tokio::test]
    async fn a_call_boots_the_instance_until_it_serves_as_itself() {
        let stage = stage(0.0).await;
        assert_eq!(stage.get("/i/dev001/").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(stage.post("/portal/dev001/wake?wake=w1").await, StatusCode::ACCEPTED);
        assert_eq!(stage.post("/i/dev001/wake?wake=w1").await, StatusCode::OK);
        assert_eq!(stage.post("/portal/nobody/wake").await, StatusCode::NOT_FOUND);
        while !stage.live.enter().instance(0).serving() {
            stage.live.clock().sleep(Duration::from_secs(10)).await;
        }
        let (status, body) = stage.get("/i/dev001/").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "instance dev001\n"));
        let effects = stage.history(Function::EndpointEffect);
        let booted: Vec<_> = effects.iter().map(|e| e.flag("booted")).collect();
        assert_eq!(booted, [Some(true), Some(false)]);
        assert_eq!(effects[0].k.window, effects[1].k.window);
        assert_eq!(effects[0].k.idem.as_deref(), Some("k1"));
        assert_eq!(effects[0].k.wake.as_deref(), Some("w1"));
    }

    #[tokio::test]
    async fn a_failing_endpoint_has_no_effect_and_proves_the_fault() {
        let stage = stage(1.0).await;
        while !stage.live.enter().faults.proofs()[0].on {
            tokio::task::yield_now().await;
        }
        assert_eq!(stage.post("/portal/dev001/wake").await, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(stage.live.enter().faults.proofs()[0].hits, 1);
        assert!(stage.history(Function::EndpointEffect).is_empty());
        assert_eq!(stage.history(Function::FaultHit).len(), 1);
    }
}
