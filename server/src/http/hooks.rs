//! `/hooks/{app}`: what providers tell unasked. Nobody is signed in here: the
//! signature of the message is its only authority. And `/oauth/handover/{app}`:
//! keys for somebody who is connecting, whose authority is that flow's state.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, OriginalUri, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use hub::{Hub, dialect::PushMessage, keep::Heard, secret::Secret};
use serde_json::json;
use url::Url;

use super::{
    State as Shared,
    problem::{Answer, Problem},
};

/// No message of any provider is longer.
const LARGEST: usize = 256 * 1024;

/// The routes.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/hooks/{app}", get(hear).post(hear))
        // Pipedrive tells it to the address people come back to.
        .route("/oauth/callback/{app}", delete(hear))
        .route("/oauth/handover/{app}", post(take_handover))
        .layer(DefaultBodyLimit::max(LARGEST))
}

/// Keys that a provider's server brings for a person who is connecting. Whoever
/// asks with anything else learns nothing.
async fn take_handover(
    State(hub): State<Hub>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer<StatusCode> {
    match hub.take_handover(&app, &body).await? {
        true => Ok(StatusCode::OK),
        false => Err(Problem::not_found()),
    }
}

async fn hear(
    State(hub): State<Hub>,
    Path(app): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Response> {
    // Some sign the address they were given, which is the public one.
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let url = format!("{}{}", hub.public_url, path.trim_start_matches('/'));
    let Ok(url) = Url::parse(&url) else {
        return Err(Problem::not_genuine());
    };
    let message = PushMessage {
        url: &url,
        headers: &headers,
        body: &body,
    };
    Ok(match hub.hear(&app, &message).await? {
        Heard::NotGenuine => return Err(Problem::not_genuine()),
        Heard::Challenge(fields) => Json(fields).into_response(),
        Heard::Erased => {
            // Meta wants an address and a word by which a person can ask after
            // the deletion, which is done already.
            let code = Secret::random(9);
            let url = hub.public_url.as_str();
            Json(json!({ "url": url, "confirmation_code": code.expose() })).into_response()
        }
        Heard::Noted { status, .. } => StatusCode::from_u16(status)
            .unwrap_or(StatusCode::OK)
            .into_response(),
    })
}
