//! Taking along everything an organisation has here, and deleting it.

use app::{
    Viewer,
    flash::{Flash, Notice},
    paths,
    server_fns::explain,
};
use axum::{
    Extension, Form, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::stream;
use hub::{Error, Hub, people::Action, record::export::Next, secret::Secret};
use serde::Deserialize;
use tower_sessions::Session;

use super::{
    State as Shared,
    account::{back, signed_out},
    sessions,
};

/// The routes of these forms.
pub fn router() -> Router<Shared> {
    Router::new()
        .route(paths::EXPORT, post(export))
        .route(paths::DELETE_ORGANISATION, post(delete))
}

#[derive(Deserialize)]
struct Export {
    #[serde(default)]
    current: String,
}

async fn export(
    State(hub): State<Hub>,
    Extension(viewer): Extension<Viewer>,
    Form(asked): Form<Export>,
) -> Response {
    if viewer.member.is_none() {
        return signed_out();
    }
    let begun = async {
        let current = Secret::new(asked.current);
        let member = viewer.prove(&hub, Action::ExportTenant, current).await?;
        hub.begin_export(&member).await?;
        Ok(member)
    };
    let member = match begun.await {
        Ok(member) => member,
        Err(error) => return back(paths::ORGANISATION, explain(Flash::default(), error)),
    };
    let day = hub.clock.now().format("%Y-%m-%d");
    let disposition = format!("attachment; filename=\"linkwell-{day}.json\"");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&disposition).expect("a date is a header value"),
        ),
    ];
    let parts = stream::try_unfold(Next::Start, move |next| {
        let (hub, member) = (hub.clone(), member.clone());
        async move {
            if next == Next::End {
                return Ok(None);
            }
            let (text, next) = hub
                .export_part(&member, next)
                .await
                .map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(Some((Bytes::from(text), next)))
        }
    });
    (headers, Body::from_stream(parts)).into_response()
}

#[derive(Deserialize)]
struct Delete {
    name: String,
    #[serde(default)]
    password: String,
}

async fn delete(
    State(hub): State<Hub>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    Form(asked): Form<Delete>,
) -> Response {
    if viewer.member.is_none() {
        return signed_out();
    }
    let deleted = async {
        let current = Secret::new(asked.password);
        let proven = viewer.prove(&hub, Action::DeleteTenant, current).await;
        let member = proven.map_err(of_password)?;
        hub.delete_tenant(&member, &asked.name).await
    };
    match deleted.await {
        Ok(()) => {
            // The row is gone with the organisation; this forgets the cookie.
            let _ = sessions::sign_out(&session).await;
            back(paths::SIGN_IN, Flash::notice(Notice::OrganisationDeleted))
        }
        Err(error) => {
            let typed = Flash::default().keep("name", &asked.name);
            back(paths::ORGANISATION, explain(typed, error))
        }
    }
}

/// The page asks for the password in two forms, so the field has another name
/// in each.
fn of_password(mut error: Error) -> Error {
    if let Error::Invalid(problems) = &mut error {
        for problem in problems.iter_mut().filter(|it| it.field == "current") {
            problem.field = "password".to_owned();
        }
    }
    error
}
