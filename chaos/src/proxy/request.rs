//! What may be asked of the registry, with the wire's defaults.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{lease::lease_length, plan::Stream, refusal::Refusal, toxics::Toxic};

/// A proxy to create, or to find as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NewProxy {
    pub name: String,
    pub listen: String,
    pub upstream: String,
    pub enabled: Option<bool>,
}

/// What of a proxy is to change.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ProxyChange {
    pub listen: Option<String>,
    pub upstream: Option<String>,
    pub enabled: Option<bool>,
    /// Of the fault that it is down.
    pub lease_s: Option<f64>,
}

/// A toxic to add.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NewToxic {
    /// By default `TYPE_STREAM`.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// By default `downstream`.
    pub stream: String,
    pub toxicity: Option<f64>,
    pub attributes: Option<Map<String, Value>>,
    pub lease_s: Option<f64>,
}

/// What of a toxic is to change.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ToxicChange {
    pub toxicity: Option<f64>,
    pub attributes: Option<Map<String, Value>>,
    pub lease_s: Option<f64>,
}

/// A toxic that makes sense.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) stream: Stream,
    pub(super) toxicity: f64,
    pub(super) toxic: Toxic,
    pub(super) lease: Option<Duration>,
}

impl NewProxy {
    pub(super) fn check(&self, place: &str) -> Result<(), Refusal> {
        for (field, value) in [("name", &self.name), ("upstream", &self.upstream)] {
            if value.is_empty() {
                return Err(Refusal::MissingField(format!("{field}{place}")));
            }
        }
        Ok(())
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or(true)
    }
}

impl NewToxic {
    pub(super) fn check(self) -> Result<Checked, Refusal> {
        let stream = stream(&self.kind, &self.stream)?;
        let toxic = Toxic::parse(&self.kind, self.attributes.unwrap_or_default())?;
        let name = if self.name.is_empty() { format!("{}_{}", self.kind, stream.name()) } else { self.name };
        let toxicity = share(self.toxicity.unwrap_or(1.0))?;
        Ok(Checked { name, stream, toxicity, toxic, lease: lease(self.lease_s)? })
    }
}

/// Toxiproxy's streams; a partition has both.
fn stream(kind: &str, text: &str) -> Result<Stream, Refusal> {
    match (kind, text.to_ascii_lowercase().as_str()) {
        ("partition", "" | "both") => Ok(Stream::Both),
        ("partition", _) => {
            Err(Refusal::BadBody("a partition is of both streams; `one_way` is of one".into()))
        }
        (_, "" | "downstream") => Ok(Stream::Downstream),
        (_, "upstream") => Ok(Stream::Upstream),
        _ => Err(Refusal::InvalidStream),
    }
}

pub(super) fn share(toxicity: f64) -> Result<f64, Refusal> {
    let is_share = (0.0..=1.0).contains(&toxicity);
    is_share.then_some(toxicity).ok_or_else(|| Refusal::BadBody("toxicity is a share, 0-1".into()))
}

pub(super) fn lease(seconds: Option<f64>) -> Result<Option<Duration>, Refusal> {
    seconds.map(lease_length).transpose().map_err(|problem| Refusal::BadBody(format!("lease_s: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toxic(text: &str) -> Result<Checked, Refusal> {
        serde_json::from_str::<NewToxic>(text).expect("JSON").check()
    }

    #[test]
    fn what_is_not_said_has_the_wires_default() {
        let checked = toxic(r#"{"type": "latency", "attributes": {"latency": 5}}"#).expect("valid");
        assert_eq!((checked.name.as_str(), checked.stream), ("latency_downstream", Stream::Downstream));
        assert!((checked.toxicity - 1.0).abs() < f64::EPSILON && checked.lease.is_none());
        let checked = toxic(r#"{"type": "partition"}"#).expect("valid");
        assert_eq!((checked.name.as_str(), checked.stream), ("partition_both", Stream::Both));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |text| toxic(text).expect_err(text);
        assert!(matches!(refused(r#"{"type": "timeout", "stream": "sideways"}"#), Refusal::InvalidStream));
        assert!(matches!(refused(r#"{"type": "mars"}"#), Refusal::InvalidToxicType));
        assert!(matches!(refused(r#"{"type": "partition", "stream": "upstream"}"#), Refusal::BadBody(_)));
        assert!(matches!(refused(r#"{"type": "timeout", "toxicity": 1.5}"#), Refusal::BadBody(_)));
        assert!(matches!(refused(r#"{"type": "timeout", "lease_s": 0}"#), Refusal::BadBody(_)));
        let negative = refused(r#"{"type": "latency", "attributes": {"latency": -1}}"#);
        assert!(matches!(negative, Refusal::BadAttributes(_)) && negative.status() == 400);
    }
}
