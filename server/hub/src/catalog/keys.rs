//! What a person enters where there is no one-click sign-in: `[[field]]`, and
//! `[service]` for what is not spoken to over HTTP.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{template::UrlTemplate, value::Pattern};

/// `[[field]]`: one value a person enters. All of them are sealed together;
/// what has to appear in an address or a list is a `[[variable]]` instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name in templates.
    pub name: String,
    /// What the provider's own pages call it.
    pub label: String,
    /// Why it is needed, in one sentence.
    pub why: String,
    /// Where to find it, in at most three steps.
    pub steps: Vec<String>,
    /// The page the steps begin on.
    pub link: Option<UrlTemplate>,
    /// What the whole value must look like.
    pub pattern: Pattern,
    /// A made-up value of that look.
    pub example: String,
    /// Never shown again once it is entered.
    #[serde(default = "yes")]
    pub secret: bool,
    /// May stay empty.
    #[serde(default)]
    pub optional: bool,
    /// Several lines: a certificate, a key file.
    #[serde(default)]
    pub multiline: bool,
    /// The value when nothing is entered.
    pub default: Option<String>,
    /// How a value tells its environment: `test = "sk_test_.*"`.
    #[serde(default)]
    pub environments: BTreeMap<String, Pattern>,
}

fn yes() -> bool {
    true
}

impl Field {
    /// Reads what a person typed or pasted: blanks around it are forgiven.
    /// `None` when it does not look right.
    pub fn read(&self, typed: &str) -> Option<String> {
        let value = typed.trim();
        let value = match (value, &self.default) {
            ("", Some(default)) => default,
            (value, _) => value,
        };
        let accepted = self.pattern.matches(value) || (value.is_empty() && self.optional);
        accepted.then(|| value.to_owned())
    }

    /// The environment a value belongs to: `test`, `live`.
    pub fn environment(&self, value: &str) -> Option<&str> {
        self.environments
            .iter()
            .find(|(_, pattern)| pattern.matches(value))
            .map(|(name, _)| name.as_str())
    }
}

/// `[service]`: something that is not spoken to over HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its language.
    pub protocol: Protocol,
}

/// The languages the hub speaks besides HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// PostgreSQL and what speaks like it.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// Redis and what speaks like it.
    Redis,
    /// Sending mail.
    Smtp,
    /// Reading mail.
    Imap,
    /// Object storage with signed requests (Signature Version 4).
    S3,
}

impl Protocol {
    /// The fields its entry must have.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Postgres | Self::Mysql => &["host", "port", "database", "user", "password"],
            Self::Redis => &["host", "port", "password"],
            Self::Smtp | Self::Imap => &["host", "port", "user", "password"],
            Self::S3 => &[
                "endpoint",
                "region",
                "bucket",
                "access_key_id",
                "secret_access_key",
            ],
        }
    }
}
