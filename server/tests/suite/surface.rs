//! What answers carry and to whom: rows 22, 25 to 27 and 36 of the security
//! checks.

use hub::{
    people::{Member, Scope},
    secret::Secret,
    store::FlowId,
    tell::NewWebhook,
};
use reqwest::{Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::{
    gate::{Body, ROUTES, Things, make_link, make_run, rows},
    harness::{EMAIL, HostApp, PASSWORD, Setup, World},
};

const HTTPS: &str = "https://hub.example.com/";

/// A hub that people reach by https, and one by http.
async fn both() -> [World; 2] {
    let https = Setup {
        public_url: Some(HTTPS.parse().unwrap()),
        ..Setup::default()
    };
    [World::with(https).await, World::new().await]
}

/// Asks as a browser does that came by the hub's public address: with these
/// cookies, from a page of the hub.
async fn ask(
    world: &World,
    cookies: &str,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> Response {
    let request = world
        .browser()
        .http
        .request(method.parse().unwrap(), world.url(path))
        .header("sec-fetch-site", "same-origin")
        .header("cookie", cookies);
    let request = match body {
        Some(body) => request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned()),
        None => request,
    };
    request.send().await.unwrap()
}

fn set_cookies(answer: &Response) -> Vec<String> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    cookies
        .map(|cookie| cookie.to_str().unwrap().to_owned())
        .collect()
}

/// Signs in; answers the cookies, as they are sent back.
async fn sign_in(world: &World) -> String {
    let form = format!("email={EMAIL}&password={}", PASSWORD.replace(' ', "+"));
    let answer = ask(world, "", "POST", "/api/sign_in", Some(&form)).await;
    let cookies = set_cookies(&answer);
    let pairs: Vec<_> = cookies
        .iter()
        .map(|cookie| cookie.split(';').next().unwrap())
        .collect();
    pairs.join("; ")
}

#[tokio::test]
async fn row_22_asvs_3_3_every_cookie_is_guarded() {
    for world in both().await {
        let is_https = world.app.hub.public_url.scheme() == "https";
        let signed_in = sign_in(&world).await;
        let asked = json!({ "providers": ["sandbox"] });
        let (_, secret) = make_link(&world.any_host().await, asked).await;
        let link = format!("/link/{secret}");
        let forms = [
            (&*link, ""),
            ("/api/set_theme", "theme=dark"),
            ("/api/rename_connection", "id=none&name=x"),
            ("/settings/api-keys", "name=x"),
            ("/oauth/start/sandbox", "popup=1"),
            ("/api/save_profile", "name=x&email=y"),
            ("/api/sign_out", ""),
            ("/api/sign_in", "email=ana%40example.com&password=wrong"),
            (
                "/api/sign_in",
                "email=ana%40example.com&password=a+long+enough+secret",
            ),
        ];
        let mut seen = Vec::new();
        for (path, body) in forms {
            let answer = ask(&world, &signed_in, "POST", path, Some(body)).await;
            // Taking one away is setting one, too.
            let flash = set_cookies(&answer)
                .into_iter()
                .find(|cookie| cookie.contains("flash="));
            if let Some(flash) = &flash {
                let page = ask(
                    &world,
                    flash.split(';').next().unwrap(),
                    "GET",
                    "/sign-in",
                    None,
                )
                .await;
                seen.extend(set_cookies(&page));
            }
            seen.extend(set_cookies(&answer));
        }
        let name = |cookie: &String| {
            let name = cookie
                .split('=')
                .next()
                .unwrap()
                .trim_start_matches("__Host-");
            name.split_inclusive('-').take(2).collect::<String>()
        };
        let names: std::collections::BTreeSet<_> = seen.iter().map(name).collect();
        assert_eq!(
            names.iter().map(String::as_str).collect::<Vec<_>>(),
            [
                "linkwell",
                "linkwell-device",
                "linkwell-flash",
                "linkwell-flow-",
                "linkwell-guest",
                "linkwell-theme"
            ],
        );
        let mut unguarded = Vec::new();
        for cookie in seen {
            let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
            let has = |attribute| attributes.contains(&attribute);
            let guarded = has("HttpOnly")
                && has("Path=/")
                && !cookie.contains("Domain")
                && (has("SameSite=Lax") || has("SameSite=Strict"));
            let by_https = has("Secure") && cookie.starts_with("__Host-");
            if !guarded || by_https != is_https {
                unguarded.push(cookie);
            }
        }
        assert!(unguarded.is_empty(), "{unguarded:#?}");
    }
}

fn said<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    assert!(
        headers.get_all(name).iter().count() <= 1,
        "{name} is said once"
    );
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// What a policy says about one kind of thing.
fn directive<'p>(policy: &'p str, name: &str) -> &'p str {
    policy
        .split(';')
        .find_map(|directive| directive.trim().strip_prefix(name))
        .unwrap_or_else(|| panic!("no {name} in {policy}"))
        .trim()
}

#[tokio::test]
async fn rows_25_to_27_asvs_3_4_every_answer_says_how_it_may_be_used() {
    for world in both().await {
        let things = Things::nowhere();
        let cookies = sign_in(&world).await;
        let mut nonces = Vec::new();
        for (method, route, _) in ROUTES {
            for cookies in ["", &cookies] {
                let path = things.path(route);
                let answer = ask(&world, cookies, method, &path, None).await;
                let headers = answer.headers();
                let shown = format!("{method} {path} {}", answer.status());
                let is_page = said(headers, "content-type").starts_with("text/html");

                assert_eq!(
                    said(headers, "x-content-type-options"),
                    "nosniff",
                    "{shown}"
                );
                let is_for_all =
                    ["/robots.txt", "/favicon.ico", "/.well-known/jwks.json"].contains(&&*path);
                assert_eq!(
                    said(headers, "cache-control") == "no-store",
                    !is_for_all,
                    "{shown}"
                );
                let referrer = match path.starts_with("/oauth/") || path.starts_with("/link/") {
                    true => "no-referrer",
                    false => "same-origin",
                };
                assert_eq!(said(headers, "referrer-policy"), referrer, "{shown}");
                for feature in ["camera", "geolocation", "microphone", "payment", "usb"] {
                    let denied =
                        said(headers, "permissions-policy").contains(&format!("{feature}=()"));
                    assert!(denied, "{shown}: {feature}");
                }
                let transport = said(headers, "strict-transport-security");
                let is_https = world.app.hub.public_url.scheme() == "https";
                assert_eq!(
                    transport.starts_with("max-age=63072000"),
                    is_https,
                    "{shown}"
                );
                // The page of a flow must still reach the one that opened it.
                let in_own_window = ["/oauth/", "/flows/", "/link/", "/guest"]
                    .iter()
                    .any(|start| route.starts_with(start));
                let opener = match is_page && !in_own_window {
                    true => "same-origin-allow-popups",
                    false => "",
                };
                assert_eq!(
                    said(headers, "cross-origin-opener-policy"),
                    opener,
                    "{shown}"
                );
                let policy = said(headers, "content-security-policy");
                for name in ["default-src", "base-uri", "frame-ancestors"] {
                    assert_eq!(directive(policy, name), "'none'", "{shown}");
                }
                assert!(
                    !policy.contains("'unsafe-inline'") && !policy.contains("'unsafe-eval'"),
                    "{shown}"
                );
                if !is_page {
                    assert_eq!(directive(policy, "form-action"), "'none'", "{shown}");
                    continue;
                }
                assert_eq!(directive(policy, "form-action"), "'self'", "{shown}");
                let nonce = directive(policy, "script-src")
                    .split('\'')
                    .find_map(|word| word.strip_prefix("nonce-"));
                let nonce = nonce.map(str::to_owned);
                let page = answer.text().await.unwrap();
                // A script stands in a file of ours or carries the answer's nonce.
                for script in page.split("<script").skip(1) {
                    let tag = script.split('>').next().unwrap();
                    let ours = tag.contains("src=\"/")
                        || nonce
                            .as_ref()
                            .is_some_and(|nonce| tag.contains(nonce.as_str()));
                    assert!(ours, "{shown}: <script{tag}>");
                }
                nonces.extend(nonce);
            }
        }
        let count = nonces.len();
        assert!(count >= 9, "{count} pages with islands");
        assert!(nonces.iter().all(|nonce| nonce.len() >= 22), "128 bits");
        nonces.sort_unstable();
        nonces.dedup();
        assert_eq!(nonces.len(), count, "no nonce is used twice");
    }
}

/// Somebody of another tenant, with one of everything.
pub async fn neighbour(world: &World) -> (Member, Things, HostApp) {
    let hub = &world.app.hub;
    let email = "bo@example.com";
    let bo = hub
        .create_user("Next door", email, "Bo", Secret::new(PASSWORD))
        .await
        .unwrap();
    let (key, secret) = hub
        .create_api_key(&bo, "SENTINEL key", &Scope::ALL, "")
        .await
        .unwrap();
    hub.set_provider_app(
        &bo,
        "shopify",
        "SENTINEL-app",
        Some(Secret::new("s")),
        &Default::default(),
    )
    .await
    .unwrap();
    let mut host = world.any_host().await;
    host.key = secret.expose().to_owned();
    let connection = world.import_living(&host).await;
    hub.rename(&bo, connection, "SENTINEL shop").await.unwrap();
    let browser = world.browser();
    browser.sign_in(email, PASSWORD).await;
    let handle = FlowId::new().to_string();
    let prepared = browser
        .prepare("sandbox", json!({ "handle": handle }))
        .await;
    let new = NewWebhook {
        url: "https://example.com/SENTINEL",
        kinds: &[],
    };
    let (webhook, _) = hub.add_webhook(&bo, new).await.unwrap();
    let asked = json!({ "providers": ["sandbox"], "reference": "SENTINEL person" });
    let (link, link_secret) = make_link(&host, asked).await;
    let run = make_run(&host, &connection.to_string(), "SENTINEL.update").await;
    let things = Things {
        run,
        connection: connection.to_string(),
        flow: prepared["flow_id"].as_str().unwrap().to_owned(),
        handle,
        key: key.id.to_string(),
        webhook: webhook.id.to_string(),
        person: bo.person().to_string(),
        link,
        link_secret,
    };
    (bo, things, host)
}

/// An answer without what differs from one to the next: ids and nonces.
async fn shown(answer: Response, things: &Things) -> (StatusCode, String, String) {
    let plain = |text: &str| {
        let ids = [
            &things.link,
            &things.run,
            &things.connection,
            &things.flow,
            &things.handle,
            &things.key,
            &things.webhook,
            &things.person,
        ];
        let text = ids
            .into_iter()
            .fold(text.to_owned(), |text, id| text.replace(id.as_str(), "ID"));
        let nonce = text
            .split("nonce=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        match nonce {
            Some(nonce) => text.replace(nonce, "NONCE"),
            None => text,
        }
    };
    let headers = answer.headers();
    let said = ["location", "set-cookie"].map(|name| {
        headers
            .get(name)
            .map_or(String::new(), |value| plain(value.to_str().unwrap()))
    });
    // A flow's cookie is random; that there is one tells everything.
    let said = said
        .map(|text| text.split("-flow-").next().unwrap().to_owned())
        .join(" ");
    (answer.status(), said, plain(&answer.text().await.unwrap()))
}

/// Every way in which a request can name a thing: by route, and by field.
fn naming() -> impl Iterator<Item = (&'static str, &'static str, Body)> {
    let named = |(method, path, body): &&(&str, &str, Body)| {
        *method != "DELETE" && (path.contains("{id}") || path.contains("{handle}")
            || matches!(body, Body::Form(text) | Body::Json(text) if text.contains('<')))
            // There the id is a provider's.
            && !path.starts_with("/v1/catalog") && !path.starts_with("/v1/providers")
            && !path.ends_with("/prepare")
    };
    let by_field = [
        (
            "POST",
            "/oauth/start/{provider}",
            Body::Form("connection=<connection>"),
        ),
        (
            "POST",
            "/connections/{id}/prepare",
            Body::Json(r#"{"connection":"<connection>"}"#),
        ),
        ("DELETE", "/v1/connections/{id}", Body::Nothing),
        ("DELETE", "/v1/connectors/{id}", Body::Nothing),
    ];
    ROUTES.iter().filter(named).copied().chain(by_field)
}

#[tokio::test]
async fn row_36_asvs_8_2_2_what_belongs_to_others_does_not_exist() {
    let world = World::new().await;
    let (_, theirs, _) = neighbour(&world).await;
    let browser = world.signed_in().await;
    let host = world.any_host().await;
    let before = rows(&world.app.hub.store).await;
    let nowhere = Things::nowhere();
    let mut count = 0;
    for (method, route, body) in naming() {
        let mut answers = Vec::new();
        for things in [&theirs, &nowhere] {
            let mut request = things
                .request(&browser, method, route, body)
                .header("origin", browser.origin())
                .header("accept", "text/html");
            if route.starts_with("/v1/") {
                request = request.bearer_auth(&host.key);
            }
            answers.push(shown(request.send().await.unwrap(), things).await);
        }
        assert_eq!(answers[0], answers[1], "{method} {route}");
        let (status, said, body) = &answers[0];
        assert!(
            [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY].contains(status)
                || status.is_redirection(),
            "{method} {route}: {status}"
        );
        assert!(
            !said.contains("SENTINEL") && !body.contains("SENTINEL"),
            "{method} {route}"
        );
        assert_eq!(rows(&world.app.hub.store).await, before, "{method} {route}");
        count += 1;
    }
    assert!(count >= 25, "{count} ways");
    let page = browser
        .get(format!("/connect/sandbox?connection={}", theirs.connection))
        .await;
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn row_36_no_list_and_no_page_shows_what_belongs_to_others() {
    let world = World::new().await;
    let (_, theirs, their_host) = neighbour(&world).await;
    let browser = world.signed_in().await;
    let host = world.any_host().await;
    world.import_living(&host).await;
    for (method, route, _) in ROUTES
        .iter()
        .filter(|(method, path, _)| *method == "GET" && *path != "/events")
    {
        let mut request = Things::nowhere().request(&browser, method, route, Body::Nothing);
        if route.starts_with("/v1/") {
            request = request.bearer_auth(&host.key);
        }
        let page = request.send().await.unwrap().text().await.unwrap();
        let secrets = [
            "SENTINEL",
            &theirs.connection,
            &theirs.flow,
            &theirs.handle,
            &theirs.key,
            &theirs.link,
            &theirs.run,
        ];
        assert!(
            !secrets.iter().any(|secret| page.contains(secret)),
            "{route}"
        );
    }
    let mine: Value = their_host
        .get("/v1/connections")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(mine["data"].as_array().unwrap().len(), 1);
    assert_eq!(mine["data"][0]["display_name"], "SENTINEL shop");
}

#[tokio::test]
async fn pages_are_compressed_but_not_the_one_that_shows_a_secret() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let coding = async |request: reqwest::RequestBuilder| {
        let request = request.header("accept-encoding", "gzip, br");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let coding = answer.headers().get("content-encoding").cloned();
        coding.map(|coding| coding.to_str().unwrap().to_owned())
    };
    for page in ["/", "/settings/api-keys", "/api/view/hub"] {
        let asked = coding(browser.http.get(world.url(page))).await;
        assert_eq!(asked.as_deref(), Some("br"), "{page}");
    }
    let new_key = browser
        .http
        .post(world.url("/settings/api-keys"))
        .header("origin", browser.origin())
        .form(&[("name", "Till"), ("scope", Scope::TokensRead.as_str())]);
    assert_eq!(coding(new_key).await, None);
}

#[tokio::test]
async fn a_form_that_cannot_be_read_says_so_and_nothing_of_what_is_inside() {
    let world = World::new().await;
    let signed_in = sign_in(&world).await;
    let form = "application/x-www-form-urlencoded";
    let large = format!("id=x&name={}", "x".repeat(2 * 1024 * 1024));
    let cases: [(&str, Vec<u8>, StatusCode); 5] = [
        (form, b"".to_vec(), StatusCode::BAD_REQUEST),
        (form, b"name=canary".to_vec(), StatusCode::BAD_REQUEST),
        (
            form,
            b"id=\xff\xfe&name=x".to_vec(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "application/json",
            br#"{"id":"x","name":"canary"}"#.to_vec(),
            StatusCode::BAD_REQUEST,
        ),
        (form, large.into_bytes(), StatusCode::PAYLOAD_TOO_LARGE),
    ];
    for (kind, body, status) in cases {
        // A program, and a browser, which would be led back with an error in the
        // address.
        for accept in ["*/*", "text/html"] {
            let request = world
                .browser()
                .http
                .post(world.url("/api/rename_connection"));
            let answer = request
                .header("sec-fetch-site", "same-origin")
                .header("cookie", &signed_in)
                .header("content-type", kind)
                .header("accept", accept)
                .header("referer", world.url("/").as_str())
                .body(body.clone())
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), status, "{kind} {accept}");
            for header in ["location", "serverfnerror"] {
                assert!(!answer.headers().contains_key(header), "{header}");
            }
            assert!(said(answer.headers(), "content-type").starts_with("text/html"));
            let page = answer.text().await.unwrap();
            assert!(page.contains("This form "), "{page}");
            for inner in [
                "Args|",
                "Deserialization|",
                "missing field",
                "invalid utf-8",
                "canary",
            ] {
                assert!(!page.contains(inner), "{inner}");
            }
        }
    }
}
