//! Connections: listed, changed, tested, deleted.

use std::str::FromStr;

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use hub::{
    Hub,
    connect::{Change, Listed},
    keep::{Checked, health::Status},
    people::Host,
    store::{
        ConnectionId,
        connection::{Mapping, SyncFrequency},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::problem::{self, Answer, Problem},
    answer::{Account, Connection, Tested},
    body::Body,
    create, preview, schema,
};

/// How many connections one page has where nobody says.
const PAGE: usize = 100;
/// How many it has at the most.
const LARGEST_PAGE: usize = 1000;

/// The routes below `/v1/connections`.
pub fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list, create::create))
        .routes(routes!(create::test_entered))
        .routes(routes!(one, change, remove))
        .routes(routes!(test))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(preview::preview))
}

/// An id, or what is answered about one that nothing can have.
pub fn connection_id(text: &str) -> Answer<ConnectionId> {
    text.parse().map_err(|_| Problem::not_found())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only connections that are like this
    #[param(schema_with = schema::status)]
    status: Option<String>,
    /// The `next` of the page before
    #[param(value_type = Option<uuid::Uuid>)]
    after: Option<String>,
    /// How many at the most
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

impl Asked {
    fn status(&self) -> Answer<Option<Status>> {
        let find = |text: &String| {
            let known = Status::ALL.into_iter().find(|one| one.as_str() == text);
            known.ok_or_else(|| {
                let all = Status::ALL.map(Status::as_str).join(", ");
                Problem::invalid("status", format!("Use one of {all}"))
            })
        };
        self.status.as_ref().map(find).transpose()
    }
}

/// After which one a page begins.
pub fn read_after<Id: FromStr>(after: Option<&str>) -> Answer<Option<Id>> {
    let read = after.map(str::parse).transpose();
    read.map_err(|_| Problem::invalid("after", "Use the `next` of the page before"))
}

/// How many are wanted at the most.
pub fn read_limit(limit: Option<&str>) -> Answer<usize> {
    let wrong = || Problem::invalid("limit", format!("Use a number from 1 to {LARGEST_PAGE}"));
    match limit {
        None => Ok(PAGE),
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=LARGEST_PAGE).contains(limit))
            .ok_or_else(wrong),
    }
}

/// A page of connections.
#[derive(Serialize, ToSchema)]
struct ConnectionList {
    data: Vec<Connection>,
    /// What to ask as `after` for the next page; none on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    next: Option<ConnectionId>,
}

/// List connections
///
/// Newest first. A page stays where it is while others are made and deleted.
#[utoipa::path(
    get, path = "/", tag = "connections", operation_id = "list_connections",
    params(Asked),
    responses(
        (status = 200, description = "A page of them", body = ConnectionList),
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
) -> Answer<Json<ConnectionList>> {
    let Query(asked) = asked.map_err(|error| Problem::unreadable_query(&error))?;
    let page = hub
        .connections_of_host(
            &host,
            asked.status()?,
            read_after(asked.after.as_deref())?,
            read_limit(asked.limit.as_deref())?,
        )
        .await?;
    let answer = |listed| Connection::of(&hub, listed);
    Ok(Json(ConnectionList {
        data: page.connections.into_iter().map(answer).collect(),
        next: page.next,
    }))
}

/// See one connection
#[utoipa::path(
    get, path = "/{id}", tag = "connections", operation_id = "get_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection")),
    responses(
        (status = 200, description = "The connection and how it is", body = Connection),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:read"])),
)]
async fn one(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
) -> Answer<Json<Connection>> {
    let listed = hub.connection_of_host(&host, connection_id(&id)?).await?;
    Ok(Json(Connection::of(&hub, listed)))
}

/// What is to become different; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "display_name": "Till in the shop", "sync_frequency": "daily" }))]
struct ChangeBody {
    /// A person's name for it, 80 characters at most; an empty one takes it away
    #[serde(default)]
    #[schema(max_length = 80)]
    display_name: Option<String>,
    #[serde(default)]
    #[schema(schema_with = schema::maybe_sync_frequency)]
    sync_frequency: Option<SyncFrequency>,
    #[serde(default)]
    #[schema(schema_with = schema::maybe_mapping)]
    mapping: Option<Mapping>,
}

/// Change name, frequency and mapping
#[utoipa::path(
    patch, path = "/{id}", tag = "connections", operation_id = "change_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection")),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The connection as it is now", body = Connection),
        (status = 400, response = problem::Malformed),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 413, response = problem::TooLarge),
        (status = 415, response = problem::NotJson),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn change(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
    Body(body): Body<ChangeBody>,
) -> Answer<Json<Connection>> {
    let change = Change {
        display_name: body.display_name,
        sync_frequency: body.sync_frequency,
        mapping: body.mapping,
    };
    let listed = hub.change(&host, connection_id(&id)?, change).await?;
    Ok(Json(Connection::of(&hub, listed)))
}

/// Revoke at the provider and delete with all its data
#[utoipa::path(
    delete, path = "/{id}", tag = "connections", operation_id = "delete_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn remove(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    hub.delete(&host, connection_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a connection rest
///
/// It is not checked, not read and not lent until it is resumed, and nobody is told
/// of its trouble. Its token is renewed all the same, so that the approval lives.
#[utoipa::path(
    post, path = "/{id}/pause", tag = "connections", operation_id = "pause_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection"), problem::IdempotencyKey),
    responses(
        (status = 200, description = "The connection as it is now", body = Connection),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 409, response = problem::Conflict),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn pause(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
) -> Answer<Json<Connection>> {
    let listed = hub.pause(&host, connection_id(&id)?).await?;
    Ok(Json(Connection::of(&hub, listed)))
}

/// Have a connection that rests work again
///
/// It is checked at once.
#[utoipa::path(
    post, path = "/{id}/resume", tag = "connections", operation_id = "resume_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection"), problem::IdempotencyKey),
    responses(
        (status = 200, description = "The connection as it is now", body = Connection),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 409, response = problem::Conflict),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn resume(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
) -> Answer<Json<Connection>> {
    let listed = hub.resume(&host, connection_id(&id)?).await?;
    Ok(Json(Connection::of(&hub, listed)))
}

/// Test a connection now
#[utoipa::path(
    post, path = "/{id}/test", tag = "connections", operation_id = "test_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection"), problem::IdempotencyKey),
    responses(
        (status = 200, description = "What was found: also that it does not work", body = Tested),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 409, response = problem::Conflict),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn test(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
) -> Answer<Json<Tested>> {
    let id = connection_id(&id)?;
    let Checked { listed, waits } = hub.check(&host, id).await?;
    let Listed {
        connection, health, ..
    } = &listed;
    let answer = match (&waits, &health.failure) {
        (Some(failure), _) => Tested::not_asked(failure, hub.told_on(&listed, failure).prompt),
        (None, None) => {
            let scopes = connection.scopes_granted.as_deref();
            let account = Account {
                id: connection.external_id.clone(),
                label: connection.account_label.clone(),
            };
            let scopes = scopes.map(hub::store::words);
            Tested::passed(&hub, account, scopes, connection.environment.clone())
        }
        (None, Some(failure)) => {
            Tested::failed(&hub, failure, hub.told_on(&listed, failure).prompt)
        }
    };
    Ok(Json(answer))
}
