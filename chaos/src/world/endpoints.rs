//! The sockets of the platform: the portal that wakes and says how an instance is, each instance's own wake address, and the
//! instance itself.
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

use super::{CallEffect, Live, World, instances::State as Sleep, odd};
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
        .route("/portal/{instance}/status", get(portal_status))
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
    if let Some(response) = refused(&mut world, through, headers, (host, index)) {
        hit(&world, endpoint::AuthExpired::INFO.name, &response);
        return response;
    }
    for kind in WITHOUT_EFFECT {
        let met = world.faults.meets_call(kind, through, host, index);
        if let Some(response) = met.and_then(without_effect) {
            hit(&world, kind, &response);
            return response;
        }
    }
    let effect = world.call(through, index);
    let mut value = json!({"booted": effect == CallEffect::Boots, "endpoint": node});
    if through == Endpoint::PortalApi && world.token.is_new() {
        value["new_token"] = json!(true);
    }
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
            Cut::Reset => Withheld::Cut,
            Cut::Eof => Withheld::Ended,
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

/// What a call gets whose token is of yesterday, while that fault is on.
fn refused(
    world: &mut World,
    through: Endpoint,
    headers: &HeaderMap,
    (host, index): (usize, usize),
) -> Option<Response> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if world.token.takes(authorization) {
        return None;
    }
    let expired = endpoint::AuthExpired::INFO.name;
    let met = world.faults.meets_call(expired, through, host, index).cloned();
    let Some(FaultKind::EndpointAuthExpired(fault)) = met else { return None };
    if fault.rotates
        && let Err(error) = world.token.hand_out()
    {
        tracing::error!(%error, "the new token could not be written");
    }
    let status = match fault.status {
        endpoint::Refusal::Unauthorized => StatusCode::UNAUTHORIZED,
        endpoint::Refusal::Forbidden => StatusCode::FORBIDDEN,
    };
    Some(status.into_response())
}

/// The portal's word on an instance.
async fn portal_status(State(live): State<Live>, Path(instance): Path<String>) -> Response {
    let mut world = live.enter();
    let Some(index) = world.index_of(&instance) else { return StatusCode::NOT_FOUND.into_response() };
    let host = world.instance(index).host;
    let truth = match world.instance(index).state {
        Sleep::Serving { .. } => "awake",
        Sleep::Booting { .. } => "starting",
        Sleep::Asleep => "asleep",
    };
    let word = lied(&mut world, truth, (host, index));
    if let Some(word) = word {
        let value = json!({"kind": endpoint::Disagreement::INFO.name, "says": word, "truth": truth});
        world.note(Entry::new("portal", Kind::Info, Function::FaultHit, key(&world, index)).value(value));
    }
    Json(json!({"state": word.unwrap_or(truth)})).into_response()
}

/// What the portal says against the truth, while that fault is on.
fn lied(world: &mut World, truth: &str, (host, index): (usize, usize)) -> Option<&'static str> {
    let (disagreement, is_awake) = (endpoint::Disagreement::INFO.name, truth != "asleep");
    let says_awake = |fault: &FaultKind| match fault {
        FaultKind::EndpointDisagreement(fault) => fault.portal_says == endpoint::Says::Awake,
        _ => is_awake,
    };
    let word = world.faults.meets_if(disagreement, host, index, |fault| says_awake(fault) != is_awake);
    word.then_some(if is_awake { "asleep" } else { "awake" })
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
    async fn the_portal_says_how_an_instance_is_and_lies_while_that_fault_is_on() {
        let stage = stage(0.0).await;
        let says = async || stage.get("/portal/dev001/status").await.1;
        assert_eq!(says().await, r#"{"state":"asleep"}"#);
        let lie = |portal_says| {
            let what = FaultKind::EndpointDisagreement(endpoint::Disagreement { portal_says });
            let mut bite = Bite::new(Span::new(0, i64::MAX), what, stream(1, 1));
            bite.span.follow(0);
            stage.live.enter().faults.put(7, bite);
        };
        lie(endpoint::Says::Asleep);
        assert_eq!(says().await, r#"{"state":"asleep"}"#, "it is");
        lie(endpoint::Says::Awake);
        assert_eq!(says().await, r#"{"state":"awake"}"#);
        assert_eq!(stage.live.enter().faults.proof(7).map(|proof| proof.hits), Some(1));
        let told = stage.history(Function::FaultHit);
        assert_eq!((told.len(), told[0].text("truth")), (1, Some("asleep")));
    }

    #[tokio::test]
    async fn an_expired_token_is_refused_and_handed_out_anew() {
        let stage = stage(0.0).await;
        let file = stage.dir.path().join("portal.token");
        stage.live.enter().token.keep_in(file.clone()).expect("written");
        let call = async |instance: &str| {
            let token = std::fs::read_to_string(&file).expect("readable");
            let url = format!("{}/portal/{instance}/wake", stage.base);
            let request = stage.client.post(url).header(header::AUTHORIZATION, token.trim_end());
            request.send().await.expect("answered").status()
        };
        assert_eq!(call("dev001").await, StatusCode::ACCEPTED);
        let what = FaultKind::EndpointAuthExpired(endpoint::AuthExpired::default());
        let mut bite = Bite::new(Span::new(0, i64::MAX), what, stream(1, 1));
        bite.span.follow(0);
        {
            let mut world = stage.live.enter();
            world.faults.put(7, bite);
            world.token.expire();
        }
        assert_eq!(call("dev002").await, StatusCode::UNAUTHORIZED);
        assert_eq!(call("dev002").await, StatusCode::ACCEPTED, "the new one is where it looks");
        assert_eq!(stage.live.enter().faults.proof(7).map(|proof| proof.hits), Some(1));
        let effects = stage.history(Function::EndpointEffect);
        let with_new: Vec<_> = effects.iter().map(|effect| effect.flag("new_token")).collect();
        assert_eq!(with_new, [None, Some(true)]);
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
