//! `/events`: what changed, for every open page of a tenant.
//!
//! An event is a hint to read again, never the outcome itself. Its number is
//! the tenant's event number, so a browser that reconnects with
//! `Last-Event-ID` misses nothing.

use std::{convert::Infallible, time::Duration};

use app::Viewer;
use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Response, Sse, sse},
    routing::get,
};
use futures::{Stream, StreamExt, stream};
use hub::{
    Hub,
    people::Member,
    store::event::{self, Kind},
};
use serde_json::json;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::problem::Problem;

/// How often events of other processes are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often an idle stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon a browser tries again after the stream broke.
const RETRY: Duration = Duration::from_millis(500);

/// The stream.
pub fn router<S: Clone + Send + Sync + 'static>(
    hub: Hub,
    stopping: CancellationToken,
) -> Router<S> {
    Router::new()
        .route("/events", get(events))
        .with_state((hub, stopping))
}

async fn events(
    State((hub, stopping)): State<(Hub, CancellationToken)>,
    Extension(viewer): Extension<Viewer>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let member = viewer.member.ok_or_else(Problem::unauthenticated)?;
    let resumed = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let seen = match resumed {
        Some(seen) => seen,
        None => hub.newest_event(&member).await?,
    };
    let watcher = Watcher {
        nudges: hub.changes.watch(),
        hub,
        member,
        seen,
    };
    let hello = stream::once(async { Ok(sse::Event::default().retry(RETRY).comment("hello")) });
    let stream = hello
        .chain(watcher.stream())
        .take_until(stopping.cancelled_owned());
    let answer = Sse::new(stream).keep_alive(sse::KeepAlive::new().interval(HEARTBEAT));
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Watcher {
    hub: Hub,
    member: Member,
    nudges: broadcast::Receiver<hub::store::TenantId>,
    seen: i64,
}

impl Watcher {
    fn stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        stream::unfold(self, |mut watcher| async move {
            let batch = watcher.next().await?;
            Some((stream::iter(batch), watcher))
        })
        .flatten()
        .map(Ok)
    }

    /// The next events, once there are some; none when the stream must end.
    async fn next(&mut self) -> Option<Vec<sse::Event>> {
        loop {
            // Whoever was removed or signed out loses the stream with the next look.
            if !self.still_stands().await {
                return None;
            }
            match self.hub.events_after(&self.member, self.seen).await {
                Ok(events) if !events.is_empty() => {
                    self.seen = events.last().map_or(self.seen, |event| event.seq);
                    let batch: Vec<_> =
                        events.iter().filter_map(|event| self.show(event)).collect();
                    if !batch.is_empty() {
                        return Some(batch);
                    }
                }
                Ok(_) => self.nudged().await,
                Err(error) => {
                    tracing::warn!(%error, "events could not be read");
                    return None;
                }
            }
        }
    }

    async fn nudged(&mut self) {
        let mine = async {
            loop {
                match self.nudges.recv().await {
                    Ok(tenant) if tenant != self.member.tenant() => {}
                    // Lagging behind means that something was missed: look.
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _ = tokio::time::timeout(LOOK_EVERY, mine).await;
    }

    async fn still_stands(&self) -> bool {
        let member = &self.member;
        self.hub
            .member(
                member.person(),
                member.tenant(),
                member.session_epoch(),
                member.proven_at(),
            )
            .await
            .is_ok_and(|member| member.is_some())
    }

    /// A flow is shown only to the person whose it is, and that help is asked for
    /// to whom it is asked of.
    fn show(&self, event: &event::Model) -> Option<sse::Event> {
        let (name, data) = match event.kind {
            Kind::FlowChanged if event.person_id == Some(self.member.person()) => (
                "flow",
                json!({ "handle": event.data.handle, "status": event.data.status }),
            ),
            // Their bell has one more.
            Kind::HelpAsked if event.person_id == Some(self.member.person()) => {
                ("connection", json!({ "id": event.connection_id }))
            }
            Kind::FlowChanged | Kind::HelpAsked => return None,
            _ => ("connection", json!({ "id": event.connection_id })),
        };
        Some(
            sse::Event::default()
                .id(event.seq.to_string())
                .event(name)
                .data(data.to_string()),
        )
    }
}
