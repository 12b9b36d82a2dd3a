//! Keeping a token, row by row (E6 to E17): when shipped entries are renewed,
//! and how. E1 to E5, E8 and E18 are about stored connections and stand with
//! them.

use chrono::{DateTime, TimeDelta, Utc};
use hub::{
    catalog::{Catalog, Provider, RefreshMode, oauth::Rotates},
    dialect::{Entered, RefreshAnswer},
    failure::FailureCode as Code,
    keep::schedule::{Life, due_at},
    secret::Secret,
};

use crate::bench::*;

fn start() -> DateTime<Utc> {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

/// When a token of this lifetime is renewed, counted from its beginning.
fn due(provider: &Provider, lifetime: Option<TimeDelta>, refreshable: bool) -> Option<TimeDelta> {
    let life = Life {
        obtained_at: start(),
        expires_at: lifetime.map(|lifetime| start() + lifetime),
        refreshable,
    };
    due_at(life, None, &provider.refresh, 0.0).map(|at| at - start())
}

fn get<'c>(catalog: &'c Catalog, id: &str) -> &'c Provider {
    catalog.get(id).unwrap_or_else(|| panic!("no {id}"))
}

#[test]
fn e6_an_end_that_use_does_not_move_is_known() {
    let catalog = Catalog::embedded().unwrap();
    for (id, days) in [
        ("spotify", 180),
        ("linkedin", 365),
        ("amazon-selling-partner", 365),
        ("hmrc", 547),
        ("ebay", 547),
    ] {
        let refresh = &get(&catalog, id).refresh;
        assert!(refresh.refresh_absolute, "{id}");
        let lifetime = refresh
            .refresh_lifetime
            .and_then(|span| span.known())
            .unwrap();
        assert!((lifetime.num_days() - days).abs() <= 3, "{id} {lifetime}");
        // Renewing more often would not help.
        assert_eq!(refresh.keepalive, None, "{id}");
    }
}

#[test]
fn e7_a_token_that_ends_through_disuse_is_used_in_time() {
    let catalog = Catalog::embedded().unwrap();
    let hour = Some(TimeDelta::hours(1));
    for (id, idle_days) in [
        ("xero", 60),
        ("sage", 31),
        ("jira", 90),
        ("microsoft", 90),
        ("klaviyo", 90),
        ("pipedrive", 60),
        ("box", 60),
        ("airtable", 60),
        ("squarespace", 7),
        ("google-drive", 180),
    ] {
        let provider = get(&catalog, id);
        let idle = TimeDelta::days(idle_days);
        let refresh = &provider.refresh;
        assert_eq!(
            refresh.refresh_lifetime.unwrap().known(),
            Some(idle),
            "{id}"
        );
        assert!(
            refresh.keepalive.unwrap() * 2 <= idle + TimeDelta::days(1),
            "{id}"
        );
        // Even a token without an end is renewed before the other dies.
        assert!(due(provider, None, true).unwrap() < idle, "{id}");
        assert!(
            due(provider, hour, true).unwrap() < TimeDelta::hours(1),
            "{id}"
        );
    }
}

#[test]
fn e9_a_token_that_ends_without_a_way_to_renew_it_is_never_due() {
    let catalog = Catalog::embedded().unwrap();
    // LinkedIn gives refresh tokens to some apps only: the answer decides.
    let linkedin = get(&catalog, "linkedin");
    let sixty = Some(TimeDelta::days(60));
    assert_eq!(due(linkedin, sixty, false), None);
    assert!(due(linkedin, sixty, true).unwrap() <= TimeDelta::days(50));
}

#[tokio::test]
async fn e10_a_living_token_is_traded_before_it_ends() {
    for (id, parameter) in [
        ("facebook", "fb_exchange_token"),
        ("instagram-login", "access_token"),
        ("threads", "access_token"),
    ] {
        let bench = Bench::start().await;
        let catalog = bench.shipped();
        let provider = get(&catalog, id);
        assert_eq!(provider.refresh.mode, RefreshMode::Exchange);
        bench.will_answer(json(r#"{"access_token":"longer","expires_in":5184000}"#));
        let RefreshAnswer::Renewed(grant) = bench.renew(&catalog, id).await else {
            panic!("{id}: not renewed");
        };
        assert_eq!(grant.access_token.expose(), "longer");
        assert_eq!(
            bench.seen()[0].query[parameter],
            "old-refresh-token",
            "{id}"
        );
        // Weeks before its end, and not within its first day.
        let at = due(provider, Some(TimeDelta::days(60)), false).unwrap();
        assert!(
            at >= TimeDelta::days(1) && at <= TimeDelta::days(40),
            "{id} {at}"
        );
    }
}

#[tokio::test]
async fn e11_a_refresh_may_give_the_same_tokens_a_longer_life() {
    let bench = Bench::start().await;
    let catalog = bench.made_up("");
    bench.will_answer(json(
        r#"{"access_token":"same","refresh_token":"old-refresh-token","expires_in":2592000}"#,
    ));
    let RefreshAnswer::Renewed(grant) = bench.renew(&catalog, "made-up").await else {
        panic!("renewed");
    };
    assert_eq!(grant.refresh_token.unwrap().expose(), "old-refresh-token");
    assert_eq!(grant.expires_at, Some(bench.now() + TimeDelta::days(30)));
    // And one that says only how long they live on is no answer to keep.
    bench.will_answer(json(r#"{"expires_in":2592000}"#));
    let answer = bench.renew(&catalog, "made-up").await;
    assert_eq!(kind(&answer).0, "unclear");
}

#[tokio::test]
async fn e12_what_has_no_refresh_token_is_minted_again() {
    for (id, fields) in [
        ("wix", vec![]),
        (
            "paypal",
            vec![("client_id", "own"), ("client_secret", "hush")],
        ),
    ] {
        let bench = Bench::start().await;
        let catalog = bench.shipped();
        let provider = get(&catalog, id);
        assert_eq!(provider.refresh.mode, RefreshMode::Mint, "{id}");
        bench.will_answer(json(
            r#"{"access_token":"again","expires_in":3600,"app_id":"A"}"#,
        ));
        let fields = fields.into_iter();
        let entered =
            Entered::new(fields.map(|(name, value)| (name.to_owned(), Secret::new(value))));
        let (values, app) = (bench.values(provider), app());
        let stored = entered.to_stored();
        let answer = bench
            .dialect
            .refresh(provider, &app, &values, &stored)
            .await;
        let RefreshAnswer::Renewed(grant) = answer else {
            panic!("{id}: {:?}", kind(&answer));
        };
        assert_eq!(
            (grant.access_token.expose(), grant.refresh_token.is_none()),
            ("again", true)
        );
        assert_eq!(bench.seen()[0].params()["grant_type"], "client_credentials");
        assert!(due(provider, Some(TimeDelta::hours(1)), true).is_some());
    }
}

#[test]
fn e13_too_early_is_not_tried() {
    let catalog = Catalog::embedded().unwrap();
    let exact = get(&catalog, "exact-online");
    let ten = TimeDelta::minutes(10);
    assert_eq!(
        due(exact, Some(ten), true),
        Some(ten - TimeDelta::seconds(30))
    );
}

#[test]
fn e14_short_tokens_are_renewed_in_their_second_half() {
    let catalog = Catalog::embedded().unwrap();
    for (id, minutes) in [("sage", 5), ("exact-online", 10), ("xero", 30)] {
        let lifetime = TimeDelta::minutes(minutes);
        let at = due(get(&catalog, id), Some(lifetime), true).unwrap();
        assert!(at * 2 >= lifetime && at < lifetime, "{id} {at}");
    }
}

#[test]
fn e15_square_wants_a_renewal_every_week() {
    let catalog = Catalog::embedded().unwrap();
    let at = due(get(&catalog, "square"), Some(TimeDelta::days(30)), true).unwrap();
    assert_eq!(at, TimeDelta::days(7));
}

#[tokio::test]
async fn e17_the_answer_decides_which_of_two_kinds_it_is() {
    let hour = Some(TimeDelta::hours(1));
    for id in [
        "shopify",
        "slack",
        "linear",
        "monday",
        "zendesk",
        "notion",
        "github",
        "miro",
        "pinterest",
    ] {
        let bench = Bench::start().await;
        let catalog = bench.shipped();
        let provider = get(&catalog, id);
        let ok = r#""ok":true,"access_token":"a""#;
        bench.will_answer(json(&format!(
            r#"{{{ok},"refresh_token":"r","expires_in":3600}}"#
        )));
        let ending = bench.trade(&catalog, id).await.unwrap();
        bench.will_answer(json(&format!("{{{ok}}}")));
        let endless = bench.trade(&catalog, id).await.unwrap();
        let kinds = (
            ending.refresh_token.is_some(),
            endless.refresh_token.is_some(),
        );
        assert_eq!(kinds, (true, false), "{id}");
        assert_eq!(
            ending.expires_at,
            Some(bench.now() + TimeDelta::hours(1)),
            "{id}"
        );
        assert!(due(provider, hour, true).is_some(), "{id}");
        assert_eq!(due(provider, None, false), None, "{id}");
    }
    // And the other way round: what the table says has none may have one.
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    assert_eq!(
        get(&catalog, "stripe-connect").refresh.mode,
        RefreshMode::None
    );
    bench.will_answer(json(r#"{"access_token":"b","stripe_user_id":"acct_1"}"#));
    let answer = bench.renew(&catalog, "stripe-connect").await;
    assert!(matches!(answer, RefreshAnswer::Renewed(_)));
    assert_eq!(
        bench.seen()[0].params()["refresh_token"],
        "old-refresh-token"
    );
}

#[test]
fn e2_e3_e5_what_becomes_of_the_old_token_is_known_of_each() {
    let catalog = Catalog::embedded().unwrap();
    let rotation = |id: &str| &get(&catalog, id).refresh.rotation;
    for (id, minutes) in [("xero", 30), ("jira", 10)] {
        assert_eq!(
            rotation(id).grace,
            Some(TimeDelta::minutes(minutes)),
            "{id}"
        );
    }
    assert!(rotation("shopify").until_replacement_used);
    for id in ["airtable", "okta"] {
        assert!(rotation(id).reuse_revokes_family, "{id}");
    }
    for id in [
        "google-drive",
        "hubspot",
        "dropbox",
        "asana",
        "ebay",
        "amazon-selling-partner",
        "linkedin",
        "pipedrive",
        "figma",
        "spotify",
    ] {
        assert_eq!(rotation(id).rotates, Rotates::Never, "{id}");
    }
    for id in [
        "zoom",
        "box",
        "sage",
        "zendesk",
        "gitlab",
        "freshbooks",
        "squarespace",
        "calendly",
        "tiktok",
    ] {
        assert_eq!(rotation(id).rotates, Rotates::Always, "{id}");
    }
}

#[tokio::test]
async fn e16_a_token_endpoint_that_limits_is_left_alone_for_as_long_as_it_says() {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    for id in ["zoho", "figma"] {
        let limited = (
            http::StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", "600")],
            r#"{"error":"Access Denied"}"#,
        );
        bench.will_answer(limited);
        let RefreshAnswer::Later(failure) = bench.renew(&catalog, id).await else {
            panic!("{id}: later");
        };
        assert_eq!(failure.code, Code::ProviderLimitedOrDown);
        assert_eq!(
            failure.retry_at,
            Some(bench.now() + TimeDelta::minutes(10)),
            "{id}"
        );
    }
}
