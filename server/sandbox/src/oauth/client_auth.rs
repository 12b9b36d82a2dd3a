//! Who is asking: `client_secret_basic` and `client_secret_post`.

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use url::form_urlencoded;

use super::Parameters;
use crate::{Sandbox, Shop, calls::RecordedRequest, faults::Endpoint, secrets::fingerprint};

/// An error answer of the token, revocation and introspection endpoints (RFC 6749, 5.2).
pub(super) fn error(status: StatusCode, error: &str, description: &str) -> Response {
    let body = Json(json!({"error": error, "error_description": description}));
    (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Starts the log entry of a request to one of these endpoints.
pub(super) fn record(
    shop: &Sandbox,
    endpoint: Endpoint,
    path: &str,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> RecordedRequest {
    let is_basic = headers.contains_key(header::AUTHORIZATION);
    RecordedRequest {
        at: shop.now(),
        endpoint,
        method: "POST".into(),
        path: path.into(),
        authentication: match parameters.get("client_secret") {
            _ if is_basic => Some("basic"),
            Some(_) => Some("post"),
            None => None,
        },
        parameters: parameters.recordable(),
        status: None,
    }
}

/// The id of the client that sent the request.
///
/// # Errors
/// The answer to give: the request is malformed, or its client is not who it says.
pub(super) fn authenticate(
    shop: &Shop,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<String, Box<Response>> {
    let refuse = |status, code, description| Err(Box::new(error(status, code, description)));
    let is_form = (headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok()))
    .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "The body must be a form.",
        );
    }
    if parameters.repeated().is_some() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "A parameter is repeated.",
        );
    }
    let posted = parameters
        .get("client_id")
        .zip(parameters.get("client_secret"));
    let (id, secret) = match (headers.get(header::AUTHORIZATION), posted) {
        (Some(_), Some(_)) => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "Authenticate in one way only.",
            );
        }
        (Some(value), None) => value.to_str().ok().and_then(basic).unwrap_or_default(),
        (None, Some((id, secret))) => (id.to_owned(), secret.to_owned()),
        (None, None) => Default::default(),
    };
    // Fingerprints are compared so that the time taken says nothing about the secret.
    let is_known = |client: &&crate::Client| fingerprint(&client.secret) == fingerprint(&secret);
    if shop.clients.get(&id).filter(is_known).is_none() {
        let mut response = error(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "Unknown client or wrong secret.",
        );
        let challenge = header::HeaderValue::from_static("Basic realm=\"Sandbox Shop\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        return Err(Box::new(response));
    }
    Ok(id)
}

/// Id and secret from a Basic header; both are form-encoded inside it (RFC 6749, 2.3.1).
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decode(id), form_decode(secret)))
}

fn form_decode(text: &str) -> String {
    let escaped = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}
