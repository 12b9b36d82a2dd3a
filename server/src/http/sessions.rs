//! Browser sessions: the cookie, the rows behind it, and who is looking.
//!
//! A session ends after seven days without use, after thirty days in any case,
//! when its person signs out, and when they end all their sessions. The hub's
//! clock judges all of it.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use app::{Theme, Viewer, flash::COOKIE_GUARD, model::Person, paths};
use async_trait::async_trait;
use axum::{
    extract::{OriginalUri, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::{IntoResponse, Response},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use chrono::DateTime;
use hub::{
    Hub,
    people::{Action, By, Member, SignedIn},
    secret::digest,
    store::{PersonId, Reach, TenantId, session as rows},
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite as LayerSameSite,
    session::{Error as SessionError, Id, Record},
    session_store,
};
use url::Url;

use super::{guest, pages, problem::Problem, reach, trace};

/// A session that is not used for this long ends.
const IDLE: Duration = Duration::days(7);
/// A session ends this long after its person signed in, used or not.
const ABSOLUTE: Duration = Duration::days(30);
/// How often the use of a session is written down.
const TOUCH_EVERY: Duration = Duration::hours(1);

const SESSION_COOKIE: &str = "linkwell";

/// How long a browser is remembered as one that signed in before.
const DEVICE: Duration = Duration::days(365);
const DEVICE_COOKIE: &str = "linkwell-device";

/// What a session holds under [`Login::KEY`] once somebody has signed in.
/// Times are seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Login {
    person: PersonId,
    tenant: TenantId,
    epoch: i32,
    /// When they signed in.
    since: i64,
    /// When they were last seen, to the hour.
    seen: i64,
    /// When they last gave their password.
    #[serde(default)]
    proven: i64,
}

impl Login {
    const KEY: &str = "login";

    fn is_over(&self, now: i64) -> bool {
        now - self.since >= ABSOLUTE.whole_seconds() || now - self.seen >= IDLE.whole_seconds()
    }
}

/// Sessions as rows of the hub's database, found by the digest of their id.
#[derive(Clone)]
pub struct Sessions(Hub);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    fn row(&self, record: &Record) -> session_store::Result<rows::Model> {
        let data = serde_json::to_string(&record.data)
            .map_err(|error| session_store::Error::Encode(error.to_string()))?;
        Ok(rows::Model {
            id_hash: id_hash(&record.id),
            data,
            // Not `record.expiry_date`, which the layer reads off another clock.
            expires_at: self.now() + IDLE.whole_seconds(),
        })
    }

    fn now(&self) -> i64 {
        self.0.clock.now().timestamp()
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        while !rows::create(self.0.store.db(), self.row(record)?)
            .await
            .map_err(backend)?
        {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        rows::save(self.0.store.db(), self.row(record)?)
            .await
            .map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let row = rows::load(self.0.store.db(), id_hash(id), self.now())
            .await
            .map_err(backend)?;
        row.map(|row| {
            let decode = |error: String| session_store::Error::Decode(error);
            Ok(Record {
                id: *id,
                data: serde_json::from_str(&row.data).map_err(|e| decode(e.to_string()))?,
                expiry_date: OffsetDateTime::from_unix_timestamp(row.expires_at)
                    .map_err(|e| decode(e.to_string()))?,
            })
        })
        .transpose()
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        rows::delete(self.0.store.db(), id_hash(id))
            .await
            .map_err(backend)
    }
}

fn backend(error: impl fmt::Display) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

/// What a session's row is found by, and what a flow is bound to.
pub fn id_hash(id: &Id) -> Vec<u8> {
    digest(id.to_string())
}

/// Gives every request its session; nothing is read until somebody asks.
pub fn layer(hub: &Hub) -> SessionManagerLayer<Sessions> {
    SessionManagerLayer::new(Sessions(hub.clone()))
        .with_name(cookie_name(&hub.public_url, SESSION_COOKIE))
        .with_secure(is_secure(&hub.public_url))
        .with_http_only(true)
        // Strict would keep the cookie from the callback of a provider.
        .with_same_site(LayerSameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(IDLE))
}

/// Whether browsers reach the hub over https.
pub fn is_secure(public_url: &Url) -> bool {
    public_url.scheme() == "https"
}

/// A cookie's full name: on https browsers guard the prefix, so that no
/// neighbouring host can set one.
pub fn cookie_name(public_url: &Url, name: &str) -> String {
    match is_secure(public_url) {
        true => format!("{COOKIE_GUARD}{name}"),
        false => name.to_owned(),
    }
}

/// Whether a browser believes that somebody is signed in.
pub fn shown(public_url: &Url, headers: &HeaderMap) -> bool {
    let jar = CookieJar::from_headers(headers);
    jar.get(&cookie_name(public_url, SESSION_COOKIE)).is_some()
}

/// A cookie that says nothing but that this browser keeps cookies.
pub fn keeps_cookies(public_url: &Url) -> Cookie<'static> {
    Cookie::build((cookie_name(public_url, "linkwell-cookies"), "on"))
        .path("/")
        .http_only(true)
        .secure(is_secure(public_url))
        .same_site(SameSite::Lax)
        .build()
}

/// The device cookie a browser sent, for [`Hub::sign_in`].
pub fn device<'j>(public_url: &Url, jar: &'j CookieJar) -> Option<&'j str> {
    jar.get(&cookie_name(public_url, DEVICE_COOKIE))
        .map(Cookie::value)
}

/// The device cookie to set once somebody has signed in.
pub fn device_cookie(public_url: &Url, signed_in: &SignedIn) -> Cookie<'static> {
    let name = cookie_name(public_url, DEVICE_COOKIE);
    Cookie::build((name, signed_in.device_cookie.clone()))
        .path("/")
        .http_only(true)
        .secure(is_secure(public_url))
        .same_site(SameSite::Lax)
        .max_age(DEVICE)
        .build()
}

/// Makes the browser's session that of `member`, under a new id: one that
/// somebody planted before is worth nothing. Also for a member whose epoch was
/// raised and who stays.
///
/// # Errors
/// When the database fails.
pub async fn sign_in(hub: &Hub, session: &Session, member: &Member) -> Result<(), SessionError> {
    let now = hub.clock.now().timestamp();
    session.clear().await;
    session.cycle_id().await?;
    let login = Login {
        person: member.person(),
        tenant: member.tenant(),
        epoch: member.session_epoch(),
        since: now,
        seen: now,
        proven: member.proven_at().timestamp(),
    };
    session.insert(Login::KEY, login).await
}

/// Ends the browser's session, here and in the database.
///
/// # Errors
/// When the database fails.
pub async fn sign_out(session: &Session) -> Result<(), SessionError> {
    match session.id() {
        Some(_) => session.flush().await,
        None => Ok(()),
    }
}

/// Middleware: finds out once who is looking and puts a [`Viewer`] into the
/// request. To be layered on what people look at, inside [`layer`]; assets do
/// without.
pub async fn viewer(
    State(hub): State<Hub>,
    session: Session,
    jar: CookieJar,
    mut request: Request,
    next: Next,
) -> Response {
    // Whoever signs in is nobody yet, and is answered without the database.
    let signs_in = request.uri().path() == paths::SIGN_IN_FORM;
    let looked_up = match signs_in {
        true => Ok(None),
        false => signed_in_member(&hub, &session).await,
    };
    let member = match looked_up {
        Ok(member) => member,
        Err(error) => {
            tracing::error!(%error, "who is looking could not be read");
            return away(&request);
        }
    };
    // Who came by no link costs no query.
    let standing = match guest::shown(&hub, &jar) {
        Some(shown) => hub.standing(&shown).await,
        None => Ok(None),
    };
    let standing = match standing {
        Ok(standing) => standing.map(Arc::new),
        Err(error) => {
            tracing::error!(%error, "who came by a link could not be read");
            return away(&request);
        }
    };
    let person = member.as_ref().map(|member| Person {
        name: member.name().to_owned(),
        email: member.email().to_owned(),
        organisation: member.tenant_name().to_owned(),
        admin: member.role().may(Action::ManageProviderApps),
    });
    let theme = Theme::read(request.headers());
    let viewer = Viewer {
        member,
        standing,
        person,
        theme,
        request: trace::id(&request),
        proven: Arc::default(),
    };
    let reach = Reach::of(viewer.present().map(By::tenant));
    request.extensions_mut().insert(viewer.clone());
    let response = reach::hand_on(reach, request, next).await;
    if viewer.proven.load(Ordering::Relaxed)
        && let Err(error) = prove(&hub, &session).await
    {
        // It is asked for again the next time.
        tracing::error!(%error, "that a password was given could not be kept");
    }
    response
}

/// Pages say it to people, everything else to programs.
fn away(request: &Request) -> Response {
    let asked = request.extensions().get::<OriginalUri>();
    let path = asked.map_or(request.uri().path(), |asked| asked.path());
    let of_programs = ["/v1/", "/api/", "/events", "/flows/"];
    match of_programs.iter().any(|start| path.starts_with(start)) {
        true => Problem::away().into_response(),
        false => pages::away(&super::site(), Theme::read(request.headers())),
    }
}

/// Keeps that the session's person gave their password just now, under a new
/// id: as after a sign-in, one that was copied before is worth nothing.
async fn prove(hub: &Hub, session: &Session) -> Result<(), SessionError> {
    // Signed out by what it was given for.
    let Some(login) = session.get::<Login>(Login::KEY).await? else {
        return Ok(());
    };
    session.cycle_id().await?;
    let proven = hub.clock.now().timestamp();
    session.insert(Login::KEY, Login { proven, ..login }).await
}

#[derive(Debug)]
enum LookUpError {
    Session(SessionError),
    Hub(hub::Error),
}

impl fmt::Display for LookUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(error) => error.fmt(f),
            Self::Hub(error) => error.fmt(f),
        }
    }
}

/// The member whose session it is.
async fn signed_in_member(hub: &Hub, session: &Session) -> Result<Option<Member>, LookUpError> {
    // A stranger costs no query.
    if session.id().is_none() {
        return Ok(None);
    }
    let login: Option<Login> = session
        .get(Login::KEY)
        .await
        .map_err(LookUpError::Session)?;
    let Some(login) = login else {
        return Ok(None);
    };
    let now = hub.clock.now().timestamp();
    let proven_at = DateTime::from_timestamp(login.proven, 0).unwrap_or_default();
    let member = match login.is_over(now) {
        true => None,
        false => hub
            .member(login.person, login.tenant, login.epoch, proven_at)
            .await
            .map_err(LookUpError::Hub)?,
    };
    if member.is_none() {
        sign_out(session).await.map_err(LookUpError::Session)?;
    } else if now - login.seen >= TOUCH_EVERY.whole_seconds() {
        let login = Login { seen: now, ..login };
        session
            .insert(Login::KEY, login)
            .await
            .map_err(LookUpError::Session)?;
    }
    Ok(member)
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
