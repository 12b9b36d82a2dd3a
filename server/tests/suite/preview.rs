//! A look at the data behind a connection: read for whoever looks, shown as it
//! is and never as markup, with the names that automations use.

use hub::{
    people::{Role, Scope},
    store::{ConnectionId, member},
};
use reqwest::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};

use crate::{
    gate::rows,
    harness::{Setup, World, location},
    redis::{RIGHT, Redis},
};

/// A connection to a Redis with these keys.
async fn connected(keys: &[&str]) -> (World, ConnectionId) {
    let redis = Redis::holding(keys).await;
    let world = World::with(Setup {
        peers: vec![redis.address],
        ..Setup::default()
    })
    .await;
    let browser = world.signed_in().await;
    let port = redis.port();
    let form = redis.form(&port, RIGHT);
    let answer = browser.post("/connect/redis", &form).await;
    assert!(answer.text().await.unwrap().contains("Redis connected"));
    let id = world.only_connection().await;
    (world, id)
}

#[tokio::test]
async fn the_first_rows_are_answered_with_what_is_odd_and_with_their_names() {
    let (world, id) = connected(&["greeting", "7"]).await;
    let host = world.host(&[Scope::ConnectionsRead]).await;
    let path = format!("/v1/connections/{id}/preview");
    let answer = host.get(&path).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let shown: Value = answer.json().await.unwrap();
    assert_eq!(
        shown["rows"],
        json!([["greeting", "string"], ["7", "string"]])
    );
    assert_eq!(shown["tables"], json!([]));
    let first = &shown["columns"][0];
    assert_eq!(first["name"], first["source"]);
    assert_eq!(
        (&first["kind"], &first["notes"]),
        (&json!("mixed"), &json!(["mixed_types"]))
    );

    let any = world.any_host().await;
    let source = first["source"].as_str().unwrap();
    let mapping = json!({ source: "cache_key", "theirs": { "kept": true } });
    any.patch(
        &format!("/v1/connections/{id}"),
        json!({ "mapping": mapping }),
    )
    .await;
    let one = host.json(&format!("/v1/connections/{id}")).await;
    assert_eq!(one["mapping"], mapping);
    let shown = host.json(&path).await;
    assert_eq!(shown["columns"][0]["name"], "cache_key");
    assert_eq!(shown["columns"][0]["source"], source);
    assert_eq!(
        host.json(&path.replace("connections", "connectors")).await,
        shown
    );

    let other = world
        .host(&[Scope::TokensRead, Scope::ConnectionsWrite])
        .await;
    assert_eq!(other.get(&path).await.status(), StatusCode::FORBIDDEN);
    let unknown = host.get(&format!("{path}?rows=1000")).await;
    assert_eq!(unknown.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_page_shows_rows_as_text_and_keeps_none_of_them() {
    const HOSTILE: &str = "<img/src=x/onerror=alert(1)>";
    let (world, id) = connected(&[HOSTILE, "canary-of-another-company"]).await;
    let browser = world.signed_in().await;
    let before = rows(&world.app.hub.store).await;
    let answer = browser.get(format!("/connections/{id}/preview")).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let page = answer.text().await.unwrap();
    assert!(page.contains("canary-of-another-company"));
    assert!(page.contains("&lt;img/src=x/onerror=alert(1)&gt;") && !page.contains(HOSTILE));
    assert!(page.contains("whole numbers") || page.contains("text"));
    let stored = rows(&world.app.hub.store).await;
    assert!(!format!("{stored:?}").contains("canary-of-another"));
    assert_eq!(stored["connection"], before["connection"]);
}

#[tokio::test]
async fn columns_are_named_on_the_page() {
    let (world, id) = connected(&["greeting"]).await;
    let browser = world.signed_in().await;
    let (page, names) = (
        format!("/connections/{id}/preview"),
        format!("/connections/{id}/mapping"),
    );
    let shown = browser.get(&page).await.text().await.unwrap();
    let column = shown
        .split(r#"name="column.0" value=""#)
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap()
        .to_owned();
    let saved = browser
        .post(
            &names,
            &[("column.0", &*column), ("name.0", "<b>cache</b>")],
        )
        .await;
    assert_eq!(location(&saved).path(), page);
    let shown = browser.get(location(&saved)).await.text().await.unwrap();
    assert!(
        shown.contains("Names saved.") && shown.contains("&lt;b&gt;cache&lt;/b&gt;"),
        "{shown}"
    );
    let about = browser
        .get(format!("/connections/{id}"))
        .await
        .text()
        .await
        .unwrap();
    assert!(about.contains("One column has a name") && about.contains(&page));

    let twice = [
        ("column.0", "a"),
        ("name.0", "same"),
        ("column.1", "b"),
        ("name.1", "same"),
    ];
    let refused = browser.post(&names, &twice).await;
    let refused = browser.get(location(&refused)).await.text().await.unwrap();
    assert!(
        refused.contains("Another column has this name already"),
        "{refused}"
    );
    let host = world.any_host().await;
    let mapping = &host.json(&format!("/v1/connections/{id}")).await["mapping"];
    assert_eq!(*mapping, json!({ column: "<b>cache</b>" }));
}

#[tokio::test]
async fn a_broken_connection_says_why_in_place_of_rows() {
    let world = World::new().await;
    let id = world.connect().await;
    let host = world.any_host().await;
    let path = format!("/v1/connections/{id}/preview");
    assert_eq!(host.json(&path).await["rows"].as_array().unwrap().len(), 1);
    world.shop.revoke_all();
    let answer = host.get(&path).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let problem: Value = answer.json().await.unwrap();
    assert!(problem["code"].is_string(), "{problem}");
    let browser = world.signed_in().await;
    let page = browser.get(format!("/connections/{id}/preview")).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(page.contains("See what to do"), "{page}");
}

#[tokio::test]
async fn who_may_only_look_at_connections_sees_no_data() {
    let (world, id) = connected(&["greeting"]).await;
    let browser = world.signed_in().await;
    let db = world.app.hub.store.db();
    let row = member::Entity::find().one(db).await.unwrap().unwrap();
    let mut row = row.into_active_model();
    row.role = Set(Role::Viewer);
    row.update(db).await.unwrap();
    let page = browser.get(format!("/connections/{id}/preview")).await;
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    // Not by a token of their own for the API either.
    let token = browser.post_json("/v1/tokens", json!({})).await;
    let token: Value = token.json().await.unwrap();
    let asked = browser
        .http
        .get(world.url(&format!("/v1/connections/{id}/preview")))
        .bearer_auth(token["access_token"].as_str().unwrap());
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}
