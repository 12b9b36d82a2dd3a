//! Short-lived tokens of the API itself, and the keys by which they are checked.

use app::Viewer;
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use hub::{
    Hub,
    people::{Host, Scope},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        problem::{self, Answer},
        reach, sessions,
    },
    admit,
    body::MaybeBody,
    schema,
};

/// Where a key or a session is exchanged.
pub fn router(hub: &Hub) -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(exchange))
        .route_layer(from_fn_with_state(hub.clone(), sessions::viewer))
        .route_layer(sessions::layer(hub))
}

/// What everybody may see.
pub fn published() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(keys))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({ "scopes": ["catalog:read"] }))]
struct ExchangeBody {
    /// What the token is for; all that the key may do where it is left out
    #[schema(schema_with = schema::maybe_scopes)]
    scopes: Option<Vec<Scope>>,
}

/// A token for this API.
#[derive(Serialize, ToSchema)]
struct ExchangeAnswer {
    access_token: String,
    /// `Bearer`
    token_type: &'static str,
    /// In seconds
    expires_in: i64,
    expires_at: DateTime<Utc>,
    #[schema(schema_with = schema::scopes)]
    scopes: Vec<Scope>,
}

/// Exchange an API key, or the session of who is signed in, for a short-lived token
///
/// A JWT signed with Ed25519, for ten minutes, accepted wherever API keys are.
/// It ends at once when its key is revoked or its person signs out everywhere.
/// A person's token does what their role allows, and borrows no tokens.
#[utoipa::path(
    post, path = "/tokens", tag = "tokens", operation_id = "exchange_key",
    request_body = Option<ExchangeBody>,
    responses(
        (status = 200, description = "The token", body = ExchangeAnswer),
        (status = 400, response = problem::Malformed),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 413, response = problem::TooLarge),
        (status = 415, response = problem::NotJson),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = [])),
)]
async fn exchange(
    State(hub): State<Hub>,
    Extension(viewer): Extension<Viewer>,
    headers: HeaderMap,
    MaybeBody(body): MaybeBody<ExchangeBody>,
) -> Answer<Response> {
    let host = match (headers.contains_key(header::AUTHORIZATION), &viewer.member) {
        (false, Some(member)) => Host::from(member),
        _ => admit::host(&hub, &headers).await?,
    };
    let allowance = hub.limits.spend(&host);
    let mut response = match admit::allowed(&allowance) {
        Ok(()) => {
            let minted = mint(&hub, &host, body);
            reach::of(&host).around(minted).await.into_response()
        }
        Err(problem) => problem.into_response(),
    };
    admit::tell(response.headers_mut(), &allowance);
    Ok(response)
}

async fn mint(hub: &Hub, host: &Host, body: ExchangeBody) -> Answer<Response> {
    let minted = hub.mint_token(host, body.scopes.as_deref()).await?;
    let answer = ExchangeAnswer {
        access_token: minted.token.expose().to_owned(),
        token_type: "Bearer",
        expires_in: minted.expires_at.timestamp() - hub.clock.now().timestamp(),
        expires_at: minted.expires_at,
        scopes: minted.scopes,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Keys by which tokens of this API can be checked.
#[derive(Serialize, ToSchema)]
struct Keys {
    keys: Vec<Key>,
}

/// A public key, as RFC 8037 writes it.
#[derive(Serialize, ToSchema)]
struct Key {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    kid: String,
    x: String,
}

/// See the keys by which tokens of this API can be checked
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "tokens", operation_id = "published_keys",
    responses((status = 200, description = "The keys, newest first", body = Keys)),
    security(()),
)]
async fn keys(State(hub): State<Hub>) -> Answer<Response> {
    let keys = hub.public_keys().await?;
    let keys = keys.into_iter().map(|key| Key {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        usage: "sig",
        kid: key.id,
        x: key.x,
    });
    let caching = [(header::CACHE_CONTROL, "public, max-age=300")];
    let answer = Json(Keys {
        keys: keys.collect(),
    });
    Ok((caching, answer).into_response())
}
