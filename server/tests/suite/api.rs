//! `/v1` besides tokens: import, lists, deletion, and how errors look.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::World;

#[tokio::test]
async fn a_token_pair_is_imported_without_asking_the_provider() {
    let world = World::new().await;
    let host = world.any_host().await;
    let answer = host
        .post(
            "/v1/connections",
            json!({ "provider": "github", "credential": {
                "access_token": "gho_imported", "refresh_token": "ghr_imported",
                "expires_at": world.clock.now() + TimeDelta::hours(8),
            }, "account": { "id": "42", "label": "ana" } }),
        )
        .await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], "not_checked");
    assert_eq!(body["account"]["label"], "ana");
    assert!(
        !body.to_string().contains("imported"),
        "no token in the answer"
    );
    let id = body["id"].as_str().unwrap().parse().unwrap();
    let (status, token) = host.token(id).await;
    assert_eq!(
        (status, &token["access_token"]),
        (StatusCode::OK, &json!("gho_imported"))
    );
    let again: Value = host.get(&location).await.json().await.unwrap();
    assert_eq!(again["id"], body["id"]);
    let twice = host
        .post(
            "/v1/connections",
            json!({ "provider": "github", "credential": { "access_token": "x" }, "account": { "id": "42" } }),
        )
        .await;
    assert_eq!(twice.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_cannot_be_imported_is_named() {
    let world = World::new().await;
    let host = world.any_host().await;
    for (body, field) in [
        (
            json!({ "provider": "nowhere", "credential": { "access_token": "x" } }),
            "provider",
        ),
        (
            json!({ "provider": "github", "credential": { "access_token": "" } }),
            "credential.access_token",
        ),
        (
            json!({ "provider": "shopify", "credential": { "access_token": "x" }, "variables": { "shop": "evil.example/" } }),
            "variables",
        ),
        (
            json!({ "provider": "shopify", "credential": { "access_token": "x" } }),
            "variables",
        ),
        (
            json!({ "provider": "github", "credential": { "access_token": "x" },
                "display_name": "Shop \u{202e}gro.evil" }),
            "display_name",
        ),
    ] {
        let answer = host.post("/v1/connections", body).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["errors"][0]["field"], field);
    }
    for body in [json!({}), json!([]), json!({ "provider": "github" })] {
        let answer = host.post("/v1/connections", body).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let listed: Value = host.get("/v1/connections").await.json().await.unwrap();
    assert_eq!(listed["data"], json!([]));
}

#[tokio::test]
async fn deleting_revokes_and_forgets() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    assert_eq!(
        host.delete(&format!("/v1/connections/{id}")).await.status(),
        StatusCode::NO_CONTENT
    );
    assert!(world.shop.grants().is_empty());
    assert_eq!(host.token(id).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        host.delete(&format!("/v1/connections/{id}")).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_catalog_is_listed_and_searched() {
    let world = World::new().await;
    let host = world.any_host().await;
    let all: Value = host
        .get("/v1/catalog?limit=500")
        .await
        .json()
        .await
        .unwrap();
    let ids: Vec<_> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["id"].as_str().unwrap())
        .collect();
    for id in [
        "github",
        "google-gmail",
        "google-drive",
        "microsoft",
        "quickbooks",
        "sandbox",
        "shopify",
        "slack",
        "stripe-connect",
    ] {
        assert!(ids.contains(&id), "{id} is in {ids:?}");
    }
    let found: Value = host.get("/v1/catalog?q=shopif").await.json().await.unwrap();
    assert_eq!(found["data"][0]["id"], "shopify");
    assert_eq!(
        host.get("/v1/catalog/nowhere").await.status(),
        StatusCode::NOT_FOUND
    );
    let unknown = host.get("/v1/elsewhere").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        unknown.headers()["content-type"],
        "application/problem+json"
    );
}
