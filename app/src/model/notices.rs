//! What is behind the bell, and what a person wants to be mailed.

use super::{Connection, Details, Moment, Prompt};

/// Everything behind the bell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticesPage {
    /// When this was read, in seconds since the epoch.
    pub now: i64,
    /// Whose it is.
    pub organisation: String,
    /// How many have not been read.
    pub unread: u32,
    /// What the person looks after, was asked to or wanted to know.
    pub theirs: Vec<NoticeRow>,
    /// What else is wrong.
    pub others: Vec<NoticeRow>,
}

/// One trouble, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    /// The connection.
    pub connection: Connection,
    /// What is wrong; none where it works again.
    pub prompt: Option<Prompt>,
    /// What support needs to know of it.
    pub details: Option<Details>,
    /// Why the person is told, where that is not plain.
    pub reason: Option<String>,
    /// Since when.
    pub at: Moment,
    /// Whether the person has not read it.
    pub new: bool,
    /// Who can do something about it.
    pub help: Help,
}

/// What somebody can do about a trouble besides its button.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Help {
    /// Whether the button is theirs to press.
    pub may_act: bool,
    /// Whether one press begins: a flow needs no questions first.
    pub one_click: bool,
    /// Who can repair it, when the person looking may not: id and name.
    pub repairers: Vec<(String, String)>,
    /// Who was asked already, and when.
    pub asked: Vec<(String, Moment)>,
    /// Whether there is nothing to do but to wait.
    pub waits: bool,
    /// Whether they are told when it works.
    pub watching: bool,
}

impl Help {
    /// Whether there is something to offer.
    pub fn offers(&self) -> bool {
        self.waits || !self.repairers.is_empty()
    }
}

/// What a person wants to be mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailPage {
    /// Where mails go.
    pub email: String,
    /// How soon, as it is stored.
    pub pace: String,
    /// Every topic as it is stored, in words, and whether it is wanted.
    pub topics: Vec<(String, String, bool)>,
    /// Whether there is a mail server.
    pub is_set: bool,
    /// Whether the person looking may do something about the server.
    pub admin: bool,
    /// Why the last mail was not sent, in words.
    pub problem: Option<String>,
}
