//! # Sandbox Shop: a provider you can break on purpose
//!
//! A small pretend shop with everything a real provider has: accounts, a consent page, an OAuth 2 server,
//! an API, webhooks, a page where people remove apps. And one thing no real provider has: a control page
//! (and the same as JSON) that makes it fail in the ways providers fail.
//!
//! It serves three readers: newcomers trying a first connection, whole-application tests that run it in
//! the same process, and browser tests. It stands on no other crate of this workspace, so that it cannot
//! share a misunderstanding with what it is used to test.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # fn clock() -> chrono::DateTime<chrono::Utc> { chrono::DateTime::UNIX_EPOCH }
//! use sandbox::{Client, Fault, Sandbox, Settings};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3001").await?;
//! let shop = Sandbox::open(Settings {
//!     public_url: "http://localhost:3001".parse()?,
//!     state_file: None,
//!     clock: std::sync::Arc::new(clock),
//! })?;
//! shop.register_client(Client {
//!     id: "my-app".into(),
//!     secret: "a secret".into(),
//!     redirect_uris: vec!["http://localhost:3000/callback".into()],
//!     webhook: None,
//! });
//! shop.set_faults(Fault::rate_limited(30).times(2).into());
//! axum::serve(listener, shop.router()).await?;
//! # Ok(()) }
//! ```
//!
//! ## Addresses
//!
//! | Address | What |
//! |---|---|
//! | `GET /` · `/account` | the shop; an account's connected apps, with **Remove** |
//! | `GET /oauth/authorize` | consent page. PKCE with S256 is required; `login_hint`, `prompt` (`select_account`, `none`), `response_mode` (`query`, `form_post`) |
//! | `POST /oauth/token` | `authorization_code`, `refresh_token`; `client_secret_basic` or `client_secret_post` |
//! | `POST /oauth/revoke` · `/oauth/introspect` | RFC 7009 · RFC 7662 |
//! | `GET /.well-known/oauth-authorization-server` | RFC 8414 |
//! | `GET /api/me` | id, name, e-mail and plan of the account: any living token |
//! | `GET`, `POST /api/orders` | `orders.read`, `orders.write` |
//! | `GET`, `POST /api/products` | `shop.read`, `products.write` |
//! | `GET /control` | the control page |
//! | `GET`, `PUT /control/faults` | [`Faults`] |
//! | `GET`, `PUT /control/rules` | [`Rules`]: lifetimes, rotation, automatic approval |
//! | `GET /control/calls` · `/control/requests` · `/control/grants` | [`Calls`] · [`RecordedRequest`]s · [`GrantView`]s |
//! | `POST /control/reset` · `/control/revoke-all` · `/control/expire-all` | see [`Sandbox::reset`], [`Sandbox::revoke_all`], [`Sandbox::expire_all`] |
//! | `POST /control/grants/{id}/revoke` · `/expire` | the same for one grant |
//! | `POST /control/scenarios/{name}` | one of the buttons of the control page |
//!
//! Accounts: `maple@shop.test`, `harbour@shop.test`, `atelier@shop.test`, all with the password `sandbox`.
//!
//! ## Webhooks
//!
//! When a person removes an app, or a grant is revoked on the control page, the app's webhook receives a
//! JSON event (`app.uninstalled` or `grant.revoked`) signed with
//! `Sandbox-Signature: t=<unix seconds>,v1=<hex(HMAC-SHA256(secret, "<t>.<body>"))>`, tried three times.
//!
//! ## What it is not
//!
//! Passwords are public and anybody who reaches the control page may do anything: it is for a developer's
//! machine. What it does defend is that machine's browser: posts from other sites, and requests under a
//! foreign host name, are refused.

mod accounts;
mod api;
mod calls;
mod control;
mod faults;
mod oauth;
mod origin;
mod pages;
mod rules;
mod secrets;
mod state;
mod webhooks;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::Router;
use chrono::{DateTime, Utc};
use url::Url;

pub use accounts::{ACCOUNTS, Account, PASSWORD};
pub use calls::{Calls, RecordedRequest};
pub use faults::{Endpoint, ExpiresIn, Fault, FaultKind, Faults, Garbage, RetryAfter};
pub use oauth::scopes::Scope;
pub use rules::{Grace, Rotation, Rules};
pub use secrets::fingerprint;
pub use state::{GrantView, IssuedTokens, Revocation};

use calls::Log;
use state::State;

/// The shop. Cheap to clone: every clone is the same shop.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

/// What [`Sandbox::open`] needs to know.
pub struct Settings {
    /// The shop's own origin, for example `http://localhost:3001`. Its path is ignored.
    pub public_url: Url,
    /// JSON file that lets grants survive a restart. `None` keeps everything in memory.
    pub state_file: Option<PathBuf>,
    /// The only clock the shop looks at.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

/// An app that may ask for access.
#[derive(Clone)]
pub struct Client {
    /// Public name; also what the consent page calls the app.
    pub id: String,
    /// Its secret for the token, revocation and introspection endpoints.
    pub secret: String,
    /// Addresses a person may be sent back to, compared byte for byte.
    pub redirect_uris: Vec<String>,
    /// Where to tell the app that somebody removed it.
    pub webhook: Option<Webhook>,
}

/// Where and how an app wants to hear about events.
#[derive(Clone)]
pub struct Webhook {
    /// Receives `POST` with a JSON body.
    pub url: Url,
    /// Key of the HMAC-SHA256 signature.
    pub secret: String,
}

struct Shared {
    clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    http: reqwest::Client,
    state_file: Option<PathBuf>,
    shop: Mutex<Shop>,
}

/// Everything that changes, behind one lock that is never held across an `await`.
pub(crate) struct Shop {
    public_url: Url,
    clients: HashMap<String, Client>,
    state: State,
    faults: Faults,
    rules: Rules,
    calls: Calls,
    log: Log,
}

impl Sandbox {
    /// Opens the shop, with the grants of an earlier run if there is a state file.
    ///
    /// # Errors
    /// The state file exists but cannot be read or understood, or no HTTP client can be made.
    pub fn open(settings: Settings) -> std::io::Result<Self> {
        let mut state = match &settings.state_file {
            Some(file) => State::load(file)?,
            None => State::default(),
        };
        state.prune((settings.clock)());
        let http = webhooks::http_client().map_err(std::io::Error::other)?;
        Ok(Self {
            shared: Arc::new(Shared {
                clock: settings.clock,
                http,
                state_file: settings.state_file,
                shop: Mutex::new(Shop {
                    public_url: settings.public_url,
                    clients: HashMap::new(),
                    state,
                    faults: Faults::default(),
                    rules: Rules::default(),
                    calls: Calls::default(),
                    log: Log::default(),
                }),
            }),
        })
    }

    /// All routes of the shop, to be served at the root of [`Settings::public_url`].
    pub fn router(&self) -> Router {
        Router::new()
            .merge(pages::routes(self))
            .merge(control::routes(self))
            .merge(oauth::routes(self))
            .merge(api::routes(self))
    }

    /// Changes the shop's origin, for tests that learn their port only after binding.
    pub fn set_public_url(&self, url: Url) {
        self.shop().public_url = url;
    }

    /// Makes an app known. Registering the same id again replaces it; its grants stay.
    pub fn register_client(&self, client: Client) {
        self.shop().clients.insert(client.id.clone(), client);
    }

    /// The faults still waiting to happen: those limited by `times` count down and leave.
    pub fn faults(&self) -> Faults {
        self.shop().faults.clone()
    }

    /// Replaces all faults.
    pub fn set_faults(&self, faults: Faults) {
        self.shop().faults = faults;
    }

    /// How the shop normally works.
    pub fn rules(&self) -> Rules {
        self.shop().rules.clone()
    }

    /// Replaces the rules. Tokens already handed out keep their lifetime.
    pub fn set_rules(&self, rules: Rules) {
        self.shop().rules = rules;
    }

    /// Exact counters since the start or the last [`Sandbox::reset`].
    pub fn calls(&self) -> Calls {
        let shop = self.shop();
        Calls {
            access_token_uses: shop.state.access_token_uses(),
            refresh_token_uses: shop.state.refresh_token_uses(),
            ..shop.calls.clone()
        }
    }

    /// Takes the recent requests to the OAuth endpoints and the API out of the log (at most 2000 are kept).
    pub fn take_requests(&self) -> Vec<RecordedRequest> {
        self.shop().log.take()
    }

    /// Grants that are alive.
    pub fn grants(&self) -> Vec<GrantView> {
        let now = self.now();
        self.shop().state.living_grants(now)
    }

    /// Grants access without a browser, as if `account` (id or e-mail) had approved. `None` if there is no
    /// such account. For tests that start from an existing token pair.
    pub fn grant(&self, client_id: &str, account: &str, scopes: &[Scope]) -> Option<IssuedTokens> {
        let account = Account::find(account)?;
        Some(self.change(|shop, now| {
            let grant =
                shop.state
                    .open_grant(client_id, account, scopes.iter().copied().collect(), now);
            shop.state.issue(&grant, &shop.rules, now)
        }))
    }

    /// Revokes every grant, as the shop would after an incident, and tells the apps' webhooks.
    /// Must be called inside a tokio runtime. Returns how many grants died.
    pub fn revoke_all(&self) -> usize {
        let ids: Vec<String> = self.grants().into_iter().map(|grant| grant.id).collect();
        ids.iter().filter(|id| self.revoke_grant(id)).count()
    }

    /// Makes every access token expire now; refresh tokens live on. Returns how many were alive.
    pub fn expire_all(&self) -> usize {
        self.change(|shop, now| shop.state.expire_access_tokens(None, now))
    }

    /// Everything back to normal: no faults, default rules, counters at zero, empty log. Grants stay.
    pub fn reset(&self) {
        let mut shop = self.shop();
        shop.faults = Faults::default();
        shop.rules = Rules::default();
        shop.calls = Calls::default();
        shop.log = Log::default();
        shop.state.forget_uses();
    }

    /// Revokes one grant from the control page. `false` if it was not alive.
    pub(crate) fn revoke_grant(&self, id: &str) -> bool {
        let revoked = self.change(|shop, now| shop.revoke(id, Revocation::Control, now));
        if let Some(grant) = &revoked {
            self.announce(webhooks::Event::GrantRevoked, grant);
        }
        revoked.is_some()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.shared.clock)()
    }

    /// Reads, or changes what need not survive a restart.
    pub(crate) fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shared
            .shop
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and saves it before anybody can see the outcome: a shop that forgot a token it
    /// has handed out would look like a bug of the app.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Shop, DateTime<Utc>) -> T) -> T {
        let now = self.now();
        let mut shop = self.shop();
        let outcome = change(&mut shop, now);
        if let Some(file) = &self.shared.state_file
            && let Err(error) = shop.state.save(file)
        {
            tracing::error!(%error, file = %file.display(), "the sandbox could not save its state");
        }
        outcome
    }
}

impl Shop {
    /// The issuer identifier: the origin without a trailing slash, as RFC 8414 compares it.
    pub(crate) fn issuer(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }

    pub(crate) fn revoke(
        &mut self,
        grant: &str,
        by: Revocation,
        now: DateTime<Utc>,
    ) -> Option<GrantView> {
        let revoked = self.state.revoke_grant(grant, by, now);
        if revoked.is_some() {
            self.calls.families_revoked += 1;
        }
        revoked
    }
}
