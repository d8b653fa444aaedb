//! One sign of a person at one instance.

use jiff::Timestamp;
use reveille_proto::InstanceId;
use serde::{Deserialize, Serialize};

/// What the sign was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SightingKind {
    /// Any other request of a person.
    Visit,
    /// A request that logs in.
    Login,
    /// A request to wake the instance: the person found it asleep.
    WakeRequest,
}

impl SightingKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Visit => "visit",
            Self::Login => "login",
            Self::WakeRequest => "wake_request",
        }
    }
}

/// One sign of a person at one instance. Sightings order by instance, then time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sighting {
    pub instance: InstanceId,
    pub at: Timestamp,
    pub kind: SightingKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_has_one_name_in_pages_and_in_json() {
        for kind in [SightingKind::Visit, SightingKind::Login, SightingKind::WakeRequest] {
            assert_eq!(serde_json::to_value(kind).expect("plain"), kind.as_str());
        }
    }
}
