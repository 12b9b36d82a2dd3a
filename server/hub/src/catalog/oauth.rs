//! The `[oauth.*]` tables: everything that differs between OAuth providers.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;

use super::{
    entry::{Call, Method, pointers},
    template::{Template, UrlTemplate},
    value::{Extract, Pointer, Span, duration},
};

/// How one provider speaks OAuth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    /// `[oauth.authorize]`; absent where nobody is sent anywhere.
    pub authorize: Option<Authorize>,
    /// `[oauth.callback]`
    #[serde(default)]
    pub callback: Callback,
    /// `[oauth.admin_consent]`; absent where each person consents for themselves.
    pub admin_consent: Option<AdminConsent>,
    /// `[oauth.launch]`; absent where only we begin.
    pub launch: Option<Launch>,
    /// `[oauth.proof]`; absent where an installation proves nothing about
    /// who came with it.
    pub proof: Option<Proof>,
    /// `[oauth.handover]`; demanded with `delivers = "handover"`.
    pub handover: Option<Handover>,
    /// `[oauth.token]`; absent where the callback brings the token itself.
    pub token: Option<TokenRequest>,
    /// `[oauth.extend]`: a second step that trades the first token for a
    /// longer-lived one.
    pub extend: Option<Step>,
    /// `[oauth.answer]`
    #[serde(default)]
    pub answer: Answer,
    /// `[oauth.introspect]`: asks how long a token lives, where its answer
    /// does not say.
    pub introspect: Option<Introspect>,
    /// `[oauth.second_token]`
    pub second_token: Option<SecondTokenAt>,
    /// `[oauth.refresh]`
    pub refresh: Refresh,
    /// `[oauth.revoke]`; absent when the provider offers no way.
    pub revoke: Option<Revoke>,
}

/// `[oauth.authorize]`: the address a person is sent to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorize {
    /// The authorization endpoint.
    pub url: UrlTemplate,
    /// Our names of parameters, and the provider's.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Parameters that must not be sent.
    #[serde(default)]
    pub omit: Vec<String>,
    /// Further parameters; `{random}` is fresh each time.
    #[serde(default)]
    pub params: BTreeMap<String, Template>,
    /// Parameters that make a provider ask again although it remembers consent.
    #[serde(default)]
    pub reconsent: BTreeMap<String, Template>,
    /// The parameter that suggests an account, if there is one.
    pub login_hint: Option<String>,
    /// The parameter that carries the person's language, if there is one.
    pub locale: Option<String>,
    /// What stands between scopes.
    #[serde(default = "space")]
    pub scope_separator: String,
    /// The separator must arrive unencoded.
    #[serde(default)]
    pub scope_separator_raw: bool,
    /// Why there are no scopes: where the rights are set instead.
    pub no_scopes: Option<String>,
    /// Only one scope may be sent: the widest one asked for.
    #[serde(default)]
    pub one_scope: bool,
    /// Proof key for code exchange.
    #[serde(default)]
    pub pkce: Pkce,
    /// Why there is no proof key; demanded with `pkce = "off"`.
    pub pkce_reason: Option<String>,
    /// Whether a new consent adds to the earlier grant or replaces it.
    pub incremental: Incremental,
}

fn space() -> String {
    " ".into()
}

/// Proof key for code exchange (RFC 7636).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Pkce {
    /// SHA-256, base64url: the standard.
    #[default]
    S256,
    /// SHA-256 in hexadecimal, as TikTok's desktop apps want it.
    #[serde(rename = "S256-hex")]
    S256Hex,
    /// The provider refuses or ignores it; `pkce_reason` says why.
    #[serde(rename = "off")]
    Off,
}

/// What a new consent does to the scopes granted earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Incremental {
    /// Adds: ask for what is missing only.
    Merge,
    /// Replaces: ask for everything again.
    Replace,
    /// Nobody says: ask for everything again, which is right either way.
    Unknown,
}

/// `[oauth.callback]`: what comes back with the person.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Callback {
    /// What the person brings back.
    pub delivers: Delivery,
    /// The parameter that carries the code.
    pub code: String,
    /// How the code must be cleaned.
    pub code_transform: CodeTransform,
    /// The issuer the provider advertises; then `iss` must be there and equal (RFC 9207).
    pub issuer: Option<Template>,
    /// Parameters that must be there and equal: `shop = "{shop}.myshopify.com"`.
    pub expect: BTreeMap<String, Template>,
    /// How the query is signed.
    pub signature: Option<Signature>,
    /// The parameter that names the granted scopes already.
    pub granted_scopes: Option<String>,
    /// The parameter that names the account already.
    pub account_hint: Option<String>,
    /// Parameters whose value is the person's no: `success = "0"`.
    pub declined: BTreeMap<String, String>,
    /// Nobody documents how a no looks: an error that no line knows is taken for
    /// one, and so is coming back with nothing.
    pub declined_unknown: bool,
    /// Parameters that may name an error, the most telling first.
    pub errors: Vec<String>,
    /// Parameters that put an error in words.
    pub texts: Vec<String>,
}

impl Default for Callback {
    fn default() -> Self {
        Self {
            delivers: Delivery::default(),
            code: "code".into(),
            code_transform: CodeTransform::default(),
            issuer: None,
            expect: BTreeMap::new(),
            signature: None,
            granted_scopes: None,
            account_hint: None,
            declined: BTreeMap::new(),
            declined_unknown: false,
            errors: vec!["error".into()],
            texts: vec!["error_description".into()],
        }
    }
}

/// What a callback delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// A code, to be exchanged.
    #[default]
    Code,
    /// The access token itself, in the fragment, which only a page can read
    /// and hand on. The parameter is `code`.
    Fragment,
    /// Only the word that the app was installed: the app then mints its tokens.
    /// Whose installation it is, `[oauth.proof]` finds out.
    Installation,
    /// Nothing: the provider's server hands keys to ours beforehand.
    Handover,
}

/// `[oauth.admin_consent]`: where an administrator allows the app for everybody
/// of an organisation. It brings no code: people connect afterwards.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConsent {
    /// Where the administrator is sent, with the parameters of any consent.
    pub url: UrlTemplate,
    /// What the callback says then, in place of a code.
    pub approved: BTreeMap<String, String>,
}

/// `[oauth.proof]`: how the person who brought an installation proves that it is
/// theirs. A token of their own is asked what they may reach, and forgotten.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// `[oauth.proof.authorize]`: where a person goes on to, when they came back
    /// without a code.
    pub authorize: ProofAuthorize,
    /// `[oauth.proof.token]`: trades `{code}` for the person's own token.
    pub token: Step,
    /// Where that token stands in the answer.
    pub access_token: Pointer,
    /// `[oauth.proof.call]`: what lists what they may reach.
    pub call: Call,
    /// The parameter that turns the list's pages, which count from 1.
    pub page: Option<String>,
    /// Where the list stands; empty when it is the whole answer.
    pub list: Pointer,
    /// What identifies one of the list, inside it.
    pub id: Pointer,
    /// What that must be for one of them.
    pub is: Template,
}

/// `[oauth.proof.authorize]`: an address with all its parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofAuthorize {
    /// The authorization endpoint for people.
    pub url: UrlTemplate,
    /// `{client_id}`, `{redirect_uri}` and `{state}`.
    pub params: BTreeMap<String, Template>,
}

/// `[oauth.launch]`: how the provider leads a person to us who begins there. It
/// fills in one question; nothing is connected by it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// How the query is signed. Without a signature it could be anybody's.
    pub signature: Signature,
    /// The parameter with the time it was signed, in seconds since 1970.
    pub timestamp: String,
    /// The questions it answers, and the parameters that do.
    pub answers: BTreeMap<String, String>,
}

/// `[oauth.handover]`: what the provider's server posts to ours, as JSON,
/// before the person comes back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// The flow's state, which it was given on the way.
    pub state: Pointer,
    /// Where each `[[field]]` stands.
    pub fields: BTreeMap<String, Pointer>,
    /// Where the granted scopes stand, if anywhere.
    pub granted_scopes: Option<Pointer>,
}

/// How a code must be cleaned before it is exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeTransform {
    /// Not at all.
    #[default]
    AsIs,
    /// It arrives percent-encoded once more than usual.
    UrlDecode,
    /// It arrives with `#_` behind it.
    StripFragment,
}

/// How a callback's query is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// `hmac`: HMAC-SHA256, in hexadecimal, with the client secret, over all
    /// other pairs sorted by name and form-encoded.
    HmacSha256Hex,
}

/// `[oauth.token]`: the exchange of a code.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The token endpoint.
    pub url: UrlTemplate,
    /// The method, nearly always POST.
    #[serde(default = "post")]
    pub method: Method,
    /// How parameters travel.
    #[serde(default)]
    pub body: Transport,
    /// How the app proves itself.
    pub client_auth: ClientAuth,
    /// Our names of parameters, and the provider's.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Headers to send.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// Further parameters; they may override `grant_type`.
    #[serde(default)]
    pub params: BTreeMap<String, Template>,
    /// The state is wanted again.
    #[serde(default)]
    pub send_state: bool,
    /// A signed statement in place of the secret (RFC 7523).
    pub assertion: Option<Assertion>,
}

/// `[oauth.token.assertion]`: a statement signed with a private key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The private key, as PEM: `{client_secret}` or a field.
    pub key: Template,
    /// The key's name in the header, if it has one.
    pub key_id: Option<Template>,
    /// What is stated; times and a random id are added.
    pub claims: BTreeMap<String, Template>,
    /// How long the statement holds.
    #[serde(deserialize_with = "duration")]
    pub lifetime: Option<TimeDelta>,
    /// Where it travels: a parameter's name, or `bearer` for the header.
    pub travels: String,
}

/// How a statement is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// RSA with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
}

/// `[oauth.introspect]`: token introspection (RFC 7662).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introspect {
    /// Where to.
    pub url: UrlTemplate,
    /// How the app proves itself.
    pub client_auth: ClientAuth,
    /// Fields; `{access_token}` is the token asked about.
    pub params: BTreeMap<String, Template>,
    /// The end of the token in the answer.
    pub expires_at: Pointer,
}

fn post() -> Method {
    Method::Post
}

/// How parameters travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// `application/x-www-form-urlencoded`
    #[default]
    Form,
    /// A JSON object.
    Json,
    /// In the address.
    Query,
}

/// How the app proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// `client_secret_basic`: both halves form-encoded first (RFC 6749 §2.3.1).
    Basic,
    /// `client_secret_post`.
    Body,
    /// A public client: its id alone, among the parameters.
    IdOnly,
    /// The id and the secret in the address.
    Query,
    /// The secret as user name of basic authentication, no password.
    SecretAsUser,
    /// `private_key_jwt`: `[oauth.token.assertion]` says how.
    PrivateKeyJwt,
    /// `tls_client_auth` (RFC 8705): the app's secret is a private key with its
    /// certificates, as PEM, and is shown in the TLS handshake, there and
    /// wherever the hub calls the provider's API.
    #[serde(rename = "tls_client_auth")]
    Certificate,
    /// Nothing.
    None,
}

/// A further call after the exchange, described like the first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Where to.
    pub url: UrlTemplate,
    /// The method.
    #[serde(default = "post")]
    pub method: Method,
    /// How parameters travel.
    #[serde(default)]
    pub body: Transport,
    /// How the app proves itself.
    pub client_auth: ClientAuth,
    /// Parameters; `{access_token}` is the token to trade.
    pub params: BTreeMap<String, Template>,
}

/// `[oauth.answer]`: where things stand in the token endpoint's answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// What must hold in a good answer, where the status does not tell.
    pub success: Option<Expect>,
    /// Where the answer proper may stand; what is not there is not wrapped.
    pub inside: Option<Pointer>,
    /// The access token.
    pub access_token: Pointer,
    /// The refresh token.
    pub refresh_token: Pointer,
    /// The token type.
    pub token_type: Pointer,
    /// The granted scopes, text or list.
    pub scope: Pointer,
    /// Lifetime of the access token; 0 and null mean that it does not end.
    pub expires_in: Pointer,
    /// What `expires_in` counts.
    pub expires_unit: Unit,
    /// End of the access token: RFC 3339, or seconds or milliseconds since 1970.
    pub expires_at: Pointer,
    /// Lifetime of the refresh token, in the same unit; the first found counts.
    pub refresh_expires_in: Vec<Pointer>,
    /// End of the refresh token; the first found counts.
    pub refresh_expires_at: Vec<Pointer>,
    /// Lifetime of an access token whose answer does not say.
    #[serde(deserialize_with = "duration")]
    pub lifetime_if_unsaid: Option<TimeDelta>,
    /// Where an error is named, the most telling first.
    pub errors: Vec<Pointer>,
    /// Where an error is put in words.
    pub texts: Vec<Pointer>,
    /// Takes a number out of the words, more telling than the name: `AADSTS(\d+)`.
    pub error_pattern: Option<Extract>,
}

impl Default for Answer {
    fn default() -> Self {
        let at = |source| Pointer::parse(source).expect("a pointer of ours");
        Self {
            success: None,
            inside: None,
            access_token: at("/access_token"),
            refresh_token: at("/refresh_token"),
            token_type: at("/token_type"),
            scope: at("/scope"),
            expires_in: at("/expires_in"),
            expires_unit: Unit::default(),
            expires_at: at("/expires_at"),
            refresh_expires_at: pointers(&["/refresh_token_expires_at"]),
            refresh_expires_in: pointers(&["/refresh_token_expires_in", "/refresh_expires_in"]),
            lifetime_if_unsaid: None,
            errors: pointers(&["/error"]),
            texts: pointers(&["/error_description"]),
            error_pattern: None,
        }
    }
}

/// A field and the text it must have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The field.
    pub at: Pointer,
    /// Its value as text: `true`, `0`.
    pub is: String,
}

/// What a lifetime counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// The standard.
    #[default]
    Seconds,
    /// Thousandths of them.
    Milliseconds,
    /// Sixty of them.
    Minutes,
}

/// `[oauth.second_token]`: where another token stands in the same answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondTokenAt {
    /// What it acts as: `user`.
    pub kind: String,
    /// Where it stands.
    pub access_token: Pointer,
    /// Its refresh token.
    pub refresh_token: Pointer,
    /// Its lifetime, in the unit of `[oauth.answer]`.
    pub expires_in: Pointer,
    /// Its scopes.
    pub scope: Pointer,
}

/// `[oauth.refresh]`: how a token is renewed, and what is known about its life.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// What is traded for a new token.
    pub mode: RefreshMode,
    /// Where, when it is not the token endpoint.
    pub url: Option<UrlTemplate>,
    /// The method, when it is not the token endpoint's.
    pub method: Option<Method>,
    /// How parameters travel, when it is not as with the token endpoint.
    pub body: Option<Transport>,
    /// How the app proves itself, when it is not as with the token endpoint.
    pub client_auth: Option<ClientAuth>,
    /// Further parameters; with `mode = "exchange"` all of them, `{access_token}`
    /// being the token to trade.
    #[serde(default)]
    pub params: BTreeMap<String, Template>,
    /// What happens to the old refresh token.
    #[serde(default)]
    pub rotation: Rotation,
    /// How long an access token usually lives; the answer's word counts more.
    pub token_lifetime: Span,
    /// How long a refresh token lives.
    pub refresh_lifetime: Option<Span>,
    /// That time runs from consent and use does not prolong it.
    #[serde(default)]
    pub refresh_absolute: bool,
    /// An end this near, or nearer, means that the app is in testing there.
    #[serde(default, deserialize_with = "duration")]
    pub testing_lifetime: Option<TimeDelta>,
    /// Renew this long before the end, more than the hub would by itself.
    #[serde(default, deserialize_with = "duration")]
    pub lead: Option<TimeDelta>,
    /// Refused earlier than this long before the end.
    #[serde(default, deserialize_with = "duration")]
    pub not_before: Option<TimeDelta>,
    /// Renew this often, whatever the lifetime.
    #[serde(default, deserialize_with = "duration")]
    pub every: Option<TimeDelta>,
    /// Use the refresh token at least this often, or it dies.
    #[serde(default, deserialize_with = "duration")]
    pub keepalive: Option<TimeDelta>,
    /// Believe a final refusal only when it is repeated after this long.
    #[serde(default, deserialize_with = "duration")]
    pub confirm_after: Option<TimeDelta>,
}

impl Refresh {
    /// That of an entry without tokens.
    pub(super) fn none() -> Self {
        Self {
            mode: RefreshMode::None,
            url: None,
            method: None,
            body: None,
            client_auth: None,
            params: BTreeMap::new(),
            rotation: Rotation::default(),
            token_lifetime: Span::Endless,
            refresh_lifetime: None,
            refresh_absolute: false,
            testing_lifetime: None,
            lead: None,
            not_before: None,
            every: None,
            keepalive: None,
            confirm_after: None,
        }
    }
}

/// What is traded for a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshMode {
    /// The refresh token, when the grant has one.
    RefreshToken,
    /// The access token, while it still works.
    Exchange,
    /// Nothing: the token lasts until it is revoked or ends.
    None,
    /// The keys themselves: another token is minted as the first one was.
    Mint,
}

/// `[oauth.refresh.rotation]`: what happens to the old refresh token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Whether a refresh answers with a new refresh token.
    pub rotates: Rotates,
    /// The old one may be used again this long after, for a lost answer;
    /// absent or zero: not at all.
    #[serde(default, deserialize_with = "duration")]
    pub grace: Option<TimeDelta>,
    /// The old one lives until the new one has been used.
    #[serde(default)]
    pub until_replacement_used: bool,
    /// Presenting an old one ends the whole grant.
    #[serde(default)]
    pub reuse_revokes_family: bool,
}

/// Whether a refresh answers with a new refresh token. Whatever the table says,
/// what came back is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotates {
    /// Each time.
    Always,
    /// Now and then.
    Sometimes,
    /// The same one serves until its end.
    Never,
    /// Nobody says: taken as if it did.
    #[default]
    Unknown,
}

/// `[oauth.revoke]`: how our access is given back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// The method.
    #[serde(default = "post")]
    pub method: Method,
    /// Where to; `{client_id}` may be part of it.
    pub url: UrlTemplate,
    /// How the app proves itself.
    pub client_auth: ClientAuth,
    /// The access token goes into the header of `[api]`.
    #[serde(default)]
    pub bearer: bool,
    /// Headers to send.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// Fields: `{access_token}`, `{refresh_token}`, `{client_id}`, or `{token}`,
    /// the refresh token if there is one, else the access token.
    #[serde(default)]
    pub params: BTreeMap<String, Template>,
    /// How the fields travel.
    #[serde(default)]
    pub body: Transport,
    /// Statuses and error codes that mean our access was gone already.
    #[serde(default)]
    pub gone: Vec<String>,
    /// Everything else the same app was granted for this account ends as well.
    #[serde(default)]
    pub whole_app: bool,
}
