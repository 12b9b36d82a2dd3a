//! The OAuth flow and its attacks: rows 1-20 of the security checks that a
//! server can be asked about.

use chrono::TimeDelta;
use hub::{
    connect::OtherAccount,
    keep::health::Status,
    store::{connection::Revocation, event::Kind, flow},
};
use reqwest::StatusCode;
use sandbox::{Endpoint, Fault, FaultKind, Scope};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use url::Url;

use crate::{
    deeds::written,
    harness::{Browser, PASSWORD, World, location},
};

async fn flows(world: &World) -> Vec<flow::Model> {
    flow::Entity::find()
        .all(world.app.hub.store.db())
        .await
        .unwrap()
}

async fn only_flow(world: &World) -> flow::Model {
    let mut flows = flows(world).await;
    assert_eq!(flows.len(), 1);
    flows.remove(0)
}

/// Starts a flow and lets the sandbox approve it; the callback is not called.
async fn started(world: &World) -> (Browser, Url) {
    world.approve_as(0);
    let browser = world.signed_in().await;
    let prepared = browser.prepare("sandbox", json!({})).await;
    let callback = browser.approve(&prepared).await;
    (browser, callback)
}

async fn nothing_was_connected(world: &World) {
    assert!(
        world
            .app
            .hub
            .connections(world.member())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(world.shop.calls().code_exchanges, 0);
}

#[tokio::test]
async fn an_account_is_connected_named_and_proven() {
    let world = World::new().await;
    let id = world.connect().await;
    let listed = world.app.hub.connection(world.member(), id).await.unwrap();
    assert_eq!(listed.connection.account_label, "Maple & Co.");
    assert_eq!(listed.health.status, Status::Connected);
    assert!(listed.health.missing_scopes.is_empty());
    assert_eq!(only_flow(&world).await.status, flow::Status::Connected);
    let host = world.any_host().await;
    assert_eq!(host.token(id).await.0, StatusCode::OK);
}

#[tokio::test]
async fn asvs_10_1_2_the_state_is_random_and_stored_hashed() {
    let world = World::new().await;
    world.approve_as(0);
    let browser = world.signed_in().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let prepared = browser.prepare("sandbox", json!({})).await;
        let state = prepared["state"].as_str().unwrap().to_owned();
        assert_eq!(state.len(), 43, "256 bits");
        assert!(state.parse::<hub::store::FlowId>().is_err(), "not a UUID");
        assert!(seen.insert(state.clone()));
        let stored = format!("{:?}", flows(&world).await);
        assert!(!stored.contains(&state));
    }
}

#[tokio::test]
async fn row_2_a_state_is_spent_by_one_of_fifty_callbacks() {
    let world = World::new().await;
    let (browser, callback) = started(&world).await;
    let answers = futures::future::join_all((0..50).map(|_| browser.get(callback.clone()))).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status() == StatusCode::SEE_OTHER)
    );
    assert_eq!(world.shop.calls().code_exchanges, 1);
    assert_eq!(world.shop.calls().code_reuse_detected, 0);
    world.only_connection().await;
}

#[tokio::test]
async fn row_3_a_callback_in_another_browser_is_refused() {
    let world = World::new().await;
    let (_, callback) = started(&world).await;
    let other = world.signed_in().await;
    let answer = other.get(callback).await;
    assert_eq!(location(&answer).path(), "/flows/ended");
    nothing_was_connected(&world).await;
    let failure = only_flow(&world).await.failure.expect("a failure");
    assert_eq!(failure.code.as_str(), "FLOW_EXPIRED_OR_INVALID");
    assert_eq!(failure.detail, "other_browser");
    // Whoever reads the log sees it, and not who it was.
    let last = written(&world).await.pop().expect("an entry");
    assert_eq!(
        (&*last.deed, &*last.actor, &*last.outcome),
        ("connection.callback_refused", "stranger", "denied")
    );
}

#[tokio::test]
async fn row_3_without_the_verifiers_cookie_nothing_is_exchanged() {
    let world = World::new().await;
    world.approve_as(0);
    let browser = world.signed_in().await;
    // Prepared with the same session but in a program that keeps no cookies.
    let answer = browser
        .post_json("/connections/sandbox/prepare", json!({}))
        .await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("linkwell-flow-"));
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let name = cookie.split('=').next().unwrap().to_owned();
    let prepared: Value = answer.json().await.unwrap();
    let callback = browser.approve(&prepared).await;
    let session = browser.session_cookie().await;
    let bare = reqwest_without_cookies();
    let answer = bare
        .get(callback)
        .header("cookie", session)
        .send()
        .await
        .unwrap();
    assert_eq!(location(&answer).path(), "/flows/ended");
    assert!(!name.is_empty());
    nothing_was_connected(&world).await;
}

#[expect(clippy::disallowed_methods, reason = "the test is outside the hub")]
fn reqwest_without_cookies() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

#[tokio::test]
async fn row_4_another_person_in_the_same_browser_is_refused() {
    let world = World::new().await;
    let (browser, callback) = started(&world).await;
    world.neighbour().await;
    browser.post("/api/sign_out", &[]).await;
    browser.sign_in("bo@example.com", PASSWORD).await;
    let answer = browser.get(callback).await;
    assert_eq!(location(&answer).path(), "/flows/ended");
    nothing_was_connected(&world).await;
}

#[tokio::test]
async fn row_5_a_flow_lives_ten_minutes() {
    for (wait, connects) in [
        (TimeDelta::minutes(10) + TimeDelta::seconds(1), false),
        (TimeDelta::minutes(9), true),
    ] {
        let world = World::new().await;
        world.approve_as(0);
        let browser = world.signed_in().await;
        let prepared = browser.prepare("sandbox", json!({})).await;
        world.advance(wait);
        let callback = browser.approve(&prepared).await;
        browser.get(callback).await;
        let connections = world.app.hub.connections(world.member()).await.unwrap();
        assert_eq!(connections.len(), usize::from(connects));
    }
}

#[tokio::test]
async fn row_7_the_verifier_is_nowhere_but_in_its_cookie() {
    let world = World::new().await;
    world.approve_as(0);
    let browser = world.signed_in().await;
    let answer = browser
        .post_json("/connections/sandbox/prepare", json!({}))
        .await;
    let body = answer.text().await.unwrap();
    assert!(body.contains("code_challenge_method=S256"));
    assert!(!body.contains("code_verifier"));
}

#[tokio::test]
async fn row_8_a_wrong_or_missing_issuer_is_refused() {
    for fault in [FaultKind::WrongIssuer, FaultKind::NoIssuer] {
        let world = World::new().await;
        world.shop.set_faults(Fault::new(fault).into());
        let (browser, callback) = started(&world).await;
        browser.get(callback).await;
        nothing_was_connected(&world).await;
        let failure = only_flow(&world).await.failure.expect("a failure");
        assert_eq!(failure.code.as_str(), "FLOW_EXPIRED_OR_INVALID");
    }
}

#[tokio::test]
async fn row_9_an_answer_at_another_providers_callback_is_refused() {
    let world = World::new().await;
    let (browser, callback) = started(&world).await;
    let elsewhere = callback
        .as_str()
        .replace("/callback/sandbox", "/callback/github");
    let answer = browser.get(elsewhere).await;
    assert_eq!(location(&answer).path(), "/flows/ended");
    nothing_was_connected(&world).await;
}

#[tokio::test]
async fn row_11_no_header_changes_the_redirect_address() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let answer = browser
        .http
        .post(world.url("/connections/sandbox/prepare"))
        .header("origin", browser.origin())
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "host=evil.example")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    let prepared: Value = answer.json().await.unwrap();
    let auth_url: Url = prepared["auth_url"].as_str().unwrap().parse().unwrap();
    let (_, redirect) = auth_url
        .query_pairs()
        .find(|(name, _)| name == "redirect_uri")
        .unwrap();
    assert_eq!(redirect, world.url("/oauth/callback/sandbox").as_str());
}

#[tokio::test]
async fn row_13_the_callback_leaves_no_code_behind() {
    let world = World::new().await;
    let (browser, callback) = started(&world).await;
    let answer = browser.get(callback.clone()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(location(&answer).query().is_none());
    browser.get(callback).await;
    assert_eq!(
        world.shop.calls().code_exchanges,
        1,
        "going back exchanges nothing"
    );
}

#[tokio::test]
async fn row_14_errors_need_a_state_and_are_escaped() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let script = "%3Cscript%3Ealert(1)%3C/script%3E";
    let answer = browser
        .get(format!(
            "/oauth/callback/sandbox?error={script}&error_description={script}"
        ))
        .await;
    let page = browser.get(location(&answer)).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(!page.text().await.unwrap().contains("<script>alert"));
    // With a state it is told, in our words, and never as markup.
    world.approve_as(0);
    let prepared = browser.prepare("sandbox", json!({})).await;
    let state = prepared["state"].as_str().unwrap();
    let answer = browser
        .get(format!("/oauth/callback/sandbox?error={script}&error_description={script}&state={state}&iss={}", world.shop_url.origin().ascii_serialization()))
        .await;
    let page = browser.get(location(&answer)).await.text().await.unwrap();
    assert!(!page.contains("<script>alert"));
    nothing_was_connected(&world).await;
}

#[tokio::test]
async fn a_persons_no_is_told_as_a_no() {
    let world = World::new().await;
    world.shop.set_faults(Fault::deny_consent().into());
    let (browser, callback) = started(&world).await;
    let answer = browser.get(callback).await;
    let failure = only_flow(&world).await.failure.expect("a failure");
    assert_eq!(failure.code.as_str(), "CONSENT_DENIED_OR_ABANDONED");
    let page = browser.get(location(&answer)).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("Try again"));
    nothing_was_connected(&world).await;
}

#[tokio::test]
async fn d19_the_same_account_again_updates_its_connection() {
    let world = World::new().await;
    let id = world.connect().await;
    world
        .app
        .hub
        .rename(world.member(), id, "Main shop")
        .await
        .unwrap();
    let again = world.connect().await;
    assert_eq!(again, id);
    let listed = world.app.hub.connection(world.member(), id).await.unwrap();
    assert_eq!(listed.connection.name(), "Main shop");
}

#[tokio::test]
async fn another_account_is_another_connection() {
    let world = World::new().await;
    world.connect().await;
    world.approve_as(1);
    let browser = world.signed_in().await;
    browser.run_flow("sandbox", json!({})).await;
    let listed = world.app.hub.connections(world.member()).await.unwrap();
    assert_eq!(listed.len(), 2);
}

#[tokio::test]
async fn d19_two_flows_for_one_account_make_one_connection() {
    let world = World::new().await;
    world.approve_as(0);
    let browser = world.signed_in().await;
    let mut callbacks = Vec::new();
    for _ in 0..4 {
        let prepared = browser.prepare("sandbox", json!({})).await;
        callbacks.push(browser.approve(&prepared).await);
    }
    futures::future::join_all(callbacks.into_iter().map(|callback| browser.get(callback))).await;
    let id = world.only_connection().await;
    let host = world.any_host().await;
    assert_eq!(host.token(id).await.0, StatusCode::OK);
}

#[tokio::test]
async fn row_15_reconnecting_with_another_account_stops_and_asks() {
    for answer in [OtherAccount::Discard, OtherAccount::Add] {
        let world = World::new().await;
        let id = world.connect().await;
        let host = world.any_host().await;
        let before = host.token(id).await.1;
        world.approve_as(1);
        let browser = world.signed_in().await;
        // The sandbox follows the hint to the right account unless told.
        world
            .shop
            .set_faults(Fault::sign_in_as(sandbox::ACCOUNTS[1].id).into());
        browser
            .run_flow("sandbox", json!({ "connection": id }))
            .await;
        let held = flows(&world)
            .await
            .into_iter()
            .find(|flow| flow.status == flow::Status::OtherAccount)
            .expect("a flow that asks");
        assert_eq!(
            held.failure.unwrap().code.as_str(),
            "ACCOUNT_OR_TARGET_MISMATCH"
        );
        assert_eq!(
            host.token(id).await.1["access_token"],
            before["access_token"]
        );
        let hub = &world.app.hub;
        hub.answer_other_account(world.member(), held.id, answer)
            .await
            .unwrap();
        let listed = hub.connections(world.member()).await.unwrap();
        match answer {
            OtherAccount::Add => assert_eq!(listed.len(), 2),
            OtherAccount::Discard => {
                assert_eq!(listed.len(), 1);
                assert_eq!(
                    world.shop.grants().len(),
                    1,
                    "the other grant was given back"
                );
            }
        }
        assert!(
            hub.answer_other_account(world.member(), held.id, answer)
                .await
                .is_err(),
            "answered once"
        );
        assert_eq!(host.token(id).await.0, StatusCode::OK);
    }
}

/// A flow in which somebody reconnected with another account, and their browser.
async fn with_another_account(world: &World) -> (Browser, flow::Model) {
    let id = world.connect().await;
    let browser = world.signed_in().await;
    world
        .shop
        .set_faults(Fault::sign_in_as(sandbox::ACCOUNTS[1].id).into());
    let ask = json!({ "connection": id, "handle": "what-the-opener-chose" });
    browser.run_flow("sandbox", ask).await;
    let mut flows = flows(world).await;
    flows.retain(|flow| flow.status == flow::Status::OtherAccount);
    (browser, flows.pop().expect("a flow that asks"))
}

#[tokio::test]
async fn row_15_the_way_back_to_the_right_account_is_a_new_flow_under_the_same_handle() {
    let world = World::new().await;
    let (browser, held) = with_another_account(&world).await;
    let path = format!("/flows/{}/other-account", held.id);
    let answer = browser.post(&path, &[("answer", "again")]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().contains_key("set-cookie"), "the verifier");
    let page = answer.text().await.unwrap();
    assert!(page.contains(world.shop_url.as_str()), "{page}");

    let all = flows(&world).await;
    let old = all.iter().find(|flow| flow.id == held.id).unwrap();
    assert_eq!(old.status, flow::Status::Cancelled);
    let waiting = |flow: &&flow::Model| flow.status == flow::Status::Waiting;
    let new = all.iter().find(waiting).expect("a new flow");
    assert_eq!(new.handle, held.handle);
    assert_eq!(new.connection_id, held.connection_id);
    assert_eq!(world.shop.grants().len(), 1, "the other was given back");

    let twice = browser.post(&path, &[("answer", "again")]).await;
    assert_eq!(twice.status(), StatusCode::NOT_FOUND);
    assert_eq!(flows(&world).await.len(), all.len());
}

#[tokio::test]
async fn row_15_cancelling_gives_the_other_account_back() {
    let world = World::new().await;
    let (browser, held) = with_another_account(&world).await;
    let path = format!("/flows/{}/cancel", held.handle.as_deref().unwrap());
    let answer = browser.post(&path, &[]).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let flows = flows(&world).await;
    let ended = flows.iter().find(|flow| flow.id == held.id).unwrap();
    assert_eq!(ended.status, flow::Status::Cancelled);
    assert_eq!(ended.held_sealed, None);
    assert_eq!(world.shop.grants().len(), 1);
}

#[tokio::test]
async fn row_16_a_partial_grant_is_connected_and_named() {
    let world = World::new().await;
    world
        .shop
        .set_faults(Fault::grant_only([Scope::ShopRead]).into());
    let id = world.connect().await;
    let listed = world.app.hub.connection(world.member(), id).await.unwrap();
    assert_eq!(listed.health.status, Status::Connected);
    assert_eq!(listed.health.missing_scopes, ["orders.read"]);
    let host = world.any_host().await;
    assert_eq!(host.token(id).await.1["scopes"], json!(["shop.read"]));
    // The page and the API say the same of it.
    let answer = host.get(&format!("/v1/connections/{id}")).await;
    let answered: Value = answer.json().await.unwrap();
    assert_eq!(answered["code"], "PERMISSION_MISSING", "{answered}");
    let browser = world.signed_in().await;
    let shown = browser.get(format!("/api/view/connection/{id}")).await;
    let shown: Value = shown.json().await.unwrap();
    assert!(shown["prompt"]["what"].is_string(), "{shown}");
    for words in ["what", "why", "effect"] {
        assert_eq!(answered["prompt"][words], shown["prompt"][words]);
    }
}

#[tokio::test]
async fn row_19_hostile_token_answers_are_bounded() {
    use sandbox::Garbage;
    for fault in [
        FaultKind::Garbage(Garbage::Html),
        FaultKind::Garbage(Garbage::Huge),
        FaultKind::Garbage(Garbage::Deep),
        FaultKind::Redirect {
            to: "http://127.0.0.1:1/".into(),
        },
    ] {
        let world = World::new().await;
        world
            .shop
            .set_faults(Fault::new(fault.clone()).at(Endpoint::Token).into());
        let (browser, callback) = started(&world).await;
        browser.get(callback).await;
        let failure = only_flow(&world).await.failure.expect("a failure");
        assert!(failure.code.is_transient(), "{fault:?}: {failure:?}");
    }
}

#[tokio::test]
async fn a_cancelled_flow_refuses_a_late_callback() {
    let world = World::new().await;
    world.approve_as(0);
    let browser = world.signed_in().await;
    let prepared = browser
        .prepare("sandbox", json!({ "handle": "0123abcd" }))
        .await;
    let callback = browser.approve(&prepared).await;
    let answer = browser.post("/flows/0123abcd/cancel", &[]).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    browser.get(callback).await;
    nothing_was_connected(&world).await;
}

#[tokio::test]
async fn disconnecting_revokes_destroys_and_says_so() {
    let world = World::new().await;
    let id = world.connect().await;
    let host = world.any_host().await;
    let browser = world.signed_in().await;
    let answer = browser
        .post_json(&format!("/connections/{id}/disconnect"), json!({}))
        .await;
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["revocation"], "revoked");
    assert!(world.shop.grants().is_empty());
    let hub = &world.app.hub;
    let rows = hub::store::credential::Entity::find()
        .all(hub.store.db())
        .await
        .unwrap();
    assert!(rows.is_empty());
    assert_eq!(host.token(id).await.0, StatusCode::CONFLICT);
    let listed = hub.connection(world.member(), id).await.unwrap();
    assert_eq!(listed.health.status, Status::Disconnected);
    // Connecting the account again takes the same row up.
    assert_eq!(world.connect().await, id);
    assert_eq!(host.token(id).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_does_not_keep_a_connection_alive() {
    let world = World::new().await;
    let id = world.connect().await;
    world
        .shop
        .set_faults(Fault::server_error(500).at(Endpoint::Revoke).into());
    let outcome = world.app.hub.disconnect(world.member(), id).await.unwrap();
    assert_eq!(outcome, Revocation::Failed);
    let host = world.any_host().await;
    assert_eq!(host.token(id).await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn f6_a_check_proves_names_and_finds_revocation() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let hub = &world.app.hub;
    hub.check(world.member(), id).await.unwrap();
    let listed = hub.connection(world.member(), id).await.unwrap();
    assert_eq!(listed.health.status, Status::Connected);
    assert_eq!(listed.connection.account_label, "Maple & Co.");
    world.advance(TimeDelta::minutes(2));
    world.shop.revoke_all();
    hub.check(world.member(), id).await.unwrap();
    let listed = hub.connection(world.member(), id).await.unwrap();
    assert_eq!(listed.health.status, Status::ActionNeeded);
    assert_eq!(host.token(id).await.0, StatusCode::CONFLICT);
    let history = hub.history(world.member(), id, 10).await.unwrap();
    let required = history
        .iter()
        .filter(|event| event.kind == Kind::ConnectionActionRequired);
    assert_eq!(required.count(), 1, "one event per transition");
}

#[tokio::test]
async fn how_long_connecting_takes_is_learned_from_those_who_did() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let browser = world.signed_in().await;
    let times = [20, 25, 50, 22, 24].map(TimeDelta::seconds);
    for taken in times {
        assert_eq!(hub.usual_times().await.unwrap().of("sandbox"), None);
        world.approve_as(0);
        let prepared = browser.prepare("sandbox", json!({})).await;
        let callback = browser.approve(&prepared).await;
        world.advance(taken);
        let done = browser.get(callback).await;
        assert_eq!(done.status(), StatusCode::SEE_OTHER);
        // Until they are read, a second account would be another connection.
        let id = world.only_connection().await;
        hub.disconnect(world.member(), id).await.unwrap();
        hub.remove(world.member(), id).await.unwrap();
    }
    let usual = hub.usual_times().await.unwrap();
    assert_eq!(usual.of("sandbox"), Some(TimeDelta::seconds(24)));
    let page = browser.get(world.url("/?q=sandbox")).await;
    let page = page.text().await.unwrap();
    assert!(page.contains("One click, about 24 seconds"));
}
