//! Which refusals end a grant, which are the operator's to mend, and which are
//! over by themselves: every provider's own words, as it answers them.

use axum::response::IntoResponse;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hub::{
    dialect::RefreshAnswer,
    failure::{Failure, FailureCode as Code},
    secret::Secret,
};

use crate::bench::*;

/// What an answer must come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    /// Refused for good.
    Final(Code),
    /// The operator must act; nobody is asked to reconnect.
    App,
    /// Tried again later; the tokens are kept.
    Later,
}
pub(crate) use Fate::{App, Later};

/// The person is asked to reconnect.
pub(crate) const GONE: Fate = Fate::Final(Code::GrantRevokedOrExpired);
pub(crate) const REFUSED: Fate = Fate::Final(Code::RefusedByProvider);
pub(crate) const SIGN_IN: Fate = Fate::Final(Code::MfaOrChallengeRequired);

/// An answer of the token endpoint, or of the API.
pub(crate) struct Case<'a> {
    pub(crate) api: bool,
    pub(crate) status: u16,
    pub(crate) header: Option<(&'static str, &'static str)>,
    pub(crate) body: &'a str,
    pub(crate) fate: Fate,
}

pub(crate) fn token(status: u16, body: &str, fate: Fate) -> Case<'_> {
    Case {
        api: false,
        status,
        header: None,
        body,
        fate,
    }
}

pub(crate) fn api(status: u16, body: &str, fate: Fate) -> Case<'_> {
    Case {
        api: true,
        ..token(status, body, fate)
    }
}

/// What is never final, whoever answers it and whatever stands in it.
const NEVER_FINAL: [(u16, &str); 6] = [
    (429, r#"{"error":"invalid_grant"}"#),
    (500, ""),
    (502, "<html>Bad Gateway"),
    (503, r#"{"error":"invalid_grant"}"#),
    (400, "<html>Request blocked"),
    (200, "{}"),
];

/// Feeds the answers to a shipped entry, led to the peer.
pub(crate) async fn sorted(id: &str, cases: &[Case<'_>]) {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    let provider = catalog.get(id).unwrap();
    let values = bench.values(provider);
    let presented = Secret::new("old-refresh-token");
    let never = NEVER_FINAL.map(|(status, body)| token(status, body, Later));
    for case in cases.iter().chain(&never) {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = case.header {
            let value = HeaderValue::from_static(value);
            headers.insert(HeaderName::from_static(name), value);
        }
        let status = StatusCode::from_u16(case.status).unwrap();
        bench.will_answer((status, headers, case.body.to_owned()).into_response());
        let (is_final, failure) = match case.api {
            true => {
                let asked = bench
                    .dialect
                    .identify(provider, &values, &values, &presented, None);
                let failure = failed(asked.await);
                (!failure.code.is_transient(), failure)
            }
            false => {
                let app = app();
                let asked = bench.dialect.refresh(provider, &app, &values, &presented);
                told(asked.await)
            }
        };
        let (status, body) = (case.status, case.body);
        let found = match (is_final, failure.code) {
            (false, _) => Later,
            (true, Code::AppConfigInvalid) => App,
            (true, code) => Fate::Final(code),
        };
        assert_eq!(found, case.fate, "{status} {body}: {failure:?}");
        assert_eq!(is_final, !failure.code.is_transient(), "{failure:?}");
        assert!(
            !failure.detail.starts_with("unmapped"),
            "{body}: {failure:?}"
        );
    }
    // Each answer was to one request: none went elsewhere, none was repeated.
    assert_eq!(bench.seen().len(), cases.len() + never.len());
}

fn told(answer: RefreshAnswer) -> (bool, Failure) {
    match answer {
        RefreshAnswer::Refused(failure) => (true, failure),
        RefreshAnswer::Later(failure) | RefreshAnswer::Unclear(failure) => (false, failure),
        RefreshAnswer::NotSent(failure) => panic!("not sent: {failure:?}"),
        RefreshAnswer::Renewed(_) => panic!("renewed"),
    }
}

pub(crate) const INVALID_GRANT: &str =
    r#"{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}"#;
pub(crate) const INVALID_CLIENT: &str =
    r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#;
pub(crate) const UNAUTHORIZED_CLIENT: &str =
    r#"{"error":"unauthorized_client","error_description":"The client may not do this"}"#;
