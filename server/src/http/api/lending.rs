//! Handing out working tokens.

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
    prompt::{During, Subject},
    store::credential,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::problem::{Answer, Problem},
    admit,
    answer::{Account, provider_name},
    connections::connection_id,
};

#[derive(Deserialize, IntoParams)]
pub(super) struct TokenQuery {
    /// Which of several tokens: `user` for Slack's second one
    #[serde(default)]
    kind: Option<String>,
}

/// A token that works.
#[derive(Serialize, ToSchema)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'a str,
    /// Its end; none when it has none, or nobody says
    expires_at: Option<DateTime<Utc>>,
    /// What it may be used for; none when the provider does not say
    scopes: Option<Vec<String>>,
    /// The provider's id in the catalog
    provider: String,
    account: Account,
}

/// Lend the working token of a connection
///
/// A token whose end is near is renewed first. A token that still works is lent
/// while its provider is down. Who borrowed which token is recorded.
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
        Ok(()) => lend(&hub, borrower).await.into_response(),
        Err(problem) => problem.into_response(),
    };
    admit::tell(response.headers_mut(), &allowance);
    Ok(response)
}

async fn lend(hub: &Hub, borrower: Borrower) -> Answer<Response> {
    let lent = hub.lend(borrower).await?;
    let lent = lent.map_err(|withheld| problem(hub, &withheld))?;
    Ok(answer(lent))
}

fn problem(hub: &Hub, withheld: &Withheld) -> Problem {
    let subject = Subject {
        provider_name: provider_name(hub, &withheld.provider),
        account: Some(&withheld.account_label),
        at: hub.clock.now(),
        during: During::Keeping,
        missing: &[],
    };
    Problem::failed(&withheld.failure, &subject)
}

fn answer(lent: Lent) -> Response {
    let answer = TokenAnswer {
        access_token: lent.access_token.expose(),
        token_type: &lent.token_type,
        expires_at: lent.expires_at,
        scopes: lent.scopes,
        provider: lent.provider,
        account: Account {
            id: lent.account_id,
            label: lent.account_label,
        },
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
