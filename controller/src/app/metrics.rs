//! The controller's own figures, for `/metrics`: counted by this process since its start.
//!
//! What the database knows (open wakes, hosts) is read at the scrape instead, by `api/http/scrape.rs`.

use std::fmt;

use prometheus_client::{
    encoding::text::encode_registry,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};

use crate::wake::{End, Reason};

type Labels<const N: usize> = [(&'static str, String); N];
type Counters = Family<Labels<1>, Counter>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// Figures of this process. Every name starts with `reveille_`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    wakes_ended: Counters,
    wake_duration: Histograms<1>,
    dispatch: Counter,
    load_reports: Counter,
    gate_closed: Counters,
    ingest_lines: Counters,
    plan_duration: Histogram,
    calendar_problems: Counters,
    notifications: Family<Labels<2>, Counter>,
    handshakes_failed: Family<Labels<2>, Counter>,
    tasks: Family<Labels<2>, Counter>,
    http_requests: Family<Labels<3>, Counter>,
    http_request_duration: Histograms<1>,
}

/// 5 ms to about 80 s.
fn request_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 15))
}

/// 1 s to about 34 min.
fn wake_buckets() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 12))
}

impl Metrics {
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("reveille"),
            wakes_ended: Family::default(),
            wake_duration: Family::new_with_constructor(wake_buckets),
            dispatch: Counter::default(),
            load_reports: Counter::default(),
            gate_closed: Family::default(),
            ingest_lines: Family::default(),
            plan_duration: request_buckets(),
            calendar_problems: Family::default(),
            notifications: Family::default(),
            handshakes_failed: Family::default(),
            tasks: Family::default(),
            http_requests: Family::default(),
            http_request_duration: Family::new_with_constructor(request_buckets),
        };
        metrics.register_wakes();
        metrics.register_rest();
        metrics
    }

    fn register_wakes(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of this controller", build);
        registry.register("wakes_ended", "Wakes that ended, by how", self.wakes_ended.clone());
        registry.register_with_unit(
            "wake_duration",
            "From the command to serving, of wakes that ended as woken, by reason",
            Unit::Seconds,
            self.wake_duration.clone(),
        );
        registry.register(
            "dispatch",
            "Commands sent to agents after a permit was granted",
            self.dispatch.clone(),
        );
        registry.register("load_reports", "Load reports of agents taken in", self.load_reports.clone());
        registry.register(
            "gate_closed",
            "Permits not granted, by what closed the gate",
            self.gate_closed.clone(),
        );
    }

    fn register_rest(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "ingest_lines",
            "Log lines read, by what became of them",
            self.ingest_lines.clone(),
        );
        registry.register_with_unit(
            "plan_duration",
            "Making one plan",
            Unit::Seconds,
            self.plan_duration.clone(),
        );
        registry.register(
            "calendar_problems",
            "Events of calendar files left out, and files that could not be read again",
            self.calendar_problems.clone(),
        );
        registry.register(
            "notifications",
            "Tries to deliver a notification, by receiver and outcome",
            self.notifications.clone(),
        );
        registry.register(
            "tls_handshakes_failed",
            "TLS handshakes that came to nothing, by listener and reason",
            self.handshakes_failed.clone(),
        );
        registry.register("task_activations", "Activations of tasks, by outcome", self.tasks.clone());
        registry.register("http_requests", "HTTP requests answered", self.http_requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Answering an HTTP request, by route",
            Unit::Seconds,
            self.http_request_duration.clone(),
        );
    }

    pub fn wake_ended(&self, end: End) {
        self.wakes_ended.get_or_create(&[("end", end.to_string())]).inc();
    }

    /// A wake that ended as woken served `seconds` after its command was sent.
    pub fn wake_took(&self, reason: Reason, seconds: f64) {
        self.wake_duration.get_or_create(&[("reason", reason.to_string())]).observe(seconds);
    }

    pub fn dispatched(&self) {
        self.dispatch.inc();
    }

    pub fn load_reported(&self) {
        self.load_reports.inc();
    }

    /// `code` is that of [`crate::throttle::Closed`].
    pub fn gate_closed(&self, code: &'static str) {
        self.gate_closed.get_or_create(&[("reason", code.to_owned())]).inc();
    }

    /// `outcome` is a kind of [`crate::logs::Counts`], e.g. `records` or a reject's reason.
    pub fn ingest_lines(&self, outcome: &str, lines: u64) {
        self.ingest_lines.get_or_create(&[("outcome", outcome.to_owned())]).inc_by(lines);
    }

    pub fn plan_took(&self, seconds: f64) {
        self.plan_duration.observe(seconds);
    }

    /// Events of calendars left out (`event`) and files that could not be read again (`file`).
    pub fn calendar_problems(&self, events: usize, files: usize) {
        self.calendar_problems.get_or_create(&[("what", "event".to_owned())]).inc_by(events as u64);
        self.calendar_problems.get_or_create(&[("what", "file".to_owned())]).inc_by(files as u64);
    }

    /// `outcome` is `delivered`, `failed` or `given_up`.
    pub fn notification(&self, receiver: &str, outcome: &'static str) {
        let labels = [("receiver", receiver.to_owned()), ("outcome", outcome.to_owned())];
        self.notifications.get_or_create(&labels).inc();
    }

    /// Counts TLS handshakes of one listener that came to nothing, by the reason given.
    pub fn failed_handshakes(
        &self,
        listener: &'static str,
    ) -> impl Fn(&'static str) + Clone + Send + Sync + 'static + use<> {
        let failed = self.handshakes_failed.clone();
        move |reason| {
            let labels = [("listener", listener.to_owned()), ("reason", reason.to_owned())];
            failed.get_or_create(&labels).inc();
        }
    }

    pub fn task_activated(&self, task: &'static str, failed: bool) {
        let outcome = if failed { "failed" } else { "ok" };
        self.tasks.get_or_create(&[("task", task.to_owned()), ("outcome", outcome.to_owned())]).inc();
    }

    /// `route` is the pattern, never the path: paths have no bound.
    pub fn http_request(&self, method: &str, route: &str, status: u16, seconds: f64) {
        let labels =
            [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
        self.http_requests.get_or_create(&labels).inc();
        self.http_request_duration.get_or_create(&[("route", route.to_owned())]).observe(seconds);
    }

    /// Appends the figures as OpenMetrics text, without the closing `# EOF`.
    pub fn encode(&self, out: &mut String) -> fmt::Result {
        encode_registry(out, &self.registry)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_prefix_unit_and_total() {
        let metrics = Metrics::new();
        metrics.wake_ended(End::Woken);
        metrics.wake_ended(End::Woken);
        metrics.wake_took(Reason::Demand, 3.0);
        metrics.dispatched();
        metrics.load_reported();
        metrics.gate_closed("stale_load");
        metrics.ingest_lines("records", 7);
        metrics.plan_took(0.01);
        metrics.calendar_problems(2, 0);
        metrics.notification("chat", "delivered");
        metrics.failed_handshakes("http")("refused");
        metrics.task_activated("plan", true);
        metrics.http_request("GET", "/v1/wakes", 200, 0.001);
        let mut text = String::new();
        metrics.encode(&mut text).unwrap();
        for line in [
            "reveille_wakes_ended_total{end=\"woken\"} 2",
            "reveille_wake_duration_seconds_count{reason=\"demand\"} 1",
            "reveille_dispatch_total 1",
            "reveille_load_reports_total 1",
            "reveille_gate_closed_total{reason=\"stale_load\"} 1",
            "reveille_ingest_lines_total{outcome=\"records\"} 7",
            "reveille_plan_duration_seconds_count 1",
            "reveille_calendar_problems_total{what=\"event\"} 2",
            "reveille_notifications_total{receiver=\"chat\",outcome=\"delivered\"} 1",
            "reveille_tls_handshakes_failed_total{listener=\"http\",reason=\"refused\"} 1",
            "reveille_task_activations_total{task=\"plan\",outcome=\"failed\"} 1",
            "reveille_http_requests_total{method=\"GET\",route=\"/v1/wakes\",status=\"200\"} 1",
            "reveille_http_request_duration_seconds_count{route=\"/v1/wakes\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }
}
