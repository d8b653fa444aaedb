//! The contract that is served is the one in the repository.

use super::desk::Desk;
use crate::api::openapi;

#[test]
fn the_routes_are_known() {
    let openapi = serde_json::to_value(openapi()).unwrap();
    let paths = openapi["paths"].as_object().unwrap();
    let routes: Vec<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    insta::assert_json_snapshot!(routes);
}

#[test]
fn every_reference_leads_somewhere() {
    let openapi = serde_json::to_value(openapi()).unwrap();
    let text = openapi.to_string();
    let mut found = 0;
    for rest in text.split("\"#/components/schemas/").skip(1) {
        let name = rest.split('"').next().unwrap();
        assert!(openapi["components"]["schemas"].get(name).is_some(), "{name} is not in the contract");
        found += 1;
    }
    assert!(found > 20, "only {found} references");
    assert_eq!(openapi["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test]
async fn it_is_served() {
    let desk = Desk::open().await;
    let served = desk.get("/v1/openapi.json").await.ok(200);
    assert_eq!(served, serde_json::to_value(openapi()).unwrap());
}
