//! What lending a fresh token costs, as a ratio.
//!
//! The measure is a bare axum handler that does one SELECT on the same pool
//! and one AES-GCM open. Both are served over loopback by the same process and
//! loaded in turns, so that whatever else the machine does falls on both.

mod bench;
#[path = "bench/seed.rs"]
mod seed;

use std::{num::NonZeroU32, time::Instant};

use axum::{Json, Router, extract::State, routing::get};
use futures::{StreamExt, stream};
use hub::{
    Hub,
    store::{ConnectionId, credential},
    vault::Place,
};
use serde_json::json;

use bench::{Ground, client, serve};

/// Requests of one round, and how many are under way at once.
const REQUESTS: usize = 4_000;
const CONCURRENCY: usize = 16;
/// Rounds of each; the middle one counts.
const ROUNDS: usize = 7;
/// What the product promises.
const PROMISED: f64 = 0.7;

#[tokio::main]
async fn main() {
    let ground = Ground::new(NonZeroU32::MAX).await;
    let application = &ground.application;
    let hub = application.hub.clone();
    let (host, key) = seed::host(&hub, "bench").await;
    let id = seed::connection(&hub, &host, 1).await;
    let product = serve(application.router()).await;
    let bare = serve(
        Router::new()
            .route("/token", get(bare))
            .with_state((hub.clone(), id)),
    )
    .await;
    let flushing = tokio::spawn(async move {
        loop {
            hub.reads.some().await;
            hub.flush_reads().await.expect("a flush");
        }
    });
    let client = client();
    let ours = format!("http://{product}/v1/connections/{id}/token");
    let theirs = format!("http://{bare}/token");
    let (mut our_rates, mut their_rates) = (Vec::new(), Vec::new());
    round(&client, &ours, key.expose()).await;
    round(&client, &theirs, key.expose()).await;
    for _ in 0..ROUNDS {
        our_rates.push(round(&client, &ours, key.expose()).await);
        their_rates.push(round(&client, &theirs, key.expose()).await);
    }
    flushing.abort();
    let (ours, theirs) = (median(our_rates), median(their_rates));
    let ratio = ours / theirs;
    println!("lending a fresh token   {ours:>8.0} requests/s");
    println!("bare handler            {theirs:>8.0} requests/s");
    println!("ratio                   {ratio:>8.2}  (promised: at least {PROMISED})");
}

/// One SELECT, one open, one JSON answer.
async fn bare(State((hub, id)): State<(Hub, ConnectionId)>) -> Json<serde_json::Value> {
    let row = credential::get(hub.store.db(), id, credential::MAIN)
        .await
        .expect("an answer")
        .expect("a credential");
    let place = Place::credential(row.tenant_id, id, credential::MAIN, "access", row.version);
    let token = hub
        .vault
        .open(place, &row.access_sealed)
        .await
        .expect("a token");
    Json(json!({ "access_token": token.expose() }))
}

/// Requests per second.
async fn round(client: &reqwest::Client, url: &str, key: &str) -> f64 {
    let started = Instant::now();
    stream::iter(0..REQUESTS)
        .for_each_concurrent(CONCURRENCY, |_| async {
            let answer = client
                .get(url)
                .bearer_auth(key)
                .send()
                .await
                .expect("an answer");
            assert!(answer.status().is_success());
            answer.bytes().await.expect("a body");
        })
        .await;
    REQUESTS as f64 / started.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
