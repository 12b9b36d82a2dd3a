//! What is grave takes a password that was given a moment ago: row 35 of the
//! security checks, from the table of actions in the hub.

use chrono::TimeDelta;
use hub::{
    people::{Action, Proof, RECENT, Role},
    secret::Secret,
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    deeds::written,
    gate::{Body, ROUTES, Things, rows},
    harness::{Browser, EMAIL, PASSWORD, TENANT, World},
    rights::said,
};

/// Every route that does something grave: the action, where its form stands, and
/// what the form calls the password.
const GRAVE: &[(Action, &str, &str, &str)] = &[
    (
        Action::CreateApiKey,
        "/settings/api-keys",
        "/settings/api-keys",
        "current",
    ),
    (
        Action::RevealWebhookSecret,
        "/settings/webhooks",
        "/settings/webhooks",
        "current",
    ),
    (
        Action::RevealWebhookSecret,
        "/settings/webhooks/{id}/secret",
        "/settings/webhooks/{id}/secret",
        "current",
    ),
    (
        Action::DeleteConnection,
        "/api/remove_connection",
        "/connections/{id}/delete",
        "current",
    ),
    (
        Action::ExportLedger,
        "/settings/audit/export",
        "/settings/audit",
        "current",
    ),
    (
        Action::ManageMembers,
        "/api/change_role",
        "/settings/members/{id}",
        "current",
    ),
    (
        Action::ManageMembers,
        "/api/remove_member",
        "/settings/members/{id}/remove",
        "current",
    ),
    (
        Action::ExportTenant,
        "/settings/organisation/export",
        "/settings/organisation",
        "current",
    ),
    (
        Action::DeleteTenant,
        "/settings/organisation/delete",
        "/settings/organisation",
        "password",
    ),
    (
        Action::EraseOneself,
        "/api/delete_account",
        "/settings/account/delete",
        "current",
    ),
];

/// Forms that ask for the password whenever it was given last.
const ALWAYS: [&str; 2] = ["/api/change_password", "/api/save_profile"];

fn body(route: &str) -> &'static str {
    let row = ROUTES
        .iter()
        .find(|(method, path, _)| *method == "POST" && *path == route);
    match row {
        Some((_, _, Body::Form(text))) => text,
        _ => panic!("{route} is no form"),
    }
}

/// What a form posts, as pairs, without a password.
fn fields(things: &Things, route: &str) -> Vec<(String, String)> {
    let text = things.text(body(route));
    let pairs = url::form_urlencoded::parse(text.as_bytes()).into_owned();
    pairs
        .filter(|(name, _)| !["current", "password"].contains(&name.as_str()))
        .collect()
}

async fn send(
    browser: &Browser,
    things: &Things,
    route: &str,
    fields: &[(String, String)],
    password: Option<(&str, &str)>,
) -> Response {
    let mut fields = fields.to_vec();
    fields.extend(password.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let url = browser.base.join(&things.path(route)).unwrap();
    let request = browser.http.post(url).header("origin", browser.origin());
    request.form(&fields).send().await.unwrap()
}

/// Somebody who may do all of it and is not the last owner, signed in a while
/// ago; and something of each kind.
async fn a_while_ago() -> (World, Browser, Things) {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let things = Things::of(&world, &browser).await;
    let hub = &world.app.hub;
    let password = Secret::new(PASSWORD);
    let sam = hub.create_user(TENANT, "sam@example.com", "Sam", password);
    let sam = sam.await.unwrap();
    hub.change_role(world.member(), sam.person(), Role::Owner)
        .await
        .unwrap();
    world.advance(RECENT + TimeDelta::seconds(1));
    (world, browser, things)
}

#[test]
fn row_35_every_grave_action_has_a_route_here() {
    for (action, _, proof) in Action::rules() {
        let here = GRAVE.iter().any(|(grave, ..)| *grave == action);
        assert_eq!(here, proof == Proof::Recent, "{action:?}");
    }
}

#[tokio::test]
async fn row_35_asvs_7_5_3_refused_without_a_recent_password_and_done_with_it() {
    for (action, route, page, name) in GRAVE {
        let (world, browser, things) = a_while_ago().await;
        let fields = fields(&things, route);
        let path = things.path(page);
        let shown = browser.get(&path).await.text().await.unwrap();
        assert!(
            shown.contains(&format!("name=\"{name}\"")),
            "{route}: the page asks for it"
        );
        let known = written(&world).await.len();
        let before = rows(&world.app.hub.store).await;
        for (password, words) in [
            (None, "Enter your password"),
            (Some(""), "Enter your password"),
            (
                Some("a wrong password"),
                "This is not your current password",
            ),
        ] {
            let password = password.map(|password| (*name, password));
            let answer = send(&browser, &things, route, &fields, password).await;
            let text = said(&answer);
            assert!(text.contains(words), "{action:?} {route}: {text}");
            assert!(text.contains(&format!("[\"{name}\"")), "{route}: {text}");
            // Back to the form, with what was typed.
            let back = answer.headers()["location"].to_str().unwrap();
            assert_eq!(back.split('?').next(), Some(&*path), "{route}");
            let flash: Value = serde_json::from_str(&text).unwrap();
            for (field, value) in &fields {
                let is_kept = flash["values"][field] == **value
                    || flash["values"][format!("{field} {value}")] == "on"
                    || path.contains(value.as_str())
                    || field == "format";
                assert!(is_kept, "{route}: {field} is lost: {text}");
            }
        }
        // Nothing was done, and that a password was wrong is written down.
        assert_eq!(rows(&world.app.hub.store).await, before, "{route}");
        let new = written(&world).await.split_off(known);
        assert_eq!(new.len(), 1, "{route}: {new:?}");
        assert_eq!(new[0].deed, "session.password_refused");

        let answer = send(&browser, &things, route, &fields, Some((name, PASSWORD))).await;
        let (status, text) = (answer.status(), said(&answer));
        let is_done = status.is_success() || text.contains("\"problems\":[]");
        assert!(is_done, "{action:?} {route}: {status} {text}");
    }
}

#[tokio::test]
async fn row_35_nothing_else_asks_for_a_password() {
    let (_world, browser, things) = a_while_ago().await;
    let grave = |route: &str| GRAVE.iter().any(|(_, path, ..)| *path == route);
    for (method, route, body) in ROUTES {
        let is_session = route.starts_with("/api/sign_") || *route == "/api/set_up";
        if *method != "POST" || grave(route) || ALWAYS.contains(route) || is_session {
            continue;
        }
        let request = things.request(&browser, method, route, *body);
        let answer = request.header("origin", browser.origin()).send().await;
        let text = said(&answer.unwrap());
        assert!(!text.contains("your password"), "{route}: {text}");
        assert!(!text.contains("signed out"), "{route}: {text}");
    }
}

fn session_of(answer: &Response) -> String {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let mut pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let session = pairs.find(|pair| pair.starts_with("linkwell="));
    session.expect("a session").to_owned()
}

#[tokio::test]
async fn asvs_7_2_4_a_password_counts_for_a_while_and_gives_the_session_a_new_id() {
    let (world, browser, things) = a_while_ago().await;
    let role = |role: &str| {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![pair("id", &things.person), pair("role", role)]
    };
    let old = session_of(&browser.sign_in_answer(EMAIL, PASSWORD).await);
    world.advance(RECENT);
    let fields = role("admin");
    let password = Some(("current", PASSWORD));
    let answer = send(&browser, &things, "/api/change_role", &fields, password).await;
    assert!(said(&answer).contains("RoleSaved"), "{}", said(&answer));
    assert_ne!(session_of(&answer), old);
    let copied = world.browser();
    let request = copied.http.get(world.url("/settings/account"));
    let answer = request.header("cookie", old).send().await.unwrap();
    let next = answer.headers()["location"].to_str().unwrap();
    assert!(next.starts_with("/sign-in"), "{next}");

    world.advance(RECENT - TimeDelta::seconds(1));
    let page = browser.get("/settings/api-keys").await;
    assert!(!page.text().await.unwrap().contains("Your password"));
    let answer = send(&browser, &things, "/api/change_role", &role("viewer"), None).await;
    assert!(said(&answer).contains("RoleSaved"), "{}", said(&answer));
    world.advance(TimeDelta::seconds(1));
    let answer = send(&browser, &things, "/api/change_role", &role("admin"), None).await;
    assert!(said(&answer).contains("Enter your password"));
}

#[tokio::test]
async fn row_35_another_name_is_no_password() {
    let (_world, browser, things) = a_while_ago().await;
    let form = [("name", "Ana Maria"), ("email", EMAIL), ("password", "")];
    let answer = browser.post("/api/save_profile", &form).await;
    assert!(said(&answer).contains("ProfileSaved"));
    let export = "/settings/organisation/export";
    let answer = send(&browser, &things, export, &[], None).await;
    assert!(said(&answer).contains("Enter your password"));
}

#[tokio::test]
async fn row_35_a_token_made_of_an_old_sign_in_deletes_nothing() {
    let (world, browser, things) = a_while_ago().await;
    let mut host = world.any_host().await;
    let delete = format!("/v1/connections/{}", things.connection);
    host.key = token(&browser).await;
    assert_eq!(host.get(&delete).await.status(), StatusCode::OK);
    let before = rows(&world.app.hub.store).await;
    let refused = host.request("DELETE", &delete).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains("error=\"insufficient_user_authentication\", max_age=900"),
        "{challenge}"
    );
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["type"], "urn:linkwell:problem:sign-in-again");
    assert_eq!(rows(&world.app.hub.store).await, before);

    // Made in time, and used when the password is too old.
    browser.sign_in(EMAIL, PASSWORD).await;
    world.advance(RECENT - TimeDelta::minutes(5));
    host.key = token(&browser).await;
    world.advance(TimeDelta::minutes(5));
    let refused = host.request("DELETE", &delete).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    browser.sign_in(EMAIL, PASSWORD).await;
    host.key = token(&browser).await;
    let done = host.request("DELETE", &delete).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::NO_CONTENT);
}

async fn token(browser: &Browser) -> String {
    let token = browser.post_json("/v1/tokens", json!({})).await;
    let token: Value = token.json().await.unwrap();
    token["access_token"].as_str().unwrap().to_owned()
}
