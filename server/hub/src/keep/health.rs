//! How a connection is: one pure function from the facts of its rows.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::ends::{KnownEnd, known_end};
use crate::{
    catalog::Provider,
    failure::{Failure, FailureCode},
    store::{
        connection::{self, Alarm},
        credential, provider_trouble, words,
    },
};

/// The closed list of statuses, as shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A call or a refresh has proven it.
    Connected,
    /// It failed for a reason that heals itself, and has not for long; or longer,
    /// when nobody can do anything about it.
    Retrying,
    /// A person must do the one named thing.
    ActionNeeded,
    /// Somebody else must act: an admin there, or the operator here.
    WaitingForAdmin,
    /// Nobody knows, or nobody has known for longer than two checks.
    NotChecked,
    /// A person lets it rest.
    Paused,
    /// A person ended it.
    Disconnected,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 7] = [
        Self::Connected,
        Self::Retrying,
        Self::ActionNeeded,
        Self::WaitingForAdmin,
        Self::NotChecked,
        Self::Paused,
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
            Self::Paused => "paused",
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
    /// When the provider is asked next whether it works.
    pub next_check_at: Option<DateTime<Utc>>,
    /// When what is wrong is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// When the token ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it ends although nothing is wrong, if nothing avoids that.
    pub ends: Option<KnownEnd>,
}

/// The detail of a failure while the whole provider is in trouble.
pub const PROVIDER_TROUBLE: &str = "provider_trouble";

/// Computes the health of a connection from its rows. `provider` is none when
/// the catalog no longer has it; `trouble` is what its whole provider has.
pub fn health(
    connection: &connection::Model,
    credentials: &[credential::Model],
    provider: Option<&Provider>,
    trouble: Option<&provider_trouble::Model>,
    now: DateTime<Utc>,
) -> Health {
    let main = credentials.iter().find(|row| row.slot == credential::MAIN);
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
    let next_refresh_at = credentials
        .iter()
        .filter_map(|row| row.next_refresh_at)
        .min();
    let failing_check = connection.failure.as_ref().and(connection.next_check_at);
    let failing_renewals = credentials.iter().filter(|row| row.failure.is_some());
    let retry_at = failing_renewals
        .filter_map(|row| row.next_refresh_at)
        .chain(failing_check)
        .min();
    let (mut failure, mut since) = worst(connection, credentials).or(ended).unzip();
    let mut retry_at = failure.as_ref().and(retry_at);
    if let (Some(wrong), Some(trouble)) = (&failure, trouble)
        && wrong.code.is_transient()
    {
        let whole = Failure::inferred(FailureCode::ProviderLimitedOrDown, PROVIDER_TROUBLE);
        failure = Some(whole.with_retry_at(Some(trouble.next_try_at)));
        since = Some(Some(trouble.since));
        retry_at = Some(trouble.next_try_at);
    }
    let every = provider.map(Provider::check_every);
    let is_unproven = match (connection.last_ok_at, every) {
        (None, _) => true,
        (Some(at), Some(every)) => is_stale(at, every, now),
        (Some(_), None) => false,
    };
    let status = match &failure {
        _ if connection.disconnected_at.is_some() => Status::Disconnected,
        _ if connection.paused_at.is_some() => Status::Paused,
        Some(failure) => status_of(failure.code, connection.alarm),
        None if is_unproven => Status::NotChecked,
        None => Status::Connected,
    };
    Health {
        status,
        failure,
        since: since.flatten(),
        missing_scopes: missing_scopes(connection, provider),
        next_refresh_at,
        next_check_at: connection.next_check_at,
        retry_at,
        expires_at: main.and_then(|row| row.expires_at),
        ends: provider.and_then(|provider| known_end(connection, credentials, provider, now)),
    }
}

/// What is wrong with a connection, and since when: what needs a person counts
/// more than what may heal.
pub(super) fn worst(
    connection: &connection::Model,
    credentials: &[credential::Model],
) -> Option<(Failure, Option<DateTime<Utc>>)> {
    credentials
        .iter()
        .filter_map(|row| Some((row.failure.clone()?, row.failed_at)))
        .chain(
            connection
                .failure
                .clone()
                .map(|failure| (failure, connection.failed_at)),
        )
        .max_by_key(|(failure, _)| !failure.code.is_transient())
}

/// Whether what is wrong with a connection may heal by itself.
pub fn may_heal(connection: &connection::Model, credentials: &[credential::Model]) -> bool {
    worst(connection, credentials).is_some_and(|(failure, _)| failure.code.is_transient())
}

/// Whether what was proven at `at` is too long ago: two checks have come and gone.
pub fn is_stale(at: DateTime<Utc>, every: TimeDelta, now: DateTime<Utc>) -> bool {
    now - at > every * 2
}

fn status_of(code: FailureCode, told: Option<Alarm>) -> Status {
    let has_lasted = told >= Some(Alarm::Degraded);
    match code {
        code if code.is_others() => Status::Retrying,
        code if code.is_transient() && !has_lasted => Status::Retrying,
        FailureCode::AdminApprovalRequired | FailureCode::AppConfigInvalid => {
            Status::WaitingForAdmin
        }
        _ => Status::ActionNeeded,
    }
}

/// Permissions that were asked for and not given.
pub(crate) fn missing_scopes(
    connection: &connection::Model,
    provider: Option<&Provider>,
) -> Vec<String> {
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
