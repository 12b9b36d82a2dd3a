//! Reading what was sent. What was wrong with it is named by its place and never
//! repeated: it may be a token that was typed in the wrong place.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::super::problem::Problem;

/// The longest name of a place that is said back.
const LONGEST_PLACE: usize = 60;

/// A body of JSON.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::not_json());
        }
        read(&bytes(request, state).await?).map(Self)
    }
}

/// A body of JSON, or none: everything in it has a default.
pub struct MaybeBody<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = bytes(request, state).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) if bytes.trim_ascii() == b"null" => Ok(Self(T::default())),
            (false, true) => read(&bytes).map(Self),
            (false, false) => Err(Problem::not_json()),
        }
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state)
        .await
        .map_err(|_| Problem::too_large())
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .map(|kind| kind.trim().to_ascii_lowercase())
        .is_some_and(|kind| {
            kind == "application/json"
                || (kind.starts_with("application/") && kind.ends_with("+json"))
        })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| malformed(&error))?;
    // A list would be taken for an object without names.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::invalid("body", "Send an object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let wrong = match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => return Ok(value),
        Err(wrong) => wrong,
    };
    let said = wrong.inner().to_string();
    let place = wrong.path().to_string();
    let (place, message) = match said
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
    {
        // Its name is ours.
        Some(missing) => (
            match place.as_str() {
                "." => missing.to_owned(),
                within => format!("{within}.{missing}"),
            },
            "This is needed",
        ),
        None if said.starts_with("unknown field") => (place, "There is no such field"),
        None => (place, "This has another form than the documentation says"),
    };
    Err(Problem::invalid(shown(&place), message))
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::malformed(format!(
        "The body is no JSON: see line {}, column {}.",
        error.line(),
        error.column()
    ))
}

/// A place as it may be said back: our own names look like this, most secrets
/// do not.
fn shown(place: &str) -> String {
    let is_ours = place.len() <= LONGEST_PLACE
        && place
            .chars()
            .all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.' | '[' | ']' | '0'..='9'));
    match (place, is_ours) {
        (".", _) => "body".to_owned(),
        (place, true) => place.to_owned(),
        (place, false) => {
            let known = place.rsplit_once('.').map_or("body", |(before, _)| before);
            match known.len() <= LONGEST_PLACE
                && known
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || "_.".contains(c))
            {
                true => known.to_owned(),
                false => "body".to_owned(),
            }
        }
    }
}
