//! One receiver with its way there.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Carrier, smtp::Smtp, webhook::Webhook};
use crate::config::{ConfigError, NotifyConfig, SMTP_RECEIVER};

/// What is to be delivered.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    pub message_id: &'a str,
    /// A [`crate::notify::Payload`] as JSON.
    pub body: &'a str,
    pub created_at: Timestamp,
}

/// What became of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The receiver has it.
    Delivered,
    /// To be tried again.
    Failed {
        problem: String,
        retry_after_s: Option<u32>,
        /// The receiver wants nothing at all until then.
        is_of_receiver: bool,
    },
    /// The receiver wants nothing any more.
    Gone,
}

/// A receiver that cannot be delivered to.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the client for webhooks cannot be made: {0}")]
    Client(String),
    #[error("the way to the mail server cannot be made: {0}")]
    Smtp(String),
}

#[derive(Debug)]
enum Way {
    Webhook(Webhook),
    Smtp(Box<Smtp>),
}

/// Delivers to one receiver.
#[derive(Debug)]
pub struct Courier {
    pub name: String,
    way: Way,
}

impl Courier {
    /// One for each receiver; secrets are read from their files. Webhooks go as `carrier` carries them, where there is one.
    pub fn all(config: &NotifyConfig, carrier: Option<&Arc<dyn Carrier>>) -> Result<Vec<Self>, CourierError> {
        let timeout = Duration::from_secs(config.timeout_s.into());
        let mut couriers = Vec::new();
        for (i, webhook) in config.webhooks.iter().enumerate() {
            let (url, secret) = (config.webhook_url(i)?, config.webhook_secret(i)?);
            let way = Way::Webhook(Webhook::new(url, secret, timeout, carrier.cloned())?);
            couriers.push(Self { name: webhook.name.clone(), way });
        }
        if let Some(smtp) = &config.smtp {
            let way = Way::Smtp(Box::new(Smtp::new(smtp, config.smtp_password()?, timeout)?));
            couriers.push(Self { name: SMTP_RECEIVER.into(), way });
        }
        Ok(couriers)
    }

    /// Tries once, in bounded time.
    pub async fn deliver(&self, parcel: &Parcel<'_>, now: Timestamp) -> Answer {
        match &self.way {
            Way::Webhook(webhook) => webhook.deliver(parcel, now).await,
            Way::Smtp(smtp) => smtp.deliver(parcel).await,
        }
    }
}
