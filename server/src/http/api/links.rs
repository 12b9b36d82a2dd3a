//! Connect links: a host application lets its own people connect.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use hub::{
    Hub,
    connect::{LinkStatus, NewLink},
    people::Host,
    store::{ConnectLinkId, ConnectionId, connect_link, words},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::problem::{self, Answer, Problem},
    body::Body,
    schema,
};

/// The routes below `/v1/connect-links`.
pub fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(one))
}

/// What a link is for: either `providers` or `connection`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "providers": ["sandbox"], "reference": "customer-42" }))]
struct LinkBody {
    /// The providers to choose from, by their ids in the catalog, 20 at most
    #[serde(default)]
    providers: Vec<String>,
    /// The connection to connect again
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    connection: Option<String>,
    /// Where its person goes afterwards, on an origin that an admin listed for
    /// this key; `status` (`connected` or `cancelled`), `reference` and
    /// `connection_id` are added to its query
    #[serde(default)]
    #[schema(max_length = 2000)]
    return_to: Option<String>,
    /// What you know your person by; told back in the address and the events
    #[serde(default)]
    #[schema(max_length = 200)]
    reference: Option<String>,
}

/// A link and how it stands.
#[derive(Serialize, ToSchema)]
struct Link {
    #[schema(value_type = uuid::Uuid)]
    id: ConnectLinkId,
    /// For your person alone: whoever opens it first may connect. Told once
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[schema(schema_with = schema::link_status)]
    status: &'static str,
    providers: Vec<String>,
    /// The connection that is connected again, or the one that was made
    #[schema(value_type = Option<uuid::Uuid>)]
    connection_id: Option<ConnectionId>,
    return_to: Option<String>,
    reference: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// When it made or repaired the connection
    used_at: Option<DateTime<Utc>>,
}

impl Link {
    fn of(hub: &Hub, row: connect_link::Model, url: Option<String>) -> Self {
        Self {
            status: LinkStatus::of(&row, hub.clock.now()).as_str(),
            id: row.id,
            url,
            providers: words(&row.providers),
            connection_id: row.result_connection_id.or(row.connection_id),
            return_to: row.return_to,
            reference: row.reference,
            created_at: row.created_at,
            expires_at: row.expires_at,
            used_at: row.used_at,
        }
    }
}

/// Make a link for one of your own people
///
/// Whoever opens it connects an account without one here. It works for 30
/// minutes, in one browser, and until it has made one connection. It ends with
/// its key.
#[utoipa::path(
    post, path = "/", tag = "links", operation_id = "create_connect_link",
    params(problem::IdempotencyKey),
    request_body = LinkBody,
    responses(
        (status = 201, description = "The link", body = Link,
            headers(("location", description = "Where it is looked up"))),
        (status = 400, response = problem::Malformed),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 409, response = problem::Conflict),
        (status = 413, response = problem::TooLarge),
        (status = 415, response = problem::NotJson),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn create(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Body(body): Body<LinkBody>,
) -> Answer<Response> {
    // An id that cannot be one is no connection, and is told like one.
    let connection = body.connection.as_deref().map(str::parse::<ConnectionId>);
    let connection = connection
        .transpose()
        .map_err(|_| Problem::invalid("connection", "There is no connection with this id"))?;
    let asked = NewLink {
        providers: body.providers,
        connection,
        return_to: body.return_to,
        reference: body.reference,
    };
    let (row, url) = hub.make_link(&host, asked).await?;
    let location = format!("/v1/connect-links/{}", row.id);
    let link = Link::of(&hub, row, Some(url.expose().to_owned()));
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(link)).into_response())
}

/// See what became of a link
#[utoipa::path(
    get, path = "/{id}", tag = "links", operation_id = "get_connect_link",
    params(("id" = uuid::Uuid, Path, description = "The link")),
    responses(
        (status = 200, description = "The link and how it stands", body = Link),
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
) -> Answer<Json<Link>> {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    let row = hub.link_of_host(&host, id).await?;
    Ok(Json(Link::of(&hub, row, None)))
}
