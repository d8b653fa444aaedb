//! Views as messages of `reveille.v1`. Times are milliseconds since 1970.

use jiff::Timestamp;
use reveille_proto::v1;

use crate::{
    api::{
        ControlError,
        view::{ForecastView, HostView, InstanceView, PolicyView, WakeView},
    },
    wake::Reason,
};

fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(super) fn wake(view: WakeView) -> v1::WakeView {
    let reason = view.reason.parse::<Reason>().map_or(v1::Reason::Unspecified, Reason::to_wire);
    v1::WakeView {
        wake_id: view.wake_id,
        instance_id: view.instance_id,
        host_id: view.host_id.unwrap_or_default(),
        reason: reason.into(),
        state: view.state,
        end: view.end.unwrap_or_default(),
        detail: view.detail,
        verdict: view.verdict.unwrap_or_default(),
        attempt: view.attempt,
        created_at_ms: ms(view.created_at),
        due_at_ms: ms(view.due_at),
        called_at_ms: view.called_at.map(ms),
        serving_at_ms: view.serving_at.map(ms),
        ended_at_ms: view.ended_at.map(ms),
        requested_by: view.requested_by,
    }
}

pub(super) fn host(view: HostView) -> v1::HostView {
    let gate = if view.gate_detail.is_empty() { view.gate } else { view.gate_detail };
    v1::HostView {
        host_id: view.host_id,
        host_class: view.host_class,
        connected: view.connected,
        cpu_percent: view.cpu_percent,
        load_age_ms: view.load_age_ms,
        active_wakes: view.active_wakes,
        wakes_limit: view.wakes_limit,
        gate,
        instances: view.instances,
    }
}

pub(super) fn instance(view: InstanceView) -> v1::InstanceView {
    v1::InstanceView {
        instance_id: view.instance_id,
        host_id: view.host_id.unwrap_or_default(),
        cohort: view.cohort,
        time_zone: view.time_zone,
        opted_out: view.opted_out,
        last_seen_at_ms: view.last_seen_at.map(ms),
    }
}

pub(super) fn forecast(view: ForecastView) -> v1::ForecastView {
    v1::ForecastView { instance_id: view.instance_id, probability: view.probability, why: view.why }
}

pub(super) fn policy(view: PolicyView) -> v1::PolicyView {
    let entries = view.entries.into_iter().map(|entry| v1::PolicyEntry {
        key: entry.key,
        value: entry.value.to_string(),
        changed_at_ms: entry.changed_at.map_or(0, ms),
        changed_by: entry.changed_by.unwrap_or_default(),
    });
    v1::PolicyView { entries: entries.collect() }
}

/// An id that may be left out; `field` is its name in the message.
pub(super) fn optional<T>(
    field: &str,
    text: &str,
    parse: impl Fn(&str, &str) -> Result<T, reveille_proto::edge::FieldError>,
) -> Result<Option<T>, ControlError> {
    if text.is_empty() {
        return Ok(None);
    }
    required(field, text, parse).map(Some)
}

/// An id that must be there.
pub(super) fn required<T>(
    field: &str,
    text: &str,
    parse: impl Fn(&str, &str) -> Result<T, reveille_proto::edge::FieldError>,
) -> Result<T, ControlError> {
    parse(field, text).map_err(|e| ControlError::invalid(e.field, e.problem))
}

/// A time in milliseconds; 0 is none.
pub(super) fn time(field: &str, at_ms: i64) -> Result<Option<Timestamp>, ControlError> {
    if at_ms == 0 {
        return Ok(None);
    }
    let read = reveille_proto::edge::time(field, at_ms);
    read.map(Some).map_err(|e| ControlError::invalid(e.field, e.problem))
}

/// Who asks, for the record.
pub(super) fn by(text: &str) -> String {
    if text.is_empty() { "operator".into() } else { text.chars().take(100).collect() }
}
