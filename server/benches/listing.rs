//! What listing the connections of a tenant that has 1,000 of them costs, as a
//! ratio.
//!
//! The measure is a bare axum handler that reads the same rows on the same pool
//! and answers their ids. Both are served over loopback by the same process and
//! loaded in turns, so that whatever else the machine does falls on both.

mod bench;
#[path = "bench/seed.rs"]
mod seed;
#[path = "bench/times.rs"]
mod times;

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, routing::get};
use futures::{StreamExt, stream};
use hub::{
    Hub,
    store::{TenantId, connection},
};
use serde_json::json;

use bench::{Ground, client, serve};
use times::percentile;

/// How many the tenant has.
const CONNECTIONS: usize = 1_000;
/// How many a page has where nobody says.
const PAGE: u64 = 100;
/// Requests of one round, and how many are under way at once.
const REQUESTS: usize = 400;
const CONCURRENCY: usize = 4;
/// Rounds of each.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let ground = Ground::new(NonZeroU32::MAX).await;
    let hub = ground.application.hub.clone();
    let (host, key) = seed::host(&hub, "bench").await;
    for account in 0..CONNECTIONS {
        seed::connection(&hub, &host, account).await;
    }
    let product = serve(ground.application.router()).await;
    let bare = Router::new()
        .route("/page", get(bare_page))
        .route("/all", get(bare_all));
    let bare = serve(bare.with_state((hub, host.tenant()))).await;
    for (what, ours, theirs) in [
        ("a page of 100", "/v1/connections".to_owned(), "/page"),
        (
            "all 1,000",
            format!("/v1/connections?limit={CONNECTIONS}"),
            "/all",
        ),
    ] {
        let (ours, theirs) = (
            format!("http://{product}{ours}"),
            format!("http://{bare}{theirs}"),
        );
        let client = client();
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        round(&client, &ours, key.expose()).await;
        round(&client, &theirs, key.expose()).await;
        for _ in 0..ROUNDS {
            our_times.extend(round(&client, &ours, key.expose()).await);
            their_times.extend(round(&client, &theirs, key.expose()).await);
        }
        let (ours, theirs) = (percentile(99, our_times), percentile(99, their_times));
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!(
            "listing {what:<14} p99 {:>7.1} ms   bare {:>7.1} ms   ratio {ratio:>5.2}",
            ours.as_secs_f64() * 1e3,
            theirs.as_secs_f64() * 1e3,
        );
    }
}

async fn bare_page(State((hub, tenant)): State<(Hub, TenantId)>) -> Json<serde_json::Value> {
    rows(&hub, tenant, PAGE).await
}

async fn bare_all(State((hub, tenant)): State<(Hub, TenantId)>) -> Json<serde_json::Value> {
    rows(&hub, tenant, CONNECTIONS as u64).await
}

async fn rows(hub: &Hub, tenant: TenantId, limit: u64) -> Json<serde_json::Value> {
    let rows = connection::page(hub.store.db(), tenant, None, Some(limit)).await;
    let rows = rows.expect("rows");
    let ids: Vec<_> = rows.iter().map(|(connection, _)| connection.id).collect();
    Json(json!({ "data": ids }))
}

/// How long each request took.
async fn round(client: &reqwest::Client, url: &str, key: &str) -> Vec<Duration> {
    stream::iter(0..REQUESTS)
        .map(|_| async {
            let started = Instant::now();
            let answer = client.get(url).bearer_auth(key).send().await;
            let answer = answer.expect("an answer");
            assert!(answer.status().is_success());
            answer.bytes().await.expect("a body");
            started.elapsed()
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await
}
