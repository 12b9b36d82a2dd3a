//! Storage behind signed requests, played by a scripted server; that the
//! signatures are right is checked against AWS's own examples in the crate.

use axum::{Router, extract::Request, http::StatusCode, response::IntoResponse};
use tokio::net::TcpListener;

use crate::bench::{dialect, fields, notes, sample, told, try_out};

const LIST: &str = "<?xml version=\"1.0\"?><ListBucketResult><Name>files</Name>\
    <Contents><Key>a&amp;b.csv</Key><Size>12</Size><LastModified>2026-11-20T10:00:00.000Z</LastModified></Contents>\
    <Contents><Key>c.csv</Key><Size>7</Size><LastModified>2026-11-21T10:00:00.000Z</LastModified></Contents>\
    </ListBucketResult>";

async fn answer(request: Request) -> impl IntoResponse {
    let signed = request.headers()["authorization"].to_str().unwrap();
    assert_eq!(request.uri().query(), Some("list-type=2&max-keys=20"));
    assert_eq!(request.headers()["x-amz-date"], "20261120T100000Z");
    assert!(signed.contains("/20261120/eu-central-1/s3/aws4_request"));
    assert!(!signed.contains("correct-horse"));
    let error = |status, code| {
        let body = format!("<Error><Code>{code}</Code><Message>No.</Message></Error>");
        (status, body)
    };
    match request.uri().path() {
        _ if signed.contains("UNKNOWN") => error(StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
        "/files" => (StatusCode::OK, LIST.to_owned()),
        "/others" => error(StatusCode::FORBIDDEN, "AccessDenied"),
        "/page" => (StatusCode::OK, "<html></html>".to_owned()),
        _ => error(StatusCode::NOT_FOUND, "NoSuchBucket"),
    }
}

#[tokio::test]
async fn a_bucket_is_tried_out_and_sampled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let dialect = dialect(&[address]);
    let endpoint = format!("http://{address}");
    let usual = [
        ("endpoint", endpoint.as_str()),
        ("region", "eu-central-1"),
        ("bucket", "files"),
        ("access_key_id", "KNOWN"),
        ("secret_access_key", "correct-horse"),
    ];
    let enter = |further: &[(&str, &str)]| fields(address, &[&usual[..], further].concat());
    let trial = try_out(&dialect, "s3", &enter(&[])).await;
    assert_eq!(
        told(&trial),
        "reach, (encryption), sign_in, permissions, sample"
    );
    assert_eq!(notes(&trial), ["Saw 2 objects"]);
    assert_eq!(trial.account.unwrap().id, format!("files at {endpoint}"));
    for (further, expected) in [
        (
            &[("access_key_id", "UNKNOWN")][..],
            "reach, (encryption), sign_in: CREDENTIALS_REJECTED InvalidAccessKeyId",
        ),
        (
            &[("bucket", "others")],
            "reach, (encryption), sign_in, permissions: PERMISSION_MISSING AccessDenied",
        ),
        (
            &[("bucket", "nowhere")],
            "reach, (encryption), sign_in: ACCOUNT_OR_TARGET_MISMATCH NoSuchBucket",
        ),
        (
            &[("bucket", "page")],
            "reach, (encryption), sign_in: ACCOUNT_OR_TARGET_MISMATCH other_service",
        ),
        (
            &[("endpoint", "https://127.0.0.1:1")],
            "reach: ACCOUNT_OR_TARGET_MISMATCH address_not_allowed",
        ),
    ] {
        let trial = try_out(&dialect, "s3", &enter(further)).await;
        assert_eq!(told(&trial), expected, "{further:?}");
    }
    let shown = sample(&dialect, "s3", &enter(&[]), None).await.unwrap();
    let cell = |text: &str| Some(text.to_owned());
    assert_eq!(
        shown.rows[0],
        [
            cell("a&b.csv"),
            cell("12"),
            cell("2026-11-20T10:00:00.000Z")
        ]
    );
}
