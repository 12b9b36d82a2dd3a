//! Reading mail (RFC 9051, and 3501 before it). The folder is examined, not
//! selected: nothing is marked as read.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Talk, count, lines::Lines, note, too_large, unreadable};
use crate::{
    dialect::{Sample, sample::ROWS, trial::Step},
    failure::{Failure, FailureCode},
};

/// The port where encryption is begun by a command.
const STARTTLS: u16 = 143;
/// The most lines of one answer.
const MOST_LINES: usize = 2000;
/// The longest text that is read, in bytes.
const LONGEST: usize = 256 * 1024;

struct Session {
    lines: Lines,
    /// Commands said so far.
    said: u32,
}

/// The lines of an answer before the last; texts that were sent by their
/// length follow the line that announced them.
type Told = Vec<String>;

pub(super) async fn try_out(talk: &mut Talk<'_, '_>) -> Result<(), Failure> {
    let mut session = open(talk).await?;
    session.sign_in(talk).await?;
    talk.progress.passed(Step::SignIn, None);
    let messages = session.examine(talk).await?;
    talk.progress.passed(Step::Permissions, None);
    let text = format!("{} in {}", count(messages, "message"), talk.get("mailbox"));
    talk.progress.passed(Step::Sample, note(text));
    let _ = session.lines.say("x LOGOUT\r\n").await;
    Ok(())
}

pub(super) async fn sample(talk: &mut Talk<'_, '_>) -> Result<Sample, Failure> {
    const NAMES: [&str; 3] = ["date", "from", "subject"];
    let mut session = open(talk).await?;
    session.sign_in(talk).await?;
    let messages = session.examine(talk).await?;
    let mut rows = Vec::new();
    if messages > 0 {
        let first = messages.saturating_sub(ROWS) + 1;
        let wanted = NAMES.join(" ").to_uppercase();
        let question = format!("FETCH {first}:* (BODY.PEEK[HEADER.FIELDS ({wanted})])");
        let told = session.ask(talk, &question).await?;
        let announced = told.iter().map(|line| literal(line).is_some());
        let texts = announced.zip(told.iter().skip(1));
        for (_, text) in texts.filter(|(is_announced, _)| *is_announced) {
            rows.push(NAMES.iter().map(|name| header(text, name)).collect());
        }
        rows.reverse();
    }
    let _ = session.lines.say("x LOGOUT\r\n").await;
    Ok(Sample::new(NAMES.map(str::to_owned).to_vec(), rows))
}

/// A conversation on a connection that is as encrypted as it gets.
async fn open(talk: &mut Talk<'_, '_>) -> Result<Session, Failure> {
    if talk.port()? != STARTTLS {
        let lines = Lines::new(talk.connect_securely().await?);
        return Session::greeted(talk, lines).await;
    }
    let connection = talk.connect().await?;
    let mut session = Session::greeted(talk, Lines::new(connection)).await?;
    if !session.offers(talk).await?.contains(" STARTTLS ") {
        talk.unencrypted(session.lines.connection())?;
        return Ok(session);
    }
    session.ask(talk, "STARTTLS").await?;
    let connection = session.lines.into_connection()?;
    session.lines = Lines::new(talk.secure(connection).await?);
    Ok(session)
}

impl Session {
    async fn greeted(talk: &Talk<'_, '_>, mut lines: Lines) -> Result<Self, Failure> {
        let greeting = lines.line().await?;
        match greeting.split(' ').nth(1) {
            Some("OK") if greeting.starts_with('*') => Ok(Self { lines, said: 0 }),
            Some("BYE") => Err(refusal(talk, "BYE", &greeting)),
            _ => Err(unreadable()),
        }
    }

    /// What the server can do, between blanks.
    async fn offers(&mut self, talk: &Talk<'_, '_>) -> Result<String, Failure> {
        let told = self.ask(talk, "CAPABILITY").await?;
        Ok(format!(" {} ", told.join(" ").to_ascii_uppercase()))
    }

    async fn sign_in(&mut self, talk: &Talk<'_, '_>) -> Result<(), Failure> {
        let (user, password) = (talk.get("user"), talk.get("password"));
        let offers = self.offers(talk).await?;
        let is_quotable = |text: &str| text.is_ascii() && !text.contains(['\r', '\n']);
        let command = if offers.contains(" AUTH=PLAIN ") {
            let both = STANDARD.encode(format!("\0{user}\0{password}"));
            vec!["AUTHENTICATE PLAIN".to_owned(), both]
        } else if !offers.contains(" LOGINDISABLED ") && is_quotable(user) && is_quotable(password)
        {
            vec![format!("LOGIN {} {}", quoted(user), quoted(password))]
        } else {
            let code = FailureCode::RefusedByProvider;
            return Err(Failure::told(code, "no_password_sign_in"));
        };
        let tried = self.converse(talk, &command).await;
        tried.map(drop).map_err(|failure| match failure.detail {
            // Most servers say no more than NO.
            detail if detail.ends_with(":NO") => Failure {
                code: FailureCode::CredentialsRejected,
                detail: "NO".into(),
                ..failure
            },
            _ => failure,
        })
    }

    /// Opens the folder for reading only and tells how many messages it has.
    async fn examine(&mut self, talk: &Talk<'_, '_>) -> Result<usize, Failure> {
        let mailbox = match talk.get("mailbox") {
            "" => "INBOX",
            mailbox => mailbox,
        };
        let command = format!("EXAMINE {}", quoted(mailbox));
        let told = self
            .ask(talk, &command)
            .await
            .map_err(|failure| match failure.detail {
                detail if detail.ends_with(":NO") => Failure {
                    code: FailureCode::AccountOrTargetMismatch,
                    detail: "no_such_folder".into(),
                    ..failure
                },
                _ => failure,
            })?;
        let exists = told.iter().find_map(|line| {
            let count = line.strip_prefix("* ")?.strip_suffix(" EXISTS")?;
            count.parse().ok()
        });
        exists.ok_or_else(unreadable)
    }

    async fn ask(&mut self, talk: &Talk<'_, '_>, command: &str) -> Result<Told, Failure> {
        self.converse(talk, &[command.to_owned()]).await
    }

    /// Says a command, and what follows when the server asks for more.
    async fn converse(&mut self, talk: &Talk<'_, '_>, command: &[String]) -> Result<Told, Failure> {
        self.said += 1;
        let tag = format!("a{}", self.said);
        let mut command = command.iter();
        let first = command.next().map_or("NOOP", String::as_str);
        self.lines.say(&format!("{tag} {first}\r\n")).await?;
        let mut told = Told::new();
        while told.len() < MOST_LINES {
            let line = self.lines.line().await?;
            if line.starts_with('+') {
                // `*` takes a sign-in back (RFC 9051, section 6.2.2).
                let next = command.next().map_or("*", String::as_str);
                self.lines.say(&format!("{next}\r\n")).await?;
                continue;
            }
            if let Some(end) = line.strip_prefix(&format!("{tag} ")) {
                return match end.split(' ').next() {
                    Some("OK") => Ok(told),
                    Some(no @ ("NO" | "BAD")) => Err(refusal(talk, no, end)),
                    _ => Err(unreadable()),
                };
            }
            let length = literal(&line);
            told.push(line);
            if let Some(length) = length {
                let bytes = self.lines.exactly(length, LONGEST).await?;
                told.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Err(too_large())
    }
}

/// `… {42}`: so many bytes follow.
fn literal(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}

fn quoted(plain: &str) -> String {
    let plain = plain.replace(['\r', '\n'], "");
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A header's value, with its further lines.
fn header(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| {
        let begins = line.split_once(':').map(|(begins, _)| begins);
        !begins.is_some_and(|begins| begins.eq_ignore_ascii_case(name))
    });
    let mut value = lines.next()?.split_once(':')?.1.trim().to_owned();
    for further in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push(' ');
        value.push_str(further.trim());
    }
    Some(value)
}

/// `NO [AUTHENTICATIONFAILED] Authentication failed.`
fn refusal(talk: &Talk<'_, '_>, no: &str, words: &str) -> Failure {
    let code = words
        .split_once('[')
        .and_then(|(_, rest)| rest.split([']', ' ']).next());
    let codes: Vec<&str> = code.into_iter().chain([no]).collect();
    talk.refused(&codes, words)
}
