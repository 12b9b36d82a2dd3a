//! What one step of the conversation costs: the turn that is posted and the page
//! that it leads to, as a share of the 50 ms it may take.
//!
//! The measure beside it is the page that asks to sign in, drawn by the same
//! process in turns with the steps: what drawing any page costs here and now.

mod bench;
#[path = "bench/times.rs"]
mod times;

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use hub::secret::Secret;
use reqwest::{
    StatusCode,
    header::{COOKIE, LOCATION, SET_COOKIE},
};

use bench::{Ground, client, serve};
use times::percentile;

/// What a step may take.
const PROMISE: Duration = Duration::from_millis(50);
/// How often the conversation is held.
const ROUNDS: usize = 40;

/// Where people reach the measured hub, as it believes.
const ORIGIN: &str = "http://127.0.0.1";
const PAGE: &str = "/connect/postgresql";
const EMAIL: &str = "bench@example.com";
const PASSWORD: &str = "a long enough secret";

/// What a person says, in order.
const TURNS: [&[(&str, &str)]; 7] = [
    &[("turn", "begin")],
    &[("turn", "understood")],
    &[("turn", "say"), ("value", "where do I find this?")],
    &[
        ("turn", "answer"),
        ("key", "field.host"),
        ("field.host", "db.example.com"),
    ],
    &[("turn", "back")],
    &[("turn", "form")],
    &[("turn", "discard")],
];

#[tokio::main]
async fn main() {
    let ground = Ground::new(NonZeroU32::MAX).await;
    let hub = &ground.application.hub;
    hub.create_user("Bench", EMAIL, "Bench", Secret::new(PASSWORD))
        .await
        .expect("a member");
    let origin = format!("http://{}", serve(ground.application.router()).await);
    let client = client();
    let cookie = sign_in(&client, &origin).await;
    let (mut steps, mut pages) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        for turn in TURNS {
            let started = Instant::now();
            let answer = client
                .post(format!("{origin}{PAGE}"))
                .header(COOKIE, &cookie);
            let answer = answer
                .header("origin", ORIGIN)
                .form(turn)
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{turn:?}");
            read(&client, &format!("{origin}{PAGE}"), Some(&cookie)).await;
            let step = started.elapsed();
            let started = Instant::now();
            read(&client, &format!("{origin}/sign-in"), None).await;
            // The first round only warms up.
            if round > 0 {
                steps.push(step);
                pages.push(started.elapsed());
            }
        }
    }
    let (step, page) = (percentile(99, steps), percentile(99, pages));
    println!(
        "a step of the wizard  p99 {:>6.1} ms   of the 50 ms it may take {:>5.2}   bare page {:>6.1} ms   ratio {:>5.2}",
        step.as_secs_f64() * 1e3,
        step.as_secs_f64() / PROMISE.as_secs_f64(),
        page.as_secs_f64() * 1e3,
        step.as_secs_f64() / page.as_secs_f64(),
    );
}

async fn sign_in(client: &reqwest::Client, origin: &str) -> String {
    let form = [("email", EMAIL), ("password", PASSWORD)];
    let answer = client
        .post(format!("{origin}/api/sign_in"))
        .header("origin", ORIGIN);
    let answer = answer.form(&form).send().await.expect("an answer");
    assert_ne!(
        answer.headers().get(LOCATION).map(|to| to.as_bytes()),
        Some(&b"/sign-in"[..])
    );
    let set = answer.headers().get_all(SET_COOKIE).iter();
    let pairs = set.filter_map(|set| set.to_str().ok()?.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

async fn read(client: &reqwest::Client, url: &str, cookie: Option<&str>) {
    let request = client.get(url);
    let request = match cookie {
        Some(cookie) => request.header(COOKIE, cookie),
        None => request,
    };
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    answer.bytes().await.expect("a page");
}
