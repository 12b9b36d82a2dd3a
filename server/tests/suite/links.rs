//! Connect links: somebody without an account here connects for a host
//! application, and can do nothing else. Rows 2 to 5, 12, 21, 24 and 32 of the
//! security checks, for links.

use chrono::TimeDelta;
use hub::{
    people::Scope,
    store::{ConnectionId, draft, event},
};
use reqwest::{Response, StatusCode};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use url::Url;

use crate::{
    gate::{ROUTES, Things, make_link, rows},
    harness::{Browser, HostApp, World, location},
    wizard,
};

const APP: &str = "https://app.example.com";

/// A host application that may send people back to [`APP`].
async fn host(world: &World) -> HostApp {
    let mut host = world.any_host().await;
    let hub = &world.app.hub;
    let made = hub.create_api_key(world.member(), "Till", &Scope::ALL, APP);
    host.key = made.await.unwrap().1.expose().to_owned();
    host
}

fn asked() -> Value {
    json!({
        "providers": ["sandbox"], "reference": "customer-42",
        "return_to": "https://app.example.com/done?shop=1",
    })
}

/// A browser in which a link was opened.
async fn opened(world: &World, secret: &str) -> Browser {
    let browser = world.browser();
    let answer = browser.post(&format!("/link/{secret}"), &[]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let page = browser.get(location(&answer)).await;
    assert_eq!(page.status(), StatusCode::OK);
    browser
}

/// Starts a flow and comes back from the provider, up to our callback.
async fn to_callback(browser: &Browser) -> Url {
    let page = browser.post("/guest/start/sandbox", &[]).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    let (_, rest) = page.split_once("href=\"http").expect("an address");
    let address = format!("http{}", rest.split('"').next().unwrap()).replace("&amp;", "&");
    let answer = browser.http.get(address).send().await.unwrap();
    location(&answer)
}

async fn state(host: &HostApp, id: &str) -> Value {
    host.json(&format!("/v1/connect-links/{id}")).await
}

async fn text(answer: Response) -> (StatusCode, String) {
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn somebody_without_an_account_connects_and_goes_back() {
    let world = World::new().await;
    world.approve_as(0);
    let host = host(&world).await;
    let (id, secret) = make_link(&host, asked()).await;
    assert_eq!(state(&host, &id).await["status"], "waiting");

    // A scanner of mail and a preview look first: row 32.
    let browser = world.browser();
    let before = rows(&world.app.hub.store).await;
    for _ in 0..3 {
        let (status, page) = text(browser.get(format!("/link/{secret}")).await).await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            page.contains("Ana's shop asks you to connect Sandbox Shop"),
            "{page}"
        );
        assert!(page.contains("you go back to app.example.com"), "{page}");
    }
    let head = browser.http.head(world.url(&format!("/link/{secret}")));
    assert_eq!(head.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(rows(&world.app.hub.store).await, before);

    let answer = browser.post(&format!("/link/{secret}"), &[]).await;
    let page = location(&answer);
    assert_eq!(page.path(), "/guest/connect/sandbox");
    let (status, page) = text(browser.get(page).await).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("For Ana's shop") && page.contains("Not now, back to app.example.com"));
    assert!(
        page.contains("status=cancelled&amp;reference=customer-42"),
        "{page}"
    );
    assert!(!page.contains(&secret), "it is in no address any more");
    assert_eq!(state(&host, &id).await["status"], "opened");

    let callback = to_callback(&browser).await;
    let answer = browser.get(callback).await;
    assert_eq!(location(&answer).path(), "/guest/done");
    let (_, done) = text(browser.get(location(&answer)).await).await;
    let connection = world.only_connection().await;
    let back = format!(
        "https://app.example.com/done?shop=1&amp;status=connected&amp;reference=customer-42&amp;connection_id={connection}"
    );
    assert!(done.contains(&back), "{done}");
    assert!(
        done.contains(&format!("content=\"3;url={back}\"")),
        "{done}"
    );

    let link = state(&host, &id).await;
    assert_eq!(link["status"], "connected");
    assert_eq!(link["connection_id"], json!(connection));
    assert!(link["url"].is_null(), "it was told once");
    assert!(host.token(connection).await.1["access_token"].is_string());
    let events = event::of_connection(world.app.hub.store.db(), connection, 9)
        .await
        .unwrap();
    let made = events
        .iter()
        .find(|one| one.kind == event::Kind::ConnectionCreated)
        .unwrap();
    assert_eq!(made.person_id, None);
    assert_eq!(made.data.link.unwrap().to_string(), id);
    assert_eq!(made.data.reference.as_deref(), Some("customer-42"));

    // Going back in the browser shows the end again, and nothing starts.
    let again = browser.get("/guest/connect/sandbox").await;
    assert_eq!(location(&again).path(), "/guest/done");
    let again = browser.post("/guest/start/sandbox", &[]).await;
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_is_entered_one_by_one_or_at_once() {
    for at_once in [true, false] {
        let world = wizard::world().await;
        let host = host(&world).await;
        let (id, secret) = make_link(&host, json!({ "providers": ["keyed", "sandbox"] })).await;
        let browser = world.browser();
        let answer = browser.post(&format!("/link/{secret}"), &[]).await;
        assert_eq!(location(&answer).path(), "/guest", "there is a choice");
        let (_, page) = text(browser.get("/guest").await).await;
        assert!(page.contains("Keyed Shop") && page.contains("Sandbox Shop"));

        let key = wizard::key(&world);
        let turns: &[&[(&str, &str)]] = match at_once {
            true => &[&[("var.region", "eu"), ("field.api_key", &key)]],
            false => &[
                &[("turn", "begin")],
                &[("turn", "understood")],
                &[
                    ("turn", "answer"),
                    ("key", "var.region"),
                    ("var.region", "eu"),
                ],
                &[("turn", "say"), ("value", &key)],
                &[("turn", "test")],
            ],
        };
        let (test, before) = turns.split_last().unwrap();
        for turn in before {
            let answer = browser.post("/guest/connect/keyed", turn).await;
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{turn:?}");
            let (_, page) = text(browser.get("/guest/connect/keyed").await).await;
            assert!(!page.contains(&key), "a secret is not shown again");
        }
        // The test is shown while it runs, and leads to the end of the link.
        let tested = browser.post("/guest/connect/keyed", test).await;
        let (status, page) = text(tested).await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains("Keyed Shop connected") && page.contains("href=\"/guest/done\""));
        for theirs in [&key, "href=\"/connections", "Look at the data", "main-nav"] {
            assert!(!page.contains(theirs), "{theirs} is nothing for a guest");
        }
        world.only_connection().await;
        assert_eq!(state(&host, &id).await["status"], "connected");
        let drafts = draft::Entity::find()
            .all(world.app.hub.store.db())
            .await
            .unwrap();
        assert!(drafts.is_empty());
    }
}

#[tokio::test]
async fn what_a_guest_entered_ends_with_the_link() {
    let world = wizard::world().await;
    let host = host(&world).await;
    let (_, secret) = make_link(&host, json!({ "providers": ["keyed"] })).await;
    let browser = opened(&world, &secret).await;
    let key = wizard::key(&world);
    let form = [("var.region", "e"), ("field.api_key", &*key)];
    browser.post("/guest/connect/keyed", &form).await;
    let (_, page) = text(browser.get("/guest/connect/keyed").await).await;
    assert!(
        page.contains(&format!("ending in {}", &key[key.len() - 4..])),
        "{page}"
    );

    // Neither the tenant's own people nor another guest see it.
    let member = world.signed_in().await;
    let (_, page) = text(member.get("/connect/keyed").await).await;
    assert!(!page.contains("ending in"), "{page}");
    let (_, other) = make_link(&host, json!({ "providers": ["keyed"] })).await;
    let other = opened(&world, &other).await;
    let (_, page) = text(other.get("/guest/connect/keyed").await).await;
    assert!(!page.contains("ending in"), "{page}");

    world.advance(TimeDelta::minutes(30));
    world.app.hub.sweep().await.unwrap();
    let drafts = draft::Entity::find()
        .all(world.app.hub.store.db())
        .await
        .unwrap();
    assert!(drafts.is_empty());
    let answer = browser.get("/guest/connect/keyed").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn row_2_one_success_uses_a_link_up() {
    let world = World::new().await;
    let host = host(&world).await;
    let (_, secret) = make_link(&host, asked()).await;
    let browser = opened(&world, &secret).await;
    world.approve_as(0);
    let first = to_callback(&browser).await;
    world.approve_as(1);
    let second = to_callback(&browser).await;
    let answer = browser.get(first).await;
    assert_eq!(location(&answer).path(), "/guest/done");
    let revoked = world.shop.calls();
    let answer = browser.get(second).await;
    assert_eq!(location(&answer).path(), "/flows/ended");
    world.only_connection().await;
    assert_eq!(
        world.shop.calls(),
        revoked,
        "its code was not even exchanged"
    );
}

#[tokio::test]
async fn row_2_two_at_the_same_moment_are_one() {
    let world = World::new().await;
    let host = host(&world).await;
    let (id, secret) = make_link(&host, asked()).await;
    let browser = opened(&world, &secret).await;
    world.approve_as(0);
    let first = to_callback(&browser).await;
    world.approve_as(1);
    let second = to_callback(&browser).await;
    let (first, second) = tokio::join!(browser.get(first), browser.get(second));
    let ends = [location(&first), location(&second)];
    let done = ends.iter().filter(|end| end.path() == "/guest/done");
    assert_eq!(done.count(), 1, "{ends:?}");
    world.only_connection().await;
    assert_eq!(state(&host, &id).await["status"], "connected");
}

#[tokio::test]
async fn every_link_that_does_nothing_looks_the_same() {
    let world = World::new().await;
    world.approve_as(0);
    let host = host(&world).await;
    let hub = &world.app.hub;
    let link = async || make_link(&host, asked()).await.1;

    let used = link().await;
    let browser = opened(&world, &used).await;
    let callback = to_callback(&browser).await;
    browser.get(callback).await;
    let expired = link().await;
    world.advance(TimeDelta::minutes(30));
    let elsewhere = link().await;
    let first = opened(&world, &elsewhere).await;

    let doomed = hub
        .create_api_key(world.member(), "Doomed", &Scope::ALL, "")
        .await
        .unwrap();
    let mut its = world.any_host().await;
    its.key = doomed.1.expose().to_owned();
    let (_, revoked) = make_link(&its, json!({ "providers": ["sandbox"] })).await;
    let its_guest = opened(&world, &revoked).await;
    hub.revoke_api_key(world.member(), doomed.0.id)
        .await
        .unwrap();

    let mut pages = std::collections::BTreeSet::new();
    for secret in [
        &used,
        &expired,
        &elsewhere,
        &revoked,
        &"x".repeat(43),
        &"é".to_owned(),
    ] {
        let browser = world.browser();
        let path = format!("/link/{secret}");
        let looks_open = secret == &elsewhere;
        let (status, page) = text(browser.get(&path).await).await;
        if !looks_open {
            assert_eq!(status, StatusCode::NOT_FOUND, "{secret}");
            pages.insert(page);
        }
        let answer = browser.post(&path, &[]).await;
        assert!(!answer.headers().contains_key("set-cookie"));
        let (status, page) = text(answer).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{secret}");
        pages.insert(page);
        let (status, page) = text(browser.get("/guest").await).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{secret}");
        pages.insert(page);
    }
    assert_eq!(pages.len(), 1);
    assert!(pages.first().unwrap().contains("for a new one"));
    // Its own browser may open it again; who holds the link of a revoked key
    // has nothing any more.
    let again = first.post(&format!("/link/{elsewhere}"), &[]).await;
    assert_eq!(location(&again).path(), "/guest/connect/sandbox");
    assert_eq!(
        its_guest.get("/guest").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn rows_3_and_4_a_flow_is_bound_to_the_guest_who_started_it() {
    let world = World::new().await;
    world.approve_as(0);
    let host = host(&world).await;
    let open = async || opened(&world, &make_link(&host, asked()).await.1).await;
    let (ana, eve, member) = (open().await, open().await, world.signed_in().await);
    for other in [&eve, &member, &world.browser()] {
        let callback = to_callback(&ana).await;
        let calls = world.shop.calls();
        let answer = other.get(callback.clone()).await;
        assert_eq!(location(&answer).path(), "/flows/ended");
        let answer = ana.get(callback).await;
        assert_eq!(location(&answer).path(), "/flows/ended", "it is spent");
        assert_eq!(world.shop.calls(), calls, "nothing was exchanged");
    }
    // Nor with another link in the very same browser, which has the flow's cookie.
    let callback = to_callback(&ana).await;
    let (_, second) = make_link(&host, asked()).await;
    ana.post(&format!("/link/{second}"), &[]).await;
    let calls = world.shop.calls();
    assert_eq!(location(&ana.get(callback).await).path(), "/flows/ended");
    assert_eq!(world.shop.calls(), calls);
    // Nor does a member's flow end with a guest, in the very same browser.
    let prepared = member.prepare("sandbox", json!({})).await;
    let callback = member.approve(&prepared).await;
    let (_, secret) = make_link(&host, asked()).await;
    member.post(&format!("/link/{secret}"), &[]).await;
    let answer = member.get(callback).await;
    assert!(
        location(&answer).as_str().contains("/#c-"),
        "a member's stays a member's"
    );
    let flow = prepared["flow_id"].as_str().unwrap();
    for form in [[("answer", "add")], [("organisation", "")]] {
        let path = match form[0].0 {
            "answer" => format!("/flows/{flow}/other-account"),
            _ => format!("/flows/{flow}/organisation"),
        };
        assert_eq!(eve.post(&path, &form).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn row_33_a_guest_can_do_nothing_else() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let things = Things::of(&world, &browser).await;
    let host = host(&world).await;
    let (_, secret) = make_link(&host, asked()).await;
    let guest = opened(&world, &secret).await;
    let before = rows(&world.app.hub.store).await;
    let own = ["/guest", "/link/"];
    // Signing in is open to everybody, and leaves a note of the try.
    let routes = ROUTES.iter().filter(|(_, path, _)| {
        !own.iter().any(|start| path.starts_with(start))
            && !path.starts_with("/api/s")
            && *path != "/sign-in"
    });
    for (method, route, body) in routes {
        let mut answers = Vec::new();
        for browser in [&guest, &world.browser()] {
            let request = things.request(browser, method, route, *body);
            let request = request.header("origin", browser.origin());
            let answer = request.send().await.unwrap();
            let next = answer.headers().get("location").cloned();
            answers.push((answer.status(), next));
        }
        // A flow might be a guest's own; this one is not.
        match route.starts_with("/flows/{id}/") && *method == "POST" {
            true => assert_ne!(answers[0].0, StatusCode::OK, "{method} {route}"),
            false => assert_eq!(answers[0], answers[1], "{method} {route}: as a stranger"),
        }
        assert_eq!(rows(&world.app.hub.store).await, before, "{method} {route}");
    }
    // Other providers do not exist.
    for (method, path, form) in [
        ("GET", "/guest/connect/stripe", &[][..]),
        ("POST", "/guest/connect/stripe", &[("turn", "begin")]),
        ("POST", "/guest/start/github", &[]),
        ("GET", "/guest/connect/nothing", &[]),
    ] {
        let answer = match method {
            "GET" => guest.get(path).await,
            _ => guest.post(path, form).await,
        };
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method} {path}");
    }
    assert_eq!(rows(&world.app.hub.store).await, before);
}

#[tokio::test]
async fn a_link_for_one_connection_connects_that_one() {
    let world = World::new().await;
    let connection = world.connect().await;
    let host = host(&world).await;
    let (id, secret) = make_link(&host, json!({ "connection": connection })).await;
    let (_, page) = text(world.browser().get(format!("/link/{secret}")).await).await;
    assert!(
        page.contains("asks you to connect Sandbox Shop again"),
        "{page}"
    );
    let browser = opened(&world, &secret).await;

    // Another account than the one it is for makes no second connection.
    world.approve_as(1);
    let callback = to_callback(&browser).await;
    let answer = browser.get(callback).await;
    let flow = location(&answer);
    let (_, page) = text(browser.get(flow.clone()).await).await;
    assert!(!page.contains("value=\"add\""), "{page}");
    let decide = format!("{}/other-account", flow.path());
    let answer = browser.post(&decide, &[("answer", "add")]).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let answer = browser.post(&decide, &[("answer", "discard")]).await;
    assert_eq!(location(&answer).path(), "/guest");

    world.approve_as(0);
    let callback = to_callback(&browser).await;
    let answer = browser.get(callback).await;
    assert_eq!(location(&answer).path(), "/guest/done");
    assert_eq!(world.only_connection().await, connection);
    assert_eq!(state(&host, &id).await["connection_id"], json!(connection));
}

#[tokio::test]
async fn what_mends_itself_uses_the_link_up_and_sends_nobody_anywhere() {
    let world = World::new().await;
    let connection = world.connect().await;
    let host = host(&world).await;
    let refuse = sandbox::FaultKind::Refuse {
        error: "invalid_grant".into(),
    };
    let once = sandbox::Fault::new(refuse)
        .at(sandbox::Endpoint::Refresh)
        .times(1);
    for at_once in [true, false] {
        world.shop.set_faults(once.clone().into());
        world.advance(TimeDelta::minutes(6));
        world.app.hub.refresh_due().await.unwrap();
        assert_eq!(host.seen(connection).await["status"], "action_needed");
        let (id, secret) = make_link(&host, json!({ "connection": connection })).await;
        let browser = world.browser();
        let visits = world.shop.calls().authorize;
        // Within the minute for which a refusal stands, it is not tried again.
        world.advance(TimeDelta::minutes(if at_once { 2 } else { 0 }));
        let answer = browser.post(&format!("/link/{secret}"), &[]).await;
        if !at_once {
            assert_eq!(location(&answer).path(), "/guest/connect/sandbox");
            world.advance(TimeDelta::minutes(2));
            let answer = browser.post("/guest/start/sandbox", &[]).await;
            assert_eq!(location(&answer).path(), "/guest/done");
        } else {
            assert_eq!(location(&answer).path(), "/guest/done");
        }
        let (_, page) = text(browser.get("/guest/done").await).await;
        assert!(page.contains("Sandbox Shop is connected"), "{page}");
        assert_eq!(host.seen(connection).await["status"], "connected");
        assert_eq!(state(&host, &id).await["status"], "connected");
        assert_eq!(state(&host, &id).await["connection_id"], json!(connection));
        assert_eq!(world.shop.calls().authorize, visits);
    }
}

#[tokio::test]
async fn a_refusal_leads_back_to_the_link() {
    let world = World::new().await;
    world.shop.set_faults(sandbox::Fault::deny_consent().into());
    world.approve_as(0);
    let host = host(&world).await;
    let (id, secret) = make_link(&host, asked()).await;
    let browser = opened(&world, &secret).await;
    let callback = to_callback(&browser).await;
    let answer = browser.get(callback).await;
    let (_, page) = text(browser.get(location(&answer)).await).await;
    assert!(page.contains("href=\"/guest/connect/sandbox\""), "{page}");
    assert!(
        !page.contains("href=\"/connect/") && !page.contains("href=\"/\""),
        "{page}"
    );
    assert_eq!(state(&host, &id).await["status"], "opened");
}

#[tokio::test]
async fn row_1_what_opens_a_link_is_stored_nowhere() {
    let world = World::new().await;
    let host = host(&world).await;
    let (_, secret) = make_link(&host, asked()).await;
    assert_eq!(secret.len(), 43, "256 bits");
    let browser = world.browser();
    let answer = browser.post(&format!("/link/{secret}"), &[]).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let kept = cookie.split(['=', ';']).nth(1).unwrap();
    assert_ne!(kept, secret);
    let stored = format!("{:?}", rows(&world.app.hub.store).await);
    assert!(!stored.contains(&secret) && !stored.contains(kept));
}

#[tokio::test]
async fn what_a_link_is_for_is_checked_when_it_is_made() {
    let world = World::new().await;
    let host = host(&world).await;
    let nothing = ConnectionId::new();
    for (asked, field) in [
        (json!({}), "providers"),
        (json!({ "providers": [] }), "providers"),
        (json!({ "providers": vec!["sandbox"; 21] }), "providers"),
        (json!({ "providers": ["nothing"] }), "providers"),
        (json!({ "providers": ["github"] }), "providers"),
        (json!({ "providers": ["instagram-session"] }), "providers"),
        (
            json!({ "providers": ["sandbox"], "connection": nothing }),
            "providers",
        ),
        (json!({ "connection": nothing }), "connection"),
        (json!({ "connection": "x" }), "connection"),
        (
            json!({ "providers": ["sandbox"], "return_to": "https://evil.example" }),
            "return_to",
        ),
        (
            json!({ "providers": ["sandbox"], "return_to": "//app.example.com" }),
            "return_to",
        ),
        (
            json!({ "providers": ["sandbox"], "reference": "x".repeat(201) }),
            "reference",
        ),
        (
            json!({ "providers": ["sandbox"], "reference": "a\nb" }),
            "reference",
        ),
    ] {
        let answer = host.post("/v1/connect-links", asked.clone()).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{asked}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["errors"][0]["field"], field, "{asked}");
    }
    // A key that lists no origins sends nobody anywhere.
    let plain = world.any_host().await;
    let answer = plain.post("/v1/connect-links", asked()).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    // Who is signed in has no key: there is nothing it would end with.
    let browser = world.signed_in().await;
    let token = browser.post_json("/v1/tokens", json!({})).await;
    let token: Value = token.json().await.unwrap();
    let mut person = world.any_host().await;
    person.key = token["access_token"].as_str().unwrap().to_owned();
    let answer = person
        .post("/v1/connect-links", json!({ "providers": ["sandbox"] }))
        .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_link_that_is_asked_for_twice_is_made_once() {
    let world = World::new().await;
    let host = host(&world).await;
    let ask = async || {
        let request = host.request("POST", "/v1/connect-links");
        let request = request.header("idempotency-key", "one").json(&asked());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json::<Value>().await.unwrap()
    };
    assert_eq!(ask().await, ask().await);
}

#[tokio::test]
async fn an_admin_lists_where_a_key_sends_people() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let form = |origins| {
        [
            ("name", "Till"),
            ("scope", "connections:write"),
            ("return_origins", origins),
        ]
    };
    let wrong = browser
        .post("/settings/api-keys", &form("app.example.com"))
        .await;
    let (_, page) = text(browser.get(location(&wrong)).await).await;
    assert!(
        page.contains("Enter origins like https://app.example.com"),
        "{page}"
    );
    let made = browser
        .post("/settings/api-keys", &form("https://app.example.com"))
        .await;
    assert_eq!(made.status(), StatusCode::OK);
    let (_, page) = text(browser.get("/settings/api-keys").await).await;
    assert!(
        page.contains("Sends people back to https://app.example.com"),
        "{page}"
    );
}

#[tokio::test]
async fn a_link_is_of_no_use_to_a_request_with_a_body_of_a_member() {
    // A form that names another connection than the link's changes nothing.
    let world = World::new().await;
    let other = world.connect().await;
    let host = host(&world).await;
    let (_, secret) = make_link(&host, asked()).await;
    let browser = opened(&world, &secret).await;
    let form = [("connection", other.to_string())];
    let form: Vec<(&str, &str)> = form.iter().map(|(key, value)| (*key, &**value)).collect();
    browser.post("/guest/start/sandbox", &form).await;
    let flows = hub::store::flow::Entity::find()
        .all(world.app.hub.store.db())
        .await
        .unwrap();
    let flow = flows.iter().find(|flow| flow.link_id.is_some()).unwrap();
    assert_eq!(flow.connection_id, None);
}
