//! Which address, and what in it differs: rows A1-A4, A20-A22, B2 and B3. That
//! no value leads elsewhere is proved for every entry in `properties`.

use hub::{
    catalog::{Origin, Provider},
    failure::FailureCode as Code,
};

use crate::bench::*;

fn host_of(id: &str, values: &[(&str, &str)]) -> String {
    let leaving = Leaving {
        values,
        ..Leaving::default()
    };
    let url = leaving.to(&shipped(), id).unwrap();
    url.host_str().unwrap().to_owned()
}

#[test]
fn a1_the_host_is_the_customers_own() {
    for (id, question, answer, host) in [
        ("shopify", "shop", "my-store", "my-store.myshopify.com"),
        ("zendesk", "subdomain", "acme", "acme.zendesk.com"),
        ("salesforce", "login", "acme.my", "acme.my.salesforce.com"),
        ("okta", "org", "acme.okta.com", "acme.okta.com"),
        ("gorgias", "subdomain", "acme", "acme.gorgias.com"),
    ] {
        assert_eq!(host_of(id, &[(question, answer)]), host);
        for hostile in [
            "",
            "evil.example/",
            "evil.example#",
            "a@evil.example",
            "a\nb",
        ] {
            let leaving = Leaving {
                values: &[(question, hostile)],
                ..Leaving::default()
            };
            assert!(leaving.to(&shipped(), id).is_err(), "{id}: {hostile:?}");
        }
    }
}

#[test]
fn a2_regions_come_from_a_list() {
    for (id, question, answer, host) in [
        ("zoho", "domain", "zoho.com.au", "accounts.zoho.com.au"),
        ("intercom", "zone", "eu.intercom", "app.eu.intercom.com"),
        (
            "exact-online",
            "extension",
            "co.uk",
            "start.exactonline.co.uk",
        ),
        (
            "mercadolibre",
            "site",
            "mercadolibre.com.uy",
            "auth.mercadolibre.com.uy",
        ),
    ] {
        assert_eq!(host_of(id, &[(question, answer)]), host);
    }
    // What is on no list is refused, at every entry that has one.
    let catalog = shipped();
    let mut lists = 0;
    for provider in catalog.iter() {
        for question in provider.questions().filter(|it| !it.choices.is_empty()) {
            lists += 1;
            for choice in &question.choices {
                assert!(question.read(&choice.value).is_ok(), "{}", provider.id);
            }
            for hostile in ["evil.example", "zoho.evil", "com.evil.example", "eu/../us"] {
                assert!(
                    question.anywhere || question.read(hostile).is_err(),
                    "{}: {hostile}",
                    provider.id
                );
            }
        }
    }
    assert!(lists > 10, "{lists}");
}

#[test]
fn a3_the_edition_is_a_word_in_the_address() {
    let path = |values: &[(&str, &str)]| {
        let leaving = Leaving {
            values,
            ..Leaving::default()
        };
        let url = leaving.to(&shipped(), "microsoft").unwrap();
        url.path().to_owned()
    };
    assert_eq!(path(&[]), "/common/oauth2/v2.0/authorize");
    let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    for word in ["organizations", "consumers", tenant, "contoso.com"] {
        let expected = format!("/{word}/oauth2/v2.0/authorize");
        assert_eq!(path(&[("tenant", word)]), expected);
    }
    assert_eq!(host_of("docusign", &[]), "account.docusign.com");
    let developer = [("auth_host", "account-d.docusign.com")];
    assert_eq!(host_of("docusign", &developer), "account-d.docusign.com");
}

/// Every address of an entry, filled with one region.
fn hosts(provider: &Provider, values: &[(&str, &str)]) -> Vec<String> {
    let values = variables(values);
    let authorize = provider.authorize().map(|it| it.url.render(&values));
    let token = provider.token().map(|it| it.url.render(&values));
    let refresh = provider.refresh.url.as_ref().map(|it| it.render(&values));
    let base = provider.api.base.as_ref().map(|it| it.render(&values));
    [authorize, token, refresh, base]
        .into_iter()
        .flatten()
        .map(|url| {
            let url: url::Url = url.unwrap().parse().unwrap();
            url.host_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a4_one_answer_chooses_every_host() {
    let catalog = shipped();
    let clover = catalog.get("clover").unwrap();
    let values = [("clover_domain", "eu.clover.com"), ("merchant_id", "M")];
    for host in hosts(clover, &values) {
        assert!(host.ends_with(".eu.clover.com"), "{host}");
    }
    // Where the hosts have nothing in common, a choice sets them all.
    let amazon = catalog.get("amazon-selling-partner").unwrap();
    let question = amazon
        .questions()
        .find(|it| it.name == "seller_central")
        .unwrap();
    assert_eq!(amazon.questions().count(), 1, "the region is not asked for");
    for (shop, api) in [
        ("sellercentral-europe.amazon.com", "eu"),
        ("sellercentral.amazon.com.br", "na"),
        ("sellercentral-japan.amazon.com", "fe"),
    ] {
        let choice = question.choices.iter().find(|it| it.value == shop).unwrap();
        let region = choice.sets["region"].as_str();
        let api = format!("sellingpartnerapi-{api}.amazon.com");
        let hosts = hosts(amazon, &[("seller_central", shop), ("region", region)]);
        assert!(
            hosts.contains(&shop.to_owned()) && hosts.contains(&api),
            "{hosts:?}"
        );
    }
}

#[tokio::test]
async fn a20_the_path_stands_behind_the_hash() {
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        r#"
[oauth.authorize]
url = "{peer}/app/#/oauth/authorize"
incremental = "merge"
no_scopes = "none"
"#,
    );
    let url = Leaving::default().to(&catalog, "made-up").unwrap();
    assert_eq!((url.path(), url.query()), ("/app/", None));
    let fragment = url.fragment().unwrap();
    assert!(
        fragment.starts_with("/oauth/authorize?client_id=client%3A1&"),
        "{fragment}"
    );
}

#[tokio::test]
async fn a21_the_apps_id_stands_in_the_path() {
    let values = [("app_slug", "acme-automations")];
    let leaving = Leaving {
        values: &values,
        ..Leaving::default()
    };
    let url = leaving.to(&shipped(), "github-app").unwrap();
    assert_eq!(url.path(), "/apps/acme-automations/installations/new");

    let bench = Bench::start().await;
    let catalog = bench.made_up(
        r#"
[oauth.authorize]
url = "{peer}/oauth/authorize/{client_id}"
omit = ["client_id"]
incremental = "merge"
no_scopes = "none"
"#,
    );
    let url = Leaving::default().to(&catalog, "made-up").unwrap();
    assert_eq!(url.path(), "/oauth/authorize/client:1");
    assert!(!query(&url).contains_key("client_id"));
}

#[test]
fn a22_a_name_stands_in_for_the_redirect_address() {
    let name = "Acme_Ltd-AcmeLtd-Hub-abcdefg";
    let leaving = Leaving {
        values: &[("ru_name", name)],
        ..Leaving::default()
    };
    let catalog = shipped();
    for id in ["ebay", "ebay-sandbox"] {
        let url = leaving.to(&catalog, id).unwrap();
        assert_eq!(query(&url)["redirect_uri"], name);
        let entry = catalog.get(id).unwrap().token().unwrap();
        // The exchange must repeat it.
        let repeated = entry.params["redirect_uri"].render(&variables(&[("ru_name", name)]));
        assert_eq!(repeated.unwrap(), name);
    }
}

#[test]
fn b2_what_else_the_callback_tells_is_kept() {
    let catalog = shipped();
    for (id, given, told, expected) in [
        (
            "quickbooks",
            None,
            "realmId=4620816365",
            ("realmId", "4620816365"),
        ),
        (
            "amazon-selling-partner",
            None,
            "spapi_oauth_code=c&selling_partner_id=A3FHEXAMPLE",
            ("selling_partner_id", "A3FHEXAMPLE"),
        ),
        (
            "zoho",
            None,
            "location=eu&accounts-server=https%3A%2F%2Faccounts.zoho.eu",
            ("accounts_server", "https://accounts.zoho.eu"),
        ),
        (
            "clover",
            None,
            "merchant_id=ABCDEFGH12345&employee_id=E",
            ("merchant_id", "ABCDEFGH12345"),
        ),
        (
            "lightspeed-retail",
            None,
            "domain_prefix=acme&user_id=1",
            ("domain_prefix", "acme"),
        ),
        (
            "bigcommerce",
            Some(("store_hash", "abc123")),
            "context=stores%2Fabc123&scope=store_v2_orders+store_v2_products",
            ("granted", "store_v2_orders store_v2_products"),
        ),
        (
            "github-app",
            None,
            "installation_id=81&setup_action=install",
            ("installation_id", "81"),
        ),
    ] {
        let provider = catalog.get(id).unwrap();
        let values = variables(given.as_slice());
        let read = |query: &str| dialect().read_callback(provider, &app(), &values, &pairs(query));
        let grant = read(&format!("code=c&state=s&{told}")).unwrap_or_else(|f| panic!("{f:?}"));
        assert_eq!(grant.variables[expected.0], expected.1, "{id}");
        if id == "bigcommerce" {
            continue;
        }
        // What has to be told and is not, ends the attempt.
        let failure = failed(read("code=c&spapi_oauth_code=c&state=s"));
        assert_eq!(failure.code, Code::FlowExpiredOrInvalid, "{id}");
    }
}

#[test]
fn b3_the_callback_may_pick_a_host_of_the_list_and_no_other() {
    let catalog = shipped();
    let zoho = catalog.get("zoho").unwrap();
    let read = |provider, query: &str| {
        dialect().read_callback(provider, &app(), &variables(&[]), &pairs(query))
    };
    let good = "code=c&state=s&accounts-server=https%3A%2F%2Faccounts.zoho.in";
    let told = read(zoho, good).unwrap().variables;
    let token_url = zoho.token().unwrap().url.render(&told).unwrap();
    assert_eq!(token_url, "https://accounts.zoho.in/oauth/v2/token");
    for hostile in [
        "https://accounts.zoho.com.evil.example",
        "https://evil.example",
        "https://accounts.zoho.com@evil.example",
        "https://accounts.zoho.com/..",
        "http://accounts.zoho.com",
        "https://accounts.zoho.com:8443",
        "https://accounts.zoho.com\u{0000}",
        "https://169.254.169.254",
    ] {
        let query = url::form_urlencoded::Serializer::new(String::from("code=c&state=s"))
            .append_pair("accounts-server", hostile)
            .finish();
        let failure = failed(read(zoho, &query));
        assert_eq!(failure.detail, "accounts-server_not_allowed", "{hostile:?}");
    }
    let lightspeed = catalog.get("lightspeed-retail").unwrap();
    for hostile in ["evil.example%2F", "a.b", "%40evil.example", "", "a%0d%0ab"] {
        let query = format!("code=c&state=s&domain_prefix={hostile}");
        let failure = failed(read(lightspeed, &query));
        assert_eq!(failure.detail, "domain_prefix_not_allowed", "{hostile:?}");
    }
    // Nothing a callback tells stands in an address without a variable of its own.
    for provider in catalog.all() {
        let told: Vec<_> = provider
            .variables
            .iter()
            .filter(|variable| variable.from == Origin::Callback)
            .collect();
        for variable in told {
            let accepted = variable.accept("https://evil.example/".to_owned());
            assert!(accepted.is_err(), "{}: {}", provider.id, variable.name);
        }
    }
}
