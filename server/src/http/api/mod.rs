//! `/v1`: what host applications call, with an API key or a token made from one.
//!
//! | What | Where |
//! |---|---|
//! | who calls, how often, and whether it was sent before | [`admit`], [`once`] |
//! | connections, also as `/v1/connectors` | [`connections`], [`create`] |
//! | the data behind them | [`preview`] |
//! | working tokens of connections | [`lending`] |
//! | the connection to use of a provider | [`usage`] |
//! | what automations do with connections | [`runs`] |
//! | readings of connections, and what happened | [`syncs`], [`events`] |
//! | links for people without an account here | [`links`] |
//! | what can be connected | [`catalog`] |
//! | short-lived tokens for the API itself | [`tokens`] |
//! | all of it described | [`docs`] |

mod admit;
mod answer;
mod body;
pub mod catalog;
mod connections;
mod create;
mod docs;
mod events;
mod lending;
mod links;
mod once;
mod preview;
mod runs;
pub(super) mod schema;
mod syncs;
mod tokens;
mod usage;

use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn_with_state, routing::get};
use hub::Hub;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use admit::bearer;

use super::problem::Problem;

/// The largest request, in bytes: a service account's key file is a few
/// thousand.
const LARGEST_BODY: usize = 256 * 1024;

/// Everything host applications call.
pub fn router<S: Clone + Send + Sync + 'static>(hub: Hub) -> Router<S> {
    let (described, document) = described(&hub).split_for_parts();
    // An older name of the same routes.
    let (connectors, _) = connections(&hub).split_for_parts();
    // A page answers every other address; here it is a problem.
    let unknown = get(elsewhere)
        .post(elsewhere)
        .put(elsewhere)
        .patch(elsewhere)
        .delete(elsewhere);
    Router::new()
        .route("/v1/{*rest}", unknown)
        .route_layer(from_fn_with_state(hub.clone(), admit::caller))
        .nest("/v1/connectors", connectors)
        .merge(described)
        .merge(docs::router(document))
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(hub)
}

/// Every route that the document describes, with its description.
fn described(hub: &Hub) -> OpenApiRouter<Hub> {
    let admitted = OpenApiRouter::new()
        .nest("/catalog", catalog::router())
        .nest("/connect-links", links::router())
        .nest("/events", events::router())
        .nest("/providers", usage::router())
        .nest("/runs", runs::router())
        .route_layer(from_fn_with_state(hub.clone(), admit::caller));
    let versioned = OpenApiRouter::new()
        .merge(admitted)
        .merge(tokens::router(hub))
        .merge(OpenApiRouter::new().nest("/runs", runs::lenders()))
        .nest("/connections", connections(hub));
    OpenApiRouter::with_openapi(docs::introduction())
        .nest("/v1", versioned)
        .merge(tokens::published())
}

fn connections(hub: &Hub) -> OpenApiRouter<Hub> {
    connections::router()
        .merge(syncs::router())
        .route_layer(from_fn_with_state(hub.clone(), admit::caller))
        // It finds out who calls in the one statement that lending costs.
        .routes(routes!(lending::token))
}

async fn elsewhere() -> Problem {
    Problem::not_found()
}

async fn wrong_method() -> Problem {
    Problem::wrong_method()
}
