//! Connections: made, listed, changed, tested, deleted.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use hub::{
    Error, FieldProblem, Hub,
    catalog::Provider,
    connect::{Change, Import, Listed, Typed},
    keep::health::Status,
    people::{Host, Scope},
    prompt::{During, Subject},
    secret::Secret,
    store::{
        ConnectionId,
        connection::{Mapping, SyncFrequency},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::problem::{Answer, Problem},
    answer::{Account, Connection, Tested, provider_name},
    body::Body,
    schema,
};
use crate::http::problem;

/// How many connections one page has where nobody says.
const PAGE: usize = 100;
/// How many it has at the most.
const LARGEST_PAGE: usize = 1000;

/// The routes below `/v1/connections`.
pub fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(test_entered))
        .routes(routes!(one, change, remove))
        .routes(routes!(test))
}

/// An id, or what is answered about one that nothing can have.
pub fn connection_id(text: &str) -> Answer<ConnectionId> {
    text.parse().map_err(|_| Problem::not_found())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only connections that are like this
    #[param(schema_with = schema::status)]
    status: Option<String>,
    /// The `next` of the page before
    #[param(value_type = Option<uuid::Uuid>)]
    after: Option<String>,
    /// How many at the most
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

impl Asked {
    fn status(&self) -> Answer<Option<Status>> {
        let find = |text: &String| {
            let known = Status::ALL.into_iter().find(|one| one.as_str() == text);
            known.ok_or_else(|| {
                let all = Status::ALL.map(Status::as_str).join(", ");
                Problem::invalid("status", format!("Use one of {all}"))
            })
        };
        self.status.as_ref().map(find).transpose()
    }

    fn after(&self) -> Answer<Option<ConnectionId>> {
        let read = |text: &String| text.parse();
        let read = self.after.as_ref().map(read).transpose();
        read.map_err(|_| Problem::invalid("after", "Use the `next` of the page before"))
    }

    fn limit(&self) -> Answer<usize> {
        let wrong = || Problem::invalid("limit", format!("Use a number from 1 to {LARGEST_PAGE}"));
        match &self.limit {
            None => Ok(PAGE),
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LARGEST_PAGE).contains(limit))
                .ok_or_else(wrong),
        }
    }
}

/// A page of connections.
#[derive(Serialize, ToSchema)]
struct ConnectionList {
    data: Vec<Connection>,
    /// What to ask as `after` for the next page; none on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    next: Option<ConnectionId>,
}

/// List connections
///
/// Newest first. A page stays where it is while others are made and deleted.
#[utoipa::path(
    get, path = "/", tag = "connections", operation_id = "list_connections",
    params(Asked),
    responses(
        (status = 200, description = "A page of them", body = ConnectionList),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:read"])),
)]
async fn list(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Answer<Json<ConnectionList>> {
    let Query(asked) = asked.map_err(|error| Problem::unreadable(error.body_text()))?;
    let page = hub
        .connections_of_host(&host, asked.status()?, asked.after()?, asked.limit()?)
        .await?;
    let answer = |listed| Connection::of(&hub, listed);
    Ok(Json(ConnectionList {
        data: page.connections.into_iter().map(answer).collect(),
        next: page.next,
    }))
}

/// See one connection
#[utoipa::path(
    get, path = "/{id}", tag = "connections", operation_id = "get_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection")),
    responses(
        (status = 200, description = "The connection and how it is", body = Connection),
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
) -> Answer<Json<Connection>> {
    let listed = hub.connection_of_host(&host, connection_id(&id)?).await?;
    Ok(Json(Connection::of(&hub, listed)))
}

/// What is to become different; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "display_name": "Till in the shop", "sync_frequency": "daily" }))]
struct ChangeBody {
    /// A person's name for it, 80 characters at most; an empty one takes it away
    #[serde(default)]
    #[schema(max_length = 80)]
    display_name: Option<String>,
    #[serde(default)]
    #[schema(schema_with = schema::sync_frequency)]
    sync_frequency: Option<SyncFrequency>,
    #[serde(default)]
    #[schema(schema_with = schema::mapping)]
    mapping: Option<Mapping>,
}

/// Change name, frequency and mapping
#[utoipa::path(
    patch, path = "/{id}", tag = "connections", operation_id = "change_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection")),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The connection as it is now", body = Connection),
        (status = 400, response = problem::Malformed),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 413, response = problem::TooLarge),
        (status = 415, response = problem::NotJson),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn change(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
    Body(body): Body<ChangeBody>,
) -> Answer<Json<Connection>> {
    let change = Change {
        display_name: body.display_name,
        sync_frequency: body.sync_frequency,
        mapping: body.mapping,
    };
    let listed = hub.change(&host, connection_id(&id)?, change).await?;
    Ok(Json(Connection::of(&hub, listed)))
}

/// Revoke at the provider and forget
#[utoipa::path(
    delete, path = "/{id}", tag = "connections", operation_id = "delete_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn remove(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    hub.delete(&host, connection_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a person would type into the form of a provider: see `variables` and
/// `fields` of its catalog entry. It has no `Debug`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Answers to the entry's questions, by name
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// What goes into its fields, by name
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

/// A new connection: with `config`, what was entered is tested before it is
/// kept; with `credential`, a token pair of another system is taken over
/// untested. It has no `Debug`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "provider": "github", "display_name": "Code",
    "credential": { "access_token": "gho_example", "refresh_token": "ghr_example" },
    "account": { "id": "42", "label": "ana" },
}))]
struct CreateBody {
    /// The provider's id in the catalog
    provider: String,
    #[serde(default)]
    #[schema(max_length = 80)]
    display_name: Option<String>,
    #[serde(default)]
    #[schema(schema_with = schema::sync_frequency)]
    sync_frequency: Option<SyncFrequency>,
    #[serde(default)]
    config: Option<Config>,
    #[serde(default)]
    credential: Option<ImportCredential>,
    /// With `credential`: whose account it is, if that is known
    #[serde(default)]
    account: Option<ImportAccount>,
    /// With `credential`: answers to the entry's questions, by name
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// With `credential`: the permissions that were given, if that is known
    #[serde(default)]
    scopes: Option<Vec<String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ImportCredential {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    /// RFC 3339, or seconds since 1970
    #[serde(default)]
    #[schema(value_type = Option<Moment>)]
    expires_at: Option<Moment>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ImportAccount {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    label: Option<String>,
}

/// RFC 3339, or seconds since 1970 as other systems export them.
#[derive(Deserialize, ToSchema)]
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
                Problem::invalid("credential.expires_at", "This is outside the calendar")
            }),
        }
    }
}

/// Make a connection
///
/// An account that is connected already gets the new credentials (200) and no
/// second connection. Accounts that are connected in a browser, by their
/// person, need a connect link.
#[utoipa::path(
    post, path = "/", tag = "connections", operation_id = "create_connection",
    params(problem::IdempotencyKey),
    request_body = CreateBody,
    responses(
        (status = 200, description = "A connection of this account got the new credentials",
            body = Connection),
        (status = 201, description = "The new connection", body = Connection,
            headers(("location" = String, description = "Its address"))),
        (status = 400, response = problem::Malformed),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 409, description = "The provider refuses the credentials, or a token pair \
            of this account is there already", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, response = problem::TooLarge),
        (status = 415, response = problem::NotJson),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
        (status = 503, description = "The provider cannot be asked now", body = Problem,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["connections:write"])),
)]
async fn create(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Body(body): Body<CreateBody>,
) -> Answer<Response> {
    host.may(Scope::ConnectionsWrite)?;
    let provider = known(&hub, &body.provider)?;
    let chosen = Change {
        display_name: body.display_name.filter(|name| !name.trim().is_empty()),
        sync_frequency: body.sync_frequency,
        mapping: None,
    };
    chosen.accept()?;
    let began = hub.clock.now();
    let id = match (body.config, body.credential) {
        (Some(config), None) => {
            let typed = typed(provider, config)?;
            hub.enter(&host, &provider.id, typed)
                .await
                .map_err(|error| refused(&hub, provider, error))?
        }
        (None, Some(credential)) => {
            let account = body.account.unwrap_or_default();
            let import = Import {
                provider: body.provider.clone(),
                access_token: Secret::new(credential.access_token),
                refresh_token: credential.refresh_token.map(Secret::new),
                expires_at: credential.expires_at.map(Moment::read).transpose()?,
                scopes: body.scopes,
                variables: body.variables,
                account_id: account.id,
                account_label: account.label,
                display_name: None,
            };
            hub.import(&host, import).await?.connection.id
        }
        _ => {
            return Err(Problem::invalid(
                "config",
                "Send what was entered as `config`, or a token pair as `credential`",
            ));
        }
    };
    let listed = hub.change(&host, id, chosen).await?;
    Ok(created(&hub, listed, began))
}

fn created(hub: &Hub, listed: Listed, began: DateTime<Utc>) -> Response {
    let location = format!("/v1/connections/{}", listed.connection.id);
    let status = match listed.connection.created_at < began {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    let answer = Json(Connection::of(hub, listed));
    (status, [(header::LOCATION, location)], answer).into_response()
}

fn known<'h>(hub: &'h Hub, provider: &str) -> Answer<&'h Provider> {
    let found = hub.catalog.get(provider);
    found.ok_or_else(|| Problem::invalid("provider", "There is no provider with this id"))
}

/// What is to be entered, if the provider asks for all of it.
fn typed(provider: &Provider, config: Config) -> Answer<Typed> {
    let is_field = |name: &String| provider.fields.iter().any(|field| field.name == *name);
    let is_variable = |name: &String| provider.questions().any(|one| one.name == *name);
    let unknown = |within: &str, name: &str| FieldProblem {
        field: format!("config.{within}.{name}"),
        problem: format!("{} does not ask for this", provider.name()),
    };
    let fields = config.fields.keys().filter(|name| !is_field(name));
    let variables = config.variables.keys().filter(|name| !is_variable(name));
    let problems: Vec<_> = fields
        .map(|name| unknown("fields", name))
        .chain(variables.map(|name| unknown("variables", name)))
        .collect();
    if !problems.is_empty() {
        return Err(Error::Invalid(problems).into());
    }
    let secret = |(name, value): (String, String)| (name, Secret::new(value));
    Ok(Typed {
        variables: config.variables,
        fields: config.fields.into_iter().map(secret).collect(),
        connection: None,
    })
}

/// Why what was entered was not kept, with places as this API calls them.
fn refused(hub: &Hub, provider: &Provider, error: Error) -> Problem {
    match error {
        Error::NotFound => Problem::invalid(
            "provider",
            "This provider's accounts are not connected with entered credentials",
        ),
        Error::Invalid(mut problems) => {
            for one in &mut problems {
                one.field = match one.field.strip_prefix("field.") {
                    Some(field) => format!("config.fields.{field}"),
                    None => format!("config.variables.{}", one.field),
                };
            }
            Error::Invalid(problems).into()
        }
        Error::Failed(failure) => Problem::failed(&failure, &connecting(hub, provider.name())),
        error => error.into(),
    }
}

fn connecting<'a>(hub: &Hub, provider_name: &'a str) -> Subject<'a> {
    Subject {
        provider_name,
        account: None,
        at: hub.clock.now(),
        during: During::Connecting,
        missing: &[],
    }
}

/// What is to be tested. It has no `Debug`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestBody {
    /// The provider's id in the catalog
    provider: String,
    config: Config,
}

/// Test credentials without keeping them
#[utoipa::path(
    post, path = "/test", tag = "connections", operation_id = "test_credentials",
    request_body = TestBody,
    responses(
        (status = 200, description = "What was found: also that they do not work", body = Tested),
        (status = 400, response = problem::Malformed),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 413, response = problem::TooLarge),
        (status = 415, response = problem::NotJson),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn test_entered(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Body(body): Body<TestBody>,
) -> Answer<Json<Tested>> {
    host.may(Scope::ConnectionsWrite)?;
    let provider = known(&hub, &body.provider)?;
    let typed = typed(provider, body.config)?;
    let answer = match hub.test(&host, &provider.id, typed).await {
        Ok(tested) => {
            let account = Account {
                id: Some(tested.account.id),
                label: tested.account.label,
            };
            Tested::passed(&hub, account, tested.scopes)
        }
        Err(Error::Failed(failure)) => {
            Tested::failed(&hub, &failure, &connecting(&hub, provider.name()))
        }
        Err(error) => return Err(refused(&hub, provider, error)),
    };
    Ok(Json(answer))
}

/// Test a connection now
#[utoipa::path(
    post, path = "/{id}/test", tag = "connections", operation_id = "test_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection"), problem::IdempotencyKey),
    responses(
        (status = 200, description = "What was found: also that it does not work", body = Tested),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
async fn test(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
) -> Answer<Json<Tested>> {
    let id = connection_id(&id)?;
    let Listed { connection, health } = hub.check(&host, id).await?;
    let answer = match &health.failure {
        None => {
            let scopes = connection.scopes_granted.as_deref();
            let account = Account {
                id: connection.external_id.clone(),
                label: connection.account_label.clone(),
            };
            Tested::passed(&hub, account, scopes.map(hub::store::words))
        }
        Some(failure) => {
            let subject = Subject {
                provider_name: provider_name(&hub, &connection.provider),
                account: Some(connection.name()),
                at: hub.clock.now(),
                during: During::Keeping,
                missing: &[],
            };
            Tested::failed(&hub, failure, &subject)
        }
    };
    Ok(Json(answer))
}
