//! How stored connections are kept, row by row (E1, E4, E8, E18); E2, E3 and E5
//! stand with the refresh protocol and the lending.

use axum::{Router, routing::post};
use chrono::TimeDelta;
use hub::{
    failure::FailureCode,
    keep::health::Status,
    store::{ConnectionId, event::Kind},
};
use reqwest::StatusCode;
use sandbox::{Endpoint, Fault, Grace, Rotation};
use serde_json::{Value, json};

use crate::harness::{HostApp, Setup, World, changed_entries, serve_peer};

#[tokio::test]
async fn e1_a_rotated_pair_is_stored_before_its_token_is_used() {
    let world = World::new().await;
    world.rules(|rules| rules.rotation = Rotation::STRICT);
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let mut tokens = std::collections::BTreeSet::new();
    for round in 1..=4 {
        world.advance(TimeDelta::hours(1));
        let (status, token) = host.token(id).await;
        assert_eq!(status, StatusCode::OK, "round {round}: {token}");
        tokens.insert(token["access_token"].to_string());
        // The old one is dead at once, and presenting it would end everything:
        // each round presents what the one before stored.
        let calls = world.shop.calls();
        assert_eq!((calls.refreshes_ok, calls.families_revoked), (round, 0));
    }
    assert_eq!(tokens.len(), 4);
}

#[tokio::test]
async fn e4_a_token_that_changes_now_and_then_is_always_stored() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let replaced = Rotation::On {
        grace: Grace::Seconds(0),
        reuse_detection: true,
    };
    for (round, rotation) in [Rotation::Off, replaced, Rotation::Off, replaced, replaced]
        .into_iter()
        .enumerate()
    {
        world.rules(|rules| rules.rotation = rotation);
        world.advance(TimeDelta::hours(1));
        assert_eq!(host.token(id).await.0, StatusCode::OK, "round {round}");
    }
    let calls = world.shop.calls();
    assert_eq!((calls.refreshes_ok, calls.families_revoked), (5, 0));
}

#[tokio::test]
async fn e8_a_token_without_end_is_never_refreshed_only_asked_about() {
    let world = World::new().await;
    let host = world.any_host().await;
    let tokens = world
        .shop
        .grant("linkwell", sandbox::ACCOUNTS[0].id, &sandbox::Scope::ALL)
        .unwrap();
    let id = imported(
        &host,
        json!({ "provider": "sandbox", "credential": { "access_token": tokens.access_token } }),
    )
    .await;
    for _ in 0..3 {
        world.advance(TimeDelta::minutes(3));
        world.app.hub.refresh_due().await.unwrap();
        assert_eq!(host.token(id).await.0, StatusCode::OK);
    }
    assert_eq!(world.shop.calls().refreshes, 0);
    let hub = &world.app.hub;
    hub.check(world.member(), id).await.unwrap();
    let checked = hub.connection(world.member(), id).await.unwrap();
    assert_eq!(checked.health.status, Status::Connected);
    world.shop.revoke_all();
    hub.check(world.member(), id).await.unwrap();
    let checked = hub.connection(world.member(), id).await.unwrap();
    assert_eq!(checked.health.status, Status::ActionNeeded);
    assert_eq!(world.shop.calls().refreshes, 0);
}

#[tokio::test]
async fn e18_what_ends_along_is_said_before_disconnecting() {
    let world = World::new().await;
    let host = world.any_host().await;
    let import = async |provider: &str, account: &str, label: &str| {
        let body = json!({ "provider": provider, "credential": { "access_token": "t" },
            "account": { "id": account, "label": label } });
        imported(&host, body).await
    };
    let gmail = import("google-gmail", "108", "mia-mail").await;
    import("google-drive", "108", "mia-drive").await;
    let xero = import("xero", "x1", "mia-books").await;
    let microsoft = import("microsoft", "m1", "mia-work").await;
    import("onedrive", "m1", "mia-files").await;
    let browser = world.signed_in().await;
    let page = async |id: ConnectionId| {
        let answer = browser.get(format!("/connections/{id}/disconnect")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    };
    let said = page(gmail).await;
    assert!(
        said.contains("mia-drive") && said.contains("may stop, too"),
        "{said}"
    );
    assert!(!said.contains("mia-books"));
    // Its own app, and one whose products end alone.
    for alone in [xero, microsoft] {
        assert!(!page(alone).await.contains("may stop, too"));
    }
}

/// What is not kept is not given back where that could end what is.
#[tokio::test]
async fn e18_a_grant_that_is_not_kept_ends_no_other() {
    for whole in [false, true] {
        let url = "url = \"{sandbox_origin}/oauth/revoke\"";
        let said = format!("{url}\nwhole_app = {whole}");
        let world = World::with(Setup {
            catalog: Some(changed_entries(&[("sandbox", url, &said)])),
            ..Setup::default()
        })
        .await;
        let id = world.connect().await;
        let browser = world.signed_in().await;
        let down = Fault::server_error(503).at(Endpoint::Api);
        world.shop.set_faults(down.into());
        browser
            .run_flow("sandbox", json!({ "connection": id }))
            .await;
        world.shop.set_faults(Default::default());
        let left = if whole { 2 } else { 1 };
        assert_eq!(world.shop.grants().len(), left, "{whole}");
        world.app.hub.check(world.member(), id).await.unwrap();
        let seen = world.app.hub.connection(world.member(), id).await;
        assert_eq!(seen.unwrap().health.status, Status::Connected);
    }
}

/// Google ends everything one app was granted for an account.
#[tokio::test]
async fn e18_what_ended_along_is_known_to_have_ended() {
    let revoke = || async { StatusCode::OK };
    let peer = serve_peer(Router::new().route("/revoke", post(revoke))).await;
    let world = World::with(Setup {
        catalog: Some(changed_entries(&[(
            "google",
            "https://oauth2.googleapis.com/revoke",
            &format!("http://{peer}/revoke"),
        )])),
        peers: vec![peer],
        ..Setup::default()
    })
    .await;
    world.register("google", &[]).await;
    let host = world.any_host().await;
    let next_door = world.stranger().await;
    let import = async |host: &HostApp, provider: &str, account: &str| {
        let body = json!({ "provider": provider, "credential": { "access_token": "t" },
            "account": { "id": account, "label": account } });
        imported(host, body).await
    };
    let gmail = import(&host, "google-gmail", "108").await;
    let drive = import(&host, "google-drive", "108").await;
    let other = import(&host, "google-gmail", "109").await;
    let theirs = import(&next_door, "google-drive", "108").await;
    assert_eq!(host.token(drive).await.0, StatusCode::OK);

    let hub = &world.app.hub;
    hub.disconnect(world.member(), gmail).await.unwrap();
    let ended = hub.connection(world.member(), drive).await.unwrap();
    assert_eq!(ended.health.status, Status::ActionNeeded);
    let failure = ended.health.failure.unwrap();
    assert_eq!(failure.code, FailureCode::GrantRevokedOrExpired);
    assert_eq!(failure.detail, "ended_along");
    let history = hub.history(world.member(), drive, 1).await.unwrap();
    assert_eq!(history[0].kind, Kind::ConnectionActionRequired);
    assert_eq!(host.token(drive).await.0, StatusCode::CONFLICT);
    // Neither another account nor what another app was granted.
    for (host, id) in [(&host, other), (&next_door, theirs)] {
        assert_eq!(host.token(id).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn e18_what_a_provider_did_not_end_goes_on() {
    let refuse = || async { (StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#) };
    let peer = serve_peer(Router::new().route("/revoke", post(refuse))).await;
    let world = World::with(Setup {
        catalog: Some(changed_entries(&[(
            "google",
            "https://oauth2.googleapis.com/revoke",
            &format!("http://{peer}/revoke"),
        )])),
        peers: vec![peer],
        ..Setup::default()
    })
    .await;
    world.register("google", &[]).await;
    let host = world.any_host().await;
    let import = async |provider: &str| {
        let body = json!({ "provider": provider, "credential": { "access_token": "t" },
            "account": { "id": "108", "label": "mia" } });
        imported(&host, body).await
    };
    let (gmail, drive) = (import("google-gmail").await, import("google-drive").await);
    let hub = &world.app.hub;
    hub.disconnect(world.member(), gmail).await.unwrap();
    assert_eq!(host.token(drive).await.0, StatusCode::OK);
}

async fn imported(host: &HostApp, body: Value) -> ConnectionId {
    let answer = host.post("/v1/connections", body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let body: Value = answer.json().await.unwrap();
    body["id"].as_str().unwrap().parse().unwrap()
}
