//! The token request, row by row (C1 to C21): how shipped entries ask.

use std::{collections::BTreeMap, sync::Arc};

use hub::{
    catalog::{Catalog, Variables, oauth::ClientAuth},
    dialect::{Entered, Identity, ProviderApp, RefreshAnswer, Revocation, Tokens},
    failure::FailureCode as Code,
    outbound::OutboundPolicy,
    secret::Secret,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
    server::TlsStream,
};

use crate::bench::*;

/// The id and the secret of the bench's app, form-encoded (RFC 6749 §2.3.1).
const BASIC: &str = "Basic Y2xpZW50JTNBMTpodXNo";

/// HMAC-SHA256 over `hush/byeapp_keyclient:1timestamp1623812664zoneeu 1{"why":"asked"}hush`.
const SIGNED_REVOCATION: &str = "4016d6cc3982b1b51dacd4561422ae242b0cf6374349fb5dff6c7b91ef18dbde";

/// What a shipped entry sends to exchange a code that is answered with `answer`.
async fn asked(id: &str, answer: &str) -> Seen {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    bench.will_answer(json(answer));
    // A second step, where there is one.
    bench.will_answer(json(answer));
    let traded = bench.trade(&catalog, id).await;
    assert!(traded.is_ok(), "{}: {:?}", id, traded.err());
    bench.seen().remove(0)
}

async fn exchange(id: &str) -> Seen {
    asked(id, r#"{"access_token":"a","ok":true,"expires_in":60}"#).await
}

/// What it sends to renew a token.
async fn renewal(id: &str) -> Seen {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    bench.will_answer(json(r#"{"access_token":"a","expires_in":60}"#));
    let answer = bench.renew(&catalog, id).await;
    assert!(
        matches!(answer, RefreshAnswer::Renewed(_)),
        "{}: {:?}",
        id,
        kind(&answer)
    );
    bench.seen().remove(0)
}

fn shipped(id: &str) -> String {
    let file = format!("{}/catalog/{id}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).unwrap()
}

#[tokio::test]
async fn c1_the_client_stands_in_the_basic_header_alone() {
    let told =
        r#"{"access_token":"a","stripe_user_id":"x","api_domain":"https://x.pipedrive.com"}"#;
    for id in [
        "quickbooks",
        "xero",
        "zoom",
        "pinterest",
        "ebay",
        "notion",
        "klaviyo",
        "squarespace",
        "figma",
        "reddit",
        "docusign",
        "pipedrive",
    ] {
        let seen = asked(id, told).await;
        assert_eq!(seen.header("authorization"), BASIC, "{id}");
        let params = seen.params();
        assert_eq!(params["code"], "the-code", "{id}");
        let both = format!("{params:?}{:?}", seen.query);
        assert!(
            !both.contains("hush") && !both.contains("client:1"),
            "{id}: {both}"
        );
    }
}

#[tokio::test]
async fn c2_the_secret_stands_in_the_body_alone() {
    for (id, id_name) in [
        ("google-drive", "client_id"),
        ("github", "client_id"),
        ("shopify", "client_id"),
        ("tiktok", "client_key"),
        ("facebook", "client_id"),
        ("linkedin", "client_id"),
    ] {
        let seen = exchange(id).await;
        let params = seen.params();
        assert_eq!(params[id_name], "client:1", "{id}");
        assert_eq!(params["client_secret"], "hush", "{id}");
        assert_eq!(seen.header("authorization"), "", "{id}");
    }
}

#[tokio::test]
async fn c3_a_public_client_sends_no_secret() {
    for seen in [exchange("etsy").await, renewal("clover").await] {
        assert_eq!(seen.params()["client_id"], "client:1");
        assert_eq!(seen.header("authorization"), "");
        assert!(
            !format!("{} {:?}", seen.body, seen.query).contains("hush"),
            "{}",
            seen.path
        );
    }
}

#[tokio::test]
async fn c4_a_signed_statement_stands_in_for_the_secret() {
    let bench = Bench::start().await;
    let key = include_str!("made-up-key.pem");
    let public = DecodingKey::from_rsa_pem(include_bytes!("made-up-key.pub.pem")).unwrap();
    let read = |token: &str, audience: &str| {
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_audience(&[audience]);
        // The bench's clock stands still.
        rules.validate_exp = false;
        rules.required_spec_claims.clear();
        rules.validate_aud = !audience.is_empty();
        let read =
            jsonwebtoken::decode::<BTreeMap<String, serde_json::Value>>(token, &public, &rules);
        read.expect("signed with the key").claims
    };

    let catalog = bench.shipped();
    let provider = catalog.get("google-service-account").unwrap();
    let entered = Entered::new(
        provider
            .fields
            .iter()
            .map(|field| (field.name.clone(), Secret::new(field.example.clone())))
            .chain([("private_key".to_owned(), Secret::new(key))]),
    );
    bench.will_answer(json(r#"{"access_token":"minted","expires_in":3599}"#));
    let values = bench.values(provider);
    let minted = bench
        .dialect
        .mint(provider, &app(), &values, Some(&entered))
        .await;
    assert!(
        matches!(minted, RefreshAnswer::Renewed(_)),
        "{:?}",
        kind(&minted)
    );
    let seen = bench.seen().remove(0);
    let claims = read(
        &seen.params()["assertion"],
        "https://oauth2.googleapis.com/token",
    );
    let (from, until) = (
        claims["iat"].as_i64().unwrap(),
        claims["exp"].as_i64().unwrap(),
    );
    let now = bench.now().timestamp();
    assert!(
        from <= now && now < until && until - from <= 3_600,
        "{claims:?}"
    );
    assert!(claims["iss"].as_str().unwrap().contains('@'));
    assert!(!seen.body.contains("PRIVATE"), "the key stays here");

    // An app of GitHub's proves itself in the header, and mints for an installation.
    let catalog = bench.shipped();
    let provider = catalog.get("github-app").unwrap();
    let registered = hub::dialect::ProviderApp {
        client_secret: Secret::new(key),
        ..app()
    };
    bench.will_answer(status(
        201,
        r#"{"token":"ghs_1","expires_at":"2026-11-20T11:00:00Z"}"#,
    ));
    let values = bench.values(provider);
    let minted = bench
        .dialect
        .mint(provider, &registered, &values, None)
        .await;
    assert!(
        matches!(minted, RefreshAnswer::Renewed(_)),
        "{:?}",
        kind(&minted)
    );
    let seen = bench.seen().remove(0);
    let bearer = seen
        .header("authorization")
        .strip_prefix("Bearer ")
        .unwrap();
    assert_eq!(read(bearer, "")["iss"], "client:1");
}

/// No shipped entry needs it (ADP, Starling and open banking do, which are not
/// in the catalog), but an entry can ask for it: RFC 8705, section 2.
#[tokio::test]
async fn c5_the_app_shows_its_certificate_in_the_handshake() {
    let (bench, bank, authority) = Bank::open().await;
    let app = |secret: &str| ProviderApp {
        client_id: "client:1".into(),
        client_secret: Secret::new(secret),
        settings: variables(&[("redirect_uri", BACK)]),
    };
    let catalog = bench.made_up(
        r#"
[oauth.token]
url = "{peer}/token"
client_auth = "tls_client_auth"
"#,
    );
    let catalog = catalog.with_global("peer", &bank);
    let provider = catalog.get("made-up").unwrap();
    let none = Variables::new();
    let refresh = async |secret: &str| {
        let (app, presented) = (app(secret), Secret::new("old"));
        let asked = bench.dialect.refresh(provider, &app, &none, &presented);
        asked.await
    };
    let own = authority.vouch("linkwell");
    let RefreshAnswer::Renewed(grant) = refresh(&own).await else {
        panic!("the certificate is good");
    };
    // The bank answers with whom the handshake named and what the body said.
    assert_eq!(
        grant.access_token.expose(),
        "linkwell grant_type=refresh_token&refresh_token=old&client_id=client%3A1"
    );
    // Every other call to it shows the certificate, too.
    let (owner, token) = (app(&own), Secret::new("tok"));
    let asked = bench
        .dialect
        .identify(provider, &owner, &none, &token, None);
    assert_eq!(asked.await.unwrap().id, "linkwell");

    let stranger = Authority::new().vouch("linkwell");
    let (kind, detail) = kind(&refresh(&stranger).await);
    assert!(
        kind != "renewed" && detail.starts_with("NETWORK"),
        "{kind} {detail}"
    );
    for unreadable in ["hush", "", own.split("-----BEGIN CERT").next().unwrap()] {
        let failure = failure_of(refresh(unreadable).await);
        assert_eq!(failure.detail.as_str(), "client_certificate_unreadable");
        assert_eq!(failure.code, Code::AppConfigInvalid);
    }
}

/// Signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A key and its certificate, as PEM.
    fn vouch(&self, name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        key.serialize_pem() + &certificate.pem()
    }
}

/// A server that speaks to those alone whom its authority vouches for.
struct Bank;

impl Bank {
    async fn open() -> (Bench, String, Authority) {
        let authority = Authority::new();
        let pem = authority.vouch("localhost");
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap);
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain.collect(), key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    tokio::spawn(serve(stream));
                }
            }
        });
        let root = authority.0.der().to_vec();
        let bench = Bench::start_with(OutboundPolicy {
            allow_exact: vec![address],
            roots: vec![root],
            ..OutboundPolicy::default()
        });
        let bank = format!("https://localhost:{}", address.port());
        (bench.await, bank, authority)
    }
}

/// Answers one request with the name in the client's certificate.
async fn serve(mut stream: TlsStream<TcpStream>) {
    let shown = stream.get_ref().1.peer_certificates().unwrap();
    let shown = String::from_utf8_lossy(&shown[0]).into_owned();
    let name = if shown.contains("linkwell") {
        "linkwell"
    } else {
        "nobody"
    };
    let mut asked = Vec::new();
    let body = loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        asked.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&asked).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let told = head.to_lowercase();
        let length = told
            .split_once("content-length: ")
            .map_or("0", |(_, rest)| rest);
        let length = length.lines().next().unwrap().parse().unwrap();
        if read == 0 || text.contains("\r\n\r\n") && body.len() >= length {
            break body.to_owned();
        }
    };
    let answer = format!(r#"{{"access_token":"{name} {body}","id":"{name}","name":"{name}"}}"#);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    let _ = stream.shutdown().await;
}

#[test]
fn c5_no_entry_is_shipped_that_needs_a_certificate_of_ours() {
    let catalog = Catalog::embedded().unwrap();
    for id in ["adp", "starling", "open-banking"] {
        assert!(
            catalog.all().all(|provider| provider.id != id),
            "{id} needs mutual TLS"
        );
    }
    let by_certificate = |provider: &&hub::catalog::Provider| {
        let token = provider.token();
        token.is_some_and(|token| token.client_auth == ClientAuth::Certificate)
    };
    assert_eq!(catalog.all().filter(by_certificate).count(), 0);
}

#[tokio::test]
async fn c6_stripes_secret_is_the_platforms_key() {
    let seen = asked(
        "stripe-connect",
        r#"{"access_token":"a","stripe_user_id":"acct_1"}"#,
    )
    .await;
    assert_eq!(seen.params()["client_secret"], "hush");
    // In deauthorizing it is a user name without a password.
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    let provider = catalog.get("stripe-connect").unwrap();
    bench.will_answer(json("{}"));
    let token = Secret::new("a");
    let tokens = hub::dialect::Tokens {
        access_token: &token,
        refresh_token: None,
    };
    bench
        .dialect
        .revoke(provider, &app(), &bench.values(provider), &tokens)
        .await;
    assert_eq!(bench.seen()[0].header("authorization"), "Basic aHVzaDo=");
}

#[tokio::test]
async fn c7_some_want_json() {
    let told = r#"{"access_token":"a","code":0,"data":{"access_token":"a"}}"#;
    for id in [
        "notion",
        "square",
        "zendesk",
        "freshbooks",
        "tiktok-ads",
        "clover",
        "jira",
    ] {
        let seen = asked(id, told).await;
        assert_eq!(seen.header("content-type"), "application/json", "{id}");
        let body: Variables = serde_json::from_str(&seen.body).unwrap();
        assert!(
            body.values().any(|value| value == "the-code"),
            "{id}: {body:?}"
        );
    }
    let seen = exchange("github").await;
    assert_eq!(
        seen.header("content-type"),
        "application/x-www-form-urlencoded"
    );
}

#[tokio::test]
async fn c8_parameters_may_stand_in_the_address_of_a_post() {
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        "[oauth.token]\nurl = \"{peer}/token\"\nbody = \"query\"\nclient_auth = \"body\"\n",
    );
    bench.will_answer(json(r#"{"access_token":"a"}"#));
    bench.trade(&catalog, "made-up").await.unwrap();
    let seen = bench.seen().remove(0);
    assert_eq!((seen.method.as_str(), seen.body.as_str()), ("POST", ""));
    assert_eq!(
        (
            seen.query["code"].as_str(),
            seen.query["client_secret"].as_str()
        ),
        ("the-code", "hush")
    );
    // Facebook's second step, as it is shipped.
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    bench.will_answer(json(r#"{"access_token":"short"}"#));
    bench.will_answer(json(r#"{"access_token":"long"}"#));
    bench.trade(&catalog, "facebook").await.unwrap();
    assert_eq!(bench.seen()[1].query["fb_exchange_token"], "short");
}

#[tokio::test]
async fn c9_the_client_may_stand_in_the_address_and_the_rest_in_the_body() {
    let bench = Bench::start().await;
    let catalog = bench.made_up("[oauth.token]\nurl = \"{peer}/token\"\nclient_auth = \"query\"\n");
    bench.will_answer(json(r#"{"access_token":"a"}"#));
    bench.trade(&catalog, "made-up").await.unwrap();
    let seen = bench.seen().remove(0);
    assert_eq!(
        seen.query,
        variables(&[("client_id", "client:1"), ("client_secret", "hush")])
    );
    assert_eq!(seen.form()["code"], "the-code");
    assert!(!seen.form().contains_key("client_secret"));
    // Figma, which once wanted such a mixture, takes everything in the body.
    let seen = exchange("figma").await;
    assert!(seen.query.is_empty());
    assert_eq!(seen.form()["redirect_uri"], "https://hub.example/cb");
}

#[tokio::test]
async fn c10_a_token_may_be_gotten() {
    for id in ["facebook", "instagram"] {
        let seen = exchange(id).await;
        assert_eq!((seen.method.as_str(), seen.body.as_str()), ("GET", ""));
        assert_eq!(seen.query["code"], "the-code");
    }
    for id in ["instagram-login", "threads"] {
        let seen = renewal(id).await;
        assert_eq!(seen.method.as_str(), "GET", "{id}");
        assert_eq!(seen.query["access_token"], "old-refresh-token");
    }
}

#[tokio::test]
async fn c11_the_grant_type_may_be_called_otherwise() {
    assert!(shipped("tiktok-shop").contains("grant_type = \"authorized_code\""));
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        "[oauth.token]\nurl = \"{peer}/token\"\nclient_auth = \"body\"\nparams = { grant_type = \"authorized_code\" }\n",
    );
    bench.will_answer(json(r#"{"access_token":"a"}"#));
    bench.trade(&catalog, "made-up").await.unwrap();
    assert_eq!(bench.seen()[0].form()["grant_type"], "authorized_code");
    for (id, word) in [
        ("instagram-login", "ig_refresh_token"),
        ("threads", "th_refresh_token"),
    ] {
        assert_eq!(renewal(id).await.query["grant_type"], word);
    }
}

#[tokio::test]
async fn c12_further_parameters_go_along() {
    assert_eq!(exchange("shopify").await.params()["expiring"], "1");
    assert_eq!(
        exchange("pinterest").await.params()["continuous_refresh"],
        "true"
    );
    let context = exchange("bigcommerce").await.params();
    assert!(context["context"].starts_with("stores/") && context.contains_key("scope"));
    for seen in [exchange("zendesk").await, renewal("zendesk").await] {
        let params = seen.params();
        assert_eq!(params["expires_in"], "172800");
        assert_eq!(params["refresh_token_expires_in"], "7776000");
    }
}

#[tokio::test]
async fn c13_further_headers_go_along() {
    assert!(
        exchange("notion")
            .await
            .header("notion-version")
            .starts_with("20")
    );
    assert_eq!(
        exchange("github").await.header("accept"),
        "application/json"
    );
    for id in ["squarespace", "reddit"] {
        assert!(
            exchange(id)
                .await
                .header("user-agent")
                .starts_with("Linkwell/"),
            "{id}"
        );
    }
}

/// The example TikTok Shop works through, byte by byte: its path is the one the
/// shipped entry asks at.
/// <https://partner.tiktokshop.com/docv2/page/sign-your-api-request>
#[tokio::test]
async fn c14_calls_are_signed_as_in_tiktok_shops_own_example() {
    let bench = Bench::start_at("2021-06-16T03:04:24Z").await;
    let catalog = bench.shipped();
    let provider = catalog.get("tiktok-shop").unwrap();
    let app = ProviderApp {
        client_id: "29a39d".into(),
        client_secret: Secret::new("e59af819cc"),
        settings: bench.values(provider),
    };
    let (values, token) = (bench.values(provider), Secret::new("tok"));
    let known = Identity {
        id: "7".into(),
        label: "Mia's".into(),
        granted_scopes: None,
        variables: Variables::new(),
        certificate: None,
    };
    bench.will_answer(json(r#"{"code":0,"data":{"shops":[]}}"#));
    let asked = bench
        .dialect
        .identify(provider, &app, &values, &token, Some(&known));
    assert_eq!(asked.await.unwrap(), known);
    let seen = bench.seen().remove(0);
    assert_eq!(seen.path, "/authorization/202309/shops");
    assert_eq!(
        seen.query,
        variables(&[
            ("app_key", "29a39d"),
            ("timestamp", "1623812664"),
            (
                "sign",
                "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8"
            ),
        ])
    );
    assert_eq!(seen.header("x-tts-access-token"), "tok");

    // So is the look at its data; without the secret nothing is asked at all.
    bench.will_answer(json(r#"{"code":0,"data":{"shops":[{"id":"1"}]}}"#));
    let sample = bench.dialect.sample(provider, &app, &values, &token, None);
    assert_eq!(sample.await.unwrap().rows.len(), 1);
    assert_eq!(bench.seen()[0].query["sign"].len(), 64);
    let asked = bench
        .dialect
        .identify(provider, &values, &values, &token, None);
    assert_eq!(
        failed(asked.await).detail.as_str(),
        "missing_variable:client_secret"
    );
    assert!(bench.seen().is_empty());
}

/// Parameters and a body, and giving the access back. The value was computed
/// with OpenSSL: printf '%s' "$SECRET$PATH$PAIRS$BODY$SECRET" |
/// openssl dgst -sha256 -hmac "$SECRET".
#[tokio::test]
async fn c14_what_is_signed_includes_parameters_and_body() {
    let bench = Bench::start_at("2021-06-16T03:04:24Z").await;
    let catalog = bench.made_up(
        r#"
[api.signing]
scheme = "sorted_query_hmac_sha256"
key = "app_key"
time = "timestamp"
signature = "sign"
[oauth.revoke]
url = "{peer}/bye?zone=eu+1"
client_auth = "none"
bearer = true
body = "json"
params = { why = "asked" }
"#,
    );
    let provider = catalog.get("made-up").unwrap();
    bench.will_answer(json("{}"));
    let (app, none, token) = (app(), variables(&[]), Secret::new("tok"));
    let tokens = Tokens {
        access_token: &token,
        refresh_token: None,
    };
    let revoked = bench.dialect.revoke(provider, &app, &none, &tokens);
    assert_eq!(revoked.await, Revocation::Revoked);
    let seen = bench.seen().remove(0);
    assert_eq!(seen.body, r#"{"why":"asked"}"#);
    assert_eq!(seen.query["zone"], "eu 1");
    assert_eq!(seen.query["sign"], SIGNED_REVOCATION);
}

#[tokio::test]
async fn c15_the_secret_itself_is_what_smartsheet_takes_beside_its_hash() {
    let params = exchange("smartsheet").await.params();
    assert_eq!(params["client_secret"], "hush");
    assert!(!params.contains_key("hash"));
}

#[tokio::test]
async fn c16_refreshing_may_have_an_address_of_its_own() {
    for (id, path) in [
        ("figma", "/v1/oauth/refresh"),
        ("clover", "/oauth/v2/refresh"),
        ("instagram-login", "/refresh_access_token"),
        ("threads", "/refresh_access_token"),
        ("xero", "/connect/token"),
    ] {
        assert_eq!(renewal(id).await.path, path);
    }
    let seen = renewal("dropbox-sign").await;
    assert_eq!(seen.path, "/oauth/token");
    assert!(seen.query.contains_key("refresh"));
}

#[tokio::test]
async fn c17_a_refresh_may_repeat_the_address_or_the_scope() {
    let params = renewal("gitlab").await.params();
    assert_eq!(params["redirect_uri"], "https://hub.example/cb");
    let params = renewal("microsoft-ads").await.params();
    assert!(params["scope"].contains("msads.manage") && params["scope"].contains("offline_access"));
    assert!(!renewal("xero").await.params().contains_key("redirect_uri"));
}

#[test]
fn c18_klaviyos_tokens_come_from_its_api_host() {
    let catalog = Catalog::embedded().unwrap();
    let klaviyo = catalog.get("klaviyo").unwrap();
    let oauth = klaviyo.oauth.as_ref().unwrap();
    let token = klaviyo.token().unwrap().url.template().source();
    let revoke = oauth.revoke.as_ref().unwrap().url.template().source();
    for url in [token, revoke] {
        assert!(url.starts_with("https://a.klaviyo.com/"), "{url}");
    }
}

#[tokio::test]
async fn c19_addresses_are_kept_byte_for_byte() {
    let told = r#"{"access_token":"a","code":0,"data":{"access_token":"a"}}"#;
    for (id, path) in [
        ("tiktok", "/v2/oauth/token/"),
        ("close", "/oauth2/token/"),
        ("tiktok-ads", "/open_api/v1.3/oauth2/access_token/"),
        ("github", "/login/oauth/access_token"),
    ] {
        assert_eq!(asked(id, told).await.path, path);
    }
}

#[tokio::test]
async fn c20_a_version_that_ages_is_a_value_with_its_last_day() {
    let catalog = Catalog::embedded().unwrap();
    for (id, name) in [("facebook", "graph_version"), ("hubspot", "oauth_version")] {
        let provider = catalog.get(id).unwrap();
        let version = provider
            .variables
            .iter()
            .find(|one| one.name == name)
            .unwrap();
        let path = exchange(id).await.path;
        let default = version.default.as_ref().unwrap();
        assert!(path.contains(default.as_str()), "{path} {default}");
        if let Some(end) = version.served_until {
            assert!(
                end > provider.about.checked,
                "{name} had ended when it was checked"
            );
        }
    }
    let dated = catalog.all().flat_map(|provider| &provider.variables);
    assert!(
        dated
            .filter(|variable| variable.served_until.is_some())
            .count()
            > 0
    );
}

#[tokio::test]
async fn c21_a_short_token_is_traded_for_a_long_one_at_once() {
    for (id, word, sent) in [
        ("facebook", "fb_exchange_token", "fb_exchange_token"),
        ("instagram-login", "ig_exchange_token", "access_token"),
        ("threads", "th_exchange_token", "access_token"),
    ] {
        let bench = Bench::start().await;
        let catalog = bench.shipped();
        bench.will_answer(json(r#"{"access_token":"short","user_id":7}"#));
        bench.will_answer(json(
            r#"{"access_token":"long","token_type":"bearer","expires_in":5184000}"#,
        ));
        let grant = bench.trade(&catalog, id).await.unwrap();
        assert_eq!(grant.access_token.expose(), "long");
        assert_eq!(
            grant.expires_at,
            Some(bench.now() + chrono::TimeDelta::days(60))
        );
        let seen = bench.seen();
        assert_eq!(
            (
                seen[1].query["grant_type"].as_str(),
                seen[1].query[sent].as_str()
            ),
            (word, "short")
        );
        assert_eq!(seen[1].query["client_secret"], "hush");
    }
    // What an installation brings is a token minted by the app.
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    bench.will_answer(json(r#"{"access_token":"minted","expires_in":14400}"#));
    let minted = bench.trade(&catalog, "wix").await.unwrap();
    assert_eq!(minted.access_token.expose(), "minted");
    assert_eq!(bench.seen()[0].params()["grant_type"], "client_credentials");
}
