//! The pages of one connection.

use super::{Control, Details, Help, Moment, Provider, RunsSummary};

/// One permission asked of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What it allows, in words: `See products and collections`.
    pub meaning: String,
    /// The provider's name for it: `read_products`.
    pub scope: String,
    /// Whether the provider granted it.
    pub granted: bool,
}

/// One line of a connection's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When it happened.
    pub at: Moment,
    /// What happened, in words.
    pub what: String,
    /// Why, where something failed or ends.
    pub why: Option<String>,
    /// The failure code, where one stands for it.
    pub code: Option<&'static str>,
    /// How to mark it.
    pub tone: Tone,
}

/// The colour family of a line, always beside a word or an icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It is a plain fact.
    Neutral,
    /// It went wrong.
    Bad,
}

/// The page of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPage {
    /// What its key opens, where keys tell.
    pub environment: Option<String>,
    /// Whether there is data to look at, and how many columns have names.
    pub preview: Option<usize>,
    /// When this was read, in seconds since the epoch.
    pub now: i64,
    /// What support needs to know, when something is wrong; shown on demand.
    pub details: Option<Details>,
    /// When it was linked.
    pub connected_at: Moment,
    /// Who linked it.
    pub connected_by: Option<String>,
    /// What was asked for, granted or not.
    pub permissions: Vec<Permission>,
    /// It, as the hub shows it too, and how it is kept.
    pub control: Control,
    /// When it was last proven.
    pub last_proof: Option<Moment>,
    /// When its token ends.
    pub token_expires: Option<Moment>,
    /// When it ends although nothing is wrong with it, and what that is called.
    pub ends: Option<(String, Moment)>,
    /// Where the person ends our access themselves, once nobody here can: the
    /// connection has ended, and the provider did not say that it knows.
    pub left_there: Option<String>,
    /// How it is read.
    pub reading: Reading,
    /// What automations wait for it.
    pub runs: RunsSummary,
    /// What happened, newest first.
    pub history: Vec<HistoryEntry>,
    /// Whether the person looking may repair, rename and disconnect.
    pub may_manage: bool,
    /// What they can do besides, when something is wrong.
    pub help: Option<Help>,
}

/// What is sent to whoever can allow an app at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPage {
    /// The provider.
    pub provider: Provider,
    /// What it says.
    pub text: String,
    /// The same as a letter: `mailto:`.
    pub letter: String,
    /// The connection that waits for it, where there is one.
    pub repairs: Option<String>,
}

/// How a connection is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How often, as it is stored.
    pub frequency: String,
    /// How the last reading ended, in words, and when.
    pub last: Option<(String, Moment)>,
    /// When it is read next, if that is known.
    pub next: Option<Moment>,
    /// Whether that waits until the connection works again.
    pub paused: bool,
}

/// The page that names the consequences of disconnecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisconnectPage {
    /// The connection's id.
    pub id: String,
    /// What it is linked to.
    pub provider: Provider,
    /// The account's name.
    pub account: String,
    /// Whether the provider is told, or the person removes us there by hand.
    pub revocation: Revocation,
    /// Other connections that were granted to the same app and may end with it.
    pub ends_too: Vec<String>,
    /// How many runs wait for it already.
    pub paused_runs: i64,
    /// Whether there is still an access to end.
    pub stored: bool,
}

/// What happens at the provider when a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// We withdraw the access there.
    AtProvider,
    /// The provider offers no way; the person removes us there.
    ByHand {
        /// Where, in the provider's own words: `Shopify admin > Settings > Apps`.
        place: String,
    },
}
