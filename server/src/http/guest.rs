//! Somebody who came by a link of a host application and has no account here, or
//! by one from an e-mail of ours and is not signed in.
//!
//! Opening a link changes nothing: scanners of mail and previews of messengers
//! do it too. A button on its page gives the link to this browser, which keeps a
//! secret of its own in a guarded cookie; from then on the link's secret is in no
//! address any more. Flows and conversations run through the same code as a
//! member's, with the guest in the member's place.

use app::{Viewer, documents, load, paths};
use axum::{
    Extension, Form, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use hub::{
    Error, Hub,
    connect::{Ask, LINK_LIFETIME},
    notify::MailedLink,
    people::{Guest, Standing},
    store::Reach,
};

use super::{State as Shared, oauth, pages, sessions, wizard};

/// The cookie of the one browser a link was opened in.
const COOKIE: &str = "linkwell-guest";

/// The routes of guests, but for their pages.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/link/{secret}", get(invitation).post(accept))
        .route("/guest/done", get(done))
        .route("/guest/start/{provider}", get(to_page).post(start))
        .route("/guest/connect/{provider}", post(turn))
}

/// What this browser keeps of a link, if it keeps something.
pub fn shown(hub: &Hub, jar: &CookieJar) -> Option<String> {
    jar.get(&sessions::cookie_name(&hub.public_url, COOKIE))
        .map(|cookie| cookie.value().to_owned())
}

/// The page for a link that does nothing.
pub fn over(shared: &Shared, viewer: &Viewer) -> Response {
    let page = documents::link_over(&shared.site, viewer.theme);
    (StatusCode::NOT_FOUND, Html(page)).into_response()
}

async fn invitation(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(secret): Path<String>,
) -> Response {
    match shared.hub.mailed_link(&secret).await {
        Ok(Some(link)) => return mailed(&shared, &viewer, &link, &secret),
        Ok(None) => {}
        Err(error) => return pages::error(&shared, &viewer, error),
    }
    let asked = match shared.hub.invitation(&secret).await {
        Ok(Some(asked)) => asked,
        Ok(None) => return over(&shared, &viewer),
        Err(error) => return pages::error(&shared, &viewer, error),
    };
    let providers: Vec<_> = asked
        .providers
        .iter()
        .map(|id| load::provider(&shared.hub, id))
        .collect();
    let back_to = asked.return_to.as_deref().and_then(load::place_of);
    let page = documents::invitation(
        &shared.site,
        viewer.theme,
        &asked.organisation,
        &providers,
        asked.is_repair,
        back_to.as_deref(),
        &paths::link(&secret),
    );
    Html(page).into_response()
}

/// What a link from an e-mail shows, however often somebody or something looks.
fn mailed(shared: &Shared, viewer: &Viewer, link: &MailedLink, secret: &str) -> Response {
    let (site, theme) = (&shared.site, viewer.theme);
    let page = match link {
        MailedLink::Repairs {
            organisation,
            listed,
            told,
        } => {
            let (provider, account) = load::mailed(&shared.hub, listed);
            let details = load::details_of(listed, told);
            let prompt = load::said(&shared.hub, listed, told.as_ref().clone());
            let of = (&provider, account.as_str());
            let page = paths::connection(&listed.connection.id.to_string());
            let ways = (&*paths::link(secret), &*page);
            documents::repair(site, theme, organisation, of, (&prompt, details), ways)
        }
        MailedLink::Over { listed, works } => {
            let (provider, _) = load::mailed(&shared.hub, listed);
            documents::repair_over(site, theme, &provider, *works)
        }
        MailedLink::TooLate { listed } => {
            let (provider, _) = load::mailed(&shared.hub, listed);
            let page = paths::connection(&listed.connection.id.to_string());
            documents::repair_too_late(site, theme, &provider, &page)
        }
    };
    Html(page).into_response()
}

async fn accept(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    jar: CookieJar,
    Path(secret): Path<String>,
) -> Response {
    let kept = shown(&shared.hub, &jar);
    let accepted = shared.hub.accept_invitation(&secret, kept.as_deref());
    match accepted.await {
        Ok(Some((guest, browser))) => {
            let name = sessions::cookie_name(&shared.hub.public_url, COOKIE);
            let cookie = Cookie::build((name, browser.expose().to_owned()))
                .path("/")
                .http_only(true)
                .secure(sessions::is_secure(&shared.hub.public_url))
                // Strict would keep it from the callback of a provider.
                .same_site(SameSite::Lax)
                .max_age(time::Duration::seconds(LINK_LIFETIME.num_seconds()))
                .build();
            let jar = jar.add(cookie);
            match guest.is_mailed() {
                true => {
                    // This request came as a stranger's.
                    let reach = Reach::of([guest.tenant()]);
                    let repaired = repair(&shared, &viewer, guest, jar);
                    reach.around(repaired).await
                }
                false => {
                    let reach = Reach::of([guest.tenant()]);
                    reach.around(go_on(&shared, &viewer, &guest, jar)).await
                }
            }
        }
        // It may be over, which its page says.
        Ok(None) => match shared.hub.mailed_link(&secret).await {
            Ok(Some(link)) => mailed(&shared, &viewer, &link, &secret),
            Ok(None) => over(&shared, &viewer),
            Err(error) => pages::error(&shared, &viewer, error),
        },
        Err(error) => pages::error(&shared, &viewer, error),
    }
}

/// The one button of a mailed link: on to the provider in this tab, or to the
/// questions where there are any.
async fn repair(shared: &Shared, viewer: &Viewer, guest: Guest, jar: CookieJar) -> Response {
    let provider = guest.providers().next().unwrap_or_default().to_owned();
    let ask = Ask {
        connection: guest.connection(),
        ..Ask::default()
    };
    match shared.hub.prepare(&guest, &provider, ask).await {
        Ok(begun) => oauth::go(shared, viewer, jar, &provider, begun),
        // Keys are entered, and some providers are asked about first.
        Err(Error::Invalid(_)) => go_on(shared, viewer, &guest, jar).await,
        Err(error) => pages::error(shared, viewer, error),
    }
}

/// Where a guest goes on: to what they can connect, unless what they came to
/// repair works without them.
async fn go_on(shared: &Shared, viewer: &Viewer, guest: &Guest, jar: CookieJar) -> Response {
    let page = match shared.hub.mends_for(guest).await {
        Ok(true) => paths::GUEST_DONE.to_owned(),
        Ok(false) => first_page(guest),
        Err(error) => return pages::error(shared, viewer, error),
    };
    (jar, Redirect::to(&page)).into_response()
}

/// A choice of one is none.
fn first_page(guest: &Guest) -> String {
    let mut providers = guest.providers();
    match (providers.next(), providers.next()) {
        (Some(only), None) => paths::guest_connect(only),
        _ => paths::GUEST.to_owned(),
    }
}

async fn done(State(shared): State<Shared>, Extension(viewer): Extension<Viewer>) -> Response {
    let done = match viewer.standing.as_deref() {
        Some(Standing::Done(done)) => done,
        Some(Standing::Guest(_)) => return Redirect::to(paths::GUEST).into_response(),
        None => return over(&shared, &viewer),
    };
    let provider = load::provider(&shared.hub, done.provider.as_deref().unwrap_or_default());
    if done.is_mailed {
        let page = documents::repair_done(&shared.site, viewer.theme, &provider);
        return Html(page).into_response();
    }
    let back = done
        .return_to
        .clone()
        .and_then(|address| Some((load::place_of(&address)?, address)));
    let page = documents::link_done(
        &shared.site,
        viewer.theme,
        &done.organisation,
        &provider,
        back,
    );
    Html(page).into_response()
}

/// Somebody opened the address itself: nothing starts by a GET.
async fn to_page(Path(provider): Path<String>) -> Redirect {
    Redirect::to(&paths::guest_connect(&provider))
}

/// The form before a flow: `var.<name>` for what was typed. It stays in the tab.
async fn start(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(provider): Path<String>,
    jar: CookieJar,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let Some(guest) = viewer.guest() else {
        return over(&shared, &viewer);
    };
    let ask = Ask {
        variables: oauth::variables(&fields),
        connection: guest.connection(),
        ..Ask::default()
    };
    match shared.hub.prepare(guest, &provider, ask).await {
        Ok(begun) => oauth::go(&shared, &viewer, jar, &provider, begun),
        Err(Error::Invalid(problems)) => {
            pages::back_to_questions(&paths::guest_connect(&provider), &fields, &problems)
        }
        Err(error) => pages::error(&shared, &viewer, error),
    }
}

/// A turn of the conversation.
async fn turn(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(provider): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let Some(guest) = viewer.guest() else {
        return over(&shared, &viewer);
    };
    let connection = guest.connection();
    let who = wizard::Who::Guest(Box::new(guest.clone()));
    wizard::take(&shared, &viewer, who, provider, connection, &fields).await
}
