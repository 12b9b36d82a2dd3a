//! What providers tell unasked: row 54 of the security checks, as far as
//! messages come in.

use hmac::{Hmac, KeyInit, Mac};
use hub::{keep::health::Status, people::Scope, store::ConnectionId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::World;

/// A message of the sandbox, signed at `at` with `secret`.
async fn tell(world: &World, secret: &str, at: i64, body: &str) -> StatusCode {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let signature: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    send(world, &format!("t={at},v1={signature}"), body).await
}

async fn send(world: &World, signature: &str, body: &str) -> StatusCode {
    let request = reqwest_client()
        .post(world.url("/hooks/sandbox"))
        .header("sandbox-signature", signature)
        .body(body.to_owned());
    request.send().await.unwrap().status()
}

fn reqwest_client() -> reqwest::Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "the provider is the other side: the hub's guards are not its own"
    )]
    reqwest::Client::new()
}

fn message(id: &str, account: &str) -> String {
    json!({ "id": id, "type": "app.uninstalled", "account_id": account }).to_string()
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

#[tokio::test]
async fn f5_a_provider_says_that_access_has_ended() {
    let world = World::new().await;
    let id = world.connect().await;
    let host = world.host(&[Scope::TokensRead]).await;
    let secret = world.app.hub.operator_apps["sandbox"]
        .client_secret
        .expose();
    let now = world.clock.now().timestamp();
    let whose = account(&world, id).await;
    assert_eq!(host.token(id).await.0, StatusCode::OK);

    let elsewhere = message("evt_0", "somebody-else");
    assert_eq!(tell(&world, secret, now, &elsewhere).await, StatusCode::OK);
    assert_eq!(status(&world, id).await, Status::Connected);

    let body = message("evt_1", &whose);
    assert_eq!(tell(&world, secret, now, &body).await, StatusCode::OK);
    assert_eq!(status(&world, id).await, Status::ActionNeeded);
    let (answer, problem): (_, Value) = host.token(id).await;
    assert_eq!(answer, StatusCode::CONFLICT);
    assert_eq!(problem["code"], "GRANT_REVOKED_OR_EXPIRED");
}

#[tokio::test]
async fn row_54_messages_are_signed_fresh_and_believed_once() {
    let world = World::new().await;
    let id = world.connect().await;
    let secret = world.app.hub.operator_apps["sandbox"]
        .client_secret
        .expose();
    let now = world.clock.now().timestamp();
    let body = message("evt_1", &account(&world, id).await);
    let refused = StatusCode::UNAUTHORIZED;

    for signature in ["", "t=1", "t=,v1=", "v1=00", &format!("t={now},v1=é")] {
        if let Ok(value) = reqwest::header::HeaderValue::from_str(signature) {
            let value = value.to_str().unwrap_or("t=0,v1=zz").to_owned();
            assert_eq!(send(&world, &value, &body).await, refused, "{signature}");
        }
    }
    assert_eq!(tell(&world, "another secret", now, &body).await, refused);
    for far in [-301, 301] {
        assert_eq!(
            tell(&world, secret, now + far, &body).await,
            refused,
            "{far}"
        );
    }
    let longer = format!("{body} ");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{now}.{body}").as_bytes());
    let signature: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let signature = format!("t={now},v1={signature}");
    assert_eq!(send(&world, &signature, &longer).await, refused);
    assert_eq!(status(&world, id).await, Status::Connected);

    assert_eq!(send(&world, &signature, &body).await, StatusCode::OK);
    assert_eq!(status(&world, id).await, Status::ActionNeeded);
    // The person reconnects; the same message once more changes nothing.
    world.connect().await;
    assert_eq!(status(&world, id).await, Status::Connected);
    assert_eq!(send(&world, &signature, &body).await, StatusCode::OK);
    assert_eq!(status(&world, id).await, Status::Connected);
}
