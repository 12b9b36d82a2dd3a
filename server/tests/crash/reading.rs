//! Row 58: the process is killed while it reads a connection.

use reqwest::StatusCode;
use sandbox::{ACCOUNTS, Endpoint, Fault, Rotation, Scope};
use serde_json::Value;

use crate::process::{Hub, shop};

/// The readings of a connection, newest first.
async fn readings(hub: &Hub, id: &str) -> Vec<Value> {
    let path = format!("/v1/connections/{id}/syncs");
    let (status, list) = hub.get(&path).await.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{list}");
    list["data"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn row_58_a_reading_that_is_killed_is_taken_up_again_and_told_once() {
    let (shop, url) = shop(Rotation::STRICT).await;
    let mut hub = Hub::new(&url).await;
    hub.start(None).await;
    let tokens = shop.grant("crash", ACCOUNTS[0].id, &Scope::ALL).unwrap();
    let id = hub.import(&tokens).await;
    // The answer takes longer than anybody waits for it.
    let slow = Fault::slow(600_000).at(Endpoint::Api);
    shop.set_faults(slow.into());
    let asked = hub.request("POST", &format!("/v1/connections/{id}/sync"));
    let asked = asked.send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::ACCEPTED);
    let asked: Value = asked.json().await.unwrap();
    while shop.calls().api_calls == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(readings(&hub, &id).await[0]["status"], "running");
    hub.stop();

    shop.set_faults(Default::default());
    hub.start(None).await;
    while readings(&hub, &id).await[0]["status"] != "completed" {
        tokio::task::yield_now().await;
    }
    let all = readings(&hub, &id).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["id"], asked["id"], "the same one");
    let (_, events) = hub.get("/v1/events").await.expect("an answer");
    let told = events["data"].as_array().expect("a list").iter();
    let told = told.filter(|event| event["type"] == "sync.completed");
    assert_eq!(told.count(), 1, "{events}");
    assert_eq!(shop.calls().families_revoked, 0);
}
