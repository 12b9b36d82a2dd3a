//! What happened, for host applications to pull: in order, each once.

use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
};
use chrono::{DateTime, Utc};
use hub::{
    Hub,
    failure::FailureCode,
    people::Host,
    store::{ConnectLinkId, ConnectionId, EventId, SyncRunId, event},
};
use sea_orm::ActiveEnum;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::problem::{self, Answer, Problem},
    connections::read_limit,
    schema,
};

/// The routes below `/v1/events`.
pub fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The `next` of the answer before; all that are kept without it
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
    /// How many at the most
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// Something that happened to a connection. Nothing in it is secret.
#[derive(Serialize, ToSchema)]
struct Event {
    #[schema(value_type = uuid::Uuid)]
    id: EventId,
    /// Its number: later events have larger ones, and none appears in between
    /// later on. Some numbers are of events that are not for host applications
    number: i64,
    #[serde(rename = "type")]
    #[schema(schema_with = schema::event_kind)]
    kind: String,
    at: DateTime<Utc>,
    #[schema(value_type = Option<uuid::Uuid>)]
    connection_id: Option<ConnectionId>,
    /// What failed, where something did
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::failure_code)]
    code: Option<FailureCode>,
    /// When it is worth trying again
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<DateTime<Utc>>,
    /// The connect link by which it was done
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    link_id: Option<ConnectLinkId>,
    /// What you know the person of that link by
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// Of which reading it tells
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    sync_id: Option<SyncRunId>,
    /// How many rows that had, 20 at most
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<i32>,
    /// How many columns it had
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<i32>,
}

impl From<event::Model> for Event {
    fn from(row: event::Model) -> Self {
        let failure = row.data.failure;
        Self {
            id: row.id,
            number: row.seq,
            kind: row.kind.to_value(),
            at: row.at,
            connection_id: row.connection_id,
            code: failure.as_ref().map(|failure| failure.code),
            retry_at: failure.and_then(|failure| failure.retry_at),
            link_id: row.data.link,
            reference: row.data.reference,
            sync_id: row.data.run,
            rows: row.data.rows,
            columns: row.data.columns,
        }
    }
}

/// Events after a number.
#[derive(Serialize, ToSchema)]
struct EventList {
    data: Vec<Event>,
    /// What to ask as `after` from now on, also where there was nothing
    next: i64,
}

/// Pull what happened
///
/// Oldest first. Ask again with the `next` you were answered: nothing is missed
/// and nothing comes twice, however many events happen at the same moment.
#[utoipa::path(
    get, path = "/", tag = "events", operation_id = "list_events",
    params(Asked),
    responses(
        (status = 200, description = "What happened", body = EventList),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:read"])),
)]
async fn list(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Answer<Json<EventList>> {
    let Query(asked) = asked.map_err(|error| Problem::unreadable(error.body_text()))?;
    let after = match asked.after.as_deref() {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|after| *after >= 0)
            .ok_or_else(|| Problem::invalid("after", "Use the `next` of the answer before"))?,
    };
    let limit = read_limit(asked.limit.as_deref())?;
    let rows = hub.events_of_host(&host, after, limit as u64).await?;
    Ok(Json(EventList {
        next: rows.last().map_or(after, |row| row.seq),
        data: rows.into_iter().map(Event::from).collect(),
    }))
}
