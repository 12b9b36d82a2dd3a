//! One hub and one sandbox provider per test, each on a port of its own.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::TimeDelta;
use hub::{
    Choices,
    catalog::Catalog,
    clock::Clock,
    keep::spool::Spool,
    outbound::OutboundPolicy,
    people::{Member, Scope},
    record::Witness,
    runs::policies::Policies,
    secret::Secret,
    store::{ConnectionId, Reach, Store},
    vault::MasterKey,
};
use linkwell::application::{Application, Ingredients, migrate, register_with_sandbox};
use reqwest::{RequestBuilder, Response, StatusCode, redirect::Policy};
use sandbox::{ACCOUNTS, Rules, Sandbox, Settings};
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

pub const EMAIL: &str = "ana@example.com";
pub const PASSWORD: &str = "a long enough secret";
pub const TENANT: &str = "Ana's shop";

/// A hub that serves, with everything a test may want to hold.
pub struct World {
    pub app: Application,
    pub base: Url,
    pub clock: Clock,
    pub shop: Sandbox,
    pub shop_url: Url,
    /// SQL statements since the start, transactions' own aside.
    statements: Arc<AtomicU64>,
    /// How to make another hub on the same database.
    seed: Seed,
    member: Option<Member>,
    /// Of this hub and of every other made from it.
    scratch: Arc<Scratch>,
}

/// A directory that goes with the last who has it.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Clone)]
struct Seed {
    database: Option<String>,
    store: Store,
    directory: PathBuf,
    key: String,
    choices: Choices,
    peers: Vec<SocketAddr>,
    policies: Policies,
}

/// What a test changes before the hub starts.
#[derive(Default)]
pub struct Setup {
    /// Provider files that replace or extend the catalog's.
    pub catalog: Option<PathBuf>,
    /// The database is a file in the hub's directory, where it is SQLite.
    pub on_file: bool,
    /// No member exists yet.
    pub nobody: bool,
    /// Where people reach the hub, when that is not where it listens.
    pub public_url: Option<Url>,
    /// Other providers on this machine that the hub may reach.
    pub peers: Vec<SocketAddr>,
    /// Authorities (DER) that the operator trusts.
    pub roots: Vec<Vec<u8>>,
    /// What the operator decided.
    pub choices: Choices,
    /// How far the sandbox's clock is ahead of the hub's.
    pub skew: TimeDelta,
    /// The operator's own policies.
    pub policies: Option<PathBuf>,
}

/// Shipped provider files with some of their text replaced, such as a host by
/// one of this machine: everything else in them is tested as it is shipped.
pub fn changed_entries(changes: &[(&str, &str, &str)]) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("linkwell-entries-{}", ConnectionId::new()));
    std::fs::create_dir(&directory).expect("a directory");
    for (id, from, to) in changes {
        let file = directory.join(format!("{id}.toml"));
        let shipped = format!("{}/hub/catalog/{id}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&file).or_else(|_| std::fs::read_to_string(shipped));
        let text = text.expect("a provider file");
        assert!(text.contains(from), "{id} has {from}");
        std::fs::write(file, text.replace(from, to)).expect("a provider file");
    }
    directory
}

/// Serves another provider.
pub async fn serve_peer(router: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
    address
}

impl World {
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    /// On SQLite with a database file, inside its directory.
    pub async fn on_file() -> Self {
        let setup = Setup {
            on_file: true,
            ..Setup::default()
        };
        Self::with(setup).await
    }

    /// A process that starts on a backup, put in the place of the database.
    pub async fn restored(&self, backup: &std::path::Path) -> Self {
        let name = backup.file_name().expect("a name").to_string_lossy();
        let file = self.seed.directory.join(format!("restored-{name}"));
        std::fs::copy(backup, &file).expect("a backup");
        let url = format!("sqlite://{}", file.display());
        let store = open(&url).await;
        let seed = Seed {
            database: None,
            store,
            ..self.seed.clone()
        };
        let (app, base) = seed
            .start_with(&self.clock, &self.shop_url, self.app_of_shop())
            .await;
        Self {
            app,
            base,
            clock: self.clock.clone(),
            shop: self.shop.clone(),
            shop_url: self.shop_url.clone(),
            statements: self.statements.clone(),
            seed,
            member: self.member.clone(),
            scratch: self.scratch.clone(),
        }
    }

    pub async fn with(setup: Setup) -> Self {
        let statements = Arc::new(AtomicU64::new(0));
        let database = fresh_database().await;
        let directory = std::env::temp_dir().join(format!("linkwell-test-{}", ConnectionId::new()));
        let file = format!(
            "sqlite://{}?mode=rwc",
            directory.join("linkwell.db").display()
        );
        if setup.on_file {
            std::fs::create_dir_all(&directory).expect("a directory");
        }
        let inside = if setup.on_file {
            &*file
        } else {
            "sqlite::memory:"
        };
        let mut store = open(database.as_deref().unwrap_or(inside)).await;
        migrate(&store).await.expect("migrations");
        let counter = statements.clone();
        store.db_mut().set_metric_callback(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let clock = Clock::manual(Clock::system().now());
        let (shop, shop_url) = serve_sandbox(&clock, setup.skew).await;
        let scratch = Arc::new(Scratch(directory.clone()));
        let seed = Seed {
            database,
            store,
            directory,
            key: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".into(),
            choices: setup.choices.clone(),
            peers: setup.peers.clone(),
            policies: match &setup.policies {
                Some(directory) => Policies::with_directory(directory).expect("policies"),
                None => Policies::shipped(),
            },
        };
        let (app, base) = seed.start(&clock, &shop, &shop_url, &setup).await;
        // It was read.
        drop(setup.catalog.map(Scratch));
        let member = match setup.nobody {
            true => None,
            false => Some(
                app.hub
                    .create_user(TENANT, EMAIL, "Ana", Secret::new(PASSWORD))
                    .await
                    .expect("a member"),
            ),
        };
        Self {
            app,
            base,
            clock,
            shop,
            shop_url,
            statements,
            seed,
            member,
            scratch,
        }
    }

    /// Enters a provider app for Ana's tenant.
    pub async fn register(&self, app: &str, settings: &[(&str, &str)]) {
        let secret = Some(Secret::new("hush"));
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let hub = &self.app.hub;
        hub.set_provider_app(self.member(), app, "the-client", secret, &settings)
            .await
            .expect("a provider app");
    }

    /// Another tenant on the same hub, with a member of its own.
    pub async fn neighbour(&self) -> Member {
        let secret = Secret::new(PASSWORD);
        let hub = &self.app.hub;
        hub.create_user("Next door", "bo@example.com", "Bo", secret)
            .await
            .expect("another tenant")
    }

    /// A copy of this moment's database, under `name` beside it. SQLite only.
    pub async fn copied(&self, name: &str) -> PathBuf {
        let copy = self.directory().join(name);
        let into = sea_orm::Statement::from_sql_and_values(
            sea_orm::DatabaseBackend::Sqlite,
            "VACUUM INTO ?",
            [copy.to_string_lossy().into_owned().into()],
        );
        self.app.hub.store.db().execute_raw(into).await.unwrap();
        copy
    }

    /// Another process on the same database, with a data directory of its own.
    pub async fn another(&self) -> Self {
        let seed = Seed {
            store: match &self.seed.database {
                Some(url) => open(url).await,
                None => self.seed.store.clone(),
            },
            directory: self.seed.directory.join("another"),
            ..self.seed.clone()
        };
        // It must not take the sandbox's registration over.
        let (app, base) = seed
            .start_with(&self.clock, &self.shop_url, self.app_of_shop())
            .await;
        Self {
            app,
            base,
            clock: self.clock.clone(),
            shop: self.shop.clone(),
            shop_url: self.shop_url.clone(),
            statements: self.statements.clone(),
            seed,
            member: self.member.clone(),
            scratch: self.scratch.clone(),
        }
    }

    fn app_of_shop(&self) -> hub::dialect::ProviderApp {
        let app = &self.app.hub.operator_apps["sandbox"];
        hub::dialect::ProviderApp {
            client_id: app.client_id.clone(),
            client_secret: Secret::new(app.client_secret.expose()),
            settings: Default::default(),
        }
    }

    /// Where this hub keeps what is not in the database.
    pub fn directory(&self) -> &std::path::Path {
        &self.seed.directory
    }

    pub fn is_postgres(&self) -> bool {
        self.seed.database.is_some()
    }

    /// Where the database is, when it is PostgreSQL.
    pub fn database(&self) -> Option<&str> {
        self.seed.database.as_deref()
    }

    pub fn member(&self) -> &Member {
        self.member.as_ref().expect("a world with a member")
    }

    pub fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    /// How many SQL statements `work` takes.
    pub async fn statements<T>(&self, work: impl Future<Output = T>) -> (T, u64) {
        let before = self.statements.load(Ordering::SeqCst);
        let value = work.await;
        (value, self.statements.load(Ordering::SeqCst) - before)
    }

    pub fn url(&self, path: &str) -> Url {
        self.base.join(path).expect("a path")
    }

    /// A browser that nobody has signed in with.
    pub fn browser(&self) -> Browser {
        Browser {
            base: self.base.clone(),
            http: reqwest_client(true),
        }
    }

    /// A browser in which Ana is signed in.
    pub async fn signed_in(&self) -> Browser {
        let browser = self.browser();
        browser.sign_in(EMAIL, PASSWORD).await;
        browser
    }

    /// A host application with a key of these scopes.
    pub async fn host(&self, scopes: &[Scope]) -> HostApp {
        let (_, key) = self
            .app
            .hub
            .create_api_key(self.member(), "test", scopes, "")
            .await
            .expect("a key");
        HostApp {
            base: self.base.clone(),
            http: reqwest_client(false),
            key: key.expose().to_owned(),
        }
    }

    /// A host application that may do everything.
    pub async fn any_host(&self) -> HostApp {
        self.host(&Scope::ALL).await
    }

    /// A host application of another tenant.
    pub async fn stranger(&self) -> HostApp {
        let hub = &self.app.hub;
        let bo = hub
            .create_user("Next door", "bo@example.com", "Bo", Secret::new(PASSWORD))
            .await
            .expect("a neighbour");
        let (_, key) = hub
            .create_api_key(&bo, "theirs", &Scope::ALL, "")
            .await
            .expect("a key");
        HostApp {
            base: self.base.clone(),
            http: reqwest_client(false),
            key: key.expose().to_owned(),
        }
    }

    /// The sandbox approves by itself, as this account.
    pub fn approve_as(&self, account: usize) {
        self.rules(|rules| rules.auto_approve = Some(ACCOUNTS[account].id.to_owned()));
    }

    pub fn rules(&self, change: impl FnOnce(&mut Rules)) {
        let mut rules = self.shop.rules();
        change(&mut rules);
        self.shop.set_rules(rules);
    }

    /// Connects an account of the sandbox through a whole flow in a browser.
    pub async fn connect(&self) -> ConnectionId {
        self.approve_as(0);
        let browser = self.signed_in().await;
        let done = browser.run_flow("sandbox", json!({})).await;
        assert_eq!(
            done.status(),
            StatusCode::SEE_OTHER,
            "the callback redirects"
        );
        self.only_connection().await
    }

    pub async fn only_connection(&self) -> ConnectionId {
        let listed = self
            .app
            .hub
            .connections(self.member())
            .await
            .expect("a list");
        assert_eq!(listed.len(), 1, "one connection");
        listed[0].connection.id
    }

    /// Imports a token pair the sandbox knows, without any flow.
    pub async fn import_living(&self, host: &HostApp) -> ConnectionId {
        self.import_living_as(host, 0).await
    }

    /// The same of another account.
    pub async fn import_living_as(&self, host: &HostApp, account: usize) -> ConnectionId {
        let tokens = self
            .shop
            .grant("linkwell", ACCOUNTS[account].id, &sandbox::Scope::ALL)
            .expect("a grant");
        let answer = host
            .post(
                "/v1/connections",
                json!({ "provider": "sandbox", "credential": {
                    "access_token": tokens.access_token,
                    "refresh_token": tokens.refresh_token,
                    "expires_at": self.clock.now() + TimeDelta::seconds(i64::from(tokens.expires_in_s)),
                }}),
            )
            .await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let body: Value = answer.json().await.expect("JSON");
        body["id"].as_str().expect("an id").parse().expect("an id")
    }
}

impl Seed {
    async fn start(
        &self,
        clock: &Clock,
        shop: &Sandbox,
        shop_url: &Url,
        setup: &Setup,
    ) -> (Application, Url) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = origin(&listener);
        let public_url = setup.public_url.clone().unwrap_or_else(|| base.clone());
        let app = register_with_sandbox(shop, &public_url);
        (
            self.serve(listener, public_url, clock, shop_url, app, setup)
                .await,
            base,
        )
    }

    async fn start_with(
        &self,
        clock: &Clock,
        shop_url: &Url,
        app: hub::dialect::ProviderApp,
    ) -> (Application, Url) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = origin(&listener);
        let setup = Setup {
            peers: self.peers.clone(),
            ..Setup::default()
        };
        (
            self.serve(listener, base.clone(), clock, shop_url, app, &setup)
                .await,
            base,
        )
    }

    async fn serve(
        &self,
        listener: TcpListener,
        public_url: Url,
        clock: &Clock,
        shop_url: &Url,
        app: hub::dialect::ProviderApp,
        setup: &Setup,
    ) -> Application {
        let mut catalog = Catalog::embedded().expect("the catalog");
        if let Some(directory) = &setup.catalog {
            catalog = catalog.with_directory(directory).expect("extra providers");
        }
        let shop = SocketAddr::from(([127, 0, 0, 1], shop_url.port().expect("a port")));
        let shop_origin = shop_url.as_str().trim_end_matches('/').to_owned();
        let application = Application::new(Ingredients {
            store: self.store.clone(),
            clock: clock.clone(),
            wrapper: Arc::new(
                MasterKey::from_text(&Secret::new(&self.key), "test").expect("a key"),
            ),
            catalog: catalog.with_global("sandbox_origin", &shop_origin),
            outbound: OutboundPolicy {
                allow_exact: [&[shop][..], &setup.peers].concat(),
                roots: setup.roots.clone(),
                ..OutboundPolicy::default()
            },
            public_url,
            operator_apps: BTreeMap::from([("sandbox".to_owned(), app)]),
            choices: self.choices.clone(),
            spool: Spool::open(&self.directory.join("spool")).expect("a spool"),
            witness: Witness::open(&self.directory.join("audit")).expect("a directory"),
            policies: self.policies.clone(),
        })
        .expect("an application");
        application.make_ready().await.expect("ready");
        let router = application.router();
        tokio::spawn(async move {
            axum::serve(
                listener,
                router.into_make_service_with_connect_info::<SocketAddr>(),
            )
            .await
            .expect("serving");
        });
        application
    }
}

fn origin(listener: &TcpListener) -> Url {
    let address = listener.local_addr().expect("an address");
    Url::parse(&format!("http://{address}/")).expect("an origin")
}

async fn serve_sandbox(clock: &Clock, skew: TimeDelta) -> (Sandbox, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let url = Url::parse(&format!("http://localhost:{port}/")).expect("an origin");
    let clock = clock.clone();
    let shop = Sandbox::open(Settings {
        public_url: url.clone(),
        state_file: None,
        clock: Arc::new(move || clock.now() + skew),
    })
    .expect("a sandbox");
    let router = shop.router();
    tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
    (shop, url)
}

/// Opens a database. A test itself is the operator and reaches everything; work
/// that the hub spawned and gave no reach is a mistake.
async fn open(url: &str) -> Store {
    let otherwise = || match tokio::task::try_id() {
        None => Reach::every(),
        Some(_) => panic!("a spawned task uses the database and was given no reach"),
    };
    let store = Store::open_else(url, otherwise).await;
    store.expect("a database")
}

/// A database of its own on the PostgreSQL server to test on, if one is named.
#[expect(clippy::disallowed_methods, reason = "tests have no settings struct")]
async fn fresh_database() -> Option<String> {
    let server = std::env::var("LINKWELL_TEST_DATABASE").ok()?;
    let name = format!("linkwell_{}", ConnectionId::new().0.simple());
    let admin = Database::connect(&server)
        .await
        .expect("the PostgreSQL server");
    admin
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await
        .expect("a database");
    let mut url = Url::parse(&server).expect("a URL");
    url.set_path(&name);
    Some(url.into())
}

#[expect(clippy::disallowed_methods, reason = "the test is outside the hub")]
fn reqwest_client(cookies: bool) -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .cookie_store(cookies)
        .build()
        .expect("a client")
}

/// A browser, as far as the server can tell: cookies, and an `Origin` with
/// everything it posts.
pub struct Browser {
    pub base: Url,
    pub http: reqwest::Client,
}

impl Browser {
    pub async fn get(&self, url: impl AsRef<str>) -> Response {
        let url = self.base.join(url.as_ref()).expect("an address");
        self.http.get(url).send().await.expect("an answer")
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.http
            .post(self.base.join(path).expect("an address"))
            .header("origin", self.origin())
            .form(form)
            .send()
            .await
            .expect("an answer")
    }

    pub async fn post_json(&self, path: &str, body: Value) -> Response {
        self.http
            .post(self.base.join(path).expect("an address"))
            .header("origin", self.origin())
            .json(&body)
            .send()
            .await
            .expect("an answer")
    }

    /// The session's cookie as a header, for a program without a cookie jar.
    pub async fn session_cookie(&self) -> String {
        let answer = self.sign_in_answer(EMAIL, PASSWORD).await;
        let cookies = answer.headers().get_all("set-cookie");
        cookies
            .iter()
            .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
            .find(|cookie| cookie.starts_with("linkwell="))
            .expect("a session")
            .to_owned()
    }

    pub fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    pub async fn sign_in(&self, email: &str, password: &str) {
        let answer = self.sign_in_answer(email, password).await;
        assert_eq!(location(&answer).path(), "/", "signing in leads to the hub");
    }

    pub async fn sign_in_answer(&self, email: &str, password: &str) -> Response {
        self.post("/api/sign_in", &[("email", email), ("password", password)])
            .await
    }

    /// Starts a flow and answers the address of the provider.
    pub async fn prepare(&self, provider: &str, body: Value) -> Value {
        let answer = self
            .post_json(&format!("/connections/{provider}/prepare"), body)
            .await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.expect("JSON")
    }

    /// Follows the provider's redirect to our callback, which is not called yet.
    pub async fn approve(&self, prepared: &Value) -> Url {
        let auth_url = prepared["auth_url"].as_str().expect("an address");
        let answer = self.http.get(auth_url).send().await.expect("the provider");
        location(&answer)
    }

    /// A whole flow; the answer is the callback's.
    pub async fn run_flow(&self, provider: &str, body: Value) -> Response {
        let prepared = self.prepare(provider, body).await;
        let callback = self.approve(&prepared).await;
        self.get(callback).await
    }
}

/// Where an answer redirects to.
pub fn location(answer: &Response) -> Url {
    assert!(
        answer.status().is_redirection(),
        "{} is no redirect",
        answer.status()
    );
    let target = answer.headers()["location"].to_str().expect("text");
    answer.url().join(target).expect("an address")
}

/// A host application.
pub struct HostApp {
    base: Url,
    http: reqwest::Client,
    pub key: String,
}

impl HostApp {
    pub async fn get(&self, path: &str) -> Response {
        self.http
            .get(self.base.join(path).expect("an address"))
            .bearer_auth(&self.key)
            .send()
            .await
            .expect("an answer")
    }

    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.http
            .post(self.base.join(path).expect("an address"))
            .bearer_auth(&self.key)
            .json(&body)
            .send()
            .await
            .expect("an answer")
    }

    pub async fn delete(&self, path: &str) -> Response {
        self.http
            .delete(self.base.join(path).expect("an address"))
            .bearer_auth(&self.key)
            .send()
            .await
            .expect("an answer")
    }

    /// A request with the key, to be completed and sent.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().expect("a method");
        let url = self.base.join(path).expect("an address");
        self.http.request(method, url).bearer_auth(&self.key)
    }

    pub async fn patch(&self, path: &str, body: Value) -> Response {
        let request = self.request("PATCH", path).json(&body);
        request.send().await.expect("an answer")
    }

    /// What an address answers, as JSON.
    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.expect("JSON")
    }

    /// A connection as it is answered.
    pub async fn seen(&self, id: ConnectionId) -> Value {
        self.json(&format!("/v1/connections/{id}")).await
    }

    /// What was told, but for accounts that were connected.
    pub async fn told(&self) -> Vec<String> {
        let events = self.json("/v1/events").await;
        let kinds = events["data"].as_array().unwrap().iter();
        kinds
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .filter(|kind| kind != "connection.created")
            .collect()
    }

    pub async fn token(&self, id: ConnectionId) -> (StatusCode, Value) {
        let answer = self.get(&format!("/v1/connections/{id}/token")).await;
        let status = answer.status();
        (status, answer.json().await.expect("JSON"))
    }
}
