//! Ways to an account other than a code in a redirect: rows A29, A30, A32 and A33.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, http::HeaderMap, routing::get};
use hmac::{Hmac, KeyInit, Mac};
use hub::{
    failure::{Certainty, FailureCode},
    store::{connection, flow},
};
use reqwest::StatusCode;
use sea_orm::EntityTrait;
use serde_json::json;
use sha2::Sha256;
use url::Url;

use crate::harness::{Setup, World, changed_entries, location, serve_peer};

/// What calls to a peer were signed with.
pub type Signed = Arc<Mutex<Vec<String>>>;

pub fn signed_with(seen: &Signed) -> impl Fn(&HeaderMap) + Clone + use<> {
    let seen = seen.clone();
    move |headers| {
        let value = headers["authorization"].to_str().unwrap().to_owned();
        seen.lock().unwrap().push(value);
    }
}

pub async fn flows(world: &World) -> Vec<flow::Model> {
    let db = world.app.hub.store.db();
    flow::Entity::find().all(db).await.unwrap()
}

pub async fn connections(world: &World) -> Vec<connection::Model> {
    let listed = world.app.hub.connections(world.member()).await.unwrap();
    listed.into_iter().map(|listed| listed.connection).collect()
}

/// A parameter of an address.
pub fn said(address: &Url, name: &str) -> String {
    let (_, value) = address.query_pairs().find(|(key, _)| key == name).unwrap();
    value.into_owned()
}

/// Trello's API, and a hub that may reach it.
async fn trello() -> (World, Signed) {
    let seen = Signed::default();
    let note = signed_with(&seen);
    let me = move |headers: HeaderMap| async move {
        note(&headers);
        Json(json!({ "id": "5f", "fullName": "Mia", "username": "mia" }))
    };
    let peer = serve_peer(Router::new().route("/1/members/me", get(me))).await;
    let world = World::with(Setup {
        catalog: Some(changed_entries(&[(
            "trello",
            "https://api.trello.com",
            &format!("http://{peer}"),
        )])),
        peers: vec![peer],
        ..Setup::default()
    })
    .await;
    world.register("trello", &[]).await;
    (world, seen)
}

#[tokio::test]
async fn a32_a_token_behind_the_hash_is_posted_on() {
    let (world, seen) = trello().await;
    let browser = world.signed_in().await;
    let prepared = browser.prepare("trello", json!({})).await;
    let address: Url = prepared["auth_url"].as_str().unwrap().parse().unwrap();
    let state = prepared["state"].as_str().unwrap();
    assert_eq!(said(&address, "response_type"), "token");
    // The browser keeps what stands behind the hash to itself.
    let page = browser.get(said(&address, "return_url")).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    assert_eq!(page.headers()["cache-control"], "no-store");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    for directive in [
        "script-src 'self'",
        "form-action 'self'",
        "default-src 'none'",
    ] {
        assert!(policy.contains(directive), "{policy}");
    }
    let page = page.text().await.unwrap();
    assert!(page.contains("data-fragment") && page.contains(state));
    // Without a script a person pastes it.
    assert!(
        page.contains("#token=") && page.contains(r#"name="token""#),
        "{page}"
    );
    assert_eq!(flows(&world).await[0].status, flow::Status::Waiting);

    let told = [("state", state), ("token", "ATTA-the-token")];
    let answer = browser.post("/oauth/callback/trello", &told).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let [connection] = &connections(&world).await[..] else {
        panic!("one connection")
    };
    assert_eq!(connection.account_label, "Mia");
    let carried = r#"OAuth oauth_consumer_key="the-client", oauth_token="ATTA-the-token""#;
    assert_eq!(seen.lock().unwrap()[..], [carried]);

    let again = browser.post("/oauth/callback/trello", &told).await;
    assert_eq!(location(&again).path(), "/flows/ended");
}

/// Trello does not say what comes back when somebody presses Deny.
#[tokio::test]
async fn a32_b7_whatever_comes_in_place_of_the_token_is_a_no() {
    let (world, _) = trello().await;
    let browser = world.signed_in().await;
    for told in [
        None,
        Some(("error", "Token request rejected")),
        Some(("token", "")),
    ] {
        let prepared = browser.prepare("trello", json!({})).await;
        let state = prepared["state"].as_str().unwrap();
        let mut form = vec![("state", state)];
        form.extend(told);
        browser.post("/oauth/callback/trello", &form).await;
        let id = prepared["flow_id"].as_str().unwrap();
        let ended = flows(&world).await;
        let flow = ended.iter().find(|flow| flow.id.to_string() == id).unwrap();
        let failure = flow.failure.as_ref().unwrap();
        assert_eq!(
            failure.code,
            FailureCode::ConsentDeniedOrAbandoned,
            "{told:?}"
        );
        assert_eq!(failure.certainty, Certainty::Inferred, "{told:?}");
    }
    assert!(connections(&world).await.is_empty());
}

#[tokio::test]
async fn a32_the_token_is_bound_to_the_flow_as_always() {
    let (world, seen) = trello().await;
    let browser = world.signed_in().await;
    let prepared = browser.prepare("trello", json!({})).await;
    let state = prepared["state"].as_str().unwrap();
    // Somebody else's browser, and another site's form in the right one.
    let told = [("state", state), ("token", "an-attackers")];
    let other = world.signed_in().await;
    let forged = browser
        .http
        .post(world.url("/oauth/callback/trello"))
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "cross-site")
        .form(&[("state", "an-attackers"), ("token", "an-attackers")])
        .send()
        .await
        .unwrap();
    assert!(forged.text().await.unwrap().contains("data-post-again"));
    let answer = other.post("/oauth/callback/trello", &told).await;
    assert_eq!(location(&answer).path(), "/flows/ended");
    let answer = browser.post("/oauth/callback/trello", &told).await;
    assert_eq!(location(&answer).path(), "/flows/ended", "it was spent");
    assert!(connections(&world).await.is_empty());
    assert!(seen.lock().unwrap().is_empty());
}

/// A link of Shopify's, signed with `secret` at `at`.
fn launch(secret: &str, shop: &str, at: i64) -> String {
    let message = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("host", "YWRtaW4")
        .append_pair("shop", shop)
        .append_pair("timestamp", &at.to_string())
        .finish();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/oauth/launch/shopify?hmac={hex}&{message}")
}

#[tokio::test]
async fn a29_who_begins_at_the_provider_goes_on_from_our_own_page() {
    let world = World::new().await;
    world.register("shopify", &[]).await;
    let browser = world.signed_in().await;
    let now = world.clock.now().timestamp();
    let shop = "my-store.myshopify.com";
    let good = launch("hush", shop, now);

    let answer = browser.get(&good).await;
    assert_eq!(location(&answer).path(), "/connect/shopify");
    let page = browser.get(location(&answer)).await.text().await.unwrap();
    assert!(page.contains(r#"value="my-store""#), "{page}");
    assert!(flows(&world).await.is_empty(), "nothing has begun");

    // Whoever is not signed in does that first and comes back to it.
    let stranger = world.browser();
    let first = location(&stranger.get(&good).await);
    assert_eq!(first.path(), "/sign-in");
    let (_, next) = first.query_pairs().next().unwrap();
    assert_eq!(next, good);

    for bad in [
        good.replace("my-store", "evil-store"),
        good.replace("&host=YWRtaW4", ""),
        format!("{good}&extra=1"),
        launch("another", shop, now),
        launch("hush", shop, now - 601),
        launch("hush", shop, now + 601),
        // Signed, and no shop all the same.
        launch("hush", "evil.example", now),
        "/oauth/launch/shopify?shop=my-store.myshopify.com".to_owned(),
        good.replace("/shopify?", "/github?"),
    ] {
        let answer = browser.get(&bad).await;
        assert!(answer.status().is_client_error(), "{bad}");
        assert!(!answer.headers().contains_key("set-cookie"), "{bad}");
    }
}

#[tokio::test]
async fn a29_without_a_state_of_ours_nothing_is_exchanged() {
    let world = World::new().await;
    world.register("shopify", &[]).await;
    let browser = world.signed_in().await;
    for callback in [
        "/oauth/callback/sandbox?code=theirs",
        "/oauth/callback/sandbox?code=theirs&state=",
        "/oauth/callback/sandbox?code=theirs&state=theirs",
        "/oauth/callback/shopify?code=theirs&shop=my-store.myshopify.com",
    ] {
        let answer = browser.get(callback).await;
        assert_eq!(location(&answer).path(), "/flows/ended", "{callback}");
    }
    assert_eq!(world.shop.calls().code_exchanges, 0);
    assert!(connections(&world).await.is_empty());
}

const INSTANCE: &str = "84b2fbd9-3b4c-4e1d-9a52-6d9c1f0e7a11";

/// Wix, which leads back with the number of an installation and no proof of who
/// made it.
async fn wix() -> (World, Signed) {
    let seen = Signed::default();
    let note = signed_with(&seen);
    let instance = move |headers: HeaderMap| async move {
        note(&headers);
        Json(json!({
            "instance": { "instanceId": INSTANCE },
            "site": { "siteDisplayName": "Mia's", "siteId": INSTANCE },
        }))
    };
    let token = || async { Json(json!({ "access_token": "minted" })) };
    let router = Router::new()
        .route("/apps/v1/instance", get(instance))
        .route("/oauth2/token", axum::routing::post(token));
    let peer = serve_peer(router).await;
    let world = World::with(Setup {
        catalog: Some(changed_entries(&[(
            "wix",
            "https://www.wixapis.com",
            &format!("http://{peer}"),
        )])),
        peers: vec![peer],
        ..Setup::default()
    })
    .await;
    let share = "0f6c3a52-9d1e-4b7a-8c3f-5e2d1a0b9c8d";
    world.register("wix", &[("share_url_id", share)]).await;
    (world, seen)
}

#[tokio::test]
async fn a30_an_installation_is_believed_where_nobody_else_could_be_meant() {
    for alone in [true, false] {
        let (world, seen) = wix().await;
        if !alone {
            world.neighbour().await;
        }
        let browser = world.signed_in().await;
        let prepared = browser.prepare("wix", json!({})).await;
        let address: Url = prepared["auth_url"].as_str().unwrap().parse().unwrap();
        let back = said(&address, "postInstallationUrl");
        browser.get(format!("{back}&instanceId={INSTANCE}")).await;
        let flow = flows(&world).await.remove(0);
        if alone {
            assert_eq!(flow.status, flow::Status::Connected, "{:?}", flow.failure);
            assert_eq!(connections(&world).await[0].account_label, "Mia's");
            assert_eq!(seen.lock().unwrap()[..], ["minted"]);
        } else {
            // Anybody could name the installation of another tenant.
            let failure = flow.failure.unwrap();
            assert_eq!(failure.detail, "installation_not_provable");
            assert!(connections(&world).await.is_empty());
            assert!(seen.lock().unwrap().is_empty(), "no token was made");
        }
    }
}

#[tokio::test]
async fn a33_an_administrator_allows_the_app_and_no_code_comes() {
    let world = World::new().await;
    world.register("microsoft", &[]).await;
    let browser = world.signed_in().await;
    let page = browser
        .get("/connect/microsoft")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("allow it for everybody"), "{page}");
    let opening = browser
        .post("/oauth/start/microsoft", &[("admin", "1")])
        .await;
    let page = opening.text().await.unwrap().replace("&amp;", "&");
    let (_, address) = page
        .split_once("https://login.microsoftonline.com")
        .unwrap();
    let address = address.split('"').next().unwrap();
    let address: Url = format!("https://login.microsoftonline.com{address}")
        .parse()
        .unwrap();
    assert_eq!(address.path(), "/organizations/v2.0/adminconsent");
    assert_eq!(said(&address, "client_id"), "the-client");
    assert_eq!(
        said(&address, "redirect_uri"),
        world.url("/oauth/callback/microsoft").as_str()
    );
    assert!(!said(&address, "scope").is_empty());
    let names = address.query_pairs().map(|(name, _)| name.into_owned());
    assert!(
        !names
            .into_iter()
            .any(|name| name == "response_type" || name.starts_with("code"))
    );

    let state = said(&address, "state");
    let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let approved =
        format!("/oauth/callback/microsoft?admin_consent=True&tenant={tenant}&state={state}");
    let other = world.signed_in().await;
    // The state is bound to the browser here, too.
    let theirs = other.get(&approved).await;
    assert_eq!(location(&theirs).path(), "/flows/ended");

    let opening = browser
        .post("/oauth/start/microsoft", &[("admin", "1")])
        .await;
    let page = opening.text().await.unwrap().replace("&amp;", "&");
    let (_, state) = page.split_once("&state=").unwrap();
    let state = state.split(['&', '"']).next().unwrap();
    let approved =
        format!("/oauth/callback/microsoft?admin_consent=True&tenant={tenant}&state={state}");
    let answer = browser.get(&approved).await;
    // Now the person connects, from our own page and with a state of its own.
    assert_eq!(location(&answer).path(), "/connect/microsoft");
    assert!(connections(&world).await.is_empty());
    let again = browser.get(&approved).await;
    assert_eq!(location(&again).path(), "/flows/ended", "spent");
}

#[tokio::test]
async fn a33_who_has_no_such_consent_is_not_sent_to_one() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let answer = browser
        .post("/oauth/start/sandbox", &[("admin", "1")])
        .await;
    assert!(flows(&world).await.is_empty(), "{}", answer.status());
}
