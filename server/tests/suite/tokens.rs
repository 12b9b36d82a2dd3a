//! Short-lived tokens of the API: exchanged, checked, ended.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::TimeDelta;
use hub::{
    people::Scope,
    secret::Secret,
    store::{member, signing_key},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use reqwest::{Response, StatusCode};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};

use crate::harness::{HostApp, World};

async fn exchanged(answer: Response) -> String {
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let minted: Value = answer.json().await.unwrap();
    assert_eq!(
        (&minted["token_type"], &minted["expires_in"]),
        (&json!("Bearer"), &json!(600))
    );
    minted["access_token"].as_str().unwrap().to_owned()
}

/// A caller with a token made from the key of `host`.
async fn by_token(world: &World, host: &HostApp) -> HostApp {
    let token = exchanged(host.post("/v1/tokens", Value::Null).await).await;
    caller(world, token).await
}

async fn caller(world: &World, credential: String) -> HostApp {
    let mut caller = world.host(&[Scope::CatalogRead]).await;
    caller.key = credential;
    caller
}

fn part(token: &str, number: usize) -> Value {
    let part = BASE64
        .decode(token.split('.').nth(number).unwrap())
        .unwrap();
    serde_json::from_slice(&part).unwrap()
}

async fn published(world: &World) -> Vec<Value> {
    let keys: Value = world
        .browser()
        .get("/.well-known/jwks.json")
        .await
        .json()
        .await
        .unwrap();
    keys["keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_token_does_what_its_key_may_for_ten_minutes() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let token = by_token(&world, &host).await;
    assert_eq!(token.get("/v1/catalog").await.status(), StatusCode::OK);
    assert_eq!(token.token(id).await.0, StatusCode::OK);
    let (_, statements) = world.statements(token.token(id)).await;
    assert_eq!(statements, 1, "lending costs one SELECT by a token, too");

    // Anybody can check it with what is published.
    let claims = part(&token.key, 1);
    let origin = world.base.origin().ascii_serialization();
    assert_eq!(claims["iss"], origin);
    assert_eq!(claims["aud"], format!("{origin}/v1"));
    assert_eq!(claims["tenant"], world.member().tenant().to_string());
    let keys = published(&world).await;
    assert_eq!(
        (keys.len(), &keys[0]["kid"]),
        (1, &part(&token.key, 0)["kid"])
    );
    assert!(keys[0].get("d").is_none(), "no private half");
    let public = DecodingKey::from_ed_components(keys[0]["x"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[format!("{origin}/v1")]);
    assert!(jsonwebtoken::decode::<Value>(&token.key, &public, &validation).is_ok());

    let (narrow, less) = (
        json!({ "scopes": ["catalog:read"] }),
        json!({ "scopes": ["tokens:read"] }),
    );
    let narrow = caller(
        &world,
        exchanged(host.post("/v1/tokens", narrow).await).await,
    )
    .await;
    assert_eq!(narrow.get("/v1/catalog").await.status(), StatusCode::OK);
    assert_eq!(narrow.token(id).await.0, StatusCode::FORBIDDEN);
    assert_eq!(
        narrow.get("/v1/connections").await.status(),
        StatusCode::FORBIDDEN
    );
    let reader = world.host(&[Scope::ConnectionsRead]).await;
    assert_eq!(
        reader.post("/v1/tokens", less).await.status(),
        StatusCode::FORBIDDEN
    );
    // A token is not exchanged for another: it would never end.
    assert_eq!(
        token.post("/v1/tokens", json!({})).await.status(),
        StatusCode::FORBIDDEN
    );

    world.advance(TimeDelta::seconds(599));
    assert_eq!(token.get("/v1/catalog").await.status(), StatusCode::OK);
    world.advance(TimeDelta::seconds(1));
    assert_eq!(
        token.get("/v1/catalog").await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(token.token(id).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn revoking_a_key_ends_its_tokens_at_once() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let hub = &world.app.hub;
    let key = hub.api_keys(world.member()).await.unwrap().remove(0);
    let token = by_token(&world, &host).await;
    assert_eq!(token.token(id).await.0, StatusCode::OK);
    hub.revoke_api_key(world.member(), key.id).await.unwrap();
    assert_eq!(token.token(id).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        token.get("/v1/connections").await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_session_is_exchanged_for_what_the_role_allows() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let one = format!("/v1/connections/{id}");
    let browser = world.signed_in().await;
    let exchange = async || {
        let answer = browser.post("/v1/tokens", &[]).await;
        caller(&world, exchanged(answer).await).await
    };
    let form = browser.post("/v1/tokens", &[("scopes", "x")]).await;
    assert_eq!(form.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let strangers = world.browser().post("/v1/tokens", &[]).await;
    assert_eq!(strangers.status(), StatusCode::UNAUTHORIZED);
    let db = world.app.hub.store.db();
    use member::Role;
    for (role, scopes, may_write, may_delete) in [
        (
            Role::Viewer,
            json!(["connections:read", "catalog:read"]),
            false,
            false,
        ),
        (
            Role::Member,
            json!(["connections:read", "connections:write", "catalog:read"]),
            true,
            false,
        ),
        (
            Role::Admin,
            json!(["connections:read", "connections:write", "catalog:read"]),
            true,
            true,
        ),
        (
            Role::Owner,
            json!(["connections:read", "connections:write", "catalog:read"]),
            true,
            true,
        ),
    ] {
        let mut row = member::Entity::find()
            .one(db)
            .await
            .unwrap()
            .unwrap()
            .into_active_model();
        row.role = Set(role);
        row.update(db).await.unwrap();
        let answer: Value = browser.post("/v1/tokens", &[]).await.json().await.unwrap();
        assert_eq!(answer["scopes"], scopes, "{role:?}");
        let token = exchange().await;
        assert_eq!(part(&token.key, 1)["role"], role.as_str());
        assert_eq!(token.get(&one).await.status(), StatusCode::OK);
        assert_eq!(token.get("/v1/catalog").await.status(), StatusCode::OK);
        // People borrow no tokens.
        assert_eq!(token.token(id).await.0, StatusCode::FORBIDDEN, "{role:?}");
        let expected = |may| {
            if may {
                StatusCode::OK
            } else {
                StatusCode::FORBIDDEN
            }
        };
        let renamed = token
            .patch(&one, json!({ "display_name": role.as_str() }))
            .await;
        assert_eq!(renamed.status(), expected(may_write), "{role:?}");
        let tested = token.post(&format!("{one}/test"), Value::Null).await;
        assert_eq!(tested.status(), expected(may_write), "{role:?}");
        let missing = format!("/v1/connections/{}", hub::store::ConnectionId::new());
        let deleted = token.delete(&missing).await.status();
        let allowed = if may_delete {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::FORBIDDEN
        };
        assert_eq!(deleted, allowed, "{role:?}");
    }
    // Who loses a role loses it also with a token from before.
    let token = exchange().await;
    let mut row = member::Entity::find()
        .one(db)
        .await
        .unwrap()
        .unwrap()
        .into_active_model();
    row.role = Set(Role::Viewer);
    row.update(db).await.unwrap();
    assert_eq!(
        token.patch(&one, json!({})).await.status(),
        StatusCode::FORBIDDEN
    );
    let ended = browser.post("/api/sign_out_everywhere", &[]).await;
    assert!(ended.status().is_redirection());
    assert_eq!(token.get(&one).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_that_the_hub_did_not_sign_is_worth_nothing() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let token = by_token(&world, &host).await.key;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let hub = &world.app.hub;
    let row = signing_key::all(hub.store.db()).await.unwrap().remove(0);
    let place = hub::vault::Place {
        tenant: hub::store::TenantId::HUB,
        subject: row.id.0,
        field: "signing_key.private".into(),
        version: 0,
    };
    let private = hub.vault.open(place, &row.private_sealed).await.unwrap();
    let pkcs8 = [
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    let ed = |seed: Vec<u8>| EncodingKey::from_ed_der(&[&pkcs8[..], &seed].concat());
    let ours = ed(BASE64.decode(private.expose()).unwrap());
    let theirs = ed(BASE64.decode(Secret::random(32).expose()).unwrap());
    let kid = header["kid"].as_str().unwrap().to_owned();
    let signed = |algorithm, key: &EncodingKey, claims: &Value| {
        let header = Header {
            kid: Some(kid.clone()),
            ..Header::new(algorithm)
        };
        jsonwebtoken::encode(&header, claims, key).unwrap()
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(Algorithm::EdDSA, &ours, &claims)
    };
    let text = |value: &Value| BASE64.encode(value.to_string());
    let signature = token.split('.').nth(2).unwrap();
    let now = world.clock.now().timestamp();
    // As published, and as raw bytes: what a confused verifier takes for a secret.
    let public = row.public_key.clone();
    let raw = BASE64.decode(&public).unwrap();
    let unsigned = |alg: &str| {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": kid });
        format!("{}.{}.", text(&header), text(&claims))
    };
    let forged = [
        ("none", unsigned("none")),
        ("None", unsigned("None")),
        ("EdDSA without a signature", unsigned("EdDSA")),
        (
            "none with a signature",
            format!("{}{signature}", unsigned("none")),
        ),
        (
            "HS256 by the point",
            signed(Algorithm::HS256, &EncodingKey::from_secret(&raw), &claims),
        ),
        (
            "HS256 by its text",
            signed(
                Algorithm::HS256,
                &EncodingKey::from_secret(public.as_bytes()),
                &claims,
            ),
        ),
        (
            "HS256 by nothing",
            signed(Algorithm::HS256, &EncodingKey::from_secret(b""), &claims),
        ),
        ("another key", signed(Algorithm::EdDSA, &theirs, &claims)),
        (
            "changed claims",
            format!("{}.{}.{signature}", text(&header), text(&json!({ "a": 1 }))),
        ),
        ("another issuer", with("iss", json!("https://evil.example"))),
        (
            "another audience",
            with("aud", json!("https://evil.example/v1")),
        ),
        ("no audience", with("aud", Value::Null)),
        ("over", with("exp", json!(now))),
        ("no end", with("exp", Value::Null)),
        ("not yet", with("nbf", json!(now + 1))),
        (
            "another subject",
            with("sub", json!("key:00000000-0000-0000-0000-000000000000")),
        ),
        (
            "no kind of subject",
            with(
                "sub",
                json!(claims["sub"].as_str().unwrap().trim_start_matches("key:")),
            ),
        ),
        (
            "a person who is none",
            with("sub", json!(format!("person:{}", uuid::Uuid::nil()))),
        ),
    ];
    for (what, forged) in forged {
        let thief = caller(&world, forged).await;
        let answer = thief.get("/v1/connections").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
        let (status, _) = thief.token(id).await;
        assert_ne!(status, StatusCode::OK, "{what}");
    }
    // What it was made from is in order: so it was the change that was seen.
    let same = caller(&world, with("jti", claims["jti"].clone())).await;
    assert_eq!(same.get("/v1/connections").await.status(), StatusCode::OK);
    // More than its key may, it may not, whatever it says.
    let reader = world.host(&[Scope::ConnectionsRead]).await;
    let mut claims = part(&by_token(&world, &reader).await.key, 1);
    claims["scope"] = json!("connections:read tokens:read catalog:read");
    let more = caller(&world, signed(Algorithm::EdDSA, &ours, &claims)).await;
    assert_eq!(more.get("/v1/connections").await.status(), StatusCode::OK);
    assert_eq!(
        more.get("/v1/catalog").await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(more.token(id).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn signing_keys_change_every_month_without_a_gap() {
    let world = World::new().await;
    let host = world.any_host().await;
    let hub = &world.app.hub;
    hub.sweep().await.unwrap();
    assert!(
        published(&world).await.is_empty(),
        "nobody has asked for a token yet"
    );
    let kid = |token: &HostApp| part(&token.key, 0)["kid"].as_str().unwrap().to_owned();
    let first = kid(&by_token(&world, &host).await);
    world.advance(TimeDelta::days(30) - TimeDelta::seconds(1));
    hub.sweep().await.unwrap();
    assert_eq!(published(&world).await.len(), 1);
    world.advance(TimeDelta::seconds(1));
    hub.sweep().await.unwrap();
    hub.sweep().await.unwrap();
    assert_eq!(published(&world).await.len(), 2, "one successor");
    // It is published before it signs, and the old one until its last token ended.
    assert_eq!(kid(&by_token(&world, &host).await), first);
    world.advance(TimeDelta::minutes(15) - TimeDelta::seconds(1));
    let last = by_token(&world, &host).await;
    assert_eq!(kid(&last), first);
    world.advance(TimeDelta::seconds(1));
    let next = by_token(&world, &host).await;
    assert_ne!(kid(&next), first);
    hub.sweep().await.unwrap();
    for token in [&last, &next] {
        assert_eq!(token.get("/v1/connections").await.status(), StatusCode::OK);
    }
    world.advance(TimeDelta::minutes(20));
    hub.sweep().await.unwrap();
    let keys = published(&world).await;
    assert_eq!((keys.len(), &keys[0]["kid"]), (1, &json!(kid(&next))));
}
