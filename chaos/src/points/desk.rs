//! What a person and a program do with the controller over its HTTP API, with the three ways it can go: yes, no, and nobody
//! knows.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::Role;

/// A controller that does not answer for so long is taken to be gone.
const TIMEOUT: Duration = Duration::from_secs(5);
/// More than there are.
const PAGE_SIZE: u32 = 500;

/// What did not work.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// It may have been done all the same.
    #[error("nobody knows what became of it: {0}")]
    Unknown(String),
    /// It was not done.
    #[error("refused with {status}: {problem}")]
    Refused { status: u16, problem: String },
}

/// A wake, as far as the course looks at it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct WakeSeen {
    pub wake_id: String,
    pub instance_id: String,
    pub reason: String,
    pub state: String,
    pub end: Option<String>,
    pub detail: String,
    pub verdict: Option<String>,
    pub attempt: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct HostSeen {
    pub host_id: String,
    pub connected: bool,
    pub active_wakes: u32,
    pub gate: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Omitted {
    pub instance_id: String,
    pub reason: String,
}

#[derive(Debug, Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

/// A client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    client: reqwest::Client,
    base: String,
    token_file: PathBuf,
}

impl Desk {
    pub fn new(controller: SocketAddr, token_file: PathBuf) -> anyhow::Result<Self> {
        // A program that has chosen already keeps its choice.
        rustls::crypto::ring::default_provider().install_default().ok();
        // A connection that is kept may be one to a process that has died.
        let client = reqwest::Client::builder().timeout(TIMEOUT).pool_max_idle_per_host(0).build()?;
        Ok(Self { client, base: format!("http://{controller}"), token_file })
    }

    /// The wake that was made, or that was joined.
    pub async fn ask(&self, role: Role) -> Result<WakeSeen, DeskError> {
        self.post(&format!("/v1/instances/{}/wake", role.name()), &json!({})).await
    }

    pub async fn cancel(&self, wake: &str) -> Result<Value, DeskError> {
        self.post(&format!("/v1/wakes/{wake}/cancel"), &Value::Null).await
    }

    pub async fn force(&self, wake: &str) -> Result<Value, DeskError> {
        self.post(&format!("/v1/wakes/{wake}/force"), &Value::Null).await
    }

    pub async fn retry(&self, wake: &str) -> Result<WakeSeen, DeskError> {
        self.post(&format!("/v1/wakes/{wake}/retry"), &Value::Null).await
    }

    pub async fn set_policy(&self, key: &str, value: &Value) -> Result<Value, DeskError> {
        let request = self.client.put(format!("{}/v1/policy/{key}", self.base));
        self.answer(request.json(&json!({"value": value}))).await
    }

    pub async fn wakes(&self) -> Result<Vec<WakeSeen>, DeskError> {
        Ok(self.get::<Items<WakeSeen>>(&format!("/v1/wakes?page_size={PAGE_SIZE}")).await?.items)
    }

    /// A wake with its moves, as it is shown.
    pub async fn story(&self, wake: &str) -> Result<Value, DeskError> {
        self.get(&format!("/v1/wakes/{wake}")).await
    }

    pub async fn hosts(&self) -> Result<Vec<HostSeen>, DeskError> {
        Ok(self.get::<Items<HostSeen>>("/v1/hosts").await?.items)
    }

    /// Whom the newest plan left out by name.
    pub async fn omissions(&self) -> Result<Vec<Omitted>, DeskError> {
        Ok(self.get::<Items<Omitted>>("/v1/plan/omissions").await?.items)
    }

    pub async fn report(&self) -> Result<Value, DeskError> {
        self.get("/v1/report").await
    }

    /// `/metrics`, whole.
    pub async fn metrics(&self) -> Result<String, DeskError> {
        let answer = self.client.get(format!("{}/metrics", self.base)).send().await.map_err(unknown)?;
        answer.text().await.map_err(unknown)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, DeskError> {
        self.answer(self.client.get(format!("{}{path}", self.base))).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, DeskError> {
        let request = self.client.post(format!("{}{path}", self.base));
        self.answer(if body.is_null() { request } else { request.json(body) }).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, DeskError> {
        let token = std::fs::read_to_string(&self.token_file)
            .map_err(|_| DeskError::Unknown("the controller has made no token yet".into()))?;
        let request = request.bearer_auth(token.trim()).header("x-reveille-user", "course");
        let answer = request.send().await.map_err(unknown)?;
        let status = answer.status();
        if status.is_success() {
            return answer.json().await.map_err(unknown);
        }
        let problem = answer.text().await.unwrap_or_default();
        // A controller in trouble may have done it before it got there.
        if status.is_server_error() {
            return Err(DeskError::Unknown(format!("{status}: {problem}")));
        }
        Err(DeskError::Refused { status: status.as_u16(), problem })
    }
}

/// Without the URL, and with what is beneath.
fn unknown(error: reqwest::Error) -> DeskError {
    DeskError::Unknown(format!("{:#}", anyhow::Error::new(error.without_url())))
}
