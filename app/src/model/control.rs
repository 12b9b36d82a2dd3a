//! How connections are kept, and what can be done about it.

use super::{Connection, Moment, Provider};

/// The page of the settings with one row for each connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPage {
    /// When this was read, in seconds since the epoch.
    pub now: i64,
    /// Newest first.
    pub rows: Vec<Control>,
    /// After which the next page begins.
    pub next: Option<String>,
    /// Whether the person looking may act.
    pub may_manage: bool,
}

/// How one connection is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// It, as the hub shows it.
    pub connection: Connection,
    /// When it last did something useful without a person.
    pub alone: Option<Moment>,
    /// When a person last signed in for it.
    pub person: Option<Moment>,
    /// What went wrong last, or is wrong now.
    pub failed: Option<Failed>,
    /// Whether it goes on without a person, in words.
    pub mends: &'static str,
    /// When it is checked next.
    pub next_check: Option<Moment>,
    /// When it is renewed next, or tried again.
    pub next_refresh: Option<Moment>,
    /// What is stored of it.
    pub stored: Vec<Stored>,
}

/// The last failure of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What happened.
    pub what: String,
    /// Why.
    pub why: String,
    /// Since when, or when it was.
    pub at: Moment,
}

/// One sealed part of what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub part: &'static str,
    /// How long it is, sealed, in bytes.
    pub bytes: usize,
    /// When it ends, if that is known.
    pub ends: Option<Moment>,
}

/// The page that says what clearing means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearPage {
    /// The connection's id.
    pub id: String,
    /// What it is linked to.
    pub provider: Provider,
    /// The account's name.
    pub account: String,
}
