//! The composition root: puts the hub, its HTTP surface and its background
//! together. Used by the program and, with other parts, by the tests.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use axum::Router;
use hub::{
    Choices, Hub, Parts,
    catalog::{Catalog, Problem},
    clock::Clock,
    connect::Rejections,
    dialect::{Dialect, ProviderApp},
    keep::{Keeper, spool::Spool},
    notify::MailSettingsError,
    outbound::{Outbound, OutboundPolicy},
    people::{Limits, Passwords},
    record::{AttemptLog, Changes, Ledgers, Meters, ReadLog, Witness},
    runs::policies::{BadPolicy, Policies},
    secret::Secret,
    store::{Store, data_key},
    tell::Teller,
    vault::{KeyWrapper, MasterKeyError, Vault, VaultError},
};
use ipnet::IpNet;
use migrations::{Migrator, MigratorTrait};
use sandbox::{Client, Sandbox, Settings};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, EntityTrait, PaginatorTrait};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    backup,
    config::{self, Place, Serve},
    http, jobs,
};

/// What a hub is made from, so that tests can bring their own.
pub struct Ingredients {
    /// A migrated database.
    pub store: Store,
    /// The clock everything follows.
    pub clock: Clock,
    /// What wraps the data keys.
    pub wrapper: Arc<dyn KeyWrapper>,
    /// All providers.
    pub catalog: Catalog,
    /// What outbound calls may reach.
    pub outbound: OutboundPolicy,
    /// Where people and providers reach this hub.
    pub public_url: Url,
    /// Provider apps of the operator.
    pub operator_apps: BTreeMap<String, ProviderApp>,
    /// What the operator decided.
    pub choices: Choices,
    /// Where answers wait that the database could not take.
    pub spool: Spool,
    /// What stands outside of the database: signed heads of the ledgers, and
    /// what was deleted.
    pub witness: Witness,
    /// The rules for automations.
    pub policies: Policies,
}

/// A hub with its HTTP surface.
#[derive(Clone)]
pub struct Application {
    /// Everything the product does.
    pub hub: Hub,
    /// Cancelled when the process is asked to stop; streams end then.
    pub stopping: CancellationToken,
    /// The proxies whose word about a request's origin is believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// What opens `/metrics` on the hub's own address; without one it is closed.
    pub metrics_token: Option<Arc<Secret>>,
}

/// Why the hub did not start, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages are the documentation")]
pub enum StartError {
    #[error("the data directory {path} cannot be used: {error}")]
    Data { path: String, error: std::io::Error },
    #[error("the database cannot be used: {0}")]
    Database(#[from] DbErr),
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error("the master key in {0} does not open what is stored; nothing was changed")]
    WrongMasterKey(String),
    #[error("the vault cannot be used: {0}")]
    Vault(#[from] VaultError),
    #[error("the catalog has mistakes:\n{}", .0.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n"))]
    Catalog(Vec<Problem>),
    #[error("a policy cannot be used: {0}")]
    Policy(#[from] BadPolicy),
    #[error(transparent)]
    Mail(#[from] MailSettingsError),
    #[error("no client for outbound calls: {0}")]
    Outbound(#[from] hub::outbound::NoClient),
    #[error("{address} cannot be listened on: {error}")]
    Listen {
        address: SocketAddr,
        error: std::io::Error,
    },
    #[error("there is no organisation called {0}")]
    NoOrganisation(String),
    #[error("no hub answers at {address}: {error}")]
    NoAnswer {
        address: SocketAddr,
        error: std::io::Error,
    },
    #[error("the hub is not ready: {0}")]
    NotReady(String),
    #[error(transparent)]
    Backup(#[from] crate::backup::BackupError),
    #[error("the sandbox shop did not start: {0}")]
    Sandbox(std::io::Error),
    #[error("the hub did not start: {0}")]
    Hub(#[from] hub::Error),
    #[error("the audit ledger is not what was written")]
    Ledger,
    #[error("some of the audit ledger is signed by no checkpoint")]
    Unsigned,
    #[error(
        "these organisations have no data key, so nothing that is sealed of them opens: {}; \
         restore newer keys if those are older than the data, or say --delete-keyless if these \
         organisations were deleted since", .0.join(", ")
    )]
    Keyless(Vec<String>),
    #[error("serving ended: {0}")]
    Serving(std::io::Error),
}

impl Application {
    /// Puts an application together, without listening and without background.
    pub fn new(ingredients: Ingredients) -> Result<Self, StartError> {
        let Ingredients {
            store,
            clock,
            wrapper,
            catalog,
            outbound,
            public_url,
            operator_apps,
            choices,
            spool,
            witness,
            policies,
        } = ingredients;
        let outbound = Outbound::new(outbound)?;
        let hub = Hub::new(Parts {
            vault: Vault::new(store.clone(), clock.clone(), wrapper),
            dialect: Dialect::new(outbound.clone(), clock.clone()),
            outbound,
            passwords: Passwords::new(clock.clone()),
            limits: Limits::new(choices.rate_limit, clock.clone()),
            signing: Default::default(),
            rejections: Rejections::default(),
            store,
            clock,
            catalog,
            public_url,
            operator_apps,
            choices,
            spool,
            keeper: Keeper::default(),
            teller: Teller::default(),
            changes: Changes::default(),
            reads: ReadLog::default(),
            ledgers: Ledgers::default(),
            witness,
            attempts: AttemptLog::default(),
            meters: Meters::default(),
            policies,
        });
        Ok(Self {
            hub,
            stopping: CancellationToken::new(),
            trusted_proxies: Arc::new([]),
            metrics_token: None,
        })
    }

    /// What must be true before a request is served: the master key opens what
    /// is stored, and what an earlier process left is taken up.
    pub async fn make_ready(&self) -> Result<(), StartError> {
        self.hub.vault.prove_master_key().await?;
        self.hub.take_up().await?;
        self.hub.repeat_deletions().await?;
        Ok(())
    }

    /// The whole HTTP surface.
    pub fn router(&self) -> Router {
        http::router(self)
    }
}

/// Opens the database of `place`, migrated.
pub async fn open_store(place: &Place) -> Result<Store, StartError> {
    create_private_directory(&place.data)?;
    if place.database.is_none() {
        make_private_database(&place.data.join("linkwell.db"))?;
    }
    let store = Store::open(&place.database_url()).await?;
    migrate(&store).await?;
    Ok(store)
}

/// Whether nothing is sealed, so that any master key will do.
pub(crate) async fn is_nothing_sealed(store: &Store) -> Result<bool, DbErr> {
    Ok(data_key::Entity::find().count(store.db()).await? == 0)
}

/// SQLite makes a database that everybody may read, and its log like the database:
/// the directory keeps nobody out where it was made by somebody else.
fn make_private_database(path: &Path) -> Result<(), StartError> {
    if let Err(error) = backup::private_file(path)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(StartError::Data {
            path: path.display().to_string(),
            error,
        });
    }
    for ending in ["db", "db-wal", "db-shm"] {
        keep_private(&path.with_extension(ending));
    }
    Ok(())
}

/// Takes a file from everybody but its owner. That the hub may not, or that a disk
/// knows no modes, stops nothing.
#[cfg(unix)]
pub(crate) fn keep_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(found) = std::fs::metadata(path) else {
        return;
    };
    if found.permissions().mode() & 0o077 == 0 {
        return;
    }
    let private = std::fs::Permissions::from_mode(0o600);
    if let Err(error) = std::fs::set_permissions(path, private) {
        tracing::warn!(%error, file = %path.display(), "others may read this file, and that cannot be changed");
    }
}

/// Files have no modes here.
#[cfg(not(unix))]
pub(crate) fn keep_private(_path: &Path) {}

/// Says in the log that nothing guards the rows of tenants but the hub itself.
async fn warn_unguarded(store: &Store) -> Result<(), DbErr> {
    if store.is_unguarded().await? {
        tracing::warn!("{UNGUARDED}");
    }
    Ok(())
}

/// What is to be known of a role that PostgreSQL guards nothing from.
pub(crate) const UNGUARDED: &str = "the role in LINKWELL_DATABASE is a superuser or has BYPASSRLS, \
    so PostgreSQL does not keep tenants apart; give the hub a role of its own without either";

/// Brings the database up to date. Processes that start together take turns.
pub async fn migrate(store: &Store) -> Result<(), DbErr> {
    /// A number nobody else uses for an advisory lock.
    const TURN: &str = "SELECT pg_advisory_xact_lock(7305814261)";
    let turn = match store.db().get_database_backend() {
        DatabaseBackend::Postgres => {
            let turn = store.begin().await?;
            turn.execute_unprepared(TURN).await?;
            Some(turn)
        }
        _ => None,
    };
    Migrator::up(store.db(), None).await?;
    match turn {
        Some(turn) => turn.commit().await,
        None => Ok(()),
    }
}

/// Reads the catalog, with the operator's own files on top.
pub fn open_catalog(directory: Option<&Path>) -> Result<Catalog, StartError> {
    let catalog = Catalog::embedded().map_err(StartError::Catalog)?;
    match directory {
        Some(directory) => catalog
            .with_directory(directory)
            .map_err(StartError::Catalog),
        None => Ok(catalog),
    }
}

/// Reads the rules for automations, with the operator's own files on top.
pub fn open_policies(directory: Option<&Path>) -> Result<Policies, StartError> {
    match directory {
        Some(directory) => Ok(Policies::with_directory(directory)?),
        None => Ok(Policies::shipped()),
    }
}

/// Opens everything `place` names, for a command or for serving.
pub async fn open(
    place: &Place,
    catalog: Catalog,
    public_url: Url,
    outbound: OutboundPolicy,
    operator_apps: BTreeMap<String, ProviderApp>,
    choices: Choices,
) -> Result<Application, StartError> {
    let application =
        assemble(place, catalog, public_url, outbound, operator_apps, choices).await?;
    match application.make_ready().await {
        Err(StartError::Vault(VaultError::WrongMasterKey)) => {
            let origin = match &place.master_key {
                Some(_) => "LINKWELL_MASTER_KEY".to_owned(),
                None => place.master_key_path().display().to_string(),
            };
            Err(StartError::WrongMasterKey(origin))
        }
        ready => ready.map(|()| application),
    }
}

/// The same, before anything is taken up that an earlier process left.
pub async fn assemble(
    place: &Place,
    catalog: Catalog,
    public_url: Url,
    outbound: OutboundPolicy,
    mut operator_apps: BTreeMap<String, ProviderApp>,
    choices: Choices,
) -> Result<Application, StartError> {
    let store = open_store(place).await?;
    warn_unguarded(&store).await?;
    let wrapper = place.master_key(is_nothing_sealed(&store).await?)?;
    let policies = open_policies(place.policies.as_deref())?;
    let clock = Clock::system();
    if store.db().get_database_backend() == DatabaseBackend::Postgres {
        clock.follow(store.time().await?);
    }
    for (app, from_environment) in config::operator_apps(&catalog) {
        operator_apps.entry(app).or_insert(from_environment);
    }
    let spool = Spool::open(&place.data.join("spool")).map_err(|error| StartError::Data {
        path: place.data.join("spool").display().to_string(),
        error,
    })?;
    let audit = place.audit_directory();
    let witness = Witness::open(&audit).map_err(|error| StartError::Data {
        path: audit.display().to_string(),
        error,
    })?;
    Application::new(Ingredients {
        store,
        clock,
        wrapper: Arc::new(wrapper),
        catalog,
        outbound,
        public_url,
        operator_apps,
        choices,
        spool,
        witness,
        policies,
    })
}

/// Serves until the process is asked to stop, then lets requests, jobs and
/// streams end.
pub async fn serve(settings: Serve) -> Result<(), StartError> {
    let listener = listen(settings.listen).await?;
    let address = listener.local_addr().map_err(StartError::Serving)?;
    let public_url = settings.public_url.clone().unwrap_or_else(|| {
        Url::parse(&format!("http://{address}/")).expect("a socket address makes an origin")
    });
    let mut catalog = open_catalog(settings.place.catalog.as_deref())?;
    for name in config::unknown_apps(&catalog) {
        tracing::warn!("{name} is not used: the catalog has no such app");
    }
    let mut outbound = OutboundPolicy {
        allow: settings.outbound_allow.clone(),
        proxy: settings.outbound_proxy.clone(),
        ..OutboundPolicy::default()
    };
    let mut operator_apps = BTreeMap::new();
    let stopping = CancellationToken::new();
    let mut shop = None;
    if settings.sandbox {
        create_private_directory(&settings.place.data)?;
        let opened = open_sandbox(&settings, address, &public_url, &stopping).await?;
        catalog = catalog.with_global(
            "sandbox_origin",
            opened.origin.as_str().trim_end_matches('/'),
        );
        outbound.allow_exact.extend(opened.addresses());
        operator_apps.insert("sandbox".to_owned(), opened.app);
        shop = Some((opened.serving, opened.origin));
    }
    let application = open(
        &settings.place,
        catalog,
        public_url.clone(),
        outbound,
        operator_apps,
        settings.choices()?,
    )
    .await?;
    let application = Application {
        stopping: stopping.clone(),
        trusted_proxies: settings.trusted_proxy.clone().into(),
        metrics_token: settings
            .metrics_token
            .as_ref()
            .map(|token| Arc::new(Secret::new(token))),
        ..application
    };
    if let Some(address) = settings.metrics_listen {
        serve_metrics(&application, address).await?;
    }
    let background = jobs::start(&application);
    tracing::info!(%address, public_url = %public_url, "Linkwell is ready at {public_url}");
    if let Some((_, origin)) = &shop {
        tracing::info!(sandbox.url = %origin, "The sandbox shop is at {origin}control");
    }
    tokio::spawn(jobs::stop_on_signal(stopping.clone()));
    let router = application.router();
    let served = axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(stopping.clone().cancelled_owned())
    .into_future();
    // A request that does not end must not keep the process: its task is
    // dropped, while refreshes under way are waited for below.
    let served = jobs::until_stopped(served, &stopping).await;
    stopping.cancel();
    background.finish(&application).await;
    if let Some((serving, _)) = shop {
        serving.abort();
    }
    tracing::info!("Linkwell has stopped");
    served.map_err(StartError::Serving)
}

/// Serves `/metrics` on an address of its own, and nothing else there.
async fn serve_metrics(application: &Application, address: SocketAddr) -> Result<(), StartError> {
    let listener = listen(address).await?;
    let readers = match &application.metrics_token {
        None => http::metrics::Readers::Anybody,
        token => http::metrics::Readers::WithToken(token.clone()),
    };
    let router: Router = http::metrics::router(application.hub.clone(), readers);
    let stopped = application.stopping.clone().cancelled_owned();
    tracing::info!(%address, "metrics are at http://{address}/metrics");
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stopped);
        if let Err(error) = served.await {
            tracing::error!(%error, "metrics are no longer served");
        }
    });
    Ok(())
}

struct OpenedSandbox {
    origin: Url,
    address: SocketAddr,
    app: ProviderApp,
    serving: tokio::task::JoinHandle<()>,
}

impl OpenedSandbox {
    /// The sandbox listens on IPv4 only; `localhost` may be looked up as both.
    fn addresses(&self) -> [SocketAddr; 1] {
        [self.address]
    }
}

async fn open_sandbox(
    settings: &Serve,
    hub: SocketAddr,
    public_url: &Url,
    stopping: &CancellationToken,
) -> Result<OpenedSandbox, StartError> {
    let listener = match settings.sandbox_listen {
        Some(address) => listen(address).await?,
        None => {
            let next = SocketAddr::from((Ipv4Addr::LOCALHOST, hub.port().wrapping_add(1)));
            match listen(next).await {
                Ok(listener) => listener,
                Err(_) => listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?,
            }
        }
    };
    let address = listener.local_addr().map_err(StartError::Sandbox)?;
    // Another host than the hub's, as every provider is: cookies of one are
    // not sent to the other.
    let origin = Url::parse(&format!("http://localhost:{}/", address.port()))
        .expect("a port makes an origin");
    let clock = Clock::system();
    let state_file = settings.place.data.join("sandbox.json");
    keep_private(&state_file);
    let shop = Sandbox::open(Settings {
        public_url: origin.clone(),
        state_file: Some(state_file),
        clock: Arc::new(move || clock.now()),
    })
    .map_err(StartError::Sandbox)?;
    let app = register_with_sandbox(&shop, public_url);
    let router = shop.router();
    let stopped = stopping.clone().cancelled_owned();
    let serving = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await
        {
            tracing::error!(%error, "the sandbox shop stopped");
        }
    });
    Ok(OpenedSandbox {
        origin,
        address,
        app,
        serving,
    })
}

/// Registers the hub at a sandbox, as an operator does at a real provider.
pub fn register_with_sandbox(shop: &Sandbox, public_url: &Url) -> ProviderApp {
    let secret = Secret::random(32);
    let client_id = "linkwell".to_owned();
    shop.register_client(Client {
        id: client_id.clone(),
        secret: secret.expose().to_owned(),
        redirect_uris: vec![format!("{public_url}oauth/callback/sandbox")],
        webhook: None,
    });
    ProviderApp {
        client_id,
        client_secret: secret,
        settings: BTreeMap::new(),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Listen { address, error })
}

pub(crate) fn create_private_directory(path: &Path) -> Result<(), StartError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| StartError::Data {
        path: path.display().to_string(),
        error,
    })
}
