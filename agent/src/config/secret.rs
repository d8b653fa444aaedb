//! A text that may be a secret: written out, in a file or in the environment; never printed.

use std::{fmt, path::PathBuf};

use serde::Deserialize;

use super::ConfigError;

/// `"text"`, `{ from_file = "path" }` or `{ from_env = "NAME" }`. A file is read at each use, so it may be rotated.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum SecretText {
    Literal(String),
    File(FromFile),
    Env(FromEnv),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromFile {
    pub from_file: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromEnv {
    pub from_env: String,
}

impl SecretText {
    /// The text itself, without the line end a file has; `key` names it in errors.
    pub fn reveal(&self, key: &str) -> Result<String, ConfigError> {
        match self {
            Self::Literal(text) => Ok(text.clone()),
            Self::File(FromFile { from_file }) => std::fs::read_to_string(from_file)
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|source| ConfigError::KeyFile { key: key.into(), file: from_file.clone(), source }),
            Self::Env(FromEnv { from_env }) => std::env::var(from_env)
                .map_err(|_| ConfigError::key(key, format!("needs the environment variable {from_env}"))),
        }
    }

    /// The same with the placeholders of a literal replaced.
    #[must_use]
    pub fn map_literal(&self, fill: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Literal(text) => Self::Literal(fill(text)),
            other => other.clone(),
        }
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self::Literal(text.to_owned())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("\"(hidden)\""),
            Self::File(FromFile { from_file }) => write!(f, "from_file {}", from_file.display()),
            Self::Env(FromEnv { from_env }) => write!(f, "from_env {from_env}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_never_printed() {
        let secret = SecretText::from("hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(secret.reveal("k").expect("a literal"), "hunter2");
    }

    #[test]
    fn a_file_is_read_without_its_line_end_and_named_when_it_is_missing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        std::fs::write(&path, "abc\n").expect("written");
        let secret = SecretText::File(FromFile { from_file: path.clone() });
        assert_eq!(secret.reveal("k").expect("readable"), "abc");
        std::fs::remove_file(&path).expect("removed");
        let error = secret.reveal("instances[dev1].driver.headers.X").expect_err("missing").to_string();
        assert!(error.contains("instances[dev1].driver.headers.X") && error.contains("token"), "{error}");
    }
}
