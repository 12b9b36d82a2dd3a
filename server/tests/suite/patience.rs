//! AUTH_001: a sign-in that the hub cannot answer is tried again by itself, and
//! then said so, with what was typed.

use chrono::TimeDelta;
use reqwest::{Response, StatusCode};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::Value;

use crate::harness::{EMAIL, PASSWORD, World, location};

/// Nobody else gets an answer about people while this lives.
async fn away(world: &World) -> DatabaseTransaction {
    let held = world.app.hub.store.begin().await.unwrap();
    if world.is_postgres() {
        let lock = "LOCK TABLE person, member IN ACCESS EXCLUSIVE MODE";
        held.execute_unprepared(lock).await.unwrap();
    }
    held
}

/// Moves the clock each time that exactly so many seconds are waited for.
async fn moved(world: &World, waits: &[i64]) {
    for wait in waits {
        let until = world.clock.now() + TimeDelta::seconds(*wait);
        while world.clock.waited_for() != Some(until) {
            tokio::task::yield_now().await;
        }
        world.advance(TimeDelta::seconds(*wait));
    }
}

/// What is answered after every try that there is.
async fn in_the_end(world: &World, answer: impl Future<Output = Response>) -> Response {
    tokio::join!(moved(world, &[4, 1, 4, 3, 4, 9, 4]), answer).1
}

#[tokio::test]
async fn auth_001_is_said_after_four_tries_with_what_was_typed() {
    let world = World::new().await;
    let browser = world.browser();
    browser.get("/sign-in").await;
    let held = away(&world).await;
    let form = [
        ("email", EMAIL),
        ("password", PASSWORD),
        ("next", "/connections?q=a\"b"),
    ];
    let answer = browser.post("/api/sign_in", &form);
    let answer = in_the_end(&world, answer).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = answer.text().await.unwrap();
    for said in [
        "Signing in is taking too long",
        "Try again",
        "value=\"ana@example.com\"",
        "action=\"/api/sign_in\"",
    ] {
        assert!(page.contains(said), "{said} in {page}");
    }
    assert!(!page.contains(PASSWORD), "a password is not kept");

    let program = browser
        .http
        .post(world.url("/api/sign_in"))
        .header("origin", browser.origin())
        .header("accept", "application/json")
        .form(&form)
        .send();
    let program = async { program.await.unwrap() };
    let problem = in_the_end(&world, program).await;
    assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        problem.headers()["content-type"],
        "application/problem+json"
    );
    let problem: Value = problem.json().await.unwrap();
    assert_eq!(problem["code"], "AUTH_001");
    let what = "Signing in is taking too long.";
    assert_eq!(problem["prompt"]["what"], what, "the same words");
    drop(held);
    browser.sign_in(EMAIL, PASSWORD).await;
}

#[tokio::test]
async fn what_comes_back_meanwhile_is_not_noticed() {
    let world = World::new().await;
    let browser = world.browser();
    let held = away(&world).await;
    let moving = async {
        moved(&world, &[4]).await;
        drop(held);
        moved(&world, &[1]).await;
    };
    let form = [("email", EMAIL), ("password", PASSWORD)];
    let (answer, ()) = tokio::join!(browser.post("/api/sign_in", &form), moving);
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer).path(), "/", "signed in");
}
