//! `/v1`: what host applications call, with an API key.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, Utc};
use hub::{
    Hub,
    catalog::Provider,
    connect::{Import, Listed},
    failure::FailureCode,
    keep::health::Status,
    people::{Host, Scope},
    prompt::{During, Prompt, Subject},
    secret::Secret,
    store::{ConnectionId, credential, words},
};
use serde::{Deserialize, Serialize};

use super::problem::{Answer, Problem};

/// The routes under `/v1`.
pub fn router<S: Clone + Send + Sync + 'static>(hub: Hub) -> Router<S> {
    Router::new()
        .merge(super::catalog::router())
        .route("/connections", get(list).post(import))
        .route("/connections/{id}", get(one).delete(remove))
        .route("/connections/{id}/token", get(token))
        // A page answers every other address; here it is a problem.
        .route("/{*rest}", get(elsewhere).post(elsewhere).delete(elsewhere))
        .with_state(hub)
}

async fn elsewhere() -> Problem {
    Problem::not_found()
}

fn bearer(headers: &HeaderMap) -> Answer<&str> {
    let value = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(Problem::unauthenticated)?;
    match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(key.trim()),
        _ => Err(Problem::unauthenticated()),
    }
}

pub(super) async fn host(hub: &Hub, headers: &HeaderMap) -> Answer<Host> {
    hub.authenticate_key(bearer(headers)?)
        .await?
        .ok_or_else(Problem::unauthenticated)
}

fn connection_id(text: &str) -> Answer<ConnectionId> {
    text.parse().map_err(|_| Problem::not_found())
}

#[derive(Deserialize)]
struct TokenQuery {
    /// Which of several tokens: `user` for Slack's second one.
    #[serde(default)]
    kind: Option<String>,
}

#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_at: Option<DateTime<Utc>>,
    scopes: Option<Vec<String>>,
    provider: String,
    account: Account,
}

#[derive(Serialize)]
struct Account {
    id: Option<String>,
    label: String,
}

async fn token(
    State(hub): State<Hub>,
    Path(id): Path<String>,
    Query(query): Query<TokenQuery>,
    headers: HeaderMap,
) -> Answer<Response> {
    let key = bearer(&headers)?;
    let id = connection_id(&id)?;
    let slot = query.kind.as_deref().unwrap_or(credential::MAIN);
    let lent = hub
        .lend(key, id, slot)
        .await?
        .ok_or_else(Problem::unauthenticated)?
        .map_err(|withheld| {
            let name = hub
                .catalog
                .get(&withheld.provider)
                .map_or(withheld.provider.as_str(), Provider::name);
            let subject = Subject {
                provider_name: name,
                account: Some(&withheld.account_label),
                at: hub.clock.now(),
                during: During::Keeping,
                missing: &[],
            };
            Problem::failed(&withheld.failure, &subject)
        })?;
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
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

#[derive(Serialize)]
struct ConnectionAnswer {
    id: ConnectionId,
    provider: String,
    account: Account,
    display_name: Option<String>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<FailureCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<Prompt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<DateTime<Utc>>,
    scopes_asked: Vec<String>,
    scopes_granted: Option<Vec<String>>,
    scopes_missing: Vec<String>,
    created_at: DateTime<Utc>,
    last_ok_at: Option<DateTime<Utc>>,
    token_expires_at: Option<DateTime<Utc>>,
    next_refresh_at: Option<DateTime<Utc>>,
}

fn answer(hub: &Hub, listed: Listed) -> ConnectionAnswer {
    let Listed { connection, health } = listed;
    let provider = hub.catalog.get(&connection.provider);
    let prompt = health.failure.as_ref().map(|failure| {
        Prompt::of(
            failure,
            &Subject {
                provider_name: provider
                    .map_or(&connection.provider, |provider| &provider.about.name),
                account: Some(connection.name()),
                at: health.since.unwrap_or_else(|| hub.clock.now()),
                during: During::Keeping,
                missing: &[],
            },
        )
    });
    ConnectionAnswer {
        id: connection.id,
        status: health.status,
        code: health.failure.as_ref().map(|failure| failure.code),
        retry_at: health.failure.as_ref().and_then(|failure| failure.retry_at),
        prompt,
        scopes_asked: words(&connection.scopes_asked),
        scopes_granted: connection.scopes_granted.as_deref().map(words),
        scopes_missing: health.missing_scopes,
        created_at: connection.created_at,
        last_ok_at: connection.last_ok_at,
        token_expires_at: health.expires_at,
        next_refresh_at: health.next_refresh_at,
        provider: connection.provider,
        account: Account {
            id: connection.external_id,
            label: connection.account_label,
        },
        display_name: connection.display_name,
    }
}

#[derive(Serialize)]
struct List<T> {
    data: Vec<T>,
}

async fn list(State(hub): State<Hub>, headers: HeaderMap) -> Answer<Json<List<ConnectionAnswer>>> {
    let host = host(&hub, &headers).await?;
    let data = hub
        .connections_of_host(&host)
        .await?
        .into_iter()
        .map(|listed| answer(&hub, listed))
        .collect();
    Ok(Json(List { data }))
}

async fn one(
    State(hub): State<Hub>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Json<ConnectionAnswer>> {
    let host = host(&hub, &headers).await?;
    let listed = hub.connection_of_host(&host, connection_id(&id)?).await?;
    Ok(Json(answer(&hub, listed)))
}

async fn remove(
    State(hub): State<Hub>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    let host = host(&hub, &headers).await?;
    hub.delete(&host, connection_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token pair from another system. It has no `Debug`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportBody {
    provider: String,
    credential: ImportCredential,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    account: Option<ImportAccount>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    scopes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportCredential {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_at: Option<Moment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportAccount {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    label: Option<String>,
}

/// RFC 3339, or seconds since 1970 as other systems export them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Text(DateTime<Utc>),
    Seconds(i64),
}

impl Moment {
    fn read(self) -> Answer<DateTime<Utc>> {
        match self {
            Self::Text(at) => Ok(at),
            Self::Seconds(seconds) => DateTime::from_timestamp(seconds, 0).ok_or_else(|| {
                Problem::unreadable("credential.expires_at is outside the calendar")
            }),
        }
    }
}

async fn import(
    State(hub): State<Hub>,
    headers: HeaderMap,
    body: Result<Json<ImportBody>, JsonRejection>,
) -> Answer<Response> {
    let host = host(&hub, &headers).await?;
    host.may(Scope::ConnectionsWrite)?;
    // What was wrong is not repeated: it may be the token that was typed in
    // the wrong place.
    let Json(body) = body.map_err(|_| {
        Problem::unreadable(
            "Send JSON with provider and credential.access_token; see the documentation of this request.",
        )
    })?;
    let account = body.account.unwrap_or(ImportAccount {
        id: None,
        label: None,
    });
    let import = Import {
        provider: body.provider,
        access_token: Secret::new(body.credential.access_token),
        refresh_token: body.credential.refresh_token.map(Secret::new),
        expires_at: body.credential.expires_at.map(Moment::read).transpose()?,
        scopes: body.scopes,
        variables: body.variables,
        account_id: account.id,
        account_label: account.label,
        display_name: body.display_name,
    };
    let listed = hub.import(&host, import).await?;
    let location = format!("/v1/connections/{}", listed.connection.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(answer(&hub, listed)),
    )
        .into_response())
}
