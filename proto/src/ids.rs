//! Ids are types: an instance is never taken for a host.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;
use rand::Rng;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest accepted instance or host id, in bytes.
pub const ID_BYTES_MAX: usize = 200;

/// An id that cannot be one, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    #[error("is empty")]
    Empty,
    #[error("is {0} bytes long, at most {ID_BYTES_MAX} are allowed")]
    TooLong(usize),
    #[error("holds {0:?}; letters, digits and .-_:@/ are allowed")]
    Character(char),
    #[error("is not a wake id: {0}")]
    Wake(String),
}

fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(InvalidId::TooLong(text.len()));
    }
    let bad = text.chars().find(|c| !(c.is_ascii_alphanumeric() || ".-_:@/".contains(*c)));
    bad.map_or(Ok(()), |c| Err(InvalidId::Character(c)))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and keeps the text.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                check(text).map(|()| Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// What hibernates: one instance of one user.
    InstanceId
);
text_id!(
    /// Where instances live.
    HostId
);

/// One durable attempt to bring one instance up for one reason. UUID version 7, so ids sort by creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WakeId(Uuid);

impl WakeId {
    /// A new id for a wake created at `now`; its random part comes from `rng`.
    pub fn generate(now: Timestamp, rng: &mut impl Rng) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let mut random = [0u8; 10];
        rng.fill_bytes(&mut random);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

impl fmt::Display for WakeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for WakeId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::parse_str(text).map(Self).map_err(|_| InvalidId::Wake(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for WakeId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<WakeId> for String {
    fn from(id: WakeId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn ids_are_checked_and_say_what_is_wrong() {
        assert!(InstanceId::new("dev123.example.com:8080").is_ok());
        assert_eq!(InstanceId::new(""), Err(InvalidId::Empty));
        assert_eq!(HostId::new("a b"), Err(InvalidId::Character(' ')));
        assert_eq!(HostId::new("x".repeat(201)), Err(InvalidId::TooLong(201)));
        assert!(serde_json::from_str::<InstanceId>("\"a\\nb\"").is_err());
    }

    #[test]
    fn wake_ids_sort_by_creation_and_survive_text() {
        let mut rng = StdRng::seed_from_u64(1);
        let early = WakeId::generate(Timestamp::from_second(1_000).expect("in range"), &mut rng);
        let late = WakeId::generate(Timestamp::from_second(2_000).expect("in range"), &mut rng);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<WakeId>(), Ok(early));
        assert!("nonsense".parse::<WakeId>().is_err());
    }
}
