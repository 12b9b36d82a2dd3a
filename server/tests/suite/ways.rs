//! Ways to an account other than a code in a redirect: rows A29-A32.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, http::HeaderMap, routing::get};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use hub::store::{connection, flow};
use reqwest::{Response, StatusCode};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::harness::{Browser, Setup, World, changed_entries, location, serve_peer};

const KEY: &str = "ck_0123456789abcdef0123456789abcdef01234567";
const SECRET: &str = "cs_0123456789abcdef0123456789abcdef01234567";

/// What calls to a peer were signed with.
type Signed = Arc<Mutex<Vec<String>>>;

fn signed_with(seen: &Signed) -> impl Fn(&HeaderMap) + Clone + use<> {
    let seen = seen.clone();
    move |headers| {
        let value = headers["authorization"].to_str().unwrap().to_owned();
        seen.lock().unwrap().push(value);
    }
}

async fn flows(world: &World) -> Vec<flow::Model> {
    let db = world.app.hub.store.db();
    flow::Entity::find().all(db).await.unwrap()
}

async fn connections(world: &World) -> Vec<connection::Model> {
    let listed = world.app.hub.connections(world.member()).await.unwrap();
    listed.into_iter().map(|listed| listed.connection).collect()
}

/// A WooCommerce shop, and a hub that may reach it.
struct Shop {
    world: World,
    address: String,
    seen: Signed,
}

impl Shop {
    async fn open(key: &'static str) -> Self {
        let seen = Signed::default();
        let note = signed_with(&seen);
        let expected = format!("Basic {}", STANDARD.encode(format!("{key}:{SECRET}")));
        let currency = move |headers: HeaderMap| async move {
            note(&headers);
            match headers["authorization"] == expected.as_str() {
                true => (StatusCode::OK, Json(json!({ "code": "EUR" }))),
                false => (
                    StatusCode::UNAUTHORIZED,
                    Json(json!({ "code": "woocommerce_rest_authentication_error" })),
                ),
            }
        };
        let path = "/wp-json/wc/v3/data/currencies/current";
        let peer = serve_peer(Router::new().route(path, get(currency))).await;
        // A real shop is reached by https alone.
        let world = World::with(Setup {
            catalog: Some(changed_entries(&[(
                "woocommerce-connect",
                "pattern = 'https://",
                "pattern = 'https?://",
            )])),
            peers: vec![peer],
            ..Setup::default()
        })
        .await;
        Self {
            world,
            address: format!("http://{peer}"),
            seen,
        }
    }

    async fn leave(&self, browser: &Browser) -> Url {
        let ask = json!({ "variables": { "store_url": self.address } });
        let prepared = browser.prepare("woocommerce-connect", ask).await;
        prepared["auth_url"].as_str().unwrap().parse().unwrap()
    }

    /// The shop's server brings keys.
    async fn bring(&self, address: &str, keys: Value) -> StatusCode {
        let stranger = self.world.browser();
        let request = stranger.http.post(self.world.url(address)).json(&keys);
        request.send().await.unwrap().status()
    }
}

const HANDOVER: &str = "/oauth/handover/woocommerce-connect";

fn keys(state: &str) -> Value {
    json!({
        "key_id": 1, "user_id": state, "consumer_key": KEY, "consumer_secret": SECRET,
        "key_permissions": "read_write",
    })
}

fn said(address: &Url, name: &str) -> String {
    let (_, value) = address.query_pairs().find(|(key, _)| key == name).unwrap();
    value.into_owned()
}

/// The person presses Approve or Cancel, and comes back.
async fn return_to(browser: &Browser, address: &Url, success: u8) -> Response {
    let user = said(address, "user_id");
    let back = format!(
        "{}&success={success}&user_id={user}",
        said(address, "return_url")
    );
    browser.get(back).await
}

#[tokio::test]
async fn a31_a_shop_hands_its_keys_over() {
    let shop = Shop::open(KEY).await;
    let world = &shop.world;
    let browser = world.signed_in().await;
    let address = shop.leave(&browser).await;
    assert_eq!(address.path(), "/wc-auth/v1/authorize");
    assert_eq!(said(&address, "app_name"), "Linkwell");
    assert_eq!(said(&address, "scope"), "read");
    assert_eq!(said(&address, "callback_url"), world.url(HANDOVER).as_str());
    let state = said(&address, "user_id");
    assert_eq!(state.len(), 43, "it carries our state, and no id of ours");

    assert_eq!(shop.bring(HANDOVER, keys(&state)).await, StatusCode::OK);
    assert!(
        connections(world).await.is_empty(),
        "not without the person"
    );
    let stored = format!("{:?}", flows(world).await);
    assert!(!stored.contains(KEY) && !stored.contains(SECRET), "sealed");

    let answer = return_to(&browser, &address, 1).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let [connection] = &connections(world).await[..] else {
        panic!("one connection")
    };
    assert_eq!(connection.account_label, shop.address);
    assert_eq!(connection.scopes_granted.as_deref(), Some("read_write"));
    assert_eq!(shop.seen.lock().unwrap().len(), 1, "tested with its probe");
    let flow = flows(world).await.remove(0);
    assert_eq!(flow.status, flow::Status::Connected);
    assert_eq!(flow.held_sealed, None);
    // They are kept like keys that were entered: a check carries them again.
    let hub = &world.app.hub;
    hub.check(world.member(), connection.id).await.unwrap();
    let seen = shop.seen.lock().unwrap();
    assert_eq!((seen.len(), &seen[0]), (2, &seen[1]));
}

#[tokio::test]
async fn a31_keys_no_flow_waits_for_are_not_taken() {
    let shop = Shop::open(KEY).await;
    let world = &shop.world;
    let browser = world.signed_in().await;
    let refused = StatusCode::NOT_FOUND;
    assert_eq!(shop.bring(HANDOVER, keys("guessed")).await, refused);

    let state = said(&shop.leave(&browser).await, "user_id");
    for (name, odd) in [
        ("consumer_key", json!("ck_short")),
        ("consumer_secret", json!(null)),
        ("consumer_key", json!({ "nested": KEY })),
        ("user_id", json!(null)),
    ] {
        let mut keys = keys(&state);
        keys[name] = odd;
        assert_eq!(shop.bring(HANDOVER, keys).await, refused, "{name}");
    }
    for other in ["shopify", "woocommerce", "trello", "none"] {
        let address = format!("/oauth/handover/{other}");
        assert_eq!(shop.bring(&address, keys(&state)).await, refused, "{other}");
    }
    // Once, and the first counts.
    let brought = futures::future::join_all((0..20).map(|_| shop.bring(HANDOVER, keys(&state))));
    let brought = brought.await;
    let taken = brought.iter().filter(|it| **it == StatusCode::OK).count();
    assert_eq!(taken, 1);

    // Not after ten minutes.
    let state = said(&shop.leave(&browser).await, "user_id");
    world.advance(TimeDelta::minutes(10) + TimeDelta::seconds(1));
    assert_eq!(shop.bring(HANDOVER, keys(&state)).await, refused);

    // Not after the person is back.
    let address = shop.leave(&browser).await;
    return_to(&browser, &address, 0).await;
    let late = shop.bring(HANDOVER, keys(&said(&address, "user_id")));
    assert_eq!(late.await, refused);
    assert!(connections(world).await.is_empty());
}

#[tokio::test]
async fn a31_only_the_person_who_left_makes_a_connection_of_the_keys() {
    let shop = Shop::open(KEY).await;
    let world = &shop.world;
    let browser = world.signed_in().await;
    let address = shop.leave(&browser).await;
    shop.bring(HANDOVER, keys(&said(&address, "user_id"))).await;
    let other = world.signed_in().await;
    let answer = return_to(&other, &address, 1).await;
    assert_eq!(location(&answer).path(), "/flows/ended");
    assert!(connections(world).await.is_empty());
    assert!(shop.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a31_keys_that_do_not_work_or_never_came_connect_nothing() {
    // The shop knows another key than the one that was brought.
    let other = "ck_ffffffffffffffffffffffffffffffffffffffff";
    for (known, brings, success, code) in [
        (other, true, 1, "CREDENTIALS_REJECTED"),
        (KEY, false, 1, "PROVIDER_LIMITED_OR_DOWN"),
        (KEY, false, 0, "CONSENT_DENIED_OR_ABANDONED"),
    ] {
        let shop = Shop::open(known).await;
        let browser = shop.world.signed_in().await;
        let address = shop.leave(&browser).await;
        if brings {
            shop.bring(HANDOVER, keys(&said(&address, "user_id"))).await;
        }
        return_to(&browser, &address, success).await;
        let failure = flows(&shop.world).await.remove(0).failure.unwrap();
        assert_eq!(failure.code.as_str(), code, "{failure:?}");
        assert!(connections(&shop.world).await.is_empty());
    }
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
