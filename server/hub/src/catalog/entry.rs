//! The tables of a provider file that describe the provider to people and to
//! the rest of the hub. What concerns OAuth is in [`super::oauth`].

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use serde::Deserialize;

use super::{
    errors::ErrorTable,
    keys::{Field, Service},
    oauth::{Expect, OAuth, Transport},
    push::Push,
    template::{Template, UrlTemplate},
    value::{Colour, Link, Pattern, Pointer, Source, duration},
};

/// One file as it is written. A file without `[provider]` describes an app
/// that several products share; it cannot be connected by itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub provider: Option<About>,
    pub brand: Option<Brand>,
    pub auth: Option<AuthTable>,
    pub app: Option<Setup>,
    #[serde(default, rename = "variable")]
    pub variables: Vec<Variable>,
    pub oauth: Option<OAuth>,
    #[serde(default, rename = "field")]
    pub fields: Vec<Field>,
    pub service: Option<Service>,
    pub api: Option<Api>,
    pub identity: Option<Identify>,
    pub probe: Option<Call>,
    pub check: Option<Care>,
    pub tenants: Option<Tenants>,
    pub push: Option<Push>,
    #[serde(default, rename = "scope")]
    pub scopes: Vec<Scope>,
    #[serde(default)]
    pub errors: ErrorTable,
}

/// `[auth]`: how people sign in there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthTable {
    pub kind: AuthKind,
}

/// The kinds of sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// The person consents at the provider: `[oauth.*]`.
    #[serde(rename = "oauth2")]
    OAuth2,
    /// Two keys are traded for a token that lasts a while: `[[field]]` and
    /// `[oauth.token]`.
    ClientCredentials,
    /// A key, sent with every call: `[[field]]`.
    ApiKey,
    /// A user and a password or two halves of a key: `[[field]]`.
    Basic,
    /// A database of the person's own: `[[field]]` and `[service]`.
    Database,
    /// Something of its own, put together from the same tables.
    Custom,
    /// A sign-in in a real browser. There is no such connection yet.
    BrowserSession,
}

impl AuthKind {
    /// The word files and the API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OAuth2 => "oauth2",
            Self::ClientCredentials => "client_credentials",
            Self::ApiKey => "api_key",
            Self::Basic => "basic",
            Self::Database => "database",
            Self::Custom => "custom",
            Self::BrowserSession => "browser_session",
        }
    }
}

/// `[check]`: how often and how fast it may be asked whether connections work.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Care {
    /// How often one connection is asked, unless it has shown that it works.
    #[serde(default, deserialize_with = "duration")]
    pub every: Option<TimeDelta>,
    /// How many calls a second the background may make with one app.
    pub per_second: Option<u16>,
}

/// `[provider]`: what a person reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The name on screen: `Google Drive`.
    pub name: String,
    /// One sentence: what it is, for somebody who looks for it.
    pub summary: String,
    /// The shelf it stands on.
    pub category: Category,
    /// `global`, or lower-case ISO 3166 codes of the countries it serves.
    pub regions: Vec<String>,
    /// Other words people search it by.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The file whose app registration this product shares: `google`.
    pub app: Option<String>,
    /// What we do, each continuing "We will", where no scopes say it.
    #[serde(default)]
    pub we_will: Vec<String>,
    /// Promises for the page before connecting, each continuing "We will not".
    pub we_will_not: Vec<String>,
    /// Where a person removes our access at the provider.
    pub remove_url: UrlTemplate,
    /// How long connecting takes a person who has an account there.
    #[serde(default, deserialize_with = "duration")]
    pub usually_takes: Option<TimeDelta>,
    /// The day somebody last compared this file with the provider's pages.
    #[serde(deserialize_with = "date")]
    pub checked: NaiveDate,
    /// How sure we are of what this file says.
    pub confidence: Confidence,
    /// The pages this file was written from.
    pub sources: Vec<String>,
}

fn date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    use serde::de::Error;
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| D::Error::custom(format!("`{text}` is not a date such as 2026-11-20")))
}

/// The shelves of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Shops and marketplaces.
    ECommerce,
    /// Tills in real shops.
    PointOfSale,
    /// Taking and sending money.
    Payments,
    /// Books, invoices and banks.
    Finance,
    /// Customers and deals.
    Crm,
    /// Helping customers.
    Support,
    /// Newsletters and campaigns.
    Marketing,
    /// Paid reach.
    Advertising,
    /// Being seen where people are.
    Social,
    /// Counting visits and sales.
    Analytics,
    /// Mailboxes and sending mail.
    Email,
    /// People talking to each other.
    Communication,
    /// Dates and bookings.
    Scheduling,
    /// Files.
    Storage,
    /// Office work, notes and tasks.
    Productivity,
    /// Staff and pay.
    Hr,
    /// Code and what is around it.
    Development,
    /// Language models and their like.
    Ai,
    /// Databases of one's own.
    Database,
    /// Whatever has no entry.
    Custom,
}

impl Category {
    /// Every shelf, in the order they are shown.
    pub const ALL: [Self; 20] = [
        Self::ECommerce,
        Self::PointOfSale,
        Self::Payments,
        Self::Finance,
        Self::Crm,
        Self::Support,
        Self::Marketing,
        Self::Advertising,
        Self::Social,
        Self::Analytics,
        Self::Email,
        Self::Communication,
        Self::Scheduling,
        Self::Storage,
        Self::Productivity,
        Self::Hr,
        Self::Development,
        Self::Ai,
        Self::Database,
        Self::Custom,
    ];

    /// The word files and addresses use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ECommerce => "e-commerce",
            Self::PointOfSale => "point-of-sale",
            Self::Payments => "payments",
            Self::Finance => "finance",
            Self::Crm => "crm",
            Self::Support => "support",
            Self::Marketing => "marketing",
            Self::Advertising => "advertising",
            Self::Social => "social",
            Self::Analytics => "analytics",
            Self::Email => "email",
            Self::Communication => "communication",
            Self::Scheduling => "scheduling",
            Self::Storage => "storage",
            Self::Productivity => "productivity",
            Self::Hr => "hr",
            Self::Development => "development",
            Self::Ai => "ai",
            Self::Database => "database",
            Self::Custom => "custom",
        }
    }

    /// The shelf's name on screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::ECommerce => "E-commerce",
            Self::PointOfSale => "Point of sale",
            Self::Payments => "Payments",
            Self::Finance => "Finance and accounting",
            Self::Crm => "Customers and sales",
            Self::Support => "Customer support",
            Self::Marketing => "Marketing",
            Self::Advertising => "Advertising",
            Self::Social => "Social media",
            Self::Analytics => "Analytics",
            Self::Email => "Email",
            Self::Communication => "Communication",
            Self::Scheduling => "Scheduling",
            Self::Storage => "Files and storage",
            Self::Productivity => "Productivity",
            Self::Hr => "People and pay",
            Self::Development => "Software development",
            Self::Ai => "AI",
            Self::Database => "Databases",
            Self::Custom => "Custom",
        }
    }
}

/// How sure we are of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Read from the provider's own pages, or tried.
    High,
    /// Partly from second hand.
    Medium,
    /// Check before relying on it.
    Low,
}

/// `[brand]`: how it is recognised.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brand {
    /// The slug in the brand icon set.
    pub icon: String,
    /// The brand's own colour.
    pub colour: Colour,
}

/// `[app]`: how an operator registers our app with the provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// What the registration is called there: `OAuth app`.
    pub name: String,
    /// Where it is made; absent when there is nothing to register.
    pub register_url: Option<Link>,
    /// What the provider demands of redirect addresses, in one sentence.
    pub redirect_rules: String,
    /// The hosts that a redirect address without TLS may have; absent when
    /// nobody says.
    pub plain_http: Option<Vec<String>>,
    /// The provider's page about it.
    pub docs_url: Option<Link>,
    /// What to do there, in order.
    pub steps: Vec<String>,
    /// What the provider reviews before others than the operator may connect,
    /// in one sentence; `none` when it reviews nothing.
    pub review: String,
    /// What the provider calls the public half: `Client key`.
    #[serde(default = "client_id")]
    pub client_id_label: String,
    /// What the provider calls the secret half.
    #[serde(default = "client_secret")]
    pub client_secret_label: String,
}

impl Setup {
    /// Whether the provider is known not to accept this redirect address.
    pub fn refuses(&self, redirect_uri: &str) -> bool {
        let (Ok(url), Some(hosts)) = (url::Url::parse(redirect_uri), &self.plain_http) else {
            return false;
        };
        let is_accepted = |host: &String| url.host_str() == Some(host);
        url.scheme() == "http" && !hosts.iter().any(is_accepted)
    }
}

fn client_id() -> String {
    "Client ID".into()
}

fn client_secret() -> String {
    "Client secret".into()
}

/// `[[variable]]`: a value that differs from connection to connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its name in templates.
    pub name: String,
    /// Who says what it is.
    pub from: Origin,
    /// What the whole value must look like, whoever said it.
    pub pattern: Pattern,
    /// The question as asked of a person.
    #[serde(default)]
    pub label: String,
    /// An example answer.
    #[serde(default)]
    pub placeholder: String,
    /// One sentence that helps to answer.
    #[serde(default)]
    pub help: String,
    /// The value when nobody says one.
    pub default: Option<String>,
    /// What people paste in front of the value: `admin.shopify.com/store/`.
    pub prefix: Option<String>,
    /// What people paste behind the value: `.myshopify.com`.
    pub suffix: Option<String>,
    /// The callback's parameter, when it is not called like the variable.
    pub param: Option<String>,
    /// Where it stands in the token's or identity call's answer.
    pub at: Option<Pointer>,
    /// Whether the operator's answer is stored sealed and never shown.
    #[serde(default)]
    pub secret: bool,
    /// Whether the operator may leave it empty.
    #[serde(default)]
    pub optional: bool,
    /// The values there are, where a person chooses instead of typing.
    #[serde(default)]
    pub choices: Vec<Choice>,
    /// The last day the provider serves this value: an API version ages.
    #[serde(default, deserialize_with = "maybe_date")]
    pub served_until: Option<NaiveDate>,
    /// It may lead to any public address: the person's own server.
    #[serde(default)]
    pub anywhere: bool,
}

fn maybe_date<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NaiveDate>, D::Error> {
    date(deserializer).map(Some)
}

/// One value of a variable that is chosen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What fills the template.
    pub value: String,
    /// What the person reads.
    pub label: String,
    /// Other variables that go with it, `from = "choice"`: one answer, several hosts.
    #[serde(default)]
    pub sets: BTreeMap<String, String>,
}

/// Who says what a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// This file, as `default`.
    Catalog,
    /// The hub itself; without it the provider is not offered.
    Hub,
    /// The operator, with the provider app: eBay's RuName.
    App,
    /// What was chosen for another one, as `sets` of that choice.
    Choice,
    /// The person who connects.
    Person,
    /// A parameter of the callback.
    Callback,
    /// A field of the token endpoint's answer.
    Token,
    /// A field of the identity call's answer.
    Identity,
    /// A field of the answer to `[probe]`.
    Probe,
    /// The organisation that was chosen from `[tenants]`.
    Tenant,
}

impl Variable {
    /// Reads what a person typed or pasted: blanks, `https://`, a path and the
    /// declared prefix and suffix are forgiven.
    ///
    /// # Errors
    /// The value does not look like what the pattern demands.
    pub fn read(&self, typed: &str) -> Result<String, NotMatching> {
        let mut value = typed.trim().to_owned();
        if self.prefix.is_some() || self.suffix.is_some() {
            value.make_ascii_lowercase();
            for start in ["https://", "http://"]
                .into_iter()
                .chain(self.prefix.as_deref())
            {
                if let Some(rest) = value.strip_prefix(start) {
                    value = rest.to_owned();
                }
            }
            value.truncate(value.find(['/', '?', '#']).unwrap_or(value.len()));
            if let Some(rest) = self
                .suffix
                .as_deref()
                .and_then(|end| value.strip_suffix(end))
            {
                value = rest.to_owned();
            }
        }
        self.accept(value)
    }

    /// Checks a value that came from a provider; nothing is forgiven.
    ///
    /// # Errors
    /// The value does not look like what the pattern demands.
    pub fn accept(&self, value: String) -> Result<String, NotMatching> {
        if self.pattern.matches(&value) {
            Ok(value)
        } else {
            Err(NotMatching(self.name.clone()))
        }
    }
}

/// A value does not look like what its variable demands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of {0} does not look right")]
pub struct NotMatching(pub String);

/// `[api]`: how calls to the provider carry the token and report errors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Where its API begins, for whoever borrows the token.
    pub base: Option<UrlTemplate>,
    /// The header that carries the access token.
    pub header: String,
    /// What stands before the token in that header.
    pub prefix: String,
    /// Headers every call carries; with `[[field]]` they carry the key.
    pub headers: BTreeMap<String, Template>,
    /// Parameters every call carries in its address.
    pub query: BTreeMap<String, Template>,
    /// Basic authentication from what was entered.
    pub basic: Option<Basic>,
    /// How calls are signed, where carrying the token is not enough.
    pub signing: Option<Signing>,
    /// Where an answer may name its error, the most telling first.
    pub errors: Vec<Pointer>,
    /// Where an answer puts its error in words.
    pub texts: Vec<Pointer>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            base: None,
            header: "authorization".into(),
            prefix: "Bearer ".into(),
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            basic: None,
            signing: None,
            errors: pointers(&[
                "/error/code",
                "/error/status",
                "/error",
                "/errors/0/code",
                "/code",
            ]),
            texts: pointers(&["/error_description", "/error/message", "/message"]),
        }
    }
}

/// The two halves of basic authentication (RFC 7617).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// Before the colon.
    pub user: Template,
    /// Behind it.
    pub password: Template,
}

/// `[api.signing]`: every call is signed with the secret of the provider app.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// What is signed, and how.
    pub scheme: SigningScheme,
    /// The parameter that says which app signs.
    pub key: String,
    /// The parameter that says when, in seconds since 1970.
    pub time: String,
    /// The parameter that carries the signature.
    pub signature: String,
}

/// The ways of signing a call the hub knows. Each is a few lines in
/// `dialect::signing`; an entry names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningScheme {
    /// HMAC-SHA256 in hexadecimal over the path, the names and values of the
    /// address's parameters sorted by name, and the body, with the secret
    /// before and behind it and as key.
    SortedQueryHmacSha256,
}

pub(super) fn pointers(list: &[&str]) -> Vec<Pointer> {
    list.iter()
        .map(|&source| Pointer::parse(source).expect("a pointer of ours"))
        .collect()
}

/// A call that proves a token works.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The method and address.
    #[serde(default)]
    pub method: Method,
    /// Where to.
    pub url: UrlTemplate,
    /// Headers besides the token's.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// Fields of the body.
    #[serde(default)]
    pub params: BTreeMap<String, Template>,
    /// How the fields travel.
    #[serde(default)]
    pub body: Transport,
    /// The whole body, as JSON, where it is more than fields.
    pub json: Option<Template>,
    /// What must hold in a good answer, where the status does not tell.
    pub expect: Option<Expect>,
    /// What a person says about the call: a service without an entry of its own.
    pub entered: Option<EnteredCall>,
}

/// `[identity.call.entered]`: the fields whose answers shape the call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnteredCall {
    /// Holds `GET` or `POST`.
    pub method: String,
    /// Holds further headers, one to a line: `Name: value`.
    pub headers: String,
    /// Holds the status of a good answer.
    pub status: String,
    /// Holds a JSON pointer to what a good answer has, or nothing.
    pub pointer: String,
}

impl EnteredCall {
    /// The names of the fields.
    pub fn fields(&self) -> [&str; 4] {
        [&self.method, &self.headers, &self.status, &self.pointer]
    }
}

/// The methods providers ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Parameters travel in the address.
    #[default]
    Get,
    /// The usual one for token endpoints.
    Post,
    /// For revocations that remove a thing.
    Delete,
}

/// `[identity]`: who the connected account is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identify {
    /// The call that tells; none where there is no HTTP.
    pub call: Option<Call>,
    /// What stays the same when the account is renamed; the first found counts.
    pub id: Vec<Source>,
    /// What the person recognises the account by; the first found counts.
    pub label: Vec<Source>,
    /// Where the granted scopes can be read, if anywhere.
    pub granted_scopes: Option<Source>,
}

/// `[tenants]`: one consent opened several organisations, and the person says
/// which one this connection is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenants {
    /// What they are called there: `organisation`, `site`.
    pub word: String,
    /// The call that lists them.
    pub call: Call,
    /// Where the list stands; empty when it is the whole answer.
    pub list: Pointer,
    /// The identity of one, inside it.
    pub id: Pointer,
    /// Its name, inside it.
    pub label: Pointer,
    /// What one must say to be offered: other products stand in the same list.
    pub only: Option<Expect>,
}

/// `[[scope]]`: one permission.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// What the provider calls it.
    pub name: String,
    /// What it lets us do, continuing "We will": `see your products`.
    pub meaning: String,
    /// Why that is good for the person, in a few words.
    pub benefit: String,
    /// Asked for unless somebody chooses otherwise.
    #[serde(default)]
    pub default: bool,
    /// Always asked for and never shown first: it only makes the connection work.
    #[serde(default)]
    pub technical: bool,
    /// The authorize parameter it goes into.
    #[serde(default = "scope_param")]
    pub param: String,
    /// Scopes this one includes; an answer may leave those out.
    #[serde(default)]
    pub implies: Vec<String>,
    /// Other names an answer may use for it.
    #[serde(default)]
    pub answered_as: Vec<String>,
}

fn scope_param() -> String {
    "scope".into()
}
