//! One scrape: what the process counted, and what the database and the sessions know right now.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use tracing::warn;

use crate::{app::Shared, store::StoreError, wake::End};

type Gauges = Family<[(&'static str, String); 1], Gauge>;

const OPEN_STATES: [&str; 4] = ["queued", "dispatched", "calling", "starting"];
/// Span of the figures on ended wakes.
const LATELY: SignedDuration = SignedDuration::from_hours(24);

/// How long the database may take; real time, as the scraper's own.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// OpenMetrics text, complete. While the database does not answer, what only it knows is left out: the figures of the
/// process are wanted most of all then.
pub(super) async fn scrape(shared: &Shared) -> String {
    let service = tokio::time::timeout(STORE_TIMEOUT, service(shared)).await;
    let service = match service {
        Ok(Ok(service)) => Some(service),
        Ok(Err(error)) => {
            warn!(%error, "a scrape goes without the figures of the database");
            None
        }
        Err(_) => None,
    };
    let mut text = String::new();
    let written = shared
        .metrics
        .encode(&mut text)
        .and_then(|()| encode_registry(&mut text, &sessions(shared, service.is_some())))
        .and_then(|()| service.map_or(Ok(()), |service| encode_registry(&mut text, &service)))
        .and_then(|()| encode_eof(&mut text));
    written.expect("writing to a string cannot fail");
    text
}

/// Figures of the moment that need no database.
fn sessions(shared: &Shared, store_answers: bool) -> Registry {
    let mut registry = Registry::with_prefix("reveille");
    let connected = shared.fleet.connected() as i64;
    registry.register("hosts_connected", "Hosts with an open session", gauge(connected));
    registry.register("store_up", "Whether the database answers", gauge(store_answers.into()));
    registry.register("epoch", "Number of this start of a controller", gauge(shared.epoch as i64));
    registry
}

/// Figures of the service, not of this process: another controller on the same database would give the same.
async fn service(shared: &Shared) -> Result<Registry, StoreError> {
    let mut registry = Registry::with_prefix("reveille");
    let now = shared.clock.now();
    let open = shared.store.wakes_open_by_state().await?;
    let permits: u64 = open.iter().filter(|(state, _)| state != "queued").map(|(_, count)| count).sum();
    registry.register("wakes_open", "Wakes that are not over, by state", gauges("state", OPEN_STATES, open));
    registry.register("permits_held", "Wakes that hold a permit", gauge(permits as i64));
    let since = now.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
    let ended = shared.store.wakes_ended_by_end(since).await?;
    let ends = End::ALL.iter().map(|end| end.as_str());
    let help = "Wakes that ended in the last 24 hours, by how";
    registry.register("wakes_ended_last_day", help, gauges("end", ends, ended));
    let model = shared.store.model_serving().await?;
    registry.register(
        "model_version",
        "Version of the model in service; 0 is none",
        gauge(model.map_or(0, |m| m.version as i64)),
    );
    let pending = shared.store.notifications_pending().await?;
    let receivers = shared.config.notify.receivers().map(|all| all.names()).unwrap_or_default();
    let receivers = receivers.iter().map(String::as_str);
    let help = "Notifications that wait for their delivery, by receiver";
    registry.register("notifications_pending", help, gauges("receiver", receivers, pending));
    Ok(registry)
}

fn gauge(value: i64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(value);
    gauge
}

/// One gauge per known name; those without a count are 0, so that a series never disappears.
fn gauges<'a>(
    label: &'static str,
    names: impl IntoIterator<Item = &'a str>,
    counts: Vec<(String, u64)>,
) -> Gauges {
    let family = Gauges::default();
    for name in names {
        family.get_or_create(&[(label, name.to_owned())]).set(0);
    }
    for (name, count) in counts {
        family.get_or_create(&[(label, name)]).set(count as i64);
    }
    family
}
