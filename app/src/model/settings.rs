//! Provider apps, API keys and webhooks.

use super::{ConnectField, Moment, Provider};

/// Whether and how a provider app is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppState {
    /// Nobody entered it yet.
    NotSetUp,
    /// An admin entered it here.
    Entered {
        /// The public half.
        client_id: String,
        /// When.
        at: Moment,
    },
    /// The operator gave it through the environment; it cannot be changed here.
    Environment {
        /// The public half.
        client_id: String,
    },
}

/// One line of the list of provider apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAppRow {
    /// The provider app's id.
    pub id: String,
    /// Its name and icon.
    pub provider: Provider,
    /// What it serves, when that is more than one provider.
    pub serves: Vec<String>,
    /// How it is set up.
    pub state: AppState,
    /// When the certificate ends that its providers know it by, and whether that
    /// is soon.
    pub certificate: Option<(Moment, bool)>,
}

/// Something somebody missed in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WishRow {
    /// What, in their words.
    pub text: String,
    /// Who.
    pub by: Option<String>,
    /// When.
    pub at: Moment,
}

/// The page of one provider app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAppPage {
    /// The line of the list.
    pub app: ProviderAppRow,
    /// The address to register.
    pub redirect_uri: String,
    /// The address for the provider's messages, and which to subscribe to.
    pub messages: Option<(String, String)>,
    /// What to do at the provider, in order.
    pub steps: Vec<String>,
    /// Where apps are registered.
    pub console_url: Option<String>,
    /// What the provider demands of the address, and what it reviews.
    pub rules: Vec<String>,
    /// What the provider calls the two values.
    pub labels: (String, String),
    /// What else it gives.
    pub settings: Vec<ConnectField>,
    /// The environment variables that hold the two values instead.
    pub variables: (String, String),
}

/// One API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// The key's id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Where its links may send people back to.
    pub return_origins: Vec<String>,
    /// The end of the key, to tell keys apart.
    pub last_four: String,
    /// When it was made.
    pub created: Moment,
    /// When it was last used.
    pub last_used: Option<Moment>,
}

/// The webhooks of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// Each of them.
    pub rows: Vec<WebhookRow>,
    /// What one can be told of, with what that means.
    pub kinds: Vec<(String, String)>,
    /// The number of the newest event.
    pub newest: i64,
}

/// One webhook and how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its id.
    pub id: String,
    /// Where messages are posted.
    pub url: String,
    /// What it is told of; none means everything.
    pub kinds: Vec<String>,
    /// When it was added.
    pub created: Moment,
    /// When it last took a message.
    pub last_ok: Option<Moment>,
    /// Why it does not take messages, in words.
    pub problem: Option<String>,
    /// Since when it does not.
    pub failed: Option<Moment>,
    /// Whether it said that it is gone for good.
    pub gone: bool,
    /// How many messages wait.
    pub waiting: u64,
    /// How many were given up.
    pub given_up: u64,
    /// Until when two secrets sign.
    pub both_until: Option<Moment>,
}
