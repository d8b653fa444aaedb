//! The two controllers as a client sees them: where each answers now, and which of them leads.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    files::{GRPC_PORT, HTTP_PORT},
    world::CONTROLLERS,
};
use crate::play::control::Control;

/// Whoever asks waits no longer: the other one may answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Cheap to clone; all clones learn of a new address.
#[derive(Debug, Clone)]
pub(super) struct Controllers {
    at: Arc<RwLock<Vec<Door>>>,
    http: reqwest::Client,
    tokens: PathBuf,
    token: Arc<str>,
}

#[derive(Debug, Clone)]
struct Door {
    http: SocketAddr,
    control: Control,
}

/// A row of `/v1/controllers`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Row {
    pub(super) controller_id: String,
    pub(super) leads: bool,
    pub(super) answers: bool,
}

/// A row of `/v1/hosts`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Host {
    #[serde(rename = "host_id")]
    pub(super) id: String,
    pub(super) connected: bool,
    pub(super) active_wakes: u32,
}

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

impl Controllers {
    /// `tokens` is the directory with the tokens all share.
    pub(super) fn new(at: [Ipv4Addr; CONTROLLERS], tokens: &Path) -> anyhow::Result<Self> {
        let token =
            std::fs::read_to_string(tokens.join("operator.token")).context("failed to read a token")?;
        let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build()?;
        let doors: anyhow::Result<Vec<Door>> = at.iter().map(|at| door(*at, tokens)).collect();
        let at = Arc::new(RwLock::new(doors?));
        Ok(Self { at, http, tokens: tokens.into(), token: token.trim().into() })
    }

    /// A controller that was started again may be found elsewhere.
    pub(super) fn moved(&self, index: usize, to: Ipv4Addr) -> anyhow::Result<()> {
        let door = door(to, &self.tokens)?;
        self.at.write().unwrap_or_else(PoisonError::into_inner)[index] = door;
        Ok(())
    }

    /// A client of one of them; the next of the first again when there are no more.
    pub(super) fn control(&self, index: usize) -> Control {
        self.door(index).control
    }

    fn door(&self, index: usize) -> Door {
        self.at.read().unwrap_or_else(PoisonError::into_inner)[index % CONTROLLERS].clone()
    }

    /// All controllers as this one knows them.
    pub(super) async fn known_to(&self, index: usize) -> anyhow::Result<Vec<Row>> {
        self.get(index, "controllers").await
    }

    /// All hosts as this one knows them.
    pub(super) async fn hosts(&self, index: usize) -> anyhow::Result<Vec<Host>> {
        self.get(index, "hosts").await
    }

    async fn get<T: DeserializeOwned>(&self, index: usize, what: &str) -> anyhow::Result<Vec<T>> {
        let url = format!("http://{}/v1/{what}", self.door(index).http);
        let answer = self.http.get(url).bearer_auth(&self.token).send().await?;
        Ok(answer.error_for_status()?.json::<Items<T>>().await?.items)
    }
}

fn door(at: Ipv4Addr, tokens: &Path) -> anyhow::Result<Door> {
    let control = Control::new((at, GRPC_PORT).into(), tokens)?;
    Ok(Door { http: (at, HTTP_PORT).into(), control })
}
