//! The forms that touch the session or its cookies: setting up, signing in and
//! out, one's own account, the colours, and the one look at a new API key.
//!
//! Each does its work and answers with a redirect; what went wrong travels to
//! the form's page in a flash, with what was typed and never a secret.

use std::net::SocketAddr;

use app::{
    Theme, Viewer, documents,
    flash::{self, Flash, Notice, Problem},
    load, paths,
    server_fns::explain,
    words,
};
use axum::{
    Extension, Form, Router,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, Html, IntoResponse, Redirect, Response},
    routing::post,
};
use axum_extra::extract::cookie::CookieJar;
use hub::{
    Error, Hub,
    failure::{Failure, FailureCode},
    people::{Action, Member, NewOwner, Scope, SignedIn},
    prompt::{During, Prompt, Subject},
    secret::Secret,
};
use serde::Deserialize;
use tower_sessions::Session;

use super::{State as Shared, client, sessions};

/// The routes of these forms.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/api/set_up", post(set_up))
        .route("/api/sign_in", post(sign_in))
        .route("/api/sign_out", post(sign_out))
        .route("/api/sign_out_everywhere", post(sign_out_everywhere))
        .route("/api/save_profile", post(save_profile))
        .route("/api/change_password", post(change_password))
        .route(paths::ERASE_ACCOUNT, post(delete_account))
        .route("/api/set_theme", post(set_theme))
        .route(paths::API_KEYS, post(create_api_key))
}

/// How long a browser remembers its colours, in seconds: a year.
const REMEMBER_THEME_S: u32 = 365 * 24 * 60 * 60;

#[derive(Deserialize)]
struct SetUp {
    organisation: String,
    name: String,
    email: String,
    password: String,
}

async fn set_up(
    State(hub): State<Hub>,
    session: Session,
    jar: CookieJar,
    headers: HeaderMap,
    Form(form): Form<SetUp>,
) -> Response {
    if keeps_no_cookies(&headers) {
        return because(paths::SETUP, FailureCode::BrowserUnsupported);
    }
    let typed = Flash::default()
        .keep("organisation", &form.organisation)
        .keep("name", &form.name)
        .keep("email", &form.email);
    let owner = NewOwner {
        tenant: form.organisation,
        name: form.name,
        email: form.email,
        password: Secret::new(form.password),
    };
    let founded = match hub.found(owner).await {
        Ok(member) => hub.remember(member).await,
        Err(error) => Err(error),
    };
    match founded {
        Ok(signed_in) => welcome(&hub, &session, jar, &signed_in, paths::HUB).await,
        Err(Error::Conflict(_)) => back(paths::SIGN_IN, Flash::rejected("", Problem::AlreadySetUp)),
        Err(error) => back(paths::SETUP, explain(typed, error)),
    }
}

#[derive(Deserialize)]
struct SignIn {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    jar: CookieJar,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Response {
    if keeps_no_cookies(&headers) {
        return because(paths::SIGN_IN, FailureCode::BrowserUnsupported);
    }
    let hub = &shared.hub;
    let address = client::address(peer, &headers, &shared.trusted_proxies);
    let device = sessions::device(&hub.public_url, &jar).map(str::to_owned);
    let typed = Flash::default().keep("email", &form.email);
    let next = local_path(&form.next);
    let answer = hub
        .sign_in(
            &form.email,
            Secret::new(form.password),
            address,
            device.as_deref(),
        )
        .await;
    match answer {
        Ok(signed_in) => welcome(hub, &session, jar, &signed_in, next).await,
        Err(Error::Failed(failure)) if failure.code == FailureCode::SignInSlow => {
            slow(&shared, &viewer, &headers, &failure, &form.email, next)
        }
        Err(error) => {
            let page = match next {
                paths::HUB => paths::SIGN_IN.to_owned(),
                next => format!("{}?next={}", paths::SIGN_IN, encode(next)),
            };
            back(&page, explain(typed, error))
        }
    }
}

/// What is answered when the hub could not sign anybody in: the form once more,
/// drawn without the database, with what was typed but for the password.
fn slow(
    shared: &Shared,
    viewer: &Viewer,
    headers: &HeaderMap,
    failure: &Failure,
    email: &str,
    next: &str,
) -> Response {
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let is_program =
        accepts.is_some_and(|kinds| kinds.contains("json") && !kinds.contains("text/html"));
    if is_program {
        let subject = Subject {
            provider_name: words::PRODUCT,
            account: None,
            at: shared.hub.clock.now(),
            during: During::Connecting,
            missing: &[],
            is_operators_app: false,
        };
        let prompt = Prompt::of(failure, &subject);
        return super::problem::Problem::failed(failure, prompt, subject.at).into_response();
    }
    let prompt = load::prompt_of_failure(&shared.hub, failure);
    let page = documents::sign_in_again(&shared.site, viewer.theme, prompt, email, next);
    (StatusCode::SERVICE_UNAVAILABLE, Html(page)).into_response()
}

/// Whether a person's browser came without the cookie that the form's page set:
/// it would forget at once who signed in. Programs are not asked for it.
fn keeps_no_cookies(headers: &HeaderMap) -> bool {
    let navigates = headers
        .get("sec-fetch-mode")
        .is_some_and(|mode| mode == "navigate");
    navigates && !headers.contains_key(header::COOKIE)
}

async fn welcome(
    hub: &Hub,
    session: &Session,
    jar: CookieJar,
    signed_in: &SignedIn,
    next: &str,
) -> Response {
    if let Err(error) = sessions::sign_in(hub, session, &signed_in.member).await {
        tracing::error!(%error, "a session could not be written");
        return back(paths::SIGN_IN, Flash::rejected("", Problem::OurSide));
    }
    let jar = jar.add(sessions::device_cookie(&hub.public_url, signed_in));
    (jar, Redirect::to(next)).into_response()
}

async fn sign_out(
    State(hub): State<Hub>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
) -> Response {
    if let Some(member) = &viewer.member
        && let Err(error) = hub.signed_out(member).await
    {
        return back(paths::HUB, explain(Flash::default(), error));
    }
    match sessions::sign_out(&session).await {
        Ok(()) => back(paths::SIGN_IN, Flash::notice(Notice::SignedOut)),
        Err(error) => {
            tracing::error!(%error, "a session could not be ended");
            back(paths::HUB, Flash::rejected("", Problem::OurSide))
        }
    }
}

async fn sign_out_everywhere(
    State(hub): State<Hub>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
) -> Response {
    let Some(member) = viewer.member else {
        return signed_out();
    };
    match hub.end_all_sessions(&member).await {
        Ok(()) => {
            // The row is dead already by its epoch; this removes it.
            let _ = sessions::sign_out(&session).await;
            back(paths::SIGN_IN, Flash::notice(Notice::SignedOutEverywhere))
        }
        Err(error) => back(paths::ACCOUNT, explain(Flash::default(), error)),
    }
}

#[derive(Deserialize)]
struct Profile {
    name: String,
    email: String,
    /// The current one, to change the e-mail address.
    #[serde(default)]
    password: String,
}

async fn save_profile(
    State(hub): State<Hub>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    Form(form): Form<Profile>,
) -> Response {
    let Some(member) = viewer.member else {
        return signed_out();
    };
    let typed = Flash::default()
        .keep("name", &form.name)
        .keep("email", &form.email);
    let current = (!form.password.is_empty()).then(|| Secret::new(form.password));
    let changed = hub
        .change_profile(&member, &form.name, &form.email, current)
        .await
        .map_err(|mut error| {
            // The page asks for the current password in two forms, so the field
            // has another name in each.
            if let Error::Invalid(problems) = &mut error {
                for problem in problems.iter_mut().filter(|it| it.field == "current") {
                    problem.field = "password".to_owned();
                }
            }
            error
        });
    // The name alone takes no password, and the session stays what it was.
    match changed {
        Ok(changed) if changed.proven_at() == member.proven_at() => {
            back(paths::ACCOUNT, Flash::notice(Notice::ProfileSaved))
        }
        changed => stay(&hub, &session, changed, typed, Notice::ProfileSaved).await,
    }
}

#[derive(Deserialize)]
struct NewPassword {
    current: String,
    new: String,
}

async fn change_password(
    State(hub): State<Hub>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    Form(form): Form<NewPassword>,
) -> Response {
    let Some(member) = viewer.member else {
        return signed_out();
    };
    let changed = hub
        .change_password(&member, Secret::new(form.current), Secret::new(form.new))
        .await;
    stay(
        &hub,
        &session,
        changed,
        Flash::default(),
        Notice::PasswordChanged,
    )
    .await
}

#[derive(Deserialize)]
struct DeleteAccount {
    #[serde(default)]
    current: String,
}

async fn delete_account(
    State(hub): State<Hub>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    Form(form): Form<DeleteAccount>,
) -> Response {
    if viewer.member.is_none() {
        return signed_out();
    }
    let erased = async {
        let current = Secret::new(form.current);
        let member = viewer.prove(&hub, Action::EraseOneself, current).await?;
        hub.erase_oneself(&member).await
    };
    match erased.await {
        Ok(()) => {
            // The row is gone with the person; this forgets the cookie.
            let _ = sessions::sign_out(&session).await;
            back(paths::SIGN_IN, Flash::notice(Notice::AccountErased))
        }
        Err(error) => back(paths::DELETE_ACCOUNT, explain(Flash::default(), error)),
    }
}

/// After a change of who one is, this browser gets a session with a new id.
async fn stay(
    hub: &Hub,
    session: &Session,
    changed: hub::Result<Member>,
    typed: Flash,
    notice: Notice,
) -> Response {
    let member = match changed {
        Ok(member) => member,
        Err(error) => return back(paths::ACCOUNT, explain(typed, error)),
    };
    match sessions::sign_in(hub, session, &member).await {
        Ok(()) => back(paths::ACCOUNT, Flash::notice(notice)),
        Err(error) => {
            tracing::error!(%error, "a session could not be written");
            signed_out()
        }
    }
}

#[derive(Deserialize)]
struct ThemeForm {
    theme: String,
}

async fn set_theme(headers: HeaderMap, Form(form): Form<ThemeForm>) -> Response {
    let theme = Theme::parse(&form.theme);
    let cookie = flash::set_cookie(Theme::COOKIE, theme.as_str(), REMEMBER_THEME_S);
    let page = headers
        .get(header::REFERER)
        .and_then(|referer| referer.to_str().ok()?.parse::<axum::http::Uri>().ok())
        .map(|referer| referer.path().to_owned());
    let page = local_path(page.as_deref().unwrap_or(paths::HUB)).to_owned();
    (
        AppendHeaders([(header::SET_COOKIE, cookie)]),
        Redirect::to(&page),
    )
        .into_response()
}

/// Answered with the one page that shows the key, and no redirect: the key is
/// kept nowhere that a later page could read it from.
async fn create_api_key(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    if viewer.member.is_none() {
        return signed_out();
    }
    let values = |name: &str| -> Vec<&str> {
        fields
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect()
    };
    let name = values("name").first().copied().unwrap_or_default();
    let origins = values("return_origins")
        .first()
        .copied()
        .unwrap_or_default();
    let typed = Flash::default()
        .keep("name", name)
        .keep("return_origins", origins);
    let scopes: Vec<Scope> = values("scope")
        .iter()
        .filter_map(|scope| scope.parse().ok())
        .collect();
    let typed = scopes
        .iter()
        .fold(typed, |flash, scope| flash.choose("scope", scope.as_str()));
    if scopes.is_empty() {
        return back(paths::API_KEYS, typed.and("scope", Problem::ScopesMissing));
    }
    let current = Secret::new(values("current").first().copied().unwrap_or_default());
    let created = async {
        let proven = viewer.prove(&shared.hub, Action::CreateApiKey, current);
        let member = proven.await?;
        let hub = &shared.hub;
        hub.create_api_key(&member, name, &scopes, origins).await
    };
    match created.await {
        Ok((row, key)) => {
            let page = documents::new_key(&shared.site, viewer.theme, &row.name, key.expose());
            Html(page).into_response()
        }
        Err(error) => back(paths::API_KEYS, explain(typed, error)),
    }
}

/// Leads to the sign-in page, and says why.
pub fn signed_out() -> Response {
    because(paths::SIGN_IN, FailureCode::SignedOut)
}

/// Leads to a form for strangers that says first why they see it.
pub fn because(form: &str, code: FailureCode) -> Response {
    Redirect::to(&paths::because(form, code.as_str())).into_response()
}

/// Redirects to a page with something to say on it.
pub fn back(page: &str, flash: Flash) -> Response {
    (
        AppendHeaders([(header::SET_COOKIE, flash.to_header())]),
        Redirect::to(page),
    )
        .into_response()
}

/// A path of this site to go on to; anything else means the hub. What a
/// browser could read as another host is not a path: `//host`, `/\host`, and
/// anything with a control character.
pub fn local_path(path: &str) -> &str {
    let local = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if local { path } else { paths::HUB }
}

/// To the page for signing in, which leads on to `path`.
pub fn to_sign_in(path: &str) -> Response {
    Redirect::to(&format!("{}?next={}", paths::SIGN_IN, encode(path))).into_response()
}

fn encode(path: &str) -> String {
    url::form_urlencoded::byte_serialize(path.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_gone_on_to() {
        for good in ["/", "/connections/1?a=b#c", "/settings/api-keys"] {
            assert_eq!(local_path(good), good);
        }
        for bad in [
            "",
            "//evil",
            "/\\evil",
            "https://evil",
            "javascript:alert(1)",
            "/a\r\nb",
            "/\t/evil",
            "evil",
            "/é",
            "\\/evil",
            "/a b",
        ] {
            assert_eq!(local_path(bad), paths::HUB, "{bad:?}");
        }
    }
}
