//! Final or transient: shops, payments and bookkeeping.

use crate::fate::{
    App, GONE, INVALID_CLIENT, INVALID_GRANT, Later, UNAUTHORIZED_CLIENT, api, sorted, token,
};

#[tokio::test]
async fn final_or_transient_shopify() {
    let cases = [
        token(400, INVALID_GRANT, GONE),
        token(401, INVALID_GRANT, GONE),
        token(
            401,
            r#"{"errors":"[API] Invalid API key or access token"}"#,
            GONE,
        ),
        token(403, r#"{"errors":"This app is not installed"}"#, GONE),
        token(404, r#"{"errors":"Not Found"}"#, GONE),
        token(400, r#"{"error":"application_cannot_be_found"}"#, App),
        token(401, INVALID_CLIENT, App),
        token(
            403,
            r#"{"errors":"[API] Non-expiring access tokens are no longer accepted for this app"}"#,
            App,
        ),
        token(402, r#"{"errors":"Unavailable Shop"}"#, Later),
        token(423, r#"{"errors":"Locked"}"#, Later),
        token(430, r#"{"errors":"Security rejection"}"#, Later),
    ];
    sorted("shopify", &cases).await;
}

#[tokio::test]
async fn final_or_transient_stripe() {
    let cases = [
        // Connect's tokens do not end: the API tells.
        api(
            401,
            r#"{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: sk_live_***"}}"#,
            GONE,
        ),
        api(
            403,
            r#"{"error":{"code":"account_invalid","type":"invalid_request_error","message":"The provided key does not have access to account 'acct_1' (or that account does not exist). Application access may have been revoked."}}"#,
            GONE,
        ),
        // Apps of its marketplace have refresh tokens.
        token(400, INVALID_GRANT, GONE),
        token(401, INVALID_CLIENT, App),
        api(
            401,
            r#"{"error":{"code":"platform_api_key_expired","type":"invalid_request_error","message":"Expired API Key provided"}}"#,
            App,
        ),
        api(
            429,
            r#"{"error":{"code":"rate_limit","type":"invalid_request_error"}}"#,
            Later,
        ),
        api(
            429,
            r#"{"error":{"code":"lock_timeout","type":"invalid_request_error"}}"#,
            Later,
        ),
        token(400, r#"{"error":"lock_timeout"}"#, Later),
        token(400, r#"{"error":"rate_limit"}"#, Later),
        api(500, r#"{"error":{"type":"api_error"}}"#, Later),
    ];
    sorted("stripe-connect", &cases).await;
}

#[tokio::test]
async fn final_or_transient_quickbooks() {
    let cases = [
        token(
            400,
            r#"{"error":"invalid_grant","error_description":"Token invalid"}"#,
            GONE,
        ),
        token(401, r#"{"error":"invalid_client"}"#, App),
    ];
    sorted("quickbooks", &cases).await;
    // Its outages have shown as dead tokens, so the refusal must be repeated.
    let catalog = hub::catalog::Catalog::embedded().unwrap();
    let refresh = &catalog.get("quickbooks").unwrap().refresh;
    assert_eq!(refresh.confirm_after, Some(chrono::TimeDelta::hours(1)));
}

#[tokio::test]
async fn final_or_transient_xero() {
    let cases = [
        token(400, r#"{"error":"invalid_grant"}"#, GONE),
        // Only the organisation this connection is for.
        api(
            403,
            r#"{"Type":null,"Title":"Forbidden","Status":403,"Detail":"AuthenticationUnsuccessful","Instance":"1"}"#,
            GONE,
        ),
        token(400, r#"{"error":"unauthorized_client"}"#, App),
        token(400, r#"{"error":"invalid_client"}"#, App),
        token(400, r#"{"error":"invalid_scope"}"#, App),
    ];
    sorted("xero", &cases).await;
}

#[tokio::test]
async fn final_or_transient_sage() {
    let cases = [
        token(400, r#"{"error":"invalid_grant"}"#, GONE),
        token(401, r#"{"error":"invalid_client"}"#, App),
    ];
    sorted("sage", &cases).await;
}

#[tokio::test]
async fn final_or_transient_square() {
    let error = |category: &str, code: &str, detail: &str| {
        format!(r#"{{"errors":[{{"category":"{category}","code":"{code}","detail":"{detail}"}}]}}"#)
    };
    let login = "AUTHENTICATION_ERROR";
    let revoked = error(login, "ACCESS_TOKEN_REVOKED", "The token has been revoked.");
    let disabled = error(login, "CLIENT_DISABLED", "The client is disabled.");
    let client = error(
        login,
        "UNAUTHORIZED",
        "The client credentials are not valid.",
    );
    let limited = error("RATE_LIMIT_ERROR", "RATE_LIMITED", "Too many requests.");
    let broken = error("API_ERROR", "INTERNAL_SERVER_ERROR", "Broken.");
    let cases = [
        token(401, &revoked, GONE),
        token(400, INVALID_GRANT, GONE),
        token(
            401,
            r#"{"message":"refresh token not found","type":"service.not_authorized"}"#,
            GONE,
        ),
        token(
            404,
            r#"{"message":"refresh token not found","type":"not_found"}"#,
            GONE,
        ),
        token(403, &disabled, App),
        token(401, &client, App),
        token(
            401,
            r#"{"message":"Not Authorized","type":"service.not_authorized"}"#,
            App,
        ),
        token(429, &limited, Later),
        token(400, &limited, Later),
        token(500, &broken, Later),
    ];
    sorted("square", &cases).await;
}

#[tokio::test]
async fn final_or_transient_amazon_sp() {
    let cases = [
        token(
            400,
            r#"{"error":"invalid_grant","error_description":"The request has an invalid grant parameter : refresh_token"}"#,
            GONE,
        ),
        token(401, INVALID_CLIENT, App),
        token(400, UNAUTHORIZED_CLIENT, App),
    ];
    sorted("amazon-selling-partner", &cases).await;
}

#[tokio::test]
async fn final_or_transient_ebay() {
    let cases = [
        token(
            400,
            r#"{"error":"invalid_grant","error_description":"the provided authorization refresh token is invalid or was issued to another client","error_uri":null}"#,
            GONE,
        ),
        token(
            401,
            r#"{"error":"invalid_client","error_description":"client authentication failed","error_uri":null}"#,
            App,
        ),
        token(
            400,
            r#"{"error":"invalid_scope","error_description":"The requested scope exceeds the scope granted to the client","error_uri":null}"#,
            App,
        ),
    ];
    sorted("ebay", &cases).await;
}

#[tokio::test]
async fn final_or_transient_etsy() {
    let cases = [
        token(400, INVALID_GRANT, GONE),
        token(
            400,
            r#"{"error":"invalid_token","error_description":"refresh token expired"}"#,
            GONE,
        ),
        token(401, INVALID_CLIENT, App),
        token(
            403,
            r#"{"error":"API key not found or not active, or incorrect shared secret for API key."}"#,
            App,
        ),
    ];
    sorted("etsy", &cases).await;
}

#[tokio::test]
async fn final_or_transient_klaviyo() {
    let cases = [
        token(400, INVALID_GRANT, GONE),
        token(400, r#"{"error":"invalid_grant_type"}"#, GONE),
        token(401, INVALID_CLIENT, App),
    ];
    sorted("klaviyo", &cases).await;
}
