//! Values a provider file may hold, each checked as it is read, so that the
//! reader can name the line.

use std::fmt;

use chrono::TimeDelta;
use regex_lite::Regex;
use serde::{Deserialize, Deserializer, de::Error};

use super::template::Template;

/// A regular expression that must match a whole value. `\d` and `\s` are ASCII.
/// Hundreds are read at every start, so the engine is one that compiles fast;
/// the values it sees are short.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles a pattern; it is anchored at both ends whether it says so or not.
    ///
    /// # Errors
    /// The regular expression engine's explanation.
    pub fn parse(source: &str) -> Result<Self, String> {
        Regex::new(&format!(r"\A(?:{source})\z"))
            .map(Self)
            .map_err(|error| format!("`{source}` is not a pattern: {error}"))
    }

    /// The pattern as it stands in the file.
    pub fn source(&self) -> &str {
        let anchored = self.0.as_str();
        let source = anchored.strip_prefix(r"\A(?:").unwrap_or(anchored);
        source.strip_suffix(r")\z").unwrap_or(source)
    }

    /// Whether the whole of `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        self.0.is_match(value)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A regular expression with one group: what to take out of a text.
#[derive(Clone, Debug)]
pub struct Extract(Regex);

impl Extract {
    /// The first group of the first match.
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        Some(self.0.captures(text)?.get(1)?.as_str())
    }
}

impl<'de> Deserialize<'de> for Extract {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        match Regex::new(&source) {
            Ok(regex) if regex.captures_len() == 2 => Ok(Self(regex)),
            Ok(_) => Err(D::Error::custom(format!(
                "`{source}` needs exactly one group"
            ))),
            Err(error) => Err(D::Error::custom(format!(
                "`{source}` is not a pattern: {error}"
            ))),
        }
    }
}

/// A JSON pointer (RFC 6901): `/data/0/token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// Reads a pointer, which is empty or begins with a slash.
    ///
    /// # Errors
    /// A sentence about the missing slash.
    pub fn parse(source: &str) -> Result<Self, String> {
        if source.is_empty() || source.starts_with('/') {
            Ok(Self(source.to_owned()))
        } else {
            Err(format!(
                "`{source}` is not a JSON pointer: it must begin with `/`"
            ))
        }
    }

    /// The pointer as text, for `serde_json::Value::pointer`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Where a fact about an account is found: `token:/team/id`, `id_token:/sub`,
/// `answer:/id`, `probe:/name`, `header:X-OAuth-Scopes`, `variable:realmId`,
/// `field:user`, `fields:{user} at {host}`, `last_four:api_key` or `fingerprint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the answer of the token endpoint.
    Token(Pointer),
    /// In the answer of the `[identity]` call.
    Answer(Pointer),
    /// In the answer of the `[probe]` call.
    Probe(Pointer),
    /// In a header of the `[identity]` call's answer.
    Header(String),
    /// In a variable of the connection.
    Variable(String),
    /// In the identity token that came with the access token. It came straight
    /// from the token endpoint over TLS, so its signature proves nothing more
    /// (OpenID Connect Core §3.1.3.7).
    IdToken(Pointer),
    /// What was entered into a field that is no secret.
    Field(String),
    /// Several such fields in a text: `{database} at {host}`.
    Fields(Template),
    /// The last four characters of what was entered, for people to recognise.
    LastFour(String),
    /// A digest of the secrets entered, where the provider names no account.
    Fingerprint,
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        let pointer = |at: &str| Pointer::parse(at).map_err(D::Error::custom);
        match source.split_once(':') {
            Some(("token", at)) => Ok(Self::Token(pointer(at)?)),
            Some(("answer", at)) => Ok(Self::Answer(pointer(at)?)),
            Some(("probe", at)) => Ok(Self::Probe(pointer(at)?)),
            Some(("header", name)) => Ok(Self::Header(name.to_ascii_lowercase())),
            Some(("variable", name)) => Ok(Self::Variable(name.to_owned())),
            Some(("id_token", at)) => Ok(Self::IdToken(pointer(at)?)),
            Some(("field", name)) => Ok(Self::Field(name.to_owned())),
            Some(("fields", text)) => {
                let text = Template::parse(text).map_err(D::Error::custom)?;
                Ok(Self::Fields(text))
            }
            Some(("last_four", name)) => Ok(Self::LastFour(name.to_owned())),
            None if source == "fingerprint" => Ok(Self::Fingerprint),
            _ => Err(D::Error::custom(format!(
                "`{source}` must be fingerprint or begin with token:, id_token:, answer:, \
                 probe:, header:, variable:, field:, fields: or last_four:"
            ))),
        }
    }
}

/// Where something stands in a message a provider sends us: `header:x-topic`,
/// `header:stripe-signature#v1` for a part of a header that reads `t=1,v1=2`,
/// `body:/type`, `form:signed_request` or `query:about`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessagePlace {
    /// A header, or one part of it.
    Header(String, Option<String>),
    /// In the JSON body.
    Body(Pointer),
    /// A field of a form.
    Form(String),
    /// A parameter of the address, which the operator entered at the provider.
    Query(String),
}

impl<'de> Deserialize<'de> for MessagePlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        match source.split_once(':') {
            Some(("header", name)) => {
                let name = name.to_ascii_lowercase();
                Ok(match name.split_once('#') {
                    Some((name, part)) => Self::Header(name.to_owned(), Some(part.to_owned())),
                    None => Self::Header(name, None),
                })
            }
            Some(("body", at)) => Pointer::parse(at).map(Self::Body).map_err(D::Error::custom),
            Some(("form", name)) => Ok(Self::Form(name.to_owned())),
            Some(("query", name)) => Ok(Self::Query(name.to_owned())),
            _ => Err(D::Error::custom(format!(
                "`{source}` must begin with header:, body:, form: or query:"
            ))),
        }
    }
}

/// How long something lasts, as far as anybody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// This long.
    Lasts(TimeDelta),
    /// It has no end.
    Endless,
    /// Nobody says: the answer decides.
    Unknown,
}

impl Span {
    /// The length, if it is known and has an end.
    pub fn known(self) -> Option<TimeDelta> {
        match self {
            Self::Lasts(span) => Some(span),
            Self::Endless | Self::Unknown => None,
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        match source.as_str() {
            "endless" => Ok(Self::Endless),
            "unknown" => Ok(Self::Unknown),
            text => parse_duration(text).map(Self::Lasts).ok_or_else(|| {
                D::Error::custom(format!(
                    "`{source}` is neither a duration such as 8h nor `endless` or `unknown`"
                ))
            }),
        }
    }
}

fn parse_duration(source: &str) -> Option<TimeDelta> {
    let digits = source.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &source[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let n: u32 = digits.parse().ok()?;
    Some(TimeDelta::seconds(i64::from(n) * seconds))
}

/// Reads `90s`, `30m`, `8h` or `90d`.
pub(super) fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<TimeDelta>, D::Error> {
    let source = String::deserialize(deserializer)?;
    parse_duration(&source).map(Some).ok_or_else(|| {
        D::Error::custom(format!(
            "`{source}` is not a duration such as 90s, 30m, 8h or 90d"
        ))
    })
}

/// A colour, `#rrggbb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colour(String);

impl Colour {
    /// The colour as CSS reads it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        let digits = source.strip_prefix('#').unwrap_or_default();
        if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(source))
        } else {
            Err(D::Error::custom(format!(
                "`{source}` is not a colour such as #1a2b3c"
            )))
        }
    }
}

/// A web address for people: complete, `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(String);

impl Link {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        match url::Url::parse(&source) {
            Ok(url) if url.scheme() == "https" => Ok(Self(source)),
            Ok(_) => Err(D::Error::custom(format!(
                "`{source}` must begin with https://"
            ))),
            Err(error) => Err(D::Error::custom(format!(
                "`{source}` is not an address: {error}"
            ))),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
