//! The browser's side of a flow: leaving for a provider and coming back.
//!
//! A form may not be answered with a redirect to another site under our
//! `form-action 'self'`, so starting a flow answers with a page of ours that
//! leads on. The callback answers with a redirect to a clean address at once:
//! no code stays in the history or in a `Referer`.

use std::collections::BTreeMap;

use app::{
    Viewer, documents,
    flash::{Flash, Notice},
};
use axum::{
    Extension, Form, Json, Router,
    extract::{OriginalUri, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use hub::{
    Error, Hub,
    connect::{Ask, Begun, Callback, Finished, FlowView, OtherAccount, Prepared},
    people::{By, Member},
    store::{ConnectionId, FlowId, flow, words},
};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::{
    State as Shared, account, pages,
    problem::{Answer, Problem},
    sessions,
};

/// The routes of a flow.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/connections/{id}/prepare", post(prepare))
        .route("/connections/{id}/disconnect", post(disconnect))
        .route("/oauth/start/{provider}", get(to_provider_page).post(start))
        .route("/oauth/callback/{app}", get(callback).post(posted_callback))
        .route("/oauth/launch/{app}", get(launch))
        .route("/flows/{id}", get(finished))
        .route(NO_FLOW, get(no_flow))
        .route("/flows/{id}/cancel", post(cancel))
        .route("/flows/{id}/other-account", post(other_account))
        .route("/flows/{id}/organisation", post(organisation))
}

/// Where a callback leads that belongs to no flow. It answers with success:
/// what the page says is all there is to say, and it is what was asked for.
const NO_FLOW: &str = "/flows/ended";

async fn no_flow(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
) -> Html<String> {
    Html(pages::no_flow(&shared, &viewer))
}

fn signed_in(viewer: Viewer) -> Answer<Member> {
    viewer.member.ok_or_else(Problem::unauthenticated)
}

/// Digest of this browser's session, which the callback must come with.
async fn session_digest(session: &Session) -> Vec<u8> {
    session
        .id()
        .map(|id| sessions::id_hash(&id))
        .unwrap_or_default()
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PrepareBody {
    variables: BTreeMap<String, String>,
    scopes: Vec<String>,
    connection: Option<ConnectionId>,
    handle: Option<String>,
}

/// `waiting` says where the person goes; `connected`, that nobody has to: the
/// connection works again.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum PrepareAnswer {
    Waiting {
        flow_id: FlowId,
        auth_url: String,
        state: String,
        expires_at: chrono::DateTime<chrono::Utc>,
    },
    Connected {
        flow_id: FlowId,
    },
}

async fn prepare(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    Path(provider): Path<String>,
    jar: CookieJar,
    body: Option<Json<PrepareBody>>,
) -> Answer<Response> {
    let member = signed_in(viewer)?;
    let body = body.map(|Json(body)| body).unwrap_or_default();
    // A connection's id in the provider's place repairs or extends it.
    let (provider, connection) = match provider.parse::<ConnectionId>() {
        Ok(id) => (
            shared
                .hub
                .connection(&member, id)
                .await?
                .connection
                .provider,
            Some(id),
        ),
        Err(_) => (provider, body.connection),
    };
    let ask = Ask {
        variables: body.variables,
        scopes: body.scopes,
        connection,
        handle: body.handle,
        popup: false,
        admin: false,
        session: session_digest(&session).await,
    };
    let prepared = match shared.hub.prepare(&member, &provider, ask).await? {
        Begun::Leave(prepared) => prepared,
        Begun::Healed(flow) => {
            let answer = PrepareAnswer::Connected { flow_id: flow.id };
            return Ok(Json(answer).into_response());
        }
    };
    let answer = PrepareAnswer::Waiting {
        flow_id: prepared.flow,
        auth_url: prepared.auth_url.to_string(),
        state: prepared.state.expose().to_owned(),
        expires_at: prepared.expires_at,
    };
    Ok((jar.add(flow_cookie(&shared.hub, &prepared)), Json(answer)).into_response())
}

/// Readable only by the server, sent back on the provider's redirect (`Lax`),
/// gone with the flow.
pub fn flow_cookie(hub: &Hub, prepared: &Prepared) -> Cookie<'static> {
    let lifetime = prepared.expires_at - hub.clock.now();
    Cookie::build((
        sessions::cookie_name(&hub.public_url, &prepared.cookie_name),
        prepared.cookie_value.clone(),
    ))
    .path("/")
    .http_only(true)
    .secure(sessions::is_secure(&hub.public_url))
    .same_site(SameSite::Lax)
    .max_age(time::Duration::seconds(lifetime.num_seconds()))
    .build()
}

/// Somebody opened the address itself: nothing starts by a GET.
async fn to_provider_page(Path(provider): Path<String>) -> Redirect {
    Redirect::to(&app::paths::connect(&provider))
}

/// The Connect form: `var.<name>` for what was typed, `scope` as often as
/// needed, `connection`, `handle`, `popup`, `admin`.
async fn start(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    Path(provider): Path<String>,
    jar: CookieJar,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let Some(member) = viewer.member.clone() else {
        return Redirect::to(app::paths::SIGN_IN).into_response();
    };
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.clone())
    };
    let ask = Ask {
        variables: variables(&fields),
        scopes: fields
            .iter()
            .filter(|(key, _)| key == "scope")
            .map(|(_, value)| value.clone())
            .collect(),
        connection: field("connection").and_then(|id| id.parse().ok()),
        handle: field("handle"),
        popup: field("popup").is_some(),
        admin: field("admin").is_some(),
        session: session_digest(&session).await,
    };
    match shared.hub.prepare(&member, &provider, ask).await {
        Ok(begun) => go(&shared, &viewer, jar, &provider, begun),
        Err(Error::Invalid(problems)) => pages::back_to_provider(&provider, &fields, &problems),
        Err(error) => pages::error(&shared, &viewer, error),
    }
}

/// Leads on: to the provider, or, where nobody has to sign in any more, to what
/// works again.
pub fn go(
    shared: &Shared,
    viewer: &Viewer,
    jar: CookieJar,
    provider: &str,
    begun: Begun,
) -> Response {
    match begun {
        Begun::Leave(prepared) => {
            let page = pages::opening(shared, viewer, provider, prepared.auth_url.as_str());
            (jar.add(flow_cookie(&shared.hub, &prepared)), Html(page)).into_response()
        }
        // A guest's own page says it.
        Begun::Healed(flow) if flow.popup || flow.link_id.is_some() => {
            (jar, Redirect::to(&after(&flow))).into_response()
        }
        Begun::Healed(flow) => account::back(&after(&flow), Flash::notice(Notice::HealedAlone)),
    }
}

/// What was typed into a form, by the names of the entry's variables.
pub fn variables(fields: &[(String, String)]) -> BTreeMap<String, String> {
    let named = fields
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("var.")?.to_owned(), value.clone())));
    named.collect()
}

/// A person who began at the provider: whoever they are here, they go on from
/// our own page, where nothing has started yet.
async fn launch(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(app): Path<String>,
    OriginalUri(uri): OriginalUri,
    Query(params): Query<Vec<(String, String)>>,
) -> Response {
    let Some(member) = viewer.member.as_ref() else {
        return account::to_sign_in(&uri.to_string());
    };
    match shared.hub.launch(member, &app, &params).await {
        Ok((provider, answers)) => {
            let flash = answers
                .iter()
                .fold(Flash::default(), |flash, (name, value)| {
                    flash.keep(&format!("var.{name}"), value)
                });
            account::back(&app::paths::connect(provider), flash)
        }
        Err(error) => pages::error(&shared, &viewer, error),
    }
}

async fn callback(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    Path(app): Path<String>,
    jar: CookieJar,
    Query(params): Query<Vec<(String, String)>>,
) -> Response {
    if let Some(param) = shared.hub.awaits_fragment(&app, &params) {
        // The state is not spent by this: the page brings it with the token.
        let provider = app::load::provider_of_app(&shared.hub, &app);
        let page = documents::fragment(&shared.site, viewer.theme, &provider, param, &params);
        return Html(page).into_response();
    }
    come_back(shared, viewer, session, app, jar, params).await
}

/// A provider that posts its answer (`response_mode=form_post`). Our cookies
/// are not sent with a post from another site, so the page answers with a form
/// that posts the same once more, from here.
async fn posted_callback(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    Path(app): Path<String>,
    jar: CookieJar,
    headers: HeaderMap,
    Form(params): Form<Vec<(String, String)>>,
) -> Response {
    let from_here = headers
        .get("sec-fetch-site")
        .map(|site| site == "same-origin")
        .unwrap_or(viewer.member.is_some());
    if !from_here {
        return Html(documents::post_again(&shared.site, viewer.theme, &params)).into_response();
    }
    come_back(shared, viewer, session, app, jar, params).await
}

async fn come_back(
    shared: Shared,
    viewer: Viewer,
    session: Session,
    app: String,
    jar: CookieJar,
    params: Vec<(String, String)>,
) -> Response {
    let hub = &shared.hub;
    let cookies = jar.clone();
    let cookie = |name: &str| {
        cookies
            .get(&sessions::cookie_name(&hub.public_url, name))
            .map(|cookie| cookie.value().to_owned())
    };
    let finished = hub
        .finish(Callback {
            app: &app,
            params: &params,
            cookie: &cookie,
            session: Some(session_digest(&session).await),
            member: viewer.member.as_ref(),
            guest: viewer.guest(),
        })
        .await;
    let gone = |name: &str| {
        Cookie::build((sessions::cookie_name(&hub.public_url, name), ""))
            .path("/")
            .secure(sessions::is_secure(&hub.public_url))
            .http_only(true)
            .build()
    };
    match finished {
        Ok(Finished::Onward {
            prepared,
            cookie_name: name,
        }) => {
            let jar = jar.remove(gone(&name)).add(flow_cookie(hub, &prepared));
            (jar, Redirect::to(prepared.auth_url.as_str())).into_response()
        }
        Ok(Finished::Flow {
            flow,
            cookie_name: name,
        }) => {
            // No callback gives up but one: an administrator allowed the app, and
            // what was wanted can be had now.
            let next = match (flow.status, flow.connection_id) {
                (flow::Status::Cancelled, _) if flow.link_id.is_some() => {
                    app::paths::GUEST.to_owned()
                }
                (flow::Status::Cancelled, Some(id)) => {
                    app::paths::reconnect(&flow.provider, &id.to_string())
                }
                (flow::Status::Cancelled, None) => app::paths::connect(&flow.provider),
                _ => after(&flow),
            };
            (jar.remove(gone(&name)), Redirect::to(&next)).into_response()
        }
        // Sent there by a letter: nobody here waits for them.
        Ok(Finished::NoFlow(_)) if hub.is_approval(&app, &params) => {
            let provider = app::load::provider_of_app(hub, &app);
            Html(documents::allowed(&shared.site, viewer.theme, &provider)).into_response()
        }
        Ok(Finished::NoFlow(_)) => Redirect::to(NO_FLOW).into_response(),
        Err(error) => pages::error(&shared, &viewer, error),
    }
}

/// Where a person lands: on the row of the connection when they stayed in one
/// tab, else on the page that closes the window.
fn after(flow: &flow::Model) -> String {
    match (flow.popup, flow.status, flow.result_connection_id) {
        (_, flow::Status::Connected, _) if flow.link_id.is_some() => {
            app::paths::GUEST_DONE.to_owned()
        }
        (false, flow::Status::Connected, Some(id)) => app::paths::hub_row(&id.to_string()),
        _ => format!("/flows/{}", flow.id),
    }
}

/// Where somebody goes when nothing came of a flow.
fn home(flow: &flow::Model) -> &'static str {
    match flow.link_id {
        Some(_) => app::paths::GUEST,
        None => app::paths::HUB,
    }
}

async fn finished(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
) -> Response {
    match whose(&shared.hub, &viewer, &id).await {
        Ok((_, view))
            if view.flow.link_id.is_some() && view.flow.status == flow::Status::Connected =>
        {
            Redirect::to(app::paths::GUEST_DONE).into_response()
        }
        Ok((by, view)) => Html(pages::finished(&shared, &viewer, by, &view).await).into_response(),
        Err(Error::NotFound) => (
            StatusCode::NOT_FOUND,
            Html(pages::no_flow(&shared, &viewer)),
        )
            .into_response(),
        Err(error) => pages::error(&shared, &viewer, error),
    }
}

/// The flow with that id, if it is of somebody whom this browser stands for: a
/// member, or who came by a link.
async fn whose<'v>(hub: &Hub, viewer: &'v Viewer, id: &str) -> hub::Result<(By<'v>, FlowView)> {
    let id: FlowId = id.parse().map_err(|_| Error::NotFound)?;
    for by in viewer.present() {
        match hub.flow_by_id(by, id).await {
            Err(Error::NotFound) => {}
            found => return found.map(|view| (by, view)),
        }
    }
    Err(Error::NotFound)
}

async fn cancel(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let member = signed_in(viewer)?;
    let flow = shared.hub.flow(&member, &handle).await?.flow;
    match flow.status {
        flow::Status::OtherAccount => {
            let no = OtherAccount::Discard;
            shared
                .hub
                .answer_other_account(&member, flow.id, no)
                .await?;
        }
        flow::Status::Choosing => {
            shared
                .hub
                .choose_organisation(&member, flow.id, None)
                .await?;
        }
        _ => shared.hub.cancel_flow(&member, &handle).await?,
    }
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    Ok(match wants_page {
        true => Redirect::to(app::paths::HUB).into_response(),
        false => StatusCode::NO_CONTENT.into_response(),
    })
}

#[derive(Deserialize)]
struct OtherAccountForm {
    answer: OtherAccountAnswer,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum OtherAccountAnswer {
    /// Back to the provider, to sign in with the account it belongs to.
    Again,
    /// The account that signed in becomes one more connection.
    Add,
    /// Neither: everything stays as it was.
    Discard,
}

async fn other_account(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    session: Session,
    jar: CookieJar,
    Path(id): Path<String>,
    Form(form): Form<OtherAccountForm>,
) -> Response {
    if viewer.present().next().is_none() {
        return Redirect::to(app::paths::SIGN_IN).into_response();
    }
    let (by, flow) = match whose(&shared.hub, &viewer, &id).await {
        Ok((by, view)) => (by, view.flow),
        Err(error) => return pages::error(&shared, &viewer, error),
    };
    let id = flow.id;
    let answer = match form.answer {
        OtherAccountAnswer::Again => {
            let session = session_digest(&session).await;
            let provider = flow.provider.clone();
            return match sign_in_again(&shared, by, flow, session).await {
                Ok(begun) => go(&shared, &viewer, jar, &provider, begun),
                Err(error) => pages::error(&shared, &viewer, error),
            };
        }
        OtherAccountAnswer::Add => OtherAccount::Add,
        OtherAccountAnswer::Discard => OtherAccount::Discard,
    };
    match shared.hub.answer_other_account(by, id, answer).await {
        Ok(flow) if flow.status == flow::Status::Connected => {
            Redirect::to(&after(&flow)).into_response()
        }
        Ok(flow) => match flow.popup {
            true => Redirect::to(&format!("/flows/{}", flow.id)).into_response(),
            false => Redirect::to(home(&flow)).into_response(),
        },
        Err(error) => pages::error(&shared, &viewer, error),
    }
}

#[derive(Deserialize)]
struct OrganisationForm {
    /// Empty when none is wanted.
    organisation: String,
}

async fn organisation(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
    Form(form): Form<OrganisationForm>,
) -> Response {
    if viewer.present().next().is_none() {
        return Redirect::to(app::paths::SIGN_IN).into_response();
    }
    let (by, id) = match whose(&shared.hub, &viewer, &id).await {
        Ok((by, view)) => (by, view.flow.id),
        Err(error) => return pages::error(&shared, &viewer, error),
    };
    let chosen = Some(form.organisation.as_str()).filter(|chosen| !chosen.is_empty());
    match shared.hub.choose_organisation(by, id, chosen).await {
        Ok(flow) => Redirect::to(&after(&flow)).into_response(),
        Err(error) => pages::error(&shared, &viewer, error),
    }
}

/// Gives the other account's access back and starts a new flow in its place. It
/// has the same handle and is there before the old one ends, so that the page
/// that waits follows it as if it were the same attempt.
async fn sign_in_again(
    shared: &Shared,
    by: By<'_>,
    flow: flow::Model,
    session: Vec<u8>,
) -> hub::Result<Begun> {
    let hub = &shared.hub;
    if flow.status != flow::Status::OtherAccount {
        return Err(Error::NotFound);
    }
    let ask = Ask {
        variables: flow.variables.0,
        scopes: words(&flow.scopes),
        connection: flow.connection_id,
        handle: flow.handle,
        popup: flow.popup,
        admin: false,
        session,
    };
    let begun = hub.prepare(by, &flow.provider, ask).await?;
    hub.answer_other_account(by, flow.id, OtherAccount::Discard)
        .await?;
    Ok(begun)
}

#[derive(Serialize)]
struct DisconnectAnswer {
    revocation: hub::store::connection::Revocation,
    /// Where a person removes the access, when the provider did not confirm.
    #[serde(skip_serializing_if = "Option::is_none")]
    remove_url: Option<String>,
}

async fn disconnect(
    State(shared): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
) -> Answer<Json<DisconnectAnswer>> {
    use hub::store::connection::Revocation;
    let member = signed_in(viewer)?;
    let id = id.parse().map_err(|_| Problem::not_found())?;
    let revocation = shared.hub.disconnect(&member, id).await?;
    let listed = shared.hub.connection(&member, id).await?;
    let by_hand = matches!(revocation, Revocation::ByHand | Revocation::Failed);
    let remove_url = shared
        .hub
        .catalog
        .get(&listed.connection.provider)
        .filter(|_| by_hand)
        .and_then(|provider| provider.remove_url(&listed.connection.variables.0));
    Ok(Json(DisconnectAnswer {
        revocation,
        remove_url,
    }))
}
