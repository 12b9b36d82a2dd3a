//! What several routes answer.

use chrono::{DateTime, Utc};
use hub::{
    Hub,
    connect::Listed,
    failure::{Failure, FailureCode},
    keep::{ends::EndKind, health::Status},
    prompt::Prompt,
    store::{
        ConnectionId,
        connection::{Mapping, SyncFrequency},
        words,
    },
};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;

/// Whose account it is.
#[derive(Serialize, ToSchema)]
pub struct Account {
    /// Its identity at the provider; none until it was asked
    pub id: Option<String>,
    /// What it is called
    pub label: String,
}

/// A connection and how it is.
#[derive(Serialize, ToSchema)]
pub struct Connection {
    #[schema(value_type = uuid::Uuid)]
    id: ConnectionId,
    /// Its provider's id in the catalog
    provider: String,
    account: Account,
    /// A person's name for it
    display_name: Option<String>,
    #[schema(schema_with = schema::status)]
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::failure_code)]
    code: Option<FailureCode>,
    /// What to tell a person: of a failure, of less access than asked for, of
    /// an end that is near
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::prompt)]
    prompt: Option<Prompt>,
    /// When it is worth trying again
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<DateTime<Utc>>,
    /// The permissions that were asked for
    scopes_asked: Vec<String>,
    /// The permissions that were given; none when the provider does not say
    scopes_granted: Option<Vec<String>>,
    /// The permissions that were asked for and not given
    scopes_missing: Vec<String>,
    #[schema(schema_with = schema::sync_frequency)]
    sync_frequency: SyncFrequency,
    #[schema(schema_with = schema::mapping)]
    mapping: Mapping,
    /// What its key opens, where keys tell: `test`, `live`
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    created_at: DateTime<Utc>,
    /// When a call with its token last succeeded
    last_ok_at: Option<DateTime<Utc>>,
    token_expires_at: Option<DateTime<Utc>>,
    next_refresh_at: Option<DateTime<Utc>>,
    /// When its provider is asked next whether it works
    next_check_at: Option<DateTime<Utc>>,
    /// Since when a person lets it rest
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_at: Option<DateTime<Utc>>,
    /// When it ends although nothing is wrong with it, and somebody has to
    /// connect it again; none when that is not known or the hub avoids it
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::end)]
    ends_because: Option<EndKind>,
}

impl Connection {
    /// As it is answered.
    pub fn of(hub: &Hub, listed: Listed) -> Self {
        let told = hub.told_of(&listed);
        let Listed {
            connection, health, ..
        } = listed;
        let failing = told.as_ref().and_then(|told| told.cause.failure());
        let failing = health.failure.as_ref().or(failing);
        Self {
            id: connection.id,
            status: health.status,
            code: failing.map(|failure| failure.code),
            retry_at: health
                .retry_at
                .or(failing.and_then(|failure| failure.retry_at)),
            prompt: told.map(|told| told.prompt),
            scopes_asked: words(&connection.scopes_asked),
            scopes_granted: connection.scopes_granted.as_deref().map(words),
            scopes_missing: health.missing_scopes,
            sync_frequency: connection.sync_frequency,
            mapping: connection.mapping,
            environment: connection.environment,
            created_at: connection.created_at,
            last_ok_at: connection.last_ok_at,
            token_expires_at: health.expires_at,
            next_refresh_at: health.next_refresh_at,
            next_check_at: health.next_check_at,
            paused_at: connection.paused_at,
            ends_at: health.ends.map(|end| end.at),
            ends_because: health.ends.map(|end| end.kind),
            provider: connection.provider,
            account: Account {
                id: connection.external_id,
                label: connection.account_label,
            },
            display_name: connection.display_name,
        }
    }
}

/// How a test ended.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It works.
    Passed,
    /// It does not; `code` and `prompt` say why.
    Failed,
}

/// What a test found.
#[derive(Serialize, ToSchema)]
pub struct Tested {
    outcome: Outcome,
    /// None when nobody was asked this time: it failed before, and is not worth
    /// trying again before `retry_at`
    #[serde(skip_serializing_if = "Option::is_none")]
    tested_at: Option<DateTime<Utc>>,
    /// Whose account it opens
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Account>,
    /// The permissions that were given; none when the provider does not say
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes_granted: Option<Vec<String>>,
    /// What was entered opens, where keys tell: `test`, `live`
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::failure_code)]
    code: Option<FailureCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::prompt)]
    prompt: Option<Prompt>,
    /// When it is worth trying again
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<DateTime<Utc>>,
}

impl Tested {
    /// It works.
    pub fn passed(
        hub: &Hub,
        account: Account,
        scopes_granted: Option<Vec<String>>,
        environment: Option<String>,
    ) -> Self {
        Self {
            outcome: Outcome::Passed,
            tested_at: Some(hub.clock.now()),
            account: Some(account),
            scopes_granted,
            environment,
            code: None,
            prompt: None,
            retry_at: None,
        }
    }

    /// It does not.
    pub fn failed(hub: &Hub, failure: &Failure, prompt: Prompt) -> Self {
        Self {
            tested_at: Some(hub.clock.now()),
            ..Self::not_asked(failure, prompt)
        }
    }

    /// It did not before, and nobody was asked again.
    pub fn not_asked(failure: &Failure, prompt: Prompt) -> Self {
        Self {
            outcome: Outcome::Failed,
            tested_at: None,
            account: None,
            scopes_granted: None,
            environment: None,
            code: Some(failure.code),
            prompt: Some(prompt),
            retry_at: failure.retry_at,
        }
    }
}
