//! What a disturbed request is answered.

use std::{convert::Infallible, io};

use axum::{
    Json,
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream;
use serde_json::json;

use super::{Endpoint, FaultKind, Garbage, RetryAfter};
use crate::{Sandbox, calls::RecordedRequest, pages};

impl Sandbox {
    /// Answers one request: does the work, unless and except as the faults want it. The request is in the log
    /// as soon as it is processed, before any delay.
    pub(crate) async fn answer(
        &self,
        mut request: RecordedRequest,
        work: impl FnOnce() -> Response,
    ) -> Response {
        let disturbance = self.shop().faults.disturb(request.endpoint, request.at);
        let response = disturbance.instead.unwrap_or_else(work);
        request.status = (!disturbance.cut).then(|| response.status().as_u16());
        self.shop().log.push(request);
        if let Some(delay) = disturbance.delay {
            tokio::time::sleep(delay).await;
        }
        if disturbance.cut {
            cut_connection()
        } else {
            response
        }
    }
}

impl FaultKind {
    /// The answer in place of the work, if this fault has one. A refusal on the consent page has none: only a
    /// valid request may be sent back to its app.
    pub(super) fn answer(&self, endpoint: Endpoint, now: DateTime<Utc>) -> Option<Response> {
        Some(match self {
            Self::Refuse { error } if endpoint != Endpoint::Authorize => {
                let status = if error == "invalid_client" {
                    StatusCode::UNAUTHORIZED
                } else {
                    StatusCode::BAD_REQUEST
                };
                let body = json!({"error": error, "error_description": "The sandbox was asked to refuse."});
                (status, Json(body)).into_response()
            }
            Self::RateLimit { retry_after } => {
                let mut response = failure(endpoint, StatusCode::TOO_MANY_REQUESTS, "rate_limited");
                if let Some(value) = retry_after.header(now) {
                    response.headers_mut().insert(header::RETRY_AFTER, value);
                }
                response
            }
            Self::ServerError { status } => {
                let status =
                    StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                failure(endpoint, status, "temporarily_unavailable")
            }
            Self::Garbage(garbage) => garbage.answer(),
            Self::Redirect { to } => (
                StatusCode::TEMPORARY_REDIRECT,
                [(header::LOCATION, to.clone())],
            )
                .into_response(),
            _ => return None,
        })
    }
}

impl RetryAfter {
    fn header(self, now: DateTime<Utc>) -> Option<HeaderValue> {
        let text = match self {
            Self::Unsaid => return None,
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Date(seconds) => (now + TimeDelta::seconds(seconds.into()))
                .format("%a, %d %b %Y %H:%M:%S GMT")
                .to_string(),
        };
        HeaderValue::from_str(&text).ok()
    }
}

impl Garbage {
    fn answer(self) -> Response {
        const CHUNK: &[u8] = &[b'a'; 64 * 1024];
        const CHUNKS: usize = 1024;
        match self {
            Self::Html => pages::failure(StatusCode::OK),
            Self::Truncated => json_body(r#"{"access_token": "sat_trunc"#),
            Self::Deep => json_body("[".repeat(100_000)),
            Self::Huge => {
                let pieces = std::iter::once(&b"\""[..])
                    .chain(std::iter::repeat_n(CHUNK, CHUNKS))
                    .chain(std::iter::once(&b"\""[..]))
                    .map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece)));
                json_body(Body::from_stream(stream::iter(pieces)))
            }
        }
    }
}

fn json_body(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

/// A failure as people or programs expect it at this endpoint.
fn failure(endpoint: Endpoint, status: StatusCode, error: &str) -> Response {
    match endpoint {
        Endpoint::Authorize => pages::failure(status),
        _ => (status, Json(json!({"error": error}))).into_response(),
    }
}

/// A body that fails before its first byte: hyper then closes the socket without having sent the head.
fn cut_connection() -> Response {
    let broken = stream::once(async { Err::<Bytes, _>(io::Error::other("cut on purpose")) });
    Response::new(Body::from_stream(broken))
}
