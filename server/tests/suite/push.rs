//! What providers tell unasked: row 54 of the security checks, as far as
//! messages come in, and what becomes of the connections they are about.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use hub::{
    keep::health::Status,
    people::Scope,
    secret::Secret,
    store::{ConnectionId, connection, event::Kind, provider_app},
};
use reqwest::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::World;

fn mac(key: &str, message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(key: &str, message: &str) -> String {
    let bytes = mac(key, message);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The sandbox's signature of a message sent at `at`.
pub fn signature(secret: &str, at: i64, body: &str) -> String {
    format!("t={at},v1={}", hex(secret, &format!("{at}.{body}")))
}

async fn post(
    world: &World,
    path: &str,
    headers: &[(&str, String)],
    body: &str,
) -> reqwest::Response {
    #[expect(
        clippy::disallowed_methods,
        reason = "the provider is the other side: the hub's guards are not its own"
    )]
    let mut request = reqwest::Client::new().post(world.url(path));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(body.to_owned()).send().await.unwrap()
}

/// A message of the sandbox.
pub async fn send(world: &World, signature: &str, body: &str) -> StatusCode {
    let headers = [("sandbox-signature", signature.to_owned())];
    post(world, "/hooks/sandbox", &headers, body).await.status()
}

fn message(id: &str, kind: &str, account: &str) -> String {
    json!({ "id": id, "type": kind, "account_id": account }).to_string()
}

pub fn secret(world: &World) -> &str {
    world.app.hub.operator_apps["sandbox"]
        .client_secret
        .expose()
}

async fn account(world: &World, id: ConnectionId) -> String {
    let hub = &world.app.hub;
    let listed = hub.connection(world.member(), id).await.unwrap();
    listed.connection.external_id.unwrap()
}

async fn status(world: &World, id: ConnectionId) -> Status {
    let hub = &world.app.hub;
    let listed = hub.connection(world.member(), id).await.unwrap();
    listed.health.status
}

async fn last_event(world: &World, id: ConnectionId) -> Kind {
    let history = world.app.hub.history(world.member(), id, 1).await.unwrap();
    history[0].kind
}

/// Waits for what a message set off.
async fn settle(world: &World) {
    let tasks = &world.app.hub.keeper.tasks;
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn f5_a_provider_says_that_access_has_ended() {
    let world = World::new().await;
    let id = world.connect().await;
    let host = world.host(&[Scope::TokensRead]).await;
    let now = world.clock.now().timestamp();
    let whose = account(&world, id).await;
    assert_eq!(host.token(id).await.0, StatusCode::OK);

    let elsewhere = message("evt_0", "app.uninstalled", "somebody-else");
    let signed = signature(secret(&world), now, &elsewhere);
    assert_eq!(send(&world, &signed, &elsewhere).await, StatusCode::OK);
    assert_eq!(status(&world, id).await, Status::Connected);

    let body = message("evt_1", "app.uninstalled", &whose);
    let signed = signature(secret(&world), now, &body);
    assert_eq!(send(&world, &signed, &body).await, StatusCode::OK);
    assert_eq!(status(&world, id).await, Status::ActionNeeded);
    assert_eq!(last_event(&world, id).await, Kind::ConnectionActionRequired);
    let (answer, problem): (_, Value) = host.token(id).await;
    assert_eq!(answer, StatusCode::CONFLICT);
    assert_eq!(problem["code"], "GRANT_REVOKED_OR_EXPIRED");
}

#[tokio::test]
async fn f5_what_is_only_hinted_at_is_asked_at_once() {
    let world = World::new().await;
    let id = world.connect().await;
    let whose = account(&world, id).await;
    let now = world.clock.now().timestamp();
    let calls = world.shop.calls().api_calls;
    let hint = async |event: &str| {
        let body = message(event, "grant.changed", &whose);
        let signed = signature(secret(&world), now, &body);
        assert_eq!(send(&world, &signed, &body).await, StatusCode::OK);
        settle(&world).await;
    };
    hint("evt_1").await;
    assert_eq!(status(&world, id).await, Status::Connected);
    assert_eq!(world.shop.calls().api_calls, calls + 1, "it was asked");
    world.shop.revoke_all();
    hint("evt_2").await;
    assert_eq!(status(&world, id).await, Status::ActionNeeded);
    assert_eq!(last_event(&world, id).await, Kind::ConnectionActionRequired);
}

#[tokio::test]
async fn row_54_messages_are_signed_fresh_and_believed_once() {
    let world = World::new().await;
    let id = world.connect().await;
    let now = world.clock.now().timestamp();
    let body = message("evt_1", "app.uninstalled", &account(&world, id).await);
    let refused = StatusCode::UNAUTHORIZED;

    for signature in ["", "t=1", "t=,v1=", "v1=00", &format!("t={now},v1=é")] {
        if let Ok(value) = reqwest::header::HeaderValue::from_str(signature) {
            let value = value.to_str().unwrap_or("t=0,v1=zz").to_owned();
            assert_eq!(send(&world, &value, &body).await, refused, "{signature}");
        }
    }
    let other = signature("another secret", now, &body);
    assert_eq!(send(&world, &other, &body).await, refused);
    for far in [-301, 301] {
        let signed = signature(secret(&world), now + far, &body);
        assert_eq!(send(&world, &signed, &body).await, refused, "{far}");
    }
    let signed = signature(secret(&world), now, &body);
    assert_eq!(send(&world, &signed, &format!("{body} ")).await, refused);
    assert_eq!(status(&world, id).await, Status::Connected);

    assert_eq!(send(&world, &signed, &body).await, StatusCode::OK);
    assert_eq!(status(&world, id).await, Status::ActionNeeded);
    // The person reconnects; the same message once more changes nothing.
    world.connect().await;
    assert_eq!(status(&world, id).await, Status::Connected);
    assert_eq!(send(&world, &signed, &body).await, StatusCode::OK);
    assert_eq!(status(&world, id).await, Status::Connected);
}

/// A connection of a shipped provider, whose app the tenant registered with
/// this setting.
async fn shipped(world: &World, provider: &str, setting: &str, account: &str) -> ConnectionId {
    let settings = match setting {
        "client_secret" => Default::default(),
        setting => [(setting.to_owned(), KEY.to_owned())].into(),
    };
    let hub = &world.app.hub;
    let client_secret = Some(Secret::new(KEY));
    hub.set_provider_app(world.member(), provider, "id", client_secret, &settings)
        .await
        .unwrap_or_else(|error| panic!("{provider}: {error:?}"));
    let host = world.any_host().await;
    let body = json!({ "provider": provider, "credential": { "access_token": "t" },
        "account": { "id": account, "label": "Mia" } });
    let answer = host.post("/v1/connections", body).await;
    assert_eq!(answer.status(), StatusCode::CREATED, "{provider}");
    let body: Value = answer.json().await.unwrap();
    body["id"].as_str().unwrap().parse().unwrap()
}

/// Fits the pattern of every key.
const KEY: &str = "whsec_0123456789abcdef0123";
/// Fits those that have no underscore.
const SLACKS: &str = "0123456789abcdef0123456789abcdef";

/// BigCommerce comes with a GET, Pipedrive with a DELETE of the address that
/// people come back to.
#[tokio::test]
async fn f5_messages_that_are_no_posts_are_heard() {
    let world = World::new().await;
    world.register("bigcommerce", &[]).await;
    world.register("pipedrive", &[]).await;
    #[expect(
        clippy::disallowed_methods,
        reason = "the provider is the other side: the hub's guards are not its own"
    )]
    let http = reqwest::Client::new();

    let now = world.clock.now().timestamp();
    let claims = json!({
        "aud": "the-client", "iss": "bc", "iat": now, "exp": now + 86_400,
        "jti": "one", "sub": "stores/abc123def4",
    });
    let statement = |key: &str| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "HS256" })), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(mac(key, &signed));
        world.url(&format!(
            "/hooks/bigcommerce?signed_payload_jwt={signed}.{signature}"
        ))
    };
    for (key, heard) in [("hush", true), ("another", false)] {
        let answer = http.get(statement(key)).send().await.unwrap();
        assert_eq!(answer.status().is_success(), heard, "{key}");
    }
    let answer = http.get(world.url("/hooks/bigcommerce")).send().await;
    assert!(answer.unwrap().status().is_client_error());

    let body = json!({ "client_id": "the-client", "company_id": 42, "user_id": 7 });
    for (secret, heard) in [("hush", true), ("another", false)] {
        let answer = http
            .delete(world.url("/oauth/callback/pipedrive"))
            .basic_auth("the-client", Some(secret))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().is_success(), heard, "{secret}");
    }
    // Without its proof it is a request like any other site's.
    let answer = http.delete(world.url("/oauth/callback/pipedrive"));
    assert_eq!(answer.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn f5_shipped_providers_reach_their_connections() {
    let world = World::new().await;
    let now = world.clock.now().timestamp();
    let at = now.to_string();
    let square_url = world.url("/hooks/square");
    let square = format!(
        r#"{{"merchant_id":"ML1","type":"oauth.authorization.revoked","event_id":"e1","created_at":"{}"}}"#,
        world.clock.now().to_rfc3339()
    );
    let zoom = r#"{"event":"app_deauthorized","event_ts":1,"payload":{"user_id":"z1"}}"#.to_owned();
    let tiktok =
        r#"{"event":"authorization.removed","user_openid":"o1","content":"{}"}"#.to_owned();
    let stripe =
        r#"{"id":"evt_1","type":"account.application.deauthorized","account":"acct_1"}"#.to_owned();
    let cases = [
        (
            "square",
            "webhook_key",
            "ML1",
            vec![(
                "x-square-hmacsha256-signature",
                STANDARD.encode(mac(KEY, &format!("{square_url}{square}"))),
            )],
            square,
        ),
        (
            "zoom",
            "secret_token",
            "z1",
            vec![
                ("x-zm-request-timestamp", at.clone()),
                (
                    "x-zm-signature",
                    format!("v0={}", hex(KEY, &format!("v0:{at}:{zoom}"))),
                ),
            ],
            zoom,
        ),
        (
            "tiktok",
            "client_secret",
            "o1",
            vec![(
                "tiktok-signature",
                format!("t={at},s={}", hex(KEY, &format!("{at}.{tiktok}"))),
            )],
            tiktok,
        ),
        (
            "stripe-connect",
            "webhook_secret",
            "acct_1",
            vec![(
                "stripe-signature",
                format!("t={at},v1={}", hex(KEY, &format!("{at}.{stripe}"))),
            )],
            stripe,
        ),
    ];
    for (provider, setting, account, headers, body) in cases {
        let id = shipped(&world, provider, setting, account).await;
        let path = format!("/hooks/{provider}");
        let before = status(&world, id).await;
        // Of another length, with the right headers; and with none.
        let altered = post(&world, &path, &headers, &format!("{body} ")).await;
        assert_eq!(altered.status(), StatusCode::UNAUTHORIZED, "{provider}");
        assert_eq!(
            post(&world, &path, &[], &body).await.status(),
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(status(&world, id).await, before, "{provider}");

        assert_eq!(
            post(&world, &path, &headers, &body).await.status(),
            StatusCode::OK,
            "{provider}"
        );
        assert_eq!(status(&world, id).await, Status::ActionNeeded, "{provider}");
        assert_eq!(
            last_event(&world, id).await,
            Kind::ConnectionActionRequired,
            "{provider}"
        );

        // Mended, and told the same once more.
        let db = world.app.hub.store.db();
        let row = connection::Entity::find_by_id(id)
            .one(db)
            .await
            .unwrap()
            .unwrap();
        let mut mended = row.into_active_model();
        mended.failure = Set(None);
        mended.update(db).await.unwrap();
        assert_eq!(
            post(&world, &path, &headers, &body).await.status(),
            StatusCode::OK
        );
        assert_eq!(
            status(&world, id).await,
            before,
            "{provider}: a second delivery"
        );
    }
}

#[tokio::test]
async fn f5_who_only_tries_the_address_out_gets_the_proof() {
    let world = World::new().await;
    let at = world.clock.now().timestamp().to_string();
    shipped(&world, "zoom", "secret_token", "z1").await;
    let body = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"word"}}"#;
    let headers = [
        ("x-zm-request-timestamp", at.clone()),
        (
            "x-zm-signature",
            format!("v0={}", hex(KEY, &format!("v0:{at}:{body}"))),
        ),
    ];
    let answer = post(&world, "/hooks/zoom", &headers, body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let proof: Value = answer.json().await.unwrap();
    let expected = json!({ "plainToken": "word", "encryptedToken": hex(KEY, "word") });
    assert_eq!(proof, expected);
    let unsigned = post(&world, "/hooks/zoom", &[], body).await;
    assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn f5_meta_hears_where_to_ask_after_a_deletion() {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let world = World::new().await;
    let id = shipped(&world, "threads", "client_secret", "218471").await;
    let at = world.clock.now().timestamp();
    let payload = format!(r#"{{"user_id":"218471","algorithm":"HMAC-SHA256","issued_at":{at}}}"#);
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let request = |key: &str| {
        let signature = URL_SAFE_NO_PAD.encode(mac(key, &payload));
        format!("signed_request={signature}.{payload}")
    };
    let path = "/hooks/threads?about=deletion";
    let forged = post(&world, path, &[], &request("another secret")).await;
    assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);
    let db = world.app.hub.store.db();
    assert!(
        connection::Entity::find_by_id(id)
            .one(db)
            .await
            .unwrap()
            .is_some()
    );

    for _ in 0..2 {
        let answer = post(&world, path, &[], &request(KEY)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["url"].as_str().unwrap().starts_with("http"));
        assert!(!answer["confirmation_code"].as_str().unwrap().is_empty());
        assert!(
            connection::Entity::find_by_id(id)
                .one(db)
                .await
                .unwrap()
                .is_none()
        );
    }
}

#[tokio::test]
async fn a_key_for_messages_is_stored_sealed_and_stays_when_it_is_not_typed_again() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let save = async |settings: &[(&str, &str)]| {
        let settings = settings
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect();
        hub.set_provider_app(
            world.member(),
            "slack",
            "id",
            Some(Secret::new(KEY)),
            &settings,
        )
        .await
        .unwrap();
    };
    let stored = async || {
        let tenant = world.member().tenant();
        let row = provider_app::get(hub.store.db(), tenant, "slack")
            .await
            .unwrap();
        row.unwrap().settings.0.get("signing_secret").cloned()
    };
    save(&[]).await;
    assert_eq!(stored().await, None, "it may be left out");
    save(&[("signing_secret", SLACKS)]).await;
    let sealed = stored().await.unwrap();
    assert!(!sealed.contains(SLACKS) && !sealed.contains(&STANDARD.encode(SLACKS)));
    save(&[("signing_secret", "")]).await;

    let at = world.clock.now().timestamp().to_string();
    let body = r#"{"type":"url_verification","challenge":"word"}"#;
    let signed = format!("v0={}", hex(SLACKS, &format!("v0:{at}:{body}")));
    let headers = [
        ("x-slack-request-timestamp", at),
        ("x-slack-signature", signed),
    ];
    let answer = post(&world, "/hooks/slack", &headers, body).await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer, json!({ "challenge": "word" }));
}
