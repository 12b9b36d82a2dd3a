//! The left side of an `[errors]` line: where an error was read, and its name.

use serde::{Deserialize, Deserializer, de::Error};

/// The conversation in which an error was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The error parameter of the redirect back to us.
    Callback,
    /// The token endpoint, when a code is exchanged.
    Exchange,
    /// The token endpoint, when a token is refreshed.
    Refresh,
    /// The token endpoint, when it makes a token of keys a person entered.
    Mint,
    /// The token endpoint, whatever it was asked for.
    Token,
    /// Any other call: identity, probe, revocation.
    Api,
    /// The same, signed with what a person entered. Its lines are those of `api`.
    Key,
}

impl Place {
    /// The places whose lines apply, the most special first.
    pub(super) fn reading_order(self) -> &'static [Place] {
        match self {
            Self::Callback => &[Self::Callback],
            Self::Exchange => &[Self::Exchange, Self::Token],
            Self::Refresh => &[Self::Refresh, Self::Token],
            Self::Mint => &[Self::Mint, Self::Token],
            Self::Token => &[Self::Token],
            Self::Api => &[Self::Api],
            Self::Key => &[Self::Key, Self::Api],
        }
    }

    /// The place whose lines in the table are meant.
    pub(super) fn lines(self) -> Self {
        match self {
            Self::Key => Self::Api,
            place => place,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "callback" => Self::Callback,
            "exchange" => Self::Exchange,
            "refresh" => Self::Refresh,
            "mint" => Self::Mint,
            "token" => Self::Token,
            "api" => Self::Api,
            _ => return None,
        })
    }
}

/// `place:code` or `place:code+text`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub place: Place,
    pub code: String,
    /// Lower case; empty when the code alone decides.
    pub text: String,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        let wrong = || {
            D::Error::custom(format!(
                "`{source}` is not place:code or place:code+text, \
                 with callback, exchange, refresh, mint, token or api as place"
            ))
        };
        let (place, rest) = source.split_once(':').ok_or_else(wrong)?;
        let (code, text) = rest.split_once('+').unwrap_or((rest, ""));
        if code.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            place: Place::parse(place).ok_or_else(wrong)?,
            code: code.to_owned(),
            text: text.to_lowercase(),
        })
    }
}
