//! One line per request.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

/// The header that carries a request's id, both ways.
const REQUEST_ID: &str = "x-request-id";

#[derive(Clone, Copy)]
struct RequestId(Uuid);

/// What the log knows a request by; nothing where it was given no id.
pub fn id(request: &Request) -> String {
    let id = request.extensions().get::<RequestId>();
    id.map(|id| id.0.to_string()).unwrap_or_default()
}

/// Gives the request an id, and logs how it was answered. The route is logged,
/// never the address: addresses carry codes and states.
pub async fn request(mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    request.extensions_mut().insert(RequestId(id));
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let route = route.as_deref().unwrap_or("unmatched");
    let quiet = route.starts_with("/assets") || route.ends_with("z");
    let started = Instant::now();
    let span = tracing::info_span!("request", request.id = %id);
    let mut response = next.run(request).instrument(span.clone()).await;
    response.headers_mut().insert(
        REQUEST_ID,
        HeaderValue::from_str(&id.to_string()).expect("a UUID is a header value"),
    );
    let status = response.status().as_u16();
    let duration_ms = started.elapsed().as_millis() as u64;
    span.in_scope(|| {
        if quiet {
            tracing::debug!(http.method = %method, http.route = route, http.status = status, duration_ms, "{method} {route} {status}");
        } else {
            tracing::info!(http.method = %method, http.route = route, http.status = status, duration_ms, "{method} {route} {status}");
        }
    });
    response
}
