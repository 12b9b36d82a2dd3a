//! PostgreSQL and what speaks like it (frontend/backend protocol 3.0).
//!
//! Everything happens in one read-only transaction with a time limit, so that
//! it holds behind a pooler, too, and leaves no setting behind.

use postgres_protocol::authentication::{
    md5_hash,
    sasl::{ChannelBinding, ScramSha256},
};
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

/// The longest message that is read, in bytes.
const LONGEST: usize = 1024 * 1024;
/// The most rows one question is answered with.
const MOST_ROWS: usize = 1000;
/// `SSLRequest` in place of a version.
const TLS_PLEASE: u32 = 80_877_103;
const VERSION_3: u32 = 196_608;

/// Tables the user may read, and how many there are in all.
const READABLE: &str = "SELECT n.nspname, c.relname, \
     has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT LIKE 'pg\\_%' \
     AND n.nspname NOT IN ('information_schema', 'crdb_internal') \
     ORDER BY 3 DESC, 1, 2 LIMIT ";

struct Session {
    connection: Connection,
    /// As the server told at the beginning.
    process: Option<u32>,
}

/// An answer to a question, in text.
#[derive(Default)]
struct Rows {
    names: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
}

struct Message {
    tag: u8,
    body: Vec<u8>,
}

pub(super) async fn try_out(talk: &mut Talk<'_, '_>) -> Result<(), Failure> {
    let mut session = open(talk).await?;
    let pooled = session.is_pooled(talk).await?;
    talk.progress.passed(
        Step::SignIn,
        pooled.then(|| "Through a connection pooler, which is fine".to_owned()),
    );
    let tables = session.tables(talk).await?;
    let names: Vec<_> = tables.readable.iter().map(Table::name).collect();
    talk.progress
        .passed(Step::Permissions, note(tables.in_words()));
    match tables.readable.first() {
        Some(first) => {
            let rows = session.first_rows(talk, first).await?.rows.len();
            let text = format!("{} of {}", count(rows, "row"), names[0]);
            talk.progress.passed(Step::Sample, note(text));
        }
        None => talk.progress.not_needed(Step::Sample),
    }
    session.close().await;
    Ok(())
}

pub(super) async fn sample(
    talk: &mut Talk<'_, '_>,
    wanted: Option<&str>,
) -> Result<Sample, Failure> {
    let mut session = open(talk).await?;
    let tables = session.tables(talk).await?.readable;
    let names: Vec<_> = tables.iter().map(Table::name).collect();
    let mut sample = Sample::new(Vec::new(), Vec::new());
    if let Some(at) = chosen(&names, wanted)? {
        let rows = session.first_rows(talk, &tables[at]).await?;
        sample = Sample::new(rows.names, rows.rows);
        sample.table = Some(names[at].clone());
    }
    sample.tables = names;
    session.close().await;
    Ok(sample)
}

struct Table {
    schema: String,
    table: String,
}

impl Table {
    fn name(&self) -> String {
        match self.schema.as_str() {
            "public" => self.table.clone(),
            schema => format!("{schema}.{}", self.table),
        }
    }
}

struct Tables {
    readable: Vec<Table>,
}

impl Tables {
    fn in_words(&self) -> String {
        match self.readable.len() {
            0 => "There are no tables yet".into(),
            TABLES => format!("May read {TABLES} tables or more"),
            some => format!("May read {}", count(some, "table")),
        }
    }
}

async fn open(talk: &mut Talk<'_, '_>) -> Result<Session, Failure> {
    let mut connection = talk.connect().await?;
    let mut hello = 8_u32.to_be_bytes().to_vec();
    hello.extend(TLS_PLEASE.to_be_bytes());
    connection.write_all(&hello).await.map_err(broken)?;
    let connection = match connection.read_u8().await.map_err(broken)? {
        b'S' => talk.secure(connection).await?,
        b'N' => {
            talk.unencrypted(&connection)?;
            connection
        }
        _ => return Err(unreadable()),
    };
    let mut session = Session {
        connection,
        process: None,
    };
    session.sign_in(talk).await?;
    session.ask(talk, "BEGIN READ ONLY").await?;
    let limit = talk.dialect.outbound.timeouts().total.as_millis() / 2;
    let limit = format!("SET LOCAL statement_timeout = {limit}");
    session.ask(talk, &limit).await?;
    Ok(session)
}

impl Session {
    async fn sign_in(&mut self, talk: &Talk<'_, '_>) -> Result<(), Failure> {
        let (user, password) = (talk.get("user"), talk.get("password").as_bytes());
        let parameters = [
            ("user", user),
            ("database", talk.get("database")),
            ("client_encoding", "UTF8"),
            ("application_name", "linkwell"),
        ];
        let mut startup = VERSION_3.to_be_bytes().to_vec();
        for (name, value) in parameters {
            startup.extend(text(name));
            startup.extend(text(value));
        }
        startup.push(0);
        self.send(None, &startup).await?;
        let mut scram = None;
        loop {
            let Message { tag, body } = self.message().await?;
            if tag != b'R' {
                match tag {
                    b'Z' => return Ok(()),
                    b'K' => self.process = body.first_chunk().map(|id| u32::from_be_bytes(*id)),
                    b'S' | b'N' => {}
                    b'E' => return Err(refusal(talk, &body)),
                    _ => return Err(unreadable()),
                }
                continue;
            }
            let (kind, rest) = body.split_first_chunk().ok_or_else(unreadable)?;
            match u32::from_be_bytes(*kind) {
                0 => {}
                3 => self.send(Some(b'p'), &text_of(password)).await?,
                5 => {
                    let salt = rest.try_into().map_err(|_| unreadable())?;
                    let hashed = md5_hash(user.as_bytes(), password, salt);
                    self.send(Some(b'p'), &text(&hashed)).await?;
                }
                10 => {
                    const MECHANISM: &str = "SCRAM-SHA-256";
                    let mut offered = rest.split(|&byte| byte == 0);
                    if !offered.any(|name| name == MECHANISM.as_bytes()) {
                        return Err(unknown_method());
                    }
                    let begun = ScramSha256::new(password, ChannelBinding::unsupported());
                    let first = begun.message();
                    let mut body = text(MECHANISM);
                    body.extend((first.len() as u32).to_be_bytes());
                    body.extend(first);
                    self.send(Some(b'p'), &body).await?;
                    scram = Some(begun);
                }
                11 => {
                    let scram = scram.as_mut().ok_or_else(unreadable)?;
                    // The library refuses to hash more often than is sensible.
                    scram.update(rest).map_err(|_| unreadable())?;
                    let answer = scram.message().to_vec();
                    self.send(Some(b'p'), &answer).await?;
                }
                12 => {
                    let scram = scram.as_mut().ok_or_else(unreadable)?;
                    // The server proves that it knows the password, too.
                    scram.finish(rest).map_err(|_| unreadable())?;
                }
                _ => return Err(unknown_method()),
            }
        }
    }

    /// Behind a pooler the process that answers is not the one that greeted.
    async fn is_pooled(&mut self, talk: &Talk<'_, '_>) -> Result<bool, Failure> {
        let Some(greeted) = self.process else {
            return Ok(false);
        };
        let question = "SELECT version(), pg_backend_pid()";
        let rows = self.ask(talk, question).await?.rows;
        let Some([Some(version), Some(answers)]) = rows.first().map(Vec::as_slice) else {
            return Ok(false);
        };
        // Others that speak like it number their processes in their own ways.
        let is_postgres = version.starts_with("PostgreSQL") && !version.contains("Redshift");
        let answers: Option<u32> = answers.parse().ok();
        Ok(is_postgres && answers.is_some_and(|answers| answers != greeted))
    }

    async fn tables(&mut self, talk: &Talk<'_, '_>) -> Result<Tables, Failure> {
        let question = format!("{READABLE}{TABLES}");
        let found = self.ask(talk, &question).await?.rows;
        let there_are_some = !found.is_empty();
        let readable: Vec<Table> = found
            .into_iter()
            .filter_map(|row| {
                let [schema, table, may] = <[_; 3]>::try_from(row).ok()?;
                let may = ["t", "true", "1"].contains(&may?.as_str());
                Some(Table {
                    schema: schema?,
                    table: table?,
                })
                .filter(|_| may)
            })
            .collect();
        if there_are_some && readable.is_empty() {
            let code = FailureCode::PermissionMissing;
            return Err(Failure::told(code, "no_readable_table"));
        }
        Ok(Tables { readable })
    }

    async fn first_rows(&mut self, talk: &Talk<'_, '_>, table: &Table) -> Result<Rows, Failure> {
        let place = format!("{}.{}", quoted(&table.schema), quoted(&table.table));
        let columns = self
            .ask(talk, &format!("SELECT * FROM {place} LIMIT 0"))
            .await?;
        // Long values are cut where they are.
        let columns: Vec<String> = columns
            .names
            .iter()
            .map(|name| {
                let name = quoted(name);
                format!("left(CAST({name} AS text), {}) AS {name}", LONGEST_CELL + 1)
            })
            .collect();
        if columns.is_empty() {
            return Ok(Rows::default());
        }
        let question = format!("SELECT {} FROM {place} LIMIT {ROWS}", columns.join(", "));
        self.ask(talk, &question).await
    }

    /// Asks one question and reads the answer to its end.
    async fn ask(&mut self, talk: &Talk<'_, '_>, question: &str) -> Result<Rows, Failure> {
        self.send(Some(b'Q'), &text(question)).await?;
        let mut answer = Rows::default();
        loop {
            let Message { tag, body } = self.message().await?;
            match tag {
                b'T' => answer.names = columns(&body).ok_or_else(unreadable)?,
                b'D' if answer.rows.len() == MOST_ROWS => return Err(too_large()),
                b'D' => answer.rows.push(row(&body).ok_or_else(unreadable)?),
                b'E' => return Err(refusal(talk, &body)),
                b'Z' => return Ok(answer),
                // Done, nothing asked, settings and notices.
                b'C' | b'I' | b'S' | b'N' | b'A' => {}
                // It wants to copy a file, which we never offered.
                _ => return Err(unreadable()),
            }
        }
    }

    async fn send(&mut self, tag: Option<u8>, body: &[u8]) -> Result<(), Failure> {
        let mut message: Vec<u8> = tag.into_iter().collect();
        message.extend((body.len() as u32 + 4).to_be_bytes());
        message.extend(body);
        self.connection.write_all(&message).await.map_err(broken)?;
        self.connection.flush().await.map_err(broken)
    }

    async fn message(&mut self) -> Result<Message, Failure> {
        let tag = self.connection.read_u8().await.map_err(broken)?;
        let length = self.connection.read_u32().await.map_err(broken)? as usize;
        if !tag.is_ascii_alphabetic() || length < 4 {
            return Err(unreadable());
        }
        if length > LONGEST {
            return Err(too_large());
        }
        let mut body = vec![0; length - 4];
        self.connection
            .read_exact(&mut body)
            .await
            .map_err(broken)?;
        Ok(Message { tag, body })
    }

    /// Ends the transaction and says goodbye; nothing depends on it.
    async fn close(mut self) {
        let _ = self.send(Some(b'Q'), &text("ROLLBACK")).await;
        let _ = self.send(Some(b'X'), &[]).await;
    }
}

/// A text with its end.
fn text(plain: &str) -> Vec<u8> {
    text_of(plain.as_bytes())
}

fn text_of(plain: &[u8]) -> Vec<u8> {
    let plain = plain.iter().copied().filter(|&byte| byte != 0);
    plain.chain([0]).collect()
}

/// A name as SQL wants it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn unknown_method() -> Failure {
    Failure::told(FailureCode::AccountOrTargetMismatch, "unknown_sign_in")
}

/// `SERROR\0C28P01\0Mpassword authentication failed\0\0`
fn refusal(talk: &Talk<'_, '_>, body: &[u8]) -> Failure {
    let field = |kind: u8| {
        let mut fields = body.split(|&byte| byte == 0);
        let found = fields.find(|field| field.first() == Some(&kind))?;
        Some(String::from_utf8_lossy(&found[1..]).into_owned())
    };
    let code = field(b'C').unwrap_or_default();
    talk.refused(&[&code], &field(b'M').unwrap_or_default())
}

fn take<'b, const N: usize>(bytes: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}

/// The names in a row description.
fn columns(mut body: &[u8]) -> Option<Vec<String>> {
    let count = u16::from_be_bytes(*take(&mut body)?);
    let mut names = Vec::new();
    for _ in 0..count {
        let end = body.iter().position(|&byte| byte == 0)?;
        names.push(String::from_utf8_lossy(&body[..end]).into_owned());
        // Table, column, type, its size, its modifier, format.
        body = body.get(end + 1 + 18..)?;
    }
    Some(names)
}

/// The values of a row; each says its length, or -1 for null.
fn row(mut body: &[u8]) -> Option<Vec<Option<String>>> {
    let count = u16::from_be_bytes(*take(&mut body)?);
    let mut values = Vec::new();
    for _ in 0..count {
        let length = i32::from_be_bytes(*take(&mut body)?);
        values.push(match usize::try_from(length) {
            Ok(length) => {
                let (value, rest) = body.split_at_checked(length)?;
                body = rest;
                Some(String::from_utf8_lossy(value).into_owned())
            }
            Err(_) => None,
        });
    }
    Some(values)
}
