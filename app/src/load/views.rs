//! What the islands read again, as JSON. Nothing is changed by any of it.

use axum::{
    Extension, Json, Router, extract::Path, http::StatusCode, response::Html, routing::get,
};
use hub::{Error, Hub, people::Member};

use super::{attempt::attempt, connection::connection_page};
use crate::{
    Viewer,
    model::{Attempt, Connection},
    paths,
};

/// What the islands read again, as JSON. Nothing is changed by any of it.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(paths::HUB_VIEW, get(hub_view))
        .route(paths::BELL_VIEW, get(bell_view))
        .route("/api/view/connection/{id}", get(connection_view))
        .route("/api/view/flow/{handle}", get(flow_view))
}

type View<T> = std::result::Result<Json<T>, StatusCode>;

pub(super) fn refused(error: &Error) -> StatusCode {
    match error {
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Forbidden { .. } => StatusCode::FORBIDDEN,
        error => {
            tracing::error!(%error, "a view could not be read");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

fn looking(viewer: Viewer) -> std::result::Result<Member, StatusCode> {
    viewer.member.ok_or(StatusCode::UNAUTHORIZED)
}

async fn hub_view(
    Extension(hub): Extension<Hub>,
    Extension(viewer): Extension<Viewer>,
) -> View<crate::model::Hub> {
    let member = looking(viewer)?;
    super::hub(&hub, &member)
        .await
        .map(Json)
        .map_err(|error| refused(&error))
}

async fn bell_view(
    Extension(hub): Extension<Hub>,
    Extension(viewer): Extension<Viewer>,
) -> std::result::Result<Html<String>, StatusCode> {
    let member = looking(viewer)?;
    let unread = hub.unread_notices(&member).await;
    let unread = unread.map_err(|error| refused(&error))?;
    let drawn = crate::parts::bell(super::count(unread));
    Ok(Html(drawn))
}

async fn connection_view(
    Extension(hub): Extension<Hub>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
) -> View<Connection> {
    let member = looking(viewer)?;
    let id = id.parse().map_err(|_| StatusCode::NOT_FOUND)?;
    connection_page(&hub, &member, id)
        .await
        .map(|page| Json(page.control.connection))
        .map_err(|error| refused(&error))
}

async fn flow_view(
    Extension(hub): Extension<Hub>,
    Extension(viewer): Extension<Viewer>,
    Path(handle): Path<String>,
) -> View<Attempt> {
    let member = looking(viewer)?;
    let view = hub
        .flow(&member, &handle)
        .await
        .map_err(|error| refused(&error))?;
    Ok(Json(attempt(&hub, &view)))
}
