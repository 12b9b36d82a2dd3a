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
    people::Action,
    secret::Secret,
    store::{
        event::{self, Kind},
        webhook,
    },
    tell::NewWebhook,
};

use serde::Deserialize;

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
    if viewer.member.is_none() {
        return signed_out();
    }
    let values = |name: &'static str| {
        let named = fields.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    };
    let url = values("url").next().unwrap_or_default();
    let kinds: Vec<&str> = values("kind").collect();
    let kinds: Vec<Kind> = Kind::told()
        .filter(|kind| kinds.contains(&event::name(*kind).as_str()))
        .collect();
    let new = NewWebhook { url, kinds: &kinds };
    let current = Secret::new(values("current").next().unwrap_or_default());
    let made = async {
        let proven = viewer.prove(&shared.hub, Action::RevealWebhookSecret, current);
        shared.hub.add_webhook(&proven.await?, new).await
    };
    let chosen = kinds.iter().fold(Flash::default(), |flash, kind| {
        flash.choose("kind", &event::name(*kind))
    });
    let typed = chosen.keep("url", url);
    shown(&shared, &viewer, made.await, paths::WEBHOOKS, typed)
}

#[derive(Deserialize)]
struct Rotate {
    #[serde(default)]
    current: String,
}

async fn rotate(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
    Form(asked): Form<Rotate>,
) -> Response {
    if viewer.member.is_none() {
        return signed_out();
    }
    let made = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        let current = Secret::new(asked.current);
        let proven = viewer.prove(&shared.hub, Action::RevealWebhookSecret, current);
        shared.hub.rotate_webhook_secret(&proven.await?, id).await
    };
    let made = made.await;
    let page = match &made {
        Err(Error::NotFound | Error::Forbidden { .. }) => paths::WEBHOOKS.to_owned(),
        _ => paths::webhook_secret(&id),
    };
    shown(&shared, &viewer, made, &page, Flash::default())
}

fn shown(
    shared: &Shared,
    viewer: &Viewer,
    made: Result<(webhook::Model, Secret)>,
    page: &str,
    typed: Flash,
) -> Response {
    match made {
        Ok((row, secret)) => {
            let secret = secret.expose();
            let page = documents::new_signing_secret(&shared.site, viewer.theme, &row.url, secret);
            Html(page).into_response()
        }
        Err(error) => back(page, explain(typed, error)),
    }
}
