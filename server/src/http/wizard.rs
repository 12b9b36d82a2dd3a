//! Turns of the conversation that collects keys and logins.

use std::collections::BTreeMap;

use app::Viewer;
use axum::{
    Extension, Form, Router,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use hub::{
    Error,
    connect::{Turn, Turned},
    people::By,
    secret::Secret,
    store::{ConnectionId, draft::Skin},
};

use super::{State as Shared, account, pages};

/// The route of the conversation.
pub fn router() -> Router<Shared> {
    Router::new().route("/connect/{provider}", post(turn))
}

/// `turn` says what is done; without it every `var.<name>` and `field.<name>`
/// is an answer, and the test is wanted. `connection` gets new keys.
async fn turn(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(provider): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let Some(member) = viewer.member.as_ref() else {
        return Redirect::to(app::paths::SIGN_IN).into_response();
    };
    let connection: Option<ConnectionId> = value(&fields, "connection").parse().ok();
    let place = Place {
        back: match connection {
            Some(id) => app::paths::reconnect(&provider, &id.to_string()),
            None => app::paths::connect(&provider),
        },
        done: Box::new(|id| app::paths::hub_row(&id.to_string())),
    };
    take(
        &shared,
        &viewer,
        member.into(),
        place,
        &provider,
        connection,
        &fields,
    )
    .await
}

/// Where a conversation is held, and where it leads.
pub struct Place {
    /// Its page.
    pub back: String,
    /// Where to go with the connection it made.
    pub done: Box<dyn Fn(ConnectionId) -> String + Send + Sync>,
}

fn value<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    let mut found = fields.iter().filter(|(key, _)| key == name);
    found.next().map_or("", |(_, value)| value.as_str())
}

/// Takes the turn that these fields say, for whoever takes it.
pub async fn take(
    shared: &Shared,
    viewer: &Viewer,
    by: By<'_>,
    place: Place,
    provider: &str,
    connection: Option<ConnectionId>,
    fields: &[(String, String)],
) -> Response {
    let field = |name: &str| {
        let mut found = fields.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    };
    let key = || field("key").unwrap_or_default().to_owned();
    let turn = match field("turn") {
        Some("begin") => Turn::Begin(Skin::Chat),
        Some("chat") => Turn::Show(Skin::Chat),
        Some("form") => Turn::Show(Skin::Form),
        Some("understood") => Turn::Understood,
        Some("answer") => Turn::Answer {
            value: Secret::new(field(&key()).unwrap_or_default()),
            key: key(),
        },
        Some("say") => Turn::Say(Secret::new(field("value").unwrap_or_default())),
        Some("back") => Turn::Back,
        Some("edit") => Turn::Edit(key()),
        Some("skip") => Turn::Skip,
        Some("test") => Turn::Test,
        Some("discard") => Turn::Discard,
        Some(_) => return pages::error(shared, viewer, Error::NotFound),
        None => Turn::Answers(answers(fields)),
    };
    let back = place.back;
    match shared.hub.turn(by, provider, connection, turn).await {
        Ok(Turned::Connected(id)) => Redirect::to(&(place.done)(id)).into_response(),
        Ok(Turned::GoesOn) => Redirect::to(&format!("{back}#wizard")).into_response(),
        Ok(Turned::Discarded) => Redirect::to(&back).into_response(),
        Err(error @ Error::Invalid(_)) => {
            account::back(&back, pages::to_put_right(shared, provider, fields, error))
        }
        Err(error) => pages::error(shared, viewer, error),
    }
}

fn answers(fields: &[(String, String)]) -> BTreeMap<String, Secret> {
    let given = fields
        .iter()
        .filter(|(key, _)| key.starts_with("var.") || key.starts_with("field."));
    given
        .map(|(key, value)| (key.clone(), Secret::new(value)))
        .collect()
}
