//! Keys that a shop's server hands over: row A31.

use axum::{Json, Router, http::HeaderMap, routing::get};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use hub::{connect::Ask, store::flow};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::{
    harness::{Browser, Setup, World, changed_entries, location, serve_peer},
    ways::{Signed, connections, flows, said, signed_with},
};

const KEY: &str = "ck_0123456789abcdef0123456789abcdef01234567";
const SECRET: &str = "cs_0123456789abcdef0123456789abcdef01234567";

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

#[tokio::test]
async fn a31_keys_travel_by_tls_or_not_at_all() {
    for (address, allowed) in [
        ("https://hub.example/", true),
        ("http://127.0.0.1:3000/", true),
        ("http://hub.example/", false),
    ] {
        let world = World::with(Setup {
            public_url: Some(address.parse().unwrap()),
            ..Setup::default()
        })
        .await;
        let ask = Ask {
            variables: [("store_url".into(), "https://shop.example".into())].into(),
            ..Ask::default()
        };
        let hub = &world.app.hub;
        let begun = hub
            .prepare(world.member(), "woocommerce-connect", ask)
            .await;
        assert_eq!(begun.is_ok(), allowed, "{address}");
    }
}
