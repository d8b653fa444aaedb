//! gRPC gives the same answers, and its refusals name the field.

use reveille_proto::v1::{self, control_server::Control as _};
use tonic::{Code, Request};

use super::desk::Desk;
use crate::api::ControlService;

async fn service() -> (Desk, ControlService) {
    let desk = Desk::open().await;
    desk.host("h1", &["dev1"]).await;
    let service = ControlService::new(desk.control.clone());
    (desk, service)
}

#[tokio::test]
async fn a_wake_is_asked_for_followed_and_called_off() {
    let (desk, service) = service().await;
    let request = v1::WakeInstanceRequest { instance_id: "dev1".into(), requested_by: "ada".into() };
    let wake = service.wake_instance(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(
        (wake.reason(), wake.state.as_str(), wake.requested_by.as_str()),
        (v1::Reason::Demand, "queued", "ada")
    );
    let over_http = desk.get(&format!("/v1/wakes/{}", wake.wake_id)).await.ok(200);
    assert_eq!(over_http["instance_id"], "dev1");
    let list = service.list_wakes(Request::new(v1::ListWakesRequest::default())).await.unwrap().into_inner();
    assert_eq!(list.wakes, std::slice::from_ref(&wake));
    let request = v1::CancelWakeRequest { wake_id: wake.wake_id.clone() };
    let ended = service.cancel_wake(Request::new(request.clone())).await.unwrap().into_inner();
    assert_eq!((ended.state.as_str(), ended.end.as_str()), ("ended", "cancelled"));
    assert_eq!(
        service.cancel_wake(Request::new(request)).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
}

#[tokio::test]
async fn refusals_name_the_field() {
    let (_desk, service) = service().await;
    let request = v1::WakeInstanceRequest { instance_id: "a b".into(), ..Default::default() };
    let status = service.wake_instance(Request::new(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("`instance_id`"), "{status}");
    let request = v1::WakeInstanceRequest { instance_id: "nobody".into(), ..Default::default() };
    assert_eq!(service.wake_instance(Request::new(request)).await.unwrap_err().code(), Code::NotFound);
    let request = v1::GetWakeRequest { wake_id: "x".into() };
    let status = service.get_wake(Request::new(request)).await.unwrap_err();
    assert!(status.message().contains("`wake_id`"), "{status}");
    let request =
        v1::SetPolicyRequest { key: "mode".into(), value: "attack".into(), changed_by: String::new() };
    assert_eq!(service.set_policy(Request::new(request)).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn policy_hosts_instances_and_report_are_given() {
    let (_desk, service) = service().await;
    let request = v1::SetPolicyRequest { key: "mode".into(), value: "act".into(), changed_by: "ada".into() };
    service.set_policy(Request::new(request)).await.unwrap();
    let policy = service.get_policy(Request::new(v1::GetPolicyRequest {})).await.unwrap().into_inner();
    let mode = policy.entries.iter().find(|entry| entry.key == "mode").unwrap();
    assert_eq!((mode.value.as_str(), mode.changed_by.as_str()), ("\"act\"", "ada"));
    let hosts = service.list_hosts(Request::new(v1::ListHostsRequest {})).await.unwrap().into_inner();
    assert_eq!(hosts.hosts[0].gate, "its agent is not connected");
    let list = service.list_instances(Request::new(v1::ListInstancesRequest::default())).await.unwrap();
    assert_eq!(list.into_inner().instances[0].host_id, "h1");
    let report =
        service.get_report(Request::new(v1::GetReportRequest::default())).await.unwrap().into_inner();
    let card: crate::report::Scorecard = serde_json::from_str(&report.json).unwrap();
    assert_eq!(card.instances, 1);
}
