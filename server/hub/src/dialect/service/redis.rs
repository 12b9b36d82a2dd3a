//! Redis and what speaks like it (RESP 2).

use super::{Talk, count, lines::Lines, note, too_large, unreadable};
use crate::{
    dialect::{Sample, sample::ROWS, trial::Step},
    failure::Failure,
};

/// The longest value that is read, in bytes.
const LONGEST: usize = 1024 * 1024;
/// The most values in a list.
const MOST: usize = 4096;
/// The deepest list in a list.
const DEEPEST: usize = 3;

enum Reply {
    Text(String),
    Nothing,
    List(Vec<Reply>),
}

pub(super) async fn try_out(talk: &mut Talk<'_, '_>) -> Result<(), Failure> {
    let mut lines = open(talk).await?;
    talk.progress.passed(Step::SignIn, None);
    let keys = keys(talk, &mut lines).await?;
    talk.progress.passed(Step::Permissions, None);
    let text = match keys.len() {
        0 => "There are no keys yet".to_owned(),
        some => format!("Saw {}", count(some, "key")),
    };
    talk.progress.passed(Step::Sample, note(text));
    Ok(())
}

pub(super) async fn sample(talk: &mut Talk<'_, '_>) -> Result<Sample, Failure> {
    let mut lines = open(talk).await?;
    let mut rows = Vec::new();
    for key in keys(talk, &mut lines).await? {
        let kind = match ask(talk, &mut lines, &["TYPE", &key]).await? {
            Reply::Text(kind) => Some(kind),
            _ => None,
        };
        rows.push(vec![Some(key), kind]);
    }
    Ok(Sample::new(vec!["key".into(), "type".into()], rows))
}

async fn open(talk: &mut Talk<'_, '_>) -> Result<Lines, Failure> {
    let mut lines = Lines::new(talk.connect_securely().await?);
    let (user, password) = (talk.get("user"), talk.get("password"));
    match (user, password) {
        (_, "") => {}
        // Servers from before Redis 6 know no users.
        ("" | "default", _) => drop(ask(talk, &mut lines, &["AUTH", password]).await?),
        _ => drop(ask(talk, &mut lines, &["AUTH", user, password]).await?),
    }
    match talk.get("database") {
        // Also the first question to a server that wants a password.
        "" | "0" => drop(ask(talk, &mut lines, &["PING"]).await?),
        database => drop(ask(talk, &mut lines, &["SELECT", database]).await?),
    }
    Ok(lines)
}

/// Some keys. A look may find nothing although there is something: it is
/// repeated a few times, not until the whole database was read.
async fn keys(talk: &Talk<'_, '_>, lines: &mut Lines) -> Result<Vec<String>, Failure> {
    const LOOKS: usize = 10;
    let mut cursor = "0".to_owned();
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        let reply = ask(talk, lines, &["SCAN", &cursor, "COUNT", "100"]).await?;
        let Reply::List(parts) = reply else {
            return Err(unreadable());
        };
        let Ok([Reply::Text(next), Reply::List(keys)]) = <[Reply; 2]>::try_from(parts) else {
            return Err(unreadable());
        };
        found.extend(keys.into_iter().filter_map(|key| match key {
            Reply::Text(key) => Some(key),
            _ => None,
        }));
        if next == "0" || found.len() >= ROWS {
            break;
        }
        cursor = next;
    }
    found.truncate(ROWS);
    Ok(found)
}

async fn ask(talk: &Talk<'_, '_>, lines: &mut Lines, words: &[&str]) -> Result<Reply, Failure> {
    let mut question = format!("*{}\r\n", words.len());
    for word in words {
        question.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    lines.say(&question).await?;
    match reply(lines, DEEPEST).await? {
        Ok(reply) => Ok(reply),
        // `WRONGPASS invalid username-password pair`
        Err(words) => {
            let code = words.split(' ').next().unwrap_or_default();
            Err(talk.refused(&[code], &words))
        }
    }
}

/// A reply, or the words of a refusal.
async fn reply(lines: &mut Lines, deepest: usize) -> Result<Result<Reply, String>, Failure> {
    let line = lines.line().await?;
    let mut characters = line.chars();
    let (kind, rest) = (characters.next(), characters.as_str());
    let length = || rest.parse::<i64>().map_err(|_| unreadable());
    Ok(Ok(match kind {
        Some('+' | ':') => Reply::Text(rest.to_owned()),
        Some('-') => return Ok(Err(rest.to_owned())),
        Some('$') => match usize::try_from(length()?) {
            Ok(length) => {
                let bytes = lines.exactly(length, LONGEST).await?;
                let end = lines.exactly(2, 2).await?;
                if end != b"\r\n" {
                    return Err(unreadable());
                }
                Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
            Err(_) => Reply::Nothing,
        },
        Some('*') => match usize::try_from(length()?) {
            Ok(length) if length > MOST || deepest == 0 => return Err(too_large()),
            Ok(length) => {
                let mut list = Vec::new();
                for _ in 0..length {
                    match Box::pin(reply(lines, deepest - 1)).await? {
                        Ok(one) => list.push(one),
                        Err(words) => return Ok(Err(words)),
                    }
                }
                Reply::List(list)
            }
            Err(_) => Reply::Nothing,
        },
        _ => return Err(unreadable()),
    }))
}
