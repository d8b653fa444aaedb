//! Only the operator's token opens `/v1`.

use axum::{
    body::Body,
    http::{Request, header},
};

use super::desk::{Answer, Desk};

async fn with(desk: &Desk, authorization: Option<String>, path: &str) -> Answer {
    let mut request = Request::builder().uri(path);
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    desk.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn v1_needs_the_operators_token() {
    let desk = Desk::open().await;
    let refused = [
        None,
        Some("Bearer wrong".into()),
        Some(format!("Bearer {}", desk.agent)),
        Some(format!("Basic {}", desk.operator)),
        Some(desk.operator.clone()),
    ];
    for path in ["/v1/hosts", "/v1/policy", "/v1/wakes/nonsense"] {
        for authorization in refused.clone() {
            let answer = with(&desk, authorization, path).await;
            let problem = answer.problem(401, "unauthorized");
            assert_eq!(problem["instance"], path);
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            assert!(!answer.text.contains(&desk.operator));
        }
    }
    let answer = with(&desk, Some(format!("Bearer {}", desk.operator)), "/v1/hosts").await;
    answer.ok(200);
}

#[tokio::test]
async fn probes_and_the_contract_need_none() {
    let desk = Desk::open().await;
    for path in ["/livez", "/metrics", "/v1/openapi.json"] {
        assert_eq!(with(&desk, None, path).await.status.as_u16(), 200, "{path}");
    }
}
