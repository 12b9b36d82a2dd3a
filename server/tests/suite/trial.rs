//! A test as a person sees it: line by line while it runs, and not ended by
//! their leaving.

use hub::store::ConnectionId;
use reqwest::StatusCode;

use crate::{
    harness::{Browser, Setup, World},
    redis::{RIGHT, Redis},
};

struct Bench {
    world: World,
    browser: Browser,
    redis: Redis,
}

impl Bench {
    async fn start() -> Self {
        let redis = Redis::slow().await;
        let world = World::with(Setup {
            peers: vec![redis.address],
            ..Setup::default()
        })
        .await;
        let browser = world.signed_in().await;
        Self {
            world,
            browser,
            redis,
        }
    }

    async fn test(&self, password: &str) -> reqwest::Response {
        let port = self.redis.port();
        let form = self.redis.form(&port, password);
        let answer = self.browser.post("/connect/redis", &form).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer
    }
}

/// Reads on until `wanted` was sent.
async fn until(answer: &mut reqwest::Response, wanted: &str) -> String {
    let mut sent = String::new();
    while !sent.contains(wanted) {
        let chunk = answer.chunk().await.unwrap();
        let chunk = chunk.unwrap_or_else(|| panic!("{wanted} never came: {sent}"));
        sent.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    sent
}

#[tokio::test]
async fn lines_are_there_while_the_next_one_is_tried() {
    let bench = Bench::start().await;
    let mut answer = bench.test(RIGHT).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let begun = until(&mut answer, "Sign in").await;
    let passed = begun
        .find(r#"data-tone="good""#)
        .expect("a line has passed");
    let pending = begun.rfind(r#"data-tone="pending""#).expect("one is tried");
    assert!(
        passed < pending && begun[pending..].contains("Sign in"),
        "{begun}"
    );
    assert!(!begun.contains("Permissions") && !begun.contains("</html>"));
    bench.redis.answer_one();
    let ended = until(&mut answer, "</html>").await;
    assert!(ended.contains("Redis connected"), "{ended}");
    bench.world.only_connection().await;
}

#[tokio::test]
async fn who_leaves_during_the_test_loses_nothing() {
    let bench = Bench::start().await;
    let hub = &bench.world.app.hub;
    let mut changes = hub.changes.watch();
    let mut answer = bench.test(RIGHT).await;
    until(&mut answer, "Sign in").await;
    drop(answer);
    bench.redis.answer_one();
    changes.recv().await.unwrap();
    let id: ConnectionId = bench.world.only_connection().await;
    assert_eq!(
        hub.connection(bench.world.member(), id)
            .await
            .unwrap()
            .connection
            .provider,
        "redis"
    );
}

#[tokio::test]
async fn the_line_that_failed_says_what_to_do_and_what_passed_stays() {
    let bench = Bench::start().await;
    bench.redis.answer_one();
    let page = bench.test("wrong-horse").await.text().await.unwrap();
    let at = |wanted: &str| {
        page.find(wanted)
            .unwrap_or_else(|| panic!("no {wanted}: {page}"))
    };
    let passed = at(r#"data-tone="good""#);
    let failed = at(r#"data-tone="bad""#);
    let why = at("Redis rejected the key or password");
    let action = at("Enter new credentials");
    let rest = at("not reached");
    assert!(passed < failed && failed < why && why < action && action < rest);
    assert_eq!(page.matches(r#"role="alert""#).count(), 1);
    assert!(!page.contains("wrong-horse") && page.ends_with("</html>"));
    // The button leads to the question that was answered wrongly.
    assert!(
        page.contains(r#"name="key" value="field.password""#),
        "{page}"
    );
}
