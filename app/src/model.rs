//! Every type the browser may ever see.
//!
//! These are filled by the server's loaders and serialised into the page (as
//! island properties) and into the JSON the islands read again. None of them
//! can hold a token, a client secret or a verifier: there is no field for one.

mod attempt;
mod connect;
mod connection;
mod control;
mod market;
mod metrics;
mod notices;
mod preview;
mod runs;
mod settings;
mod wizard;

pub use attempt::*;
pub use connect::*;
pub use connection::*;
pub use control::{ClearPage, Control, ControlPage, Failed, Stored};
pub use market::*;
pub use metrics::*;
pub use notices::*;
pub use preview::*;
pub use runs::*;
pub use settings::*;
pub use wizard::*;

#[cfg(feature = "ssr")]
mod audit;
#[cfg(feature = "ssr")]
mod people;

#[cfg(feature = "ssr")]
pub use audit::{AuditChecked, AuditFilter, AuditLine, AuditPage};
#[cfg(feature = "ssr")]
pub use people::{MemberRow, OrganisationPage};

use serde::{Deserialize, Serialize};

/// A point in time: seconds since the epoch to reckon with, and the same in
/// words for the tooltip, because the browser part carries no calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since the epoch.
    pub unix: i64,
    /// The date and time with its zone: `12 May 2026, 09:10 UTC`.
    pub text: String,
}

/// A service that can be connected, as far as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The catalog id: `shopify`.
    pub id: String,
    /// The name people know: `Shopify`.
    pub name: String,
    /// The slug of its mark, such as `shopify`; without one the first letter of
    /// the name stands in.
    pub icon: Option<String>,
}

/// How a connection is. The closed list of words on screen: never two at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Proven within its check interval.
    Connected,
    /// Failed for a reason that heals itself; the next try is known or soon.
    Retrying {
        /// Seconds since the epoch of the next try.
        at: Option<i64>,
    },
    /// A person must do the one named thing.
    ActionNeeded,
    /// Somebody else must act: an admin at the provider, or the operator.
    WaitingForAdmin,
    /// Unknown, or not proven for longer than two check intervals.
    NotCheckedYet,
    /// Stopped by a person.
    Paused,
    /// Ended by a person.
    Disconnected,
}

/// The parts of the hub page, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Section {
    /// Somebody must act.
    ActionNeeded,
    /// Everything that is linked and needs nobody.
    Connected,
    /// What can be connected.
    Available,
    /// What was ended; kept for its history.
    Disconnected,
}

impl Status {
    /// Where a connection with this status is listed.
    pub fn section(self) -> Section {
        match self {
            Self::ActionNeeded | Self::WaitingForAdmin => Section::ActionNeeded,
            Self::Connected | Self::Retrying { .. } | Self::NotCheckedYet | Self::Paused => {
                Section::Connected
            }
            Self::Disconnected => Section::Disconnected,
        }
    }
}

/// What failed, why, what it means, and the one thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Line 1: what happened.
    pub what: String,
    /// Line 2: why, honest about certainty.
    pub why: String,
    /// Line 3: what it means, when that is not obvious.
    pub effect: Option<String>,
    /// The single button; none when nobody needs to act.
    pub action: Option<Action>,
    /// A quieter way out beside the button.
    pub secondary: Option<Action>,
}

/// The one thing to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Verb and object: `Reconnect Shopify`.
    pub label: String,
    /// What pressing it does.
    pub kind: ActionKind,
}

/// What a prompt's button does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Signs in to Linkwell.
    SignIn,
    /// Starts a flow for this connection, or for the provider when there is none.
    Connect,
    /// Connects the account that signed in as one more.
    AddAccount,
    /// Opens the page that says what is asked for.
    Explain,
    /// Proves the connection again.
    Check,
    /// Has the connection work again that rests.
    Resume,
    /// Opens the page where the provider app is set up.
    SetUp {
        /// The provider app's id.
        app: String,
    },
    /// Opens a page elsewhere.
    Open {
        /// An `https` address from the catalog, a letter to be written, or a
        /// place here.
        url: String,
    },
}

#[cfg(feature = "ssr")]
impl ActionKind {
    /// Where it leads, where an address is all it takes.
    pub fn address(&self) -> Option<String> {
        match self {
            Self::SignIn => Some(crate::paths::SIGN_IN.to_owned()),
            Self::SetUp { app } => Some(crate::paths::provider_app(app)),
            Self::Open { url } => Some(url.clone()),
            Self::Connect | Self::AddAccount | Self::Explain | Self::Check | Self::Resume => None,
        }
    }
}

/// Facts for support, free of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The failure code: `GRANT_REVOKED_OR_EXPIRED`.
    pub code: String,
    /// What it was exactly: `invalid_grant`.
    pub detail: String,
    /// The id of the connection or the attempt, to find it by.
    pub reference: String,
    /// When it was noticed.
    pub at: Option<Moment>,
    /// The provider's own words, trimmed.
    pub provider_text: Option<String>,
}

impl Details {
    /// Each by its name, in their order.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let at = self.at.as_ref().map(|at| at.text.clone());
        [
            ("Code", Some(self.code.clone())),
            ("Detail", Some(self.detail.clone())),
            ("Noticed", at),
            ("Reference", Some(self.reference.clone())),
            ("The provider said", self.provider_text.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// One linked account, as a row of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The connection's id.
    pub id: String,
    /// What it is linked to.
    pub provider: Provider,
    /// The account's name, renamable: `my-shop.myshopify.com`.
    pub account: String,
    /// How it is.
    pub status: Status,
    /// When it was last proven, in seconds since the epoch.
    pub checked_at: Option<i64>,
    /// The same with its zone, for the tooltip. Not a [`Moment`]: reading one more
    /// type costs the browser's program more than a text.
    pub checked_on: Option<String>,
    /// What is wrong, when something is, with a button that whoever reads it may
    /// press.
    pub prompt: Option<Prompt>,
    /// The handle of an attempt to repair it that is still open.
    pub attempt: Option<String>,
    /// Lower-case words that find this row: name, aliases, category, account.
    pub keywords: String,
}

/// What the hub page keeps up to date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hub {
    /// When this was read, in seconds since the epoch.
    pub now: i64,
    /// Linked accounts.
    pub connections: Vec<Connection>,
    /// Whether the person looking may connect, repair and disconnect.
    pub may_manage: bool,
}

/// The person who is signed in, as far as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// Their organisation.
    pub organisation: String,
    /// Whether they see the settings.
    pub admin: bool,
}
