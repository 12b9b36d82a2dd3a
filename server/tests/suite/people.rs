//! Sessions, passwords and roles: rows 21, 28 to 30 and 33 of the security
//! checks, and the first visit.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::TimeDelta;
use hub::{
    people::{Member, Role, Scope},
    secret::Secret,
    store::{ConnectionId, member, person},
    tell::NewWebhook,
};
use reqwest::{Response, StatusCode};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    gate::rows,
    harness::{Browser, EMAIL, PASSWORD, Setup, World, location},
};

const ACCOUNT: &str = "/settings/account";

/// The value of a cookie that an answer sets.
fn cookie(answer: &Response, name: &str) -> Option<String> {
    answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next()?.split_once('='))
        .find(|(set, _)| *set == name)
        .map(|(_, value)| value.to_owned())
}

/// What an answer leaves for the next page to say, as JSON.
fn flash(answer: &Response) -> String {
    let value = cookie(answer, "linkwell-flash").unwrap_or_default();
    String::from_utf8(BASE64.decode(value).expect("base64")).expect("JSON")
}

/// A request by a program that shows this session and keeps no cookies.
async fn show(world: &World, session: &str, path: &str) -> Response {
    let request = world
        .browser()
        .http
        .get(world.url(path))
        .header("cookie", session);
    request.send().await.unwrap()
}

async fn lives(world: &World, session: &str) -> bool {
    show(world, session, ACCOUNT).await.status() == StatusCode::OK
}

async fn sign_in_with(world: &World, cookies: &str) -> Response {
    world
        .browser()
        .http
        .post(world.url("/api/sign_in"))
        .header("origin", world.browser().origin())
        .header("cookie", cookies)
        .form(&[("email", EMAIL), ("password", PASSWORD)])
        .send()
        .await
        .unwrap()
}

fn session(answer: &Response) -> String {
    format!(
        "linkwell={}",
        cookie(answer, "linkwell").expect("a session")
    )
}

#[tokio::test]
async fn row_21_asvs_7_2_4_signing_in_makes_a_new_session() {
    let world = World::new().await;
    let invented = "linkwell=AAAAAAAAAAAAAAAAAAAAAA";
    let answer = sign_in_with(&world, invented).await;
    assert_ne!(session(&answer), invented);
    assert!(!lives(&world, invented).await);
    // One that lives: an attacker's own, planted in the browser of the victim.
    let hub = &world.app.hub;
    hub.create_user(
        "Next door",
        "eve@evil.example",
        "Eve",
        Secret::new(PASSWORD),
    )
    .await
    .unwrap();
    let eve = world
        .browser()
        .sign_in_answer("eve@evil.example", PASSWORD)
        .await;
    let planted = session(&eve);
    assert!(lives(&world, &planted).await);
    let answer = sign_in_with(&world, &planted).await;
    assert!(lives(&world, &session(&answer)).await);
    assert_ne!(session(&answer), planted);
    assert!(!lives(&world, &planted).await);
}

#[tokio::test]
async fn row_21_a_new_password_makes_a_new_session_and_ends_the_others() {
    let world = World::new().await;
    let (browser, other) = (
        world.signed_in().await,
        world.browser().session_cookie().await,
    );
    let form = [("current", PASSWORD), ("new", "blue kettle sings")];
    let answer = browser.post("/api/change_password", &form).await;
    assert!(
        flash(&answer).contains("PasswordChanged"),
        "{}",
        flash(&answer)
    );
    assert!(lives(&world, &session(&answer)).await);
    assert!(!lives(&world, &other).await);
    assert_eq!(browser.get(ACCOUNT).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn row_21_asvs_7_4_1_signing_out_ends_the_session_on_the_server() {
    let world = World::new().await;
    let browser = world.browser();
    let kept = session(&browser.sign_in_answer(EMAIL, PASSWORD).await);
    let other = world.browser().session_cookie().await;
    browser.post("/api/sign_out", &[]).await;
    assert!(!lives(&world, &kept).await);
    assert!(lives(&world, &other).await, "only this one");
}

#[tokio::test]
async fn row_21_asvs_7_4_3_signing_out_everywhere_ends_other_browsers() {
    let world = World::new().await;
    let other = world.signed_in().await;
    assert_eq!(other.get(ACCOUNT).await.status(), StatusCode::OK);
    let answer = world
        .signed_in()
        .await
        .post("/api/sign_out_everywhere", &[])
        .await;
    assert!(flash(&answer).contains("SignedOutEverywhere"));
    assert_eq!(location(&other.get(ACCOUNT).await).path(), "/sign-in");
}

#[tokio::test]
async fn row_21_asvs_7_3_sessions_end_after_a_week_unused_and_a_month_in_any_case() {
    let world = World::new().await;
    let unused = world.browser().session_cookie().await;
    let used = world.browser().session_cookie().await;
    for day in 1..=30 {
        world.advance(TimeDelta::days(1));
        assert_eq!(lives(&world, &used).await, day < 30, "day {day}");
        if day == 7 {
            assert!(!lives(&world, &unused).await);
        }
    }
}

#[tokio::test]
async fn auth_002_is_said_to_whoever_believed_to_be_signed_in() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    world.advance(TimeDelta::days(8));
    let led = browser.get("/settings/account").await;
    let form = location(&led);
    let to = "/sign-in?next=%2Fsettings%2Faccount&because=AUTH_002";
    assert_eq!(form, world.url(to));
    let page = browser.get(form).await.text().await.unwrap();
    assert!(page.contains("You were signed out."), "{page}");
    assert!(
        page.contains("value=\"/settings/account\""),
        "it goes on there"
    );
    // Once: then it is an ordinary visit.
    let again = location(&browser.get("/settings/account").await);
    assert_eq!(again, world.url("/sign-in?next=%2Fsettings%2Faccount"));

    // Who chose it, or never was here, is told nothing of the kind.
    let browser = world.signed_in().await;
    browser.post("/api/sign_out", &[]).await;
    for stranger in [browser, world.browser()] {
        let form = location(&stranger.get("/").await);
        assert_eq!(form, world.url("/sign-in"));
    }
    let form = [("id", "1"), ("name", "x")];
    let led = world.browser().post("/api/rename_connection", &form).await;
    assert_eq!(location(&led), world.url("/sign-in?because=AUTH_002"));
}

#[tokio::test]
async fn auth_004_names_the_role_it_takes() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    give_role(&world, Role::Member).await;
    let page = browser.get("/settings/api-keys").await;
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    let page = page.text().await.unwrap();
    assert!(page.contains("Your role does not allow this."), "{page}");
    assert!(page.contains("It needs the role of an admin or more."));
    let form = [("name", "x"), ("scope", "tokens:read")];
    let refused = browser.post("/settings/api-keys", &form).await;
    assert!(flash(&refused).contains("It needs the role of an admin or more."));
}

#[tokio::test]
async fn row_28_asvs_11_4_2_passwords_are_stored_as_slow_hashes() {
    let world = World::new().await;
    let people = person::Entity::find()
        .all(world.app.hub.store.db())
        .await
        .unwrap();
    let parts: Vec<_> = people[0].password_hash.split('$').collect();
    let ["", "argon2id", "v=19", params, salt, hash] = parts[..] else {
        panic!("no PHC string of Argon2id");
    };
    let param = |name: &str| -> u32 {
        let found = params.split(',').find_map(|param| param.strip_prefix(name));
        found.expect(name).parse().unwrap()
    };
    assert!(
        param("m=") >= 19 * 1024 && param("t=") >= 2 && param("p=") >= 1,
        "{params}"
    );
    assert!(
        salt.len() >= 22 && hash.len() >= 43,
        "128 bits of salt, 256 of hash"
    );
}

#[tokio::test]
async fn row_28_fifty_who_sign_in_together_keep_nobody_else_waiting() {
    let world = World::new().await;
    // One browser has ten tries at once, and one address thirty.
    let mut devices = Vec::new();
    for _ in 0..5 {
        let answer = world.browser().sign_in_answer(EMAIL, PASSWORD).await;
        devices.push(format!(
            "linkwell-device={}",
            cookie(&answer, "linkwell-device").unwrap()
        ));
    }
    let (url, origin) = (world.url("/api/sign_in"), world.browser().origin());
    let mut signing_in = JoinSet::new();
    for device in devices.iter().cycle().take(50) {
        let request = world
            .browser()
            .http
            .post(url.clone())
            .header("origin", &origin)
            .header("cookie", device)
            .form(&[("email", EMAIL), ("password", PASSWORD)]);
        signing_in.spawn(async { location(&request.send().await.unwrap()).path().to_owned() });
    }
    let mut asked_meanwhile = 0;
    while signing_in.len() > 25 {
        assert_eq!(
            world.browser().get("/healthz").await.status(),
            StatusCode::OK
        );
        asked_meanwhile += 1;
        while signing_in
            .try_join_next()
            .is_some_and(|path| path.unwrap() == "/")
        {}
    }
    assert!(
        asked_meanwhile > 5,
        "others were answered {asked_meanwhile} times"
    );
    while let Some(path) = signing_in.join_next().await {
        assert_eq!(path.unwrap(), "/");
    }
}

#[tokio::test]
async fn row_35_a_key_is_made_for_who_gave_the_password_lately() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let make = async |current: &str| {
        let form = [
            ("name", "Till"),
            ("scope", "tokens:read"),
            ("current", current),
        ];
        browser.post("/settings/api-keys", &form).await
    };
    let living = async || world.app.hub.api_keys(world.member()).await.unwrap().len();
    let asks = async || {
        let page = browser
            .get("/settings/api-keys")
            .await
            .text()
            .await
            .unwrap();
        page.contains("name=\"current\"")
    };
    assert!(!asks().await);
    assert_eq!(make("").await.status(), StatusCode::OK);
    world.advance(TimeDelta::minutes(15));
    assert!(asks().await);
    assert!(flash(&make("").await).contains("Enter your password"));
    assert!(flash(&make("another password").await).contains("not your current password"));
    assert_eq!(living().await, 1);
    assert_eq!(make(PASSWORD).await.status(), StatusCode::OK);
    assert_eq!(living().await, 2);
}

#[tokio::test]
async fn row_28_no_long_text_is_hashed() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let long = "blue kettle sings ".repeat(57);
    let long = &long[..1025];
    let answer = browser
        .post(
            "/api/change_password",
            &[("current", PASSWORD), ("new", long)],
        )
        .await;
    assert!(
        flash(&answer).contains("at most 1024"),
        "{}",
        flash(&answer)
    );
    let answer = browser
        .post(
            "/api/change_password",
            &[("current", long), ("new", "blue kettle sings")],
        )
        .await;
    assert!(flash(&answer).contains("not your current password"));
    // It costs no try either: it is not looked at.
    for _ in 0..20 {
        let answer = world.browser().sign_in_answer(EMAIL, long).await;
        assert!(flash(&answer).contains("do not belong together"));
    }
    world.browser().sign_in(EMAIL, PASSWORD).await;
}

#[tokio::test]
async fn row_29_asvs_6_3_1_guesses_are_stopped_and_the_owner_is_not() {
    let world = World::new().await;
    let owners = world.signed_in().await;
    let guess = async |number: usize, password: &str| {
        let answer = world
            .browser()
            .http
            .post(world.url("/api/sign_in"))
            .header("origin", owners.origin())
            .header("x-forwarded-for", format!("198.51.100.{number}"))
            .header("forwarded", format!("for=198.51.100.{number}"))
            .header("x-real-ip", format!("198.51.100.{number}"))
            .form(&[("email", EMAIL), ("password", password)])
            .send()
            .await
            .unwrap();
        match location(&answer).path() {
            "/" => "in",
            _ if flash(&answer).contains("Too many attempts") => "later",
            _ => "wrong",
        }
    };
    let mut looked_at = 0;
    for number in 0..40 {
        looked_at += usize::from(guess(number, "wrong").await == "wrong");
    }
    assert_eq!(looked_at, 9, "ten tries, of which the owner used one");
    assert_eq!(
        guess(41, PASSWORD).await,
        "later",
        "also the right one is not looked at"
    );
    owners.sign_in(EMAIL, PASSWORD).await;
    world.advance(TimeDelta::seconds(31));
    assert_eq!(guess(42, PASSWORD).await, "in");
    assert_eq!(guess(43, PASSWORD).await, "later", "one more, not ten");
}

#[tokio::test]
async fn row_29_one_address_cannot_try_many_accounts() {
    let world = World::new().await;
    let mut looked_at = 0;
    for number in 0..60 {
        let email = format!("person{number}@example.com");
        let answer = world.browser().sign_in_answer(&email, "wrong").await;
        looked_at += usize::from(!flash(&answer).contains("Too many attempts"));
    }
    assert_eq!(looked_at, 30);
}

#[tokio::test]
async fn row_30_asvs_6_3_8_known_and_unknown_addresses_are_answered_alike() {
    let world = World::new().await;
    // Up to the throttling, and beyond.
    for attempt in 0..12 {
        let mut answers = Vec::new();
        for email in [EMAIL, "bob@example.com"] {
            let answer = world.browser().sign_in_answer(email, "wrong").await;
            let said = flash(&answer).replace(email, "EMAIL");
            let status = answer.status();
            let mut headers = answer.headers().clone();
            assert_eq!(headers.remove("set-cookie").is_some(), !said.is_empty());
            headers.remove("x-request-id");
            headers.remove("date");
            answers.push((status, headers, said, answer.bytes().await.unwrap()));
        }
        assert_eq!(answers[0], answers[1], "attempt {attempt}");
    }
}

/// What a member may do, with the least role for it.
const RIGHTS: [(Role, &str, &str, &str); 25] = [
    (Role::Viewer, "GET", "/", ""),
    (Role::Viewer, "GET", "/connections/<id>", ""),
    (Role::Viewer, "GET", "/api/view/hub", ""),
    (Role::Viewer, "GET", "/api/view/connection/<id>", ""),
    (Role::Viewer, "GET", "/settings/provider-apps", ""),
    (Role::Member, "POST", "/connections/sandbox/prepare", ""),
    (Role::Member, "POST", "/oauth/start/sandbox", "popup=1"),
    (
        Role::Member,
        "POST",
        "/api/rename_connection",
        "id=<id>&name=Renamed",
    ),
    (Role::Member, "POST", "/api/check_connection", "id=<id>"),
    (Role::Member, "GET", "/connections/<id>/preview", ""),
    (
        Role::Member,
        "POST",
        "/connections/<id>/mapping",
        "column.0=name&name.0=shop",
    ),
    (Role::Admin, "GET", "/settings/api-keys", ""),
    (
        Role::Admin,
        "POST",
        "/settings/api-keys",
        "name=Till&scope=tokens%3Aread&current=<password>",
    ),
    (Role::Admin, "POST", "/api/revoke_api_key", "id=<key>"),
    (Role::Admin, "GET", "/settings/webhooks", ""),
    (
        Role::Admin,
        "POST",
        "/settings/webhooks",
        "url=https%3A%2F%2Fexample.com%2Fhooks&current=<password>",
    ),
    (
        Role::Admin,
        "POST",
        "/settings/webhooks/<webhook>/secret",
        "current=<password>",
    ),
    (Role::Admin, "POST", "/api/test_webhook", "id=<webhook>"),
    (Role::Admin, "POST", "/api/revive_webhook", "id=<webhook>"),
    (
        Role::Admin,
        "POST",
        "/api/replay_webhook",
        "id=<webhook>&after=0",
    ),
    (Role::Admin, "POST", "/api/remove_webhook", "id=<webhook>"),
    (
        Role::Admin,
        "POST",
        "/api/save_provider_app",
        "app=shopify&client_id=a&client_secret=b",
    ),
    (
        Role::Admin,
        "POST",
        "/api/remove_provider_app",
        "app=github",
    ),
    (
        Role::Member,
        "POST",
        "/api/disconnect_connection",
        "id=<id>",
    ),
    (
        Role::Admin,
        "POST",
        "/api/remove_connection",
        "id=<id>&current=<password>",
    ),
];

/// Gives the world's member another role.
async fn give_role(world: &World, role: Role) {
    let db = world.app.hub.store.db();
    let mut row = member::Entity::find()
        .one(db)
        .await
        .unwrap()
        .unwrap()
        .into_active_model();
    row.role = Set(role);
    row.update(db).await.unwrap();
}

/// A browser's request, as a form.
async fn ask(browser: &Browser, method: &str, path: &str, body: String) -> Response {
    let url = browser.base.join(path).unwrap();
    let request = browser
        .http
        .request(method.parse().unwrap(), url)
        .header("origin", browser.origin());
    let request = match body.is_empty() {
        true => request,
        false => request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body),
    };
    request.send().await.unwrap()
}

#[tokio::test]
async fn row_33_asvs_8_2_1_every_role_may_exactly_what_is_listed() {
    let mut wrong = Vec::new();
    for (rank, role) in [Role::Viewer, Role::Member, Role::Admin, Role::Owner]
        .into_iter()
        .enumerate()
    {
        let world = World::new().await;
        let id: ConnectionId = world.connect().await;
        let hub = &world.app.hub;
        let owner: &Member = world.member();
        let (key, _) = hub
            .create_api_key(owner, "Till", &[Scope::TokensRead], "")
            .await
            .unwrap();
        hub.set_provider_app(
            owner,
            "github",
            "id",
            Some(Secret::new("s")),
            &Default::default(),
        )
        .await
        .unwrap();
        let new = NewWebhook {
            url: "https://127.0.0.1/hooks",
            kinds: &[],
        };
        let (webhook, _) = hub.add_webhook(owner, new).await.unwrap();
        let mut gone = webhook.clone().into_active_model();
        gone.ended_at = Set(Some(world.clock.now()));
        gone.update(hub.store.db()).await.unwrap();
        give_role(&world, role).await;
        let browser = world.signed_in().await;
        for (least, method, path, body) in RIGHTS {
            let fill = |text: &str| {
                text.replace("<id>", &id.to_string())
                    .replace("<key>", &key.id.to_string())
                    .replace("<webhook>", &webhook.id.to_string())
                    .replace("<password>", &PASSWORD.replace(' ', "+"))
            };
            let before = rows(&hub.store).await;
            // Lets a check happen again.
            world.advance(TimeDelta::minutes(2));
            let answer = ask(&browser, method, &fill(path), fill(body)).await;
            let refused = answer.status() == StatusCode::FORBIDDEN
                || flash(&answer).contains("Your role does not allow this");
            let least = [Role::Viewer, Role::Member, Role::Admin]
                .iter()
                .position(|role| *role == least);
            let may = least.is_some_and(|least| rank >= least);
            let changed = rows(&hub.store).await != before;
            if refused == may || changed != (may && method == "POST") {
                wrong.push(format!(
                    "{role:?} {method} {path}: refused {refused}, changed {changed}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_first_visitor_makes_the_owner_and_nobody_else_can() {
    let world = World::with(Setup {
        nobody: true,
        ..Setup::default()
    })
    .await;
    let browser = world.browser();
    for path in ["/", "/sign-in", ACCOUNT, "/connect/sandbox"] {
        assert_eq!(
            location(&browser.get(path).await).path(),
            "/setup",
            "{path}"
        );
    }
    assert_eq!(browser.get("/setup").await.status(), StatusCode::OK);
    let owners = futures::future::join_all((0..20).map(async |number: usize| {
        let browser = world.browser();
        let (email, shop) = (
            format!("owner{number}@example.com"),
            format!("Shop {number}"),
        );
        let form = [
            ("organisation", &*shop),
            ("name", "Owner"),
            ("email", &*email),
            ("password", "blue kettle sings"),
        ];
        let answer = browser.post("/api/set_up", &form).await;
        location(&answer).path() == "/" && browser.get(ACCOUNT).await.status() == StatusCode::OK
    }));
    assert_eq!(owners.await.into_iter().filter(|owner| *owner).count(), 1);
    assert_eq!(rows(&world.app.hub.store).await["person"].len(), 1);
    assert_eq!(location(&browser.get("/setup").await).path(), "/sign-in");
    let late = [
        ("organisation", "Evil"),
        ("name", "Eve"),
        ("email", EMAIL),
        ("password", "blue kettle sings"),
    ];
    let answer = browser.post("/api/set_up", &late).await;
    assert_eq!(location(&answer).path(), "/sign-in");
    assert!(flash(&answer).contains("exists already"));
    assert_eq!(rows(&world.app.hub.store).await["person"].len(), 1);
}

#[tokio::test]
async fn strangers_are_led_to_sign_in_and_back() {
    let world = World::new().await;
    let browser = world.browser();
    for path in [
        ACCOUNT,
        "/connect/sandbox",
        "/settings/provider-apps/shopify",
    ] {
        let target = location(&browser.get(path).await);
        assert_eq!(target.path(), "/sign-in");
        let next = target
            .query_pairs()
            .find(|(name, _)| name == "next")
            .expect("where they wanted to go")
            .1;
        assert_eq!(next, path);
        let form = [("email", EMAIL), ("password", PASSWORD), ("next", &next)];
        assert_eq!(
            location(&world.browser().post("/api/sign_in", &form).await).path(),
            path
        );
    }
    for path in ["/api/view/hub", "/events"] {
        assert_eq!(
            browser.get(path).await.status(),
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
    let answer = browser
        .post_json("/connections/sandbox/prepare", json!({}))
        .await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookies_is_told_so_and_nobody_is_signed_in() {
    let world = World::new().await;
    let form = format!("email={EMAIL}&password={PASSWORD}");
    let post = async |cookies: Option<&str>| {
        let request = world.browser().http.post(world.url("/api/sign_in"));
        let request = request
            .header("origin", world.browser().origin())
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate")
            .header("content-type", "application/x-www-form-urlencoded");
        let request = match cookies {
            Some(cookies) => request.header("cookie", cookies),
            None => request,
        };
        request.body(form.replace(' ', "+")).send().await.unwrap()
    };
    let page = world.browser().get("/sign-in").await;
    let kept = cookie(&page, "linkwell-cookies").expect("a cookie that can be missed");
    let refused = post(None).await;
    assert_eq!(location(&refused), world.url("/sign-in?because=AUTH_003"));
    assert_eq!(cookie(&refused, "linkwell-session"), None);
    let page = world.browser().get(location(&refused)).await;
    let page = page.text().await.unwrap();
    assert!(
        page.contains("This browser cannot finish the sign-in"),
        "{page}"
    );
    assert!(page.contains("Cookies are off here"), "{page}");
    let welcomed = post(Some(&format!("linkwell-cookies={kept}"))).await;
    assert_eq!(location(&welcomed), world.url("/"));
}
