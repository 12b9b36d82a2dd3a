//! No secret where it does not belong: row 46 of the security checks, over
//! every log line, answer and row while everything is tried and fails.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
};

use chrono::TimeDelta;
use hub::{people::Scope, store::credential, tell::NewWebhook, vault::Place};
use reqwest::{Response, StatusCode};
use sandbox::{Endpoint, ExpiresIn, Fault, FaultKind, Garbage};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tracing::{Dispatch, subscriber::DefaultGuard};
use tracing_subscriber::{
    EnvFilter,
    fmt::{self, format::FmtSpan},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};
use url::Url;

use crate::{
    gate::{ROUTES, Things, make_link, rows},
    harness::{Browser, EMAIL, HostApp, PASSWORD, Setup, World},
    redis::{RIGHT, Redis},
};

/// A row of another company's data.
const ROW: &str = "canary-row-of-their-data";

/// Everything that is logged on this thread, which is where a test's server runs.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub fn listen() -> (Self, (DefaultGuard, Dispatch)) {
        // With a single listener, a line that another test's thread comes by
        // first would be taken for one that nobody wants to hear.
        let second = Dispatch::new(tracing_subscriber::registry());
        let log = Self::default();
        let writer = log.clone();
        let guard = tracing_subscriber::registry()
            // The cookie jar belongs to the test's own browsers.
            .with(EnvFilter::new("trace,cookie_store=off"))
            .with(
                fmt::layer()
                    .with_ansi(false)
                    .with_span_events(FmtSpan::FULL)
                    .with_writer(move || writer.clone()),
            )
            .set_default();
        (log, (guard, second))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// What must stay hidden, and what was shown.
#[derive(Default)]
struct Watch {
    secrets: BTreeSet<String>,
    shown: Vec<(String, String)>,
}

impl Watch {
    fn hide(&mut self, secret: impl Into<String>) {
        let secret = secret.into();
        assert!(secret.len() >= 12, "long enough to be found by chance only");
        self.secrets.insert(secret);
    }

    /// Keeps an answer: its address, where it leads, what it leaves for the
    /// next page, and its body.
    async fn look(&mut self, answer: Response) -> StatusCode {
        let status = answer.status();
        let what = format!("{} {}", answer.url().path(), status);
        let mut text = String::new();
        for (name, value) in answer.headers() {
            let value = value.to_str().unwrap();
            // Session and flow cookies are where those secrets belong.
            if name != "set-cookie" {
                text.push_str(value);
            } else if let Some(flash) = value.strip_prefix("linkwell-flash=") {
                use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
                let flash = URL_SAFE_NO_PAD
                    .decode(flash.split(';').next().unwrap())
                    .unwrap();
                text.push_str(&String::from_utf8(flash).unwrap());
            }
            text.push('\n');
        }
        if !what.starts_with("/events") {
            text.push_str(&answer.text().await.unwrap());
        }
        self.shown.push((what, text));
        status
    }

    /// The tokens that are stored at the moment.
    async fn hide_tokens(&mut self, world: &World) {
        let hub = &world.app.hub;
        for row in credential::Entity::find()
            .all(hub.store.db())
            .await
            .unwrap()
        {
            let place = |field| {
                Place::credential(
                    row.tenant_id,
                    row.connection_id,
                    &row.slot,
                    field,
                    row.version,
                )
            };
            let access = hub
                .vault
                .open(place("access"), &row.access_sealed)
                .await
                .unwrap();
            self.hide(access.expose());
            if let Some(sealed) = &row.refresh_sealed {
                self.hide(
                    hub.vault
                        .open(place("refresh"), sealed)
                        .await
                        .unwrap()
                        .expose(),
                );
            }
        }
    }

    /// A whole flow with every page of it. With `echo`, the provider refuses
    /// the code and repeats it in its answer.
    async fn flow(&mut self, world: &World, browser: &Browser, echo: bool) {
        let answer = browser
            .post_json("/connections/sandbox/prepare", json!({}))
            .await;
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        self.hide(cookie.split(['=', ';']).nth(1).unwrap());
        let prepared: Value = answer.json().await.unwrap();
        self.hide(prepared["state"].as_str().unwrap());
        let callback = browser.approve(&prepared).await;
        let code = parameter(&callback, "code");
        if let Some(code) = &code {
            self.hide(code);
        }
        if let (Some(code), true) = (code, echo) {
            world.shop.set_faults(
                Fault::new(FaultKind::Refuse { error: code })
                    .at(Endpoint::Token)
                    .into(),
            );
        }
        let answer = browser.get(&callback).await;
        let next = answer.headers()["location"].to_str().unwrap().to_owned();
        self.look(answer).await;
        self.look(browser.get(next).await).await;
        self.look(browser.get(&callback).await).await;
        self.hide_tokens(world).await;
    }

    fn assert_hidden(&self, log: &str, rows: &str) {
        let sinks = self
            .shown
            .iter()
            .map(|(what, text)| (what.as_str(), text.as_str()));
        let mut found = BTreeSet::new();
        for (sink, text) in sinks.chain([("the log", log), ("the database", rows)]) {
            for secret in &self.secrets {
                let in_hex: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
                let at = text.find(secret.as_str()).or_else(|| text.find(&in_hex));
                if let Some(at) = at {
                    let line = text[..at].rsplit('\n').next().unwrap();
                    found.insert(format!("{sink}: {line} <{secret}>"));
                }
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// How a provider can fail, besides repeating what it was sent.
fn faults() -> Vec<Fault> {
    let anywhere = [
        FaultKind::Garbage(Garbage::Html),
        FaultKind::Garbage(Garbage::Truncated),
        FaultKind::Redirect {
            to: "http://127.0.0.1:1/".into(),
        },
        FaultKind::ServerError { status: 502 },
        FaultKind::CutConnection,
    ];
    let elsewhere = [
        FaultKind::WrongIssuer,
        FaultKind::NoIssuer,
        FaultKind::NoRefreshToken,
        FaultKind::ExpiresIn(ExpiresIn::Text),
    ];
    let mut faults: Vec<_> = [Endpoint::Token, Endpoint::Refresh, Endpoint::Revoke]
        .into_iter()
        .flat_map(|endpoint| anywhere.clone().map(|kind| Fault::new(kind).at(endpoint)))
        .collect();
    faults.extend(elsewhere.map(Fault::new));
    faults.extend([
        Fault::deny_consent(),
        Fault::invalid_client(),
        Fault::rate_limited(30)
            .at(Endpoint::Token)
            .at(Endpoint::Refresh),
        Fault::grant_only([sandbox::Scope::ShopRead]),
        Fault::sign_in_as(sandbox::ACCOUNTS[1].id),
    ]);
    faults
}

#[tokio::test]
async fn row_46_asvs_16_2_5_no_secret_is_logged_shown_or_stored() {
    let (log, _listening) = Log::listen();
    tracing::trace!("that traces are heard");
    // What is behind a connection is hidden wherever it is not asked for.
    let redis = Redis::holding(&[ROW]).await;
    let world = World::with(Setup {
        peers: vec![redis.address],
        ..Setup::default()
    })
    .await;
    let mut watch = Watch::default();
    watch.hide(ROW);
    world.approve_as(0);
    let client_secret = world.app.hub.operator_apps["sandbox"]
        .client_secret
        .expose()
        .to_owned();
    watch.hide(&client_secret);

    // People: passwords, sessions, devices.
    let browser = world.browser();
    let new_password = "canary kettle sings";
    for secret in [PASSWORD, new_password, "canary that is wrong"] {
        watch.hide(secret);
        watch.hide(secret.replace(' ', "+"));
        watch.hide(secret.replace(' ', "%20"));
    }
    let signed_in = browser.sign_in_answer(EMAIL, PASSWORD).await;
    for cookie in signed_in.headers().get_all("set-cookie") {
        watch.hide(cookie.to_str().unwrap().split(['=', ';']).nth(1).unwrap());
    }
    watch.look(signed_in).await;
    watch
        .look(
            world
                .browser()
                .sign_in_answer(EMAIL, "canary that is wrong")
                .await,
        )
        .await;
    for (current, new) in [
        ("canary that is wrong", new_password),
        (PASSWORD, "short"),
        (PASSWORD, new_password),
    ] {
        let form = [("current", current), ("new", new)];
        watch
            .look(browser.post("/api/change_password", &form).await)
            .await;
    }

    // A provider app of the tenant, an API key, an import.
    for (app, id) in [
        ("sandbox", "linkwell"),
        ("sandbox", ""),
        ("nowhere", "linkwell"),
    ] {
        let form = [
            ("app", app),
            ("client_id", id),
            ("client_secret", &client_secret),
        ];
        watch
            .look(browser.post("/api/save_provider_app", &form).await)
            .await;
    }
    let half = [("client_secret", client_secret.as_str())];
    watch
        .look(browser.post("/api/save_provider_app", &half).await)
        .await;
    let form = [("name", "Till"), ("scope", Scope::TokensRead.as_str())];
    let page = browser
        .post("/settings/api-keys", &form)
        .await
        .text()
        .await
        .unwrap();
    let key = page.split("lw_").nth(1).expect("a new key");
    watch.hide(format!("lw_{}", &key[..43]));
    let host = world.any_host().await;
    watch.hide(&host.key);
    for provider in ["github", "nowhere"] {
        let import = json!({ "provider": provider, "credential": {
            "access_token": "canary-access-token", "refresh_token": "canary-refresh-token",
        } });
        watch.look(host.post("/v1/connections", import).await).await;
    }
    let unreadable = json!({ "provider": "github", "credential": "canary-access-token" });
    watch
        .look(host.post("/v1/connections", unreadable.clone()).await)
        .await;
    let minted: Value = host
        .post("/v1/tokens", json!({}))
        .await
        .json()
        .await
        .unwrap();
    let token = minted["access_token"].as_str().unwrap();
    watch.hide(token);
    for path in ["/v1/connections", "/v1/tokens", "/v1/elsewhere"] {
        let request = browser.http.post(world.url(path)).bearer_auth(token);
        let request = request
            .header("idempotency-key", "canary")
            .json(&unreadable);
        watch.look(request.send().await.unwrap()).await;
    }
    let entered = json!({ "provider": "stripe", "config": { "fields": {
        "api_key": "sk_live_canary0entered0key" } } });
    watch.hide("sk_live_canary0entered0key");
    for path in ["/v1/connections", "/v1/connections/test"] {
        let request = host
            .request("POST", path)
            .header("idempotency-key", "entered");
        watch
            .look(request.json(&entered).send().await.unwrap())
            .await;
    }
    watch.hide("canary-access-token");
    watch.hide("canary-refresh-token");
    drafts_and_data(&mut watch, &browser, &host, &world, &redis).await;

    // Flows and renewals, as they succeed and as they fail.
    watch.flow(&world, &browser, false).await;
    for fault in faults() {
        world.shop.set_faults(fault.into());
        exercise(&world, &mut watch, &browser, &host, false).await;
    }
    world.shop.set_faults(Default::default());
    exercise(&world, &mut watch, &browser, &host, true).await;

    // What opens a link is told once, and what its browser keeps is in its cookie.
    let (_, secret) = make_link(&host, json!({ "providers": ["sandbox"] })).await;
    watch.hide(&secret);
    let guest = world.browser();
    let opened = guest.post(&format!("/link/{secret}"), &[]).await;
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    watch.hide(cookie.split(['=', ';']).nth(1).unwrap());
    watch.look(opened).await;
    watch.look(guest.get("/guest/connect/sandbox").await).await;

    // Every route, with things that are there and things that are not.
    world.shop.set_faults(Default::default());
    let hub = &world.app.hub;
    let handle = "0123456789abcdef";
    let prepared = browser
        .prepare("sandbox", json!({ "handle": handle }))
        .await;
    let url = "https://127.0.0.1/hooks";
    let new = NewWebhook { url, kinds: &[] };
    let (webhook, secret) = hub.add_webhook(world.member(), new).await.unwrap();
    watch.hide(secret.expose());
    let things = Things {
        connection: hub.connections(world.member()).await.unwrap()[0]
            .connection
            .id
            .to_string(),
        flow: prepared["flow_id"].as_str().unwrap().to_owned(),
        handle: handle.to_owned(),
        key: hub.api_keys(world.member()).await.unwrap()[0]
            .id
            .to_string(),
        webhook: webhook.id.to_string(),
        ..Things::nowhere()
    };
    for things in [Things::nowhere(), things] {
        for (method, route, body) in ROUTES
            .iter()
            // Nothing would be left to look at.
            .filter(|(_, path, _)| !path.ends_with("/token") && !path.ends_with("/delete"))
        {
            // These answers show a new secret to the one it is for.
            let shows = [
                "/settings/api-keys",
                "/connections/{id}/prepare",
                "/oauth/start/{provider}",
            ];
            let request = things
                .request(&browser, method, route, *body)
                .header("origin", browser.origin())
                .header("accept", "text/html");
            let request = match route.starts_with("/v1/") {
                true => request.bearer_auth(&host.key),
                false => request,
            };
            let answer = request.send().await.unwrap();
            if *method == "GET" || !shows.contains(route) {
                watch.look(answer).await;
            }
            if route.starts_with("/api/sign_") {
                browser.sign_in(EMAIL, new_password).await;
            }
        }
    }
    hub.flush_reads().await.unwrap();

    let log = log.text();
    assert!(log.contains("that traces are heard"));
    let rows: Vec<_> = rows(&hub.store).await.into_values().flatten().collect();
    assert!(watch.secrets.len() > 60, "{} secrets", watch.secrets.len());
    watch.assert_hidden(&log, &rows.join("\n"));
}

/// Secrets of drafts, typed where they belong and where they do not; a login
/// that is refused, and one that connects; and the data behind it, shown to
/// those who ask for it and to nobody else.
async fn drafts_and_data(
    watch: &mut Watch,
    browser: &Browser,
    host: &HostApp,
    world: &World,
    redis: &Redis,
) {
    let port = redis.port();
    let wrong = "canary-database-password";
    for secret in [
        RIGHT,
        wrong,
        "canary-postgres-password",
        "sk_live_canary0said0in0the0chat",
        "sk_live_canary0typed0badly!",
    ] {
        watch.hide(secret);
    }
    let (to_redis, to_stripe) = ("/connect/redis", "/connect/stripe");
    let postgres = [
        ("field.host", "127.0.0.1"),
        ("field.port", &*port),
        ("field.database", "shop"),
        ("field.user", "linkwell"),
        ("field.password", "canary-postgres-password"),
    ];
    let said = "my key is sk_live_canary0said0in0the0chat, is it?";
    let key = ("key", "field.api_key");
    let typed = ("field.api_key", "sk_live_canary0typed0badly!");
    for (path, form) in [
        (to_redis, &redis.form(&port, wrong)[..]),
        ("/connect/postgresql", &postgres),
        (to_stripe, &[("turn", "begin")]),
        (to_stripe, &[("turn", "say"), ("value", said)]),
        (to_stripe, &[("turn", "answer"), key, typed]),
        (to_stripe, &[("turn", "form")]),
        (to_stripe, &[("turn", "chat")]),
    ] {
        let answer = browser.post(path, form).await;
        watch.look(answer).await;
        watch.look(browser.get(path).await).await;
        watch.look(browser.get("/").await).await;
    }
    let fields = json!({ "host": "localhost", "port": port, "user": "default", "password": wrong });
    let entered = json!({ "provider": "redis", "config": { "fields": fields } });
    // A third rejection in a row would be the last.
    watch
        .look(host.post("/v1/connections/test", entered).await)
        .await;

    let answer = browser.post(to_redis, &redis.form(&port, RIGHT)).await;
    watch.look(answer).await;
    let shown = &watch.shown.last().expect("it was looked at").1;
    assert!(shown.contains("Redis connected"), "{shown}");
    let hub = &world.app.hub;
    let connections = hub.connections(world.member()).await.unwrap();
    let one = |listed: &&hub::connect::Listed| listed.connection.provider == "redis";
    let id = connections.iter().find(one).unwrap().connection.id;
    // These two are asked for the data; nothing else is to know of it.
    for path in [
        format!("/connections/{id}/preview"),
        format!("/v1/connections/{id}/preview"),
    ] {
        let answer = match path.starts_with("/v1/") {
            true => host.get(&path).await,
            false => browser.get(&path).await,
        };
        let page = answer.text().await.unwrap();
        assert!(page.contains(ROW) && !page.contains(RIGHT), "{path}");
    }
    let path = format!("/connections/{id}");
    watch.look(browser.get(path.as_str()).await).await;
    let named = [("column.0", "key"), ("name.0", "cache")];
    let answer = browser.post(&format!("{path}/mapping"), &named).await;
    watch.look(answer).await;
    watch.look(host.get(&format!("/v1{path}")).await).await;
    hub.disconnect(world.member(), id).await.unwrap();
    hub.remove(world.member(), id).await.unwrap();
}

/// A flow, a renewal, a check and what pages say about them afterwards.
async fn exercise(world: &World, watch: &mut Watch, browser: &Browser, host: &HostApp, echo: bool) {
    watch.flow(world, browser, echo).await;
    let hub = &world.app.hub;
    for listed in hub.connections(world.member()).await.unwrap() {
        let id = listed.connection.id;
        if let (true, Ok(Some(row))) = (
            echo,
            credential::get(hub.store.db(), id, credential::MAIN).await,
        ) {
            let place = Place::credential(row.tenant_id, id, &row.slot, "refresh", row.version);
            let token = hub
                .vault
                .open(place, &row.refresh_sealed.unwrap())
                .await
                .unwrap();
            let error = token.expose().to_owned();
            world.shop.set_faults(
                Fault::new(FaultKind::Refuse { error })
                    .at(Endpoint::Refresh)
                    .into(),
            );
        }
        world.advance(TimeDelta::minutes(20));
        // A provider repeats what it was sent, not what others sent.
        if !echo {
            hub.refresh_due().await.unwrap();
        }
        watch.hide_tokens(world).await;
        let lent = host.get(&format!("/v1/connections/{id}/token")).await;
        if !lent.status().is_success() {
            watch.look(lent).await;
        }
        watch
            .look(
                browser
                    .post("/api/check_connection", &[("id", &id.to_string())])
                    .await,
            )
            .await;
        watch.hide_tokens(world).await;
        for path in [
            format!("/connections/{id}"),
            format!("/api/view/connection/{id}"),
        ] {
            watch.look(browser.get(path).await).await;
        }
        watch
            .look(host.get(&format!("/v1/connections/{id}")).await)
            .await;
    }
    for path in ["/", "/api/view/hub", "/connect/sandbox"] {
        watch.look(browser.get(path).await).await;
    }
}
