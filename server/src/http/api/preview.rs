//! A look at the data behind a connection.

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use hub::{
    Error, Hub,
    dialect::{Kind, Note, Sample},
    people::Host,
    store::connection::Mapping,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::problem::{self, Answer, Problem},
    connections::connection_id,
    schema,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// One of `tables`; without it, what comes first
    table: Option<String>,
}

/// The first rows of a table, or the first objects of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Preview {
    /// What there is to choose from; none where there is only one thing to see
    tables: Vec<String>,
    /// The one that is shown
    table: Option<String>,
    columns: Vec<Column>,
    /// At most 20, each with a value per column; null where there is none. Long
    /// values are cut
    rows: Vec<Vec<Option<String>>>,
}

/// A column, and what its values look like.
#[derive(Serialize, ToSchema)]
struct Column {
    /// What the host application calls it by the connection's `mapping`, else
    /// its name there
    name: String,
    /// Its name there
    source: String,
    #[schema(schema_with = schema::kind)]
    kind: Kind,
    /// What is odd about it
    #[schema(schema_with = schema::notes)]
    notes: Vec<Note>,
}

impl Preview {
    fn of(sample: Sample, mapping: &Mapping) -> Self {
        let Sample {
            tables,
            table,
            columns,
            rows,
        } = sample;
        let column = |column: hub::dialect::Column| {
            let name = mapping.field(table.as_deref(), &column.name);
            Column {
                name: name.unwrap_or(&column.name).to_owned(),
                source: column.name,
                kind: column.kind,
                notes: column.notes,
            }
        };
        Self {
            columns: columns.into_iter().map(column).collect(),
            tables,
            table,
            rows,
        }
    }
}

/// See the first rows
///
/// They are read while you wait; nothing of them is kept.
#[utoipa::path(
    get, path = "/{id}/preview", tag = "connections", operation_id = "preview_connection",
    params(("id" = uuid::Uuid, Path, description = "The connection"), Asked),
    responses(
        (status = 200, description = "The first rows and what they hold", body = Preview),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 409, description = "A person has to act first", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
        (status = 503, description = "It is worth asking again after `Retry-After` seconds",
            body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = ["connections:read"])),
)]
pub(super) async fn preview(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Answer<Json<Preview>> {
    let Query(asked) = asked.map_err(|error| Problem::unreadable_query(&error))?;
    let id = connection_id(&id)?;
    let listed = hub.connection_of_host(&host, id).await?;
    match hub.sample(&host, id, asked.table.as_deref()).await {
        Ok(sample) => Ok(Json(Preview::of(sample, &listed.connection.mapping))),
        Err(Error::Failed(failure)) if failure.detail == "no_such_table" => Err(Problem::invalid(
            "table",
            "Use one of the `tables` that a preview without it names",
        )),
        Err(Error::Failed(failure)) => {
            let prompt = hub.told_on(&listed, &failure).prompt;
            Err(Problem::failed(&failure, prompt, hub.clock.now()))
        }
        Err(error) => Err(error.into()),
    }
}
