//! Pages: drawn by the `app` crate, with who is looking, in which colours and
//! what the last form left.

use app::{App, Document, Site, Theme, Visit, documents, flash::Flash, load, model, paths};
use axum::{
    Router,
    body::{self, Body},
    extract::{Request, State as Extract},
    http::{Method, StatusCode, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Redirect, Response},
};
use hub::{
    Error, FieldProblem,
    connect::FlowView,
    failure::{Failure, FailureCode},
    people::{By, Member},
};
use leptos::{
    nonce::use_nonce,
    prelude::{expect_context, provide_context, use_context},
    server_fn::error::SERVER_FN_ERROR_HEADER,
    view,
};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};
use tower_http::compression::CompressionLayer;

use super::{State, account, guest, headers, sessions};

/// Every page and the server functions its forms post to. Only signing in and
/// setting up are shown to strangers.
///
/// They are compressed, for none of them shows a secret that could be guessed
/// from a length: the page with a new API key is not among them.
pub fn router(state: &State) -> Router<State> {
    let routes = generate_route_list(App);
    let site = state.site.clone();
    let provide = state.clone();
    Router::new()
        .leptos_routes_with_context(
            state,
            routes,
            move || context(&provide),
            move || {
                let site = site.clone();
                view! { <Document site><App/></Document> }
            },
        )
        .merge(load::routes())
        .layer(from_fn_with_state(state.clone(), forms_are_read))
        .layer(from_fn_with_state(state.clone(), members_only))
        .layer(CompressionLayer::new())
}

/// Runs once for each page and server function.
fn context(state: &State) {
    provide_context(state.hub.clone());
    provide_context(state.site.clone());
    let parts = expect_context::<Parts>();
    let viewer = parts
        .extensions
        .get::<app::Viewer>()
        .cloned()
        .unwrap_or_default();
    let unread = parts.extensions.get::<app::Unread>().copied();
    let troubles = parts.extensions.get::<app::Troubles>().cloned();
    let flash = Flash::read(&parts.headers);
    if let Some(response) = use_context::<ResponseOptions>() {
        // Set before somebody signs in, so that it can be told whether cookies
        // are kept here.
        let signs_in = matches!(parts.uri.path(), paths::SIGN_IN | paths::SETUP);
        if signs_in && !parts.headers.contains_key(header::COOKIE) {
            let cookie = sessions::keeps_cookies(&state.hub.public_url).to_string();
            if let Ok(cookie) = header::HeaderValue::from_str(&cookie) {
                response.append_header(header::SET_COOKIE, cookie);
            }
        }
        // A server function has no nonce: it draws nothing.
        if let Some(nonce) = use_nonce() {
            response.insert_header(
                header::CONTENT_SECURITY_POLICY,
                headers::policy_of_pages(&nonce.to_string()),
            );
            if flash != Flash::default() {
                response.append_header(header::SET_COOKIE, Flash::clear_header());
            }
        }
    }
    provide_context(Visit {
        person: viewer.person.clone(),
        theme: viewer.theme,
        recently: viewer.recently(),
        unread: unread.unwrap_or_default().0,
        troubles: troubles.unwrap_or_default().0,
        flash,
    });
    provide_context(viewer);
}

/// Strangers are led to sign in, or to make the first account. Pages of guests
/// are for guests alone.
async fn members_only(
    Extract(state): Extract<State>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(member) = drawn_for(&request) {
        let unread = unread(&state, &member).await;
        request.extensions_mut().insert(unread);
        let troubles = troubles(&state, &member).await;
        request.extensions_mut().insert(troubles);
    }
    let path = request.uri().path();
    let signed_in = request
        .extensions()
        .get::<app::Viewer>()
        .is_some_and(|viewer| viewer.member.is_some());
    if path == paths::GUEST || path.starts_with("/guest/") {
        let viewer = request.extensions().get::<app::Viewer>().cloned();
        return match viewer.unwrap_or_default() {
            viewer if viewer.guest().is_some() => next.run(request).await,
            // Who went back after the end is shown the end.
            viewer if viewer.standing.is_some() => Redirect::to(paths::GUEST_DONE).into_response(),
            viewer => guest::over(&state, &viewer),
        };
    }
    let for_strangers = matches!(path, paths::SIGN_IN | paths::SETUP);
    if signed_in {
        return match for_strangers && request.method() == Method::GET {
            true => Redirect::to(paths::HUB).into_response(),
            false => next.run(request).await,
        };
    }
    let needs_owner = match state.hub.needs_first_owner().await {
        Ok(needs) => needs,
        Err(error) => {
            tracing::error!(%error, "it could not be read whether there is an owner");
            return away(&state.site, Theme::read(request.headers()));
        }
    };
    match (path, needs_owner) {
        (paths::SETUP, true) | (paths::SIGN_IN, false) => next.run(request).await,
        (_, true) if request.method() == Method::GET => Redirect::to(paths::SETUP).into_response(),
        (path, _) if path.starts_with("/api/view/") => StatusCode::UNAUTHORIZED.into_response(),
        (path, _) if request.method() == Method::GET => {
            let form = match path {
                paths::SETUP | paths::HUB => paths::SIGN_IN.to_owned(),
                path => {
                    let next = url::form_urlencoded::byte_serialize(path.as_bytes());
                    format!("{}?next={}", paths::SIGN_IN, next.collect::<String>())
                }
            };
            match sessions::shown(&state.hub.public_url, request.headers()) {
                true => account::because(&form, FailureCode::SignedOut),
                false => Redirect::to(&form).into_response(),
            }
        }
        _ => account::signed_out(),
    }
}

/// A form that a server function could not read is answered with a page that says
/// so. By itself it answers 500 and what its parser said, or leads a browser back
/// with that in the address.
async fn forms_are_read(Extract(state): Extract<State>, request: Request, next: Next) -> Response {
    let viewer = request.extensions().get::<app::Viewer>();
    let theme = viewer.map(|viewer| viewer.theme).unwrap_or_default();
    let response = next.run(request).await;
    if !response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
        return response;
    }
    let (parts, said) = response.into_parts();
    // In memory already, and whole.
    let said = body::to_bytes(said, usize::MAX).await.unwrap_or_default();
    // `ServerFnError` as its encoding writes it.
    let unread = ["Args|", "MissingArg|", "Deserialization|"];
    if !unread.iter().any(|kind| said.starts_with(kind.as_bytes())) {
        return Response::from_parts(parts, Body::from(said));
    }
    let (status, prompt) = match String::from_utf8_lossy(&said).contains("length limit exceeded") {
        true => (
            StatusCode::PAYLOAD_TOO_LARGE,
            load::plain_prompt(
                "This form is too large",
                "Go back, shorten what is in it and send it again.",
            ),
        ),
        false => (
            StatusCode::BAD_REQUEST,
            load::plain_prompt(
                "This form could not be read",
                "Something was missing or cut off. Go back and send it again.",
            ),
        ),
    };
    let page = documents::error(&state.site, theme, &prompt);
    (status, Html(page)).into_response()
}

/// The member for whom a page with a bell is drawn.
fn drawn_for(request: &Request) -> Option<Member> {
    let is_page = request.method() == Method::GET && !request.uri().path().starts_with("/api/");
    let viewer = request.extensions().get::<app::Viewer>()?;
    viewer.member.clone().filter(|_| is_page)
}

/// What their bell shows. A page is drawn all the same where it could not be
/// read.
async fn unread(state: &State, member: &Member) -> app::Unread {
    match state.hub.unread_notices(member).await {
        Ok(unread) => app::Unread(load::count(unread)),
        Err(error) => {
            tracing::error!(%error, "what is behind the bell could not be read");
            app::Unread::default()
        }
    }
}

/// What every page says of providers. A page is drawn all the same where it
/// could not be read.
async fn troubles(state: &State, member: &Member) -> app::Troubles {
    match load::troubles(&state.hub, member).await {
        Ok(troubles) => app::Troubles(troubles),
        Err(error) => {
            tracing::error!(%error, "which providers are in trouble could not be read");
            app::Troubles::default()
        }
    }
}

/// The page that leads on to a provider.
pub fn opening(state: &State, viewer: &app::Viewer, provider: &str, auth_url: &str) -> String {
    let provider = load::provider(&state.hub, provider);
    documents::opening(&state.site, viewer.theme, &provider, auth_url)
}

/// The page a provider sends a person back to.
pub async fn finished(state: &State, viewer: &app::Viewer, by: By<'_>, view: &FlowView) -> String {
    let outcome = load::outcome(&state.hub, by, view).await;
    documents::finished(&state.site, viewer.theme, &outcome)
}

/// The page while the database is away, or takes nothing.
pub fn away(site: &Site, theme: Theme) -> Response {
    let prompt = load::plain_prompt(
        "Linkwell is not available right now",
        "It cannot reach its database. Nothing is lost, and it goes on by itself; try again in a minute.",
    );
    let retry = [(header::RETRY_AFTER, "60")];
    let page = Html(documents::error(site, theme, &prompt));
    (StatusCode::SERVICE_UNAVAILABLE, retry, page).into_response()
}

/// The page for a callback or an address that belongs to no attempt.
pub fn no_flow(state: &State, viewer: &app::Viewer) -> String {
    let failure = Failure::told(FailureCode::FlowExpiredOrInvalid, "unknown_used_or_expired");
    let prompt = load::prompt_of_failure(&state.hub, &failure);
    documents::error(&state.site, viewer.theme, &prompt)
}

/// Back to the page before connecting, with what was typed and what is wrong.
pub fn back_to_provider(
    provider: &str,
    fields: &[(String, String)],
    problems: &[FieldProblem],
) -> Response {
    back_to_questions(&paths::connect(provider), fields, problems)
}

/// Back to a page of questions, with what was typed and what is wrong.
pub fn back_to_questions(
    page: &str,
    fields: &[(String, String)],
    problems: &[FieldProblem],
) -> Response {
    let mut flash = Flash::default();
    for (name, value) in fields {
        if let Some(name) = name.strip_prefix("var.") {
            flash = flash.keep(&format!("var.{name}"), value);
        }
    }
    for problem in problems {
        flash = flash.and(&format!("var.{}", problem.field), problem.problem.clone());
    }
    account::back(page, flash)
}

/// What has to be put right in a conversation's answers. What is no secret
/// comes back as it was typed.
pub fn to_put_right(
    state: &State,
    provider: &str,
    typed: &[(String, String)],
    wrong: Error,
) -> Flash {
    let mut flash = Flash::default();
    if let Some(entry) = state.hub.catalog.get(provider) {
        for (name, value) in typed {
            let open = entry
                .fields
                .iter()
                .any(|field| !field.secret && name.strip_prefix("field.") == Some(&field.name));
            if open || name.starts_with("var.") {
                flash = flash.keep(name, value);
            }
        }
    }
    if let Error::Invalid(problems) = wrong {
        for FieldProblem { field, problem } in problems {
            flash = flash.and(&field, problem);
        }
    }
    flash
}

/// A page for what no other page can say.
pub fn error(state: &State, viewer: &app::Viewer, error: Error) -> Response {
    let (status, prompt): (_, model::Prompt) = match &error {
        Error::NotFound => (
            StatusCode::NOT_FOUND,
            load::plain_prompt(
                "This is not here any more",
                "It was removed, or the address is wrong.",
            ),
        ),
        Error::Forbidden { needs } => (StatusCode::FORBIDDEN, load::not_allowed(needs)),
        Error::TooMuch { why, .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            load::plain_prompt(why, "Wait a moment and try again."),
        ),
        Error::Failed(failure) => (
            StatusCode::CONFLICT,
            load::prompt_of_failure(&state.hub, failure),
        ),
        away if away.is_away() => {
            tracing::error!(error = %away, "a page met no database");
            return self::away(&state.site, viewer.theme);
        }
        other => {
            tracing::error!(error = %other, "a page could not be shown");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                load::our_side(&viewer.request),
            )
        }
    };
    (
        status,
        Html(documents::error(&state.site, viewer.theme, &prompt)),
    )
        .into_response()
}
