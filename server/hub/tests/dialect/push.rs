//! What providers tell unasked (F5): each message as its provider documents and
//! signs it, read with the shipped entry.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use hub::{
    catalog::{Catalog, push::PushMeaning as Meaning},
    dialect::{ProviderApp, PushMessage, Told, read_push},
    secret::Secret,
};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;
use sha2::Sha256;
use url::Url;

use crate::bench::variables;

/// A message on its way, and who reads it.
struct Message {
    id: &'static str,
    app: ProviderApp,
    url: Url,
    headers: HeaderMap,
    body: String,
    now: DateTime<Utc>,
}

impl Message {
    /// One for the shipped entry, whose key is `key`, sent now.
    fn to(id: &'static str, key: &str, body: &str) -> Self {
        let catalog = catalog();
        let rule = catalog.get(id).unwrap().push.as_ref().unwrap();
        let setting = rule.signature.as_ref().unwrap().key.clone();
        let (client_secret, settings) = match setting.as_str() {
            "client_secret" => (key, variables(&[])),
            setting => ("another secret", variables(&[(setting, key)])),
        };
        Self {
            id,
            app: ProviderApp {
                client_id: "id".into(),
                client_secret: Secret::new(client_secret),
                settings,
            },
            url: Url::parse(&format!("https://hub.example/hooks/{id}")).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_owned(),
            now: DateTime::from_timestamp(NOW, 0).unwrap(),
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    fn about(mut self, query: &str) -> Self {
        self.url.set_query(Some(query));
        self
    }

    fn read(&self) -> Option<Told> {
        let catalog = catalog();
        let message = PushMessage {
            url: &self.url,
            headers: &self.headers,
            body: self.body.as_bytes(),
        };
        read_push(catalog.get(self.id).unwrap(), &self.app, &message, self.now)
    }

    /// It means this for this account; and is not believed when a byte of it,
    /// the key or, where it is said, the time is another.
    #[track_caller]
    fn means(mut self, meaning: Meaning, account: &str, ages: bool) -> Told {
        let told = self.read().expect("a genuine message");
        assert_eq!(told.meaning, Some(meaning));
        assert!(told.accounts.iter().any(|one| one == account), "{told:?}");

        let body = std::mem::take(&mut self.body);
        self.body = body.replacen('1', "2", 1);
        assert_ne!(self.body, body, "there is something to change");
        assert_eq!(self.read(), None, "{}: another body", self.id);
        self.body = body;

        let sent = self.now;
        for minutes in [-60 * 48, 60 * 48] {
            self.now = sent + TimeDelta::minutes(minutes);
            assert_eq!(
                self.read().is_none(),
                ages,
                "{}: {minutes} minutes away",
                self.id
            );
        }
        self.now = sent;

        for key in ["", "not-the-key"] {
            self.app.client_secret = Secret::new(key);
            for value in self.app.settings.values_mut() {
                *value = key.to_owned();
            }
            assert_eq!(self.read(), None, "{}: the key {key:?}", self.id);
        }
        self.app.settings.clear();
        assert_eq!(self.read(), None, "{}: no key", self.id);
        told
    }
}

/// The time of the messages: Slack's example was sent then.
const NOW: i64 = 1_531_420_618;

fn catalog() -> Catalog {
    use std::sync::OnceLock;
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog::embedded().unwrap()).clone()
}

fn hmac(key: &str, message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}

fn base64url(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn f5_slack_signs_as_in_its_own_example() {
    let key = "8f742231b10e8888abcd99yyyzzz85a5";
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let example = Message::to("slack", key, body)
        .with("x-slack-request-timestamp", "1531420618")
        .with("x-slack-signature", signature);
    let told = example.read().expect("Slack's own example");
    assert_eq!(told.meaning, None, "a command is nothing to act upon");
    let later = Message {
        now: example.now + TimeDelta::seconds(301),
        ..example
    };
    assert_eq!(later.read(), None, "too old");
}

fn slack(body: &str) -> Message {
    let signature = hex(&hmac("signing", &format!("v0:{NOW}:{body}")));
    Message::to("slack", "signing", body)
        .with("x-slack-request-timestamp", &NOW.to_string())
        .with("x-slack-signature", &format!("v0={signature}"))
}

#[test]
fn f5_slack_tells_of_an_app_that_was_removed() {
    let event = |kind: &str| {
        format!(
            r#"{{"team_id":"T1","event":{{"type":"{kind}","tokens":{{"oauth":["U1"]}}}},"type":"event_callback","event_id":"Ev1"}}"#
        )
    };
    let removed = slack(&event("app_uninstalled")).means(Meaning::Revoked, "T1", true);
    // The token that went may be one person's: that is looked into.
    slack(&event("tokens_revoked")).means(Meaning::Check, "T1", true);
    // Sent again, with another time and signature, it is the same message.
    let again = format!("{} ", event("app_uninstalled"));
    assert_eq!(slack(&again).read().unwrap().identity, removed.identity);

    let trial = slack(r#"{"type":"url_verification","challenge":"word"}"#)
        .read()
        .unwrap();
    assert_eq!(trial.meaning, Some(Meaning::Challenge));
    assert_eq!(trial.answer, variables(&[("challenge", "word")]));
}

#[test]
fn f5_square_signs_the_address_along_as_in_its_own_example() {
    let mut example = Message::to("square", "asdf1234", r#"{"hello":"world"}"#).with(
        "x-square-hmacsha256-signature",
        "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=",
    );
    example.url = Url::parse("https://example.com/webhook").unwrap();
    // Genuine, but it does not say when it was made.
    assert_eq!(example.read(), None);
    let undated = catalog();
    let mut provider = undated.get("square").unwrap().clone();
    let push = provider.push.as_mut().unwrap();
    push.signature.as_mut().unwrap().timestamp = None;
    let read = |url: &Url| {
        let message = PushMessage {
            url,
            headers: &example.headers,
            body: example.body.as_bytes(),
        };
        read_push(&provider, &example.app, &message, example.now)
    };
    assert!(read(&example.url).is_some(), "Square's own example");
    let elsewhere = Url::parse("https://example.com/webhook2").unwrap();
    assert_eq!(read(&elsewhere), None, "meant for another address");
}

#[test]
fn f5_square_tells_of_a_revoked_authorization() {
    let body = r#"{"merchant_id":"ML1","type":"oauth.authorization.revoked","event_id":"ev-1","created_at":"2018-07-12T18:36:58Z","data":{"type":"revocation"}}"#;
    let signature = hmac(
        "webhook-key",
        &format!("https://hub.example/hooks/square{body}"),
    );
    Message::to("square", "webhook-key", body)
        .with("x-square-hmacsha256-signature", &base64(&signature))
        .means(Meaning::Revoked, "ML1", true);
}

fn zoom(body: &str) -> Message {
    let signature = hex(&hmac("secret-token", &format!("v0:{NOW}:{body}")));
    Message::to("zoom", "secret-token", body)
        .with("x-zm-request-timestamp", &NOW.to_string())
        .with("x-zm-signature", &format!("v0={signature}"))
}

#[test]
fn f5_zoom_tries_the_address_out_and_tells_of_a_removed_app() {
    let body = r#"{"event":"app_deauthorized","event_ts":1,"payload":{"account_id":"A1","user_id":"z9","client_id":"c"}}"#;
    zoom(body).means(Meaning::Revoked, "z9", true);
    let trial = zoom(
        r#"{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1,"event":"endpoint.url_validation"}"#,
    );
    let told = trial.read().unwrap();
    assert_eq!(told.meaning, Some(Meaning::Challenge));
    let proof = hex(&hmac("secret-token", "qgg8vlvZRS6UYooatFL8Aw"));
    let expected = [
        ("plainToken", "qgg8vlvZRS6UYooatFL8Aw"),
        ("encryptedToken", &proof),
    ];
    assert_eq!(told.answer, variables(&expected));
    // Nobody is told how to sign who did not sign.
    let stranger = Message {
        headers: HeaderMap::new(),
        ..trial
    };
    assert_eq!(stranger.read(), None);
}

/// A statement as BigCommerce and monday make them.
fn statement(key: &str, claims: &serde_json::Value) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

fn changed(claims: &serde_json::Value, name: &str, value: serde_json::Value) -> serde_json::Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

/// <https://docs.bigcommerce.com/developer/docs/integrations/apps/guide/callbacks>
#[test]
fn f5_bigcommerce_tells_by_a_signed_statement() {
    let claims = json!({
        "aud": "id", "iss": "bc", "iat": NOW, "nbf": NOW - 5, "exp": NOW + 86_400,
        "jti": "4c7a1f60", "sub": "stores/abc123def4",
        "user": { "id": 7, "email": "mia@alder.example" }, "url": "/",
    });
    let told = |statement: &str| {
        let message = Message::to("bigcommerce", "hush", "");
        message.about(&format!("signed_payload_jwt={statement}"))
    };
    let good = statement("hush", &claims);
    let read = told(&good).read().expect("a genuine message");
    assert_eq!(read.meaning, Some(Meaning::Check));
    assert_eq!(read.accounts, ["abc123def4"]);
    // The same once more is known as the same.
    assert_eq!(told(&good).read().unwrap().identity, read.identity);

    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let other = statement("hush", &changed(&claims, "sub", json!("stores/other")));
    let other = other.split('.').nth(1).unwrap();
    let unsigned = "eyJhbGciOiJub25lIn0";
    for (what, bad) in [
        ("another payload", format!("{head}.{other}.{signature}")),
        ("no signature", format!("{unsigned}.{payload}.")),
        ("half of it", format!("{head}.{payload}")),
        ("another key", statement("another", &claims)),
        ("an empty key", statement("", &claims)),
        (
            "another app",
            statement("hush", &changed(&claims, "aud", json!("another"))),
        ),
        (
            "another issuer",
            statement("hush", &changed(&claims, "iss", json!("cb"))),
        ),
        (
            "ended",
            statement("hush", &changed(&claims, "exp", json!(NOW))),
        ),
        (
            "without an end",
            statement("hush", &changed(&claims, "exp", json!(null))),
        ),
        (
            "not yet",
            statement("hush", &changed(&claims, "nbf", json!(NOW + 3600))),
        ),
        (
            "shown again later",
            statement("hush", &changed(&claims, "iat", json!(NOW - 301))),
        ),
    ] {
        assert_eq!(told(&bad).read(), None, "{what}");
    }
    let elsewhere = Message::to("bigcommerce", "hush", &good);
    assert_eq!(elsewhere.read(), None, "it stands in the address");
    let keyless = Message::to("bigcommerce", "", "");
    let keyless = keyless.about(&format!("signed_payload_jwt={}", statement("", &claims)));
    assert_eq!(keyless.read(), None, "everybody can sign with nothing");
}

/// <https://developer.monday.com/apps/docs/advanced-concepts>
#[test]
fn f5_monday_signs_who_and_when_but_not_what() {
    let claims = json!({
        "accountId": 1_825_528, "userId": 4_012_689, "iat": NOW, "exp": NOW + 300,
        "aud": "https://hub.example/hooks/monday", "shortLivedToken": "short",
    });
    let told = |statement: &str, body: &str| {
        Message::to("monday", "hush", body).with("authorization", statement)
    };
    let good = statement("hush", &claims);
    let body = r#"{"type":"uninstall","data":{"account_id":1}}"#;
    let read = told(&good, body).read().expect("a genuine message");
    // The account the body names is nobody's word.
    assert_eq!(read.accounts, ["1825528"]);
    assert_eq!(read.meaning, Some(Meaning::Check));
    assert_eq!(told(&good, "{}").read().unwrap(), read);
    for bad in [
        statement("the signing secret of boards", &claims),
        statement(
            "hush",
            &changed(&claims, "aud", json!("https://evil.example")),
        ),
        statement("hush", &changed(&claims, "iat", json!(NOW - 301))),
        statement("hush", &changed(&claims, "exp", json!(NOW - 1))),
    ] {
        assert_eq!(told(&bad, body).read(), None, "{bad}");
    }
}

/// <https://pipedrive.readme.io/docs/app-uninstallation>
#[test]
fn f5_pipedrive_shows_the_apps_own_secret() {
    let body =
        r#"{"client_id":"id","company_id":42,"user_id":7,"timestamp":"2018-07-12T18:36:58Z"}"#;
    let told = |key: &str, halves: &str| {
        let value = format!("Basic {}", STANDARD.encode(halves));
        Message::to("pipedrive", key, body).with("authorization", &value)
    };
    let read = told("hush", "id:hush").read().expect("a genuine message");
    assert_eq!(read.accounts, ["42"]);
    assert_eq!(read.meaning, Some(Meaning::Check));
    for (key, halves) in [
        ("hush", "id:hus"),
        ("hush", "id:hush2"),
        ("hush", "other:hush"),
        ("hush", "id:"),
        ("hush", ":hush"),
        ("", "id:"),
    ] {
        assert_eq!(told(key, halves).read(), None, "{halves}");
    }
    assert_eq!(Message::to("pipedrive", "hush", body).read(), None);
}

#[test]
fn f5_what_proves_nothing_is_not_taken() {
    let catalog = catalog();
    let push = catalog.get("intercom").unwrap().push.as_ref().unwrap();
    assert!(push.signature.is_none() && push.means.is_empty());
}

#[test]
fn f5_tiktok_tells_of_a_removed_authorization() {
    let body = r#"{"client_key":"bwo2m45353a6k85","event":"authorization.removed","create_time":1531420618,"user_openid":"act.example12345Example12345Example","content":"{\"reason\": 1 }"}"#;
    let signature = hex(&hmac("hush", &format!("{NOW}.{body}")));
    Message::to("tiktok", "hush", body)
        .with("tiktok-signature", &format!("t={NOW},s={signature}"))
        .means(
            Meaning::Revoked,
            "act.example12345Example12345Example",
            true,
        );
}

#[test]
fn f5_nobody_signs_with_nothing() {
    // A public client has no secret, and an operator may have left the key out.
    let body = r#"{"event":"authorization.removed","user_openid":"o1"}"#;
    let signature = hex(&hmac("", &format!("{NOW}.{body}")));
    let public =
        Message::to("tiktok", "", body).with("tiktok-signature", &format!("t={NOW},s={signature}"));
    assert_eq!(public.read(), None);
    let body = r#"{"event":"app_deauthorized","payload":{"user_id":"z9"}}"#;
    let signature = hex(&hmac("", &format!("v0:{NOW}:{body}")));
    let unset = Message::to("zoom", "", body)
        .with("x-zm-request-timestamp", &NOW.to_string())
        .with("x-zm-signature", &format!("v0={signature}"));
    assert_eq!(unset.read(), None);
}

#[test]
fn f5_stripe_tells_of_a_deauthorized_platform() {
    let body = r#"{"id":"evt_1","type":"account.application.deauthorized","account":"acct_1","data":{"object":{"id":"ca_1","object":"application"}}}"#;
    let signed = |key: &str| hex(&hmac(key, &format!("{NOW}.{body}")));
    // While a secret is rolled, both sign.
    let both = format!(
        "t={NOW},v1={},v1={},v0=00",
        signed("whsec_old"),
        signed("whsec_new")
    );
    Message::to("stripe-connect", "whsec_new", body)
        .with("stripe-signature", &both)
        .means(Meaning::Revoked, "acct_1", true);
}

#[test]
fn f5_shopifys_topic_is_not_signed_and_therefore_looked_into() {
    let body = r#"{"id":1,"name":"Mia's","myshopify_domain":"mia.myshopify.com"}"#;
    let message = || {
        Message::to("shopify", "hush", body)
            .with("x-shopify-topic", "app/uninstalled")
            .with("x-shopify-shop-domain", "mia.myshopify.com")
            .with("x-shopify-hmac-sha256", &base64(&hmac("hush", body)))
    };
    let told = message().means(Meaning::Check, "mia.myshopify.com", false);
    // Headers nobody signed make no new message of it.
    let relabelled = message()
        .with("x-shopify-webhook-id", "another")
        .read()
        .unwrap();
    assert_eq!(relabelled.identity, told.identity);
    assert_eq!(
        message()
            .with("x-shopify-topic", "orders/create")
            .read()
            .unwrap()
            .meaning,
        None
    );
}

#[test]
fn f5_github_signs_as_in_its_own_example_and_tells_of_installations() {
    let key = "It's a Secret to Everybody";
    let example = Message::to("github-app", key, "Hello, World!").with(
        "x-hub-signature-256",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    );
    assert!(example.read().is_some(), "GitHub's own example");
    let body = r#"{"action":"deleted","installation":{"id":17}}"#;
    let deleted = |written: &str| {
        Message::to("github-app", key, body)
            .with("x-github-event", "installation")
            .with("x-hub-signature-256", written)
    };
    let signature = hex(&hmac(key, body));
    let told = deleted(&format!("sha256={signature}")).means(Meaning::Check, "17", false);
    // The same signature in capitals is the same message, not a second one.
    let capitals = deleted(&format!("sha256={}", signature.to_uppercase()));
    assert_eq!(capitals.read().unwrap().identity, told.identity);
    // A sign is no digit: where a signature begins with 0, `+` could stand for it.
    let (body, signature) = (0..)
        .map(|id| format!(r#"{{"action":"deleted","installation":{{"id":{id}}}}}"#))
        .map(|body| (body.clone(), hex(&hmac(key, &body))))
        .find(|(_, signature)| signature.starts_with('0'))
        .unwrap();
    let written = |signature: &str| {
        let value = format!("sha256={signature}");
        Message::to("github-app", key, &body).with("x-hub-signature-256", &value)
    };
    assert!(written(&signature).read().is_some());
    assert_eq!(written(&signature.replacen('0', "+", 1)).read(), None);
}

/// A signed request of Meta's, as it stands in a form.
fn signed_request(key: &str, payload: &str) -> String {
    let payload = base64url(payload.as_bytes());
    let signature = base64url(&hmac(key, &payload));
    format!("signed_request={signature}.{payload}")
}

#[test]
fn f5_meta_signs_as_in_its_own_example() {
    let body = "signed_request=vlXgu64BQGFSQrY0ZcJBZASMvYvTHu9GQ0YM9rjPSso.eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsIjAiOiJwYXlsb2FkIn0";
    let example = Message::to("facebook", "secret", body);
    // Genuine, but it does not say when it was made.
    assert_eq!(example.read(), None);
    let mut provider = catalog().get("facebook").unwrap().clone();
    let push = provider.push.as_mut().unwrap();
    push.signature.as_mut().unwrap().timestamp = None;
    let message = PushMessage {
        url: &example.url,
        headers: &example.headers,
        body: body.as_bytes(),
    };
    assert!(read_push(&provider, &example.app, &message, example.now).is_some());
}

#[test]
fn f5_metas_products_tell_who_removed_the_app_and_who_wants_data_gone() {
    let payload = format!(r#"{{"user_id":"218471","algorithm":"HMAC-SHA256","issued_at":{NOW}}}"#);
    for id in [
        "facebook",
        "instagram",
        "meta-ads",
        "whatsapp-business",
        "instagram-login",
        "threads",
    ] {
        let body = signed_request("hush", &payload);
        let message = |query: &str| Message::to(id, "hush", &body).about(query);
        for (query, meaning) in [
            ("about=deauthorize", Meaning::Revoked),
            ("about=deletion", Meaning::DeleteData),
        ] {
            let told = message(query).read().expect("genuine");
            assert_eq!(
                (told.meaning, told.accounts),
                (Some(meaning), vec!["218471".to_owned()])
            );
        }
        assert_eq!(message("").read().unwrap().meaning, None);
        assert_eq!(
            Message::to(id, "other", &body)
                .about("about=deletion")
                .read(),
            None,
            "{id}"
        );
        let old = payload.replace(&NOW.to_string(), "1291836800");
        assert_eq!(
            Message::to(id, "hush", &signed_request("hush", &old)).read(),
            None,
            "{id}"
        );
    }
}

#[test]
fn f5_linear_tells_of_a_revoked_app() {
    let body = format!(
        r#"{{"action":"revoked","type":"OAuthApp","organizationId":"org-1","webhookTimestamp":{NOW}123}}"#
    );
    Message::to("linear", "lin_wh_1", &body)
        .with("linear-signature", &hex(&hmac("lin_wh_1", &body)))
        .means(Meaning::Revoked, "org-1", true);
}

#[test]
fn f5_discord_signs_with_a_key_pair() {
    // RFC 8032 §7.1, test 1: a key pair that everybody knows.
    let secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let pkcs8 = format!("302e020100300506032b657004220420{secret}");
    let der: Vec<u8> = (0..pkcs8.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&pkcs8[at..at + 2], 16).unwrap())
        .collect();
    let key = EncodingKey::from_ed_der(&der);
    let body = r#"{"version":1,"application_id":"1","type":1,"event":{"type":"APPLICATION_DEAUTHORIZED","data":{"user":{"id":"u1"}}}}"#;
    let signed = format!("{NOW}{body}");
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::EdDSA).unwrap();
    let bytes = {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        URL_SAFE_NO_PAD.decode(signature).unwrap()
    };
    Message::to("discord", public, body)
        .with("x-signature-timestamp", &NOW.to_string())
        .with("x-signature-ed25519", &hex(&bytes))
        .means(Meaning::Revoked, "u1", true);
}

#[test]
fn f5_a_file_that_would_believe_too_much_is_refused() {
    let text = |id: &str| {
        std::fs::read_to_string(format!("{}/catalog/{id}.toml", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
    };
    for (id, from, to, why) in [
        (
            "shopify",
            "\"app/uninstalled\" = \"check\"",
            "\"app/uninstalled\" = \"revoked\"",
            "headers are not signed",
        ),
        (
            "zoom",
            "v0:{timestamp}:{body}",
            "v0:{body}",
            "the time of sending is not signed",
        ),
        (
            "zoom",
            "v0:{timestamp}:{body}",
            "v0:{timestamp}",
            "the body is not signed",
        ),
        (
            "slack",
            "key = \"signing_secret\"",
            "key = \"signing\"",
            "no setting of the app",
        ),
        (
            "slack",
            "secret = true",
            "secret = false",
            "needs `secret = true`",
        ),
        (
            "slack",
            "optional = true",
            "default = \"00000000000000000000\"",
            "everybody could sign",
        ),
    ] {
        let random = Secret::random(9);
        let directory = std::env::temp_dir().join(format!("push-{}", random.expose()));
        std::fs::create_dir(&directory).unwrap();
        let broken = text(id).replace(from, to);
        assert_ne!(broken, text(id), "{id}: {from}");
        std::fs::write(directory.join(format!("{id}.toml")), broken).unwrap();
        let problems = catalog().with_directory(&directory).err();
        std::fs::remove_dir_all(directory).unwrap();
        let problems = problems.unwrap_or_else(|| panic!("{id}: {to} is accepted"));
        assert!(problems[0].to_string().contains(why), "{}", problems[0]);
    }
}
