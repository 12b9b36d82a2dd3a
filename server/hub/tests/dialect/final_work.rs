//! Final or transient: what people work with.

use crate::fate::{
    App, GONE, INVALID_CLIENT, INVALID_GRANT, Later, REFUSED, UNAUTHORIZED_CLIENT, api, sorted,
    token,
};

#[tokio::test]
async fn final_or_transient_hubspot() {
    let cases = [
        token(
            400,
            r#"{"status":"BAD_REFRESH_TOKEN","message":"missing or unknown refresh token","correlationId":"1"}"#,
            GONE,
        ),
        token(
            400,
            r#"{"status":"error","message":"missing or unknown refresh token","correlationId":"1"}"#,
            GONE,
        ),
        token(
            404,
            r#"{"status":"error","message":"app is not installed","correlationId":"1"}"#,
            GONE,
        ),
        token(
            400,
            r#"{"status":"BAD_CLIENT_ID","message":"missing or invalid client id"}"#,
            App,
        ),
        token(
            400,
            r#"{"status":"BAD_CLIENT_SECRET","message":"missing or invalid client secret"}"#,
            App,
        ),
        token(
            477,
            r#"{"status":"error","message":"Migration in progress"}"#,
            Later,
        ),
        token(423, r#"{"status":"error","message":"Locked"}"#, Later),
        token(
            429,
            r#"{"status":"error","message":"You have reached your secondly limit.","errorType":"RATE_LIMIT"}"#,
            Later,
        ),
    ];
    sorted("hubspot", &cases).await;
}

#[tokio::test]
async fn final_or_transient_salesforce() {
    let grant =
        |words: &str| format!(r#"{{"error":"invalid_grant","error_description":"{words}"}}"#);
    let told = [
        (400, grant("expired access/refresh token"), GONE),
        (400, grant("token validity expired"), GONE),
        (400, grant("inactive user"), REFUSED),
        (400, grant("user is locked"), REFUSED),
        (400, r#"{"error":"inactive_user","error_description":"user is inactive"}"#.into(), REFUSED),
        (400, r#"{"error":"inactive_org","error_description":"organization is locked, closed or suspended"}"#.into(), REFUSED),
        (401, INVALID_CLIENT.into(), App),
        (400, r#"{"error":"invalid_client_id","error_description":"client identifier invalid"}"#.into(), App),
        (400, grant("ip restricted"), App),
        (400, r#"{"error":"redirect_uri_mismatch","error_description":"redirect_uri must match configuration"}"#.into(), App),
        (400, r#"{"error":"rate_limit_exceeded"}"#.into(), Later),
        (400, r#"{"error":"unknown_error","error_description":"retry your request"}"#.into(), Later),
        (400, grant("login rate exceeded"), Later),
        (503, r#"[{"errorCode":"SERVER_UNAVAILABLE","message":"Server not available"}]"#.into(), Later),
    ];
    let cases: Vec<_> = told.iter().map(|(s, b, f)| token(*s, b, *f)).collect();
    sorted("salesforce", &cases).await;
}

#[tokio::test]
async fn final_or_transient_atlassian() {
    let unknown =
        r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#;
    let cases = [
        token(403, unknown, GONE),
        token(400, unknown, GONE),
        token(
            403,
            r#"{"error":"unauthorized_client","error_description":"refresh_token is invalid"}"#,
            GONE,
        ),
        token(
            401,
            r#"{"error":"access_denied","error_description":"Unauthorized"}"#,
            App,
        ),
        token(401, INVALID_CLIENT, App),
    ];
    // The products share the app and its words.
    sorted("jira", &cases).await;
    sorted("confluence", &cases).await;
}

#[tokio::test]
async fn final_or_transient_zoho() {
    let cases = [
        token(200, r#"{"error":"invalid_code"}"#, GONE),
        // Believed only when it is repeated.
        token(200, r#"{"error":"general_error"}"#, GONE),
        // Asked in another data centre, an app is not known.
        token(200, r#"{"error":"invalid_client"}"#, App),
        token(200, r#"{"error":"invalid_client_secret"}"#, App),
        token(
            400,
            r#"{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied","status":"failure"}"#,
            Later,
        ),
    ];
    sorted("zoho", &cases).await;
    let catalog = hub::catalog::Catalog::embedded().unwrap();
    assert!(catalog.get("zoho").unwrap().refresh.confirm_after.is_some());
}

#[tokio::test]
async fn final_or_transient_dropbox() {
    let cases = [
        token(
            400,
            r#"{"error":"invalid_grant","error_description":"refresh token is invalid or revoked"}"#,
            GONE,
        ),
        token(
            400,
            r#"{"error":"invalid_client: Invalid client_id or client_secret","error_description":"Invalid client_id or client_secret"}"#,
            App,
        ),
        token(401, INVALID_CLIENT, App),
        token(400, UNAUTHORIZED_CLIENT, App),
    ];
    sorted("dropbox", &cases).await;
}

#[tokio::test]
async fn final_or_transient_zoom() {
    let answer = |name: &str, number: u32| {
        let message = "Words about it.";
        format!(r#"{{"{name}":{number},"message":"{message}"}}"#)
    };
    let mut told = vec![
        (
            400,
            r#"{"reason":"Invalid Token!","error":"invalid_grant"}"#.to_owned(),
            GONE,
        ),
        (
            401,
            r#"{"reason":"Invalid Token!","error":"invalid_request"}"#.to_owned(),
            GONE,
        ),
        (400, answer("code", 4700), Later),
    ];
    for number in [4733, 4734, 4735, 4741] {
        told.push((401, answer("code", number), GONE));
        told.push((401, answer("errorCode", number), GONE));
    }
    for number in [4702, 4704, 4706] {
        told.push((400, answer("code", number), App));
    }
    let cases: Vec<_> = told.iter().map(|(s, b, f)| token(*s, b, *f)).collect();
    sorted("zoom", &cases).await;
}

#[tokio::test]
async fn final_or_transient_airtable() {
    let cases = [
        token(400, INVALID_GRANT, GONE),
        token(401, INVALID_CLIENT, App),
        token(400, UNAUTHORIZED_CLIENT, App),
        // Another refresh of the same token is under way.
        token(
            409,
            r#"{"error":"invalid_request","error_description":"Another token request is running"}"#,
            Later,
        ),
    ];
    sorted("airtable", &cases).await;
}

#[tokio::test]
async fn final_or_transient_notion() {
    let cases = [
        token(400, r#"{"error":"invalid_grant","request_id":"1"}"#, GONE),
        api(
            401,
            r#"{"object":"error","status":401,"code":"unauthorized","message":"API token is invalid."}"#,
            GONE,
        ),
        token(401, r#"{"error":"invalid_client","request_id":"1"}"#, App),
        token(
            429,
            r#"{"object":"error","status":429,"code":"rate_limited","message":"Slow."}"#,
            Later,
        ),
        token(
            409,
            r#"{"object":"error","status":409,"code":"conflict_error","message":"Conflict."}"#,
            Later,
        ),
    ];
    sorted("notion", &cases).await;
}

#[tokio::test]
async fn final_or_transient_zendesk() {
    let cases = [
        token(400, INVALID_GRANT, GONE),
        token(401, INVALID_GRANT, GONE),
        token(401, INVALID_CLIENT, App),
        token(400, UNAUTHORIZED_CLIENT, App),
    ];
    sorted("zendesk", &cases).await;
}

#[tokio::test]
async fn final_or_transient_box() {
    let cases = [
        token(
            400,
            r#"{"error":"invalid_grant","error_description":"Refresh token has expired"}"#,
            GONE,
        ),
        token(
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid refresh token"}"#,
            GONE,
        ),
        token(401, INVALID_CLIENT, App),
        token(400, UNAUTHORIZED_CLIENT, App),
    ];
    sorted("box", &cases).await;
}
