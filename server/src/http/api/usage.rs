//! The connection to use of a provider.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use hub::{Hub, connect::Usage, people::Host, store::ConnectionId};
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::problem::{self, Answer},
    answer::Connection,
};

/// The routes below `/v1/providers`.
pub fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(usage))
}

/// The connection to a provider, and where a person does what about it.
#[derive(Serialize, ToSchema)]
struct UsageAnswer {
    /// The provider's id in the catalog
    provider: String,
    /// Whether a token can be borrowed now
    usable: bool,
    /// The connection to use, with its status and what there is to do: the best
    /// of those there are. None where nothing is connected yet
    connection: Option<Connection>,
    /// Every connection to it, the newest first
    #[schema(value_type = Vec<uuid::Uuid>)]
    connections: Vec<ConnectionId>,
    /// Where a member connects an account, or one more
    #[schema(value_type = String)]
    connect_url: Url,
    /// Where a member connects that account again, or adds permissions
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    reconnect_url: Option<Url>,
    /// Where a member sees what ends, and ends it
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    disconnect_url: Option<Url>,
}

/// See which connection to use of a provider
///
/// Status, prompt and the addresses of this hub where a signed-in member
/// connects, connects again and disconnects. For people without an account
/// here, make a connect link.
#[utoipa::path(
    get, path = "/{id}/connection", tag = "connections", operation_id = "use_connection",
    params(("id" = String, Path, description = "The provider's id in the catalog")),
    responses(
        (status = 200, description = "The connection to use, if there is one", body = UsageAnswer),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:read"])),
)]
async fn usage(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
) -> Answer<Json<UsageAnswer>> {
    let usage = hub.use_connection(&host, &id).await?;
    let usable = usage.is_usable();
    let Usage {
        provider,
        connection,
        all,
    } = usage;
    let at = |path: String| {
        hub.public_url
            .join(path.trim_start_matches('/'))
            .unwrap_or_else(|_| hub.public_url.clone())
    };
    let living = connection
        .as_ref()
        .filter(|one| one.connection.disconnected_at.is_none())
        .map(|one| one.connection.id.to_string());
    let known = connection.as_ref().map(|one| one.connection.id.to_string());
    Ok(Json(UsageAnswer {
        connect_url: at(app::paths::connect(&provider)),
        reconnect_url: known.map(|id| at(app::paths::reconnect(&provider, &id))),
        disconnect_url: living.map(|id| at(app::paths::disconnect(&id))),
        usable,
        connection: connection.map(|listed| Connection::of(&hub, listed)),
        connections: all,
        provider,
    }))
}
