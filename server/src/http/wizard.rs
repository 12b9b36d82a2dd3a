//! Turns of the conversation that collects keys and logins.

use std::collections::BTreeMap;

use app::{
    Viewer, Visit,
    documents::{Success, Testing},
    load,
    pages::wizard::Address,
    paths, words,
};
use axum::{
    Extension, Form, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use futures::{StreamExt, stream};
use hub::{
    Error,
    connect::{Listed, Turn, Turned},
    dialect::{Outcome, Tried},
    failure::{Failure, FailureCode},
    people::{By, Guest, Member},
    secret::Secret,
    store::{ConnectionId, Reach, draft::Skin},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

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
    let who = Who::Member(member.clone());
    take(&shared, &viewer, who, provider, connection, &fields).await
}

/// With whom a conversation is held.
pub enum Who {
    /// A member.
    Member(Member),
    /// Somebody who came by a link.
    Guest(Box<Guest>),
}

impl Who {
    fn by(&self) -> By<'_> {
        match self {
            Self::Member(member) => member.into(),
            Self::Guest(guest) => guest.as_ref().into(),
        }
    }

    fn is_guest(&self) -> bool {
        matches!(self, Self::Guest(_))
    }
}

fn value<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    let mut found = fields.iter().filter(|(key, _)| key == name);
    found.next().map_or("", |(_, value)| value.as_str())
}

/// Takes the turn that these fields say, for whoever takes it.
pub async fn take(
    shared: &Shared,
    viewer: &Viewer,
    who: Who,
    provider: String,
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
    let at = Address::of(
        &provider,
        connection.map(|id| id.to_string()),
        who.is_guest(),
    );
    let back = at.page.clone();
    match shared.hub.turn(who.by(), &provider, connection, turn).await {
        Ok(Turned::Test) => test(shared.clone(), viewer, who, provider, connection, at),
        Ok(Turned::Gone) if who.is_guest() => Redirect::to(paths::GUEST_DONE).into_response(),
        Ok(Turned::Gone) => Redirect::to(paths::HUB).into_response(),
        Ok(Turned::GoesOn) => Redirect::to(&format!("{back}#wizard")).into_response(),
        Ok(Turned::Discarded) => Redirect::to(&back).into_response(),
        Err(error @ Error::Invalid(_)) => {
            account::back(&back, pages::to_put_right(shared, &provider, fields, error))
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

/// What is heard of a test.
enum Heard {
    /// A step was taken.
    Step(Tried),
    /// It has ended, with the connection or with why there is none.
    End(Result<Box<Listed>, Error>),
}

/// Runs the test and shows it while it runs. Whoever leaves the page leaves the
/// test to itself: how it went is found with the draft, or as a connection.
fn test(
    shared: Shared,
    viewer: &Viewer,
    who: Who,
    provider: String,
    connection: Option<ConnectionId>,
    at: Address,
) -> Response {
    let visit = Visit {
        person: viewer.person.clone(),
        theme: viewer.theme,
        recently: viewer.recently(),
        ..Visit::default()
    };
    let drawn = load::provider(&shared.hub, &provider);
    let is_guest = who.is_guest();
    let (page, begun) = Testing::begin(shared.site.clone(), visit, drawn, at, is_guest);
    let (tell, heard) = unbounded_channel();
    let (hub, of) = (shared.hub.clone(), provider.clone());
    tokio::spawn(Reach::along(async move {
        let watch = |tried: &Tried| {
            let _ = tell.send(Heard::Step(tried.clone()));
        };
        let ended = hub.test_draft(who.by(), &of, connection, &watch).await;
        let _ = tell.send(Heard::End(ended.map(Box::new)));
    }));
    let showing = Showing {
        shared,
        is_guest,
        provider,
        page,
        heard,
        lines: 0,
        told: false,
    };
    let begun = stream::once(async { Ok::<_, std::convert::Infallible>(begun) });
    let rest = stream::unfold(showing, Showing::next).map(Ok);
    let mut answer = Body::from_stream(begun.chain(rest)).into_response();
    let headers = answer.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    // A proxy that collects the page would show it when the test is over.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    answer
}

/// The page of a test, as far as it was sent.
struct Showing {
    shared: Shared,
    is_guest: bool,
    provider: String,
    page: Testing,
    heard: UnboundedReceiver<Heard>,
    /// How many lines were drawn.
    lines: usize,
    /// Whether a line has said what is wrong.
    told: bool,
}

impl Showing {
    async fn next(mut self) -> Option<(String, Self)> {
        let html = match self.heard.recv().await? {
            Heard::Step(tried) => {
                let problem = match &tried.outcome {
                    Outcome::Failed(failure) => {
                        self.told = true;
                        Some(load::problem(&self.shared.hub, &self.provider, failure))
                    }
                    _ => None,
                };
                let line = self.page.line(self.lines, load::step(&tried), problem);
                self.lines += 1;
                line
            }
            Heard::End(ended) => self.end(ended),
        };
        Some((html, self))
    }

    fn end(&self, ended: Result<Box<Listed>, Error>) -> String {
        let hub = &self.shared.hub;
        let failure = match ended {
            Ok(listed) => {
                let connection = listed.connection;
                let id = connection.id.to_string();
                let account = connection.name().to_owned();
                let environment = connection.environment;
                return self.page.connected(match self.is_guest {
                    true => Success {
                        account,
                        environment,
                        next: ("Go on", paths::GUEST_DONE.to_owned()),
                        preview: None,
                        // It is not theirs to look after.
                        after: None,
                    },
                    false => Success {
                        account,
                        environment,
                        next: ("Go to connections", paths::hub_row(&id)),
                        preview: load::has_preview(hub, &self.provider)
                            .then(|| paths::preview(&id)),
                        after: Some(words::AFTER_CONNECTING),
                    },
                });
            }
            Err(Error::TooMuch { why, .. }) => {
                return self.page.failed(Some(load::too_many_tests(why)));
            }
            Err(Error::Failed(failure)) => *failure,
            Err(error) => {
                tracing::error!(%error, "what was entered could not be tested");
                Failure::inferred(FailureCode::HubInternal, "test_not_finished")
            }
        };
        let problem = (!self.told).then(|| load::problem(hub, &self.provider, &failure));
        self.page.failed(problem)
    }
}
