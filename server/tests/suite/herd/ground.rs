//! A hub with very many connections to providers of this machine, on a clock that
//! is moved: shared by the tests, which take a small herd, and `cargo xtask
//! bench`, which takes a large one.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Form, Json, Router,
    body::Body,
    extract::{Path as Segments, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, TimeDelta, Utc};
use hub::{
    catalog::Catalog,
    clock::Clock,
    dialect::ProviderApp,
    keep::{
        schedule::{self, Life},
        spool::Spool,
    },
    outbound::OutboundPolicy,
    people::Member,
    secret::Secret,
    store::{ConnectionId, Store, connection, credential},
    vault::{MasterKey, Place},
};
use linkwell::application::{Application, Ingredients, migrate};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
};
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

/// How long a token of these providers lives.
const LIFETIME: TimeDelta = TimeDelta::hours(1);
/// How often the background looks, as `jobs` has it.
const TICK: TimeDelta = TimeDelta::seconds(10);
/// Rows of one INSERT: SQLite looks its parameters up one after the other.
const ROWS: usize = 30;
pub const PASSWORD: &str = "a long enough secret";
pub const EMAIL: &str = "ana@example.com";

/// What a provider does to a call besides its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Fine,
    ServerError,
    SlowDown,
    Cut,
    Garbage,
}

/// Providers on this machine: `/{number}/token` renews, `/{number}/me` says who.
pub struct Providers {
    clock: Clock,
    /// Calls of each provider by second of the clock.
    seconds: Mutex<HashMap<(usize, i64), u32>>,
    /// How many calls a second the first provider takes.
    limit: u32,
    /// Each refresh token that was given last, by connection; another is dead.
    living: Mutex<HashMap<u64, u64>>,
    /// Whether a refresh token is replaced by every use.
    rotates: bool,
    /// Faults in a thousand calls.
    faults: AtomicU64,
    drawn: AtomicU64,
    /// Which provider does not work at all.
    down: Mutex<Option<usize>>,
    pub renewed: AtomicU64,
    pub checked: AtomicU64,
    pub slowed_down: AtomicU64,
    pub refused: AtomicU64,
    /// Renewals that came when the token had ended.
    pub late: AtomicU64,
}

impl Providers {
    fn call(&self, provider: usize) -> Mood {
        let second = self.clock.now().timestamp();
        let made = {
            let mut seconds = lock(&self.seconds);
            let made = seconds.entry((provider, second)).or_default();
            *made += 1;
            *made
        };
        if provider == 0 && made > self.limit {
            self.slowed_down.fetch_add(1, Ordering::SeqCst);
            return Mood::SlowDown;
        }
        if *lock(&self.down) == Some(provider) {
            return Mood::ServerError;
        }
        let draw = scattered(self.drawn.fetch_add(1, Ordering::SeqCst));
        if draw % 1_000 >= self.faults.load(Ordering::SeqCst) {
            return Mood::Fine;
        }
        match draw / 1_000 % 4 {
            0 => Mood::ServerError,
            1 => Mood::SlowDown,
            2 => Mood::Cut,
            _ => Mood::Garbage,
        }
    }

    pub fn set_faults(&self, in_a_thousand: u64) {
        self.faults.store(in_a_thousand, Ordering::SeqCst);
    }

    pub fn set_down(&self, provider: Option<usize>) {
        *lock(&self.down) = provider;
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        lock(&self.seconds)
            .values()
            .map(|calls| u64::from(*calls))
            .sum()
    }

    /// The most calls any provider had within a second.
    pub fn busiest_second(&self) -> u32 {
        lock(&self.seconds).values().copied().max().unwrap_or(0)
    }

    /// How many calls all providers had in each tick between two times.
    pub fn ticks(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<u32> {
        let tick = TICK.num_seconds();
        let count = usize::try_from((to - from).num_seconds() / tick).unwrap_or(0);
        let mut ticks = vec![0; count];
        for ((_, second), calls) in lock(&self.seconds).iter() {
            let at = (second - from.timestamp()).div_euclid(tick);
            if let Some(tick) = usize::try_from(at).ok().and_then(|at| ticks.get_mut(at)) {
                *tick += calls;
            }
        }
        ticks
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same number for the same number, and no pattern between them.
fn scattered(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

async fn renew(
    State(providers): State<Arc<Providers>>,
    Segments(provider): Segments<usize>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    if let Some(answer) = spoilt(providers.call(provider)) {
        return answer;
    }
    // `r-<connection>-<use>-<end of the token it is for>`
    let shown = form.get("refresh_token").cloned().unwrap_or_default();
    let parts: Vec<u64> = shown
        .split('-')
        .filter_map(|part| part.parse().ok())
        .collect();
    let [connection, used, ends] = parts[..] else {
        return (StatusCode::BAD_REQUEST, "no such token").into_response();
    };
    let now = providers.clock.now();
    // What is not replaced says nothing of its token's end.
    if providers.rotates && u64::try_from(now.timestamp()).is_ok_and(|now| now >= ends) {
        providers.late.fetch_add(1, Ordering::SeqCst);
    }
    let next = {
        let mut living = lock(&providers.living);
        let current = living.entry(connection).or_insert(used);
        if *current != used {
            providers.refused.fetch_add(1, Ordering::SeqCst);
            let body = Json(json!({ "error": "invalid_grant" }));
            return (StatusCode::BAD_REQUEST, body).into_response();
        }
        if providers.rotates {
            *current += 1;
        }
        *current
    };
    providers.renewed.fetch_add(1, Ordering::SeqCst);
    let ends = (now + LIFETIME).timestamp();
    let mut answer = json!({ "access_token": format!("a-{connection}"), "token_type": "Bearer",
        "expires_in": LIFETIME.num_seconds() });
    if providers.rotates {
        answer["refresh_token"] = json!(format!("r-{connection}-{next}-{ends}"));
    }
    Json(answer).into_response()
}

async fn me(
    State(providers): State<Arc<Providers>>,
    Segments(provider): Segments<usize>,
    headers: HeaderMap,
) -> Response {
    if let Some(answer) = spoilt(providers.call(provider)) {
        return answer;
    }
    let shown = headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer a-"));
    let Some(connection) = shown else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    providers.checked.fetch_add(1, Ordering::SeqCst);
    Json(json!({ "id": connection, "name": format!("Shop {connection}") })).into_response()
}

fn spoilt(mood: Mood) -> Option<Response> {
    Some(match mood {
        Mood::Fine => return None,
        Mood::ServerError => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::SlowDown => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")]).into_response(),
        // The connection breaks in the middle of the answer.
        Mood::Cut => {
            let broken = futures::stream::iter([Err::<String, _>(std::io::Error::other("cut"))]);
            Body::from_stream(broken).into_response()
        }
        Mood::Garbage => "<html>We are upgrading</html>".into_response(),
    })
}

/// What is put together.
pub struct Plan {
    /// How many connections there are, and of how many providers.
    pub connections: usize,
    pub providers: usize,
    /// Whether refresh tokens are replaced by every use.
    pub rotates: bool,
    /// A file of its own; without, in memory.
    pub file: bool,
}

/// A hub with a herd.
pub struct Ground {
    pub application: Application,
    pub clock: Clock,
    pub providers: Arc<Providers>,
    pub start: DateTime<Utc>,
    pub address: SocketAddr,
    /// Who owns a shop of twenty connections.
    pub owner: Member,
    directory: PathBuf,
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A row of the herd: when its token ends, and whether it has one.
pub struct Beast {
    pub ends: Option<DateTime<Utc>>,
    /// Whether it should have been renewed already.
    pub overdue: bool,
}

impl Ground {
    /// Puts it together; `beast` says what each connection is like.
    pub async fn new(plan: &Plan, beast: impl Fn(usize, DateTime<Utc>) -> Beast) -> Self {
        let directory = std::env::temp_dir().join(format!("linkwell-herd-{}", ConnectionId::new()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let clock = Clock::manual(Clock::system().now());
        let providers = Arc::new(Providers {
            clock: clock.clone(),
            seconds: Mutex::default(),
            limit: 50,
            living: Mutex::default(),
            rotates: plan.rotates,
            faults: AtomicU64::new(0),
            drawn: AtomicU64::new(0),
            down: Mutex::default(),
            renewed: AtomicU64::new(0),
            checked: AtomicU64::new(0),
            slowed_down: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            late: AtomicU64::new(0),
        });
        let router = Router::new()
            .route("/{provider}/token", post(renew))
            .route("/{provider}/me", get(me))
            .with_state(providers.clone());
        let peer = serve(router).await;
        let entries = directory.join("entries");
        write_entries(&entries, plan, peer);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let database = match plan.file {
            true => format!("sqlite://{}?mode=rwc", directory.join("herd.db").display()),
            false => "sqlite::memory:".to_owned(),
        };
        let store = Store::open(&database).await.expect("a database");
        migrate(&store).await.expect("migrations");
        let key = Secret::new("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
        let app = || ProviderApp {
            client_id: "the-hub".into(),
            client_secret: Secret::new("hush"),
            settings: Default::default(),
        };
        let apps: BTreeMap<_, _> = (0..plan.providers).map(|one| (id(one), app())).collect();
        let catalog = Catalog::embedded().expect("the catalog");
        let application = Application::new(Ingredients {
            store,
            clock: clock.clone(),
            wrapper: Arc::new(MasterKey::from_text(&key, "herd").expect("a key")),
            catalog: catalog
                .with_directory(&entries)
                .expect("the herd's providers"),
            outbound: OutboundPolicy {
                allow_exact: vec![peer],
                ..OutboundPolicy::default()
            },
            public_url: Url::parse(&format!("http://{address}/")).expect("an address"),
            operator_apps: apps,
            spool: Spool::open(&directory.join("spool")).expect("a spool"),
            witness: hub::record::Witness::open(&directory.join("audit")).expect("a directory"),
            policies: hub::runs::policies::Policies::shipped(),
            choices: hub::Choices {
                rate_limit: NonZeroU32::MAX,
                ..hub::Choices::default()
            },
        })
        .expect("an application");
        application.make_ready().await.expect("ready");
        let router = application.router();
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
        let owner = person(&application, "Ana's shop", EMAIL).await;
        let others = person(&application, "Everybody else", "bo@example.com").await;
        let ground = Self {
            start: clock.now(),
            application,
            clock,
            providers,
            address,
            owner,
            directory,
        };
        ground.fill(plan, &others, beast).await;
        ground
    }

    async fn fill(
        &self,
        plan: &Plan,
        others: &Member,
        beast: impl Fn(usize, DateTime<Utc>) -> Beast,
    ) {
        let hub = &self.application.hub;
        let (mut connections, mut credentials) = (Vec::new(), Vec::new());
        for number in 0..plan.connections {
            let tenant = match number < 20 {
                true => self.owner.tenant(),
                false => others.tenant(),
            };
            let provider = hub
                .catalog
                .get(&id(number % plan.providers))
                .expect("an entry");
            let (beast, connection) = (beast(number, self.start), ConnectionId::new());
            let obtained_at = beast.ends.map_or(self.start, |ends| ends - LIFETIME);
            let seal = async |field, text: String| {
                let place = Place::credential(tenant, connection, credential::MAIN, field, 1);
                hub.vault
                    .seal(place, &Secret::new(text))
                    .await
                    .expect("sealed")
            };
            let refresh = match beast.ends {
                None => None,
                Some(ends) => {
                    let text = format!("r-{number}-0-{}", ends.timestamp());
                    Some(seal("refresh", text).await)
                }
            };
            let life = Life {
                obtained_at,
                expires_at: beast.ends,
                refreshable: refresh.is_some(),
            };
            let spread = schedule::spread(connection, 1);
            let due = schedule::due_at(life, None, &provider.refresh, spread);
            // Each was asked at another minute of the last day.
            let day = i64::try_from(scattered(number as u64) % 86_400).unwrap_or(0);
            let asked_at = self.start - TimeDelta::seconds(day);
            let every = match beast.ends {
                Some(_) => TimeDelta::days(1),
                None => provider.check_every(),
            };
            let next_check_at = match beast.ends {
                Some(_) => asked_at + every,
                None => self.start + TimeDelta::seconds(day % every.num_seconds()),
            };
            connections.push(
                connection::Model {
                    id: connection,
                    tenant_id: tenant,
                    provider: provider.id.clone(),
                    external_id: Some(number.to_string()),
                    account_label: format!("Shop {number}"),
                    display_name: None,
                    variables: Default::default(),
                    scopes_asked: "shop.read".into(),
                    scopes_granted: None,
                    created_by: None,
                    created_at: obtained_at,
                    last_ok_at: Some(self.start),
                    failure: None,
                    failed_at: None,
                    disconnected_at: None,
                    revocation: None,
                    sync_frequency: Default::default(),
                    mapping: Default::default(),
                    environment: None,
                    next_check_at: Some(next_check_at),
                    asked_at: Some(asked_at),
                    check_failures: 0,
                    alarm: None,
                    paused_at: None,
                    certificate: None,
                }
                .into_active_model()
                .reset_all(),
            );
            credentials.push(
                credential::Model {
                    connection_id: connection,
                    slot: credential::MAIN.into(),
                    tenant_id: tenant,
                    access_sealed: seal("access", format!("a-{number}")).await,
                    refresh_sealed: refresh,
                    previous_refresh_sealed: None,
                    token_type: "Bearer".into(),
                    obtained_at,
                    expires_at: beast.ends,
                    refresh_expires_at: None,
                    version: 1,
                    next_refresh_at: match beast.overdue {
                        true => due.map(|due| due.min(self.start)),
                        false => due,
                    },
                    lease_owner: None,
                    lease_until: None,
                    fence: 0,
                    failures: 0,
                    failure: None,
                    failed_at: None,
                }
                .into_active_model()
                .reset_all(),
            );
            if connections.len() == ROWS || number + 1 == plan.connections {
                let transaction = hub.store.begin().await.expect("a transaction");
                connection::Entity::insert_many(std::mem::take(&mut connections))
                    .exec_without_returning(&transaction)
                    .await
                    .expect("connections");
                credential::Entity::insert_many(std::mem::take(&mut credentials))
                    .exec_without_returning(&transaction)
                    .await
                    .expect("credentials");
                transaction.commit().await.expect("a commit");
            }
        }
    }

    /// One tick of the background, as `jobs` runs it: what has to wait for its
    /// app's budget goes on a second later.
    pub async fn tick(&self) {
        let hub = &self.application.hub;
        let mut left = TICK;
        for _ in 0..8 {
            let renewals = hub.refresh_due().await.expect("a round");
            let checks = hub.check_due().await.expect("a round");
            if !renewals.held_back && !checks.held_back {
                break;
            }
            self.clock.advance(TimeDelta::seconds(1));
            left -= TimeDelta::seconds(1);
        }
        self.clock.advance(left);
    }

    /// Goes to the next thing that is due, or to `limit`.
    pub async fn to_next(&self, limit: DateTime<Utc>) {
        use sea_orm::{QueryOrder, QuerySelect};
        let db = self.application.hub.store.db();
        let renewal: Option<Option<DateTime<Utc>>> = credential::Entity::find()
            .select_only()
            .column(credential::Column::NextRefreshAt)
            .filter(credential::Column::NextRefreshAt.is_not_null())
            .order_by_asc(credential::Column::NextRefreshAt)
            .into_tuple()
            .one(db)
            .await
            .expect("a time");
        let check: Option<Option<DateTime<Utc>>> = connection::Entity::find()
            .select_only()
            .column(connection::Column::NextCheckAt)
            .filter(connection::Column::NextCheckAt.is_not_null())
            .order_by_asc(connection::Column::NextCheckAt)
            .into_tuple()
            .one(db)
            .await
            .expect("a time");
        let now = self.clock.now();
        let next = renewal.flatten().into_iter().chain(check.flatten()).min();
        let next = next.unwrap_or(limit).min(limit);
        self.clock.advance((next - now).max(TICK));
    }

    /// How many tokens have ended although they could have been renewed.
    pub async fn ended(&self) -> u64 {
        credential::Entity::find()
            .filter(credential::Column::ExpiresAt.lte(self.clock.now()))
            .count(self.application.hub.store.db())
            .await
            .expect("a count")
    }
}

fn id(provider: usize) -> String {
    format!("herd-{provider}")
}

async fn person(application: &Application, organisation: &str, email: &str) -> Member {
    let secret = Secret::new(PASSWORD);
    let made = application
        .hub
        .create_user(organisation, email, "Somebody", secret);
    made.await.expect("a person")
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
    address
}

/// The sandbox's entry, once for each provider, with another place and name.
fn write_entries(directory: &Path, plan: &Plan, peer: SocketAddr) {
    std::fs::create_dir_all(directory).expect("a directory");
    let shipped = format!("{}/hub/catalog/sandbox.toml", env!("CARGO_MANIFEST_DIR"));
    let shipped = std::fs::read_to_string(shipped).expect("an entry");
    let (head, rest) = shipped.split_once("[[variable]]").expect("a variable");
    let (_, rest) = rest.split_once("[oauth.authorize]").expect("a sign-in");
    let rest = rest.split("# Signed like").next().expect("the rest");
    let text = format!("{head}[oauth.authorize]{rest}")
        .replace("/oauth/token", "/token")
        .replace("/api/me", "/me");
    for one in 0..plan.providers {
        let mut text = text
            .replace("{sandbox_origin}", &format!("http://{peer}/{one}"))
            .replace("Sandbox Shop", &format!("Herd {one}"));
        if !plan.rotates {
            text = text.replace(
                "rotates = \"always\"\nreuse_revokes_family = true",
                "rotates = \"never\"",
            );
        }
        std::fs::write(directory.join(format!("{}.toml", id(one))), text).expect("an entry");
    }
}
