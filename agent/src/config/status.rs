//! Where the platform says how an instance is, and what its words mean.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::SecretText;

/// A GET that answers with JSON. Placeholders are replaced in `url` and `headers`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    pub url: String,
    #[serde(default)]
    pub headers: BTreeMap<String, SecretText>,
    /// JSON pointer to the field, as in RFC 6901: `/result/state`.
    pub field: String,
    /// What each value of the field means. A value that is not listed is no word: nothing is called on it.
    pub values: BTreeMap<String, StatusWord>,
    /// Real seconds until an answer is given up, its body included.
    #[serde(default = "five")]
    pub request_timeout_s: u64,
}

/// How an instance is, in the platform's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusWord {
    Awake,
    Asleep,
    Starting,
    /// It comes back by itself, in another version.
    Upgrading,
    /// It was taken back from its owner.
    Reclaimed,
    /// Its owner has left.
    OwnerGone,
    /// It is not to be disturbed.
    Quiet,
    /// Its owner does not want it to be woken ahead.
    OptedOut,
}

impl StatusWord {
    /// As the configuration and a result's code write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awake => "awake",
            Self::Asleep => "asleep",
            Self::Starting => "starting",
            Self::Upgrading => "upgrading",
            Self::Reclaimed => "reclaimed",
            Self::OwnerGone => "owner_gone",
            Self::Quiet => "quiet",
            Self::OptedOut => "opted_out",
        }
    }
}

fn five() -> u64 {
    5
}
