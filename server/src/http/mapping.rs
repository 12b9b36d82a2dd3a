//! The form that names the columns of a connection.

use std::collections::BTreeMap;

use app::{
    Viewer,
    flash::{Flash, Notice},
    paths,
};
use axum::{
    Extension, Form, Router,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use hub::{Error, store::ConnectionId};

use super::{State as Shared, account, pages};

/// The route of the form.
pub fn router() -> Router<Shared> {
    Router::new().route("/connections/{id}/mapping", post(name))
}

/// Each column stands under `column.<n>` and its name under `name.<n>`; `table`
/// is the one they belong to, where there are tables.
async fn name(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Response {
    let Some(member) = viewer.member.as_ref() else {
        return Redirect::to(paths::SIGN_IN).into_response();
    };
    let Ok(connection) = id.parse::<ConnectionId>() else {
        return pages::error(&shared, &viewer, Error::NotFound);
    };
    let table = fields.get("table").map(String::as_str);
    let columns: Vec<(&str, &str)> = fields
        .iter()
        .filter_map(|(key, column)| Some((key.strip_prefix("column.")?, column.as_str())))
        .collect();
    let names = columns.iter().map(|(at, column)| {
        let name = fields.get(&format!("name.{at}"));
        ((*column).to_owned(), name.cloned().unwrap_or_default())
    });
    let mut page = paths::preview(&id);
    if let Some(table) = table {
        let table: String = url::form_urlencoded::byte_serialize(table.as_bytes()).collect();
        page = format!("{page}?table={table}");
    }
    let named = shared
        .hub
        .name_columns(member, connection, table, names.collect())
        .await;
    match named {
        Ok(_) => account::back(&page, Flash::notice(Notice::ColumnsNamed)),
        Err(Error::Invalid(problems)) => {
            let mut flash = Flash::default();
            for (at, column) in &columns {
                let field = format!("name.{at}");
                let typed = fields.get(&field).map_or("", String::as_str);
                flash = flash.keep(&field, typed);
                let wrong = problems.iter().find(|problem| problem.field == *column);
                if let Some(wrong) = wrong {
                    flash = flash.and(&field, wrong.problem.clone());
                }
            }
            for problem in problems.iter().filter(|problem| problem.field == "mapping") {
                flash = flash.and("", problem.problem.clone());
            }
            account::back(&page, flash)
        }
        Err(error) => pages::error(&shared, &viewer, error),
    }
}
