//! The stream of events: who is told, and until when.

use hub::store::ConnectionId;
use reqwest::{Response, StatusCode};
use serde_json::json;

use crate::{
    harness::{Browser, World},
    surface::neighbour,
};

/// The stream, as a browser reads it.
pub struct Events {
    answer: Response,
    text: String,
}

impl Events {
    pub async fn open(browser: &Browser, after: Option<&str>) -> Self {
        let request = browser.http.get(browser.base.join("/events").unwrap());
        let request = match after {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut events = Self {
            answer,
            text: String::new(),
        };
        events.block().await.expect("a first word");
        events
    }

    /// The next block of lines; none when the stream has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let bytes = self.answer.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next event: its number and what it is about.
    pub async fn next(&mut self) -> Option<(String, String)> {
        loop {
            let block = self.block().await?;
            let line = |name: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .map(|value| value.trim().to_owned())
            };
            if let (Some(id), Some(data)) = (line("id:"), line("data:")) {
                return Some((id, data));
            }
        }
    }
}

async fn rename(browser: &Browser, id: ConnectionId, name: &str) {
    browser
        .post(
            "/api/rename_connection",
            &[("id", &id.to_string()), ("name", name)],
        )
        .await;
}

#[tokio::test]
async fn events_arrive_in_other_browsers_and_none_is_lost() {
    let world = World::new().await;
    let id = world.connect().await;
    let (first, second) = (world.signed_in().await, world.signed_in().await);
    let mut events = Events::open(&second, None).await;
    rename(&first, id, "One").await;
    let (seen, data) = events.next().await.unwrap();
    assert_eq!(data, json!({ "id": id }).to_string());
    drop(events);
    for name in ["Two", "Three"] {
        rename(&first, id, name).await;
    }
    let mut events = Events::open(&second, Some(&seen)).await;
    rename(&first, id, "Four").await;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(events.next().await.unwrap().0.parse::<i64>().unwrap());
    }
    let seen: i64 = seen.parse().unwrap();
    assert_eq!(numbers, [seen + 1, seen + 2, seen + 3]);
}

#[tokio::test]
async fn row_36_events_are_for_their_tenant_only() {
    let world = World::new().await;
    let (bo, theirs, _) = neighbour(&world).await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    // From the very beginning, so that nothing could be missed.
    let mut events = Events::open(&browser, Some("0")).await;
    let hub = &world.app.hub;
    for name in ["One", "Two"] {
        hub.rename(&bo, theirs.connection.parse().unwrap(), name)
            .await
            .unwrap();
    }
    rename(&browser, id, "Mine").await;
    let newest = hub.newest_event(world.member()).await.unwrap().to_string();
    loop {
        let (number, data) = events.next().await.unwrap();
        assert!(
            !data.contains(&theirs.connection) && !data.contains(&theirs.handle),
            "{data}"
        );
        if number == newest {
            break;
        }
    }
}

#[tokio::test]
async fn row_34_events_end_when_their_person_signs_out_everywhere() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let mut events = Events::open(&browser, None).await;
    world
        .signed_in()
        .await
        .post("/api/sign_out_everywhere", &[])
        .await;
    assert_eq!(events.next().await, None);
    let again = browser.get("/events").await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        world.browser().get("/events").await.status(),
        StatusCode::UNAUTHORIZED
    );
}
