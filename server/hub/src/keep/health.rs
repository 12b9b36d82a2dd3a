//! How a connection is: one pure function from the facts of its rows.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    catalog::Provider,
    failure::{Failure, FailureCode},
    store::{connection, credential, words},
};

/// The closed list of statuses, as shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A call or a refresh has proven it.
    Connected,
    /// It failed for a reason that heals itself.
    Retrying,
    /// A person must do the one named thing.
    ActionNeeded,
    /// Somebody else must act: an admin there, or the operator here.
    WaitingForAdmin,
    /// Nobody knows yet.
    NotChecked,
    /// A person ended it.
    Disconnected,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 6] = [
        Self::Connected,
        Self::Retrying,
        Self::ActionNeeded,
        Self::WaitingForAdmin,
        Self::NotChecked,
        Self::Disconnected,
    ];

    /// As it is answered and asked for: `action_needed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Retrying => "retrying",
            Self::ActionNeeded => "action_needed",
            Self::WaitingForAdmin => "waiting_for_admin",
            Self::NotChecked => "not_checked",
            Self::Disconnected => "disconnected",
        }
    }
}

/// How a connection is, and why.
#[derive(Clone, Debug)]
pub struct Health {
    /// The one status.
    pub status: Status,
    /// What is wrong, if something is.
    pub failure: Option<Failure>,
    /// Since when it is wrong.
    pub since: Option<DateTime<Utc>>,
    /// Permissions that were asked for and not given.
    pub missing_scopes: Vec<String>,
    /// When a token is renewed next, or tried again.
    pub next_refresh_at: Option<DateTime<Utc>>,
    /// When a person has to sign in again, where that is known.
    pub ends_at: Option<DateTime<Utc>>,
    /// When the token ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Computes the health of a connection from its rows. `provider` is none when
/// the catalog no longer has it.
pub fn health(
    connection: &connection::Model,
    credentials: &[credential::Model],
    provider: Option<&Provider>,
    now: DateTime<Utc>,
) -> Health {
    let main = credentials.iter().find(|row| row.slot == credential::MAIN);
    let worst = credentials
        .iter()
        .filter_map(|row| Some((row.failure.clone()?, row.failed_at)))
        .chain(
            connection
                .failure
                .clone()
                .map(|failure| (failure, connection.failed_at)),
        )
        .max_by_key(|(failure, _)| !failure.code.is_transient());
    // A token that ended and that nothing renews needs a person, whether or
    // not somebody has asked for it since.
    let ended = main.and_then(|row| {
        let end = row
            .expires_at
            .filter(|end| *end <= now && row.next_refresh_at.is_none())?;
        let failure = Failure::inferred(
            FailureCode::GrantRevokedOrExpired,
            "ended_without_refresh_token",
        );
        Some((failure, Some(end)))
    });
    let (failure, since) = worst.or(ended).unzip();
    let status = if connection.disconnected_at.is_some() {
        Status::Disconnected
    } else {
        match &failure {
            Some(failure) => status_of(failure.code),
            None if connection.last_ok_at.is_none() => Status::NotChecked,
            None => Status::Connected,
        }
    };
    Health {
        status,
        failure,
        since: since.flatten(),
        missing_scopes: missing_scopes(connection, provider),
        next_refresh_at: credentials
            .iter()
            .filter_map(|row| row.next_refresh_at)
            .min(),
        ends_at: main.and_then(|row| row.refresh_expires_at),
        expires_at: main.and_then(|row| row.expires_at),
    }
}

fn status_of(code: FailureCode) -> Status {
    match code {
        code if code.is_transient() => Status::Retrying,
        FailureCode::AdminApprovalRequired | FailureCode::AppConfigInvalid => {
            Status::WaitingForAdmin
        }
        _ => Status::ActionNeeded,
    }
}

fn missing_scopes(connection: &connection::Model, provider: Option<&Provider>) -> Vec<String> {
    match (provider, &connection.scopes_granted) {
        (Some(provider), Some(granted)) => {
            provider.missing_scopes(&words(&connection.scopes_asked), &words(granted))
        }
        _ => Vec::new(),
    }
}

/// Whether a token whose end has not come may still be lent although this is
/// wrong: the provider's or the operator's trouble leaves it working, a grant
/// that was ended does not.
pub fn leaves_token_usable(code: FailureCode) -> bool {
    code.is_transient()
        || matches!(
            code,
            FailureCode::AppConfigInvalid
                | FailureCode::PermissionMissing
                | FailureCode::AdminApprovalRequired
        )
}
