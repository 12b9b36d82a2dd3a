//! Row 58: the database goes away and comes back.

use std::sync::{Arc, Mutex};

use axum::{
    extract::Request,
    middleware::{Next, from_fn},
};
use reqwest::{Response, StatusCode};
use sandbox::{ACCOUNTS, Rotation, Scope};
use serde_json::{Value, json};

use crate::{
    postgres::Postgres,
    process::{Hub, shop, shop_behind},
};

/// What is logged when a round has met tokens that are due, or would have.
pub const NOT_RENEWED: [&str; 2] = [
    "renewing could not be done now",
    "a due refresh did not run",
];

/// An answer that says what is the matter, and nothing of how the hub works.
pub async fn is_clear_problem(answer: Response, what: &str) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{what}");
    let header = |name| answer.headers().get(name).cloned();
    assert_eq!(header("content-type").unwrap(), "application/problem+json");
    assert!(header("retry-after").is_some(), "{what}");
    let text = answer.text().await.unwrap();
    for inside in ["sqlx", "SELECT", "127.0.0.1", "os error", "panicked", ".rs"] {
        assert!(!text.contains(inside), "{what}: {text}");
    }
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert!(problem["title"].is_string() && problem["detail"].is_string());
}

/// Asks for all that an application and a person may ask for.
async fn everything_says_so(hub: &Hub, ids: &[String]) {
    for id in ids {
        let answer = hub.request("GET", &format!("/v1/connections/{id}/token"));
        is_clear_problem(answer.send().await.unwrap(), "a token").await;
    }
    let import = json!({ "provider": "crash", "credential": { "access_token": "a" } });
    let import = hub.request("POST", "/v1/connections").json(&import);
    is_clear_problem(import.send().await.unwrap(), "an import").await;
    let list = hub.request("GET", "/v1/connections");
    is_clear_problem(list.send().await.unwrap(), "a list").await;
    let page = hub.request("GET", "/").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = page.text().await.unwrap();
    assert!(
        page.contains("Linkwell is not available right now"),
        "{page}"
    );
    let (status, _) = hub.get("/healthz").await.unwrap();
    assert_eq!(status, StatusCode::OK, "the process itself is well");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_58_while_the_database_is_away_no_token_is_spent_and_all_goes_on_by_itself() {
    let Some(mut postgres) = Postgres::new() else {
        return;
    };
    let (shop, url) = shop(Rotation::STRICT).await;
    let mut hub = Hub::on(&url, Some(postgres.url())).await;
    // Every token is due again as soon as it is renewed.
    let mut rules = shop.rules();
    rules.access_lifetime_s = 1;
    shop.set_rules(rules);
    hub.start(None).await;
    let mut ids = Vec::new();
    for account in &ACCOUNTS {
        let tokens = shop.grant("crash", account.id, &Scope::ALL).unwrap();
        ids.push(hub.import(&tokens).await);
    }
    for id in &ids {
        let (status, _) = hub
            .get(&format!("/v1/connections/{id}/token"))
            .await
            .unwrap();
        assert_eq!(status, StatusCode::OK);
    }
    let process = hub.process();

    // Away, as after a power cut.
    postgres.stop();
    let away = Some(StatusCode::SERVICE_UNAVAILABLE);
    hub.until("/readyz", |status| status == away).await;
    // What was on its way to the provider by then has arrived.
    hub.logs(&NOT_RENEWED).await;
    let spent = shop.calls().refreshes;
    everything_says_so(&hub, &ids).await;
    hub.logs(&NOT_RENEWED).await;
    assert_eq!(shop.calls().refreshes, spent, "a token was sent");

    // Another takes over that takes no writes yet.
    postgres.start(&["default_transaction_read_only=on"]);
    let said = |answer: String| answer.contains("takes no writes");
    loop {
        let answer = hub.request("GET", "/readyz").send().await.unwrap();
        if said(answer.text().await.unwrap()) {
            break;
        }
    }
    let path = format!("/v1/connections/{}/token", ids[0]);
    is_clear_problem(hub.request("GET", &path).send().await.unwrap(), "a token").await;
    hub.logs(&NOT_RENEWED).await;
    assert_eq!(shop.calls().refreshes, spent, "a token was sent");

    // Back.
    postgres.stop();
    postgres.start(&[]);
    hub.until("/readyz", |status| status == Some(StatusCode::OK))
        .await;
    for id in &ids {
        let path = format!("/v1/connections/{id}/token");
        hub.until(&path, |status| status == Some(StatusCode::OK))
            .await;
    }
    assert!(shop.calls().refreshes > spent);
    assert_eq!(shop.calls().families_revoked, 0);
    assert_eq!(hub.process(), process, "nobody started it again");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_58_an_answer_that_finds_no_database_waits_and_is_written_when_it_is_back() {
    let Some(postgres) = Postgres::new() else {
        return;
    };
    let database = postgres.url();
    let postgres = Arc::new(Mutex::new(postgres));
    // The database goes away once the provider has renewed, before its answer
    // arrives.
    let stops = {
        let postgres = postgres.clone();
        move |request: Request, next: Next| {
            let postgres = postgres.clone();
            async move {
                let renews = request.uri().path().ends_with("/token");
                let answer = next.run(request).await;
                if renews {
                    postgres.lock().unwrap().stop();
                }
                answer
            }
        }
    };
    let front = |router: axum::Router| router.layer(from_fn(stops));
    let (shop, url) = shop_behind(Rotation::STRICT, front).await;
    let mut hub = Hub::on(&url, Some(database)).await;
    hub.start(None).await;
    let tokens = shop.grant("crash", ACCOUNTS[0].id, &Scope::ALL).unwrap();
    let id = hub.import(&tokens).await;
    let path = format!("/v1/connections/{id}/token");
    // Kept on this machine, it is as good as stored, and may be lent or not.
    hub.get(&path).await.expect("an answer");
    assert_eq!(shop.calls().refreshes, 1);
    let away = Some(StatusCode::SERVICE_UNAVAILABLE);
    hub.until("/readyz", |status| status == away).await;

    postgres.lock().unwrap().start(&[]);
    hub.until("/readyz", |status| status == Some(StatusCode::OK))
        .await;
    let (status, body) = hub.get(&path).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        shop.calls().refreshes,
        1,
        "the answer that waited is the one"
    );
    assert_eq!(shop.calls().families_revoked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_37_a_role_that_passes_by_the_guard_is_said() {
    let Some(postgres) = Postgres::new() else {
        return;
    };
    let (_shop, url) = shop(Rotation::STRICT).await;
    let mut hub = Hub::on(&url, Some(postgres.url())).await;
    let bad = "does not keep tenants apart";
    assert!(!hub.say(&["check"], "").contains(bad));
    hub.start(None).await;
    assert!(!hub.logged(bad));
    hub.stop();
    hub.moves_to(postgres.url_of("postgres"));
    assert!(hub.say(&["check"], "").contains(bad));
    hub.start(None).await;
    assert!(hub.logged(bad));
}
