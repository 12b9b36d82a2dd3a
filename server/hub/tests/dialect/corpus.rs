//! The corpus of raw signals: what is heard from outside, and the failure it is.
//! A signal that nothing maps fails here; one that nobody can hear yet waits,
//! by name.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use hub::{
    catalog::{Catalog, Variables},
    dialect::Dialect,
    failure::{Failure, FailureCode as Code},
    outbound::{NoAnswer, NotSent, Outbound, OutboundPolicy, SendError},
    secret::Secret,
};

use crate::bench::*;

/// Where a signal is heard.
#[derive(Clone, Copy, Debug)]
enum Heard {
    /// In the query of the redirect back to us.
    Callback(&'static str),
    /// From the token endpoint: status and body.
    Exchange(u16, &'static str),
    Refresh(u16, &'static str),
    /// From the API, asked with a token.
    Api(u16, &'static str),
    /// From the API, asked with a key a person entered.
    Key(u16, &'static str),
}
use Heard::{Api, Callback, Exchange, Key, Refresh};

const CORPUS: &[(&str, Heard, Code, &str)] = &[
    // The person's no.
    (
        "xero",
        Callback("error=access_denied"),
        Code::ConsentDeniedOrAbandoned,
        "access_denied",
    ),
    (
        "microsoft",
        Callback("error=access_denied&error_subcode=cancel"),
        Code::ConsentDeniedOrAbandoned,
        "cancel",
    ),
    (
        "linkedin",
        Callback("error=user_cancelled_login"),
        Code::ConsentDeniedOrAbandoned,
        "user_cancelled_login",
    ),
    (
        "linkedin",
        Callback("error=user_cancelled_authorize"),
        Code::ConsentDeniedOrAbandoned,
        "user_cancelled_authorize",
    ),
    (
        "facebook",
        Callback("error=access_denied&error_code=200&error_reason=user_denied"),
        Code::ConsentDeniedOrAbandoned,
        "access_denied",
    ),
    // Attempts at which nobody is asked.
    (
        "xero",
        Callback("error=login_required"),
        Code::GrantRevokedOrExpired,
        "login_required",
    ),
    (
        "xero",
        Callback("error=interaction_required"),
        Code::GrantRevokedOrExpired,
        "interaction_required",
    ),
    (
        "xero",
        Callback("error=consent_required"),
        Code::PermissionMissing,
        "consent_required",
    ),
    (
        "xero",
        Refresh(400, r#"{"error":"login_required"}"#),
        Code::GrantRevokedOrExpired,
        "login_required",
    ),
    (
        "xero",
        Refresh(400, r#"{"error":"consent_required"}"#),
        Code::PermissionMissing,
        "consent_required",
    ),
    // One name, two meanings.
    (
        "xero",
        Refresh(400, r#"{"error":"invalid_grant"}"#),
        Code::GrantRevokedOrExpired,
        "invalid_grant",
    ),
    (
        "xero",
        Exchange(400, r#"{"error":"invalid_grant"}"#),
        Code::FlowExpiredOrInvalid,
        "code_used_or_expired",
    ),
    (
        "github",
        Exchange(200, r#"{"error":"bad_verification_code"}"#),
        Code::FlowExpiredOrInvalid,
        "code_used_or_expired",
    ),
    // The operator's.
    (
        "xero",
        Exchange(401, r#"{"error":"invalid_client"}"#),
        Code::AppConfigInvalid,
        "invalid_client",
    ),
    (
        "xero",
        Exchange(400, r#"{"error":"unauthorized_client"}"#),
        Code::AppConfigInvalid,
        "unauthorized_client",
    ),
    (
        "xero",
        Exchange(400, r#"{"error":"redirect_uri_mismatch"}"#),
        Code::AppConfigInvalid,
        "redirect_uri_mismatch",
    ),
    (
        "xero",
        Refresh(401, r#"{"error":"invalid_client"}"#),
        Code::AppConfigInvalid,
        "invalid_client",
    ),
    (
        "xero",
        Callback("error=unauthorized_client"),
        Code::AppConfigInvalid,
        "unauthorized_client",
    ),
    (
        "xero",
        Callback("error=redirect_uri_mismatch"),
        Code::AppConfigInvalid,
        "redirect_uri_mismatch",
    ),
    (
        "xero",
        Callback("error=invalid_scope"),
        Code::AppConfigInvalid,
        "invalid_scope",
    ),
    // A right is missing.
    (
        "box",
        Exchange(400, r#"{"error":"invalid_scope"}"#),
        Code::PermissionMissing,
        "invalid_scope",
    ),
    (
        "box",
        Refresh(400, r#"{"error":"invalid_scope"}"#),
        Code::PermissionMissing,
        "invalid_scope",
    ),
    (
        "box",
        Api(403, r#"{"code":"insufficient_scope","message":"no"}"#),
        Code::PermissionMissing,
        "insufficient_scope",
    ),
    (
        "box",
        Api(403, r#"{"message":"no"}"#),
        Code::PermissionMissing,
        "http_403",
    ),
    // The organisation's.
    (
        "google-drive",
        Callback("error=admin_policy_enforced"),
        Code::AdminApprovalRequired,
        "admin_policy_enforced",
    ),
    (
        "google-drive",
        Callback("error=org_internal"),
        Code::AdminApprovalRequired,
        "org_internal",
    ),
    (
        "microsoft",
        Callback("error=access_denied&error_description=AADSTS65001%3A+no+consent"),
        Code::AdminApprovalRequired,
        "65001",
    ),
    (
        "microsoft",
        Callback("error=access_denied&error_description=AADSTS90094%3A+admin"),
        Code::AdminApprovalRequired,
        "90094",
    ),
    (
        "microsoft",
        Callback("error=access_denied&error_description=AADSTS53003%3A+policy"),
        Code::AdminApprovalRequired,
        "53003",
    ),
    // An extra confirmation.
    (
        "microsoft",
        Callback("error=interaction_required&error_description=AADSTS50076%3A+MFA"),
        Code::MfaOrChallengeRequired,
        "50076",
    ),
    (
        "microsoft",
        Callback("error=interaction_required&error_description=AADSTS50079%3A+MFA"),
        Code::MfaOrChallengeRequired,
        "50079",
    ),
    // Over by itself.
    (
        "xero",
        Callback("error=temporarily_unavailable"),
        Code::ProviderLimitedOrDown,
        "temporarily_unavailable",
    ),
    (
        "xero",
        Callback("error=server_error"),
        Code::ProviderLimitedOrDown,
        "server_error",
    ),
    (
        "xero",
        Refresh(400, r#"{"error":"temporarily_unavailable"}"#),
        Code::ProviderLimitedOrDown,
        "temporarily_unavailable",
    ),
    (
        "xero",
        Refresh(400, r#"{"error":"server_error"}"#),
        Code::ProviderLimitedOrDown,
        "server_error",
    ),
    (
        "xero",
        Exchange(500, ""),
        Code::ProviderLimitedOrDown,
        "http_500",
    ),
    (
        "xero",
        Refresh(503, ""),
        Code::ProviderLimitedOrDown,
        "http_503",
    ),
    (
        "xero",
        Api(502, ""),
        Code::ProviderLimitedOrDown,
        "http_502",
    ),
    (
        "stripe",
        Key(500, "{}"),
        Code::ProviderLimitedOrDown,
        "http_500",
    ),
    (
        "xero",
        Refresh(400, r#"{"error":"rate_limit"}"#),
        Code::ProviderLimitedOrDown,
        "rate_limit",
    ),
    (
        "xero",
        Refresh(400, r#"{"error":"slow_down"}"#),
        Code::ProviderLimitedOrDown,
        "slow_down",
    ),
    // Not what was begun, or not by whom.
    (
        "discord",
        Callback("code=c&iss=https%3A%2F%2Fevil.example"),
        Code::FlowExpiredOrInvalid,
        "iss_mismatch",
    ),
    (
        "discord",
        Callback("code=c"),
        Code::FlowExpiredOrInvalid,
        "iss_missing",
    ),
    (
        "xero",
        Callback("state=s"),
        Code::FlowExpiredOrInvalid,
        "code_missing",
    ),
    (
        "xero",
        Callback("code=a&code=b"),
        Code::FlowExpiredOrInvalid,
        "parameter_repeated",
    ),
    (
        "shopify",
        Callback("code=c&shop=other.myshopify.com"),
        Code::FlowExpiredOrInvalid,
        "signature_missing",
    ),
    // Keys.
    (
        "stripe",
        Key(401, r#"{"error":{"type":"invalid_request_error"}}"#),
        Code::CredentialsRejected,
        "http_401",
    ),
    (
        "stripe",
        Key(403, r#"{"error":{"type":"invalid_request_error"}}"#),
        Code::PermissionMissing,
        "http_403",
    ),
];

/// What nobody reads yet, by the subject of the work that will.
const WAITING: &[(&str, &str)] = &[
    ("a test key in live mode", WIZARD),
    ("redirected to a login page", BROWSERS),
    ("OTP, captcha or push asked for", BROWSERS),
    ("unusual activity, account locked", BROWSERS),
    ("proof selector missing without a login form", BROWSERS),
    ("passkey only", BROWSERS),
    (
        "Plaid ITEM_LOGIN_REQUIRED, USER_PERMISSION_REVOKED",
        BROWSERS,
    ),
    (
        "MX DENIED PREVENTED CHALLENGED REJECTED LOCKED IMPEDED EXPIRED",
        BROWSERS,
    ),
];
const WIZARD: &str =
    "The chat-guided wizard, credentials tested before they are kept, and the `/v1` surface";
const BROWSERS: &str = "Browser-session connections";

/// What a shipped entry makes of a signal.
async fn heard(bench: &Bench, catalog: &Catalog, id: &str, signal: Heard, wait: bool) -> Failure {
    let provider = catalog.get(id).unwrap_or_else(|| panic!("no {id}"));
    let values = bench.values(provider);
    let answer = |status: u16, body: &str| -> Response {
        let status = StatusCode::from_u16(status).unwrap();
        let mut answer = (status, body.to_owned()).into_response();
        if wait {
            let name = HeaderName::from_static("retry-after");
            answer
                .headers_mut()
                .insert(name, HeaderValue::from_static("120"));
        }
        answer
    };
    match signal {
        Callback(query) => {
            let query = pairs(query);
            failed(
                bench
                    .dialect
                    .read_callback(provider, &app(), &values, &query),
            )
        }
        Exchange(status, body) => {
            bench.will_answer(answer(status, body));
            failed(bench.trade(catalog, id).await)
        }
        Refresh(status, body) => {
            bench.will_answer(answer(status, body));
            failure_of(bench.renew(catalog, id).await)
        }
        Api(status, body) | Key(status, body) => {
            bench.will_answer(answer(status, body));
            let token = match signal {
                Key(..) => entered(provider).to_stored(),
                _ => Secret::new("tok"),
            };
            let asked = bench
                .dialect
                .identify(provider, &values, &values, &token, None);
            failed(asked.await)
        }
    }
}

#[tokio::test]
async fn every_raw_signal_is_the_failure_it_stands_for() {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    for (id, signal, code, detail) in CORPUS {
        let failure = heard(&bench, &catalog, id, *signal, false).await;
        assert_eq!(
            (failure.code, failure.detail.as_str()),
            (*code, *detail),
            "{id} {signal:?}"
        );
    }
    // Those that limit us say until when.
    for signal in [
        Exchange(429, ""),
        Refresh(429, "{}"),
        Api(429, ""),
        Refresh(503, ""),
    ] {
        let failure = heard(&bench, &catalog, "xero", signal, true).await;
        let until = Some(bench.now() + chrono::TimeDelta::minutes(2));
        assert_eq!(
            (failure.code, failure.retry_at),
            (Code::ProviderLimitedOrDown, until)
        );
    }
}

#[tokio::test]
async fn what_no_line_knows_is_ours_and_says_where_it_came_from() {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    for signal in [
        Callback("error=brand_new"),
        Exchange(400, r#"{"error":"brand_new"}"#),
        Refresh(400, r#"{"error":"brand_new"}"#),
        Api(418, r#"{"error":"brand_new"}"#),
    ] {
        let failure = heard(&bench, &catalog, "xero", signal, false).await;
        assert_eq!(
            (failure.code, failure.detail.as_str()),
            (Code::HubInternal, "unmapped:xero:brand_new"),
            "{signal:?}"
        );
    }
}

#[tokio::test]
async fn an_account_or_a_target_that_is_another_is_told_as_one() {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    // A genuine answer for another shop.
    let provider = catalog.get("shopify").unwrap();
    let values = Variables::from([("shop".into(), "mine".into())]);
    let query = signed(&[("code", "c"), ("shop", "other.myshopify.com")]);
    let failure = failed(
        bench
            .dialect
            .read_callback(provider, &app(), &values, &query),
    );
    assert_eq!(
        (failure.code, failure.detail.as_str()),
        (Code::AccountOrTargetMismatch, "shop_mismatch")
    );

    // What a person typed leads nowhere, or where nobody may go.
    let outbound = Outbound::new(OutboundPolicy::default()).unwrap();
    let dialect = Dialect::new(outbound, bench.clock.clone());
    let shipped = Catalog::embedded().unwrap();
    let provider = shipped.get("rest-api").unwrap();
    for (typed, detail) in [
        ("https://no-such-host.invalid", "host"),
        ("https://10.0.0.1", "address_not_allowed"),
        ("https://127.0.0.1", "address_not_allowed"),
        ("https://169.254.169.254", "address_not_allowed"),
    ] {
        let mut values = bench.values(provider);
        values.insert("base_url".into(), typed.into());
        let token = entered(provider).to_stored();
        let asked = dialect.identify(provider, &values, &values, &token, None);
        let failure = failed(asked.await);
        assert_eq!(
            (failure.code, failure.detail.as_str()),
            (Code::AccountOrTargetMismatch, detail),
            "{typed}"
        );
    }
    // The provider's own name is nobody's mistake.
    let provider = shipped.get("stripe").unwrap();
    let token = entered(provider).to_stored();
    let failure = failed(
        dialect
            .identify(provider, &Variables::new(), &Variables::new(), &token, None)
            .await,
    );
    assert_eq!(failure.code, Code::NetworkOrTimeout, "{failure:?}");
}

#[test]
fn what_the_network_does_is_told_from_what_a_provider_does() {
    let fates = [
        (
            SendError::NotSent(NotSent::AddressNotAllowed),
            Code::AccountOrTargetMismatch,
            "address_not_allowed",
        ),
        (
            SendError::NotSent(NotSent::HttpsRequired),
            Code::AccountOrTargetMismatch,
            "https_required",
        ),
        (
            SendError::NotSent(NotSent::Dns),
            Code::NetworkOrTimeout,
            "dns",
        ),
        (
            SendError::NotSent(NotSent::Connect),
            Code::NetworkOrTimeout,
            "connect",
        ),
        (
            SendError::NotSent(NotSent::NoSuchHost),
            Code::NetworkOrTimeout,
            "no_such_host",
        ),
        (
            SendError::NotSent(NotSent::Tls),
            Code::NetworkOrTimeout,
            "tls",
        ),
        (
            SendError::NotSent(NotSent::CertificateName),
            Code::NetworkOrTimeout,
            "certificate_name",
        ),
        (
            SendError::NotSent(NotSent::CertificateExpired),
            Code::NetworkOrTimeout,
            "certificate_expired",
        ),
        (
            SendError::NotSent(NotSent::CertificateUntrusted),
            Code::NetworkOrTimeout,
            "certificate_untrusted",
        ),
        (
            SendError::NoAnswer(NoAnswer::Timeout),
            Code::NetworkOrTimeout,
            "timeout_after_send",
        ),
        (
            SendError::NoAnswer(NoAnswer::Cut),
            Code::NetworkOrTimeout,
            "cut_after_send",
        ),
        (
            SendError::NoAnswer(NoAnswer::TooLarge),
            Code::ProviderLimitedOrDown,
            "answer_too_large",
        ),
    ];
    for (error, code, detail) in fates {
        let failure = error.failure();
        assert_eq!((failure.code, failure.detail.as_str()), (code, detail));
    }
}

#[test]
fn what_waits_is_named_with_the_work_it_waits_for() {
    let signals: std::collections::BTreeSet<_> = WAITING.iter().map(|(signal, _)| signal).collect();
    assert_eq!(signals.len(), WAITING.len());
    // Nothing that waits is offered meanwhile.
    let catalog = Catalog::embedded().unwrap();
    let provider = catalog.get("instagram-session").unwrap();
    assert!(
        provider.identity.call.is_none(),
        "it is asked: its signals have a reader now"
    );
}

/// A query signed as Shopify signs it.
fn signed(query: &[(&str, &str)]) -> Vec<(String, String)> {
    use hmac::{Hmac, KeyInit, Mac};
    let message = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"hush").unwrap();
    mac.update(message.as_bytes());
    let digest = mac.finalize().into_bytes();
    let signature: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs(&format!("{message}&hmac={signature}"))
}
