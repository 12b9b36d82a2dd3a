//! The token answer, row by row (D1 to D21): how shipped entries read it. D19
//! is about connections and stands with them.

use chrono::{DateTime, TimeDelta, Utc};
use hub::{
    catalog::Catalog,
    dialect::{Grant, Identity, Organisation},
    failure::{Failure, FailureCode as Code},
    secret::Secret,
};

use crate::bench::*;

/// What a shipped entry understands of an answer.
async fn read(id: &str, answer: &str) -> (Bench, Grant) {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    bench.will_answer(json(answer));
    let grant = bench.trade(&catalog, id).await;
    let grant = grant.unwrap_or_else(|failure| panic!("{}: {failure:?}", id));
    (bench, grant)
}

/// What a shipped entry finds out about the account.
async fn identified(id: &str, answers: &[&str]) -> (Vec<Seen>, Result<Identity, Failure>) {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    let provider = catalog.get(id).unwrap();
    for answer in answers {
        bench.will_answer(json(answer));
    }
    let (values, token) = (bench.values(provider), Secret::new("tok"));
    let asked = bench
        .dialect
        .identify(provider, &values, &values, &token, None);
    let found = asked.await;
    (bench.seen(), found)
}

#[tokio::test]
async fn d1_tokens_may_be_nested() {
    let (_, grant) = read("tiktok-ads", r#"{"code":0,"data":{"access_token":"a"}}"#).await;
    assert_eq!(grant.access_token.expose(), "a");
    // Instagram documents a list and answers without one: both are read.
    for first in [
        r#"{"data":[{"access_token":"a","user_id":17,"permissions":"x,y"}]}"#,
        r#"{"access_token":"a","user_id":17,"permissions":["x","y"]}"#,
    ] {
        let bench = Bench::start().await;
        let catalog = bench.shipped();
        bench.will_answer(json(first));
        bench.will_answer(json(r#"{"access_token":"long","expires_in":60}"#));
        let grant = bench.trade(&catalog, "instagram-login").await.unwrap();
        assert_eq!(grant.variables["scoped_id"], "17");
        assert_eq!(grant.scopes.unwrap(), ["x", "y"]);
        assert_eq!(bench.seen()[1].query["access_token"], "a");
    }
}

#[tokio::test]
async fn d2_names_of_the_fields_differ() {
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        "[oauth.answer]\naccess_token = \"/token\"\nrefresh_token = \"/refreshToken\"\nexpires_at = \"/expiresAt\"\n",
    );
    bench.will_answer(json(
        r#"{"token":"t","refreshToken":"r","expiresAt":"2026-11-20T18:00:00Z"}"#,
    ));
    let grant = bench.trade(&catalog, "made-up").await.unwrap();
    assert_eq!(grant.access_token.expose(), "t");
    assert_eq!(grant.refresh_token.unwrap().expose(), "r");
    assert_eq!(grant.expires_at, Some(bench.now() + TimeDelta::hours(8)));
    // The shipped entry of GitHub's apps says the same.
    let catalog = Catalog::embedded().unwrap();
    let at = &catalog.get("github-app").unwrap().answer;
    assert_eq!(at.access_token.as_str(), "/token");
}

#[tokio::test]
async fn d3_two_tokens_in_one_answer() {
    let answer = r#"{"ok":true,"access_token":"xoxb","refresh_token":"xoxe-1","expires_in":43200,
        "authed_user":{"id":"U1","scope":"search:read","access_token":"xoxp","refresh_token":"xoxe-2","expires_in":3600}}"#;
    let (bench, grant) = read("slack", answer).await;
    let second = grant.second.unwrap();
    assert_eq!(grant.access_token.expose(), "xoxb");
    assert_eq!(
        (second.kind.as_str(), second.access_token.expose()),
        ("user", "xoxp")
    );
    assert_eq!(second.refresh_token.unwrap().expose(), "xoxe-2");
    assert_eq!(second.expires_at, Some(bench.now() + TimeDelta::hours(1)));
    assert_eq!(grant.expires_at, Some(bench.now() + TimeDelta::hours(12)));
    // No user scopes, no user token.
    let alone = r#"{"ok":true,"access_token":"xoxb","authed_user":{"id":"U1"}}"#;
    assert!(read("slack", alone).await.1.second.is_none());
}

#[tokio::test]
async fn d4_an_answer_may_be_a_form() {
    let (_, grant) = read(
        "github",
        "access_token=gho_1&scope=repo%2Cgist&token_type=bearer",
    )
    .await;
    assert_eq!(grant.access_token.expose(), "gho_1");
    assert_eq!(grant.scopes.unwrap(), ["repo", "gist"]);
}

#[tokio::test]
async fn d5_an_unsaid_end_is_asked_for_or_known() {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    let told = r#"{"access_token":"a","instance_url":"https://acme.my.salesforce.com"}"#;
    bench.will_answer(json(told));
    let grant = bench.trade(&catalog, "salesforce").await.unwrap();
    // Its introspection stands behind the host the token came with; it did not
    // answer here, which is no failure.
    assert_eq!(grant.expires_at, None);

    let (bench, grant) = read("monday", r#"{"access_token":"a","refresh_token":"r"}"#).await;
    assert_eq!(grant.expires_at, Some(bench.now() + TimeDelta::hours(1)));

    let bench = Bench::start().await;
    let catalog = bench.made_up(
        "[oauth.introspect]\nurl = \"{peer}/introspect\"\nclient_auth = \"body\"\nparams = { token = \"{access_token}\" }\nexpires_at = \"/exp\"\n",
    );
    let end = bench.now() + TimeDelta::hours(2);
    bench.will_answer(json(r#"{"access_token":"a"}"#));
    bench.will_answer(json(&format!(
        r#"{{"active":true,"exp":{}}}"#,
        end.timestamp()
    )));
    let grant = bench.trade(&catalog, "made-up").await.unwrap();
    assert_eq!(grant.expires_at, Some(end));
    assert_eq!(bench.seen()[1].form()["token"], "a");
}

#[tokio::test]
async fn d6_zero_and_null_mean_without_end() {
    for told in ["0", "null"] {
        let answer = format!(r#"{{"access_token":"a","expires_in":{told},"scope":null}}"#);
        let (_, grant) = read("mailchimp", &answer).await;
        assert_eq!(grant.expires_at, None, "{told}");
    }
}

#[tokio::test]
async fn d7_a_lifetime_may_be_text() {
    let (bench, grant) = read("xero", r#"{"access_token":"a","expires_in":"1800"}"#).await;
    assert_eq!(grant.expires_at, Some(bench.now() + TimeDelta::minutes(30)));
}

#[tokio::test]
async fn d8_a_lifetime_may_count_milliseconds_or_minutes() {
    for (unit, told) in [
        ("milliseconds", 1_800_000),
        ("minutes", 30),
        ("seconds", 1_800),
    ] {
        let bench = Bench::start().await;
        let catalog = bench.made_up(&format!("[oauth.answer]\nexpires_unit = \"{unit}\"\n"));
        bench.will_answer(json(&format!(
            r#"{{"access_token":"a","expires_in":{told}}}"#
        )));
        let grant = bench.trade(&catalog, "made-up").await.unwrap();
        assert_eq!(
            grant.expires_at,
            Some(bench.now() + TimeDelta::minutes(30)),
            "{unit}"
        );
    }
    // Zoho, which counted milliseconds in expires_in, is read where it counts seconds.
    let answer = r#"{"access_token":"a","expires_in":3600000,"expires_in_sec":3600,"api_domain":"https://www.zohoapis.com"}"#;
    let (bench, grant) = read("zoho", answer).await;
    assert_eq!(grant.expires_at, Some(bench.now() + TimeDelta::hours(1)));
}

#[tokio::test]
async fn d9_an_end_may_be_a_moment() {
    let end = "2026-12-20T10:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let seconds = end.timestamp();
    for (id, answer) in [
        (
            "square",
            r#"{"access_token":"a","expires_at":"2026-12-20T10:00:00Z"}"#.to_owned(),
        ),
        (
            "squarespace",
            format!(r#"{{"access_token":"a","access_token_expires_at":"{seconds}.0"}}"#),
        ),
        (
            "clover",
            format!(r#"{{"access_token":"a","access_token_expiration":{seconds}}}"#),
        ),
        (
            "github",
            format!(r#"{{"access_token":"a","expires_at":{seconds}}}"#),
        ),
    ] {
        assert_eq!(read(id, &answer).await.1.expires_at, Some(end), "{id}");
    }
    // TikTok Shop's "in" is a moment, too.
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    bench.will_answer(json(&format!(
        r#"{{"code":0,"data":{{"access_token":"a","access_token_expire_in":{seconds}}}}}"#
    )));
    let grant = bench.trade(&catalog, "tiktok-shop").await.unwrap();
    assert_eq!(grant.expires_at, Some(end));
}

#[tokio::test]
async fn d10_when_a_token_was_issued_is_nobodys_end() {
    let answer = r#"{"access_token":"a","issued_at":"1278448384422","instance_url":"https://acme.my.salesforce.com"}"#;
    assert_eq!(read("salesforce", answer).await.1.expires_at, None);
}

#[tokio::test]
async fn d11_the_refresh_tokens_end_has_many_names() {
    let day = TimeDelta::days(1).num_seconds();
    for (id, name) in [
        ("shopify", "refresh_token_expires_in"),
        ("sage", "refresh_token_expires_in"),
        ("linkedin", "refresh_token_expires_in"),
        ("pinterest", "refresh_token_expires_in"),
        ("ebay", "refresh_token_expires_in"),
        ("quickbooks", "x_refresh_token_expires_in"),
        ("tiktok", "refresh_expires_in"),
        ("airtable", "refresh_expires_in"),
    ] {
        let answer = format!(r#"{{"access_token":"a","expires_in":60,"{name}":{day}}}"#);
        let (bench, grant) = read(id, &answer).await;
        assert_eq!(
            grant.refresh_expires_at,
            Some(bench.now() + TimeDelta::days(1)),
            "{id}"
        );
    }
    let answer =
        r#"{"access_token":"a","expires_in":60,"refresh_token_expires_at":"2026-12-20T10:00:00Z"}"#;
    assert!(read("github", answer).await.1.refresh_expires_at.is_some());
}

#[tokio::test]
async fn d12_calls_carry_the_token_as_each_provider_wants_it() {
    let (_, grant) = read(
        "ebay",
        r#"{"access_token":"a","token_type":"User Access Token"}"#,
    )
    .await;
    assert_eq!(grant.token_type, "User Access Token");
    for (id, header, value) in [
        ("ebay", "authorization", "Bearer tok"),
        ("mailchimp", "authorization", "OAuth tok"),
        ("zoho", "authorization", "Zoho-oauthtoken tok"),
        ("shopify", "x-shopify-access-token", "tok"),
        ("bigcommerce", "x-auth-token", "tok"),
        ("tiktok-ads", "access-token", "tok"),
        ("amazon-selling-partner", "x-amz-access-token", "tok"),
        ("wix", "authorization", "tok"),
        ("monday", "authorization", "tok"),
    ] {
        let (seen, _) = identified(id, &["{}"]).await;
        assert_eq!(seen[0].header(header), value, "{id}");
        if header != "authorization" {
            assert_eq!(seen[0].header("authorization"), "", "{id}");
        }
    }
}

#[tokio::test]
async fn d13_a_type_or_scope_that_is_missing_is_missed_by_nobody() {
    for answer in [
        r#"{"access_token":"a"}"#,
        r#"{"access_token":"a","scope":null,"token_type":null}"#,
    ] {
        let (_, grant) = read("mailchimp", answer).await;
        assert_eq!(
            (grant.token_type.as_str(), grant.scopes.is_none()),
            ("Bearer", true)
        );
    }
}

#[tokio::test]
async fn d14_a_host_that_comes_with_the_token_is_on_the_providers_list() {
    for (id, field, good, bad) in [
        (
            "salesforce",
            "instance_url",
            "https://acme.my.salesforce.com",
            "https://acme.my.salesforce.com.evil.example",
        ),
        (
            "zoho",
            "api_domain",
            "https://www.zohoapis.eu",
            "https://www.zohoapis.eu@evil.example",
        ),
        (
            "pipedrive",
            "api_domain",
            "https://acme.pipedrive.com",
            "https://evil.example/.pipedrive.com",
        ),
        (
            "wrike",
            "host",
            "app-eu2.wrike.com",
            "evil.example#.wrike.com",
        ),
        (
            "zoom",
            "api_url",
            "https://api-eu.zoom.us",
            "http://api.zoom.us",
        ),
    ] {
        let answer = |host: &str| format!(r#"{{"access_token":"a","{field}":"{host}"}}"#);
        assert_eq!(read(id, &answer(good)).await.1.variables[field], good);
        let bench = Bench::start().await;
        let catalog = bench.shipped();
        bench.will_answer(json(&answer(bad)));
        let failure = failed(bench.trade(&catalog, id).await);
        assert_eq!(failure.code, Code::AccountOrTargetMismatch, "{id}");
        assert_eq!(failure.detail, format!("{field}_not_allowed"));
        // The token went nowhere.
        assert_eq!(bench.seen().len(), 1, "{id}");
    }
}

#[tokio::test]
async fn d15_a_host_may_have_to_be_asked_for() {
    let answer =
        r#"{"dc":"us21","accountname":"Mia","user_id":7,"login":{"email":"m@example.com"}}"#;
    let identity = identified("mailchimp", &[answer]).await.1.unwrap();
    assert_eq!(identity.variables["dc"], "us21");
    let account = "11111111-2222-3333-4444-555555555555";
    let told = |base: &str| {
        format!(
            r#"{{"email":"m@example.com","accounts":[{{"account_id":"{account}","account_name":"Mia","base_uri":"{base}"}}]}}"#
        )
    };
    let identity = identified("docusign", &[&told("https://eu.docusign.net")])
        .await
        .1
        .unwrap();
    assert_eq!(identity.variables["base_uri"], "https://eu.docusign.net");
    let refused = identified("docusign", &[&told("https://evil.example")])
        .await
        .1;
    assert_eq!(failed(refused).detail, "base_uri_not_allowed");
}

#[tokio::test]
async fn d16_the_account_may_stand_in_the_token_answer() {
    for (id, answer, account) in [
        (
            "stripe-connect",
            r#"{"access_token":"a","stripe_user_id":"acct_1"}"#,
            "acct_1",
        ),
        (
            "square",
            r#"{"access_token":"a","merchant_id":"ML1"}"#,
            "ML1",
        ),
        (
            "notion",
            r#"{"access_token":"a","workspace_id":"w1","workspace_name":"Mia's"}"#,
            "w1",
        ),
        ("tiktok", r#"{"access_token":"a","open_id":"o1"}"#, "o1"),
        ("mercadolibre", r#"{"access_token":"a","user_id":7}"#, "7"),
    ] {
        assert_eq!(
            read(id, answer).await.1.account.unwrap().id,
            account,
            "{id}"
        );
    }
}

#[tokio::test]
async fn d17_the_account_may_stand_in_the_token_itself() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = URL_SAFE_NO_PAD.encode(r#"{"oid":"o-1","preferred_username":"mia@example.com"}"#);
    let answer = format!(r#"{{"access_token":"a","id_token":"e30.{claims}.sig"}}"#);
    let (_, grant) = read("power-bi", &answer).await;
    let account = grant.account.unwrap();
    assert_eq!(
        (account.id.as_str(), account.label.as_str()),
        ("o-1", "mia@example.com")
    );
    // Etsy's user stands before the dot of its token; it is asked for instead.
    let shop = r#"{"user_id":1,"shop_id":22}"#;
    let found = identified("etsy", &[shop, r#"{"shop_name":"Mia's"}"#])
        .await
        .1
        .unwrap();
    assert_eq!((found.id.as_str(), found.label.as_str()), ("22", "Mia's"));
}

#[tokio::test]
async fn d18_one_grant_may_open_several_organisations() {
    let one = "11111111-2222-3333-4444-555555555555";
    for (id, answer, account, label) in [
        ("xero", format!(r#"[{{"tenantId":"{one}","tenantName":"Mia Ltd"}}]"#), one, "Mia Ltd"),
        ("jira", format!(r#"[{{"id":"{one}","url":"https://mia.atlassian.net"}}]"#), one, "https://mia.atlassian.net"),
        ("sage", r#"{"$items":[{"id":"b1","displayed_as":"Mia"}]}"#.into(), "b1", "Mia"),
        ("basecamp", r#"{"accounts":[{"id":9,"name":"Mia","product":"bc3"},{"id":8,"name":"Old","product":"bcx"}]}"#.into(), "9", "Mia"),
        ("harvest", r#"{"accounts":[{"id":9,"name":"Mia","product":"harvest"},{"id":8,"name":"F","product":"forecast"}]}"#.into(), "9", "Mia"),
        ("meta-ads", r#"{"data":[{"id":"act_9","name":"Mia"},{"id":"../evil","name":"E"}]}"#.into(), "act_9", "Mia"),
    ] {
        let bench = Bench::start().await;
        let catalog = bench.shipped();
        let provider = catalog.get(id).unwrap();
        bench.will_answer(json(&answer));
        let (values, token) = (bench.values(provider), Secret::new("tok"));
        let asked = bench.dialect.organisations(provider, &values, &values, &token);
        let expected = Organisation { id: account.into(), label: label.into() };
        assert_eq!(asked.await.unwrap(), [expected], "{id}");
    }
}

#[tokio::test]
async fn d20_any_status_of_success_is_one() {
    for code in [200, 201, 202] {
        let bench = Bench::start().await;
        let catalog = bench.shipped();
        bench.will_answer(status(code, r#"{"access_token":"a"}"#));
        assert!(bench.trade(&catalog, "xero").await.is_ok(), "{code}");
    }
}

#[tokio::test]
async fn d21_errors_that_come_with_200_are_errors() {
    for (id, answer) in [
        (
            "slack",
            r#"{"ok":false,"error":"invalid_code","access_token":"never"}"#,
        ),
        ("github", r#"{"error":"bad_verification_code"}"#),
        (
            "tiktok-ads",
            r#"{"code":40110,"message":"Invalid auth_code","data":{"access_token":"never"}}"#,
        ),
        ("zoho", r#"{"error":"invalid_code"}"#),
    ] {
        let bench = Bench::start().await;
        let catalog = bench.shipped();
        bench.will_answer(json(answer));
        let failure = failed(bench.trade(&catalog, id).await);
        assert_eq!(
            failure.code,
            Code::FlowExpiredOrInvalid,
            "{id}: {failure:?}"
        );
    }
    let slow = Code::ProviderLimitedOrDown;
    for (id, answer, code) in [
        (
            "shopify",
            r#"{"errors":[{"message":"slow","extensions":{"code":"THROTTLED"}}]}"#,
            slow,
        ),
        (
            "linear",
            r#"{"errors":[{"message":"slow","extensions":{"code":"RATELIMITED"}}]}"#,
            slow,
        ),
        (
            "monday",
            r#"{"errors":[{"message":"slow","extensions":{"code":"COMPLEXITY_BUDGET_EXHAUSTED"}}]}"#,
            slow,
        ),
        (
            "tiktok",
            r#"{"error":{"code":"scope_not_authorized","message":"no"}}"#,
            Code::PermissionMissing,
        ),
    ] {
        let failure = failed(identified(id, &[answer]).await.1);
        assert_eq!(failure.code, code, "{id}: {failure:?}");
        assert!(!failure.detail.starts_with("unmapped"), "{id}: {failure:?}");
    }
}
