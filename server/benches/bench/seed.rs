//! Who is there before anything is measured.

use chrono::TimeDelta;
use hub::{
    Hub,
    connect::Import,
    people::{Host, Scope},
    secret::Secret,
    store::ConnectionId,
};

/// A host application of a new organisation, and the key it calls with.
pub async fn host(hub: &Hub, name: &str) -> (Host, Secret) {
    let email = format!("{name}@example.com");
    let member = hub
        .create_user(name, &email, name, Secret::new("a long enough secret"))
        .await
        .expect("a member");
    let (_, key) = hub
        .create_api_key(&member, "bench", &Scope::ALL, "")
        .await
        .expect("a key");
    let host = hub
        .authenticate_key(key.expose())
        .await
        .expect("an answer")
        .expect("a host");
    (host, key)
}

/// A connection of theirs, to the account of this number, whose token lives for a
/// day.
pub async fn connection(hub: &Hub, host: &Host, account: usize) -> ConnectionId {
    let listed = hub
        .import(
            host,
            Import {
                provider: "github".into(),
                access_token: Secret::random(30),
                refresh_token: Some(Secret::random(30)),
                expires_at: Some(hub.clock.now() + TimeDelta::days(1)),
                scopes: None,
                variables: Default::default(),
                account_id: Some(account.to_string()),
                account_label: None,
                display_name: None,
            },
        )
        .await
        .expect("a connection");
    listed.connection.id
}
