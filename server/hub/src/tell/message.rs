//! An event as systems outside are told of it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    Error, Hub, Result,
    certificate::Whose,
    failure::FailureCode,
    people::{Host, Scope},
    prompt::{Prompt, is_about_app},
    store::{
        ConnectLinkId, ConnectionId, EventId, RunId, SyncRunId, TenantId, connection,
        event::{self, Kind},
        provider_app, run, tenant,
    },
};

/// What is told. It names a connection and what became of it, and carries no
/// secret: whoever wants more asks the API.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// What happened: `connection.healed`.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// About what.
    pub data: Telling,
}

/// About what a message is.
#[derive(Clone, Debug, Serialize)]
pub struct Telling {
    /// The event's id, the same however often it is told.
    pub event_id: EventId,
    /// The event's number in the tenant: a system that has seen this one asks for
    /// what came after.
    pub sequence: i64,
    /// The connection; none when it is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<About>,
    /// What failed, from the closed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<FailureCode>,
    /// The same in words, with the one thing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// The connect link by which it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_id: Option<ConnectLinkId>,
    /// What the host application knows the person of that link by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The provider it is about, where it is about all its connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// When the access ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// Permissions that were not there before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_gained: Vec<String>,
    /// Permissions that are no longer there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_lost: Vec<String>,
    /// The reading it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_id: Option<SyncRunId>,
    /// How many rows that looked at; never which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<i32>,
    /// How many columns those had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<i32>,
    /// The use by an automation it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// What the host application knows that by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The uses that waited for a connection which is no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs_ended: Vec<RunId>,
}

/// A connection, as far as it is still there.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// Its id.
    pub id: ConnectionId,
    /// Its provider's id in the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The account's identity at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// What a person calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Hub {
    /// What happened after event `after`, oldest first and at most `limit`, for a
    /// host application that asks: the same that webhooks are told.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`]; [`crate::Error::Invalid`] for `after` when there
    /// was no such event yet.
    pub async fn messages_after(
        &self,
        host: &Host,
        after: i64,
        limit: u64,
    ) -> Result<Vec<Message>> {
        host.may(Scope::ConnectionsRead)?;
        let tenant = host.tenant();
        let events = event::told_after(self.store.db(), tenant, after, limit).await?;
        // Whoever waits for what comes after it would miss all until then.
        if events.is_empty() && after > tenant::event_seq(self.store.db(), tenant).await? {
            return Err(Error::invalid("after", "There was no such event yet"));
        }
        self.messages(tenant, events).await
    }

    /// Events as they are told. One statement, for the connections, and up to two
    /// more where something failed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn messages(
        &self,
        tenant: TenantId,
        events: Vec<event::Model>,
    ) -> Result<Vec<Message>> {
        let ids = events.iter().filter_map(|event| event.connection_id);
        let about = connection::some_of_tenant(self.store.db(), tenant, ids.collect()).await?;
        let about: HashMap<ConnectionId, connection::Model> =
            about.into_iter().map(|row| (row.id, row)).collect();
        let fails = |event: &event::Model| event.data.failure.is_some();
        let paused = match events.iter().any(fails) {
            true => run::paused_counts(self.store.db(), tenant, None).await?,
            false => Vec::new(),
        };
        let paused: HashMap<_, _> = paused.into_iter().collect();
        let own_apps = match events.iter().any(says_of_app) {
            true => provider_app::of_tenant(self.store.db(), tenant).await?,
            false => Vec::new(),
        };
        Ok(events
            .into_iter()
            .map(|event| {
                let connection = event.connection_id.and_then(|id| about.get(&id));
                let waiting = connection.and_then(|row| paused.get(&row.id));
                let waiting = waiting.copied().unwrap_or_default();
                let is_operators = says_of_app(&event)
                    && connection
                        .is_some_and(|row| self.is_operators_app(&row.provider, &own_apps));
                let prompt = self.told_in(&event, connection, waiting, is_operators);
                message(event, connection, prompt)
            })
            .collect())
    }
}

/// Whether an event is about the provider app of its connection.
fn says_of_app(event: &event::Model) -> bool {
    event.data.failure.as_ref().is_some_and(is_about_app)
        || event.data.certificate == Some(Whose::App)
}

fn message(
    event: event::Model,
    row: Option<&connection::Model>,
    prompt: Option<Prompt>,
) -> Message {
    let failure = event.data.failure.as_ref();
    Message {
        kind: event.kind,
        timestamp: event.at,
        data: Telling {
            event_id: event.id,
            sequence: event.seq,
            connection: event.connection_id.map(|id| About {
                id,
                provider: row.map(|row| row.provider.clone()),
                account_id: row.and_then(|row| row.external_id.clone()),
                name: row.map(|row| row.name().to_owned()),
            }),
            code: failure.map(|failure| failure.code),
            prompt,
            link_id: event.data.link,
            reference: event.data.reference.clone(),
            provider: event.data.provider.clone(),
            ends_at: event.data.ends_at,
            scopes_gained: event.data.scopes_gained.clone(),
            scopes_lost: event.data.scopes_lost.clone(),
            sync_id: event.data.run,
            rows: event.data.rows,
            columns: event.data.columns,
            run_id: event.data.used_by,
            correlation_id: event.data.correlation.clone(),
            runs_ended: event.data.runs_ended.clone(),
        },
    }
}
