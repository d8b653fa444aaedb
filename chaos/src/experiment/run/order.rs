//! What the steps of an experiment ask of the harness, as requests over HTTP say it.

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

use crate::experiment::file::{Length, NoLength, known_metric};

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// People begin to ask.
    Workload,
    Inject {
        /// Id of a fault of the experiment.
        fault: String,
    },
    /// Plays on until the fault has been met so often, or its time to prove itself is over.
    Await {
        fault: String,
        hits: u64,
    },
    Advance {
        seconds: f64,
    },
    /// Ends every fault.
    Clear,
    /// Whether anything of the faults is left.
    Residue,
    Probe {
        metric: String,
        /// Up to now; from the start, where it is not given.
        window: Option<Length>,
        /// The bare number instead of an object.
        as_text: bool,
    },
}

/// Why a request is no order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadOrder {
    #[error("there is no {0} {1}")]
    Unknown(String, String),
    #[error("`{0}` is missing or is none")]
    Field(&'static str),
    #[error("there is no metric `{0}`")]
    Metric(String),
    #[error(transparent)]
    Window(#[from] NoLength),
}

impl Order {
    /// Of a method, a path with its query, and a body. The path begins with `/v1/`.
    pub fn of(method: &str, target: &str, body: &Value) -> Result<Self, BadOrder> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        Ok(match (method, parts.as_slice()) {
            ("POST", ["v1", "workload"]) => Self::Workload,
            ("POST", ["v1", "faults"]) => {
                let fault = body.get("ref").and_then(Value::as_str).ok_or(BadOrder::Field("ref"))?;
                Self::Inject { fault: fault.to_owned() }
            }
            ("GET", ["v1", "faults", fault, "await"]) => {
                let hits = query.get("hits").map_or(Ok(1), |hits| hits.parse());
                Self::Await { fault: (*fault).to_owned(), hits: hits.map_err(|_| BadOrder::Field("hits"))? }
            }
            ("DELETE", ["v1", "faults"]) => Self::Clear,
            ("POST", ["v1", "clock", "advance"]) => {
                let seconds = body.get("seconds").and_then(Value::as_f64);
                let seconds = seconds.filter(|seconds| (0.0..=1e7).contains(seconds));
                Self::Advance { seconds: seconds.ok_or(BadOrder::Field("seconds"))? }
            }
            ("GET", ["v1", "residue"]) => Self::Residue,
            ("GET", ["v1", "probes", metric]) => {
                known_metric(metric).ok_or_else(|| BadOrder::Metric((*metric).to_owned()))?;
                let window = query.get("window").map(|window| window.parse()).transpose()?;
                let as_text = query.get("as") == Some(&"text");
                Self::Probe { metric: (*metric).to_owned(), window, as_text }
            }
            _ => return Err(BadOrder::Unknown(method.to_owned(), path.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(method: &str, target: &str) -> Result<Order, BadOrder> {
        Order::of(method, target, &json!({"ref": "slow", "seconds": 60}))
    }

    #[test]
    fn every_request_of_the_templates_is_an_order() {
        assert_eq!(of("POST", "/v1/workload"), Ok(Order::Workload));
        assert_eq!(of("POST", "/v1/faults"), Ok(Order::Inject { fault: "slow".into() }));
        let order = Order::Await { fault: "slow".into(), hits: 3 };
        assert_eq!(of("GET", "/v1/faults/slow/await?hits=3"), Ok(order));
        assert_eq!(of("POST", "/v1/clock/advance"), Ok(Order::Advance { seconds: 60.0 }));
        assert_eq!(of("DELETE", "/v1/faults?experiment=EP-03"), Ok(Order::Clear));
        assert_eq!(of("GET", "/v1/residue"), Ok(Order::Residue));
        let order =
            Order::Probe { metric: "host_cpu_max".into(), window: Some(Length::m(15)), as_text: true };
        assert_eq!(of("GET", "/v1/probes/host_cpu_max?window=15m&as=text"), Ok(order));
    }

    #[test]
    fn what_is_none_says_why() {
        assert!(matches!(of("PUT", "/v1/faults"), Err(BadOrder::Unknown(..))));
        assert_eq!(of("GET", "/v1/probes/luck"), Err(BadOrder::Metric("luck".into())));
        assert!(matches!(of("GET", "/v1/probes/host_cpu_max?window=soon"), Err(BadOrder::Window(_))));
        assert_eq!(of("GET", "/v1/faults/slow/await?hits=x"), Err(BadOrder::Field("hits")));
        let order = Order::of("POST", "/v1/clock/advance", &json!({"seconds": -1}));
        assert_eq!(order, Err(BadOrder::Field("seconds")));
    }
}
