//! What a form leaves for the page it redirects to: a notice or problems from
//! closed lists, and the values that were typed, never a secret. It travels in
//! a cookie that scripts cannot read, that other sites cannot send, and that
//! the next page takes away.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};

/// The cookie's name.
pub const COOKIE: &str = "linkwell-flash";

/// A browser keeps about 4 kB per cookie; more than this was not typed by hand.
const LARGEST: usize = 3_000;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words are in `text`")]
pub enum Notice {
    Renamed,
    ColumnsNamed,
    Checked,
    NotWorking,
    NotWorkingYet,
    NotAsked,
    NotAskedYet,
    NotAskedAgain,
    HealedAlone,
    Repaired,
    NotRepaired,
    Cleared,
    Disconnected,
    DisconnectedHere,
    DisconnectedByHand,
    Removed,
    FrequencySaved,
    Paused,
    Resumed,
    ReadingSoon,
    WishNoted,
    AppSaved,
    AppRemoved,
    KeyRevoked,
    WebhookTested,
    WebhookRevived,
    WebhookReplayed,
    WebhookRemoved,
    PolicySwitched,
    RecordingOn,
    RecordingOff,
    ProfileSaved,
    PasswordChanged,
    SignedOut,
    SignedOutEverywhere,
    RoleSaved,
    MemberRemoved,
    MemberErased,
    AccountErased,
    OrganisationDeleted,
    NoticesRead,
    Asked,
    AskedBefore,
    WillTell,
    MailChosen,
}

impl Notice {
    /// What the page says.
    pub fn text(self) -> &'static str {
        match self {
            Self::Renamed => "Name saved.",
            Self::ColumnsNamed => "Names saved. Automations see them from now on.",
            Self::Checked => "Checked just now: it works.",
            Self::NotWorking => "Checked just now. What to do is below.",
            Self::NotWorkingYet => "Checked just now: it does not work yet. Nothing to do.",
            Self::NotAsked => "Not asked again: that would change nothing. What to do is below.",
            Self::NotAskedYet => "Not asked again yet. When we try next is below.",
            Self::NotAskedAgain => {
                "Not asked again: it was rejected three times in a row, and more could lock the account. Enter new credentials, or wait a quarter of an hour."
            }
            Self::HealedAlone => {
                "It works again. We could mend it without you, so there is nothing to sign in for."
            }
            Self::Repaired => {
                "It works. We read it again, renewed it where that was due, and asked the provider."
            }
            Self::NotRepaired => {
                "We tried what needs nobody: reading it again, renewing it, asking once more. What is left is below."
            }
            Self::Cleared => {
                "Cleared. What was stored is destroyed. Sign in again whenever you like."
            }
            Self::Disconnected => "Disconnected. The access was withdrawn at the provider too.",
            Self::DisconnectedHere => {
                "Disconnected here. The provider did not confirm it, so remove Linkwell there too."
            }
            Self::DisconnectedByHand => {
                "Disconnected here, and what we kept is destroyed. One thing is left for you to do at the provider."
            }
            Self::Removed => "Deleted, with everything that was known of it.",
            Self::FrequencySaved => "Saved.",
            Self::Paused => "Paused. Nothing uses it until you resume it.",
            Self::Resumed => "Resumed. It is checked in a moment.",
            Self::ReadingSoon => "It is read in a moment.",
            Self::WishNoted => "Noted. The admins of your organisation see it in their settings.",
            Self::AppSaved => "Saved. The provider can be connected now.",
            Self::AppRemoved => "Removed. What is connected keeps working until it needs renewing.",
            Self::KeyRevoked => "Key revoked. Requests with it are refused from now on.",
            Self::WebhookTested => "The test message was taken.",
            Self::WebhookRevived => "What was given up is sent again.",
            Self::WebhookReplayed => "It is told once more, in order.",
            Self::RecordingOn => "Saved. Attempts are recorded from now on.",
            Self::RecordingOff => "Saved. What was recorded is deleted.",
            Self::PolicySwitched => "Saved. What waits is looked at again now.",
            Self::WebhookRemoved => "Removed. It is told nothing any more.",
            Self::ProfileSaved => "Saved.",
            Self::PasswordChanged => "Password changed. Other devices were signed out.",
            Self::NoticesRead => "All read.",
            Self::Asked => "Asked. They get a notice and a mail.",
            Self::AskedBefore => "They were asked before, and have not done it yet.",
            Self::WillTell => "You are told as soon as it works.",
            Self::MailChosen => "Saved.",
            Self::SignedOut => "You are signed out.",
            Self::SignedOutEverywhere => "You are signed out on every device.",
            Self::RoleSaved => "Role saved. It counts from now on.",
            Self::MemberRemoved => "Removed. They were signed out everywhere here.",
            Self::MemberErased => "Removed and erased. The audit log names somebody who left.",
            Self::AccountErased => "Your account is deleted, with everything that named you.",
            Self::OrganisationDeleted => "The organisation and everything it had here are deleted.",
        }
    }

    /// Whether it went well: nothing else is shown with a tick.
    pub fn is_good(self) -> bool {
        !matches!(
            self,
            Self::NotWorking
                | Self::NotWorkingYet
                | Self::NotAsked
                | Self::NotAskedYet
                | Self::NotAskedAgain
                | Self::NotRepaired
        )
    }
}

/// What has to be put right, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words are in `text`")]
pub enum Problem {
    NameMissing,
    OrganisationMissing,
    EmailUnusable,
    EmailTaken,
    PasswordTooShort,
    PasswordWrong,
    SignInRefused,
    TooManyTries,
    ClientIdMissing,
    ClientSecretMissing,
    ScopesMissing,
    AlreadySetUp,
    Gone,
    Rests,
    OurSide,
}

impl Problem {
    /// What the page says.
    pub fn text(self) -> &'static str {
        match self {
            Self::NameMissing => "Enter a name",
            Self::OrganisationMissing => "Enter the name of your organisation",
            Self::EmailUnusable => "Enter an e-mail address such as mia@example.com",
            Self::EmailTaken => "Somebody uses this e-mail address already. Enter another one",
            Self::PasswordTooShort => "Enter a password of at least 12 characters",
            Self::PasswordWrong => "Enter your current password as it is now",
            Self::SignInRefused => "The e-mail address and the password do not belong together",
            Self::TooManyTries => "Too many attempts. Wait a few minutes and try again",
            Self::ClientIdMissing => "Enter the client ID the provider shows",
            Self::ClientSecretMissing => "Enter the client secret the provider shows",
            Self::ScopesMissing => "Choose at least one thing the key may do",
            Self::AlreadySetUp => "The first account exists already. Sign in with it",
            Self::Gone => "This is not here any more. Somebody may have removed it",
            Self::Rests => "It is paused. Resume it first",
            Self::OurSide => "Something failed on our side. Nothing was changed. Try again",
        }
    }
}

impl From<Problem> for String {
    fn from(problem: Problem) -> Self {
        problem.text().to_owned()
    }
}

/// What one form leaves for the next page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// What came of it.
    pub notice: Option<Notice>,
    /// What has to be put right, in words: the field's name, or nothing for the
    /// whole form, and what to do.
    pub problems: Vec<(String, String)>,
    /// What was typed, by field.
    pub values: BTreeMap<String, String>,
}

impl Flash {
    /// Says what came of it.
    pub fn notice(notice: Notice) -> Self {
        Self {
            notice: Some(notice),
            ..Self::default()
        }
    }

    /// Says what has to be put right in a field, or in the whole form (`""`).
    pub fn rejected(field: &str, problem: impl Into<String>) -> Self {
        Self::default().and(field, problem)
    }

    /// Adds another problem.
    pub fn and(mut self, field: &str, problem: impl Into<String>) -> Self {
        self.problems.push((field.to_owned(), problem.into()));
        self
    }

    /// Keeps what was typed. Never a secret: the cookie is plain text.
    pub fn keep(mut self, field: &str, value: &str) -> Self {
        self.values.insert(field.to_owned(), value.to_owned());
        self
    }

    /// Keeps that one of several boxes of a name was ticked.
    pub fn choose(self, field: &str, value: &str) -> Self {
        self.keep(&format!("{field} {value}"), "on")
    }

    /// Whether that box was ticked.
    pub fn was_chosen(&self, field: &str, value: &str) -> bool {
        self.values.contains_key(&format!("{field} {value}"))
    }

    /// What is wrong with a field, in words.
    pub fn problem(&self, field: &str) -> Option<String> {
        self.problems
            .iter()
            .find(|(name, _)| name == field)
            .map(|(_, problem)| problem.clone())
    }

    /// What was typed into a field.
    pub fn value(&self, field: &str) -> Option<String> {
        self.values.get(field).cloned()
    }

    /// Reads it from a request. What cannot be read says nothing.
    pub fn read(headers: &HeaderMap) -> Self {
        cookie(headers, COOKIE)
            .and_then(|value| URL_SAFE_NO_PAD.decode(value).ok())
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default()
    }

    /// The `Set-Cookie` value that carries it for a minute. Values that are too
    /// long for a cookie are left out: they would have to be typed again anyway.
    pub fn to_header(&self) -> HeaderValue {
        let encode = |flash: &Self| {
            let json = serde_json::to_vec(flash).expect("strings and names are JSON");
            URL_SAFE_NO_PAD.encode(json)
        };
        let mut value = encode(self);
        if value.len() > LARGEST {
            value = encode(&Self {
                values: BTreeMap::new(),
                ..self.clone()
            });
        }
        set_cookie(COOKIE, &value, 60)
    }

    /// The `Set-Cookie` value that takes it away.
    pub fn clear_header() -> HeaderValue {
        set_cookie(COOKIE, "", 0)
    }
}

/// What browsers guard a cookie by on https: no neighbouring host can set it.
/// The server puts it before the name of every cookie it sends there.
pub const COOKIE_GUARD: &str = "__Host-";

/// A cookie's value, whether its name is guarded or, on plain http, not.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key.trim_start_matches(COOKIE_GUARD) == name).then_some(value))
}

/// A cookie for this site alone that scripts cannot read.
pub fn set_cookie(name: &str, value: &str, max_age_s: u32) -> HeaderValue {
    let cookie = format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict");
    HeaderValue::from_str(&cookie).expect("base64url and plain words make a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_back(flash: &Flash) -> Flash {
        let header = flash.to_header();
        let pair = header.to_str().unwrap().split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; {pair}").parse().unwrap());
        Flash::read(&headers)
    }

    #[test]
    fn what_was_typed_comes_back() {
        let flash = Flash::rejected("email", Problem::EmailUnusable).keep("email", "mia; @ä");
        assert_eq!(sent_back(&flash), flash);
        assert_eq!(sent_back(&flash).value("email").as_deref(), Some("mia; @ä"));
    }

    #[test]
    fn a_value_too_long_for_a_cookie_leaves_the_problem() {
        let flash = Flash::rejected("name", Problem::NameMissing).keep("name", &"x".repeat(4_000));
        let back = sent_back(&flash);
        assert_eq!(back.problem("name"), Some(Problem::NameMissing.into()));
        assert_eq!(back.value("name"), None);
    }

    #[test]
    fn only_what_went_well_has_a_tick() {
        assert!(Notice::Checked.is_good() && Notice::Repaired.is_good());
        for notice in [Notice::NotWorking, Notice::NotAsked, Notice::NotRepaired] {
            assert!(!notice.is_good(), "{notice:?}");
        }
    }

    #[test]
    fn a_forged_cookie_says_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "linkwell-flash=%%%".parse().unwrap());
        assert_eq!(Flash::read(&headers), Flash::default());
    }
}
