//! `reveille.v1.Control`: each call is checked, answered by [`Control`], and turned into a message.

use jiff::SignedDuration;
use reveille_proto::{
    edge,
    v1::{self, control_server},
};
use tonic::{Request, Response, Status, service::Interceptor, service::interceptor::InterceptedService};

use super::convert;
use crate::{
    api::{
        Control, ControlError, Tokens,
        control::{ForecastQuery, WakesQuery},
    },
    wake::Reason,
};

/// Serves `reveille.v1.Control`.
#[derive(Debug, Clone)]
pub struct ControlService {
    control: Control,
}

impl ControlService {
    pub fn new(control: Control) -> Self {
        Self { control }
    }
}

/// The service behind the operator's token.
pub fn control_service(
    control: Control,
    tokens: &Tokens,
) -> InterceptedService<
    control_server::ControlServer<ControlService>,
    impl Interceptor + Clone + Send + Sync + 'static + use<>,
> {
    control_server::ControlServer::with_interceptor(
        ControlService::new(control),
        tokens.operator_interceptor(),
    )
}

#[tonic::async_trait]
impl control_server::Control for ControlService {
    async fn query_forecast(
        &self,
        request: Request<v1::QueryForecastRequest>,
    ) -> Result<Response<v1::QueryForecastResponse>, Status> {
        let asked = request.into_inner();
        let query = ForecastQuery {
            at: convert::time("at_ms", asked.at_ms)?,
            within: (asked.within_s > 0).then(|| SignedDuration::from_secs(asked.within_s.into())),
            min_probability: asked.min_probability,
            instance: convert::optional("instance_id", &asked.instance_id, edge::instance_id)?,
            page_size: asked.page_size,
            after: convert::optional("page_token", &asked.page_token, edge::instance_id)?,
        };
        let page = self.control.forecasts(&query).await?;
        Ok(Response::new(v1::QueryForecastResponse {
            forecasts: page.items.into_iter().map(convert::forecast).collect(),
            next_page_token: page.next_page_token,
            model_version: page.model_version,
        }))
    }

    async fn wake_instance(
        &self,
        request: Request<v1::WakeInstanceRequest>,
    ) -> Result<Response<v1::WakeView>, Status> {
        let asked = request.into_inner();
        let instance = convert::required("instance_id", &asked.instance_id, edge::instance_id)?;
        let by = convert::by(&asked.requested_by);
        let answer = self.control.wake_instance(&instance, &by, Reason::Demand).await?;
        Ok(Response::new(convert::wake(answer.wake)))
    }

    async fn cancel_wake(
        &self,
        request: Request<v1::CancelWakeRequest>,
    ) -> Result<Response<v1::WakeView>, Status> {
        let id = convert::required("wake_id", &request.into_inner().wake_id, edge::wake_id)?;
        let wake = self.control.cancel_wake(id, &convert::by("")).await?;
        Ok(Response::new(convert::wake(wake)))
    }

    async fn get_wake(&self, request: Request<v1::GetWakeRequest>) -> Result<Response<v1::WakeView>, Status> {
        let id = convert::required("wake_id", &request.into_inner().wake_id, edge::wake_id)?;
        let story = self.control.wake(id).await?;
        Ok(Response::new(convert::wake(story.wake)))
    }

    async fn list_wakes(
        &self,
        request: Request<v1::ListWakesRequest>,
    ) -> Result<Response<v1::ListWakesResponse>, Status> {
        let asked = request.into_inner();
        let query = WakesQuery {
            state: (!asked.state.is_empty()).then_some(asked.state),
            instance: convert::optional("instance_id", &asked.instance_id, edge::instance_id)?,
            reason: None,
            page_size: asked.page_size,
            after: convert::optional("page_token", &asked.page_token, edge::wake_id)?,
        };
        let page = self.control.wakes(query).await?;
        Ok(Response::new(v1::ListWakesResponse {
            wakes: page.items.into_iter().map(convert::wake).collect(),
            next_page_token: page.next_page_token,
        }))
    }

    async fn list_hosts(
        &self,
        _: Request<v1::ListHostsRequest>,
    ) -> Result<Response<v1::ListHostsResponse>, Status> {
        let hosts = self.control.hosts().await?.into_iter().map(convert::host).collect();
        Ok(Response::new(v1::ListHostsResponse { hosts }))
    }

    async fn list_instances(
        &self,
        request: Request<v1::ListInstancesRequest>,
    ) -> Result<Response<v1::ListInstancesResponse>, Status> {
        let asked = request.into_inner();
        let after = convert::optional("page_token", &asked.page_token, edge::instance_id)?;
        let page = self.control.instances(asked.page_size, after.as_ref()).await?;
        Ok(Response::new(v1::ListInstancesResponse {
            instances: page.items.into_iter().map(convert::instance).collect(),
            next_page_token: page.next_page_token,
        }))
    }

    async fn get_policy(&self, _: Request<v1::GetPolicyRequest>) -> Result<Response<v1::PolicyView>, Status> {
        Ok(Response::new(convert::policy(self.control.policy().await?)))
    }

    async fn set_policy(
        &self,
        request: Request<v1::SetPolicyRequest>,
    ) -> Result<Response<v1::PolicyView>, Status> {
        let asked = request.into_inner();
        if asked.key.is_empty() {
            return Err(ControlError::invalid("key", "is empty").into());
        }
        let by = convert::by(&asked.changed_by);
        let policy = self.control.policy_set(&asked.key, &asked.value, &by).await?;
        Ok(Response::new(convert::policy(policy)))
    }

    async fn get_report(
        &self,
        request: Request<v1::GetReportRequest>,
    ) -> Result<Response<v1::ReportView>, Status> {
        let asked = request.into_inner();
        let from = convert::time("from_ms", asked.from_ms)?;
        let to = convert::time("to_ms", asked.to_ms)?;
        let card = self.control.report(from, to).await?;
        let json = serde_json::to_string(&card).expect("a scorecard is plain data");
        Ok(Response::new(v1::ReportView { json }))
    }
}
