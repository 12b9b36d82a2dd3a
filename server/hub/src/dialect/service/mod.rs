//! Services that are not spoken to over HTTP, one file each.
//!
//! The hub speaks these languages itself instead of through client libraries:
//! it says half a dozen sentences in each, over a connection that the guard
//! opened, and every length the other side names is bounded before anything is
//! reserved for it. A client library opens its own connections, believes
//! lengths, and offers what we must never do, such as handing over local files.

mod imap;
mod lines;
mod mysql;
mod postgres;
mod redis;
mod s3;
mod smtp;

use std::{future::Future, io};

use tokio::time::timeout;

use super::{
    Dialect, Entered, Grant, Identity, Sample,
    reading::{Reading, scrub},
    trial::{Progress, Step, of_typed_host},
};
use crate::{
    catalog::{Place, Provider, Variables, keys::Protocol},
    certificate::{self, Certificate},
    failure::{Failure, FailureCode},
    outbound::{Connection, NotSent, SendError},
};

/// One conversation with a service.
struct Talk<'a, 'w> {
    dialect: &'a Dialect,
    provider: &'a Provider,
    entered: &'a Entered,
    progress: &'a mut Progress<'w>,
    /// What the encryption stands on, once there is one.
    certificate: Option<Certificate>,
}

impl Dialect {
    pub(super) async fn try_service(
        &self,
        provider: &Provider,
        entered: &Entered,
        progress: &mut Progress<'_>,
    ) -> Option<(Identity, Grant)> {
        let mut talk = Talk {
            dialect: self,
            provider,
            entered,
            progress,
            certificate: None,
        };
        let tried = talk.try_out().await;
        match tried {
            Ok(identity) => Some((identity, Grant::of_token(&entered.to_stored()))),
            Err(failure) => {
                progress.failed(failure);
                None
            }
        }
    }

    pub(super) async fn identify_service(
        &self,
        provider: &Provider,
        entered: &Entered,
    ) -> Result<Identity, Failure> {
        let mut talk = Talk {
            dialect: self,
            provider,
            entered,
            progress: &mut Progress::unseen(),
            certificate: None,
        };
        talk.try_out().await
    }

    pub(super) async fn sample_service(
        &self,
        provider: &Provider,
        entered: &Entered,
        table: Option<&str>,
    ) -> Result<Sample, Failure> {
        let mut talk = Talk {
            dialect: self,
            provider,
            entered,
            progress: &mut Progress::unseen(),
            certificate: None,
        };
        let protocol = talk.protocol();
        let limit = self.outbound.timeouts().total;
        let sample = bounded(limit, async {
            match protocol {
                Protocol::Postgres => postgres::sample(&mut talk, table).await,
                Protocol::Mysql => mysql::sample(&mut talk, table).await,
                Protocol::Redis => redis::sample(&mut talk).await,
                Protocol::Imap => imap::sample(&mut talk).await,
                Protocol::S3 => s3::sample(&mut talk).await,
                // Nothing is read there.
                Protocol::Smtp => Ok(Sample::new(Vec::new(), Vec::new())),
            }
        });
        sample.await.map_err(|failure| talk.told(failure))
    }
}

/// Gives up on a conversation that takes too long, however lively it is.
async fn bounded<T>(
    limit: std::time::Duration,
    conversation: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let slow = Failure::inferred(FailureCode::NetworkOrTimeout, "timeout_after_send");
    timeout(limit, conversation).await.unwrap_or(Err(slow))
}

impl Talk<'_, '_> {
    async fn try_out(&mut self) -> Result<Identity, Failure> {
        let limit = self.dialect.outbound.timeouts().total;
        let protocol = self.protocol();
        let tried = bounded(limit, async {
            match protocol {
                Protocol::Postgres => postgres::try_out(self).await,
                Protocol::Mysql => mysql::try_out(self).await,
                Protocol::Redis => redis::try_out(self).await,
                Protocol::Smtp => smtp::try_out(self).await,
                Protocol::Imap => imap::try_out(self).await,
                Protocol::S3 => s3::try_out(self).await,
            }
        });
        tried.await.map_err(|failure| self.told(failure))?;
        self.identity()
    }

    fn protocol(&self) -> Protocol {
        let service = self.provider.service.as_ref();
        service.expect("only services get here").protocol
    }

    /// What was entered names the account: there is nobody to ask.
    fn identity(&self) -> Result<Identity, Failure> {
        let find = |source: &_| self.entered.fact(self.provider, source);
        let (id, label) = super::identity::facts(&self.provider.identity, find)
            .ok_or_else(|| Failure::inferred(FailureCode::HubInternal, "account_not_named"))?;
        Ok(Identity {
            id,
            label,
            granted_scopes: None,
            variables: Variables::new(),
            certificate: self.certificate,
        })
    }

    fn get(&self, name: &str) -> &str {
        self.entered.get(name).unwrap_or_default()
    }

    /// The port; an empty one was filled in with the entry's default.
    fn port(&self) -> Result<u16, Failure> {
        let port = self.get("port").parse();
        port.map_err(|_| Failure::inferred(FailureCode::AccountOrTargetMismatch, "port"))
    }

    /// The authority a person entered.
    fn ca(&self) -> Option<&str> {
        Some(self.get("ca")).filter(|pem| !pem.is_empty())
    }

    async fn connect(&mut self) -> Result<Connection, Failure> {
        let port = self.port()?;
        let connection = self.dialect.outbound.connect(self.get("host"), port).await;
        let connection = connection.map_err(not_sent)?;
        self.progress.passed(Step::Reach, None);
        Ok(connection)
    }

    async fn secure(&mut self, connection: Connection) -> Result<Connection, Failure> {
        let (outbound, host) = (&self.dialect.outbound, self.get("host"));
        let secured = outbound.secure(connection, host, self.ca()).await;
        let secured = secured.map_err(not_sent)?;
        self.certificate = certificate::of_server(secured.shown(), self.ca());
        self.progress.passed(Step::Encryption, None);
        Ok(secured)
    }

    /// Goes on without encryption, where the other side offers none: only at
    /// an address the operator allowed, and not when an authority was entered.
    fn unencrypted(&mut self, connection: &Connection) -> Result<(), Failure> {
        if !connection.may_be_plain() || self.ca().is_some() {
            let code = FailureCode::AccountOrTargetMismatch;
            return Err(Failure::told(code, "encryption_not_offered"));
        }
        self.progress.not_needed(Step::Encryption);
        Ok(())
    }

    /// Connects to what is encrypted from the first byte on.
    async fn connect_securely(&mut self) -> Result<Connection, Failure> {
        let connection = self.connect().await?;
        let may_be_plain = connection.may_be_plain() && self.ca().is_none();
        match self.secure(connection).await {
            Err(failure) if may_be_plain && ["tls", "connect"].contains(&&*failure.detail) => {
                let again = self
                    .dialect
                    .outbound
                    .connect(self.get("host"), self.port()?);
                let again = again.await.map_err(not_sent)?;
                self.unencrypted(&again)?;
                Ok(again)
            }
            secured => secured,
        }
    }

    /// What a service said no with, by the entry's table: `codes` as the
    /// service names them, the most telling first, and its words.
    fn refused(&self, codes: &[&str], words: &str) -> Failure {
        let reading = Reading {
            codes: codes.iter().map(|&code| code.to_owned()).collect(),
            words: words.to_owned(),
            texts: vec![words.to_owned()],
            status: None,
        };
        reading.failure(self.provider, Place::Key)
    }

    /// A failure as it may be shown: without what was entered.
    fn told(&self, failure: Failure) -> Failure {
        scrub(of_typed_host(failure), &self.entered.secrets(self.provider))
    }
}

fn not_sent(why: NotSent) -> Failure {
    SendError::NotSent(why).failure()
}

/// The connection broke in the middle.
fn broken(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::FileTooLarge => too_large(),
        _ => Failure::inferred(FailureCode::NetworkOrTimeout, "cut_after_send"),
    }
}

/// More was sent than any honest answer holds.
fn too_large() -> Failure {
    Failure::inferred(FailureCode::ProviderLimitedOrDown, "answer_too_large")
}

/// What answers there is something else, or speaks in a way we do not know.
fn unreadable() -> Failure {
    Failure::inferred(FailureCode::AccountOrTargetMismatch, "other_service")
}

/// A step passed with something to say.
fn note(text: impl Into<String>) -> Option<String> {
    Some(text.into())
}

/// `1 table`, `12 tables`.
fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    }
}

/// Which of `tables` is wanted: the one named, else the first.
///
/// # Errors
/// It is not among them.
fn chosen(tables: &[String], wanted: Option<&str>) -> Result<Option<usize>, Failure> {
    match wanted {
        None => Ok((!tables.is_empty()).then_some(0)),
        Some(name) => tables
            .iter()
            .position(|table| table == name)
            .map(Some)
            .ok_or_else(|| Failure::inferred(FailureCode::PermissionMissing, "no_such_table")),
    }
}
