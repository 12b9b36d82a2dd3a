//! Which requests may change something: rows 12, 23 and 24 of the security
//! checks, over every route there is.

use std::collections::{BTreeMap, BTreeSet};

use hub::{
    people::Scope,
    store::{ConnectionId, FlowId, Store},
    tell::NewWebhook,
};
use leptos::server_fn::axum::server_fn_paths;
use reqwest::{Method, RequestBuilder, StatusCode};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use serde_json::json;

use crate::harness::{Browser, EMAIL, HostApp, PASSWORD, TENANT, World, location};

/// What a request carries; `<connection>` and the like stand for [`Things`].
#[derive(Clone, Copy)]
pub enum Body {
    Nothing,
    Form(&'static str),
    Json(&'static str),
}

use Body::{Form, Json, Nothing};

impl Body {
    fn text(self) -> &'static str {
        match self {
            Nothing => "",
            Form(text) | Json(text) => text,
        }
    }
}

/// What cannot even be tried: the field is empty.
const ENTERED: &str = r#"{"provider":"stripe","config":{}}"#;
const LINK: &str = r#"{"connection":"<connection>"}"#;
const RUN: &str = r#"{"connection":"<connection>","action":"orders.update"}"#;
const CHANGE: &str = r#"{"display_name":"Stolen"}"#;

/// Every route, with a body that it would accept. Compared with the router
/// itself, so that a route cannot be added without being tested.
pub const ROUTES: &[(&str, &str, Body)] = &[
    ("GET", "/", Nothing),
    ("GET", "/api/view/bell", Nothing),
    ("GET", "/api/view/connection/{id}", Nothing),
    ("GET", "/notices", Nothing),
    ("GET", "/settings/notices", Nothing),
    ("GET", "/api/view/flow/{handle}", Nothing),
    ("GET", "/api/view/hub", Nothing),
    ("GET", "/assets/{file}", Nothing),
    ("GET", "/connect/{provider}", Nothing),
    ("POST", "/connect/{provider}", Form("field.api_key=x")),
    ("GET", "/connect/{provider}/request", Nothing),
    ("GET", "/hooks/{app}", Nothing),
    ("POST", "/hooks/{app}", Json("{}")),
    ("DELETE", "/oauth/callback/{app}", Json("{}")),
    ("GET", "/connections/{id}", Nothing),
    ("GET", "/connections/{id}/clear", Nothing),
    ("GET", "/settings/connections", Nothing),
    ("GET", "/connections/{id}/disconnect", Nothing),
    ("GET", "/connections/{id}/preview", Nothing),
    ("GET", "/settings/members/{id}", Nothing),
    ("GET", "/settings/members/{id}/remove", Nothing),
    ("GET", "/settings/webhooks/{id}/secret", Nothing),
    (
        "POST",
        "/connections/{id}/mapping",
        Form("column.0=id&name.0=stolen"),
    ),
    ("GET", "/events", Nothing),
    ("GET", "/guest", Nothing),
    ("GET", "/guest/connect/{provider}", Nothing),
    ("POST", "/guest/connect/{provider}", Form("field.api_key=x")),
    ("GET", "/guest/done", Nothing),
    ("GET", "/guest/start/{provider}", Nothing),
    ("POST", "/guest/start/{provider}", Form("var.shop=x")),
    ("GET", "/link/{secret}", Nothing),
    ("POST", "/link/{secret}", Nothing),
    ("GET", "/favicon.ico", Nothing),
    ("GET", "/flows/ended", Nothing),
    ("GET", "/flows/{id}", Nothing),
    ("GET", "/healthz", Nothing),
    ("GET", "/oauth/callback/{app}", Nothing),
    ("GET", "/oauth/start/{provider}", Nothing),
    ("GET", "/readyz", Nothing),
    ("GET", "/robots.txt", Nothing),
    ("GET", "/runs", Nothing),
    ("GET", "/settings/account", Nothing),
    ("GET", "/settings/account/delete", Nothing),
    ("GET", "/settings/api-keys", Nothing),
    ("GET", "/settings/metrics", Nothing),
    ("POST", "/api/record_attempts", Form("on=false")),
    ("GET", "/metrics", Nothing),
    ("GET", "/v1/providers/{id}/connection", Nothing),
    ("GET", "/settings/policies", Nothing),
    (
        "POST",
        "/api/switch_policy",
        Form("name=no_write_if_scope_missing&on=false"),
    ),
    ("GET", "/settings/provider-apps", Nothing),
    ("GET", "/settings/provider-apps/{app}", Nothing),
    ("GET", "/connections/{id}/delete", Nothing),
    ("GET", "/settings/members", Nothing),
    ("POST", "/api/change_role", Form("id=<person>&role=viewer")),
    ("POST", "/api/remove_member", Form("id=<person>")),
    ("GET", "/settings/organisation", Nothing),
    ("POST", "/settings/organisation/export", Form("current=")),
    ("GET", "/settings/audit", Nothing),
    ("POST", "/settings/audit/export", Form("format=csv")),
    ("GET", "/settings/webhooks", Nothing),
    (
        "POST",
        "/settings/webhooks",
        Form("url=https%3A%2F%2Fevil.example%2F"),
    ),
    ("POST", "/settings/webhooks/{id}/secret", Form("current=")),
    ("POST", "/api/test_webhook", Form("id=<webhook>")),
    ("POST", "/api/revive_webhook", Form("id=<webhook>")),
    ("POST", "/api/replay_webhook", Form("id=<webhook>&after=0")),
    ("POST", "/api/remove_webhook", Form("id=<webhook>")),
    ("GET", "/setup", Nothing),
    ("GET", "/sign-in", Nothing),
    ("GET", "/v1/catalog", Nothing),
    ("GET", "/v1/catalog/{id}", Nothing),
    ("POST", "/v1/connect-links", Json(LINK)),
    ("GET", "/v1/connect-links/{id}", Nothing),
    ("GET", "/{*rest}", Nothing),
    ("GET", "/v1/{*rest}", Nothing),
    ("POST", "/v1/{*rest}", Nothing),
    ("DELETE", "/v1/{*rest}", Nothing),
    ("PATCH", "/v1/{*rest}", Nothing),
    ("PUT", "/v1/{*rest}", Nothing),
    ("GET", "/.well-known/jwks.json", Nothing),
    ("GET", "/v1/docs", Nothing),
    ("GET", "/v1/openapi.json", Nothing),
    ("GET", "/v1/runs", Nothing),
    ("POST", "/v1/runs", Json(RUN)),
    ("GET", "/v1/runs/{id}", Nothing),
    (
        "POST",
        "/v1/runs/{id}/finish",
        Json(r#"{"status":"cancelled"}"#),
    ),
    ("POST", "/v1/runs/{id}/token", Nothing),
    ("POST", "/v1/tokens", Nothing),
    ("GET", "/v1/connectors", Nothing),
    ("GET", "/v1/connectors/{id}", Nothing),
    ("GET", "/v1/connectors/{id}/token", Nothing),
    ("GET", "/v1/connectors/{id}/preview", Nothing),
    (
        "POST",
        "/v1/connectors",
        Json(r#"{"provider":"github","credential":{"access_token":"x"}}"#),
    ),
    ("POST", "/v1/connectors/test", Json(ENTERED)),
    ("POST", "/v1/connectors/{id}/test", Nothing),
    ("POST", "/v1/connectors/{id}/pause", Nothing),
    ("POST", "/v1/connectors/{id}/resume", Nothing),
    ("POST", "/v1/connectors/{id}/sync", Nothing),
    ("GET", "/v1/connectors/{id}/syncs", Nothing),
    ("POST", "/v1/connections/{id}/pause", Nothing),
    ("POST", "/v1/connections/{id}/resume", Nothing),
    ("POST", "/v1/connections/{id}/sync", Nothing),
    ("GET", "/v1/connections/{id}/syncs", Nothing),
    ("GET", "/v1/events", Nothing),
    ("PATCH", "/v1/connectors/{id}", Json(CHANGE)),
    ("DELETE", "/v1/connectors/{id}", Nothing),
    ("POST", "/v1/connections/test", Json(ENTERED)),
    ("POST", "/v1/connections/{id}/test", Nothing),
    ("PATCH", "/v1/connections/{id}", Json(CHANGE)),
    ("GET", "/v1/connections", Nothing),
    ("GET", "/v1/connections/{id}", Nothing),
    ("GET", "/v1/connections/{id}/token", Nothing),
    ("GET", "/v1/connections/{id}/preview", Nothing),
    (
        "POST",
        "/api/ask_to_repair",
        Form("id=<connection>&person=<connection>"),
    ),
    ("POST", "/api/read_notices", Nothing),
    ("POST", "/api/save_mail_choices", Form("pace=none")),
    ("POST", "/api/tell_when_it_works", Form("id=<connection>")),
    (
        "POST",
        "/api/change_password",
        Form("current=a%20long%20enough%20secret&new=blue%20kettle%20sings"),
    ),
    ("POST", "/api/check_connection", Form("id=<connection>")),
    ("POST", "/api/clear_connection", Form("id=<connection>")),
    ("POST", "/api/repair_connection", Form("id=<connection>")),
    (
        "POST",
        "/api/disconnect_connection",
        Form("id=<connection>"),
    ),
    ("POST", "/api/pause_connection", Form("id=<connection>")),
    ("POST", "/api/resume_connection", Form("id=<connection>")),
    ("POST", "/api/remove_connection", Form("id=<connection>")),
    ("POST", "/api/remove_provider_app", Form("app=shopify")),
    (
        "POST",
        "/api/rename_connection",
        Form("id=<connection>&name=Stolen"),
    ),
    ("POST", "/api/revoke_api_key", Form("id=<key>")),
    (
        "POST",
        "/api/save_profile",
        Form("name=Eve&email=ana%40example.com"),
    ),
    (
        "POST",
        "/api/save_provider_app",
        Form("app=github&client_id=evil&client_secret=evil"),
    ),
    (
        "POST",
        "/api/set_sync_frequency",
        Form("id=<connection>&frequency=daily"),
    ),
    ("POST", "/api/set_theme", Form("theme=dark")),
    ("POST", "/api/sync_connection", Form("id=<connection>")),
    (
        "POST",
        "/api/set_up",
        Form("organisation=Evil&name=Eve&email=eve%40evil.example&password=blue%20kettle%20sings"),
    ),
    (
        "POST",
        "/api/sign_in",
        Form("email=ana%40example.com&password=a%20long%20enough%20secret"),
    ),
    ("POST", "/api/sign_out", Nothing),
    ("POST", "/api/sign_out_everywhere", Nothing),
    ("POST", "/api/wish", Form("wish=Etsy")),
    ("POST", "/connections/{id}/disconnect", Nothing),
    ("POST", "/connections/{id}/prepare", Json("{}")),
    ("POST", "/flows/{id}/cancel", Nothing),
    ("POST", "/flows/{id}/organisation", Form("organisation=one")),
    ("POST", "/flows/{id}/other-account", Form("answer=add")),
    ("POST", "/oauth/handover/{app}", Json("{}")),
    ("GET", "/oauth/launch/{app}", Nothing),
    (
        "POST",
        "/oauth/callback/{app}",
        Form("code=stolen&state=stolen"),
    ),
    ("POST", "/oauth/start/{provider}", Form("popup=1")),
    (
        "POST",
        "/settings/api-keys",
        Form("name=Evil&scope=tokens%3Aread"),
    ),
    (
        "POST",
        "/v1/connections",
        Json(r#"{"provider":"github","credential":{"access_token":"x"}}"#),
    ),
    ("DELETE", "/v1/connections/{id}", Nothing),
    ("POST", "/api/delete_account", Form("current=")),
    // Last: nothing is left after it.
    (
        "POST",
        "/settings/organisation/delete",
        Form("name=Ana's%20shop"),
    ),
];

/// The routes that other sites may post to: some providers send people back
/// that way, and the flow's state guards it; what they tell unasked is signed.
const POSTED_TO_BY_PROVIDERS: [&str; 3] = [
    "/oauth/callback/{app}",
    "/oauth/handover/{app}",
    "/hooks/{app}",
];

/// Method and path of every route, as the router itself tells them.
pub fn served(world: &World) -> BTreeSet<(String, String)> {
    let shown = format!("{:?}", world.app.router());
    let (routes, _) = shown.split_once("fallback_router: ").expect("a router");
    let mut methods = BTreeMap::new();
    let mut paths = BTreeMap::new();
    for part in routes.split("RouteId(").skip(1) {
        let (id, rest) = part.split_once("): ").expect("a route");
        if let Some(path) = rest.strip_prefix('"') {
            paths.insert(id, path.split('"').next().expect("a path"));
        } else {
            let (_, allow) = rest.split_once("allow_header: Bytes(b\"").expect("methods");
            methods.insert(id, allow.split('"').next().expect("methods"));
        }
    }
    assert_eq!(methods.len(), paths.len());
    methods
        .iter()
        .flat_map(|(id, methods)| methods.split(',').map(move |method| (method, *id)))
        .filter(|(method, _)| *method != "HEAD")
        .map(|(method, id)| (method.to_owned(), paths[id].to_owned()))
        .collect()
}

/// Makes a link; its id, and what opens it.
pub async fn make_link(host: &HostApp, asked: serde_json::Value) -> (String, String) {
    let answer = host.post("/v1/connect-links", asked).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let link: serde_json::Value = answer.json().await.expect("JSON");
    let url = link["url"].as_str().expect("an address");
    let (_, secret) = url.rsplit_once('/').expect("an address");
    (
        link["id"].as_str().expect("an id").to_owned(),
        secret.to_owned(),
    )
}

/// Begins a run with a connection; its id.
pub async fn make_run(host: &HostApp, connection: &str, action: &str) -> String {
    let body = json!({ "connection": connection, "action": action });
    let answer = host.post("/v1/runs", body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let run: serde_json::Value = answer.json().await.expect("JSON");
    run["id"].as_str().expect("an id").to_owned()
}

/// Ids that routes are about.
pub struct Things {
    pub connection: String,
    pub flow: String,
    pub handle: String,
    pub key: String,
    pub webhook: String,
    /// Another member.
    pub person: String,
    pub link: String,
    pub run: String,
    /// What opens the link.
    pub link_secret: String,
}

impl Things {
    /// One of each, of the world's own member.
    pub async fn of(world: &World, browser: &Browser) -> Self {
        let connection = world.connect().await.to_string();
        let handle = FlowId::new().to_string();
        let prepared = browser
            .prepare("sandbox", json!({ "handle": handle }))
            .await;
        let hub = &world.app.hub;
        let (key, _) = hub
            .create_api_key(world.member(), "Till", &[Scope::TokensRead], "")
            .await
            .expect("a key");
        hub.set_provider_app(
            world.member(),
            "shopify",
            "id",
            Some(hub::secret::Secret::new("s")),
            &Default::default(),
        )
        .await
        .expect("a provider app");
        let new = NewWebhook {
            url: "https://example.com/hooks",
            kinds: &[],
        };
        let webhook = hub.add_webhook(world.member(), new).await;
        let password = hub::secret::Secret::new(PASSWORD);
        let other = hub
            .create_user(TENANT, "kim@example.com", "Kim", password)
            .await
            .expect("another member");
        let host = world.any_host().await;
        let (link, link_secret) = make_link(&host, json!({ "providers": ["sandbox"] })).await;
        Self {
            run: make_run(&host, &connection, "orders.update").await,
            webhook: webhook.expect("a webhook").0.id.to_string(),
            person: other.person().to_string(),
            connection,
            flow: prepared["flow_id"].as_str().expect("an id").to_owned(),
            handle,
            key: key.id.to_string(),
            link,
            link_secret,
        }
    }

    /// Ids of nothing at all.
    pub fn nowhere() -> Self {
        let id = || ConnectionId::new().to_string();
        Self {
            connection: id(),
            flow: id(),
            handle: id(),
            key: id(),
            webhook: id(),
            person: id(),
            link: id(),
            run: id(),
            link_secret: id(),
        }
    }

    /// A route's address.
    pub fn path(&self, route: &str) -> String {
        let id = match route {
            "/settings/webhooks/{id}/secret" => &self.webhook,
            "/v1/providers/{id}/connection" => "sandbox",
            "/v1/catalog/{id}" | "/connections/{id}/prepare" => "sandbox",
            "/flows/{id}/cancel" => &self.handle,
            "/v1/connect-links/{id}" => &self.link,
            route if route.starts_with("/settings/members/") => &self.person,
            route if route.starts_with("/v1/runs/") => &self.run,
            route if route.starts_with("/flows/") => &self.flow,
            _ => &self.connection,
        };
        [
            ("{id}", id),
            ("{secret}", &self.link_secret),
            ("{provider}", "sandbox"),
            ("{app}", "shopify"),
            ("{file}", "none.css"),
        ]
        .into_iter()
        .fold(
            route.replace("{handle}", &self.handle),
            |path, (name, value)| path.replace(name, value),
        )
    }

    pub fn text(&self, body: &str) -> String {
        body.replace("<connection>", &self.connection)
            .replace("<key>", &self.key)
            .replace("<webhook>", &self.webhook)
            .replace("<person>", &self.person)
    }

    /// A request to a route, with its body.
    pub fn request(
        &self,
        browser: &Browser,
        method: &str,
        route: &str,
        body: Body,
    ) -> RequestBuilder {
        let url = browser.base.join(&self.path(route)).expect("an address");
        let request = browser.http.request(method.parse().expect("a method"), url);
        match body {
            Nothing => request,
            Form(text) => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(self.text(text)),
            Json(text) => request
                .header("content-type", "application/json")
                .body(self.text(text)),
        }
    }
}

/// Every row of every table as text, in a form in which a change shows.
pub async fn rows(store: &Store) -> BTreeMap<String, BTreeSet<String>> {
    let backend = store.db().get_database_backend();
    let texts = async |sql: String| -> Vec<String> {
        let rows = store
            .db()
            .query_all_raw(Statement::from_string(backend, sql))
            .await;
        let rows = rows.expect("rows");
        rows.iter()
            .map(|row| row.try_get_by_index(0).expect("text"))
            .collect()
    };
    let is_postgres = backend == DatabaseBackend::Postgres;
    let tables = texts(match is_postgres {
        true => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'".into(),
        false => "SELECT name FROM sqlite_master WHERE type = 'table'".into(),
    });
    let mut all = BTreeMap::new();
    for table in tables.await {
        // That something was refused is written down, too.
        if table.starts_with("audit_") {
            continue;
        }
        let row = if is_postgres {
            "row_to_json(t)::text".to_owned()
        } else {
            let columns = texts(format!("SELECT name FROM pragma_table_info('{table}')")).await;
            let quoted: Vec<_> = columns
                .iter()
                .map(|column| format!("quote(\"{column}\")"))
                .collect();
            quoted.join(" || ' ' || ")
        };
        let rows = texts(format!("SELECT {row} FROM \"{table}\" t")).await;
        all.insert(table, rows.into_iter().collect());
    }
    assert!(all.len() > 10, "every table: {:?}", all.keys());
    all
}

#[tokio::test]
async fn every_route_is_in_the_table() {
    let world = World::new().await;
    let listed: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(listed, served(&world));
    for (path, method) in server_fn_paths() {
        assert_eq!(
            method,
            Method::POST,
            "{path} changes something, so it is posted to"
        );
        assert!(listed.contains(&("POST".into(), path.into())), "{path}");
    }
}

#[tokio::test]
async fn row_23_asvs_3_5_1_no_other_site_changes_anything() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let things = Things::of(&world, &browser).await;
    let ours = browser.origin();
    let changing = || {
        ROUTES
            .iter()
            .filter(|(method, path, _)| *method != "GET" && !POSTED_TO_BY_PROVIDERS.contains(path))
    };
    let not_ours: [&[(&str, &str)]; 7] = [
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", &ours), ("sec-fetch-site", "cross-site")],
        &[("origin", &ours), ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("referer", &ours)],
    ];
    let before = rows(&world.app.hub.store).await;
    let calls = world.shop.calls();
    for (method, path, body) in changing() {
        for headers in not_ours {
            let request = things.request(&browser, method, path, *body);
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            });
            let answer = request.send().await.unwrap();
            assert_eq!(
                answer.status(),
                StatusCode::FORBIDDEN,
                "{method} {path} {headers:?}"
            );
        }
        let plain = things
            .request(&browser, method, path, Nothing)
            .header("origin", &ours)
            .header("content-type", "text/plain")
            .body(things.text(body.text()));
        assert_eq!(
            plain.send().await.unwrap().status(),
            StatusCode::FORBIDDEN,
            "{method} {path}"
        );
        assert_eq!(rows(&world.app.hub.store).await, before, "{method} {path}");
    }
    assert_eq!(
        world.shop.calls(),
        calls,
        "no provider was asked for anything"
    );
    // It was the gate that refused: from our own pages the same requests arrive.
    for (method, path, body) in changing() {
        let request = things
            .request(&browser, method, path, *body)
            .header("origin", &ours);
        assert_ne!(
            request.send().await.unwrap().status(),
            StatusCode::FORBIDDEN,
            "{method} {path}"
        );
    }
    assert_ne!(rows(&world.app.hub.store).await, before);
}

#[tokio::test]
async fn row_23_what_a_provider_posts_changes_nothing_without_its_flow() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let things = Things::of(&world, &browser).await;
    let before = rows(&world.app.hub.store).await;
    for site in ["cross-site", "same-site", "none", "same-origin"] {
        let answer = things
            .request(
                &browser,
                "POST",
                POSTED_TO_BY_PROVIDERS[0],
                Form("code=stolen&state=stolen"),
            )
            .header("sec-fetch-site", site)
            .send()
            .await
            .unwrap();
        assert!(
            answer.status().is_success() || answer.status().is_redirection(),
            "{site}"
        );
        assert_eq!(rows(&world.app.hub.store).await, before, "{site}");
    }
}

#[tokio::test]
async fn row_24_asvs_3_5_3_looking_changes_nothing() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let things = Things::of(&world, &browser).await;
    let host = world.any_host().await;
    let before = rows(&world.app.hub.store).await;
    let calls = world.shop.calls();
    for (_, path, body) in ROUTES {
        // What a form posts, asked for by an address instead.
        let query = match body {
            Form(text) => things.text(text),
            Nothing | Json(_) => "code=stolen&state=stolen&popup=1".into(),
        };
        for method in ["GET", "HEAD"] {
            let mut request = things.request(&browser, method, path, Nothing);
            if path.starts_with("/v1/") {
                request = request.bearer_auth(&host.key);
            }
            let mut request = request
                .header("x-http-method-override", "POST")
                .build()
                .unwrap();
            request.url_mut().set_query(Some(&query));
            let answer = browser.http.execute(request).await.unwrap();
            assert!(
                !answer.status().is_server_error(),
                "{method} {path}: {}",
                answer.status()
            );
            assert_eq!(rows(&world.app.hub.store).await, before, "{method} {path}");
        }
    }
    // A look at the data reads it, and does nothing else there.
    let read = world.shop.calls();
    let besides = sandbox::Calls {
        api_calls: calls.api_calls,
        access_token_uses: calls.access_token_uses.clone(),
        ..read
    };
    assert_eq!(besides, calls);
}

/// What an address may lead to once somebody has signed in.
const ELSEWHERE: [&str; 22] = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "HTTPS://evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    "https://ana@evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\r\nset-cookie: a=b",
    "/\u{3002}\u{3002}/evil.example",
    "//evil\u{3002}example",
    "\u{ff0f}\u{ff0f}evil.example",
    "/\0/evil.example",
    " //evil.example",
];

#[tokio::test]
async fn row_12_asvs_3_7_2_signing_in_leads_to_this_site_only() {
    let world = World::new().await;
    let form = |next| [("email", EMAIL), ("password", PASSWORD), ("next", next)];
    let browser = world.browser();
    for next in ELSEWHERE {
        let answer = browser.post("/api/sign_in", &form(next)).await;
        assert_eq!(answer.headers()["location"], "/", "{next:?}");
        assert!(!answer.headers().contains_key("a"), "{next:?}");
        world.advance(chrono::TimeDelta::hours(1));
    }
    // Percent signs mean nothing in a redirect, and a userinfo needs a host.
    for next in [
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "/@evil.example",
        "/.//evil.example",
        "/a/..//evil.example",
    ] {
        let answer = browser.post("/api/sign_in", &form(next)).await;
        assert_eq!(
            location(&answer).origin(),
            browser.base.origin(),
            "{next:?}"
        );
        world.advance(chrono::TimeDelta::hours(1));
    }
    let answer = browser
        .post("/api/sign_in", &form("/connect/sandbox?connection=1"))
        .await;
    assert_eq!(
        answer.headers()["location"],
        "/connect/sandbox?connection=1"
    );
}

#[tokio::test]
async fn row_12_no_other_redirect_leaves_this_site() {
    let world = World::new().await;
    let stranger = world.browser();
    let wrong = [
        ("email", EMAIL),
        ("password", "wrong"),
        ("next", "//evil.example"),
    ];
    assert_eq!(
        stranger.post("/api/sign_in", &wrong).await.headers()["location"],
        "/sign-in"
    );
    for path in [
        "//evil.example/",
        "//evil.example/%2e%2e",
        "/\\evil.example",
        "/oauth/start/..%2f..%2f%2fevil.example",
    ] {
        let answer = stranger
            .http
            .get(format!("{}{path}", stranger.origin()))
            .send()
            .await
            .unwrap();
        if answer.status().is_redirection() {
            assert_eq!(location(&answer).origin(), stranger.base.origin(), "{path}");
        }
    }
    for referer in [
        "https://evil.example//evil.example/",
        "https://evil.example/\\evil.example",
        "//evil.example",
    ] {
        let answer = stranger
            .http
            .post(world.url("/api/set_theme"))
            .header("origin", stranger.origin())
            .header("referer", referer)
            .form(&[("theme", "dark")])
            .send()
            .await
            .unwrap();
        assert_eq!(
            location(&answer).origin(),
            stranger.base.origin(),
            "{referer}"
        );
    }
}
