//! Runs: what automations do with connections. One is lent a token, or paused
//! with a reason; a paused one goes on by itself.

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use hub::{
    Hub,
    connect::Listed,
    failure::{Failure, FailureCode},
    people::Host,
    prompt::Prompt,
    runs::{End, NewRun, Ran},
    store::{
        ConnectionId, RunId, credential,
        run::{self, Filter, Status},
        words,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        problem::{self, Answer, Problem},
        reach,
    },
    admit,
    body::Body,
    connections::{read_after, read_limit},
    lending::TokenAnswer,
    once, schema,
};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The routes that look, and that end a run.
pub fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(finish))
}

/// The routes that lend tokens. They find out themselves who calls, and what is
/// kept of a request that is sent twice is the run: never the token.
pub fn lenders() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(begin))
        .routes(routes!(go_on))
}

/// What an automation wants to do.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "connection": "0192f1c2-0000-7000-8000-000000000000",
    "action": "orders.update",
    "scopes": ["write_orders"],
    "correlation_id": "order-42"
}))]
struct RunBody {
    /// The connection it uses
    #[schema(value_type = uuid::Uuid)]
    connection: String,
    /// What you call it, 100 characters at most; policies and people read it
    #[schema(max_length = 100)]
    action: String,
    /// Whether it changes something at the provider; it does where nobody says
    #[serde(default = "yes")]
    writes: bool,
    /// The provider's permissions it cannot do without, 50 at most: those that the
    /// catalog has of it, or that the connection was granted
    #[serde(default)]
    scopes: Vec<String>,
    /// What you know it by; told back in the events
    #[serde(default)]
    #[schema(max_length = 200)]
    correlation_id: Option<String>,
}

fn yes() -> bool {
    true
}

/// A run and how it stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Run {
    #[schema(value_type = uuid::Uuid)]
    id: RunId,
    #[schema(value_type = uuid::Uuid)]
    connection_id: ConnectionId,
    /// The provider's id in the catalog
    provider: String,
    action: String,
    /// Whether it changes something at the provider
    writes: bool,
    scopes: Vec<String>,
    correlation_id: Option<String>,
    #[schema(schema_with = schema::run_status)]
    status: Status,
    /// Why it is paused, or how it failed
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::failure_code)]
    code: Option<FailureCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::prompt)]
    prompt: Option<Prompt>,
    /// The policy that stopped it last, where one did
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// How often it was paused
    pauses: i32,
    created_at: DateTime<Utc>,
    paused_at: Option<DateTime<Utc>>,
    resumed_at: Option<DateTime<Utc>>,
    /// When a token was lent for it first
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl Run {
    fn of(hub: &Hub, row: run::Model, listed: Option<&Listed>) -> Self {
        let shown = matches!(row.status, Status::Paused | Status::Failed);
        Self {
            prompt: shown.then(|| hub.run_prompt(&row, listed)).flatten(),
            code: row
                .failure
                .as_ref()
                .filter(|_| shown)
                .map(|failure| failure.code),
            id: row.id,
            connection_id: row.connection_id,
            provider: row.provider,
            action: row.action,
            writes: row.writes,
            scopes: words(&row.scopes_needed),
            correlation_id: row.correlation_id,
            status: row.status,
            policy: row.policy,
            pauses: row.pauses,
            created_at: row.created_at,
            paused_at: row.paused_at,
            resumed_at: row.resumed_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}

/// A run, with the token where it may go on.
#[derive(Serialize, ToSchema)]
struct RunAnswer<'a> {
    #[serde(flatten)]
    run: Run,
    /// A token that works; there where `status` is `allowed`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    token: Option<TokenAnswer<'a>>,
}

/// A page of runs.
#[derive(Serialize, ToSchema)]
struct RunList {
    data: Vec<Run>,
    /// What to ask as `after` for the next page; none on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    next: Option<RunId>,
}

/// Begin a run
///
/// Say what the automation is about to do, and borrow the token for it in one
/// step. It is answered `allowed` with the token, or `paused` with a code and a
/// prompt: the connection is broken or rests, or a policy stops it. A paused run goes on
/// by itself when the cause is gone: the event `run.resumed` tells so, once and in
/// the order of the runs of a connection; borrow its token then.
#[utoipa::path(
    post, path = "/", tag = "runs", operation_id = "begin_run",
    params(problem::IdempotencyKey),
    request_body = RunBody,
    responses(
        (status = 201, description = "The run: allowed or paused", body = RunAnswer,
            headers(("location", description = "Where it is looked up"))),
        (status = 400, response = problem::Malformed),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 409, response = problem::Conflict),
        (status = 413, response = problem::TooLarge),
        (status = 415, response = problem::NotJson),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["tokens:read"])),
)]
async fn begin(
    State(hub): State<Hub>,
    headers: HeaderMap,
    Body(body): Body<RunBody>,
) -> Answer<Response> {
    let shown = admit::bearer(&headers)?;
    // An id that cannot be one is no connection, and is told like one.
    let connection = body.connection.parse().unwrap_or(ConnectionId::new());
    let borrower = hub
        .borrower(shown, connection, credential::MAIN)
        .await?
        .ok_or_else(Problem::unauthenticated)?;
    let allowance = hub.limits.spend(borrower.host());
    let reach = reach::of(borrower.host());
    let begun = async {
        admit::allowed(&allowance)?;
        let key = match headers.contains_key(once::KEY) {
            true => Some(once::key(&headers)?),
            false => None,
        };
        let new = NewRun {
            action: &body.action,
            writes: body.writes,
            scopes: &body.scopes,
            correlation_id: body.correlation_id.as_deref(),
            idempotency_key: key.as_deref(),
        };
        Answer::Ok(hub.begin_run(borrower, new).await?)
    };
    let mut response = match reach.around(begun).await {
        Ok(ran) => {
            let location = format!("/v1/runs/{}", ran.run.id);
            let again = ran.again;
            let mut response = answer(&hub, StatusCode::CREATED, ran);
            let headers = response.headers_mut();
            if let Ok(location) = HeaderValue::from_str(&location) {
                headers.insert(header::LOCATION, location);
            }
            if again {
                headers.insert(REPLAYED, HeaderValue::from_static("true"));
            }
            response
        }
        Err(problem) => problem.into_response(),
    };
    admit::tell(response.headers_mut(), &allowance);
    Ok(response)
}

/// Go on with a run
///
/// Borrow the token of a run that was resumed, or once more for one that takes
/// longer than its token. What stops it by now pauses it.
#[utoipa::path(
    post, path = "/{id}/token", tag = "runs", operation_id = "go_on_with_run",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses(
        (status = 200, description = "The run: allowed or paused", body = RunAnswer),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 409, response = problem::Conflict),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["tokens:read"])),
)]
async fn go_on(
    State(hub): State<Hub>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let shown = admit::bearer(&headers)?;
    let host = admit::host(&hub, &headers).await?;
    let allowance = hub.limits.spend(&host);
    let reach = reach::of(&host);
    let went = async {
        admit::allowed(&allowance)?;
        let run = hub.run_of_key(&host, run_id(&id)?).await?;
        let borrower = hub
            .borrower(shown, run.connection_id, credential::MAIN)
            .await?
            .ok_or_else(Problem::unauthenticated)?;
        Answer::Ok(hub.go_on(borrower, run).await?)
    };
    let mut response = match reach.around(went).await {
        Ok(ran) => answer(&hub, StatusCode::OK, ran),
        Err(problem) => problem.into_response(),
    };
    admit::tell(response.headers_mut(), &allowance);
    Ok(response)
}

fn answer(hub: &Hub, status: StatusCode, ran: Ran) -> Response {
    let Ran {
        run, lent, listed, ..
    } = ran;
    let answer = RunAnswer {
        run: Run::of(hub, run, listed.as_ref()),
        token: lent.as_ref().map(TokenAnswer::of),
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (status, headers, Json(answer)).into_response()
}

fn run_id(text: &str) -> Answer<RunId> {
    text.parse().map_err(|_| Problem::not_found())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only runs that stand so
    #[param(schema_with = schema::run_status)]
    status: Option<String>,
    /// Only runs of this connection
    #[param(value_type = Option<uuid::Uuid>)]
    connection: Option<String>,
    /// The `next` of the page before
    #[param(value_type = Option<uuid::Uuid>)]
    after: Option<String>,
    /// How many at the most
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// List runs
///
/// Newest first: those of the last 30 days, and every one that waits.
#[utoipa::path(
    get, path = "/", tag = "runs", operation_id = "list_runs",
    params(Asked),
    responses(
        (status = 200, description = "A page of them", body = RunList),
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
) -> Answer<Json<RunList>> {
    let Query(asked) = asked.map_err(|error| Problem::unreadable_query(&error))?;
    let status = asked.status.as_deref().map(|word| {
        Status::read(word).ok_or_else(|| {
            use sea_orm::Iterable;
            let all: Vec<_> = Status::iter().map(Status::as_str).collect();
            Problem::invalid("status", format!("Use one of {}", all.join(", ")))
        })
    });
    let after = read_after(asked.after.as_deref())?;
    let limit = read_limit(asked.limit.as_deref())?;
    let connection = asked.connection.as_deref().map(str::parse).transpose();
    let filter = Filter {
        status: status.transpose()?,
        connection: connection
            .map_err(|_| Problem::invalid("connection", "Use the id of a connection"))?,
        policy: None,
    };
    let mut runs = hub
        .runs_of_host(&host, &filter, after, limit as u64 + 1)
        .await?;
    let is_last = runs.len() <= limit;
    runs.truncate(limit);
    let listed = hub.connections_of_runs(&host, &runs).await?;
    Ok(Json(RunList {
        next: match is_last {
            true => None,
            false => runs.last().map(|run| run.id),
        },
        data: runs
            .into_iter()
            .map(|run| {
                let listed = listed.get(&run.connection_id);
                Run::of(&hub, run, listed)
            })
            .collect(),
    }))
}

/// See one run
#[utoipa::path(
    get, path = "/{id}", tag = "runs", operation_id = "get_run",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses(
        (status = 200, description = "The run and how it stands", body = Run),
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
) -> Answer<Json<Run>> {
    let run = hub.run_of_host(&host, run_id(&id)?).await?;
    alone(&hub, &host, run).await
}

/// How it ended.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It worked.
    Succeeded,
    /// It did not.
    Failed,
    /// It is no longer wanted.
    Cancelled,
}

/// How a run ended.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "status": "succeeded" }))]
struct EndBody {
    /// `succeeded`, `failed`, or `cancelled` for one that is no longer wanted
    #[schema(inline)]
    status: Outcome,
    /// What failed, if you know one of the codes for it
    #[serde(default)]
    #[schema(schema_with = schema::maybe_failure_code)]
    code: Option<FailureCode>,
}

/// Say how a run ended
///
/// So that what your people are shown, and the figures, are true.
#[utoipa::path(
    post, path = "/{id}/finish", tag = "runs", operation_id = "finish_run",
    params(("id" = uuid::Uuid, Path, description = "The run"), problem::IdempotencyKey),
    request_body = EndBody,
    responses(
        (status = 200, description = "The run as it ended", body = Run),
        (status = 400, response = problem::Malformed),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 409, response = problem::Conflict),
        (status = 413, response = problem::TooLarge),
        (status = 415, response = problem::NotJson),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["tokens:read"])),
)]
async fn finish(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
    Body(body): Body<EndBody>,
) -> Answer<Json<Run>> {
    let end = match (body.status, body.code) {
        (Outcome::Failed, Some(code)) if code.is_of_hub() => {
            let why = format!("{} is of signing in to the hub itself", code.as_str());
            return Err(Problem::invalid("code", why));
        }
        (Outcome::Failed, code) => {
            End::Failed(code.map(|code| Failure::told(code, "told_by_host")))
        }
        (_, Some(_)) => {
            return Err(Problem::invalid("code", "Only a run that failed has one"));
        }
        (Outcome::Succeeded, None) => End::Succeeded,
        (Outcome::Cancelled, None) => End::Cancelled,
    };
    let run = hub.end_run(&host, run_id(&id)?, end).await?;
    alone(&hub, &host, run).await
}

/// A run by itself.
async fn alone(hub: &Hub, host: &Host, run: run::Model) -> Answer<Json<Run>> {
    let runs = std::slice::from_ref(&run);
    let mut listed = hub.connections_of_runs(host, runs).await?;
    let listed = listed.remove(&run.connection_id);
    Ok(Json(Run::of(hub, run, listed.as_ref())))
}
