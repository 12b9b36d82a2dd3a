//! The way to the mail server.

use std::{net::IpAddr, sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::Mailbox,
    transport::smtp::Error as SmtpError,
};

use url::Url;

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
    /// Anybody on the way could read the password.
    #[error(
        "the password of the mail server would be sent unencrypted: give smtps://user:password@host, or smtp://user:password@host:587?tls=required"
    )]
    InClear,
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
        if tells_password(url) {
            return Err(MailSettingsError::InClear);
        }
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

/// Whether the password would go over a network unencrypted. With `tls=` the
/// operator has said how.
fn tells_password(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let says_how = url.query_pairs().any(|(name, _)| name == "tls");
    url.scheme() == "smtp" && url.password().is_some() && !is_here && !says_how
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

    #[test]
    fn a_password_is_not_sent_unencrypted_unless_the_operator_says_so() {
        let wrong = |url| Mailer::new(&settings(url)).err();
        for url in [
            "smtp://me:secret@mail.example.com",
            "smtp://me:secret@mail.example.com:587",
            "smtp://me:secret@192.0.2.1:25?pool=1",
        ] {
            assert_eq!(wrong(url), Some(MailSettingsError::InClear), "{url}");
        }
        let said = MailSettingsError::InClear.to_string();
        assert!(said.contains("tls=required"), "{said}");
        for url in [
            "smtps://me:secret@mail.example.com",
            "smtp://me:secret@mail.example.com:587?tls=required",
            "smtp://me:secret@mail.example.com?tls=opportunistic",
            "smtp://me:secret@localhost:2525",
            "smtp://me:secret@127.0.0.1:2525",
            "smtp://me:secret@[::1]:2525",
            "smtp://mail.example.com:25",
        ] {
            assert_eq!(wrong(url), None, "{url}");
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
