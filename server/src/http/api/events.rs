//! What happened, for host applications to pull: in order, each once.

use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
};
use chrono::{DateTime, Utc};
use hub::{Hub, people::Host, tell::Message};
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

/// Something that happened: the same body that webhooks are sent. Nothing in it
/// is secret.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the description is all there is to it")]
struct Event {
    #[schema(rename = "type", schema_with = schema::event_kind)]
    kind: String,
    timestamp: DateTime<Utc>,
    data: EventData,
}

/// About what it is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the description is all there is to it")]
struct EventData {
    /// The same however often it is told
    event_id: uuid::Uuid,
    /// Later events have larger ones, and none appears in between later on. Some
    /// numbers are of events that are told to nobody
    sequence: i64,
    #[schema(required = false)]
    connection: Option<EventConnection>,
    /// What failed, where something did
    #[schema(required = false, schema_with = schema::failure_code)]
    code: String,
    #[schema(required = false, schema_with = schema::prompt)]
    prompt: String,
    /// The connect link by which it was done
    #[schema(required = false)]
    link_id: Option<uuid::Uuid>,
    /// What you know the person of that link by
    #[schema(required = false)]
    reference: Option<String>,
    /// The provider it is about, where it is about all its connections
    #[schema(required = false)]
    provider: Option<String>,
    /// When the access ends
    #[schema(required = false)]
    ends_at: Option<chrono::DateTime<chrono::Utc>>,
    /// Permissions that were not there before
    #[schema(required = false)]
    scopes_gained: Option<Vec<String>>,
    /// Permissions that are no longer there
    #[schema(required = false)]
    scopes_lost: Option<Vec<String>>,
    /// The reading it is about
    #[schema(required = false)]
    sync_id: Option<uuid::Uuid>,
    /// How many rows that looked at, 20 at most
    #[schema(required = false)]
    rows: Option<i32>,
    /// How many columns those had
    #[schema(required = false)]
    columns: Option<i32>,
    /// The run it is about
    #[schema(required = false)]
    run_id: Option<uuid::Uuid>,
    /// What you know that run by
    #[schema(required = false)]
    correlation_id: Option<String>,
    /// The runs that waited for a connection which was deleted: they are no more
    #[schema(required = false)]
    runs_ended: Option<Vec<uuid::Uuid>>,
}

/// A connection, as far as it is still there.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the description is all there is to it")]
struct EventConnection {
    id: uuid::Uuid,
    /// Its provider's id in the catalog
    #[schema(required = false)]
    provider: Option<String>,
    /// The account's identity at the provider
    #[schema(required = false)]
    account_id: Option<String>,
    /// What a person calls it
    #[schema(required = false)]
    name: Option<String>,
}

/// Events after a number.
#[derive(Serialize, ToSchema)]
struct EventList {
    #[schema(value_type = Vec<Event>)]
    data: Vec<Message>,
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
    let Query(asked) = asked.map_err(|error| Problem::unreadable_query(&error))?;
    let after = match asked.after.as_deref() {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|after| *after >= 0)
            .ok_or_else(|| Problem::invalid("after", "Use the `next` of the answer before"))?,
    };
    let limit = read_limit(asked.limit.as_deref())?;
    let data = hub.messages_after(&host, after, limit as u64).await?;
    Ok(Json(EventList {
        next: data.last().map_or(after, |last| last.data.sequence),
        data,
    }))
}
