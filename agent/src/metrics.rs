//! The agent's own figures, for Prometheus.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicU64},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use reveille_proto::edge::Outcome;

/// Handles to all figures. Cheap to clone; every clone counts the same.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    wakes: Family<OutcomeLabel, Counter>,
    pub active_wakes: Gauge<i64, AtomicI64>,
    pub cpu_percent: Gauge<f64, AtomicU64>,
    pub connected: Gauge<i64, AtomicI64>,
    pub sessions: Counter,
    pub journal_bad_lines: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("reveille_agent");
        let metrics = Self {
            registry: Arc::default(),
            wakes: Family::default(),
            active_wakes: Gauge::default(),
            cpu_percent: Gauge::default(),
            connected: Gauge::default(),
            sessions: Counter::default(),
            journal_bad_lines: Counter::default(),
        };
        registry.register("wakes", "Attempts that ended, by outcome", metrics.wakes.clone());
        registry.register("active_wakes", "Wakes being carried out", metrics.active_wakes.clone());
        registry.register("cpu_percent", "Smoothed CPU load of the host", metrics.cpu_percent.clone());
        registry.register(
            "connected",
            "1 while the controller has welcomed this agent",
            metrics.connected.clone(),
        );
        registry.register("sessions", "Sessions with a controller that were begun", metrics.sessions.clone());
        registry.register(
            "journal_bad_lines",
            "Lines of the journal that were passed over",
            metrics.journal_bad_lines.clone(),
        );
        *metrics.registry.lock().expect("not shared yet") = registry;
        metrics
    }
}

impl Metrics {
    /// Counts the end of an attempt.
    pub fn count(&self, outcome: Outcome) {
        let outcome = outcome.as_str_name().trim_start_matches("OUTCOME_").to_ascii_lowercase();
        self.wakes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// All figures in the text format of `OpenMetrics`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().expect("nobody panics while holding it");
        text::encode(&mut text, &registry).expect("a string takes all text");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_their_names() {
        let metrics = Metrics::default();
        metrics.count(Outcome::AlreadyAwake);
        metrics.clone().active_wakes.set(3);
        let text = metrics.text();
        assert!(text.contains("reveille_agent_wakes_total{outcome=\"already_awake\"} 1"), "{text}");
        assert!(text.contains("reveille_agent_active_wakes 3"), "{text}");
    }
}
