//! The way to the mail server.

use std::{sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::Mailbox,
    transport::smtp::Error as SmtpError,
};

use crate::secret::Secret;

/// How long the mail server may take for one mail, from the first word to the
/// last. Well below the lease of the outbox, so that no other process sends it
/// meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where mail goes out, and from whom.
pub struct MailSettings {
    /// `smtp://user:password@host:587?tls=required`, or `smtps://…`.
    pub url: Secret,
    /// `Linkwell <linkwell@example.com>`.
    pub from: String,
}

/// What is wrong with the settings. The address carries a password and is not
/// said back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailSettingsError {
    /// No server can be found by it.
    #[error(
        "the address of the mail server is not one: give smtps://user:password@host, or smtp://host:587?tls=required"
    )]
    Url,
    /// Nobody can be answered.
    #[error("the sender is no e-mail address: give Linkwell <linkwell@example.com>")]
    From,
}

/// Sends mails, where a mail server is set.
#[derive(Clone, Default)]
pub struct Mailer(Option<Arc<Way>>);

struct Way {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    patience: Duration,
}

/// The address carries a password.
impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_set() {
            "Mailer(set)"
        } else {
            "Mailer(none)"
        })
    }
}

/// Why a mail was not taken.
#[derive(Debug)]
pub(super) struct NotTaken {
    /// In a word, for the record: never what the server said.
    pub problem: &'static str,
    /// Whether the server says that it never will.
    pub is_final: bool,
}

impl Mailer {
    /// The way to this server. Nothing is connected yet.
    ///
    /// # Errors
    /// [`MailSettingsError`].
    pub fn new(settings: &MailSettings) -> Result<Self, MailSettingsError> {
        Self::patient(settings, PATIENCE)
    }

    fn patient(settings: &MailSettings, patience: Duration) -> Result<Self, MailSettingsError> {
        let url = settings.url.expose();
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let builder = builder.map_err(|_| MailSettingsError::Url)?;
        let from = settings.from.parse().map_err(|_| MailSettingsError::From)?;
        Ok(Self(Some(Arc::new(Way {
            transport: builder.timeout(Some(patience)).build(),
            from,
            patience,
        }))))
    }

    /// Whether there is a mail server.
    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Who mails are from.
    pub(super) fn from(&self) -> Option<&Mailbox> {
        self.0.as_ref().map(|way| &way.from)
    }

    /// Hands a mail to the server.
    pub(super) async fn send(&self, message: Message) -> Result<(), NotTaken> {
        let Some(way) = &self.0 else {
            return Err(NotTaken {
                problem: "not_set",
                is_final: false,
            });
        };
        // The transport minds the time of connecting only, and a server that says
        // nothing more would hold up every mail.
        let sending = way.transport.send(message);
        let Ok(sent) = tokio::time::timeout(way.patience, sending).await else {
            return Err(NotTaken {
                problem: "timeout",
                is_final: false,
            });
        };
        sent.map(|_| ()).map_err(|error| NotTaken {
            problem: problem(&error),
            is_final: code(&error).is_some_and(is_final),
        })
    }
}

fn code(error: &SmtpError) -> Option<u16> {
    error.status().map(u16::from)
}

/// Whether a server says that it will never take this mail, or for this person.
/// Whatever else it refuses is ours or its operator's to mend, and may be mended
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>).
fn is_final(code: u16) -> bool {
    (550..=554).contains(&code)
}

/// Whether it wants to be signed in to, or otherwise than we do
/// (<https://www.rfc-editor.org/rfc/rfc4954#section-6>).
fn is_about_signing_in(code: u16) -> bool {
    matches!(code, 530 | 534 | 535 | 538)
}

fn problem(error: &SmtpError) -> &'static str {
    if code(error).is_some_and(is_about_signing_in) {
        "not_signed_in"
    } else if error.is_permanent() {
        "refused"
    } else if error.is_transient() {
        "not_now"
    } else if error.is_timeout() {
        "timeout"
    } else if error.is_tls() {
        "tls"
    } else {
        "not_reached"
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    fn settings(url: &str) -> MailSettings {
        MailSettings {
            url: Secret::new(url),
            from: "Linkwell <linkwell@example.com>".into(),
        }
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_more_is_left_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(b"220 mail\r\n").await.unwrap();
                kept.push(stream);
            }
        });
        let mailer = Mailer::patient(&settings(&url), Duration::from_millis(50)).unwrap();
        let from = mailer.from().unwrap().clone();
        let message = Message::builder().from(from.clone()).to(from);
        let message = message.body(String::new()).unwrap();
        let taken = tokio::time::timeout(Duration::from_secs(20), mailer.send(message));
        let not_taken = taken.await.expect("an answer in time").unwrap_err();
        assert_eq!((not_taken.problem, not_taken.is_final), ("timeout", false));
    }
}
