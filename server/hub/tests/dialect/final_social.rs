//! Final or transient: the big platforms and the social networks.

use hub::failure::FailureCode as Code;

use crate::fate::{
    App, Case, Fate, GONE, INVALID_CLIENT, INVALID_GRANT, Later, REFUSED, SIGN_IN,
    UNAUTHORIZED_CLIENT, api, sorted, token,
};

#[tokio::test]
async fn final_or_transient_google() {
    let revoked =
        r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
    let rapt = r#"{"error":"invalid_grant","error_description":"reauth related error (invalid_rapt)","error_subtype":"invalid_rapt"}"#;
    let cases = [
        token(400, revoked, GONE),
        token(
            400,
            r#"{"error":"invalid_grant","error_description":"Bad Request"}"#,
            GONE,
        ),
        token(400, rapt, SIGN_IN),
        token(
            401,
            r#"{"error":"invalid_client","error_description":"The OAuth client was not found."}"#,
            App,
        ),
        token(
            401,
            r#"{"error":"deleted_client","error_description":"The OAuth client was deleted."}"#,
            App,
        ),
        token(
            401,
            r#"{"error":"disabled_client","error_description":"The OAuth client was disabled."}"#,
            App,
        ),
        token(
            401,
            r#"{"error":"unauthorized_client","error_description":"Unauthorized"}"#,
            App,
        ),
        token(403, r#"{"error":"org_internal"}"#, App),
        token(
            500,
            r#"{"error":"internal_failure","error_description":"Backend Error"}"#,
            Later,
        ),
        token(400, r#"{"error":"internal_failure"}"#, Later),
        token(503, r#"{"error":"temporarily_unavailable"}"#, Later),
        token(400, r#"{"error":"temporarily_unavailable"}"#, Later),
    ];
    sorted("google-drive", &cases).await;
}

#[tokio::test]
async fn final_or_transient_microsoft() {
    let answer = |error: &str, number: u32| {
        format!(
            r#"{{"error":"{error}","error_description":"AADSTS{number}: Words about it. Trace ID: 1","error_codes":[{number}],"trace_id":"1"}}"#
        )
    };
    let mut told = Vec::new();
    for number in [
        50_173, 700_082, 700_084, 70_008, 70_000, 70_043, 50_132, 50_133, 54_005,
    ] {
        told.push((400, answer("invalid_grant", number), GONE));
    }
    told.push((400, answer("invalid_grant", 50_057), REFUSED));
    told.push((400, answer("invalid_grant", 53_003), REFUSED));
    let consent = Fate::Final(Code::PermissionMissing);
    told.push((400, answer("invalid_grant", 65_001), consent));
    for number in [50_076, 50_079, 50_158] {
        told.push((400, answer("interaction_required", number), SIGN_IN));
        // Older answers have the number in their words alone.
        told.push((
            400,
            format!(
                r#"{{"error":"interaction_required","error_description":"AADSTS{number}: Words."}}"#
            ),
            SIGN_IN,
        ));
    }
    told.push((401, answer("invalid_client", 7_000_215), App));
    told.push((401, answer("invalid_client", 7_000_222), App));
    told.push((400, answer("unauthorized_client", 700_016), App));
    told.push((400, answer("invalid_request", 50_011), App));
    told.push((400, answer("invalid_request", 90_002), App));
    told.push((503, answer("temporarily_unavailable", 90_033), Later));
    told.push((400, answer("invalid_grant", 90_033), Later));
    told.push((400, answer("invalid_grant", 90_036), Later));
    told.push((400, answer("invalid_grant", 50_196), Later));
    told.push((400, r#"{"error":"temporarily_unavailable"}"#.into(), Later));
    let cases: Vec<_> = told.iter().map(|(s, b, f)| token(*s, b, *f)).collect();
    sorted("microsoft", &cases).await;
}

#[tokio::test]
async fn final_or_transient_meta() {
    let answer = |code: u32, subcode: &str, message: &str| {
        format!(
            r#"{{"error":{{"message":"{message}","type":"OAuthException","code":{code}{subcode},"fbtrace_id":"A1"}}}}"#
        )
    };
    let dead = "Error validating access token: Session has expired.";
    let checkpoint = Fate::Final(Code::CheckpointOrSuspiciousLogin);
    let mut told = vec![(400, answer(190, "", dead), GONE)];
    for subcode in [458, 460, 463, 467, 492] {
        told.push((
            400,
            answer(190, &format!(r#","error_subcode":{subcode}"#), dead),
            GONE,
        ));
    }
    for subcode in [459, 464] {
        told.push((
            400,
            answer(
                190,
                &format!(r#","error_subcode":{subcode}"#),
                "The user is checkpointed",
            ),
            checkpoint,
        ));
    }
    told.push((400, answer(101, "", "Error validating application."), App));
    told.push((400, answer(191, "", "Can't load URL"), App));
    told.push((400, answer(1, "", "Error validating client secret."), App));
    told.push((
        400,
        answer(
            1,
            "",
            "Error validating application. Invalid application ID.",
        ),
        App,
    ));
    told.push((500, answer(1, "", "An unknown error has occurred."), Later));
    told.push((
        400,
        answer(1, "", "Please reduce the amount of data you're asking for"),
        Later,
    ));
    for code in [2, 4, 17, 32, 341, 613] {
        told.push((
            400,
            answer(code, "", "Please retry your request later."),
            Later,
        ));
    }
    let cases: Vec<_> = told.iter().map(|(s, b, f)| token(*s, b, *f)).collect();
    sorted("facebook", &cases).await;
    sorted("instagram-login", &cases).await;
    sorted("threads", &cases).await;
}

#[tokio::test]
async fn final_or_transient_slack() {
    let answer = |error: &str| format!(r#"{{"ok":false,"error":"{error}"}}"#);
    let mut told = Vec::new();
    for error in [
        "invalid_refresh_token",
        "token_revoked",
        "account_inactive",
        "token_expired",
    ] {
        told.push((200, answer(error), GONE));
    }
    for error in ["bad_client_secret", "invalid_client_id"] {
        told.push((200, answer(error), App));
    }
    for error in [
        "ratelimited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
    ] {
        told.push((200, answer(error), Later));
    }
    let cases: Vec<_> = told.iter().map(|(s, b, f)| token(*s, b, *f)).collect();
    sorted("slack", &cases).await;
}

#[tokio::test]
async fn final_or_transient_github() {
    let limited = r#"{"message":"API rate limit exceeded for user ID 1."}"#;
    let cases = [
        token(
            200,
            r#"{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."}"#,
            GONE,
        ),
        // Its endless tokens are never refreshed: the API tells.
        api(401, r#"{"message":"Bad credentials","status":"401"}"#, GONE),
        token(200, r#"{"error":"incorrect_client_credentials"}"#, App),
        token(
            200,
            "error=application_suspended&error_description=Your+application+has+been+suspended.",
            App,
        ),
        Case {
            header: Some(("x-ratelimit-remaining", "0")),
            ..api(403, limited, Later)
        },
        api(
            403,
            r#"{"message":"You have exceeded a secondary rate limit."}"#,
            Later,
        ),
        api(429, limited, Later),
    ];
    sorted("github", &cases).await;
}

#[tokio::test]
async fn final_or_transient_linkedin() {
    let cases = [
        token(400, INVALID_GRANT, GONE),
        token(
            400,
            r#"{"error":"invalid_request","error_description":"The provided authorization grant or refresh token is invalid, expired or revoked"}"#,
            GONE,
        ),
        token(
            401,
            r#"{"serviceErrorCode":65601,"message":"The token used in the request has been revoked by the user","status":401}"#,
            GONE,
        ),
        token(401, INVALID_CLIENT, App),
        token(400, UNAUTHORIZED_CLIENT, App),
    ];
    sorted("linkedin", &cases).await;
}

#[tokio::test]
async fn final_or_transient_tiktok() {
    let cases = [
        token(
            200,
            r#"{"error":"invalid_grant","error_description":"Refresh token is invalid or expired.","log_id":"1"}"#,
            GONE,
        ),
        token(400, INVALID_GRANT, GONE),
        token(
            200,
            r#"{"error":"invalid_client","error_description":"Client key or secret is incorrect.","log_id":"1"}"#,
            App,
        ),
        token(200, r#"{"error":"unauthorized_client","log_id":"1"}"#, App),
        token(
            200,
            r#"{"error":"rate_limit_exceeded","log_id":"1"}"#,
            Later,
        ),
        token(200, r#"{"error":"internal_error","log_id":"1"}"#, Later),
        token(500, r#"{"error":"internal_error","log_id":"1"}"#, Later),
    ];
    sorted("tiktok", &cases).await;
}

#[tokio::test]
async fn final_or_transient_x() {
    let cases = [
        token(400, INVALID_GRANT, GONE),
        token(
            400,
            r#"{"error":"invalid_request","error_description":"Value passed for the token was invalid."}"#,
            GONE,
        ),
        token(
            401,
            r#"{"error":"unauthorized_client","error_description":"Missing valid authorization header"}"#,
            App,
        ),
        token(
            403,
            r#"{"client_id":"1","detail":"This application has been suspended.","reason":"client-suspended","title":"Client Forbidden","type":"https://api.twitter.com/2/problems/client-forbidden"}"#,
            App,
        ),
    ];
    sorted("x-twitter", &cases).await;
}

#[tokio::test]
async fn final_or_transient_pinterest() {
    let cases = [
        token(400, INVALID_GRANT, GONE),
        token(401, INVALID_GRANT, GONE),
        token(
            401,
            r#"{"code":2,"message":"Authentication failed."}"#,
            GONE,
        ),
        token(401, INVALID_CLIENT, App),
        token(403, r#"{"code":3,"message":"Authorization failed."}"#, App),
        token(
            429,
            r#"{"code":8,"message":"You have exceeded your rate limit."}"#,
            Later,
        ),
        token(
            400,
            r#"{"code":8,"message":"You have exceeded your rate limit."}"#,
            Later,
        ),
    ];
    sorted("pinterest", &cases).await;
}

#[tokio::test]
async fn final_or_transient_spotify() {
    let cases = [
        token(
            400,
            r#"{"error":"invalid_grant","error_description":"Refresh token revoked"}"#,
            GONE,
        ),
        token(
            400,
            r#"{"error":"invalid_grant","error_description":"Refresh token expired"}"#,
            GONE,
        ),
        token(
            400,
            r#"{"error":"invalid_client","error_description":"Invalid client secret"}"#,
            App,
        ),
    ];
    sorted("spotify", &cases).await;
}
