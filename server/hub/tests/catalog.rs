//! The catalog: every entry by table, and what a mistake in a file looks like.

#[path = "dialect/example.rs"]
mod example;

use std::{fs, path::PathBuf};

use hub::{
    catalog::{Catalog, Problem, Variables, oauth::Pkce},
    clock::Clock,
    dialect::{AuthorizeAsk, Dialect, ProviderApp},
    outbound::{Outbound, OutboundPolicy},
    secret::Secret,
};

use example::example;

fn catalog() -> Catalog {
    let catalog = Catalog::embedded().unwrap_or_else(|problems| panic!("{}", problems[0]));
    catalog.with_global("sandbox_origin", "http://localhost:3001")
}

/// A directory of extra files, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn with(name: &str, text: &str) -> Self {
        let random = Secret::random(9);
        let path = std::env::temp_dir().join(format!("catalog-{}", random.expose()));
        fs::create_dir(&path).unwrap();
        fs::write(path.join(name), text).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn problems(name: &str, text: &str) -> Vec<Problem> {
    let directory = Directory::with(name, text);
    let result = Catalog::embedded().unwrap().with_directory(&directory.0);
    result.err().expect("problems")
}

/// The embedded file, for tests that break one line of it.
fn shopify() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/catalog/shopify.toml")).unwrap()
}

/// What the catalog must have at least.
const PROMISED: &str = "
    shopify shopify-client-credentials shopify-admin-token google-gmail google-drive
    google-workspace-admin youtube google-analytics google-calendar google-sheets google-docs
    google-contacts google-search-console google-ads google-business-profile google-tasks
    google-forms google-bigquery google-cloud-storage google-service-account facebook instagram
    instagram-login meta-ads whatsapp-business threads tiktok tiktok-shop pinterest
    stripe-connect stripe quickbooks quickbooks-sandbox xero sage sage-intacct square
    square-sandbox paypal paypal-login freshbooks freeagent hmrc gocardless sumup mollie wise
    plaid truelayer woocommerce woocommerce-connect bigcommerce bigcommerce-token wix
    wix-api-key squarespace etsy ebay ebay-sandbox amazon-selling-partner hubspot
    hubspot-private-app salesforce salesforce-sandbox pipedrive zoho mailchimp mailchimp-key
    klaviyo constant-contact github github-app github-pat gitlab bitbucket linear figma sentry
    slack discord discord-bot telegram-bot zoom twilio sendgrid microsoft outlook-mail
    outlook-calendar onedrive sharepoint microsoft-teams microsoft-excel microsoft-todo
    microsoft-ads power-bi dynamics-365 notion notion-token airtable airtable-pat asana jira
    confluence jira-basic trello monday clickup calendly typeform docusign zendesk zendesk-token
    intercom dropbox box linkedin spotify x-twitter reddit openai anthropic google-gemini
    mistral groq perplexity cohere elevenlabs replicate postgresql mysql rest-api tiktok-ads
    sandbox
";

#[test]
fn every_provider_is_there() {
    let catalog = catalog();
    // There, and offered: none of them is kept back.
    let missing: Vec<_> = PROMISED
        .split_whitespace()
        .filter(|id| catalog.get(id).is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(catalog.all().count() >= 150, "{}", catalog.all().count());
}

#[test]
fn the_sandbox_is_offered_only_while_it_runs() {
    let off = Catalog::embedded().unwrap();
    assert!(off.get("sandbox").is_none());
    assert!(
        !off.search("sandbox")
            .iter()
            .any(|found| found.id == "sandbox")
    );
    let on = catalog();
    assert_eq!(on.get("sandbox").unwrap().name(), "Sandbox Shop");
}

#[test]
fn products_share_their_app() {
    let catalog = catalog();
    let google: Vec<_> = catalog.apps()["google"]
        .iter()
        .map(|p| p.id.as_str())
        .collect();
    assert!(google.contains(&"google-gmail") && google.contains(&"google-drive"));
    assert_eq!(catalog.apps()["github"].len(), 1);
    assert!(
        catalog.get("google").is_none(),
        "a shared app cannot be connected"
    );
}

#[test]
fn search_knows_names_aliases_and_shelves() {
    let catalog = catalog();
    let found = |query| {
        catalog
            .search(query)
            .iter()
            .map(|p| p.id.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("GOOGLE DRI")[0], "google-drive");
    assert_eq!(found("intuit")[0], "quickbooks");
    assert!(found("ig")[0].starts_with("instagram"));
    assert!(found(" finance ").contains(&"xero"));
    assert_eq!(
        found("shop")[0],
        "shopify",
        "names that begin with it come first"
    );
    assert!(found("no such thing").is_empty());
    assert_eq!(found("").len(), catalog.iter().count());
}

#[test]
fn every_entry_makes_an_authorize_address() {
    let dialect = Dialect::new(
        Outbound::new(OutboundPolicy::default()).unwrap(),
        Clock::manual("2026-11-20T10:00:00Z".parse().unwrap()),
    );
    for provider in catalog().iter() {
        let Some(authorize) = provider.authorize() else {
            continue;
        };
        let id = &provider.id;
        let (state, verifier) = (Secret::random(32), Secret::random(32));
        let app = ProviderApp {
            client_id: "the-client".into(),
            client_secret: Secret::new("the-secret"),
            settings: provider
                .settings()
                .map(|setting| (setting.name.clone(), example(setting)))
                .collect(),
        };
        let variables: Variables = provider
            .questions()
            .map(|question| (question.name.clone(), example(question)))
            .collect();
        let ask = AuthorizeAsk {
            redirect_uri: "https://hub.example/oauth/callback/x",
            state: &state,
            verifier: Some(&verifier),
            scopes: &provider.default_scopes(),
            variables: &variables,
            login_hint: None,
            reconsent: false,
            locale: None,
        };
        let url = dialect
            .authorize_url(provider, &app, &ask)
            .unwrap_or_else(|e| panic!("{id}: {e}"));
        let query: Variables = url.query_pairs().into_owned().collect();
        let sent = |name: &str| {
            let renamed = authorize.rename.get(name).map_or(name, String::as_str);
            query.get(renamed).cloned()
        };
        let ours = |name: &str| {
            !authorize.omit.iter().any(|omitted| omitted == name)
                && !authorize.params.contains_key(name)
        };
        for (name, value) in [
            ("client_id", "the-client"),
            ("redirect_uri", ask.redirect_uri),
            ("response_type", "code"),
        ] {
            if ours(name) {
                assert_eq!(sent(name).as_deref(), Some(value), "{id}: {name}");
            }
        }
        // Wherever it stands: without it no callback would be believed.
        assert!(url.as_str().contains(state.expose()), "{id}");
        assert!(!url.as_str().contains(verifier.expose()), "{id}");
        assert!(!url.as_str().contains("the-secret"), "{id}");

        if authorize.pkce == Pkce::Off {
            assert!(
                authorize
                    .pkce_reason
                    .as_ref()
                    .is_some_and(|why| why.len() > 20),
                "{id}"
            );
            assert!(!query.contains_key("code_challenge"), "{id}");
        } else {
            assert_eq!(query["code_challenge_method"], "S256", "{id}");
            assert_eq!(query["code_challenge"].len(), 43, "{id}");
        }
    }
}

#[test]
fn every_entry_reads_well() {
    for provider in catalog().iter() {
        let id = &provider.id;
        assert!(
            provider.about.summary.ends_with('.'),
            "{id}: a sentence ends with a full stop"
        );
        assert!(
            provider.setup.iter().all(|setup| !setup.steps.is_empty()),
            "{id}"
        );
        assert!(provider.about.usually_takes.is_some(), "{id}");
        for scope in &provider.scopes {
            assert!(
                !scope.meaning.is_empty() && !scope.meaning.ends_with('.'),
                "{id}: {}",
                scope.name
            );
            assert!(
                scope.benefit.starts_with("so that "),
                "{id}: {}",
                scope.name
            );
        }
        let visible = provider
            .scopes
            .iter()
            .filter(|scope| scope.default && !scope.technical);
        assert!(
            provider.scopes.is_empty() || (1..=4).contains(&visible.count()),
            "{id}: a few permissions are enough to begin"
        );
        for question in provider.questions() {
            assert!(!question.help.is_empty(), "{id}: {}", question.name);
            assert!(
                question.read(&example(question)).is_ok(),
                "{id}: the example is a good answer"
            );
        }
        let told: Variables = provider
            .variables
            .iter()
            .map(|variable| (variable.name.clone(), variable.placeholder.clone()))
            .collect();
        // Whoever runs a server of their own removes the access there.
        let has_page = provider.service.is_none();
        assert!(!has_page || provider.remove_url(&told).is_some(), "{id}");
    }
}

#[test]
fn a_shop_is_understood_however_it_is_pasted() {
    let catalog = catalog();
    let shop = catalog.get("shopify").unwrap().questions().next().unwrap();
    for typed in [
        "my-store",
        "  My-Store ",
        "my-store.myshopify.com",
        "https://my-store.myshopify.com",
        "https://My-Store.myshopify.com/admin?x=1#y",
        "https://admin.shopify.com/store/my-store",
        "https://admin.shopify.com/store/my-store/orders",
    ] {
        assert_eq!(shop.read(typed).as_deref(), Ok("my-store"), "{typed}");
    }
    for typed in [
        "",
        "my store",
        "evil.example",
        "my-store.myshopify.com.evil.example",
        "a@b",
        "-x",
        "x\ny",
        "..",
        "https://",
    ] {
        assert!(shop.read(typed).is_err(), "{typed}");
    }
}

#[test]
fn what_is_missing_is_counted_with_implied_and_renamed_scopes() {
    let catalog = catalog();
    let missing = |id: &str, asked: &[&str], granted: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        catalog
            .get(id)
            .unwrap()
            .missing_scopes(&owned(asked), &owned(granted))
    };
    assert_eq!(
        missing(
            "shopify",
            &["read_products", "write_products"],
            &["write_products"]
        ),
        [""; 0]
    );
    assert_eq!(
        missing(
            "shopify",
            &["read_products", "read_orders"],
            &["read_products"]
        ),
        ["read_orders"]
    );
    let email = "https://www.googleapis.com/auth/userinfo.email";
    assert_eq!(
        missing("google-gmail", &["openid", "email"], &[email]),
        [""; 0]
    );
    assert_eq!(
        missing(
            "microsoft",
            &["offline_access", "User.Read"],
            &["User.Read"]
        ),
        [""; 0]
    );
}

#[test]
fn an_extra_file_adds_and_a_like_named_one_overrides() {
    let other = shopify().replace("name = \"Shopify\"", "name = \"Our own Shopify\"");
    for (file, id) in [("shopify.toml", "shopify"), ("our-shop.toml", "our-shop")] {
        let directory = Directory::with(file, &other);
        let catalog = Catalog::embedded()
            .unwrap()
            .with_directory(&directory.0)
            .unwrap();
        assert_eq!(catalog.get(id).unwrap().name(), "Our own Shopify");
        let names = catalog.iter().filter(|p| p.name() == "Shopify").count();
        assert_eq!(names, usize::from(file != "shopify.toml"));
    }
}

#[test]
fn a_proof_proves_what_the_callback_brought() {
    let file = |id: &str| format!("{}/catalog/{id}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(file("github-app")).unwrap();
    for (good, bad, expected) in [
        (
            "is = \"{installation_id}\"",
            "is = \"{app_slug}\"",
            "it proves nothing",
        ),
        (
            "delivers = \"installation\"",
            "delivers = \"code\"",
            "only an installation needs",
        ),
        (
            "client_secret = \"{user_secret}\", code = \"{code}\"",
            "client_secret = \"{own_secret}\", code = \"{code}\"",
            "`own_secret`, which is not declared",
        ),
    ] {
        assert!(text.contains(good), "{good}");
        let found = problems("github-app.toml", &text.replacen(good, bad, 1));
        let said = found.iter().any(|it| it.message.contains(expected));
        assert!(said, "{bad}: {}", found[0]);
    }
}

#[test]
fn what_signs_calls_is_checked() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/catalog/tiktok-shop.toml");
    let text = fs::read_to_string(file).unwrap();
    for (good, bad, expected) in [
        (
            "scheme = \"sorted_query_hmac_sha256\"",
            "scheme = \"rot13\"",
            "unknown variant `rot13`",
        ),
        (
            "key = \"app_key\"",
            "key = \"timestamp\"",
            "three names of parameters",
        ),
        (
            "expect = { at = \"/code\", is = \"0\" }\n",
            "params = { sign = \"1\" }\n",
            "`sign` is sent already",
        ),
    ] {
        assert!(text.contains(good), "{good}");
        let found = problems("tiktok-shop.toml", &text.replacen(good, bad, 1));
        let said = found.iter().any(|it| it.message.contains(expected));
        assert!(said, "{bad}: {}", found[0]);
    }
    // A key a person enters is no secret of ours to sign with.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/catalog/stripe.toml");
    let signed = "[api.signing]\nscheme = \"sorted_query_hmac_sha256\"\nkey = \"k\"\ntime = \"t\"\nsignature = \"s\"\n";
    let text = fs::read_to_string(file).unwrap() + signed;
    let found = problems("stripe.toml", &text);
    assert!(found[0].message.contains("[app] signs"), "{}", found[0]);
}

#[test]
fn mistakes_are_named_with_file_and_line() {
    let text = shopify();
    let cases: &[(&str, &str, &str)] = &[
        (
            "category = \"e-commerce\"",
            "category = \"shops\"",
            "unknown variant `shops`",
        ),
        (
            "[oauth.token]",
            "[oauth.token]\nsurprise = 1",
            "unknown field `surprise`",
        ),
        ("summary = ", "slogan = ", "unknown field `slogan`"),
        (
            "https://{shop}.myshopify.com/admin/oauth/authorize",
            "http://{shop}.myshopify.com/a",
            "must begin with https://",
        ),
        (
            "https://{shop}.myshopify.com/admin/oauth/authorize",
            "not an address",
            "is not an address",
        ),
        (
            "https://{shop}.myshopify.com/admin/oauth/authorize",
            "https://u:p@{shop}.x.com/a",
            "user name",
        ),
        (
            "https://{shop}.myshopify.com/admin/oauth/authorize",
            "https://{store}.myshopify.com/",
            "names `store`, which is not declared",
        ),
        (
            "https://{shop}.myshopify.com/admin/oauth/access_token",
            "https://{shop.myshopify.com/",
            "`{` is not followed by",
        ),
        (
            "pattern = \"[a-z0-9][a-z0-9-]{0,60}\"",
            "pattern = \"[a-z\"",
            "is not a pattern",
        ),
        (
            "pattern = \"[a-z0-9][a-z0-9-]{0,60}\"",
            "pattern = \".+\"",
            "could lead a token astray",
        ),
        (
            "default = \"2026-07\"",
            "default = \"2026-08\"",
            "does not match its own pattern",
        ),
        (
            "\"token:402\" = \"PROVIDER_LIMITED_OR_DOWN\"",
            "\"token:402\" = \"OUT_OF_MONEY\"",
            "`OUT_OF_MONEY` is not a failure code",
        ),
        ("\"token:402\"", "\"elsewhere:402\"", "is not place:code"),
        ("pkce_reason = ", "#", "needs a `pkce_reason`"),
        (
            "token_lifetime = \"1h\"",
            "token_lifetime = \"soon\"",
            "is neither a duration",
        ),
        (
            "colour = \"#7ab55c\"",
            "colour = \"green\"",
            "is not a colour",
        ),
        (
            "checked = \"2026-11-20\"",
            "checked = \"lately\"",
            "is not a date",
        ),
        (
            "regions = [\"global\"]",
            "regions = [\"Europe\"]",
            "`Europe` is neither",
        ),
        (
            "id = [\"answer:/data/shop/id\"]",
            "id = [\"data.shop.id\"]",
            "must be fingerprint or begin with token:",
        ),
        (
            "id = [\"answer:/data/shop/id\"]",
            "id = [\"answer:data\"]",
            "is not a JSON pointer",
        ),
        (
            "id = [\"answer:/data/shop/id\"]",
            "id = [\"variable:none\"]",
            "`none` is not declared",
        ),
        (
            "implies = [\"read_products\"]",
            "implies = [\"read_thoughts\"]",
            "`read_thoughts`, which is not described",
        ),
        (
            "header = \"x-shopify-access-token\"",
            "header = \"X Shopify\"",
            "is not a header name",
        ),
    ];
    for &(good, bad, expected) in cases {
        assert!(text.contains(good), "{good}");
        let broken = text.replacen(good, bad, 1);
        let found = problems("shopify.toml", &broken);
        let at = text.find(good).unwrap();
        let line = text[..at].matches('\n').count() + 1;
        let problem = &found[0];
        assert!(problem.message.contains(expected), "{bad}: {problem}");
        assert!(problem.file.ends_with("shopify.toml"), "{problem}");
        let near = problem.line.unwrap_or_else(|| panic!("no line: {problem}"));
        assert!(near.abs_diff(line) <= 3, "line {line} expected: {problem}");
        assert!(
            problem
                .to_string()
                .contains(&format!("shopify.toml:{near}: ")),
            "{problem}"
        );
    }
}

#[test]
fn whole_tables_that_are_missing_are_named() {
    let text = shopify();
    let cut = |from: &str, to: &str| {
        let (start, end) = (text.find(from).unwrap(), text.find(to).unwrap());
        format!("{}{}", &text[..start], &text[end..])
    };
    let cases = [
        (cut("[brand]", "[auth]"), "[brand] is missing"),
        (cut("[auth]", "[app]"), "[auth] is missing"),
        (cut("[app]", "[[variable]]"), "[app] is missing"),
        (cut("[identity]", "[[scope]]"), "[identity] is missing"),
        (
            cut("[oauth.token]", "[oauth.refresh]"),
            "[oauth.token] is missing",
        ),
        (
            text.replace("name = \"Shopify\"\n", ""),
            "missing field `name`",
        ),
        (
            text.replace("default = true\n", ""),
            "no scope is asked for by default",
        ),
    ];
    for (broken, expected) in cases {
        let found = problems("shopify.toml", &broken);
        assert!(
            found.iter().any(|p| p.message.contains(expected)),
            "{expected}: {:?}",
            found[0]
        );
    }
}

#[test]
fn a_product_needs_its_app() {
    let gmail = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/catalog/google-gmail.toml"
    ))
    .unwrap();
    let orphan = gmail.replace("app = \"google\"", "app = \"gogle\"");
    assert!(
        problems("google-gmail.toml", &orphan)[0]
            .message
            .contains("no file `gogle.toml`")
    );
    let greedy = format!("{gmail}\n[auth]\nkind = \"oauth2\"\n");
    let found = problems("google-gmail.toml", &greedy);
    assert!(
        found[0]
            .message
            .contains("belongs into the shared app's file"),
        "{}",
        found[0]
    );
}
