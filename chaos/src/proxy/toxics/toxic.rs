//! A toxic as the API writes it: a type and its attributes.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    Bandwidth, HalfOpen, Latency, LimitData, Partition, ResetPeer, Slicer, SlowClose, Timeout,
    bandwidth::BandwidthStage, half_open::HalfOpenStage, latency::LatencyStage, limit_data::LimitDataStage,
    partition::PartitionStage, reset_peer::ResetPeerStage, slicer::SlicerStage, slow_close::SlowCloseStage,
    timeout::TimeoutStage,
};
use crate::proxy::{draw::Draw, hits::Tally, stage::Stage};

/// The first seven are Toxiproxy's, the last three ours.
#[derive(Debug, Clone, PartialEq)]
pub enum Toxic {
    Latency(Latency),
    Bandwidth(Bandwidth),
    SlowClose(SlowClose),
    Timeout(Timeout),
    ResetPeer(ResetPeer),
    Slicer(Slicer),
    LimitData(LimitData),
    /// Both directions, and new connections.
    Partition(Partition),
    /// One direction.
    OneWay(Partition),
    HalfOpen(HalfOpen),
}

/// A toxic that is none.
#[derive(Debug, thiserror::Error)]
pub enum ToxicError {
    #[error("`{0}` is no type of toxic")]
    Type(String),
    #[error("attributes of {kind}")]
    Attributes { kind: &'static str, source: serde_json::Error },
    #[error("attributes of {kind}: {problem}")]
    Sense { kind: &'static str, problem: String },
}

impl Toxic {
    /// Attributes that are not named keep their default; ones nobody knows are ignored, as Toxiproxy does.
    pub fn parse(kind: &str, attributes: Map<String, Value>) -> Result<Self, ToxicError> {
        Ok(match kind {
            "latency" => Self::Latency(read("latency", attributes)?),
            "bandwidth" => Self::Bandwidth(read("bandwidth", attributes)?),
            "slow_close" => Self::SlowClose(read("slow_close", attributes)?),
            "timeout" => Self::Timeout(read("timeout", attributes)?),
            "reset_peer" => Self::ResetPeer(read("reset_peer", attributes)?),
            "slicer" => {
                let slicer: Slicer = read("slicer", attributes)?;
                slicer.check().map_err(|problem| ToxicError::Sense { kind: "slicer", problem })?;
                Self::Slicer(slicer)
            }
            "limit_data" => Self::LimitData(read("limit_data", attributes)?),
            "partition" => Self::Partition(read("partition", attributes)?),
            "one_way" => Self::OneWay(read("one_way", attributes)?),
            "half_open" => Self::HalfOpen(read("half_open", attributes)?),
            other => return Err(ToxicError::Type(other.to_owned())),
        })
    }

    /// The same with some attributes replaced.
    pub fn with(&self, attributes: Map<String, Value>) -> Result<Self, ToxicError> {
        let mut all = self.attributes();
        all.extend(attributes);
        Self::parse(self.kind(), all)
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Bandwidth(_) => "bandwidth",
            Self::SlowClose(_) => "slow_close",
            Self::Timeout(_) => "timeout",
            Self::ResetPeer(_) => "reset_peer",
            Self::Slicer(_) => "slicer",
            Self::LimitData(_) => "limit_data",
            Self::Partition(_) => "partition",
            Self::OneWay(_) => "one_way",
            Self::HalfOpen(_) => "half_open",
        }
    }

    pub fn attributes(&self) -> Map<String, Value> {
        match self {
            Self::Latency(toxic) => write(toxic),
            Self::Bandwidth(toxic) => write(toxic),
            Self::SlowClose(toxic) => write(toxic),
            Self::Timeout(toxic) => write(toxic),
            Self::ResetPeer(toxic) => write(toxic),
            Self::Slicer(toxic) => write(toxic),
            Self::LimitData(toxic) => write(toxic),
            Self::Partition(toxic) | Self::OneWay(toxic) => write(toxic),
            Self::HalfOpen(toxic) => write(toxic),
        }
    }

    /// It at work in one direction of one connection, from now on.
    pub(in crate::proxy) fn stage(&self, draw: Draw, tally: Tally, now: Instant) -> Box<dyn Stage> {
        match self.clone() {
            Self::Latency(toxic) => Box::new(LatencyStage::new(toxic, draw, tally)),
            Self::Bandwidth(toxic) => Box::new(BandwidthStage::new(toxic, tally)),
            Self::SlowClose(toxic) => Box::new(SlowCloseStage::new(toxic, tally)),
            Self::Timeout(toxic) => Box::new(TimeoutStage::new(toxic, tally, now)),
            Self::ResetPeer(toxic) => Box::new(ResetPeerStage::new(toxic, tally)),
            Self::Slicer(toxic) => Box::new(SlicerStage::new(toxic, draw, tally)),
            Self::LimitData(toxic) => Box::new(LimitDataStage::new(toxic, tally)),
            Self::Partition(toxic) | Self::OneWay(toxic) => Box::new(PartitionStage::new(toxic, tally)),
            Self::HalfOpen(_) => Box::new(HalfOpenStage::new()),
        }
    }
}

fn read<T: DeserializeOwned>(kind: &'static str, attributes: Map<String, Value>) -> Result<T, ToxicError> {
    serde_json::from_value(Value::Object(attributes))
        .map_err(|source| ToxicError::Attributes { kind, source })
}

fn write(toxic: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(toxic) {
        Ok(Value::Object(attributes)) => attributes,
        // Structs of numbers and words are always objects.
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_type_reads_what_it_writes() {
        let slicer = json!({"average_size": 10, "size_variation": 2, "delay": 3});
        for kind in [
            "latency",
            "bandwidth",
            "slow_close",
            "timeout",
            "reset_peer",
            "slicer",
            "limit_data",
            "partition",
            "one_way",
            "half_open",
        ] {
            let attributes = if kind == "slicer" { map(slicer.clone()) } else { Map::new() };
            let toxic = Toxic::parse(kind, attributes).expect("valid");
            assert_eq!(toxic.kind(), kind);
            assert_eq!(Toxic::parse(kind, toxic.attributes()).expect("valid"), toxic);
        }
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let toxic = Toxic::parse("latency", map(json!({"latency": 100, "jitter": 10}))).expect("valid");
        let updated = toxic.with(map(json!({"latency": 1000, "colour": "red"}))).expect("valid");
        assert_eq!(updated, Toxic::Latency(Latency { latency: 1000, jitter: 10 }));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let error = Toxic::parse("latency", map(json!({"latency": -1}))).expect_err("negative");
        assert!(matches!(error, ToxicError::Attributes { kind: "latency", .. }));
        assert!(matches!(Toxic::parse("mars", Map::new()), Err(ToxicError::Type(kind)) if kind == "mars"));
        assert!(matches!(Toxic::parse("slicer", Map::new()), Err(ToxicError::Sense { .. })));
    }
}
