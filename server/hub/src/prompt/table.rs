//! The words themselves, by code and detail.

use chrono::{DateTime, Utc};

use super::{ActionKind, During, Subject, Who};
use crate::{
    failure::{Certainty, Failure, FailureCode},
    keep::{
        ends::{EndKind, KnownEnd},
        health::PROVIDER_TROUBLE,
    },
    runs::{DISCONNECTED, NEEDED_BY_RUN, RULE},
};

/// One line of the table. Sentences are written without their last full stop.
pub(super) struct Entry {
    pub what: String,
    pub why: Why,
    pub effect: Option<String>,
    pub action: Option<(ActionKind, String)>,
    pub secondary: Option<(ActionKind, String)>,
    pub who: Who,
}

/// The cause of a failure.
pub(super) enum Why {
    /// Known whoever says so: it is about ourselves.
    Fact(String),
    /// Known when the provider told, else the best guess, which reads on after
    /// "Most likely".
    By { told: String, likely: String },
}

impl Entry {
    fn new(who: Who, what: impl Into<String>, why: Why) -> Self {
        Self {
            what: what.into(),
            why,
            effect: None,
            action: None,
            secondary: None,
            who,
        }
    }

    fn effect(mut self, effect: impl Into<String>) -> Self {
        self.effect = Some(effect.into());
        self
    }

    fn action(mut self, kind: ActionKind, label: impl Into<String>) -> Self {
        self.action = Some((kind, label.into()));
        self
    }

    fn secondary(mut self, kind: ActionKind, label: impl Into<String>) -> Self {
        self.secondary = Some((kind, label.into()));
        self
    }

    /// The provider app is to be changed, which only whose it is can do.
    fn set_up(self, subject: &Subject<'_>, what: &str, label: impl Into<String>) -> Self {
        match subject.is_operators_app {
            true => self.effect(format!("Only whoever runs this hub can {what}")),
            false => self
                .effect(format!("An admin, or whoever runs this hub, can {what}"))
                .action(ActionKind::SetUp, label),
        }
    }

    /// Whoever just signed in may keep both accounts; a check signed nobody in.
    fn second_account(self, connecting: bool) -> Self {
        match connecting {
            true => self.secondary(ActionKind::AddAccount, "Add as a second account"),
            false => self,
        }
    }
}

fn fact(text: impl Into<String>) -> Why {
    Why::Fact(text.into())
}

fn by(told: impl Into<String>, likely: impl Into<String>) -> Why {
    Why::By {
        told: told.into(),
        likely: likely.into(),
    }
}

/// What it means for automations that a connection cannot be used.
pub(super) const STOPPED: &str =
    "Automations cannot use it until it works again. Nothing was deleted";

/// The table: one line per code, and per detail that deserves its own words.
pub(super) fn entry(failure: &Failure, subject: &Subject<'_>) -> Entry {
    use ActionKind::*;
    use FailureCode as Code;

    let p = subject.provider_name;
    let when = date(subject.at);
    let connecting = subject.during == During::Connecting;
    let account = subject.account.unwrap_or("the account");
    const UNCHANGED: &str = "Nothing was changed";
    let stopped = match connecting {
        true => UNCHANGED,
        false => STOPPED,
    };
    let retry = match failure.retry_at {
        Some(at) => format!("We try again on {}", date(at)),
        None => "We keep trying until it works".to_owned(),
    };
    // A failure that heals by itself: while connecting somebody waits for it.
    let heals = |entry: Entry, button: Option<(ActionKind, &str)>| match (connecting, button) {
        (true, _) => entry.effect(UNCHANGED).action(Connect, "Try again"),
        (false, Some((kind, label))) => entry.effect(&*retry).action(kind, label),
        (false, None) => entry.effect(calm(&retry)),
    };

    match (failure.code, failure.detail.as_str()) {
        // A rule may say whichever code it likes: it is the rule that stops.
        (_, RULE) => Entry::new(
            Who::Admin,
            "A rule of your organisation stops this",
            fact(match &failure.provider_text {
                Some(reason) => reason.clone(),
                None => "An automation asked for something the rule does not allow".to_owned(),
            }),
        )
        .effect("It goes on by itself when the rule allows it. Nothing was lost"),

        (Code::SignInSlow, _) => Entry::new(
            Who::Us,
            "Signing in is taking too long",
            by(
                "The sign-in service did not answer in time",
                "the sign-in service is busy",
            ),
        )
        .action(SignIn, "Try again"),
        (Code::SignedOut, _) => Entry::new(
            Who::You,
            "You were signed out",
            by(
                "Your session ended",
                "it ended after a while without use, or with a change of password",
            ),
        )
        .action(SignIn, "Sign in"),
        (Code::BrowserUnsupported, _) => Entry::new(
            Who::You,
            "This browser cannot finish the sign-in",
            by(
                "Cookies are off here",
                "cookies are off, or this page was opened inside another app",
            ),
        )
        .effect("Open this page in another browser, such as the one your phone came with"),
        (Code::NotAllowed, "owner") => Entry::new(
            Who::Admin,
            "Your role does not allow this",
            fact("It needs the role of an owner"),
        )
        .effect("An owner of your organisation can do it, or give you the role"),
        (Code::NotAllowed, role @ ("admin" | "member")) => Entry::new(
            Who::Admin,
            "Your role does not allow this",
            fact(format!("It needs the role of {} or more", article(role))),
        )
        .effect("An admin of your organisation can do it, or give you the role"),
        (Code::NotAllowed, _) => Entry::new(
            Who::You,
            "This needs somebody who is signed in",
            fact("Only members of the organisation may do it"),
        )
        .action(SignIn, "Sign in"),

        (Code::SessionExpired, _) => Entry::new(
            Who::You,
            format!("{p} ended our session on {when}"),
            by(
                format!("{p} asks for a new sign-in"),
                format!("it lasted as long as {p} lets sessions last, or you signed out there"),
            ),
        )
        .effect(stopped)
        .action(Connect, format!("Sign in to {p} again")),
        (Code::MfaOrChallengeRequired, "unsupported_method") => Entry::new(
            Who::You,
            format!("{p} wants an extra confirmation that only your device can give"),
            fact("A passkey stays on the device it was made on"),
        )
        .effect(stopped)
        .action(Connect, format!("Use another sign-in method at {p}")),
        (Code::MfaOrChallengeRequired, _) => Entry::new(
            Who::You,
            format!("{p} wants an extra confirmation"),
            by(
                "It asks for a code, a confirmation on your phone or a puzzle",
                "it asks for a code, a confirmation on your phone or a puzzle",
            ),
        )
        .effect(stopped)
        .action(Connect, format!("Continue at {p}")),
        (Code::CheckpointOrSuspiciousLogin, _) => {
            let entry = Entry::new(
                Who::You,
                format!("{p} stopped the sign-in to protect your account"),
                by(
                    format!("{p} asks you to confirm that it was you"),
                    "it came from a new place or device, or the account is locked",
                ),
            )
            .effect(stopped)
            .action(OpenProvider, format!("Confirm at {p}"));
            match connecting {
                true => entry,
                false => entry.secondary(Check, "Check now"),
            }
        }
        (Code::ProfileCookieMissing, _) => Entry::new(
            Who::You,
            "The imported browser session is incomplete",
            by(
                format!("{p} did not accept it"),
                "some of its cookies were left out or are tied to your device",
            ),
        )
        .effect(stopped)
        .action(Connect, format!("Sign in to {p} here")),
        (Code::ConnectorAuthSelectorChanged, _) => Entry::new(
            Who::Us,
            format!("We no longer recognise the sign-in page of {p}"),
            by(
                format!("{p} changed its site"),
                format!("{p} changed its site"),
            ),
        )
        .effect("No action needed. We look again every hour"),

        (Code::NetworkOrTimeout, "refresh_elsewhere" | "outcome_unknown") => heals(
            Entry::new(
                Who::Us,
                format!("The renewal of our access at {p} is not finished"),
                fact(format!("We asked {p} and do not know its answer yet")),
            ),
            None,
        ),
        (Code::NetworkOrTimeout, detail @ ("certificate_expired" | "certificate_untrusted")) => {
            heals(
                Entry::new(
                    Who::Provider,
                    format!("The certificate of {p} is not good"),
                    fact(match detail {
                        "certificate_expired" => "It has expired, or is not valid yet",
                        _ => "It comes from an authority that we do not know",
                    }),
                ),
                Some((Check, "Check now")),
            )
        }
        (Code::NetworkOrTimeout, "not_verified") => heals(
            Entry::new(
                Who::Us,
                format!("{account} at {p} is not proven yet"),
                fact("Automations wait until a check has shown whose account it is"),
            ),
            Some((Check, "Check now")),
        ),
        (Code::NetworkOrTimeout, _) => heals(
            Entry::new(
                Who::Provider,
                format!("{p} did not answer"),
                by(
                    "The connection was refused or took too long",
                    "the network between us is disturbed, or the service is down",
                ),
            ),
            Some((Check, "Check now")),
        ),
        (Code::ConsentDeniedOrAbandoned, _) => Entry::new(
            Who::You,
            "The connection was not completed",
            by(
                format!("You chose Cancel at {p}"),
                format!("the window of {p} was closed before you approved"),
            ),
        )
        .effect(UNCHANGED)
        .action(Connect, "Try again")
        .secondary(Explain, "What we ask for"),

        (Code::GrantRevokedOrExpired, crate::keep::CLEARED) => Entry::new(
            Who::You,
            format!("What we stored of {account} was cleared on {when}"),
            fact("Somebody of your organisation chose that here"),
        )
        .effect(stopped)
        .action(Connect, format!("Connect {p} again")),
        (Code::GrantRevokedOrExpired, DISCONNECTED) => Entry::new(
            Who::You,
            format!("{account} at {p} was disconnected on {when}"),
            fact("Somebody of your organisation chose that here"),
        )
        .effect(stopped)
        .action(Connect, format!("Connect {p} again")),
        (Code::GrantRevokedOrExpired, detail) => {
            let why = match detail {
                "lost_rotation" => fact(format!(
                    "{p} gave us new access for the old, and its answer did not reach us"
                )),
                "ended_along" => fact(format!(
                    "Another connection to the same account was disconnected here, and {p} ends everything of one app together"
                )),
                "ended_without_refresh_token" => fact(format!(
                    "{p} gave access for a limited time only, with no way to renew it"
                )),
                _ => by(
                    format!("{p} says that our access was withdrawn or has ended"),
                    format!("the app was removed in {p}, or the password was changed there"),
                ),
            };
            Entry::new(
                Who::You,
                format!("{p} stopped accepting our access on {when}"),
                why,
            )
            .effect(stopped)
            .action(Connect, format!("Reconnect {p}"))
        }
        (Code::CredentialsRejected, "wrong_environment") => Entry::new(
            Who::You,
            format!("{p} rejected this key"),
            fact("It belongs to test mode, and this connection is for live data"),
        )
        .effect(stopped)
        .action(Connect, "Enter a live key"),
        (Code::CredentialsRejected, "stopped_after_three") => Entry::new(
            Who::You,
            format!("{p} rejected the key or password three times in a row"),
            fact(match failure.retry_at {
                Some(until) => format!(
                    "We do not ask again before {}, so that the account is not locked",
                    date(until)
                ),
                None => "We wait a while, so that the account is not locked".into(),
            }),
        )
        .effect(UNCHANGED),
        (Code::CredentialsRejected, _) => Entry::new(
            Who::You,
            format!("{p} rejected the key or password"),
            by(
                format!("{p} says that it is wrong, or no longer the current one"),
                "it was mistyped, replaced, or its user was disabled",
            ),
        )
        .effect(stopped)
        .action(Connect, "Enter new credentials"),
        (Code::PermissionMissing, "no_readable_table" | "no_such_table") => Entry::new(
            Who::You,
            "This user may not read the tables",
            fact(format!("{p} has them, and keeps them from this user")),
        )
        .action(Connect, "Add permission"),
        (Code::PermissionMissing, NEEDED_BY_RUN) => Entry::new(
            Who::You,
            match subject.missing {
                [] => format!("An automation needs a permission at {p}"),
                some => {
                    let some: Vec<_> = some.iter().map(|meaning| lower(meaning)).collect();
                    format!("An automation needs another permission: {}", some.join(", "))
                }
            },
            fact("It was not granted when the account was connected"),
        )
        .effect("It goes on by itself once the permission is there. Nothing was lost")
        .action(Connect, "Add permission"),
        (Code::PermissionMissing, _) => Entry::new(
            Who::You,
            match subject.missing {
                [] => format!("A permission at {p} is missing"),
                [one] => format!("One thing does not work: {}", lower(one)),
                several => {
                    let several: Vec<_> = several.iter().map(|meaning| lower(meaning)).collect();
                    format!("Some things do not work: {}", several.join(", "))
                }
            },
            by(
                "That permission was not granted",
                "that permission was left out when it was connected",
            ),
        )
        .effect("Everything else works")
        .action(Connect, "Add permission"),
        (Code::AdminApprovalRequired, "resting") => Entry::new(
            Who::You,
            format!("{account} at {p} is paused"),
            fact("Somebody of your organisation chose that, and nothing uses it meanwhile"),
        )
        .effect("It goes on by itself once that is resumed. Nothing was lost")
        .action(Resume, "Resume"),
        (Code::AdminApprovalRequired, _) => Entry::new(
            Who::Admin,
            format!("Your organisation at {p} must allow this app"),
            by(
                format!("{p} lets in only apps that an admin has approved"),
                format!("an admin's rule at {p} keeps new apps out"),
            ),
        )
        .effect(match connecting {
            true => format!(
                "Whoever administers your organisation at {p} can allow it. {UNCHANGED}"
            ),
            false => format!(
                "Whoever administers {account} at {p} can allow it. We look again every day"
            ),
        })
        .action(Request, "Send request to admin")
        .secondary(Connect, "Try again"),

        (Code::AppConfigInvalid, "provider_app_missing") => Entry::new(
            Who::Operator,
            format!("{p} is not set up yet"),
            fact(format!(
                "Nobody has entered the client ID and secret of the {p} app"
            )),
        )
        .effect("An admin, or whoever runs this hub, can do that")
        .action(SetUp, format!("Set up {p}")),
        (Code::AppConfigInvalid, "provider_not_in_catalog") => Entry::new(
            Who::Operator,
            format!("This hub no longer knows {p}"),
            fact("Its entry was taken out of the catalog"),
        )
        .effect("Whoever runs this hub can put it back. Nothing was deleted"),
        (Code::AppConfigInvalid, "installation_not_provable") => Entry::new(
            Who::Operator,
            format!("{p} cannot be connected on this hub"),
            fact(format!(
                "Several organisations share this hub, and {p} does not say whose site or account was connected"
            )),
        )
        .effect(format!(
            "Nothing was connected. An API key of {p} works, where it offers one"
        )),
        (Code::AppConfigInvalid, "policy_failed") => Entry::new(
            Who::Operator,
            "A rule for automations cannot be read",
            fact("To be careful, it stops what it cannot judge"),
        )
        .effect("Whoever runs this hub can correct it. It goes on by itself then"),
        (Code::AppConfigInvalid, _) => Entry::new(
            Who::Operator,
            format!("The hub is not set up correctly for {p}"),
            by(
                format!("{p} does not accept the client ID, the secret or the redirect address"),
                "the client ID, the secret or the redirect address is not the registered one",
            ),
        )
        .set_up(subject, "correct it", format!("Check the {p} app")),

        (Code::ProviderLimitedOrDown, PROVIDER_TROUBLE) => Entry::new(
            Who::Provider,
            format!("{p} is having trouble: nothing to do"),
            fact("It fails for many accounts at once, so it is not about yours"),
        )
        .effect("No action needed. We try one of them every half minute, and the others once that works"),
        (Code::ProviderLimitedOrDown, _) => {
            let (what, why) = match (failure.certainty, failure.retry_at) {
                (Certainty::Told, Some(until)) => (
                    format!("{p} asked us to slow down"),
                    fact(format!("It takes our calls again on {}", date(until))),
                ),
                _ => (
                    format!("{p} is limiting or not working right now"),
                    by(
                        format!("{p} answered that it cannot serve us at the moment"),
                        format!("{p} has a disturbance or is being maintained"),
                    ),
                ),
            };
            heals(Entry::new(Who::Provider, what, why), None)
        }

        (Code::AccountOrTargetMismatch, "address_not_allowed") => Entry::new(
            Who::You,
            "We may not call this address",
            fact("It leads into a private network, and whoever runs this hub has not allowed that"),
        )
        .effect(stopped)
        .action(Connect, "Use a public address"),
        (Code::AccountOrTargetMismatch, "https_required") => Entry::new(
            Who::You,
            "We may not call this address",
            fact("It is not encrypted: it does not begin with https"),
        )
        .effect(stopped)
        .action(Connect, "Use an encrypted address"),
        (Code::AccountOrTargetMismatch, "encryption_not_offered") => Entry::new(
            Who::You,
            format!("{p} offers no encryption"),
            fact("We send no password that others on the way could read"),
        )
        .effect(stopped)
        .action(Connect, "Use an encrypted address"),
        (
            Code::AccountOrTargetMismatch,
            detail @ ("host"
            | "port"
            | "certificate"
            | "ca_unreadable"
            | "other_service"
            | "asked_for_our_files"
            | "unknown_sign_in"
            | "no_such_folder"),
        ) => Entry::new(
            Who::You,
            match detail {
                "ca_unreadable" => "We cannot read the CA certificate".to_owned(),
                "no_such_folder" => "This folder does not exist".to_owned(),
                "unknown_sign_in" => format!("{p} wants a way of signing in that we do not know"),
                _ => "This is not the right address".to_owned(),
            },
            fact(match detail {
                "host" => "There is no server of this name",
                "port" => "Ports are numbers from 1 to 65535",
                "certificate" => "The server's certificate is for another name",
                "ca_unreadable" => "It is a text that begins with -----BEGIN CERTIFICATE-----",
                "asked_for_our_files" => {
                    "The server asked for files of ours, which no honest one does"
                }
                "unknown_sign_in" => "A user with a password of the usual kind will do",
                "no_such_folder" => "It was mistyped, renamed or removed",
                _ => "Something else answers there: the port may be another",
            }),
        )
        .effect(stopped)
        .action(Connect, "Correct it"),
        (
            Code::AccountOrTargetMismatch,
            detail @ ("other_status" | "not_in_answer" | "header_not_allowed"),
        ) => Entry::new(
            Who::You,
            match detail {
                "header_not_allowed" => "One of the headers is not yours to set",
                _ => "The answer is not the one you described",
            },
            fact(match detail {
                "other_status" => "It came with another status than you entered",
                "not_in_answer" => "It has nothing where you said that something stands",
                _ => "It belongs to the connection itself, and we set it",
            }),
        )
        .effect(stopped)
        .action(Connect, "Correct it"),
        (Code::AccountOrTargetMismatch, "environment") => Entry::new(
            Who::You,
            format!("This belongs to another environment of {p}"),
            fact("A test key opens only test data, and a live key only live data"),
        )
        .effect(stopped)
        .action(Connect, "Choose the right one"),
        (Code::AccountOrTargetMismatch, "installation_not_theirs") => Entry::new(
            Who::You,
            format!("This does not belong to your account at {p}"),
            fact(format!(
                "{p} says that whoever signed in there may not reach what was installed"
            )),
        )
        .effect(UNCHANGED)
        .action(Connect, "Try again"),
        (Code::AccountOrTargetMismatch, "other_account") => Entry::new(
            Who::You,
            match connecting {
                true => format!("This is a different account of {p}"),
                false => format!("{p} answers for a different account"),
            },
            fact(match (&failure.provider_text, connecting) {
                (Some(signed_in), true) => format!(
                    "You signed in as {signed_in}, but this connection belongs to {account}"
                ),
                (Some(found), false) => {
                    format!("A check found {found}, but this connection belongs to {account}")
                }
                (None, _) => format!("This connection belongs to {account}"),
            }),
        )
        .effect(stopped)
        .action(Connect, format!("Use {account}"))
        .second_account(connecting),
        (Code::AccountOrTargetMismatch, _) => Entry::new(
            Who::You,
            "This is a different account or address",
            by(
                format!("{p} answered for something else than {account}"),
                "the address was mistyped, or another account was signed in",
            ),
        )
        .effect(stopped)
        .action(Connect, "Choose the right one"),

        (Code::FlowExpiredOrInvalid, detail) => Entry::new(
            Who::You,
            "This attempt cannot be used any more",
            match detail {
                "other_browser" => fact("It was started in another browser, or by somebody else"),
                _ => by(
                    "It has expired, or was used already",
                    "it has expired, was used already, or came from another browser",
                ),
            },
        )
        .effect(UNCHANGED)
        .action(Connect, "Start again"),
        (Code::RefusedByProvider, _) => Entry::new(
            Who::You,
            format!("{p} refuses this account"),
            by(
                format!("{p} says that the account may not be used this way"),
                "the account is frozen, or its plan does not include access for apps",
            ),
        )
        .effect(match connecting {
            true => UNCHANGED,
            false => "We ask again every day",
        })
        .action(OpenProvider, format!("Open {p}")),

        (Code::HubInternal, detail) => heals(
            Entry::new(
                Who::Us,
                "Something went wrong on our side",
                match detail.starts_with("unmapped:") {
                    true => fact(format!("{p} answered in a way we do not know yet")),
                    false => fact("It is not about your account, and it was recorded here"),
                },
            ),
            Some((Report, "Send report")),
        ),
    }
}

/// What is said of what heals by itself.
pub(super) fn calm(effect: &str) -> String {
    const CALM: &str = "No action needed.";
    match effect.starts_with(CALM) {
        true => effect.to_owned(),
        false => format!("{CALM} {effect}"),
    }
}

/// The words for a connection that ends although nothing is wrong with it.
pub(super) fn end(end: KnownEnd, subject: &Subject<'_>) -> Entry {
    let (p, ends) = (subject.provider_name, date(end.at));
    let reconnect = |why: String| {
        Entry::new(
            Who::You,
            format!("Our access to {p} ends on {ends}"),
            fact(why),
        )
        .effect("Until then everything works. Reconnecting takes a minute and changes nothing else")
        .action(ActionKind::Connect, format!("Reconnect {p}"))
    };
    match end.kind {
        EndKind::Token => reconnect(format!(
            "{p} gave an access that ends then, and no way to renew it"
        )),
        EndKind::Approval => reconnect(format!(
            "{p} wants you to approve it again from time to time"
        )),
        EndKind::Testing => reconnect(format!(
            "The app is in testing at {p}, which ends its access every week. Whoever set it up can publish it"
        )),
        EndKind::ServerCertificate => Entry::new(
            Who::Admin,
            format!("The certificate of the {p} server ends on {ends}"),
            fact(
                "Whoever runs the server renews it there. Without it we cannot be sure who answers",
            ),
        )
        .effect("Until then everything works, and this goes away once it is renewed")
        .action(ActionKind::Check, "Check now"),
        EndKind::AuthorityCertificate => Entry::new(
            Who::You,
            format!("The CA certificate you gave us for {p} ends on {ends}"),
            fact(
                "Whoever runs the server has its successor, and pasting that is all there is to do",
            ),
        )
        .effect("Until then everything works. Reconnecting takes a minute and changes nothing else")
        .action(ActionKind::Connect, "Enter the new certificate"),
        EndKind::AppCertificate if subject.is_operators_app => Entry::new(
            Who::Operator,
            format!("The certificate that {p} knows us by ends on {ends}"),
            fact("Whoever runs this hub replaces it. Nobody has to connect again"),
        )
        .effect("Until then everything works"),
        EndKind::AppCertificate => Entry::new(
            Who::Admin,
            format!("The certificate that {p} knows us by ends on {ends}"),
            fact("An admin replaces it in the provider app. Nobody has to connect again"),
        )
        .effect("Until then everything works")
        .action(ActionKind::SetUp, "Replace the certificate"),
    }
}

/// `12 May at 09:10 UTC`.
fn date(at: DateTime<Utc>) -> String {
    at.format("%-d %B at %H:%M UTC").to_string()
}

fn article(role: &str) -> String {
    match role {
        "admin" => format!("an {role}"),
        other => format!("a {other}"),
    }
}

/// A meaning such as `See orders`, to go on with after a colon.
fn lower(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(char::to_lowercase)
        .into_iter()
        .flatten();
    first.chain(characters).collect()
}
