//! `[notify]`: who is told of what, and how. Secrets stand in files of their own.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use glob::Pattern;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::notify::{Event, Receiver, Receivers, Secret};

/// The name under which e-mail is a receiver.
pub const SMTP_RECEIVER: &str = "smtp";

/// `[notify]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyConfig {
    /// How long one delivery may take.
    pub timeout_s: u32,
    /// How long a delivery is tried again before it is given up.
    pub give_up_after_s: u32,
    pub webhooks: Vec<WebhookConfig>,
    pub smtp: Option<SmtpConfig>,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self { timeout_s: 10, give_up_after_s: 3 * 86_400, webhooks: Vec::new(), smtp: None }
    }
}

fn all_events() -> BTreeSet<Event> {
    Event::ALL.into()
}

/// `[[notify.webhooks]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Unique; it stands in tables and figures.
    pub name: String,
    pub url: String,
    /// File with the secret it is signed with, `whsec_..`.
    pub secret_file: PathBuf,
    /// Of what it is told; of everything when it is left out.
    #[serde(default = "all_events")]
    pub events: BTreeSet<Event>,
    /// Only of instances whose id matches one of these patterns; of all when it is left out.
    #[serde(default)]
    pub instances: Vec<String>,
}

/// How the connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// It begins in the clear and is encrypted before anything is said.
    #[default]
    Starttls,
    /// Encrypted from the first byte.
    Tls,
    /// Not at all: for a mail server on the same machine.
    None,
}

/// `[notify.smtp]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    pub host: String,
    /// 587 for `starttls`, 465 for `tls`, 25 for `none` when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default)]
    pub tls: SmtpTls,
    /// `ann@example.com` or `Ann <ann@example.com>`.
    pub from: String,
    pub to: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    #[serde(default = "all_events")]
    pub events: BTreeSet<Event>,
    #[serde(default)]
    pub instances: Vec<String>,
}

impl SmtpConfig {
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            SmtpTls::Starttls => 587,
            SmtpTls::Tls => 465,
            SmtpTls::None => 25,
        })
    }
}

fn read(key: String, path: &Path) -> Result<String, ConfigError> {
    let failed = |problem| ConfigError::value(key, format!("cannot be used, {}: {problem}", path.display()));
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Err(failed("it is empty".to_owned())),
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn patterns(key: &str, texts: &[String]) -> Result<Vec<Pattern>, ConfigError> {
    let pattern = |(i, text): (usize, &String)| {
        let bad =
            |error| ConfigError::value(format!("{key}.instances[{i}]"), format!("is {text:?}: {error}"));
        Pattern::new(text).map_err(bad)
    };
    texts.iter().enumerate().map(pattern).collect()
}

impl NotifyConfig {
    /// All receivers; none when nobody is to be told.
    pub fn receivers(&self) -> Result<Receivers, ConfigError> {
        let mut receivers = Vec::new();
        for (i, webhook) in self.webhooks.iter().enumerate() {
            receivers.push(Receiver {
                name: webhook.name.clone(),
                events: webhook.events.clone(),
                instances: patterns(&format!("notify.webhooks[{i}]"), &webhook.instances)?,
            });
        }
        if let Some(smtp) = &self.smtp {
            receivers.push(Receiver {
                name: SMTP_RECEIVER.into(),
                events: smtp.events.clone(),
                instances: patterns("notify.smtp", &smtp.instances)?,
            });
        }
        Ok(Receivers(receivers))
    }

    /// Where the `i`-th webhook is. The problem does not repeat it.
    pub(crate) fn webhook_url(&self, i: usize) -> Result<Url, ConfigError> {
        let bad = |problem: String| ConfigError::value(format!("notify.webhooks[{i}].url"), problem);
        let url = Url::parse(&self.webhooks[i].url).map_err(|error| bad(format!("is no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("must begin with https:// or http://".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("holds credentials; the signature is what proves who sends".into()));
        }
        Ok(url)
    }

    /// What the `i`-th webhook is signed with, from its file.
    pub(crate) fn webhook_secret(&self, i: usize) -> Result<Secret, ConfigError> {
        let (key, path) = (format!("notify.webhooks[{i}].secret_file"), &self.webhooks[i].secret_file);
        read(key.clone(), path)?
            .parse()
            .map_err(|error| ConfigError::value(key, format!("{}: {error}", path.display())))
    }

    /// The password for the mail server, where one is needed.
    pub(crate) fn smtp_password(&self) -> Result<Option<String>, ConfigError> {
        let path = self.smtp.as_ref().and_then(|smtp| smtp.password_file.as_deref());
        path.map(|path| read("notify.smtp.password_file".into(), path)).transpose()
    }

    /// What no type can say.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, value) in [("timeout_s", self.timeout_s), ("give_up_after_s", self.give_up_after_s)] {
            if value == 0 {
                return Err(ConfigError::value(format!("notify.{key}"), "must be at least 1"));
            }
        }
        let mut names = BTreeSet::from([SMTP_RECEIVER]);
        for (i, webhook) in self.webhooks.iter().enumerate() {
            let bad = |field: &str, problem: String| {
                ConfigError::value(format!("notify.webhooks[{i}].{field}"), problem)
            };
            if webhook.name.is_empty() || !names.insert(&webhook.name) {
                return Err(bad("name", format!("is {:?}; each needs one of its own", webhook.name)));
            }
            if webhook.events.is_empty() {
                return Err(bad("events", "is empty: it would be told of nothing".into()));
            }
            self.webhook_url(i)?;
            self.webhook_secret(i)?;
        }
        self.check_smtp()?;
        self.receivers().map(drop)
    }

    fn check_smtp(&self) -> Result<(), ConfigError> {
        let Some(smtp) = &self.smtp else { return Ok(()) };
        let bad = |field: &str, problem: String| ConfigError::value(format!("notify.smtp.{field}"), problem);
        if smtp.host.is_empty() {
            return Err(bad("host", "is empty".into()));
        }
        if smtp.to.is_empty() || smtp.events.is_empty() {
            let field = if smtp.to.is_empty() { "to" } else { "events" };
            return Err(bad(field, "is empty: nobody would be told of anything".into()));
        }
        let from = std::iter::once(("from".to_owned(), &smtp.from));
        let to = smtp.to.iter().enumerate().map(|(i, to)| (format!("to[{i}]"), to));
        for (field, address) in from.chain(to) {
            if let Err(error) = address.parse::<lettre::message::Mailbox>() {
                return Err(bad(&field, format!("is no address, {address:?}: {error}")));
            }
        }
        if smtp.username.is_some() != smtp.password_file.is_some() {
            let missing = if smtp.username.is_some() { "password_file" } else { "username" };
            return Err(bad(missing, "is missing: a user needs a password, and a password a user".into()));
        }
        if smtp.username.is_some() && smtp.tls == SmtpTls::None {
            return Err(bad("tls", "is none: a password is not sent in the clear".into()));
        }
        self.smtp_password().map(drop)
    }
}

#[cfg(test)]
mod tests;
