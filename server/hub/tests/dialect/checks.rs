//! Identity, checks and revocation.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use hub::{
    catalog::Catalog,
    dialect::{Revocation, TOKEN_EXPIRED, Tokens},
    failure::FailureCode as Code,
    secret::Secret,
};

use crate::bench::*;

#[tokio::test]
async fn identity_comes_from_where_the_entry_says() {
    let bench = Bench::start().await;
    let token = Secret::new("tok");
    let ask = async |catalog: &Catalog, id: &str, values: &[(&str, &str)]| {
        let provider = catalog.get(id).unwrap();
        bench
            .dialect
            .identify(provider, &variables(&[]), &variables(values), &token, None)
            .await
    };

    let github = bench.entry("github", &["github.com", "api.github.com"]);
    bench.will_answer((
        [("x-oauth-scopes", "repo, gist")],
        r#"{"id":7,"login":"mia"}"#,
    ));
    let identity = ask(&github, "github", &[]).await.unwrap();
    assert_eq!(
        (identity.id.as_str(), identity.label.as_str()),
        ("7", "mia")
    );
    assert_eq!(identity.granted_scopes.unwrap(), ["repo", "gist"]);
    assert_eq!(bench.seen()[0].header("authorization"), "Bearer tok");

    let shopify = bench.entry("shopify", &["{shop}.myshopify.com"]);
    bench.will_answer(json(r#"{"data":{"shop":{"id":"gid://1","name":"Mia's"}}}"#));
    let identity = ask(&shopify, "shopify", &[("shop", "mia")]).await.unwrap();
    assert_eq!(
        (identity.id.as_str(), identity.label.as_str()),
        ("gid://1", "Mia's")
    );
    let seen = bench.seen();
    assert_eq!(seen[0].header("x-shopify-access-token"), "tok");
    assert_eq!(seen[0].path, "/admin/api/2026-07/graphql.json");
    assert_eq!(
        seen[0].body,
        r#"{"query":"{shop{id name myshopifyDomain}}"}"#
    );

    let quickbooks = bench.entry("quickbooks", &["quickbooks.api.intuit.com"]);
    bench.will_answer(json(r#"{"CompanyInfo":{"CompanyName":"Mia Ltd"}}"#));
    let identity = ask(&quickbooks, "quickbooks", &[("realmId", "42")])
        .await
        .unwrap();
    assert_eq!(
        (identity.id.as_str(), identity.label.as_str()),
        ("42", "Mia Ltd")
    );
    assert_eq!(bench.seen()[0].path, "/v3/company/42/companyinfo/42");

    let gmail = bench.entry(
        "google-gmail",
        &["openidconnect.googleapis.com", "gmail.googleapis.com"],
    );
    bench.will_answer(json(r#"{"sub":"108","email":"mia@example.com"}"#));
    bench.will_answer(json(r#"{"emailAddress":"mia@example.com"}"#));
    let identity = ask(&gmail, "google-gmail", &[]).await.unwrap();
    assert_eq!(
        (identity.id.as_str(), identity.label.as_str()),
        ("108", "mia@example.com")
    );
    // Signed in, but without the right to mail: that is no working connection.
    bench.will_answer(json(r#"{"sub":"108","email":"mia@example.com"}"#));
    bench.will_answer(status(
        403,
        r#"{"error":{"code":403,"errors":[{"reason":"insufficientPermissions"}]}}"#,
    ));
    let failure = failed(ask(&gmail, "google-gmail", &[]).await);
    assert_eq!(
        (failure.code, failure.detail.as_str()),
        (Code::PermissionMissing, "insufficientPermissions")
    );
}

#[tokio::test]
async fn failed_checks_say_why() {
    let bench = Bench::start().await;
    let made_up = bench.made_up("");
    let github = bench.entry("github", &["github.com", "api.github.com"]);
    let slack = bench.entry("slack", &["slack.com"]);
    let quickbooks = bench.entry("quickbooks", &["quickbooks.api.intuit.com"]);
    let shopify = bench.entry("shopify", &["{shop}.myshopify.com"]);
    let limited = (
        StatusCode::FORBIDDEN,
        [("x-ratelimit-remaining", "0")],
        "{}",
    )
        .into_response();
    let scope = (
        StatusCode::FORBIDDEN,
        [("www-authenticate", r#"Bearer error="insufficient_scope""#)],
        "",
    )
        .into_response();
    let cases = [
        (
            &made_up,
            "made-up",
            status(401, ""),
            Code::GrantRevokedOrExpired,
            TOKEN_EXPIRED,
        ),
        (
            &made_up,
            "made-up",
            scope,
            Code::PermissionMissing,
            "insufficient_scope",
        ),
        (
            &made_up,
            "made-up",
            status(401, "<html>"),
            Code::ProviderLimitedOrDown,
            "unreadable_answer",
        ),
        (
            &made_up,
            "made-up",
            status(200, "<html>"),
            Code::ProviderLimitedOrDown,
            "unreadable_answer",
        ),
        (
            &made_up,
            "made-up",
            status(200, "{}"),
            Code::ProviderLimitedOrDown,
            "unreadable_answer",
        ),
        (
            &made_up,
            "made-up",
            status(500, ""),
            Code::ProviderLimitedOrDown,
            "http_500",
        ),
        (
            &made_up,
            "made-up",
            status(302, ""),
            Code::ProviderLimitedOrDown,
            "unreadable_answer",
        ),
        (
            &github,
            "github",
            status(401, r#"{"message":"Bad credentials"}"#),
            Code::GrantRevokedOrExpired,
            "http_401",
        ),
        (
            &github,
            "github",
            limited,
            Code::ProviderLimitedOrDown,
            "http_403",
        ),
        (
            &slack,
            "slack",
            json(r#"{"ok":false,"error":"token_revoked"}"#),
            Code::GrantRevokedOrExpired,
            "token_revoked",
        ),
        (
            &slack,
            "slack",
            json(r#"{"ok":false,"error":"token_expired"}"#),
            Code::GrantRevokedOrExpired,
            TOKEN_EXPIRED,
        ),
        (
            &quickbooks,
            "quickbooks",
            status(401, r#"{"Fault":{"Error":[{"code":"3200"}]}}"#),
            Code::GrantRevokedOrExpired,
            TOKEN_EXPIRED,
        ),
        (
            &shopify,
            "shopify",
            json(r#"{"errors":[{"message":"slow","extensions":{"code":"THROTTLED"}}]}"#),
            Code::ProviderLimitedOrDown,
            "THROTTLED",
        ),
        (
            &shopify,
            "shopify",
            status(402, r#"{"errors":"Unavailable Shop"}"#),
            Code::RefusedByProvider,
            "http_402",
        ),
    ];
    let values = variables(&[("shop", "mia"), ("realmId", "42")]);
    for (catalog, id, answer, code, detail) in cases {
        bench.will_answer(answer);
        let provider = catalog.get(id).unwrap();
        // QuickBooks knows the account without an answer; a failed call is a failure all the same.
        let failure = failed(
            bench
                .dialect
                .identify(
                    provider,
                    &variables(&[]),
                    &values,
                    &Secret::new("tok"),
                    None,
                )
                .await,
        );
        assert_eq!(
            (failure.code, failure.detail.as_str()),
            (code, detail),
            "{id}: {failure:?}"
        );
    }
}

#[tokio::test]
async fn access_is_given_back_as_each_provider_wants_it() {
    let bench = Bench::start().await;
    let (access, refresh) = (Secret::new("acc"), Secret::new("ref"));
    let tokens = Tokens {
        access_token: &access,
        refresh_token: Some(&refresh),
    };
    let values = variables(&[("shop", "mia"), ("tenant", "common")]);
    let revoke = async |catalog: &Catalog, id: &str, answer: Response| {
        bench.will_answer(answer);
        let provider = catalog.get(id).unwrap();
        let outcome = bench
            .dialect
            .revoke(provider, &app(), &values, &tokens)
            .await;
        (outcome, bench.seen())
    };

    let github = bench.entry("github", &["github.com", "api.github.com"]);
    let (outcome, seen) = revoke(&github, "github", status(204, "")).await;
    assert_eq!(outcome, Revocation::Revoked);
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.as_str()),
        ("DELETE", "/applications/client:1/grant")
    );
    assert_eq!(seen[0].body, r#"{"access_token":"acc"}"#);
    assert_eq!(
        revoke(&github, "github", status(404, "{}")).await.0,
        Revocation::AlreadyGone
    );

    let google = bench.entry("google", &["oauth2.googleapis.com"]);
    let (outcome, seen) = revoke(&google, "google-drive", status(200, "{}")).await;
    assert_eq!(outcome, Revocation::Revoked);
    assert_eq!(seen[0].form(), variables(&[("token", "ref")]));
    let gone = status(400, r#"{"error":"invalid_token"}"#);
    assert_eq!(
        revoke(&google, "google-drive", gone).await.0,
        Revocation::AlreadyGone
    );

    let slack = bench.entry("slack", &["slack.com"]);
    let (outcome, seen) = revoke(&slack, "slack", json(r#"{"ok":true,"revoked":true}"#)).await;
    assert_eq!(outcome, Revocation::Revoked);
    assert_eq!(seen[0].header("authorization"), "Bearer acc");
    let gone = json(r#"{"ok":false,"error":"token_revoked"}"#);
    assert_eq!(
        revoke(&slack, "slack", gone).await.0,
        Revocation::AlreadyGone
    );

    let shopify = bench.entry("shopify", &["{shop}.myshopify.com"]);
    let (outcome, seen) = revoke(&shopify, "shopify", status(200, "{}")).await;
    assert_eq!(outcome, Revocation::Revoked);
    assert_eq!(seen[0].header("x-shopify-access-token"), "acc");
    let (outcome, _) = revoke(&shopify, "shopify", status(503, "")).await;
    assert!(
        matches!(outcome, Revocation::Failed(failure) if failure.code == Code::ProviderLimitedOrDown)
    );

    let quickbooks = bench.entry("quickbooks", &["developer.api.intuit.com"]);
    let (outcome, seen) = revoke(&quickbooks, "quickbooks", status(200, "")).await;
    assert_eq!(
        (outcome, seen[0].body.as_str()),
        (Revocation::Revoked, r#"{"token":"ref"}"#)
    );

    let catalog = Catalog::embedded().unwrap();
    let (outcome, seen) = revoke(&catalog, "microsoft", status(200, "")).await;
    let remove_url = Some("https://myapps.microsoft.com/".to_owned());
    assert_eq!(outcome, Revocation::NotSupported { remove_url });
    assert!(seen.is_empty());
}
