//! Many events to a receiver that fails half the time, told by processes that
//! die: each is delivered at least once, in order for each connection, and none
//! is lost.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use chrono::TimeDelta;
use hub::{
    store::{
        ConnectionId,
        event::{self, Data, Kind},
    },
    tell::NewWebhook,
};
use serde_json::Value;
use tokio::sync::watch;

use crate::harness::{Setup, World, serve_peer};

/// How many events there are where nobody says; `LINKWELL_TEST_OUTBOX=10000`
/// takes minutes.
const EVENTS: usize = 400;
/// How many connections they are about.
const CONNECTIONS: usize = 20;
/// As often in a row at most is a message refused: a day of tries is enough.
const REFUSED: u32 = 6;
/// After so many messages more is a process killed, where it is.
const DIES_AFTER: usize = 15;

/// A receiver with a coin.
#[derive(Clone)]
struct Receiver {
    /// What was taken: connection and number, in order.
    taken: Arc<Mutex<Vec<(String, i64)>>>,
    refused: Arc<Mutex<HashMap<i64, u32>>>,
    heard: watch::Sender<usize>,
}

async fn hear(State(receiver): State<Receiver>, body: Bytes) -> StatusCode {
    let message: Value = serde_json::from_slice(&body).unwrap();
    let number = message["data"]["sequence"].as_i64().unwrap();
    let connection = message["data"]["connection"]["id"].as_str().unwrap();
    let tries = {
        let mut refused = receiver.refused.lock().unwrap();
        let tries = refused.entry(number).or_default();
        *tries += 1;
        *tries
    };
    // Evenly, and the same in each run.
    let coin = (number as u64 * 31 + u64::from(tries)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63;
    let answer = match coin == 0 && tries <= REFUSED {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => {
            let mut taken = receiver.taken.lock().unwrap();
            taken.push((connection.to_owned(), number));
            StatusCode::NO_CONTENT
        }
    };
    receiver.heard.send_modify(|heard| *heard += 1);
    answer
}

#[expect(clippy::disallowed_methods, reason = "how much is asked of this run")]
fn events() -> usize {
    let said = std::env::var("LINKWELL_TEST_OUTBOX").ok();
    said.and_then(|number| number.parse().ok())
        .unwrap_or(EVENTS)
}

#[tokio::test]
async fn no_event_is_lost_by_a_receiver_that_fails_or_a_process_that_dies() {
    let receiver = Receiver {
        taken: Arc::default(),
        refused: Arc::default(),
        heard: watch::Sender::new(0),
    };
    let router = Router::new()
        .route("/", post(hear))
        .with_state(receiver.clone());
    let address = serve_peer(router).await;
    let mut world = World::with(Setup {
        peers: vec![address],
        ..Setup::default()
    })
    .await;
    let new = NewWebhook {
        url: &format!("http://{address}/"),
        kinds: &[],
    };
    let hub = world.app.hub.clone();
    hub.add_webhook(world.member(), new).await.unwrap();
    let connections: Vec<ConnectionId> = (0..CONNECTIONS).map(|_| ConnectionId::new()).collect();
    let mut expected = BTreeMap::<String, Vec<i64>>::new();
    for number in 0..events() {
        let connection = connections[number % CONNECTIONS];
        let new = event::New {
            tenant: world.member().tenant(),
            kind: Kind::ConnectionRefreshed,
            connection: Some(connection),
            person: None,
            data: Data::default(),
        };
        let seq = event::append(hub.store.db(), new, world.clock.now())
            .await
            .unwrap();
        expected
            .entry(connection.to_string())
            .or_default()
            .push(seq);
    }
    let (mut rounds, mut deaths) = (0, 0);
    let all: BTreeSet<i64> = expected.values().flatten().copied().collect();
    let is_done = || {
        let taken = receiver.taken.lock().unwrap();
        taken
            .iter()
            .map(|(_, number)| *number)
            .collect::<BTreeSet<_>>()
            == all
    };
    while !is_done() {
        rounds += 1;
        assert!(rounds < 5_000, "it does not end");
        let hub = world.app.hub.clone();
        if rounds % 3 == 0 {
            let mut heard = receiver.heard.subscribe();
            let enough = *heard.borrow() + DIES_AFTER;
            // The guard it answers would keep the receiver from counting on.
            let many = async { drop(heard.wait_for(|heard| *heard >= enough).await) };
            tokio::select! {
                told = hub.tell_webhooks() => { told.unwrap(); }
                () = many => {
                    // What it had under way is neither written down nor given back.
                    deaths += 1;
                    world = world.another().await;
                }
            }
        } else {
            hub.tell_webhooks().await.unwrap();
        }
        world.advance(TimeDelta::minutes(2));
    }
    assert!(deaths > 0, "nobody died");
    let mut first = BTreeMap::<String, Vec<i64>>::new();
    let mut seen = BTreeSet::new();
    for (connection, number) in receiver.taken.lock().unwrap().iter() {
        if seen.insert(*number) {
            first.entry(connection.clone()).or_default().push(*number);
        }
    }
    assert_eq!(first, expected, "in order for each connection, and whole");
    let heard = *receiver.heard.borrow();
    println!("{} events, {heard} messages, {deaths} deaths", all.len());
}
