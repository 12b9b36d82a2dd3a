//! The OAuth 2 server.

mod authorize;
mod client_auth;
mod management;
mod parameters;
pub mod scopes;
mod target;
mod token;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    routing::{get, post},
};
use serde_json::{Value, json};

use crate::{Sandbox, origin::own_pages_only};
pub(crate) use parameters::Parameters;

pub(crate) fn routes(shop: &Sandbox) -> Router {
    let consent = Router::new()
        .route(
            "/oauth/authorize",
            get(authorize::ask).post(authorize::decide),
        )
        .layer(middleware::from_fn_with_state(shop.clone(), own_pages_only));
    Router::new()
        .merge(consent)
        .route("/oauth/token", post(token::token))
        .route("/oauth/revoke", post(management::revoke))
        .route("/oauth/introspect", post(management::introspect))
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(shop.clone())
}

/// Authorization server metadata (RFC 8414, RFC 9207).
async fn metadata(State(shop): State<Sandbox>) -> Json<Value> {
    let issuer = shop.shop().issuer();
    let authentication = ["client_secret_basic", "client_secret_post"];
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "scopes_supported": scopes::Scope::ALL,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": authentication,
        "revocation_endpoint_auth_methods_supported": authentication,
        "introspection_endpoint_auth_methods_supported": authentication,
        "authorization_response_iss_parameter_supported": true,
        "service_documentation": format!("{issuer}/"),
    }))
}
