//! Values a provider file may hold, each checked as it is read, so that the
//! reader can name the line.

use std::fmt;

use chrono::TimeDelta;
use regex::Regex;
use serde::{Deserialize, Deserializer, de::Error};

/// A regular expression that must match a whole value.
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

/// Where a fact about an account is found: `token:/team/id`, `answer:/id`,
/// `probe:/name`, `header:X-OAuth-Scopes` or `variable:realmId`.
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
            _ => Err(D::Error::custom(format!(
                "`{source}` must begin with token:, answer:, probe:, header: or variable:"
            ))),
        }
    }
}

/// Reads `90s`, `30m`, `8h` or `90d`.
pub(super) fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<TimeDelta>, D::Error> {
    let source = String::deserialize(deserializer)?;
    let digits = source.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &source[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    digits
        .parse::<u32>()
        .ok()
        .filter(|_| seconds > 0)
        .map(|n| Some(TimeDelta::seconds(i64::from(n) * seconds)))
        .ok_or_else(|| {
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
