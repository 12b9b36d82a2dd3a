//! Trying out what is entered for services that speak HTTP.

use axum::response::IntoResponse;
use hub::{
    catalog::Catalog,
    dialect::{Entered, Outcome, Trial},
    secret::Secret,
};

use crate::bench::*;

async fn try_out(
    bench: &Bench,
    catalog: &Catalog,
    id: &str,
    asked: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Trial {
    let fields = fields.iter();
    let entered =
        Entered::new(fields.map(|(name, value)| ((*name).to_owned(), Secret::new(*value))));
    let provider = catalog.get(id).unwrap();
    let none = variables(&[]);
    bench
        .dialect
        .try_out(provider, &none, &variables(asked), &entered, &|_| {})
        .await
}

/// In words; what was not needed stands in brackets.
fn told(trial: &Trial) -> String {
    let mut told = Vec::new();
    for tried in &trial.steps {
        let step = tried.step.as_str();
        told.push(match &tried.outcome {
            Outcome::Passed { note: Some(note) } => format!("{step} ({note})"),
            Outcome::Passed { note: None } => step.to_owned(),
            Outcome::NotNeeded => format!("[{step}]"),
            Outcome::NotReached => continue,
            Outcome::Failed(failure) => {
                format!("{step}: {} {}", failure.code.as_str(), failure.detail)
            }
        });
    }
    told.join(", ")
}

#[tokio::test]
async fn a_key_is_tried_out_step_by_step() {
    let bench = Bench::start().await;
    let stripe = bench.entry("stripe", &["api.stripe.com"]);
    let key = [("api_key", "rk_test_51Habc")];
    let tried = async |answer| {
        bench.will_answer(answer);
        try_out(&bench, &stripe, "stripe", &[], &key).await
    };
    let trial = tried(json(r#"{"id":"acct_1","email":"mia@example.com"}"#)).await;
    assert_eq!(
        told(&trial),
        "reach, [encryption], sign_in (This is a test key), permissions, [sample]"
    );
    assert_eq!(trial.environment.as_deref(), Some("test"));
    assert_eq!(trial.account.unwrap().label, "mia@example.com");
    assert!(trial.grant.is_some());

    let trial = tried(status(401, r#"{"error":{"type":"invalid_request_error"}}"#)).await;
    assert_eq!(
        told(&trial),
        "reach, [encryption], sign_in: CREDENTIALS_REJECTED http_401"
    );
    assert!(trial.account.is_none() && trial.grant.is_none());
    let refused = r#"{"error":{"code":"more_permissions_required"}}"#;
    assert_eq!(
        told(&tried(status(403, refused)).await),
        "reach, [encryption], sign_in, permissions: PERMISSION_MISSING more_permissions_require"
    );
    assert_eq!(
        told(&tried(status(503, "")).await),
        "reach, [encryption], sign_in: PROVIDER_LIMITED_OR_DOWN http_503"
    );
}

#[tokio::test]
async fn an_address_of_ones_own_may_be_mistyped() {
    let bench = Bench::start().await;
    let catalog = Catalog::embedded().unwrap();
    let tried = async |base: &str| {
        let asked = [("base_url", base), ("test_path", "/me")];
        let trial = try_out(
            &bench,
            &catalog,
            "rest-api",
            &asked,
            &[("api_key", "k"), ("authorization", "")],
        )
        .await;
        told(&trial)
    };
    let at = bench.address;
    bench.will_answer(json("{}"));
    assert_eq!(
        tried(&format!("http://{at}")).await,
        "reach, [encryption], sign_in, permissions, sample"
    );
    assert_eq!(bench.seen()[0].header("x-api-key"), "k");
    bench.will_answer(status(404, "{}"));
    assert_eq!(
        tried(&format!("http://{at}")).await,
        "reach, [encryption], sign_in: ACCOUNT_OR_TARGET_MISMATCH http_404"
    );
    // It answers in plain text where TLS was expected.
    assert_eq!(
        tried(&format!("https://{at}")).await,
        "reach, encryption: NETWORK_OR_TIMEOUT tls"
    );
    assert_eq!(
        tried("https://127.0.0.1:1").await,
        "reach: ACCOUNT_OR_TARGET_MISMATCH address_not_allowed"
    );
    bench.will_answer((
        http::StatusCode::FOUND,
        [("location", "http://169.254.169.254/")],
    ));
    let told = tried(&format!("http://{at}")).await;
    assert_eq!(
        told,
        "reach, [encryption], sign_in: PROVIDER_LIMITED_OR_DOWN unreadable_answer"
    );
}

#[tokio::test]
async fn a_token_is_made_from_two_keys_and_tried() {
    let bench = Bench::start().await;
    let paypal = bench.entry("paypal", &["{host}"]);
    let provider = paypal.get("paypal").unwrap();
    let fields: Vec<_> = provider
        .fields
        .iter()
        .map(|field| (field.name.as_str(), field.example.as_str()))
        .collect();
    bench.will_answer(status(401, r#"{"error":"invalid_client"}"#));
    let trial = try_out(&bench, &paypal, "paypal", &[], &fields).await;
    assert_eq!(
        told(&trial),
        "reach, [encryption], sign_in: CREDENTIALS_REJECTED invalid_client"
    );
    assert_eq!(bench.seen().len(), 1, "nothing was asked without a token");
}

#[tokio::test]
async fn a_service_of_ones_own_is_called_as_described() {
    let bench = Bench::start().await;
    let catalog = Catalog::embedded().unwrap();
    let base = format!("http://{}", bench.address);
    let tried = async |further: &[(&str, &str)]| {
        let asked = [("base_url", base.as_str()), ("test_path", "/items?limit=5")];
        let usual = [("authorization", "Bearer k-0123456789"), ("api_key", "")];
        let fields: Vec<_> = usual.iter().chain(further).copied().collect();
        try_out(&bench, &catalog, "rest-api", &asked, &fields).await
    };
    let described = [
        ("method", "POST"),
        ("headers", "X-Api-Version: 2\r\nX-Account: canary-account-7"),
        ("test_status", "201"),
        ("test_pointer", "/data/items"),
    ];
    let created = |body: &'static str| (http::StatusCode::CREATED, body);
    bench.will_answer(created(
        r#"{"data":{"items":[{"id":1}]},"noise":[{"no":1}]}"#,
    ));
    let trial = tried(&described).await;
    assert_eq!(
        told(&trial),
        "reach, [encryption], sign_in, permissions, sample"
    );
    let seen = bench.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/items")
    );
    assert_eq!(seen.header("x-api-version"), "2");
    assert_eq!(seen.header("x-account"), "canary-account-7");
    assert_eq!(seen.header("authorization"), "Bearer k-0123456789");

    // What is looked at is what was pointed to.
    bench.will_answer(created(
        r#"{"noise":[{"no":1}],"data":{"items":[{"id":7}]}}"#,
    ));
    let provider = catalog.get("rest-api").unwrap();
    let access = trial.grant.unwrap().access_token;
    let known = variables(&[("base_url", &base), ("test_path", "/items")]);
    let none = variables(&[]);
    let sample = bench.dialect.sample(provider, &none, &known, &access, None);
    let sample = sample.await.unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(sample.rows, [[Some("7".to_owned())]]);

    for (answer, wanted) in [
        (
            json(r#"{"data":{"items":[]}}"#).into_response(),
            "sample: ACCOUNT_OR_TARGET_MISMATCH other_status",
        ),
        (
            created(r#"{"error":"no"}"#).into_response(),
            "sample: ACCOUNT_OR_TARGET_MISMATCH not_in_answer",
        ),
    ] {
        bench.will_answer(answer);
        let told = told(&tried(&described).await);
        assert_eq!(
            told,
            format!("reach, [encryption], sign_in, permissions, {wanted}")
        );
    }
    bench.will_answer(status(401, r#"{"message":"canary-account-7 may not"}"#));
    let refused = tried(&described).await;
    let failure = refused.failure().unwrap();
    assert_eq!(failure.code, hub::failure::FailureCode::CredentialsRejected);
    assert_eq!(failure.provider_text.as_deref(), Some("[…] may not"));

    bench.seen();
    for header in [
        "Host: evil.example",
        "Content-Length: 0",
        "transfer-encoding: chunked",
    ] {
        let told = told(&tried(&[("headers", header)]).await);
        assert!(
            told.ends_with("ACCOUNT_OR_TARGET_MISMATCH header_not_allowed"),
            "{told}"
        );
    }
    assert!(bench.seen().is_empty(), "nothing was sent");
    // Nothing to say is an answer, too.
    bench.will_answer((http::StatusCode::NO_CONTENT, ""));
    let quiet = tried(&[("test_status", "204")]).await;
    assert_eq!(
        told(&quiet),
        "reach, [encryption], sign_in, permissions, sample"
    );
}
