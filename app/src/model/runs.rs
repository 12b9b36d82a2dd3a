//! What automations do with connections, and the rules for that.

use super::{Moment, Prompt, Provider};

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words are in `words::run`")]
pub enum RunStatus {
    Allowed,
    Paused,
    Resumed,
    Succeeded,
    Failed,
    Cancelled,
}

impl RunStatus {
    /// Each of them, in the order of the filter.
    pub const ALL: [Self; 6] = [
        Self::Paused,
        Self::Resumed,
        Self::Allowed,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// As it stands in addresses: `paused`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// What the host application calls it.
    pub action: String,
    /// What the host application knows it by.
    pub correlation: Option<String>,
    /// The connection it uses.
    pub connection: String,
    /// What that is linked to.
    pub provider: Provider,
    /// What that is called; none when it is gone.
    pub account: Option<String>,
    /// How it stands.
    pub status: RunStatus,
    /// Since when.
    pub since: Moment,
    /// Why it waits or failed.
    pub prompt: Option<Prompt>,
    /// The rule that stops it, by its name.
    pub policy: Option<String>,
}

/// Which runs are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// A status, as it stands in addresses; empty for all.
    pub status: String,
    /// A connection's id; empty for all.
    pub connection: String,
    /// A rule's name; empty for all.
    pub policy: String,
    /// The last run of the page before.
    pub after: String,
}

impl RunFilter {
    /// Whether it leaves anything out.
    pub fn narrows(&self) -> bool {
        !(self.status.is_empty() && self.connection.is_empty() && self.policy.is_empty())
    }
}

/// The page of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunsPage {
    /// When this was read, in seconds since the epoch.
    pub now: i64,
    /// The runs, newest first.
    pub rows: Vec<RunRow>,
    /// What was asked for.
    pub filter: RunFilter,
    /// Connections to choose from: id and name.
    pub connections: Vec<(String, String)>,
    /// After which run the next page begins.
    pub next: Option<String>,
}

/// What a connection's runs come to, on its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunsSummary {
    /// How many wait.
    pub paused: i64,
}

/// One rule for automations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub title: String,
    /// Whether it may be switched here.
    pub switchable: bool,
    /// Whether it is on.
    pub on: bool,
    /// Who switched it off, and when.
    pub off_by: Option<(Option<String>, Moment)>,
    /// How many runs wait because of it.
    pub waiting: i64,
    /// How many it stopped that went on since.
    pub went_on: i64,
}

/// The page of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoliciesPage {
    /// When this was read, in seconds since the epoch.
    pub now: i64,
    /// Each rule.
    pub policies: Vec<PolicyRow>,
    /// The newest runs that one of them stopped.
    pub stopped: Vec<RunRow>,
}
