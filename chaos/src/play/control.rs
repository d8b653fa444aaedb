//! A client of the controller's `Control` service, with the operator's token.

use std::{net::SocketAddr, path::Path};

use anyhow::Context as _;
use reveille_proto::v1::{
    GetReportRequest, HostView, ListHostsRequest, ListWakesRequest, QueryForecastRequest, SetPolicyRequest,
    WakeInstanceRequest, WakeView, control_client::ControlClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

pub(super) const PAGE_SIZE: u32 = 500;
const DAY_S: u32 = 86_400;

/// Adds the token to every request.
#[derive(Debug, Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// What a person with `reveille` sees.
#[derive(Debug, Clone)]
pub struct Control(ControlClient<InterceptedService<Channel, Bearer>>);

impl Control {
    /// Connects when it is first asked something. The token is that of the controller's data directory.
    pub fn new(controller: SocketAddr, data_dir: &Path) -> anyhow::Result<Self> {
        let channel = Endpoint::from_shared(format!("http://{controller}"))?.connect_lazy();
        Self::over(channel, data_dir)
    }

    /// The same, over a channel that is there.
    pub fn over(channel: Channel, data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join("operator.token");
        let token = std::fs::read_to_string(&path)
            .with_context(|| format!("failed to read the operator's token {}", path.display()))?;
        let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", token.trim()).parse()?;
        bearer.set_sensitive(true);
        Ok(Self(ControlClient::with_interceptor(channel, Bearer(bearer))))
    }

    /// Every wake the controller knows, the newest first.
    pub async fn wakes(&mut self) -> Result<Vec<WakeView>, Status> {
        self.wakes_down_to("", PAGE_SIZE).await
    }

    /// Those down to the wake `last`, and at most a page more; `page_size` at a time.
    pub async fn wakes_down_to(&mut self, last: &str, page_size: u32) -> Result<Vec<WakeView>, Status> {
        let mut wakes: Vec<WakeView> = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListWakesRequest { page_size, page_token, ..ListWakesRequest::default() };
            let page = self.0.list_wakes(request).await?.into_inner();
            wakes.extend(page.wakes);
            let is_there = wakes.last().is_some_and(|wake| wake.wake_id.as_str() <= last);
            if is_there || page.next_page_token.is_empty() {
                return Ok(wakes);
            }
            page_token = page.next_page_token;
        }
    }

    /// The wakes of one instance; the first page is enough to know whether there are any.
    pub async fn wakes_of(&mut self, instance: &str) -> Result<Vec<WakeView>, Status> {
        let request = ListWakesRequest { instance_id: instance.to_owned(), ..ListWakesRequest::default() };
        Ok(self.0.list_wakes(request).await?.into_inner().wakes)
    }

    /// Asks for an instance, as a person would.
    pub async fn wake(&mut self, instance: &str) -> Result<WakeView, Status> {
        let request = WakeInstanceRequest { instance_id: instance.to_owned(), requested_by: "bench".into() };
        Ok(self.0.wake_instance(request).await?.into_inner())
    }

    /// Changes one key of the policy.
    pub async fn set_policy(&mut self, key: &str, value: &str) -> Result<(), Status> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.0.set_policy(SetPolicyRequest { key, value, changed_by: "play".into() }).await.map(drop)
    }

    pub async fn hosts(&mut self) -> Result<Vec<HostView>, Status> {
        Ok(self.0.list_hosts(ListHostsRequest {}).await?.into_inner().hosts)
    }

    /// The version of the model in service, and of how many instances it says something for the day to come.
    pub async fn model(&mut self) -> Result<(u64, usize), Status> {
        let (mut known, mut page_token) = (0, String::new());
        loop {
            let request = QueryForecastRequest {
                within_s: DAY_S,
                page_size: PAGE_SIZE,
                page_token,
                ..QueryForecastRequest::default()
            };
            let page = self.0.query_forecast(request).await?.into_inner();
            known += page.forecasts.len();
            if page.next_page_token.is_empty() {
                return Ok((page.model_version, known));
            }
            page_token = page.next_page_token;
        }
    }

    /// The scorecard of `[from_ms, to_ms)`, as JSON.
    pub async fn report(&mut self, from_ms: i64, to_ms: i64) -> anyhow::Result<serde_json::Value> {
        let view = self.0.get_report(GetReportRequest { from_ms, to_ms }).await?.into_inner();
        serde_json::from_str(&view.json).context("failed to read the controller's report")
    }
}
