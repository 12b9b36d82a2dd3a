//! MySQL and MariaDB (client/server protocol 4.1).
//!
//! A server may answer any question with "send me this file of yours": that is
//! never offered, and never done when it is asked for.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Talk, broken, chosen, count, note, too_large, unreadable};
use crate::{
    dialect::{
        Sample,
        sample::{LONGEST_CELL, ROWS, TABLES},
        trial::Step,
    },
    failure::{Failure, FailureCode},
    outbound::Connection,
};

/// The longest packet that is read, in bytes.
const LONGEST: usize = 1024 * 1024;
/// The most rows one question is answered with.
const MOST_ROWS: usize = 1000;
/// More columns than a table can have.
const MOST_COLUMNS: u64 = 4096;

const CONNECT_WITH_DATABASE: u32 = 0x8;
const PROTOCOL_41: u32 = 0x200;
const TLS: u32 = 0x800;
const TRANSACTIONS: u32 = 0x2000;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x8_0000;
/// What we can do. `CLIENT_LOCAL_FILES` (0x80) is not among it.
const OURS: u32 =
    CONNECT_WITH_DATABASE | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | 1;
/// `utf8mb4_general_ci`.
const UTF8: u8 = 45;

const NATIVE: &str = "mysql_native_password";
const SHA2: &str = "caching_sha2_password";

/// Tables the user may do anything with.
const TABLES_OF_DATABASE: &str = "SELECT table_name FROM information_schema.tables \
     WHERE table_schema = DATABASE() ORDER BY table_name LIMIT ";

struct Session {
    connection: Connection,
    /// The number of the next packet.
    next: u8,
    is_encrypted: bool,
    is_mariadb: bool,
}

#[derive(Default)]
struct Rows {
    names: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
}

pub(super) async fn try_out(talk: &mut Talk<'_, '_>) -> Result<(), Failure> {
    let mut session = open(talk).await?;
    talk.progress.passed(Step::SignIn, None);
    session.begin(talk).await?;
    let tables = session.tables(talk).await?;
    let words = match tables.len() {
        0 => "There are no tables yet, or none that this user may see".to_owned(),
        TABLES => format!("May see {TABLES} tables or more"),
        some => format!("May see {}", count(some, "table")),
    };
    // Seeing a table is not reading it: the first one tells.
    let rows = match tables.first() {
        Some(first) => Some(session.first_rows(talk, first).await?.rows.len()),
        None => None,
    };
    talk.progress.passed(Step::Permissions, note(words));
    match (tables.first(), rows) {
        (Some(first), Some(rows)) => {
            let text = format!("{} of {first}", count(rows, "row"));
            talk.progress.passed(Step::Sample, note(text));
        }
        _ => talk.progress.not_needed(Step::Sample),
    }
    session.close().await;
    Ok(())
}

pub(super) async fn sample(
    talk: &mut Talk<'_, '_>,
    wanted: Option<&str>,
) -> Result<Sample, Failure> {
    let mut session = open(talk).await?;
    session.begin(talk).await?;
    let tables = session.tables(talk).await?;
    let mut sample = Sample::new(Vec::new(), Vec::new());
    if let Some(at) = chosen(&tables, wanted)? {
        let rows = session.first_rows(talk, &tables[at]).await?;
        sample = Sample::new(rows.names, rows.rows);
        sample.table = Some(tables[at].clone());
    }
    sample.tables = tables;
    session.close().await;
    Ok(sample)
}

async fn open(talk: &mut Talk<'_, '_>) -> Result<Session, Failure> {
    let connection = talk.connect().await?;
    let mut session = Session {
        connection,
        next: 0,
        is_encrypted: false,
        is_mariadb: false,
    };
    let packet = session.packet().await?;
    if packet.first() == Some(&0xff) {
        return Err(refusal(talk, &packet));
    }
    let greeting = Greeting::read(&packet).ok_or_else(unreadable)?;
    session.is_mariadb = greeting.version.contains("MariaDB");
    let mut capabilities = OURS;
    if greeting.capabilities & TLS != 0 {
        capabilities |= TLS;
        session.send(&head(capabilities)).await?;
        session.connection = talk.secure(session.connection).await?;
        session.is_encrypted = true;
    } else {
        talk.unencrypted(&session.connection)?;
    }
    session.sign_in(talk, greeting, capabilities).await?;
    Ok(session)
}

/// What a server says first.
struct Greeting {
    version: String,
    capabilities: u32,
    salt: Vec<u8>,
    plugin: String,
}

impl Greeting {
    fn read(packet: &[u8]) -> Option<Self> {
        let mut rest = packet.strip_prefix(&[10])?;
        let version = until_zero(&mut rest)?;
        let _thread = take(&mut rest, 4)?;
        let mut salt = take(&mut rest, 8)?.to_vec();
        take(&mut rest, 1)?;
        let low = u16::from_le_bytes(take(&mut rest, 2)?.try_into().ok()?);
        let _character_set_and_status = take(&mut rest, 3)?;
        let high = u16::from_le_bytes(take(&mut rest, 2)?.try_into().ok()?);
        let length = usize::from(take(&mut rest, 1)?[0]);
        take(&mut rest, 10)?;
        salt.extend(take(&mut rest, length.saturating_sub(8).max(13))?);
        salt.truncate(20);
        let plugin = until_zero(&mut rest).unwrap_or_else(|| NATIVE.into());
        Some(Self {
            version,
            capabilities: u32::from(high) << 16 | u32::from(low),
            salt,
            plugin,
        })
    }
}

impl Session {
    async fn sign_in(
        &mut self,
        talk: &Talk<'_, '_>,
        greeting: Greeting,
        capabilities: u32,
    ) -> Result<(), Failure> {
        let password = talk.get("password").as_bytes();
        let Greeting {
            mut plugin,
            mut salt,
            ..
        } = greeting;
        // What we do not know, the server may yet trade for what we do.
        if ![NATIVE, SHA2].contains(&plugin.as_str()) {
            plugin = NATIVE.into();
        }
        let proof = proof(&plugin, password, &salt)?;
        let mut response = head(capabilities);
        response.extend(text(talk.get("user")));
        response.push(proof.len() as u8);
        response.extend(proof);
        response.extend(text(talk.get("database")));
        response.extend(text(&plugin));
        self.send(&response).await?;
        loop {
            let packet = self.packet().await?;
            match packet.split_first() {
                Some((0x00, _)) => return Ok(()),
                Some((0xff, _)) => return Err(refusal(talk, &packet)),
                Some((0xfe, mut rest)) => {
                    plugin = until_zero(&mut rest).ok_or_else(unknown_method)?;
                    salt = rest.strip_suffix(&[0]).unwrap_or(rest).to_vec();
                    let proof = self::proof(&plugin, password, &salt)?;
                    self.send(&proof).await?;
                }
                // The server remembers the password: it is signed in.
                Some((0x01, [3])) if plugin == SHA2 => {}
                // It wants the password itself, which only TLS may carry.
                Some((0x01, [4])) if plugin == SHA2 && self.is_encrypted => {
                    let whole: Vec<u8> = password.iter().copied().chain([0]).collect();
                    self.send(&whole).await?;
                }
                Some((0x01, _)) => return Err(unknown_method()),
                _ => return Err(unreadable()),
            }
        }
    }

    /// Reads only from here on, and not for long.
    async fn begin(&mut self, talk: &Talk<'_, '_>) -> Result<(), Failure> {
        let limit = talk.dialect.outbound.timeouts().total.as_millis() / 2;
        let limit = match self.is_mariadb {
            true => format!("SET SESSION max_statement_time = {}", limit as f64 / 1000.0),
            false => format!("SET SESSION max_execution_time = {limit}"),
        };
        match self.ask(talk, &limit).await {
            // Servers from before 2016 know no such limit; ours ends it then.
            Err(failure) if failure.detail.ends_with("1193") => {}
            answer => drop(answer?),
        }
        self.ask(talk, "START TRANSACTION READ ONLY").await?;
        Ok(())
    }

    async fn tables(&mut self, talk: &Talk<'_, '_>) -> Result<Vec<String>, Failure> {
        let question = format!("{TABLES_OF_DATABASE}{TABLES}");
        let rows = self.ask(talk, &question).await?.rows;
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    async fn first_rows(&mut self, talk: &Talk<'_, '_>, table: &str) -> Result<Rows, Failure> {
        let place = quoted(table);
        let columns = self
            .ask(talk, &format!("SELECT * FROM {place} LIMIT 0"))
            .await?;
        // Long values are cut where they are.
        let columns: Vec<String> = columns
            .names
            .iter()
            .map(|name| {
                let name = quoted(name);
                format!("LEFT({name}, {}) AS {name}", LONGEST_CELL + 1)
            })
            .collect();
        let question = format!("SELECT {} FROM {place} LIMIT {ROWS}", columns.join(", "));
        self.ask(talk, &question).await
    }

    /// Asks one question and reads the answer to its end.
    async fn ask(&mut self, talk: &Talk<'_, '_>, question: &str) -> Result<Rows, Failure> {
        self.next = 0;
        self.send(&[b"\x03", question.as_bytes()].concat()).await?;
        let packet = self.packet().await?;
        let count = match packet.first() {
            Some(0x00) => return Ok(Rows::default()),
            Some(0xff) => return Err(refusal(talk, &packet)),
            Some(0xfb) => {
                let code = FailureCode::AccountOrTargetMismatch;
                return Err(Failure::told(code, "asked_for_our_files"));
            }
            _ => number(&mut packet.as_slice()).ok_or_else(unreadable)?,
        };
        if count > MOST_COLUMNS {
            return Err(too_large());
        }
        let mut answer = Rows::default();
        for _ in 0..count {
            let packet = self.packet().await?;
            answer.names.push(column(&packet).ok_or_else(unreadable)?);
        }
        if !is_end(&self.packet().await?) {
            return Err(unreadable());
        }
        loop {
            let packet = self.packet().await?;
            if is_end(&packet) {
                return Ok(answer);
            }
            if packet.first() == Some(&0xff) {
                return Err(refusal(talk, &packet));
            }
            if answer.rows.len() == MOST_ROWS {
                return Err(too_large());
            }
            answer
                .rows
                .push(row(&packet, count).ok_or_else(unreadable)?);
        }
    }

    async fn send(&mut self, body: &[u8]) -> Result<(), Failure> {
        let mut packet = (body.len() as u32).to_le_bytes()[..3].to_vec();
        packet.push(self.next);
        packet.extend(body);
        self.next = self.next.wrapping_add(1);
        self.connection.write_all(&packet).await.map_err(broken)?;
        self.connection.flush().await.map_err(broken)
    }

    async fn packet(&mut self) -> Result<Vec<u8>, Failure> {
        let mut head = [0; 4];
        self.connection
            .read_exact(&mut head)
            .await
            .map_err(broken)?;
        let [a, b, c, number] = head;
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if number != self.next {
            return Err(unreadable());
        }
        if length > LONGEST {
            return Err(too_large());
        }
        self.next = self.next.wrapping_add(1);
        let mut body = vec![0; length];
        self.connection
            .read_exact(&mut body)
            .await
            .map_err(broken)?;
        Ok(body)
    }

    /// Says goodbye, which ends the transaction; nothing depends on it.
    async fn close(mut self) {
        self.next = 0;
        let _ = self.send(&[1]).await;
    }
}

/// How a client introduces itself, with and without TLS.
fn head(capabilities: u32) -> Vec<u8> {
    let mut head = capabilities.to_le_bytes().to_vec();
    head.extend((LONGEST as u32).to_le_bytes());
    head.push(UTF8);
    head.extend([0; 23]);
    head
}

/// Proves the password without sending it.
fn proof(plugin: &str, password: &[u8], salt: &[u8]) -> Result<Vec<u8>, Failure> {
    fn masked<D: Digest>(password: &[u8], salted: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let once = D::digest(password);
        let mask = D::digest(salted(&D::digest(&once)));
        once.iter().zip(mask.iter()).map(|(a, b)| a ^ b).collect()
    }
    match plugin {
        NATIVE | SHA2 if password.is_empty() => Ok(Vec::new()),
        NATIVE => Ok(masked::<Sha1>(password, |twice| [salt, twice].concat())),
        SHA2 => Ok(masked::<Sha256>(password, |twice| [twice, salt].concat())),
        _ => Err(unknown_method()),
    }
}

fn unknown_method() -> Failure {
    Failure::told(FailureCode::AccountOrTargetMismatch, "unknown_sign_in")
}

/// An error packet: a number, perhaps `#` and a state, and words.
fn refusal(talk: &Talk<'_, '_>, packet: &[u8]) -> Failure {
    let Some((code, words)) = packet.get(1..).and_then(|rest| rest.split_first_chunk()) else {
        return unreadable();
    };
    let code = u16::from_le_bytes(*code).to_string();
    let words = match words.strip_prefix(b"#") {
        Some(rest) => rest.get(5..).unwrap_or_default(),
        None => words,
    };
    talk.refused(&[&code], &String::from_utf8_lossy(words))
}

/// A text with its end.
fn text(plain: &str) -> Vec<u8> {
    let plain = plain.bytes().filter(|&byte| byte != 0);
    plain.chain([0]).collect()
}

/// A name as SQL wants it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn until_zero(bytes: &mut &[u8]) -> Option<String> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let text = take(bytes, end)?;
    take(bytes, 1)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// A number that says how long it is.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let length = match take(bytes, 1)?[0] {
        small @ 0..=250 => return Some(small.into()),
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        _ => return None,
    };
    let mut number = [0; 8];
    number[..length].copy_from_slice(take(bytes, length)?);
    Some(u64::from_le_bytes(number))
}

/// A text that says how long it is.
fn told(bytes: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(number(bytes)?).ok()?;
    Some(String::from_utf8_lossy(take(bytes, length)?).into_owned())
}

/// The name in a column's description, behind four other texts.
fn column(mut packet: &[u8]) -> Option<String> {
    for _ in 0..4 {
        told(&mut packet)?;
    }
    told(&mut packet)
}

fn row(mut packet: &[u8], columns: u64) -> Option<Vec<Option<String>>> {
    let mut values = Vec::new();
    for _ in 0..columns {
        values.push(match packet.first()? {
            0xfb => {
                take(&mut packet, 1)?;
                None
            }
            _ => Some(told(&mut packet)?),
        });
    }
    Some(values)
}
