//! Handing out working tokens.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use hub::{
    Hub,
    lend::{Borrower, Lent, Withheld},
    secret::Secret,
    store::credential,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{
        problem::{Answer, Problem},
        reach,
    },
    admit,
    answer::Account,
    connections::connection_id,
};

#[derive(Deserialize, IntoParams)]
pub(super) struct TokenQuery {
    /// Which of several tokens: `user` for Slack's second one
    #[serde(default)]
    kind: Option<String>,
}

/// A token that works, or what a person entered in its place.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenAnswer<'a> {
    /// The token, or the one key a person entered; not there where they entered
    /// more than one value
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    /// `Bearer`, or what the provider calls it; `api_key` for a key that is sent
    /// as `request` says; `credentials` for several values
    token_type: &'a str,
    /// What was entered, by the names of the provider's `fields` in the catalog:
    /// a host, a port, a database, a user, a password. With
    /// `"token_type": "credentials"`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    credentials: Option<BTreeMap<&'a str, &'a str>>,
    /// How calls carry what was entered, where the provider is spoken to over
    /// HTTP
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<SignedRequest<'a>>,
    /// Its end; none when it has none, or nobody says
    expires_at: Option<DateTime<Utc>>,
    /// What it may be used for; none when the provider does not say
    #[schema(value_type = Option<Vec<String>>)]
    scopes: Option<&'a [String]>,
    /// The provider's id in the catalog
    provider: &'a str,
    account: Account,
}

/// What every call carries, ready to be sent.
#[derive(Serialize, ToSchema)]
struct SignedRequest<'a> {
    /// Where the provider's API begins
    base_url: Option<&'a str>,
    #[schema(value_type = BTreeMap<String, String>)]
    headers: BTreeMap<&'a str, &'a str>,
    /// Parameters of the address
    #[schema(value_type = BTreeMap<String, String>)]
    query: BTreeMap<&'a str, &'a str>,
    basic: Option<BasicAuthentication<'a>>,
}

/// User and password of basic authentication.
#[derive(Serialize, ToSchema)]
struct BasicAuthentication<'a> {
    username: &'a str,
    password: &'a str,
}

fn told(pairs: &[(String, Secret)]) -> BTreeMap<&str, &str> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect()
}

/// Lend the working token of a connection
///
/// A token whose end is near is renewed first. A token that still works is lent
/// while its provider is down. Of a connection that a person entered, the key is
/// lent with how it is sent, or all that is needed to connect. Who borrowed which
/// token is recorded.
#[utoipa::path(
    get, path = "/{id}/token", tag = "connections", operation_id = "lend_token",
    params(("id" = uuid::Uuid, Path, description = "The connection"), TokenQuery),
    responses(
        (status = 200, description = "The token", body = TokenAnswer),
        (status = 401, response = crate::http::problem::Unauthenticated),
        (status = 403, response = crate::http::problem::Forbidden),
        (status = 404, response = crate::http::problem::NotFound),
        (status = 409, description = "A person has to act first", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, response = crate::http::problem::Throttled),
        (status = 503, description = "It is worth asking again after `Retry-After` seconds",
            body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = ["tokens:read"])),
)]
pub(super) async fn token(
    State(hub): State<Hub>,
    Path(id): Path<String>,
    Query(query): Query<TokenQuery>,
    headers: HeaderMap,
) -> Answer<Response> {
    let shown = admit::bearer(&headers)?;
    let slot = query.kind.as_deref().unwrap_or(credential::MAIN);
    let borrower = hub
        .borrower(shown, connection_id(&id)?, slot)
        .await?
        .ok_or_else(Problem::unauthenticated)?;
    let allowance = hub.limits.spend(borrower.host());
    let mut response = match admit::allowed(&allowance) {
        Ok(()) => {
            let reach = reach::of(borrower.host());
            reach.around(lend(&hub, borrower)).await.into_response()
        }
        Err(problem) => problem.into_response(),
    };
    admit::tell(response.headers_mut(), &allowance);
    Ok(response)
}

async fn lend(hub: &Hub, borrower: Borrower) -> Answer<Response> {
    let lent = hub.lend(borrower).await?;
    let lent = lent.map_err(|Withheld { failure, prompt }| {
        Problem::failed(&failure, prompt, hub.clock.now())
    })?;
    Ok(answer(&lent))
}

impl<'a> TokenAnswer<'a> {
    /// As it is answered.
    pub(super) fn of(lent: &'a Lent) -> Self {
        Self {
            access_token: lent.access_token.as_ref().map(Secret::expose),
            token_type: &lent.token_type,
            credentials: lent.credentials.as_ref().map(|credentials| {
                let fields = credentials.iter();
                fields
                    .map(|(name, value)| (name.as_str(), value.expose()))
                    .collect()
            }),
            request: lent.request.as_ref().map(|request| SignedRequest {
                base_url: request.base_url.as_ref().map(Secret::expose),
                headers: told(&request.signature.headers),
                query: told(&request.signature.query),
                basic: request.signature.basic.as_ref().map(|(user, password)| {
                    BasicAuthentication {
                        username: user.expose(),
                        password: password.expose(),
                    }
                }),
            }),
            expires_at: lent.expires_at,
            scopes: lent.scopes.as_deref(),
            provider: &lent.provider,
            account: Account {
                id: lent.account_id.clone(),
                label: lent.account_label.clone(),
            },
        }
    }
}

fn answer(lent: &Lent) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (headers, Json(TokenAnswer::of(lent))).into_response()
}
