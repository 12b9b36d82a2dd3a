//! Sending mail (RFC 5321, RFC 3207, RFC 4954). Nothing is sent: the envelope
//! is begun, to see whether the sender is accepted, and thrown away.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Talk, lines::Lines, too_large, unreadable};
use crate::{
    dialect::trial::Step,
    failure::{Failure, FailureCode},
};

/// The port that is encrypted from the first byte on (RFC 8314).
const SUBMISSIONS: u16 = 465;
/// The most lines of one reply.
const MOST_LINES: usize = 100;

struct Reply {
    code: String,
    lines: Vec<String>,
}

pub(super) async fn try_out(talk: &mut Talk<'_, '_>) -> Result<(), Failure> {
    let (mut lines, offers) = open(talk).await?;
    sign_in(talk, &mut lines, &offers).await?;
    talk.progress.passed(Step::SignIn, None);
    let sender = match (talk.get("from"), talk.get("user")) {
        ("", user) => user,
        (from, _) => from,
    };
    // A user name that is no address says nothing about who may send.
    let is_address = sender.contains('@') && !sender.contains(['<', '>', '\r', '\n']);
    match is_address {
        true => {
            expect(talk, &mut lines, &format!("MAIL FROM:<{sender}>"), "2").await?;
            expect(talk, &mut lines, "RSET", "2").await?;
            talk.progress.passed(Step::Permissions, None);
        }
        false => talk.progress.not_needed(Step::Permissions),
    }
    talk.progress.not_needed(Step::Sample);
    let _ = lines.say("QUIT\r\n").await;
    Ok(())
}

/// A conversation on a connection that is as encrypted as it gets, and what
/// the server offers there.
async fn open(talk: &mut Talk<'_, '_>) -> Result<(Lines, Vec<String>), Failure> {
    if talk.port()? == SUBMISSIONS {
        let mut lines = Lines::new(talk.connect_securely().await?);
        greeted(talk, &mut lines).await?;
        let offers = hello(talk, &mut lines).await?;
        return Ok((lines, offers));
    }
    let mut lines = Lines::new(talk.connect().await?);
    greeted(talk, &mut lines).await?;
    let offers = hello(talk, &mut lines).await?;
    if !offers.iter().any(|offer| offer == "STARTTLS") {
        talk.unencrypted(lines.connection())?;
        return Ok((lines, offers));
    }
    expect(talk, &mut lines, "STARTTLS", "220").await?;
    let mut lines = Lines::new(talk.secure(lines.into_connection()?).await?);
    // What was offered before may have been put there by others.
    let offers = hello(talk, &mut lines).await?;
    Ok((lines, offers))
}

async fn greeted(talk: &Talk<'_, '_>, lines: &mut Lines) -> Result<(), Failure> {
    let reply = reply(lines).await?;
    match reply.code.as_str() {
        "220" => Ok(()),
        _ => Err(refusal(talk, &reply)),
    }
}

async fn hello(talk: &Talk<'_, '_>, lines: &mut Lines) -> Result<Vec<String>, Failure> {
    let reply = expect(talk, lines, "EHLO linkwell", "250").await?;
    let offers = reply.lines.iter().map(|line| line.to_ascii_uppercase());
    Ok(offers.collect())
}

async fn sign_in(talk: &Talk<'_, '_>, lines: &mut Lines, offers: &[String]) -> Result<(), Failure> {
    let (user, password) = (talk.get("user"), talk.get("password"));
    let ways = offers.iter().find_map(|offer| offer.strip_prefix("AUTH "));
    let mut ways = ways.unwrap_or_default().split(' ');
    if ways.clone().any(|way| way == "PLAIN") {
        let both = STANDARD.encode(format!("\0{user}\0{password}"));
        expect(talk, lines, &format!("AUTH PLAIN {both}"), "235").await?;
    } else if ways.any(|way| way == "LOGIN") {
        expect(talk, lines, "AUTH LOGIN", "334").await?;
        expect(talk, lines, &STANDARD.encode(user), "334").await?;
        expect(talk, lines, &STANDARD.encode(password), "235").await?;
    } else {
        let code = FailureCode::RefusedByProvider;
        return Err(Failure::told(code, "no_password_sign_in"));
    }
    Ok(())
}

/// Says a line and wants a reply that begins with `code`.
async fn expect(
    talk: &Talk<'_, '_>,
    lines: &mut Lines,
    line: &str,
    code: &str,
) -> Result<Reply, Failure> {
    lines.say(&format!("{line}\r\n")).await?;
    let reply = reply(lines).await?;
    match reply.code.starts_with(code) {
        true => Ok(reply),
        false => Err(refusal(talk, &reply)),
    }
}

/// `250-SIZE 100` and so on until `250 HELP`.
async fn reply(lines: &mut Lines) -> Result<Reply, Failure> {
    let mut told = Vec::new();
    loop {
        let line = lines.line().await?;
        let (Some(code), rest) = (line.get(..3), line.get(3..).unwrap_or_default()) else {
            return Err(unreadable());
        };
        if !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unreadable());
        }
        told.push(rest.get(1..).unwrap_or_default().trim().to_owned());
        if !rest.starts_with('-') {
            return Ok(Reply {
                code: code.to_owned(),
                lines: told,
            });
        }
        if told.len() == MOST_LINES {
            return Err(too_large());
        }
    }
}

fn refusal(talk: &Talk<'_, '_>, reply: &Reply) -> Failure {
    talk.refused(&[&reply.code], &reply.lines.join(" "))
}
