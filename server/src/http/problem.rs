//! Errors as `application/problem+json` (RFC 9457), from one table.

use std::time::Duration;

use axum::{
    Json,
    extract::rejection::QueryRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use hub::{
    Error, FieldProblem,
    failure::{Failure, FailureCode},
    people::RECENT,
    prompt::{During, Prompt, Subject},
};
use serde::{Serialize, Serializer};
use utoipa::{
    IntoParams, ToResponse, ToSchema,
    openapi::{Components, ComponentsBuilder},
};

use super::api::schema;

/// What an API caller is told when it does not get what it asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; a fragment of the API's own documentation.
    #[serde(rename = "type", serialize_with = "as_urn")]
    #[schema(value_type = String, example = "urn:linkwell:problem:not-found")]
    kind: &'static str,
    title: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What is wrong with the connection, when that is the problem.
    #[serde(flatten)]
    #[schema(value_type = ConnectionFailed)]
    connection: Option<Box<ConnectionFailed>>,
    /// The fields that cannot be accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after_s: Option<i64>,
    /// Whether the password has to be given again first.
    #[serde(skip)]
    needs_proof: bool,
}

fn as_urn<S: Serializer>(kind: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("urn:linkwell:problem:{kind}"))
}

/// One field that cannot be accepted.
#[derive(Debug, Serialize, ToSchema)]
struct FieldError {
    /// Where it is in the request.
    field: String,
    /// What to do about it.
    message: String,
}

impl From<FieldProblem> for FieldError {
    fn from(problem: FieldProblem) -> Self {
        Self {
            field: problem.field,
            message: problem.problem,
        }
    }
}

/// A failure of a connection, in a problem.
#[derive(Debug, Serialize, ToSchema)]
struct ConnectionFailed {
    /// The failure code, from the closed list.
    #[schema(required = false, schema_with = schema::failure_code)]
    code: FailureCode,
    /// An open word that tells causes of one code apart, for support and logs.
    #[schema(required = false)]
    failure_detail: String,
    /// What failed, why, and the one thing to do, as people see it.
    #[schema(required = false, schema_with = schema::prompt)]
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
            needs_proof: false,
        }
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Nobody is signed in, or no living key was presented.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in").detail(
            "Send a living API key, or a token made from one, as `Authorization: Bearer lw_…`.",
        )
    }

    /// The token's person gave their password too long ago for this (RFC 9470).
    fn unproven() -> Self {
        Self {
            needs_proof: true,
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "sign-in-again",
                "This needs a recent sign-in",
            )
        }
        .detail("Have the person give their password again, and send a token made after that.")
    }

    /// Nothing shows that the caller may change something: no key, and no page of
    /// ours.
    pub fn no_authority() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed").detail(
            "Send a living API key, or a token made from one, as `Authorization: Bearer lw_…`.",
        )
    }

    /// The address exists, the thing does not, or not for this caller.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found")
    }

    /// The address exists and does not do this.
    pub fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "wrong-method",
            "This address does not do that",
        )
        .detail("What it does is in `Allow`.")
    }

    /// The body is no JSON by what it says of itself.
    pub fn not_json() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "The body has to be JSON",
        )
        .detail("Send it with `Content-Type: application/json`.")
    }

    /// The body is larger than anything that is accepted.
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The body is too large",
        )
    }

    /// The body is no JSON.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "The request cannot be read",
        )
        .detail(detail)
    }

    /// One field cannot be accepted.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Invalid(vec![FieldProblem {
            field: field.into(),
            problem: message.into(),
        }])
        .into()
    }

    /// A budget of calls is used up.
    pub fn throttled(wait: Duration) -> Self {
        Self {
            retry_after_s: i64::try_from(wait.as_millis().div_ceil(1000))
                .ok()
                .map(|s| s.max(1)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many calls")
        }
        .detail("Try again after `Retry-After` seconds.")
    }

    /// The same request is being done.
    pub fn under_way() -> Self {
        Self {
            retry_after_s: Some(1),
            ..Self::new(
                StatusCode::CONFLICT,
                "under-way",
                "The same request is under way",
            )
        }
    }

    /// A request whose work did not come to its end.
    pub fn interrupted() -> Self {
        Self {
            retry_after_s: Some(5),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "interrupted",
                "The request was interrupted",
            )
        }
    }

    /// The database is away, or takes nothing at present.
    pub fn away() -> Self {
        Self {
            retry_after_s: Some(5),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The hub cannot reach its database just now",
            )
        }
        .detail("Nothing is lost. Try again after `Retry-After` seconds.")
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

    /// A parameter of the address cannot be read, or there is none of that name.
    pub fn unreadable_query(rejection: &QueryRejection) -> Self {
        let text = rejection.body_text();
        let why = text.strip_prefix("Failed to deserialize query string: ");
        let why = why.unwrap_or(&text);
        // As serde says it: foo: unknown field `foo`, expected one of `a`, `b`
        let Some((_, unknown)) = why.split_once("unknown field ") else {
            return Self::unreadable(why);
        };
        let (name, known) = unknown.split_once(", expected ").unwrap_or((unknown, ""));
        let known = known.strip_prefix("one of ").unwrap_or(known);
        Self::unreadable(match known {
            "" => format!("There is no parameter {name}."),
            known => format!("There is no parameter {name}, but {known}."),
        })
    }

    /// A failure of a connection, with its code, prompt and time to come back.
    pub fn failed(failure: &Failure, prompt: Prompt, now: DateTime<Utc>) -> Self {
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
            retry_after_s: failure.retry_at.map(|at| (at - now).num_seconds().max(1)),
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
            Error::Unproven => Self::unproven(),
            Error::Invalid(errors) => Self {
                errors: errors.into_iter().map(FieldError::from).collect(),
                ..Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid",
                    "Some fields cannot be accepted",
                )
            },
            Error::Paused => Self::new(StatusCode::CONFLICT, "paused", "This connection is paused")
                .detail("A person lets it rest. It can be used again once somebody resumes it."),
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
            Error::TooMuch { why, wait } => Self {
                detail: Some(format!("{why}. Try again after `Retry-After` seconds.")),
                ..Self::throttled(wait)
            },
            Error::Failed(failure) => {
                let subject = Subject {
                    provider_name: "the provider",
                    account: None,
                    at: failure.retry_at.unwrap_or_default(),
                    during: During::Connecting,
                    missing: &[],
                    is_operators_app: false,
                };
                Self::failed(&failure, Prompt::of(&failure, &subject), subject.at)
            }
            error if error.is_away() => {
                tracing::error!(%error, "a request met no database");
                Self::away()
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
        let (retry_after, needs_proof) = (self.retry_after_s, self.needs_proof);
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
            let scheme = "Bearer realm=\"Linkwell\"";
            let scheme = match needs_proof {
                false => scheme.to_owned(),
                true => format!(
                    "{scheme}, error=\"insufficient_user_authentication\", max_age={}",
                    RECENT.num_seconds()
                ),
            };
            let scheme = HeaderValue::from_str(&scheme).expect("words and a number");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// `Idempotency-Key` in the description of a request.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the description is all there is to it")]
pub struct IdempotencyKey {
    /// Any text that names this request: sent again with the same within 24
    /// hours, it is answered the same and done once
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255
    )]
    idempotency_key: Option<String>,
}

macro_rules! described {
    ($($name:ident: $about:literal $(, $header:literal = $what:literal)?;)*) => {
        $(
            #[doc = $about]
            #[derive(ToResponse)]
            #[response(
                description = $about, content_type = "application/problem+json",
                $(headers(($header, description = $what)))?
            )]
            #[expect(dead_code, reason = "the description is all there is to it")]
            pub struct $name(Problem);
        )*

        /// The problems that many requests share.
        pub fn components() -> Components {
            ComponentsBuilder::new()
                $(.response_from::<$name>())*
                .schema_from::<Problem>()
                .build()
        }
    };
}

described! {
    Unauthenticated: "No living key was shown", "www-authenticate" = "`Bearer`";
    Forbidden: "The key has not the scope, or the person's role does not allow it";
    NotFound: "There is no such thing, or not for this caller";
    Malformed: "The body is no JSON";
    TooLarge: "The body is too large";
    NotJson: "The body has to be JSON";
    Invalid: "Some fields cannot be accepted: `errors` says which and why";
    Conflict: "It clashes with what is there, or the same request is under way";
    Throttled: "Too many calls", "retry-after" = "After how many seconds to try again";
}
