//! Takes up certificates that were replaced: sessions go on, the next connection is made with the new one.

use std::time::Duration;

use tracing::info;

use super::{Task, TaskError};
use crate::tls;

/// Looks at the files.
#[derive(Debug)]
pub struct Certificates {
    in_service: tls::Certificates,
}

impl Certificates {
    pub fn new(in_service: tls::Certificates) -> Self {
        Self { in_service }
    }
}

impl Task for Certificates {
    const NAME: &'static str = "certificates";

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let in_service = self.in_service.clone();
        // Files may lie on a network.
        if !tokio::task::spawn_blocking(move || in_service.renew()).await?? {
            return Ok(String::new());
        }
        info!("the certificate was replaced");
        Ok("a certificate replaced".into())
    }
}
