//! `Idempotency-Key`: a POST that is sent twice is done once.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{OriginalUri, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hub::{
    Hub,
    people::Host,
    record::once::{Answered, Once, Ticket},
    secret::Secret,
    store::Reach,
};

use super::{
    super::problem::{Answer, Problem},
    LARGEST_BODY,
};

/// The header that makes a request one, however often it is sent.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST_KEY: usize = 255;

/// Runs a request, or answers what the same one was answered before.
pub async fn run(hub: &Hub, host: &Host, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    run_once(hub, host, request, next)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn run_once(hub: &Hub, host: &Host, request: Request, next: Next) -> Answer<Response> {
    let key = key(request.headers())?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY)
        .await
        .map_err(|_| Problem::too_large())?;
    let address = parts
        .extensions
        .get::<OriginalUri>()
        .map_or(&parts.uri, |OriginalUri(uri)| uri);
    // A token that may do less is not told what one that may do more was.
    let same = Secret::new(format!(
        "{} {address} {:?}\n{}",
        parts.method,
        host.scopes(),
        String::from_utf8_lossy(&body)
    ));
    // What is kept tells requests apart and is no copy of one.
    let same = Secret::new(hex(&same.digest()));
    match hub.begin_once(host, &key, &same).await? {
        Once::First(ticket) => {
            let request = Request::from_parts(parts, Body::from(body));
            let hub = hub.clone();
            let tasks = hub.keeper.tasks.clone();
            // It is carried to its end also when the caller hangs up: the
            // caller will ask again what became of it.
            let done = tasks.spawn(Reach::along(async move {
                first(&hub, ticket, request, next).await
            }));
            done.await.map_err(|_| Problem::interrupted())?
        }
        Once::Done(answered) => Ok(replay(answered)),
        Once::UnderWay => Err(Problem::under_way()),
        Once::OtherRequest => Err(Problem::invalid(
            "Idempotency-Key",
            "Another request was sent with this key; use a new one",
        )),
    }
}

async fn first(hub: &Hub, ticket: Ticket, request: Request, next: Next) -> Answer<Response> {
    let response = next.run(request).await;
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        hub.end_once(ticket, None).await?;
        return Err(Problem::interrupted());
    };
    let answered = is_lasting(parts.status).then(|| answered(&parts.headers, parts.status, &body));
    hub.end_once(ticket, answered).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// Whether the same request would be answered the same again.
fn is_lasting(status: StatusCode) -> bool {
    let passes = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    !status.is_server_error() && !passes.contains(&status)
}

fn answered(headers: &HeaderMap, status: StatusCode, body: &Bytes) -> Answered {
    let said = |name| {
        let value: &HeaderValue = headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    Answered {
        status: status.as_u16(),
        location: said(header::LOCATION),
        content_type: said(header::CONTENT_TYPE),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

fn replay(answered: Answered) -> Response {
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answered.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in [
        (header::CONTENT_TYPE, answered.content_type),
        (header::LOCATION, answered.location),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// What it says.
pub fn key(headers: &HeaderMap) -> Answer<String> {
    let key = headers.get(KEY).and_then(|value| value.to_str().ok());
    key.map(str::trim)
        .filter(|key| (1..=LONGEST_KEY).contains(&key.len()))
        .map(str::to_owned)
        .ok_or_else(|| Problem::invalid("Idempotency-Key", "Use 1 to 255 visible characters"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
