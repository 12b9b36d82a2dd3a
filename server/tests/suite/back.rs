//! The window a person comes back in, and what is done there: rows A36, A37,
//! B6, B8 and B9; and what a second consent leaves in place: row A17.

use chrono::TimeDelta;
use hub::store::flow;
use reqwest::StatusCode;
use sandbox::{Endpoint, Fault, FaultKind, Rotation};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    harness::{Setup, World, changed_entries, location},
    push::{secret, send, signature},
};

#[tokio::test]
async fn a36_a_provider_is_never_shown_inside_our_page() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let opening = browser
        .post("/oauth/start/sandbox", &[("popup", "1")])
        .await;
    let hub = browser.get("/").await;
    for answer in [opening, hub] {
        assert_eq!(answer.status(), StatusCode::OK);
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        // Neither may a page of ours hold another, nor be held by one.
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("frame-src") && !policy.contains("child-src"));
        let page = answer.text().await.unwrap();
        assert!(!page.contains("<iframe") && !page.contains("<webview"));
    }
}

#[tokio::test]
async fn a37_the_outcome_is_known_without_the_window_that_was_opened() {
    let world = World::new().await;
    world.approve_as(0);
    let browser = world.signed_in().await;
    let handle = "0123abcd";
    let form = [("popup", "1"), ("handle", handle)];
    let opening = browser.post("/oauth/start/sandbox", &form).await;
    // A policy of ours would cut the window off as theirs does.
    let cut = "cross-origin-opener-policy";
    assert!(!opening.headers().contains_key(cut));
    let page = opening.text().await.unwrap();
    let (_, link) = page.split_once("href=\"http://localhost").unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let consent = browser.get(format!("http://localhost{link}")).await;
    let done = browser.get(location(&consent)).await;
    let finished = browser.get(location(&done)).await;
    assert!(!finished.headers().contains_key(cut));
    // The page only hints; another window of the same person asks the server.
    let asked = browser.get(format!("/api/view/flow/{handle}")).await;
    let asked: Value = asked.json().await.unwrap();
    let flow = flow::Entity::find()
        .one(world.app.hub.store.db())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(flow.status, flow::Status::Connected);
    assert!(
        asked.to_string().to_lowercase().contains("connected"),
        "{asked}"
    );
}

#[tokio::test]
async fn b6_a_code_is_exchanged_before_the_callback_is_answered() {
    let world = World::new().await;
    world.approve_as(0);
    let browser = world.signed_in().await;
    let prepared = browser.prepare("sandbox", json!({})).await;
    // Figma's codes live for thirty seconds.
    world.advance(TimeDelta::minutes(9));
    let callback = browser.approve(&prepared).await;
    world.advance(TimeDelta::seconds(29));
    assert_eq!(world.shop.calls().code_exchanges, 0);
    let answer = browser.get(callback).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    // No job ran in between: nothing runs them in this test.
    assert_eq!(world.shop.calls().code_exchanges, 1);
    world.only_connection().await;
}

/// Sentry's installation sends one. Nothing in it says whose it is, so that even
/// a genuine message cannot be tied to a person; no entry needs it, because Sentry
/// is connected by a token that a person makes.
#[tokio::test]
async fn b8_a_code_that_a_message_brings_is_never_exchanged() {
    let world = World::new().await;
    let message = json!({
        "action": "created",
        "data": { "installation": { "uuid": "7a485448", "code": "1dc8b0a28b7f45959d01bbc99d9bd568" } },
    });
    for app in ["sandbox", "sentry"] {
        let request = world
            .browser()
            .http
            .post(world.url(&format!("/hooks/{app}")));
        let answer = request.json(&message).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{app}");
    }
    // Genuine: heard, and acknowledged, and nothing else.
    let browser = world.signed_in().await;
    let prepared = browser.prepare("sandbox", json!({})).await;
    world.approve_as(0);
    let callback = browser.approve(&prepared).await;
    let (_, code) = callback
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap();
    let body = json!({ "id": "evt_1", "type": "installation.created", "code": code }).to_string();
    let signed = signature(secret(&world), world.clock.now().timestamp(), &body);
    assert_eq!(send(&world, &signed, &body).await, StatusCode::OK);
    assert_eq!(world.shop.calls().code_exchanges, 0);
    assert!(
        world
            .app
            .hub
            .connections(world.member())
            .await
            .unwrap()
            .is_empty()
    );
    // The person it was given to exchanges it all the same.
    browser.get(callback).await;
    assert_eq!(world.shop.calls().code_exchanges, 1);
    // Sentry, which sends them, is connected by a token a person makes.
    let sentry = world.app.hub.catalog.get("sentry").unwrap();
    assert!(sentry.authorize().is_none() && !sentry.fields.is_empty());
}

#[tokio::test]
async fn b9_a_callback_may_be_posted() {
    let world = World::new().await;
    world.approve_as(0);
    let browser = world.signed_in().await;
    let prepared = browser.prepare("sandbox", json!({})).await;
    let callback = browser.approve(&prepared).await;
    let told: Vec<(String, String)> = callback.query_pairs().into_owned().collect();
    // From the provider's site a browser leaves our cookies at home.
    let bare = world.browser();
    let answer = bare
        .http
        .post(world.url(callback.path()))
        .header("origin", "http://localhost")
        .header("sec-fetch-site", "cross-site")
        .form(&told)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let page = answer.text().await.unwrap();
    assert!(page.contains("data-post-again"), "{page}");
    for (name, value) in &told {
        assert!(page.contains(&format!("name=\"{name}\"")), "{name}");
        assert!(
            page.contains(value.as_str()) || value.contains("://"),
            "{name}"
        );
    }
    assert_eq!(world.shop.calls().code_exchanges, 0, "nothing is spent yet");

    // Our page posts the same, and the cookies come along.
    let again = browser
        .http
        .post(world.url(callback.path()))
        .header("origin", browser.origin())
        .header("sec-fetch-site", "same-origin")
        .form(&told)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::SEE_OTHER);
    world.only_connection().await;
}

#[tokio::test]
async fn a17_a_refresh_token_that_came_once_goes_on_serving() {
    for (rotates, status) in [("never", StatusCode::OK), ("always", StatusCode::CONFLICT)] {
        let shipped = "rotates = \"always\"";
        let changed = format!("rotates = \"{rotates}\"");
        let world = World::with(Setup {
            catalog: Some(changed_entries(&[("sandbox", shipped, &changed)])),
            ..Setup::default()
        })
        .await;
        world.rules(|rules| rules.rotation = Rotation::Off);
        let id = world.connect().await;
        // The second consent brings none, as Google's and Zoho's do not.
        let fault = Fault::new(FaultKind::NoRefreshToken);
        world.shop.set_faults(fault.at(Endpoint::Token).into());
        assert_eq!(world.connect().await, id);
        world.shop.set_faults(Default::default());
        world.advance(TimeDelta::hours(2));
        let host = world.any_host().await;
        assert_eq!(host.token(id).await.0, status, "{rotates}");
    }
}
