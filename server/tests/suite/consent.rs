//! What a further consent asks for, and what becomes of the earlier one (A34).

use axum::{
    Json, Router,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use hub::{
    failure::{Failure, FailureCode},
    store::{connection, words},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use url::Url;

use crate::{
    harness::{Browser, Setup, World, changed_entries, serve_peer},
    ways::said,
};

/// The scopes the next token answer names.
type Granted = Arc<Mutex<String>>;

/// GitHub, whose consents add up.
async fn github() -> (World, Browser, Granted) {
    let granted = Granted::default();
    let token = |State(granted): State<Granted>| async move {
        let scope = granted.lock().unwrap().clone();
        Json(json!({ "access_token": "gho_1", "token_type": "bearer", "scope": scope }))
    };
    let user = |headers: HeaderMap| async move {
        assert_eq!(headers["authorization"], "Bearer gho_1");
        Json(json!({ "id": 7, "login": "mia" }))
    };
    let router = Router::new()
        .route("/login/oauth/access_token", post(token))
        .route("/user", get(user))
        .with_state(granted.clone());
    let peer = serve_peer(router).await;
    let here = format!("http://{peer}");
    let token = "https://github.com/login/oauth/access_token";
    let world = World::with(Setup {
        catalog: Some(changed_entries(&[
            ("github", "https://api.github.com", &here),
            ("github", token, &format!("{here}/login/oauth/access_token")),
        ])),
        peers: vec![peer],
        ..Setup::default()
    })
    .await;
    world.register("github", &[]).await;
    let browser = world.signed_in().await;
    (world, browser, granted)
}

fn asked(prepared: &Value) -> Vec<String> {
    let address: Url = prepared["auth_url"].as_str().unwrap().parse().unwrap();
    let mut asked = words(&said(&address, "scope"));
    asked.sort();
    asked
}

async fn come_back(browser: &Browser, prepared: &Value) {
    let state = prepared["state"].as_str().unwrap();
    let back = format!("/oauth/callback/github?code=c&state={state}");
    assert!(browser.get(back).await.status().is_redirection());
}

async fn row(world: &World) -> connection::Model {
    let id = world.only_connection().await;
    let listed = world.app.hub.connection(world.member(), id).await.unwrap();
    listed.connection
}

#[tokio::test]
async fn a34_where_consents_add_up_only_what_is_missing_is_asked_for() {
    let (world, browser, granted) = github().await;
    let prepared = browser.prepare("github", json!({})).await;
    assert_eq!(asked(&prepared), ["read:user", "user:email"]);
    *granted.lock().unwrap() = "read:user,user:email".into();
    come_back(&browser, &prepared).await;

    let more = json!({ "connection": row(&world).await.id, "scopes": ["repo"] });
    let prepared = browser.prepare("github", more.clone()).await;
    assert_eq!(asked(&prepared), ["repo"]);
    // An answer that names the new part alone takes nothing away.
    *granted.lock().unwrap() = "repo".into();
    come_back(&browser, &prepared).await;
    let connected = row(&world).await;
    let sorted = |scopes: &str| {
        let mut scopes = words(scopes);
        scopes.sort();
        scopes
    };
    let all = ["read:user", "repo", "user:email"];
    assert_eq!(sorted(&connected.scopes_asked), all);
    assert_eq!(sorted(connected.scopes_granted.as_deref().unwrap()), all);

    // With nothing missing it is a repair: everything is asked for, and what
    // the person leaves out then is gone.
    let prepared = browser.prepare("github", more.clone()).await;
    assert_eq!(asked(&prepared), all);
    *granted.lock().unwrap() = "repo".into();
    come_back(&browser, &prepared).await;
    let connected = row(&world).await;
    assert_eq!(connected.scopes_granted.as_deref(), Some("repo"));

    // What has ended adds to nothing.
    let mut broken = connected.into_active_model();
    let failure = Failure::told(FailureCode::GrantRevokedOrExpired, "raw");
    broken.failure = Set(Some(failure));
    broken.update(world.app.hub.store.db()).await.unwrap();
    let prepared = browser.prepare("github", more).await;
    assert_eq!(asked(&prepared), all);
}

#[tokio::test]
async fn a34_where_a_consent_replaces_everything_is_asked_for_again() {
    let world = World::new().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let more = json!({ "connection": id, "scopes": ["products.write"] });
    let prepared = browser.prepare("sandbox", more).await;
    assert_eq!(
        asked(&prepared),
        ["orders.read", "products.write", "shop.read"]
    );
    browser.get(browser.approve(&prepared).await).await;
    let listed = world.app.hub.connection(world.member(), id).await.unwrap();
    assert!(listed.health.missing_scopes.is_empty());
}
