//! What the pages say: sentence case, verb and object on buttons, no blame, no
//! apologies, no codes. Both halves of the application use the same words.

use crate::model::{Connection, Filter, RunStatus, Section, Status};

/// The product's name.
pub const PRODUCT: &str = "Linkwell";

/// The name of the window a provider is opened in.
pub const POPUP: &str = "linkwell-oauth";

/// The channel on which the callback page says "ask the server now".
pub const FLOW_CHANNEL: &str = "linkwell-flow";

/// Whoever runs this hub, where people can write to them.
pub const OPERATOR: &str = "Whoever runs this Linkwell";

/// A status as one word.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::Connected => "Connected",
        Status::Retrying { .. } => "Retrying",
        Status::ActionNeeded => "Action needed",
        Status::WaitingForAdmin => "Waiting for admin",
        Status::NotCheckedYet => "Not checked yet",
        Status::Paused => "Paused",
        Status::Disconnected => "Disconnected",
    }
}

/// The same with when it is tried again, in the zone of every time here.
pub fn status_now(status: Status) -> String {
    match status {
        Status::Retrying { at: Some(at) } => {
            let minutes = at.rem_euclid(86_400) / 60;
            format!("Retrying at {:02}:{:02} UTC", minutes / 60, minutes % 60)
        }
        status => self::status(status).to_owned(),
    }
}

/// How a run stands, in a word or two.
pub fn run(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Allowed => "Running",
        RunStatus::Paused => "Paused",
        RunStatus::Resumed => "May go on",
        RunStatus::Succeeded => "Done",
        RunStatus::Failed => "Did not work",
        RunStatus::Cancelled => "Cancelled",
    }
}

#[cfg(feature = "ssr")]
pub use hub::prompt::paused_runs;

/// What ends with a connection whose access was cleared or ended before.
#[cfg(feature = "ssr")]
pub fn nothing_stored(name: &str) -> String {
    format!(
        "No access is stored any more, so there is none to withdraw. If Linkwell is still listed at {name}, remove it there."
    )
}

/// What a rule stopped.
pub fn stopped(waiting: i64, went_on: i64) -> String {
    let runs = |count: i64| match count {
        1 => "1 run".to_owned(),
        count => format!("{count} runs"),
    };
    match (waiting, went_on) {
        (0, went_on) => format!("It stopped {} in the last 30 days", runs(went_on)),
        (1, 0) => "1 run waits because of it".to_owned(),
        (waiting, 0) => format!("{} wait because of it", runs(waiting)),
        (waiting, went_on) => {
            format!("{} stopped now, {} earlier", runs(waiting), runs(went_on))
        }
    }
}

/// The heading of a part of the hub.
pub fn section(section: Section) -> &'static str {
    match section {
        Section::ActionNeeded => "Action needed",
        Section::Connected => "Connected",
        Section::Available => "Available",
        Section::Disconnected => "Disconnected",
    }
}

/// The one fact of a linked account's row.
pub fn fact(connection: &Connection, now: i64) -> String {
    match (&connection.prompt, connection.checked_at) {
        (Some(prompt), _) => match connection.status {
            Status::Retrying { .. } if !prompt.what.contains("nothing to do") => {
                format!("{} No action needed.", prompt.what)
            }
            _ => prompt.what.clone(),
        },
        (None, Some(at)) => format!("Checked {}", ago(now, at)),
        (None, None) => "Not checked yet".to_owned(),
    }
}

/// What signing in takes, by its key.
pub const SIGN_INS: [(&str, &str); 4] = [
    ("one-click", "One click"),
    ("key", "Needs a key"),
    ("database", "Needs a database login"),
    ("browser", "Signs in with a browser"),
];

/// Where a provider serves, by the key of the filter.
pub const REGIONS: [(&str, &str); 4] = [
    ("gb", "United Kingdom"),
    ("us", "United States"),
    ("eu", "European Union"),
    ("global", "Worldwide"),
];

/// What a newcomer may begin with: only what is ready, and no more than that
/// is said of it.
pub fn begin(names: &[String]) -> String {
    match names {
        [] => "Choose an app below to begin.".to_owned(),
        [one] => format!("{one} is ready to connect."),
        names => format!("{} are ready to connect.", list(names)),
    }
}

/// How many apps are in sight.
pub fn found(filter: &Filter, shown: usize, total: usize) -> String {
    match (filter.is_empty(), shown) {
        (true, shown) if shown < total => format!("{shown} of {total} apps"),
        (_, 1) => "1 app".to_owned(),
        (_, shown) => format!("{shown} apps"),
    }
}

/// What is said instead of an empty list.
pub fn nothing(filter: &Filter) -> String {
    match filter.q.trim() {
        "" => "No app fits these filters.".to_owned(),
        asked if filter.narrows() => {
            format!("No app called \u{2018}{asked}\u{2019} fits these filters.")
        }
        asked => format!("No app called \u{2018}{asked}\u{2019}."),
    }
}

/// Why a webhook did not take a message, in words.
pub fn not_taken(problem: &str) -> String {
    if let Some(status) = problem.strip_prefix("answered_") {
        return format!("it answered {status}");
    }
    let said = match problem {
        "address_not_allowed" => "the address is not on the public internet",
        "https_required" => "the address has to begin with https://",
        "dns" => "the name could not be looked up",
        "no_such_host" => "there is no such name",
        "connect" => "nobody answers there",
        "tls" => "the connection could not be encrypted",
        "certificate_name" => "the certificate belongs to another name",
        "certificate_expired" => "the certificate has ended",
        "certificate_untrusted" => "the certificate is not trusted",
        "timeout_after_send" => "it took too long to answer",
        "cut_after_send" => "the connection broke before it answered",
        "answer_too_large" => "it answered with too much",
        _ => "something unexpected happened",
    };
    said.to_owned()
}

/// What the bell is called.
pub fn bell(unread: u32) -> String {
    match unread {
        0 => "Notices".to_owned(),
        unread => format!("Notices, {unread} new"),
    }
}

/// How soon somebody is mailed: as it is posted, and in words.
pub const PACES: [(&str, &str, &str); 3] = [
    (
        "at_once",
        "After 15 minutes",
        "And once a day while it lasts.",
    ),
    (
        "digest",
        "Once a day",
        "One mail in the morning, 07:00 UTC.",
    ),
    ("none", "Never", "The bell is all you get."),
];

/// Why a mail was not sent, in words.
pub fn not_mailed(problem: &str) -> String {
    let said = match problem {
        "refused" => "the mail server refused it",
        "not_signed_in" => "the mail server did not let us sign in",
        "not_now" => "the mail server wants it later",
        "timeout" => "the mail server took too long",
        "tls" => "the way to the mail server could not be encrypted",
        "address" => "the address is not one",
        _ => "the mail server was not reached",
    };
    said.to_owned()
}

/// How long ago, roughly: `4 min ago`.
pub fn ago(now: i64, then: i64) -> String {
    match now - then {
        ..=59 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// Since how long, roughly: `for 4 min`.
pub fn lasting(now: i64, since: i64) -> String {
    match now - since {
        ..=59 => "for less than a minute".to_owned(),
        seconds => format!("for {}", span(seconds)),
    }
}

/// How far ahead, roughly: `in 4 min`.
pub fn until(now: i64, then: i64) -> String {
    match then - now {
        ..=0 => "now".to_owned(),
        1..=59 => "in less than a minute".to_owned(),
        seconds => format!("in {}", span(seconds)),
    }
}

fn span(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (minutes, hours, days) {
        (..=59, _, _) => format!("{minutes} min"),
        (_, ..=23, _) => format!("{hours} h"),
        (_, _, 1) => "1 day".to_owned(),
        (_, _, ..=59) => format!("{days} days"),
        _ => format!("{} months", days / 30),
    }
}

/// A size, roughly: `1.2 kB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        ..=999 => format!("{bytes} bytes"),
        _ => format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100),
    }
}

/// What a connection does from now on.
pub const AFTER_CONNECTING: &str = "Automations can use it now. We check it again and again, and tell you when something is needed.";

/// What a key opens: `Test data`.
pub fn environment(name: &str) -> String {
    match name {
        "live" => "Live data".to_owned(),
        "test" => "Test data only".to_owned(),
        "sandbox" => "Sandbox".to_owned(),
        other => other.to_owned(),
    }
}

/// What happens with what was entered.
pub fn tested_before_kept(name: &str) -> String {
    format!(
        "We try it with {name} first. It is kept only when it works, sealed, and never shown again."
    )
}

/// How often a connection may be read: as it is stored, and in words.
pub const FREQUENCIES: [(&str, &str); 4] = [
    ("manual", "Only when asked"),
    ("hourly", "Every hour"),
    ("daily", "Every day"),
    ("weekly", "Every week"),
];

/// The lines of a test by their key, in their order.
pub const TESTS: [(&str, &str); 5] = [
    ("reach", "Reach the service"),
    ("encryption", "Encrypted connection"),
    ("sign_in", "Sign in"),
    ("permissions", "Permissions"),
    ("sample", "Read a sample"),
];

/// What this kind of sign-in is, in one breath.
pub fn sign_in_explained(name: &str, kind: &str) -> String {
    match kind {
        "api_key" => format!(
            "{name} lets apps in with an API key: a long password made for one app. You make it there, and delete it there whenever you like. Your own password stays yours."
        ),
        "client_credentials" => format!(
            "{name} lets apps in with two values that belong together: an id that names the app, and a secret that proves it. You make both there."
        ),
        "basic" => format!(
            "{name} lets apps in with a name and a secret. Where it offers one made for apps, use that and not your own password."
        ),
        "oauth2" => format!(
            "{name} asks you itself: you sign in there, see what Linkwell may do, and approve. Your password stays between you and {name}."
        ),
        "database" => format!(
            "{name} lets programs in with a user and a password of the database itself. A user that may only read is enough."
        ),
        _ => format!("{name} needs to know a few things before it lets us in."),
    }
}

/// What is left to do where the provider asks for consent itself.
pub fn steps_of_consent(questions: usize) -> String {
    match questions {
        0 => "One step: approve".to_owned(),
        1 => "One question, then approve".to_owned(),
        questions => format!("{questions} questions, then approve"),
    }
}

/// How long connecting usually takes.
pub fn takes(seconds: i64) -> String {
    format!("Usually takes {}", about(seconds))
}

/// A time, roughly: `about 25 seconds`.
pub fn about(seconds: i64) -> String {
    match seconds {
        ..=1 => "about a second".to_owned(),
        2..=59 => format!("about {seconds} seconds"),
        60..=89 => "about a minute".to_owned(),
        _ => format!("about {} minutes", (seconds + 30) / 60),
    }
}

/// `Mia`, `Mia and Jonas`, `Mia, Jonas and Ada`.
pub fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What an attempt says while it is open; `{0}` is the provider.
pub mod attempt {
    /// Just opened.
    pub fn waiting(provider: &str) -> String {
        format!("Waiting for {provider}. Approve in the window that opened.")
    }

    /// The other window may be closed, or the provider may hide it from us.
    pub fn still_waiting(provider: &str) -> String {
        format!("Still waiting for {provider}. Finish in the other window, or start again.")
    }

    /// Nothing was heard for 45 seconds.
    pub const SLOW: &str = "Taking longer than usual. Finish in the other window, or start again.";

    /// The provider answered.
    pub const CHECKING: &str = "Checking the connection";

    /// The consent opened several organisations.
    pub const CHOOSING: &str =
        "Several accounts can be connected. Choose one in the other window, or here.";

    /// Another account signed in than expected.
    pub const OTHER_ACCOUNT: &str =
        "Another account signed in. Decide in the other window, or here.";

    /// Left alone for ten minutes.
    pub const EXPIRED: &str = "This attempt has expired. Nothing was changed.";

    /// Given up here.
    pub const CANCELLED: &str = "Cancelled. Nothing was changed.";

    /// For a screen reader, when it worked.
    pub fn connected(provider: &str, account: &str) -> String {
        format!("{provider} connected as {account}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_rough_and_short() {
        assert_eq!(ago(100, 90), "just now");
        assert_eq!(ago(1_000, 760), "4 min ago");
        assert_eq!(ago(90_000, 0), "1 day ago");
        assert_eq!(lasting(30, 0), "for less than a minute");
        assert_eq!(lasting(1_000, 760), "for 4 min");
        assert_eq!(until(0, 30), "in less than a minute");
        assert_eq!(until(0, 7_300), "in 2 h");
        assert_eq!(until(10, 0), "now");
    }

    #[test]
    fn the_time_it_takes_is_said_in_words() {
        assert_eq!(takes(1), "Usually takes about a second");
        assert_eq!(takes(25), "Usually takes about 25 seconds");
        assert_eq!(takes(60), "Usually takes about a minute");
        assert_eq!(takes(90), "Usually takes about 2 minutes");
        assert_eq!(takes(300), "Usually takes about 5 minutes");
    }

    #[test]
    fn an_empty_list_says_what_was_asked() {
        let asked = |q: &str, category: &str| Filter {
            q: q.to_owned(),
            category: category.to_owned(),
            ..Filter::default()
        };
        assert_eq!(
            nothing(&asked("foo ", "")),
            "No app called \u{2018}foo\u{2019}."
        );
        assert!(nothing(&asked("foo", "ai")).ends_with("fits these filters."));
        assert_eq!(nothing(&asked("", "ai")), "No app fits these filters.");
        assert_eq!(found(&asked("", ""), 12, 198), "12 of 198 apps");
        assert_eq!(found(&asked("x", ""), 1, 198), "1 app");
    }

    #[test]
    fn names_are_listed_as_people_say_them() {
        let names = ["Mia", "Jonas", "Ada"].map(str::to_owned);
        assert_eq!(list(&names), "Mia, Jonas and Ada");
        assert_eq!(list(&names[..2]), "Mia and Jonas");
        assert_eq!(list(&names[..1]), "Mia");
    }
}
