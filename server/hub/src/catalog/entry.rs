//! The tables of a provider file that describe the provider to people and to
//! the rest of the hub. What concerns OAuth is in [`super::oauth`].

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use serde::Deserialize;

use super::{
    errors::ErrorTable,
    oauth::{OAuth, Transport},
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
    pub api: Option<Api>,
    pub identity: Option<Identify>,
    pub probe: Option<Call>,
    #[serde(default, rename = "scope")]
    pub scopes: Vec<Scope>,
    #[serde(default)]
    pub errors: ErrorTable,
}

/// `[auth]`: which further table says how people sign in there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthTable {
    pub kind: AuthKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AuthKind {
    /// Described by the `[oauth.*]` tables.
    OAuth2,
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
    /// Mailboxes.
    Email,
    /// Files.
    Storage,
    /// Books, payments and banks.
    Finance,
    /// Code and what is around it.
    Development,
    /// People talking to each other.
    Communication,
    /// Office work.
    Productivity,
}

impl Category {
    /// The shelf's name on screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::ECommerce => "E-commerce",
            Self::Email => "Email",
            Self::Storage => "Files and storage",
            Self::Finance => "Finance",
            Self::Development => "Software development",
            Self::Communication => "Communication",
            Self::Productivity => "Productivity",
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
    /// The provider's page about it.
    pub docs_url: Option<Link>,
    /// What to do there, in order.
    pub steps: Vec<String>,
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
}

/// Who says what a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// This file, as `default`.
    Catalog,
    /// The hub itself; without it the provider is not offered.
    Hub,
    /// The person who connects.
    Person,
    /// A parameter of the callback.
    Callback,
    /// A field of the token endpoint's answer.
    Token,
    /// A field of the identity call's answer.
    Identity,
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
    /// The call that tells.
    pub call: Call,
    /// What stays the same when the account is renamed; the first found counts.
    pub id: Vec<Source>,
    /// What the person recognises the account by; the first found counts.
    pub label: Vec<Source>,
    /// Where the granted scopes can be read, if anywhere.
    pub granted_scopes: Option<Source>,
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
