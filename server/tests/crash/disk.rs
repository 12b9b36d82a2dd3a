//! Row 58: the disk is full and has room again.

use std::{
    fs::File,
    io::Write,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    extract::Request,
    middleware::{Next, from_fn},
};

use reqwest::StatusCode;
use sandbox::{ACCOUNTS, Rotation, Scope};
use serde_json::json;

use crate::{
    outage::{NOT_RENEWED, is_clear_problem},
    process::{Hub, shop, shop_behind},
};

/// Lets no file of a process be written beyond this size any more: what a full disk
/// does, on every machine and for everybody.
fn limit_files(process: u32, bytes: &str) {
    let process = process.to_string();
    let limit = format!("--fsize={bytes}:");
    let mut prlimit = Command::new("prlimit");
    let limited = prlimit.args(["--pid", &process, &limit]).status();
    assert!(limited.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_58_on_a_full_disk_no_token_is_spent_and_it_goes_on_once_there_is_room() {
    let (shop, url) = shop(Rotation::STRICT).await;
    let mut hub = Hub::new(&url).await;
    let mut rules = shop.rules();
    rules.access_lifetime_s = 1;
    shop.set_rules(rules);
    hub.start(None).await;
    let tokens = shop.grant("crash", ACCOUNTS[0].id, &Scope::ALL).unwrap();
    let id = hub.import(&tokens).await;
    let path = format!("/v1/connections/{id}/token");
    let (status, body) = hub.get(&path).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");

    limit_files(hub.process(), "1");
    let away = Some(StatusCode::SERVICE_UNAVAILABLE);
    hub.until("/readyz", |status| status == away).await;
    // What was on its way to the provider by then has arrived.
    hub.logs(&NOT_RENEWED).await;
    let spent = shop.calls().refreshes;
    hub.logs(&NOT_RENEWED).await;
    is_clear_problem(hub.request("GET", &path).send().await.unwrap(), "a token").await;
    let import = json!({ "provider": "crash", "credential": { "access_token": "a" } });
    let import = hub.request("POST", "/v1/connections").json(&import);
    is_clear_problem(import.send().await.unwrap(), "an import").await;
    assert_eq!(shop.calls().refreshes, spent, "a token was sent");
    // What is only read is answered.
    let (status, _) = hub.get(&format!("/v1/connections/{id}")).await.unwrap();
    assert_eq!(status, StatusCode::OK);

    limit_files(hub.process(), "unlimited");
    hub.until("/readyz", |status| status == Some(StatusCode::OK))
        .await;
    hub.until(&path, |status| status == Some(StatusCode::OK))
        .await;
    assert!(shop.calls().refreshes > spent);
    assert_eq!(shop.calls().families_revoked, 0);

    // Nothing is damaged, and the ledgers are whole.
    hub.stop();
    hub.say(&["audit", "verify"], "");
    let copy = hub.path("copy.db");
    hub.say(&["backup", &copy], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_58_an_answer_that_finds_no_room_at_all_is_held_until_there_is_some() {
    // The disk is full once the provider has renewed, before its answer arrives.
    let process = Arc::new(AtomicU32::new(0));
    let fills = {
        let process = process.clone();
        move |request: Request, next: Next| {
            let process = process.clone();
            async move {
                let renews = request.uri().path().ends_with("/token");
                let answer = next.run(request).await;
                if renews {
                    limit_files(process.load(Ordering::SeqCst), "1");
                }
                answer
            }
        }
    };
    let front = |router: axum::Router| router.layer(from_fn(fills));
    let (shop, url) = shop_behind(Rotation::STRICT, front).await;
    let mut hub = Hub::new(&url).await;
    hub.start(None).await;
    process.store(hub.process(), Ordering::SeqCst);
    let tokens = shop.grant("crash", ACCOUNTS[0].id, &Scope::ALL).unwrap();
    let id = hub.import(&tokens).await;
    let path = format!("/v1/connections/{id}/token");
    hub.get(&path).await.expect("an answer");
    assert_eq!(shop.calls().refreshes, 1);
    assert!(hub.logged("it is held in memory"));

    limit_files(hub.process(), "unlimited");
    hub.until("/readyz", |status| status == Some(StatusCode::OK))
        .await;
    // It is stored by now: another process goes on with it.
    hub.stop();
    hub.start(None).await;
    let (status, body) = hub.get(&path).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        shop.calls().refreshes,
        1,
        "the answer that was held is the one"
    );
    assert_eq!(shop.calls().families_revoked, 0);
}

/// Writes to a disk until nothing more goes onto it.
fn fill(path: &str) {
    let mut file = File::create(path).unwrap();
    let piece = [0; 4096];
    while file.write_all(&piece).is_ok() {}
}

/// A limit on files lets nothing be written. A disk that is full lets be written
/// what fits into the files that are there: some of it, some of the time.
#[tokio::test(flavor = "multi_thread")]
async fn row_58_on_a_disk_that_fills_up_what_was_spent_is_kept() {
    let (shop, url) = shop(Rotation::STRICT).await;
    let mut rules = shop.rules();
    rules.access_lifetime_s = 1;
    shop.set_rules(rules);
    let mut hub = Hub::new(&url).await;
    if !hub.moves_onto_disk_of(20_000_000) {
        eprintln!("not tested: only root may mount a disk");
        return;
    }
    hub.start(None).await;
    let mut paths = Vec::new();
    for _ in 0..8 {
        let tokens = shop.grant("crash", ACCOUNTS[0].id, &Scope::ALL).unwrap();
        paths.push(format!(
            "/v1/connections/{}/token",
            hub.import(&tokens).await
        ));
    }
    let filler = hub.path("filler");
    fill(&filler);
    while !hub.logged("disk is full") {
        for path in &paths {
            hub.get(path).await.expect("an answer");
        }
    }
    for path in &paths {
        let answer = hub.request("GET", path).send().await.unwrap();
        if answer.status() != StatusCode::OK {
            is_clear_problem(answer, "a token").await;
        }
    }
    // It has room again, and writes down what it holds.
    std::fs::remove_file(&filler).unwrap();
    hub.until("/readyz", |status| status == Some(StatusCode::OK))
        .await;
    hub.stop();
    hub.start(None).await;
    for path in &paths {
        let (status, body) = hub.get(path).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    assert_eq!(shop.calls().families_revoked, 0, "none was presented twice");
    hub.stop();
    hub.say(&["audit", "verify"], "");
}
