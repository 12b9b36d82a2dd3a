//! Errors as `application/problem+json` (RFC 9457), from one table.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use hub::{
    Error, FieldProblem,
    failure::{Failure, FailureCode},
    prompt::{During, Prompt, Subject},
};
use serde::{Serialize, Serializer};

/// What an API caller is told when it does not get what it asked for.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// Names the kind of problem; a fragment of the API's own documentation.
    #[serde(rename = "type", serialize_with = "as_urn")]
    kind: &'static str,
    title: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What is wrong with the connection, when that is the problem.
    #[serde(flatten)]
    connection: Option<Box<ConnectionFailed>>,
    /// The fields that cannot be accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    #[serde(skip)]
    retry_after_s: Option<i64>,
}

fn as_urn<S: Serializer>(kind: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("urn:linkwell:problem:{kind}"))
}

/// A failure of a connection, in a problem.
#[derive(Debug, Serialize)]
struct ConnectionFailed {
    /// The failure code, from the closed list.
    code: FailureCode,
    /// An open word that tells causes of one code apart, for support and logs.
    failure_detail: String,
    /// What failed, why, and the one thing to do, as people see it.
    prompt: Prompt,
    /// When it is worth asking again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<DateTime<Utc>>,
}

/// An error of a JSON route.
pub type Answer<T> = Result<T, Problem>;

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &str) -> Self {
        Self {
            kind,
            title: title.into(),
            status: status.as_u16(),
            detail: None,
            connection: None,
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Nobody is signed in, or no living key was presented.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in")
            .detail("Send a living API key as `Authorization: Bearer lw_…`.")
    }

    /// The address exists, the thing does not, or not for this caller.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found")
    }

    /// A message that no provider signed.
    pub fn not_genuine() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not-genuine", "Not genuine")
    }

    /// The request's body cannot be read.
    pub fn unreadable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unreadable",
            "The request cannot be read",
        )
        .detail(detail)
    }

    /// A failure of a connection, with its code, prompt and time to come back.
    pub fn failed(failure: &Failure, subject: &Subject<'_>) -> Self {
        let prompt = Prompt::of(failure, subject);
        let status = match failure.code {
            FailureCode::ProviderLimitedOrDown
            | FailureCode::NetworkOrTimeout
            | FailureCode::SignInSlow
            | FailureCode::HubInternal => StatusCode::SERVICE_UNAVAILABLE,
            // The request was fine; the connection is in a state that a person
            // has to change first.
            _ => StatusCode::CONFLICT,
        };
        Self {
            detail: Some(prompt.why.clone()),
            retry_after_s: failure
                .retry_at
                .map(|at| (at - subject.at).num_seconds().max(1)),
            ..Self::new(status, "connection-failed", &prompt.what)
        }
        .about(failure, prompt)
    }

    fn about(mut self, failure: &Failure, prompt: Prompt) -> Self {
        self.connection = Some(Box::new(ConnectionFailed {
            code: failure.code,
            failure_detail: failure.detail.clone(),
            prompt,
            retry_at: failure.retry_at,
        }));
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Forbidden { needs } => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
                    .detail(format!("This needs {needs}."))
            }
            Error::Invalid(errors) => Self {
                errors,
                ..Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid",
                    "Some fields cannot be accepted",
                )
            },
            Error::Conflict(what) => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "It clashes with what is there",
            )
            .detail(what),
            Error::WrongCredentials => Self::unauthenticated(),
            Error::Throttled(wait) => Self {
                retry_after_s: Some(wait.as_secs().max(1) as i64),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many tries")
            },
            Error::Failed(failure) => {
                let subject = Subject {
                    provider_name: "the provider",
                    account: None,
                    at: failure.retry_at.unwrap_or_default(),
                    during: During::Connecting,
                    missing: &[],
                };
                Self::failed(&failure, &subject)
            }
            Error::Vault(error) => internal(&error),
            Error::Database(error) => internal(&error),
        }
    }
}

/// Logged here, where it is handled; the caller learns only that it was us.
fn internal(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a request failed inside the hub");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Something failed on our side",
    )
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_s;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
