//! What one organisation feels of another that calls five times as often as it may,
//! as a ratio: how long a token takes to be lent, beside the flood and without it.
//!
//! Both are measured by the same process in turns, so that whatever else the
//! machine does falls on both.

mod bench;
#[path = "bench/seed.rs"]
mod seed;
#[path = "bench/times.rs"]
mod times;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hub::Choices;
use reqwest::StatusCode;
use tokio::time::interval;

use bench::{Ground, client, serve};
use times::percentile;

/// How often the one who floods calls: 500 times a second. A key may do so 100
/// times.
const FLOOD_EVERY: Duration = Duration::from_millis(2);
/// How often the other one does.
const CALL_EVERY: Duration = Duration::from_millis(20);
/// Calls of one round, and rounds of each.
const CALLS: usize = 250;
const ROUNDS: usize = 5;
/// What the product promises.
const PROMISED: f64 = 1.2;

#[tokio::main]
async fn main() {
    let ground = Ground::new(Choices::default().rate_limit).await;
    let hub = ground.application.hub.clone();
    let address = serve(ground.application.router()).await;
    let mut calls = Vec::new();
    for name in ["noisy", "quiet"] {
        let (host, key) = seed::host(&hub, name).await;
        let id = seed::connection(&hub, &host, 1).await;
        calls.push(Call {
            client: client(),
            url: format!("http://{address}/v1/connections/{id}/token"),
            key: key.expose().to_owned(),
        });
    }
    let [noisy, quiet] = &calls[..] else {
        unreachable!("two")
    };
    // What may be called at once is used up first.
    while noisy.send().await.1 != StatusCode::TOO_MANY_REQUESTS {}
    quiet.round().await;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let refused = Arc::new(AtomicU64::new(0));
    for _ in 0..ROUNDS {
        alone.extend(quiet.round().await);
        let flood = tokio::spawn(flood(noisy.clone(), refused.clone()));
        beside.extend(quiet.round().await);
        flood.abort();
    }
    let (alone, beside) = (percentile(95, alone), percentile(95, beside));
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    println!(
        "a neighbour's token    p95 {:>6.2} ms   beside a flood of which {} were refused {:>6.2} ms",
        alone.as_secs_f64() * 1e3,
        refused.load(Ordering::Relaxed),
        beside.as_secs_f64() * 1e3,
    );
    println!("ratio                   {ratio:>8.2}  (promised: at most {PROMISED})");
}

/// Who calls, and for what.
#[derive(Clone)]
struct Call {
    client: reqwest::Client,
    url: String,
    key: String,
}

impl Call {
    async fn send(&self) -> (Duration, StatusCode) {
        let started = Instant::now();
        let request = self.client.get(&self.url).bearer_auth(&self.key);
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        answer.bytes().await.expect("a body");
        (started.elapsed(), status)
    }

    /// How long each call took, none of which may be refused.
    async fn round(&self) -> Vec<Duration> {
        let mut due = interval(CALL_EVERY);
        let mut times = Vec::new();
        for _ in 0..CALLS {
            due.tick().await;
            let (time, status) = self.send().await;
            assert_eq!(status, StatusCode::OK);
            times.push(time);
        }
        times
    }
}

/// Calls until it is stopped, whether answers come or not.
async fn flood(call: Call, refused: Arc<AtomicU64>) {
    let mut due = interval(FLOOD_EVERY);
    loop {
        due.tick().await;
        let (call, refused) = (call.clone(), refused.clone());
        tokio::spawn(async move {
            if call.send().await.1 == StatusCode::TOO_MANY_REQUESTS {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}
