//! The two forms that show a webhook's signing secret: the only look at it
//! there ever is.

use app::{Viewer, documents, flash::Flash, paths, server_fns::explain};
use axum::{
    Extension, Form, Router,
    extract::{Path, State},
    response::{Html, IntoResponse, Response},
    routing::post,
};
use hub::{
    Error, Result,
    secret::Secret,
    store::{event::Kind, webhook},
    tell::NewWebhook,
};

use super::{
    State as Shared,
    account::{back, signed_out},
};

/// The routes of these forms.
pub fn router() -> Router<Shared> {
    Router::new()
        .route(paths::WEBHOOKS, post(add))
        .route("/settings/webhooks/{id}/secret", post(rotate))
}

async fn add(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let Some(member) = &viewer.member else {
        return signed_out();
    };
    let values = |name: &'static str| {
        let named = fields.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    };
    let url = values("url").next().unwrap_or_default();
    let kinds: Vec<&str> = values("kind").collect();
    let kinds: Vec<Kind> = Kind::told()
        .filter(|kind| kinds.contains(&hub::store::event::name(*kind).as_str()))
        .collect();
    let new = NewWebhook { url, kinds: &kinds };
    let made = shared.hub.add_webhook(member, new).await;
    shown(&shared, &viewer, made, Flash::default().keep("url", url))
}

async fn rotate(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
) -> Response {
    let Some(member) = &viewer.member else {
        return signed_out();
    };
    let made = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        shared.hub.rotate_webhook_secret(member, id).await
    };
    shown(&shared, &viewer, made.await, Flash::default())
}

fn shown(
    shared: &Shared,
    viewer: &Viewer,
    made: Result<(webhook::Model, Secret)>,
    typed: Flash,
) -> Response {
    match made {
        Ok((row, secret)) => {
            let secret = secret.expose();
            let page = documents::new_signing_secret(&shared.site, viewer.theme, &row.url, secret);
            Html(page).into_response()
        }
        Err(error) => back(paths::WEBHOOKS, explain(typed, error)),
    }
}
