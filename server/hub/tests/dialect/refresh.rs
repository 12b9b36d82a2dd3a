//! Refresh: what is final, what is not, and what nobody can know.

use axum::body::Body;
use chrono::TimeDelta;
use http::StatusCode;
use hub::{
    catalog::Variables,
    dialect::{Dialect, RefreshAnswer},
    outbound::{Outbound, OutboundPolicy},
    secret::Secret,
};

use crate::bench::*;

#[tokio::test]
async fn refresh_answers_are_sorted_with_care() {
    let bench = Bench::start().await;
    let catalog = bench.made_up("");
    let deep = format!(
        "{{\"access_token\":\"a\",\"x\":{}{}}}",
        "[".repeat(40),
        "]".repeat(40)
    );
    let abyss = format!("{{\"access_token\":\"a\",\"x\":{}", "[".repeat(30_000));
    let grant_gone =
        r#"{"error":"invalid_grant","error_description":"Token old-refresh-token was revoked"}"#;
    let cases: Vec<(u16, &str, &str, &str)> = vec![
        (200, r#"{"access_token":"a"}"#, "renewed", ""),
        (200, r#"{"access_token":"a","error":null}"#, "renewed", ""),
        (200, r#"{"access_token":"a","error":false}"#, "renewed", ""),
        (201, r#"{"access_token":"a"}"#, "renewed", ""),
        (
            400,
            grant_gone,
            "refused",
            "GRANT_REVOKED_OR_EXPIRED invalid_grant",
        ),
        (
            401,
            grant_gone,
            "refused",
            "GRANT_REVOKED_OR_EXPIRED invalid_grant",
        ),
        (
            200,
            grant_gone,
            "refused",
            "GRANT_REVOKED_OR_EXPIRED invalid_grant",
        ),
        (
            401,
            r#"{"error":"invalid_client"}"#,
            "refused",
            "APP_CONFIG_INVALID invalid_client",
        ),
        (
            400,
            r#"{"error":"slow_down"}"#,
            "later",
            "PROVIDER_LIMITED_OR_DOWN slow_down",
        ),
        (
            400,
            r#"{"error":"brand_new"}"#,
            "later",
            "HUB_INTERNAL unmapped:made-up:brand_new",
        ),
        (
            400,
            r#"{"message":"no"}"#,
            "later",
            "HUB_INTERNAL unmapped:made-up:http_400",
        ),
        // Whatever a status of trouble carries, it is not final.
        (
            429,
            grant_gone,
            "later",
            "PROVIDER_LIMITED_OR_DOWN http_429",
        ),
        (408, "", "later", "NETWORK_OR_TIMEOUT http_408"),
        (503, "", "later", "PROVIDER_LIMITED_OR_DOWN http_503"),
        (
            500,
            grant_gone,
            "later",
            "PROVIDER_LIMITED_OR_DOWN http_500",
        ),
        (
            500,
            r#"{"error":"server_error"}"#,
            "later",
            "PROVIDER_LIMITED_OR_DOWN server_error",
        ),
        // The server behind the gateway may have rotated.
        (
            502,
            "<html>",
            "unclear",
            "PROVIDER_LIMITED_OR_DOWN http_502",
        ),
        (504, "", "unclear", "PROVIDER_LIMITED_OR_DOWN http_504"),
        // A firewall, not the provider.
        (
            403,
            "<html>Attention Required!",
            "later",
            "PROVIDER_LIMITED_OR_DOWN unreadable_answer",
        ),
        (
            400,
            "",
            "later",
            "PROVIDER_LIMITED_OR_DOWN unreadable_answer",
        ),
        (
            302,
            "",
            "later",
            "PROVIDER_LIMITED_OR_DOWN redirect_refused",
        ),
        // It said yes, and what it gave is lost.
        (
            200,
            "<html>",
            "unclear",
            "PROVIDER_LIMITED_OR_DOWN unreadable_answer",
        ),
        (
            200,
            "",
            "unclear",
            "PROVIDER_LIMITED_OR_DOWN unreadable_answer",
        ),
        (
            200,
            "{\"access_token\":",
            "unclear",
            "PROVIDER_LIMITED_OR_DOWN unreadable_answer",
        ),
        (
            200,
            r#"{"hello":"world"}"#,
            "unclear",
            "PROVIDER_LIMITED_OR_DOWN no_token_in_answer",
        ),
        (
            200,
            r#"{"access_token":""}"#,
            "unclear",
            "PROVIDER_LIMITED_OR_DOWN no_token_in_answer",
        ),
        (
            200,
            r#"{"access_token":null}"#,
            "unclear",
            "PROVIDER_LIMITED_OR_DOWN no_token_in_answer",
        ),
        (
            200,
            &deep,
            "unclear",
            "PROVIDER_LIMITED_OR_DOWN unreadable_answer",
        ),
        (
            200,
            &abyss,
            "unclear",
            "PROVIDER_LIMITED_OR_DOWN unreadable_answer",
        ),
    ];
    for (code, body, expected_kind, expected) in cases {
        bench.will_answer(status(code, body));
        let answer = bench.refresh(&catalog, "made-up").await;
        let (kind, failure) = kind(&answer);
        let shown: String = body.chars().take(60).collect();
        assert_eq!(
            (kind, failure.as_str()),
            (expected_kind, expected),
            "{code} {shown}"
        );
        if let RefreshAnswer::Refused(failure) = answer {
            let text = failure.provider_text.unwrap_or_default();
            assert!(!text.contains("old-refresh-token"), "{text}");
        }
    }
    let seen = bench.seen();
    let expected = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "old-refresh-token"),
    ];
    assert!(
        seen.iter()
            .all(|request| request.form() == variables(&expected))
    );
}

#[tokio::test]
async fn a_refresh_that_never_left_is_told_from_one_that_may_have_worked() {
    let bench = Bench::start().await;
    // Bound, so that nobody else gets the port, and not listening.
    let deaf = tokio::net::TcpSocket::new_v4().unwrap();
    deaf.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let unused = deaf.local_addr().unwrap();
    let cutting = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cutting_address = cutting.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = cutting.accept().await {
            let mut buffer = [0; 4096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await;
        }
    });
    let outbound = Outbound::new(OutboundPolicy {
        allow_exact: vec![unused, cutting_address],
        ..OutboundPolicy::default()
    });
    let dialect = Dialect::new(outbound.unwrap(), bench.clock.clone());
    let presented = Secret::new("r");
    for (at, expected) in [
        (
            format!("http://{unused}"),
            ("not sent", "NETWORK_OR_TIMEOUT connect"),
        ),
        (
            format!("http://{cutting_address}"),
            ("unclear", "NETWORK_OR_TIMEOUT cut_after_send"),
        ),
        (
            "https://10.0.0.1".to_owned(),
            ("not sent", "ACCOUNT_OR_TARGET_MISMATCH address_not_allowed"),
        ),
    ] {
        let catalog = bench.made_up("").with_global("peer", &at);
        let provider = catalog.get("made-up").unwrap();
        let (kind, failure) = kind(
            &dialect
                .refresh(provider, &app(), &Variables::new(), &presented)
                .await,
        );
        assert_eq!((kind, failure.as_str()), expected, "{at}");
    }
}

#[tokio::test]
async fn retry_after_in_both_forms() {
    let bench = Bench::start().await;
    let catalog = bench.made_up("");
    for (told, expected) in [
        ("120", Some(TimeDelta::seconds(120))),
        ("0", Some(TimeDelta::zero())),
        ("-5", Some(TimeDelta::zero())),
        ("Fri, 20 Nov 2026 10:05:00 GMT", Some(TimeDelta::minutes(5))),
        ("Fri, 20 Nov 2026 09:00:00 GMT", Some(TimeDelta::zero())),
        ("99999999999999999999", Some(TimeDelta::days(1))),
        ("tomorrow", None),
    ] {
        bench.will_answer((
            StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", told)],
            Body::empty(),
        ));
        let RefreshAnswer::Later(failure) = bench.refresh(&catalog, "made-up").await else {
            panic!("later: {told}");
        };
        assert_eq!(
            failure.retry_at,
            expected.map(|wait| bench.now() + wait),
            "{told}"
        );
    }
}
