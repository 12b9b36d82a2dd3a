//! How the API is called: what is wrong with a request, how often one may, and
//! requests that are sent twice.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use hub::{people::Scope, store::idempotent_request};
use reqwest::{Method, Response, StatusCode};
use sandbox::{Endpoint, Fault};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    entered::{self, PROVIDER},
    harness::{HostApp, Setup, World},
};

async fn problem(answer: Response, status: StatusCode) -> Value {
    assert_eq!(answer.status(), status, "{}", answer.url());
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["status"], status.as_u16());
    assert!(
        problem["type"]
            .as_str()
            .unwrap()
            .starts_with("urn:linkwell:problem:")
    );
    assert!(problem["title"].is_string());
    problem
}

#[tokio::test]
async fn whatever_is_wrong_is_a_problem() {
    let world = World::new().await;
    let mut host = world.any_host().await;
    let id = world.import_living(&host).await;
    let one = format!("/v1/connections/{id}");
    for path in [
        "/v1/elsewhere",
        "/v1/connections/none",
        "/v1/connections/none/token",
        "/v1/connections/x/y/z",
    ] {
        problem(host.get(path).await, StatusCode::NOT_FOUND).await;
    }
    for (method, path) in [
        ("PUT", one.as_str()),
        ("DELETE", "/v1/connections"),
        ("GET", "/v1/connections/test"),
        ("POST", "/v1/catalog"),
        ("GET", "/v1/tokens"),
        ("POST", "/v1/openapi.json"),
        ("DELETE", "/v1/connectors"),
    ] {
        let answer = host.request(method, path).send().await.unwrap();
        assert!(answer.headers().contains_key("allow"), "{method} {path}");
        problem(answer, StatusCode::METHOD_NOT_ALLOWED).await;
    }
    for (method, path) in [
        (Method::POST, "/v1/connections"),
        (Method::POST, "/v1/connections/test"),
        (Method::PATCH, one.as_str()),
        (Method::POST, "/v1/tokens"),
    ] {
        let request = || host.request(method.as_str(), path);
        let json = || request().header("content-type", "application/json");
        let large = json().body(format!("\"{}\"", "x".repeat(300 * 1024)));
        problem(large.send().await.unwrap(), StatusCode::PAYLOAD_TOO_LARGE).await;
        for kind in ["text/csv", "application/x-www-form-urlencoded"] {
            let other = request().header("content-type", kind).body("{}");
            problem(
                other.send().await.unwrap(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            )
            .await;
        }
        for body in ["{", "{\"a\":}", "{} {}", "\u{0}"] {
            let cut = json().body(body);
            problem(cut.send().await.unwrap(), StatusCode::BAD_REQUEST).await;
        }
        for body in ["[]", "1", "\"canary-secret\"", "{\"canary-secret\":1}"] {
            let other = json().body(body).send().await.unwrap();
            let problem = problem(other, StatusCode::UNPROCESSABLE_ENTITY).await;
            assert!(problem["errors"][0]["field"].is_string(), "{problem}");
            assert!(!problem.to_string().contains("canary"), "{problem}");
        }
    }
    for (query, words) in [
        ("foo=1", "There is no parameter `foo`, but `"),
        ("status=done&status=done", "duplicate field `status`"),
    ] {
        let answer = host.get(&format!("/v1/runs?{query}")).await;
        let problem = problem(answer, StatusCode::UNPROCESSABLE_ENTITY).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
        assert!(!detail.contains("deserialize"), "{detail}");
    }
    for key in ["lw_nobody", "a.b.c", ""] {
        host.key = key.into();
        for path in [
            "/v1/connections",
            "/v1/catalog",
            &one,
            &format!("{one}/token"),
            "/v1/elsewhere",
        ] {
            let answer = host.get(path).await;
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer"), "{path}");
            problem(answer, StatusCode::UNAUTHORIZED).await;
        }
    }
    let bare = || world.browser().http.post(world.url("/v1/connections"));
    problem(bare().send().await.unwrap(), StatusCode::UNAUTHORIZED).await;
    // With a cookie, another site may have sent it.
    let cookie = bare().header("cookie", "linkwell=x");
    problem(cookie.send().await.unwrap(), StatusCode::FORBIDDEN).await;
    let reader = world.host(&[Scope::CatalogRead]).await;
    problem(reader.get(&one).await, StatusCode::FORBIDDEN).await;
}

/// What is left of the key's budget, as the answer says it.
fn left(answer: &Response) -> u32 {
    let said = answer.headers()["ratelimit"].to_str().unwrap();
    let own = said
        .split(", ")
        .find(|item| item.starts_with("\"key\""))
        .unwrap();
    let left = own.split(';').find_map(|part| part.strip_prefix("r="));
    left.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_key_has_a_budget_and_a_tenant_another() {
    let world = World::with(Setup {
        choices: hub::Choices {
            rate_limit: NonZeroU32::new(10).unwrap(),
            ..Default::default()
        },
        ..Setup::default()
    })
    .await;
    let host = world.any_host().await;
    let first = host.get("/v1/connections").await;
    let policy = &first.headers()["ratelimit-policy"];
    assert_eq!(policy, "\"key\";q=10;w=60, \"tenant\";q=50;w=60");
    assert_eq!(
        first.headers()["ratelimit"],
        "\"key\";r=9;t=6, \"tenant\";r=49;t=2"
    );
    let id = world.import_living(&host).await;
    let token = format!("/v1/connections/{id}/token");
    for (n, path) in [
        "/v1/catalog",
        &token,
        "/v1/elsewhere",
        "/v1/connectors",
        &token,
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(left(&host.get(path).await), 7 - n as u32, "{path}");
    }
    let exchanged = host.post("/v1/tokens", json!({})).await;
    assert_eq!(left(&exchanged), 2);
    // A token spends what its key has.
    let mut by_token = world.any_host().await;
    let minted: Value = exchanged.json().await.unwrap();
    by_token.key = minted["access_token"].as_str().unwrap().to_owned();
    assert_eq!(left(&by_token.get("/v1/catalog").await), 1);
    assert_eq!(left(&host.get("/v1/catalog").await), 0);
    for (caller, path) in [
        (&host, "/v1/catalog"),
        (&host, &*token),
        (&by_token, "/v1/connections"),
    ] {
        let answer = caller.get(path).await;
        assert_eq!(answer.headers()["retry-after"], "6");
        assert_eq!(left(&answer), 0);
        problem(answer, StatusCode::TOO_MANY_REQUESTS).await;
    }
    world.advance(TimeDelta::seconds(6));
    assert_eq!(host.get(&token).await.status(), StatusCode::OK);
    assert_eq!(
        host.get(&token).await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    // Other keys have budgets of their own, until the tenant's is used up;
    // other tenants do not notice.
    let mut calls = 0;
    for _ in 0..6 {
        let another = world.any_host().await;
        while another.get("/v1/catalog").await.status() == StatusCode::OK {
            calls += 1;
        }
    }
    // 50, and 1 in 1.2 seconds, less the 11 calls of the first key.
    assert_eq!(calls, 50 - 11 + 5);
    let stranger = world.stranger().await;
    assert_eq!(left(&stranger.get("/v1/catalog").await), 9);
}

#[tokio::test]
async fn lending_is_not_throttled_in_practice() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    for _ in 0..1000 {
        assert_eq!(host.token(id).await.0, StatusCode::OK);
    }
}

async fn post_once(host: &HostApp, key: &str, path: &str, body: &Value) -> Response {
    let request = host.request("POST", path).header("idempotency-key", key);
    request.json(body).send().await.unwrap()
}

#[tokio::test]
async fn what_is_sent_twice_is_done_once() {
    let world = entered::world().await;
    let host = world.any_host().await;
    let secret = entered::key(&world, 0);
    let body = json!({ "provider": PROVIDER, "config": { "fields": { "api_key": secret } } });
    let first = post_once(&host, "one", "/v1/connections", &body).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    let location = first.headers()["location"].clone();
    let made: Value = first.json().await.unwrap();
    let calls = world.shop.calls().api_calls;
    world.advance(TimeDelta::hours(23));
    let again = post_once(&host, "one", "/v1/connections", &body).await;
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.headers()["location"], location);
    assert_eq!(again.headers()["content-type"], "application/json");
    assert!(again.headers().contains_key("ratelimit"));
    assert_eq!(again.json::<Value>().await.unwrap(), made);
    assert_eq!(
        world.shop.calls().api_calls,
        calls,
        "nobody was asked again"
    );

    // Nothing of request or answer can be read where it is kept.
    let kept = idempotent_request::Entity::find()
        .all(world.app.hub.store.db())
        .await
        .unwrap();
    assert_eq!(kept.len(), 1);
    let kept = format!("{kept:?}");
    assert!(!kept.contains(&secret) && !kept.contains(made["id"].as_str().unwrap()));

    let other = json!({ "provider": "github", "credential": { "access_token": "x" } });
    let other = post_once(&host, "one", "/v1/connections", &other).await;
    let other = problem(other, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(other["errors"][0]["field"], "Idempotency-Key");
    for key in ["", &"x".repeat(256)] {
        let wrong = post_once(&host, key, "/v1/connections", &body).await;
        problem(wrong, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    // What another key or tenant calls the same is another request.
    let github = json!({ "provider": "github", "credential": { "access_token": "x" } });
    for caller in [world.any_host().await, world.stranger().await] {
        let theirs = post_once(&caller, "one", "/v1/connections", &github).await;
        assert_eq!(theirs.status(), StatusCode::CREATED);
        assert!(!theirs.headers().contains_key("idempotency-replayed"));
    }
    // A token that may do less is not told what its key was answered.
    let narrow = host.post("/v1/tokens", json!({ "scopes": ["connections:read"] }));
    let narrow: Value = narrow.await.json().await.unwrap();
    let mut less = world.any_host().await;
    less.key = narrow["access_token"].as_str().unwrap().to_owned();
    let peeking = post_once(&less, "one", "/v1/connections", &body).await;
    problem(peeking, StatusCode::UNPROCESSABLE_ENTITY).await;
    // After a day it is forgotten.
    world.advance(TimeDelta::hours(1));
    let later = post_once(&host, "one", "/v1/connections", &github).await;
    assert!(!later.headers().contains_key("idempotency-replayed"));
    world.advance(TimeDelta::hours(25));
    world.app.hub.sweep().await.unwrap();
    let kept = idempotent_request::Entity::find()
        .all(world.app.hub.store.db())
        .await
        .unwrap();
    assert!(kept.is_empty());
}

#[tokio::test]
async fn refusals_are_kept_and_troubles_are_not() {
    let world = entered::world().await;
    let host = world.any_host().await;
    let body =
        |key: &str| json!({ "provider": PROVIDER, "config": { "fields": { "api_key": key } } });
    let refused = post_once(&host, "wrong", "/v1/connections", &body("not-the-key")).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let again = post_once(&host, "wrong", "/v1/connections", &body("not-the-key")).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    problem(again, StatusCode::CONFLICT).await;

    let key = entered::key(&world, 0);
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Api).into());
    let down = post_once(&host, "down", "/v1/connections", &body(&key)).await;
    assert_eq!(down.status(), StatusCode::SERVICE_UNAVAILABLE);
    world.shop.set_faults(Default::default());
    let up = post_once(&host, "down", "/v1/connections", &body(&key)).await;
    assert_eq!(up.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn the_same_request_at_the_same_time_is_refused() {
    let world = entered::world().await;
    let host = world.any_host().await;
    let key = entered::key(&world, 0);
    let body = json!({ "provider": PROVIDER, "config": { "fields": { "api_key": key } } });
    let answers = futures::future::join_all(
        (0..10).map(|_| post_once(&host, "one", "/v1/connections", &body)),
    )
    .await;
    let mut made = 0;
    for answer in answers {
        match answer.status() {
            StatusCode::CREATED if !answer.headers().contains_key("idempotency-replayed") => {
                made += 1
            }
            StatusCode::CREATED => {}
            _ => {
                assert_eq!(answer.headers()["retry-after"], "1");
                problem(answer, StatusCode::CONFLICT).await;
            }
        }
    }
    assert_eq!(made, 1);
    assert_eq!(
        host.json("/v1/connections").await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
