//! Readings of a connection: asked for, and what became of them.

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use hub::{
    Error, Hub,
    failure::FailureCode,
    people::Host,
    store::{
        ConnectionId, SyncRunId,
        sync_run::{self, Cause, Outcome},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::problem::{self, Answer, Problem},
    connections::{connection_id, read_limit},
    schema,
};

/// The routes below a connection.
pub fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(ask))
        .routes(routes!(list))
}

/// How a reading stands.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RunStatus {
    /// It is to come.
    Waiting,
    /// It waits until a person has mended the connection.
    Paused,
    /// It is under way.
    Running,
    /// It was read.
    Completed,
    /// It was not, after every try; `code` says why.
    Failed,
}

/// Why it takes place.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RunCause {
    /// The connection is read every so often.
    Schedule,
    /// Somebody asked for it.
    Asked,
}

/// One reading: whether it worked and how much there was, never what.
#[derive(Serialize, ToSchema)]
struct Sync {
    #[schema(value_type = uuid::Uuid)]
    id: SyncRunId,
    #[schema(value_type = uuid::Uuid)]
    connection_id: ConnectionId,
    status: RunStatus,
    cause: RunCause,
    /// When it is or was to take place
    due_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    /// How often it was tried
    tries: i32,
    /// How many rows the sample had, 20 at most
    rows: Option<i32>,
    /// How many columns it had
    columns: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::failure_code)]
    code: Option<FailureCode>,
}

impl Sync {
    fn of(hub: &Hub, run: sync_run::Model) -> Self {
        Self {
            status: match (run.outcome, run.paused_at) {
                (Some(Outcome::Completed), _) => RunStatus::Completed,
                (Some(Outcome::Failed), _) => RunStatus::Failed,
                (None, _) if run.is_under_way(hub.clock.now()) => RunStatus::Running,
                (None, Some(_)) => RunStatus::Paused,
                (None, None) => RunStatus::Waiting,
            },
            cause: match run.cause {
                Cause::Schedule => RunCause::Schedule,
                Cause::Asked => RunCause::Asked,
            },
            id: run.id,
            connection_id: run.connection_id,
            due_at: run.due_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            tries: run.tries,
            rows: run.row_count,
            columns: run.column_count,
            code: run.failure.map(|failure| failure.code),
        }
    }
}

/// A page of readings.
#[derive(Serialize, ToSchema)]
struct SyncList {
    data: Vec<Sync>,
    /// What to ask as `after` for the next page; none on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    next: Option<SyncRunId>,
}

/// Read a connection now
///
/// It is read within seconds, by the same request as a sample; the outcome is an
/// event. A connection has one reading at a time: where one is under way, that
/// one is answered.
#[utoipa::path(
    post, path = "/{id}/sync", tag = "connections", operation_id = "sync_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection"), problem::IdempotencyKey),
    responses(
        (status = 202, description = "It is to be read", body = Sync),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 409, description = "A person has to act first", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn ask(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
) -> Answer<(StatusCode, Json<Sync>)> {
    let id = connection_id(&id)?;
    match hub.ask_sync(&host, id).await {
        Ok(run) => Ok((StatusCode::ACCEPTED, Json(Sync::of(&hub, run)))),
        Err(Error::Failed(failure)) => {
            let prompt = hub.told_host(&host, id, &failure).await?.prompt;
            Err(Problem::failed(&failure, prompt, hub.clock.now()))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The `next` of the page before
    #[param(value_type = Option<uuid::Uuid>)]
    after: Option<String>,
    /// How many at the most
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// List the readings of a connection
///
/// Newest first: the one to come, and those of the last 30 days.
#[utoipa::path(
    get, path = "/{id}/syncs", tag = "connections", operation_id = "list_syncs",
    params(("id" = uuid::Uuid, Path, description = "The connection"), Asked),
    responses(
        (status = 200, description = "A page of them", body = SyncList),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:read"])),
)]
async fn list(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Answer<Json<SyncList>> {
    let Query(asked) = asked.map_err(|error| Problem::unreadable_query(&error))?;
    let after = asked.after.as_ref().map(|text| text.parse()).transpose();
    let after =
        after.map_err(|_| Problem::invalid("after", "Use the `next` of the page before"))?;
    let limit = read_limit(asked.limit.as_deref())?;
    let id = connection_id(&id)?;
    let mut runs = hub
        .syncs_of_host(&host, id, after, limit as u64 + 1)
        .await?;
    let is_last = runs.len() <= limit;
    runs.truncate(limit);
    Ok(Json(SyncList {
        next: match is_last {
            true => None,
            false => runs.last().map(|run| run.id),
        },
        data: runs.into_iter().map(|run| Sync::of(&hub, run)).collect(),
    }))
}
