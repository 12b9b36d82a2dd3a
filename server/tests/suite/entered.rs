//! `/v1/connections` with entered credentials: tested, kept, changed.

use std::path::PathBuf;

use chrono::TimeDelta;
use hub::{
    people::Scope,
    store::{ConnectionId, attempt},
};
use reqwest::StatusCode;
use sandbox::ACCOUNTS;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    gate::rows,
    harness::{HostApp, Setup, World},
};

/// The sandbox shop as a provider that wants a key typed in: a token of its own
/// does for one.
const SHOP_BY_KEY: &str = r##"
[provider]
name = "Shop by key"
summary = "The practice shop, by a key."
category = "e-commerce"
regions = ["global"]
aliases = ["key"]
we_will = ["see the shop's name"]
we_will_not = ["see your password"]
remove_url = "{sandbox_origin}/"
usually_takes = "20s"
checked = "2026-11-20"
confidence = "high"
sources = ["server/sandbox"]

[brand]
icon = "lucide-store"
colour = "#0f766e"

[auth]
kind = "api_key"

[[variable]]
name = "sandbox_origin"
from = "hub"
pattern = 'https?://[a-z0-9.:\[\]-]+'

[[variable]]
name = "branch"
from = "person"
pattern = '[a-z]{2,20}'
default = "main"
label = "Branch"
placeholder = "main"
help = "Which branch of the shop it is."

[[field]]
name = "api_key"
label = "Key"
why = "The shop asks for it."
steps = ["Open the shop.", "Copy the key."]
pattern = '[A-Za-z0-9_-]{8,200}'
example = "sk_12345678"

[api]
base = "{sandbox_origin}/api"
headers = { authorization = "Bearer {api_key}" }

[identity]
id = ["answer:/id"]
label = ["answer:/name", "answer:/email"]

[identity.call]
url = "{sandbox_origin}/api/me"

[errors]
"api:401" = "CREDENTIALS_REJECTED"
"##;

pub const PROVIDER: &str = "shop-by-key";

/// A hub with that provider.
pub async fn world() -> World {
    let directory: PathBuf =
        std::env::temp_dir().join(format!("linkwell-catalog-{}", ConnectionId::new()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(format!("{PROVIDER}.toml")), SHOP_BY_KEY).unwrap();
    World::with(Setup {
        catalog: Some(directory),
        ..Setup::default()
    })
    .await
}

/// A key that the shop accepts.
pub fn key(world: &World, account: usize) -> String {
    let tokens = world
        .shop
        .grant("linkwell", ACCOUNTS[account].id, &sandbox::Scope::ALL);
    tokens.unwrap().access_token
}

fn entered(key: &str) -> Value {
    json!({
        "provider": PROVIDER, "display_name": "Till", "sync_frequency": "daily",
        "config": { "variables": { "branch": "harbour" }, "fields": { "api_key": key } },
    })
}

/// What every answer is searched for.
async fn without(answer: reqwest::Response, secret: &str) -> Value {
    let text = answer.text().await.unwrap();
    assert!(
        !text.contains(secret) && !text.contains("a256gcm"),
        "{text}"
    );
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn entered_credentials_are_tested_and_kept() {
    let world = world().await;
    let host = world.any_host().await;
    let key = key(&world, 0);
    let answer = host.post("/v1/connections", entered(&key)).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let made = without(answer, &key).await;
    assert_eq!(made["status"], "connected");
    assert_eq!(made["account"]["id"], ACCOUNTS[0].id);
    assert_eq!(made["display_name"], "Till");
    assert_eq!(made["sync_frequency"], "daily");
    assert_eq!(made["mapping"], json!({}));
    let seen = without(host.get(&location).await, &key).await;
    assert_eq!(seen, made);
    // The same account again is the same connection, and says so.
    world.advance(chrono::TimeDelta::seconds(1));
    let mut again = entered(&key);
    again["display_name"] = json!("Other till");
    let again = host.post("/v1/connections", again).await;
    assert_eq!(again.status(), StatusCode::OK);
    let again = without(again, &key).await;
    assert_eq!(
        (&again["id"], &again["display_name"]),
        (&made["id"], &json!("Other till"))
    );
}

#[tokio::test]
async fn credentials_that_do_not_work_are_not_kept() {
    let world = world().await;
    let host = world.any_host().await;
    let wrong = "canary-that-is-wrong";
    let before = rows(&world.app.hub.store).await;
    let answer = host.post("/v1/connections", entered(wrong)).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem = without(answer, wrong).await;
    assert_eq!(problem["code"], "CREDENTIALS_REJECTED");
    assert!(
        problem["prompt"]["what"]
            .as_str()
            .unwrap()
            .contains("Shop by key"),
        "{problem}"
    );
    // What cannot be right is refused before anybody is asked.
    let calls = world.shop.calls().api_calls;
    for (body, field) in [
        (json!({ "provider": "nowhere", "config": {} }), "provider"),
        (json!({ "provider": "sandbox", "config": {} }), "provider"),
        (json!({ "provider": PROVIDER }), "config"),
        (
            json!({ "provider": PROVIDER, "config": {} }),
            "config.fields.api_key",
        ),
        (
            json!({ "provider": PROVIDER, "config": { "fields": { "api_key": "short" } } }),
            "config.fields.api_key",
        ),
        (
            json!({ "provider": PROVIDER, "config": {
                "fields": { "api_key": wrong }, "variables": { "branch": "No 1" } } }),
            "config.variables.branch",
        ),
        (
            json!({ "provider": PROVIDER, "config": { "fields": { "other": wrong } } }),
            "config.fields.other",
        ),
        (
            json!({ "provider": PROVIDER, "sync_frequency": "never" }),
            "sync_frequency",
        ),
        (json!({ "provider": PROVIDER, "config": wrong }), "config"),
        (json!({ "provider": PROVIDER, "secret": wrong }), "secret"),
    ] {
        let answer = host.post("/v1/connections", body.clone()).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let problem = without(answer, wrong).await;
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        assert!(problem["errors"][0]["message"].is_string(), "{problem}");
    }
    assert_eq!(world.shop.calls().api_calls, calls);
    assert_eq!(
        rows(&world.app.hub.store).await["connection"],
        before["connection"]
    );
    assert_eq!(
        rows(&world.app.hub.store).await["credential"],
        before["credential"]
    );
}

#[tokio::test]
async fn credentials_are_tested_without_keeping_them() {
    let world = world().await;
    let host = world.any_host().await;
    let key = key(&world, 1);
    let before = rows(&world.app.hub.store).await;
    let config =
        |key: &str| json!({ "provider": PROVIDER, "config": { "fields": { "api_key": key } } });
    for path in ["/v1/connections/test", "/v1/connectors/test"] {
        let answer = host.post(path, config(&key)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let tested = without(answer, &key).await;
        assert_eq!(tested["outcome"], "passed");
        assert_eq!(tested["account"]["id"], ACCOUNTS[1].id);
        let tested = host.post(path, config("canary-that-is-wrong")).await;
        assert_eq!(tested.status(), StatusCode::OK);
        let tested = without(tested, "canary-that-is-wrong").await;
        assert_eq!(tested["outcome"], "failed");
        assert_eq!(tested["code"], "CREDENTIALS_REJECTED");
        assert!(tested["prompt"]["action"].is_object(), "{tested}");
    }
    let answer = host.post("/v1/connections/test", config("short")).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(rows(&world.app.hub.store).await, before);
    let reader = world.host(&[Scope::ConnectionsRead]).await;
    let refused = reader.post("/v1/connections/test", config(&key)).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_connection_is_tested_now() {
    let world = world().await;
    let host = world.any_host().await;
    let key = key(&world, 0);
    let made: Value = host
        .post("/v1/connections", entered(&key))
        .await
        .json()
        .await
        .unwrap();
    let path = format!("/v1/connections/{}/test", made["id"].as_str().unwrap());
    let tested = without(host.post(&path, Value::Null).await, &key).await;
    assert_eq!(
        (&tested["outcome"], &tested["prompt"]),
        (&json!("passed"), &Value::Null)
    );
    world.shop.revoke_all();
    let tested = without(host.post(&path, Value::Null).await, &key).await;
    assert_eq!(tested["outcome"], "failed");
    assert!(
        tested["code"].is_string() && tested["prompt"]["what"].is_string(),
        "{tested}"
    );
    let seen = host.json(path.trim_end_matches("/test")).await;
    assert_eq!(seen["code"], tested["code"]);
}

#[tokio::test]
async fn name_frequency_and_mapping_are_changed() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let path = format!("/v1/connectors/{id}");
    let mapping = json!({ "order.total": { "column": "Total", "type": "money" } });
    let changed: Value = host
        .patch(
            &path,
            json!({ "display_name": " Till ", "sync_frequency": "weekly", "mapping": mapping }),
        )
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(changed["display_name"], "Till");
    assert_eq!(changed["sync_frequency"], "weekly");
    assert_eq!(changed["mapping"], mapping);
    // What is left out stays; an empty name is taken away.
    let changed: Value = host
        .patch(&path, json!({ "display_name": "" }))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(changed["display_name"], Value::Null);
    assert_eq!(changed["mapping"], mapping);
    assert_eq!(host.json(&format!("/v1/connections/{id}")).await, changed);
    for (body, field) in [
        (json!({ "display_name": "x".repeat(81) }), "display_name"),
        (json!({ "display_name": "a\nb" }), "display_name"),
        (
            json!({ "mapping": { "x": "x".repeat(16 * 1024) } }),
            "mapping",
        ),
        (json!({ "mapping": [] }), "mapping"),
        (json!({ "sync_frequency": "never" }), "sync_frequency"),
        (json!({ "provider": "github" }), "provider"),
    ] {
        let answer = host.patch(&path, body.clone()).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    assert_eq!(host.json(&path).await, changed);
    let reader = world.host(&[Scope::ConnectionsRead]).await;
    let refused = reader.patch(&path, json!({})).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

async fn ids(host: &HostApp, query: &str) -> (Vec<String>, Option<String>) {
    let page = host.json(&format!("/v1/connections?{query}")).await;
    let ids = page["data"].as_array().expect("a list").iter();
    let ids = ids
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    (ids, page["next"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn a_thousand_connections_are_listed_in_three_statements() {
    let world = World::new().await;
    let host = world.any_host().await;
    let stranger = world.stranger().await;
    world.import_living(&stranger).await;
    let mut made = Vec::new();
    for number in 0..1000 {
        let import = json!({ "provider": "github", "credential": { "access_token": "x" },
            "account": { "id": number.to_string() } });
        let answer = host.post("/v1/connections", import).await;
        let body: Value = answer.json().await.unwrap();
        made.push(body["id"].as_str().expect("an id").to_owned());
    }
    made.reverse();
    for query in ["limit=1000", "limit=1000&status=not_checked"] {
        let ((all, next), statements) = world.statements(ids(&host, query)).await;
        assert_eq!(all, made, "newest first");
        assert_eq!((next, statements), (None, 3), "{query}");
    }
    // Pages hang together, also while others are made and deleted.
    for status in ["", "&status=not_checked"] {
        let (first, next) = ids(&host, &format!("limit=400{status}")).await;
        let next = next.expect("a next page");
        assert_eq!(first, made[..400]);
        // The one the page ended with is deleted, and a newer one is made.
        let newest = world.import_living(&host).await;
        for gone in [next.clone(), newest.to_string()] {
            let gone = host.delete(&format!("/v1/connections/{gone}")).await;
            assert_eq!(gone.status(), StatusCode::NO_CONTENT);
        }
        let (second, next) = ids(&host, &format!("limit=400{status}&after={next}")).await;
        assert_eq!(second, made[400..800]);
        let next = next.expect("a next page");
        let (third, last) = ids(&host, &format!("limit=400{status}&after={next}")).await;
        assert_eq!((third, last), (made[800..].to_vec(), None));
        made.remove(399);
    }
    let (connected, _) = ids(&host, "status=connected").await;
    assert!(connected.is_empty());
    assert_eq!(
        ids(&host, "").await.0.len(),
        100,
        "a page where nobody says"
    );
    for (query, field) in [
        ("status=fine", "status"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
    ] {
        let answer = host.get(&format!("/v1/connections?{query}")).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn a_key_is_lent_itself_with_how_it_is_sent() {
    let world = world().await;
    let host = world.any_host().await;
    let key = key(&world, 0);
    let made = host.post("/v1/connections", entered(&key)).await;
    let made: Value = made.json().await.unwrap();
    let path = format!("/v1/connections/{}/token", made["id"].as_str().unwrap());
    let answer = host.get(&path).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let lent: Value = answer.json().await.unwrap();
    assert_eq!(lent["access_token"], key, "and not what was sealed");
    assert_eq!(lent["token_type"], "Bearer");
    let request = &lent["request"];
    assert_eq!(request["headers"]["authorization"], format!("Bearer {key}"));
    assert_eq!(request["query"], json!({}));
    assert!(request["basic"].is_null() && lent.get("credentials").is_none());
    // It is ready to be sent as it is.
    let base = request["base_url"].as_str().unwrap();
    let asked = world.browser().http.get(format!("{base}/me"));
    let asked = asked.header(
        "authorization",
        request["headers"]["authorization"].as_str().unwrap(),
    );
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);
    // Another tenant borrows nothing of it.
    let stranger = world.stranger().await;
    assert_eq!(stranger.get(&path).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn two_halves_of_a_key_are_lent_as_basic_authentication() {
    let directory = std::env::temp_dir().join(format!("linkwell-halves-{}", ConnectionId::new()));
    std::fs::create_dir_all(&directory).unwrap();
    let halves = SHOP_BY_KEY
        .replace("headers = { authorization = \"Bearer {api_key}\" }", "headers = { authorization = \"Bearer {api_key}\", x-shop = \"{shop_id}\" }\nquery = { lang = \"en\" }\nbasic = { user = \"{shop_id}\", password = \"{api_key}\" }")
        .replace("[api]", "[[field]]\nname = \"shop_id\"\nlabel = \"Shop\"\nwhy = \"Which one.\"\nsteps = [\"Look.\"]\npattern = '[a-z]{2,20}'\nexample = \"maple\"\nsecret = false\n\n[api]");
    let halves = halves.replace(
        "headers = { authorization = \"Bearer {api_key}\", x-shop",
        "headers = { x-key = \"{api_key}\", x-shop",
    );
    std::fs::write(directory.join("halves.toml"), halves).unwrap();
    let world = World::with(Setup {
        catalog: Some(directory),
        ..Setup::default()
    })
    .await;
    let provider = world.app.hub.catalog.get("halves").unwrap();
    let entered = hub::dialect::Entered::new(
        [("api_key", "sk_12345678"), ("shop_id", "maple")]
            .map(|(name, value)| (name.to_owned(), hub::secret::Secret::new(value))),
    );
    let variables = [("branch".to_owned(), "main".to_owned())].into();
    let handed = hub::dialect::hand_out(provider, &variables, &entered.to_stored());
    let handed = handed.unwrap().unwrap();
    assert!(handed.key.is_none());
    assert_eq!(handed.token_type, hub::dialect::CREDENTIALS);
    let credentials = handed.credentials.unwrap();
    assert_eq!(credentials["shop_id"].expose(), "maple");
    let signature = handed.request.unwrap().signature;
    let (user, password) = signature.basic.unwrap();
    assert_eq!((user.expose(), password.expose()), ("maple", "sk_12345678"));
    assert_eq!(signature.query[0].1.expose(), "en");
    let named = |name: &str| signature.headers.iter().find(|one| one.0 == name).unwrap();
    assert_eq!(named("x-key").1.expose(), "sk_12345678");
}

#[tokio::test]
async fn a_rejected_key_is_not_sent_again_and_again() {
    let world = world().await;
    let host = world.any_host().await;
    let made = host.post("/v1/connections", entered(&key(&world, 0))).await;
    let made: Value = made.json().await.unwrap();
    let test = format!("/v1/connections/{}/test", made["id"].as_str().unwrap());
    let tested = async || -> Value { host.post(&test, json!({})).await.json().await.unwrap() };
    let calls = || world.shop.calls().api_calls_refused;
    world.shop.revoke_all();
    for time in 1..=3 {
        let answer = tested().await;
        assert_eq!(answer["code"], "CREDENTIALS_REJECTED", "{answer}");
        assert!(answer["tested_at"].is_string(), "{answer}");
        assert_eq!(calls(), time);
    }
    let answer = tested().await;
    assert!(answer["tested_at"].is_null(), "{answer}");
    let what = answer["prompt"]["what"].as_str().unwrap();
    assert!(what.contains("three times in a row"), "{answer}");
    let id: ConnectionId = made["id"].as_str().unwrap().parse().unwrap();
    let hub = &world.app.hub;
    let browser = world.signed_in().await;
    let text = id.to_string();
    browser
        .post("/api/check_connection", &[("id", &text)])
        .await;
    let page = browser.get(format!("/connections/{id}")).await;
    let page = page.text().await.unwrap();
    assert!(page.contains("Not asked again: it was rejected"), "{page}");
    assert!(page.contains("Enter new credentials"), "{page}");
    hub.repair(world.member(), id).await.unwrap();
    // Nor by what resuming has checked.
    hub.pause(world.member(), id).await.unwrap();
    hub.resume(world.member(), id).await.unwrap();
    for _ in 0..3 {
        hub.check_due().await.unwrap();
        world.advance(chrono::TimeDelta::minutes(3));
    }
    assert_eq!(calls(), 3);
    // A quarter of an hour later once more, and another key at once.
    world.advance(chrono::TimeDelta::minutes(7));
    assert!(tested().await["tested_at"].is_string());
    assert_eq!(calls(), 4);
    assert!(tested().await["tested_at"].is_null());
    let again = host.post("/v1/connections", entered(&key(&world, 0))).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(tested().await["outcome"], "passed");
}

#[tokio::test]
async fn repair_does_not_send_a_rejected_key() {
    let world = world().await;
    let host = world.any_host().await;
    let made = host.post("/v1/connections", entered(&key(&world, 0))).await;
    let made: Value = made.json().await.unwrap();
    let id: ConnectionId = made["id"].as_str().unwrap().parse().unwrap();
    world.shop.revoke_all();
    let hub = &world.app.hub;
    hub.check(world.member(), id).await.unwrap();
    world.advance(chrono::TimeDelta::minutes(2));
    let before = world.shop.calls().api_calls_refused;
    hub.repair(world.member(), id).await.unwrap();
    assert_eq!(world.shop.calls().api_calls_refused, before);
}

#[tokio::test]
async fn what_is_entered_again_after_a_no_is_one_attempt_that_took_so_long() {
    let world = world().await;
    let host = world.any_host().await;
    let hub = &world.app.hub;
    let recorded = async || {
        hub.attempts.flush(&hub.store).await.unwrap();
        let all = attempt::Entity::find().all(hub.store.db()).await.unwrap();
        let mut all: Vec<_> = all
            .into_iter()
            .filter(|row| row.kind == attempt::Tried::Connect)
            .collect();
        all.sort_by_key(|row| (row.at, row.id));
        let told = |row: attempt::Model| (row.attempts, row.time_to_success_ms);
        all.into_iter().map(told).collect::<Vec<_>>()
    };
    let wrong = key(&world, 0);
    world.shop.revoke_all();
    for _ in 0..2 {
        let answer = host.post("/v1/connections", entered(&wrong)).await;
        assert!(answer.status().is_client_error());
        world.advance(TimeDelta::seconds(20));
    }
    let made = host.post("/v1/connections", entered(&key(&world, 0))).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    assert_eq!(recorded().await, [(1, None), (2, None), (3, Some(40_000))]);
    // What comes an hour later is another.
    world.advance(TimeDelta::hours(2));
    let made = host.post("/v1/connections", entered(&key(&world, 1))).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    assert_eq!(recorded().await.last(), Some(&(1, Some(0))));
}
