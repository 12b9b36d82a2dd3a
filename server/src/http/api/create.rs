//! New connections: with entered credentials, or with a token pair of another
//! system.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use hub::{
    Error, FieldProblem, Hub,
    catalog::Provider,
    connect::{Change, Import, Listed, Typed},
    people::{Host, Scope},
    prompt::{During, Prompt, Subject},
    secret::Secret,
    store::connection::SyncFrequency,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    super::problem::{self, Answer, Problem},
    answer::{Account, Connection, Tested},
    body::Body,
    schema,
};

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
pub(super) struct CreateBody {
    /// The provider's id in the catalog
    provider: String,
    #[serde(default)]
    #[schema(max_length = 80)]
    display_name: Option<String>,
    #[serde(default)]
    #[schema(schema_with = schema::maybe_sync_frequency)]
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
/// second connection. Accounts that are connected in a browser are connected by
/// their person, on the hub.
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
pub(super) async fn create(
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
        ..Typed::default()
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
        Error::Failed(failure) => {
            let prompt = Prompt::of(&failure, &connecting(hub, provider.name()));
            Problem::failed(&failure, prompt, hub.clock.now())
        }
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
        is_operators_app: false,
    }
}

/// What is to be tested. It has no `Debug`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestBody {
    /// The provider's id in the catalog
    provider: String,
    config: Config,
}

/// Test credentials without keeping them
#[utoipa::path(
    post, path = "/test", tag = "connections", operation_id = "test_credentials",
    params(problem::IdempotencyKey),
    request_body = TestBody,
    responses(
        (status = 200, description = "What was found: also that they do not work", body = Tested),
        (status = 400, response = problem::Malformed),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 409, response = problem::Conflict),
        (status = 413, response = problem::TooLarge),
        (status = 415, response = problem::NotJson),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["connections:write"])),
)]
pub(super) async fn test_entered(
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
            Tested::passed(&hub, account, tested.scopes, tested.environment)
        }
        Err(Error::Failed(failure)) => {
            let prompt = Prompt::of(&failure, &connecting(&hub, provider.name()));
            Tested::failed(&hub, &failure, prompt)
        }
        Err(error) => return Err(refused(&hub, provider, error)),
    };
    Ok(Json(answer))
}
