//! The page before connecting, for members and for guests.

use super::{ConnectField, Permission, Provider, Status, Wizard};

/// The page a person reads before connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectPage {
    /// The provider.
    pub provider: Provider,
    /// What it is, in one sentence.
    pub summary: String,
    /// Name and content of each plain fact: kind of sign-in, time, regions.
    pub facts: Vec<(String, String)>,
    /// The provider's own pages about it.
    pub docs: Vec<String>,
    /// The connection being repaired, when it is one.
    pub repairs: Option<(String, String)>,
    /// The account that is in use already, where one more is to be connected:
    /// its connection, name and status.
    pub in_use: Option<(String, String, Status)>,
    /// What we will do, from the permissions asked for.
    pub will: Vec<String>,
    /// What we will not do.
    pub will_not: Vec<String>,
    /// The permissions as the provider names them.
    pub permissions: Vec<Permission>,
    /// Permissions a person may add.
    pub optional: Vec<Permission>,
    /// What has to be typed first.
    pub fields: Vec<ConnectField>,
    /// How to end the access later.
    pub removal: String,
    /// How long it usually takes, in seconds, where that is known.
    pub usually_takes: Option<i64>,
    /// Whether it can start.
    pub readiness: Readiness,
    /// Whether an administrator there may allow it for everybody.
    pub admin_consent: bool,
    /// The handle of an attempt that is still open.
    pub attempt: Option<String>,
    /// Whom to ask.
    pub helpers: Vec<Helper>,
}

/// Somebody who can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// Who it is.
    pub name: String,
    /// Where they are reached: `mailto:` or `https:`.
    pub href: String,
    /// The same, as it is read.
    pub shown: String,
}

/// What somebody who came by a link is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestPage {
    /// Who asks.
    pub organisation: String,
    /// Where they go without connecting: the name of the place, and its address.
    pub leave: Option<(String, String)>,
    /// The providers to choose from, with one sentence about each.
    pub providers: Vec<(Provider, String)>,
}

/// The page a guest reads before connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestConnectPage {
    /// What the link is for.
    pub guest: GuestPage,
    /// The provider.
    pub provider: Provider,
    /// Whether an account is connected again that was connected before.
    pub is_repair: bool,
    /// What we will do.
    pub will: Vec<String>,
    /// What we will not do.
    pub will_not: Vec<String>,
    /// What has to be typed first.
    pub fields: Vec<ConnectField>,
    /// How to end the access later.
    pub removal: String,
    /// Whether it can start.
    pub readiness: Readiness,
}

/// Whether a provider can be connected now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Its provider app is there.
    Ready,
    /// It is connected with something a person enters.
    Enter(Box<Wizard>),
    /// There is no such connection yet, and why.
    NotYet(String),
    /// Its provider app is missing.
    NotSetUp {
        /// The provider app's id.
        app: String,
        /// Whether the person looking may set it up.
        may_set_up: bool,
        /// Who else may.
        admins: Vec<String>,
    },
}
