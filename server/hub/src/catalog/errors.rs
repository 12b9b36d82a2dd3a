//! What a provider's error codes mean, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::Error};

use super::place::Key;
pub use super::place::Place;
use crate::failure::FailureCode;

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The access token is used up: refresh once and repeat the call; no failure yet.
    TokenExpired,
    /// A failure from the closed list.
    Fails(FailureCode),
}

impl<'de> Deserialize<'de> for Meaning {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "TOKEN_EXPIRED" {
            return Ok(Self::TokenExpired);
        }
        FailureCode::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .map(Self::Fails)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is not a failure code")))
    }
}

/// The `[errors]` table of a provider, on top of what the standards say.
#[derive(Clone, Debug, Default)]
pub struct ErrorTable(BTreeMap<Key, Meaning>);

impl<'de> Deserialize<'de> for ErrorTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self)
    }
}

impl ErrorTable {
    /// Lines of `other` apply where this table has none of its own.
    pub(super) fn extend(&mut self, other: &Self) {
        for (key, meaning) in &other.0 {
            self.0.entry(key.clone()).or_insert(*meaning);
        }
    }

    /// Reads an error. `codes` are the words that may name it, the most telling
    /// first; `words` is all the text around it. The first known code decides,
    /// among its lines the one with the longest matching text. What a standard
    /// says of a code in one place counts more than a bare line of a wider place,
    /// and less than a line whose text is there. Returns the code that decided, too.
    pub fn read<'c>(
        &self,
        place: Place,
        codes: &'c [String],
        words: &str,
    ) -> Option<(Meaning, &'c str)> {
        let words = words.to_lowercase();
        codes.iter().find_map(|code| {
            let places = place.reading_order();
            let mut lines = places.iter();
            let by_text = lines.find_map(|&place| self.longest(place, code, &words));
            let by_code = || {
                let mut places = places.iter();
                places.find_map(|&place| self.bare(place, code).or_else(|| standard(place, code)))
            };
            by_text
                .or_else(by_code)
                .map(|meaning| (meaning, code.as_str()))
        })
    }

    /// The line with the longest text that is there.
    fn longest(&self, place: Place, code: &str, words: &str) -> Option<Meaning> {
        self.lines(place, code)
            .filter(|(key, _)| !key.text.is_empty() && words.contains(&key.text))
            .max_by_key(|(key, _)| key.text.len())
            .map(|(_, meaning)| *meaning)
    }

    /// The line without a text.
    fn bare(&self, place: Place, code: &str) -> Option<Meaning> {
        self.lines(place, code)
            .find(|(key, _)| key.text.is_empty())
            .map(|(_, meaning)| *meaning)
    }

    fn lines(&self, place: Place, code: &str) -> impl Iterator<Item = (&Key, &Meaning)> {
        self.0
            .iter()
            .filter(move |(key, _)| key.place == place.lines() && key.code == code)
    }
}

/// What RFC 6749, RFC 6750, OpenID Connect and HTTP say by themselves.
fn standard(place: Place, code: &str) -> Option<Meaning> {
    use FailureCode as F;
    Some(Meaning::Fails(match (place, code) {
        (Place::Callback, "access_denied") => F::ConsentDeniedOrAbandoned,
        // Told only where nobody was to be asked: the earlier consent is gone.
        (Place::Callback, "login_required" | "interaction_required") => F::GrantRevokedOrExpired,
        (Place::Callback, "consent_required") => F::PermissionMissing,
        (Place::Callback, "server_error" | "temporarily_unavailable") => F::ProviderLimitedOrDown,
        // The scopes and parameters are ours: the person cannot have mistyped them.
        (
            Place::Callback,
            "invalid_scope"
            | "invalid_request"
            | "unauthorized_client"
            | "unsupported_response_type"
            | "redirect_uri_mismatch",
        ) => F::AppConfigInvalid,

        (Place::Exchange, "invalid_grant") => F::FlowExpiredOrInvalid,
        // The keys are the person's own.
        (Place::Mint, "invalid_client" | "unauthorized_client" | "invalid_grant" | "401") => {
            F::CredentialsRejected
        }
        (Place::Refresh, "invalid_grant") => F::GrantRevokedOrExpired,
        (Place::Refresh, "login_required" | "interaction_required") => F::GrantRevokedOrExpired,
        (Place::Refresh, "consent_required") => F::PermissionMissing,
        (
            Place::Token,
            "invalid_client"
            | "unauthorized_client"
            | "invalid_request"
            | "unsupported_grant_type"
            | "redirect_uri_mismatch",
        ) => F::AppConfigInvalid,
        (Place::Token, "invalid_scope") => F::PermissionMissing,
        (Place::Token, "temporarily_unavailable" | "server_error" | "slow_down" | "rate_limit") => {
            F::ProviderLimitedOrDown
        }

        (Place::Key, "401") => F::CredentialsRejected,
        (Place::Key, "404") => F::AccountOrTargetMismatch,
        (Place::Api, "invalid_token" | "401") => return Some(Meaning::TokenExpired),
        (Place::Api, "insufficient_scope" | "403") => F::PermissionMissing,
        (_, "408") => F::NetworkOrTimeout,
        (_, "425" | "429" | "5xx") => F::ProviderLimitedOrDown,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> ErrorTable {
        toml::from_str(text).unwrap()
    }

    fn codes(codes: &[&str]) -> Vec<String> {
        codes.iter().map(|&code| code.to_owned()).collect()
    }

    #[test]
    fn longest_text_wins_whatever_its_case() {
        let table = table(
            r#"
            "token:invalid_grant" = "GRANT_REVOKED_OR_EXPIRED"
            "token:invalid_grant+rapt" = "REFUSED_BY_PROVIDER"
            "token:invalid_grant+error_subtype=invalid_RAPT" = "MFA_OR_CHALLENGE_REQUIRED"
            "#,
        );
        let read = |words| {
            let codes = codes(&["invalid_grant"]);
            table.read(Place::Token, &codes, words).unwrap().0
        };
        assert_eq!(read(""), Meaning::Fails(FailureCode::GrantRevokedOrExpired));
        assert_eq!(
            read("a rapt"),
            Meaning::Fails(FailureCode::RefusedByProvider)
        );
        assert_eq!(
            read("Error_Subtype=invalid_rapt"),
            Meaning::Fails(FailureCode::MfaOrChallengeRequired)
        );
    }

    #[test]
    fn a_dead_code_is_not_a_dead_grant() {
        let table = table(r#""token:invalid_grant" = "GRANT_REVOKED_OR_EXPIRED""#);
        let codes = codes(&["invalid_grant", "400"]);
        let (meaning, code) = table.read(Place::Exchange, &codes, "").unwrap();
        assert_eq!(meaning, Meaning::Fails(FailureCode::FlowExpiredOrInvalid));
        assert_eq!(code, "invalid_grant");
    }

    #[test]
    fn a_telling_text_counts_wherever_its_line_stands() {
        let table = table(
            r#"
            "token:invalid_grant+inactive user" = "REFUSED_BY_PROVIDER"
            "refresh:403" = "GRANT_REVOKED_OR_EXPIRED"
            "token:403+non-expiring" = "APP_CONFIG_INVALID"
            "#,
        );
        let read = |code, words| {
            let codes = codes(&[code]);
            table.read(Place::Refresh, &codes, words).unwrap().0
        };
        let gone = Meaning::Fails(FailureCode::GrantRevokedOrExpired);
        let refused = Meaning::Fails(FailureCode::RefusedByProvider);
        assert_eq!(read("invalid_grant", "Inactive User"), refused);
        assert_eq!(read("invalid_grant", "expired"), gone);
        assert_eq!(read("403", ""), gone);
        let app = Meaning::Fails(FailureCode::AppConfigInvalid);
        assert_eq!(read("403", "Non-expiring tokens"), app);
    }

    #[test]
    fn the_first_known_code_decides() {
        let table = table(r#""token:50076" = "MFA_OR_CHALLENGE_REQUIRED""#);
        let known = codes(&["50076", "invalid_grant", "400"]);
        let unknown = codes(&["99999", "invalid_grant", "400"]);
        assert_eq!(
            table.read(Place::Refresh, &known, "").unwrap().0,
            Meaning::Fails(FailureCode::MfaOrChallengeRequired)
        );
        assert_eq!(
            table.read(Place::Refresh, &unknown, "").unwrap().0,
            Meaning::Fails(FailureCode::GrantRevokedOrExpired)
        );
        assert_eq!(
            table.read(Place::Refresh, &codes(&["teapot", "418"]), ""),
            None
        );
    }
}
