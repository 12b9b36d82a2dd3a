//! Revocation (RFC 7009) and introspection (RFC 7662).

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Parameters,
    client_auth::{authenticate, error, record},
    scopes,
};
use crate::{Sandbox, faults::Endpoint, state::Revocation};

/// A refresh token ends its whole grant, an access token only itself. Unknown tokens are fine: they are as
/// dead as the app wants them.
pub(super) async fn revoke(
    State(shop): State<Sandbox>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parameters = Parameters::parse(&body);
    shop.shop().calls.revocations += 1;
    let request = record(
        &shop,
        Endpoint::Revoke,
        "/oauth/revoke",
        &headers,
        &parameters,
    );
    shop.answer(request, || {
        shop.change(|shop, now| {
            let client = match authenticate(shop, &headers, &parameters) {
                Ok(client) => client,
                Err(answer) => return *answer,
            };
            let Some(token) = parameters.get("token") else {
                return error(
                    StatusCode::BAD_REQUEST,
                    "invalid_request",
                    "token is missing.",
                );
            };
            if let Some(grant) = shop.state.retire(token, &client, now) {
                shop.revoke(&grant, Revocation::App, now);
            }
            StatusCode::OK.into_response()
        })
    })
    .await
}

/// Tells a client about its own tokens; everything else is inactive.
pub(super) async fn introspect(
    State(shop): State<Sandbox>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parameters = Parameters::parse(&body);
    shop.shop().calls.introspections += 1;
    let request = record(
        &shop,
        Endpoint::Introspect,
        "/oauth/introspect",
        &headers,
        &parameters,
    );
    let now = shop.now();
    shop.answer(request, || {
        let shop = shop.shop();
        let client = match authenticate(&shop, &headers, &parameters) {
            Ok(client) => client,
            Err(answer) => return *answer,
        };
        let Some(token) = parameters.get("token") else {
            return error(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "token is missing.",
            );
        };
        let known = shop
            .state
            .inspect(token, &shop.rules, now)
            .filter(|(grant, ..)| grant.client_id == client);
        let body = match known {
            None => json!({"active": false}),
            Some((grant, kind, expires_at)) => json!({
                "active": true,
                "client_id": grant.client_id,
                "sub": grant.account,
                "scope": scopes::join(&grant.scopes),
                "token_type": if kind == "access_token" { "Bearer" } else { "refresh_token" },
                "exp": expires_at.timestamp(),
                "iss": shop.issuer(),
            }),
        };
        ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    })
    .await
}
