//! The way to the mail server.

use std::{sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::Mailbox,
    transport::smtp::Error as SmtpError,
};

use crate::secret::Secret;

/// How long the mail server may take for one mail. Well below the lease of the
/// outbox, so that no other process sends it meanwhile.
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
        let url = settings.url.expose();
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let builder = builder.map_err(|_| MailSettingsError::Url)?;
        let from = settings.from.parse().map_err(|_| MailSettingsError::From)?;
        Ok(Self(Some(Arc::new(Way {
            transport: builder.timeout(Some(PATIENCE)).build(),
            from,
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
        let sent = way.transport.send(message).await;
        sent.map(|_| ()).map_err(|error| NotTaken {
            problem: problem(&error),
            is_final: error.is_permanent(),
        })
    }
}

fn problem(error: &SmtpError) -> &'static str {
    if error.is_permanent() {
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
