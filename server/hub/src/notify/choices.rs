//! What each person wants to be mailed.

use sea_orm::Iterable;

use crate::{
    Error, Hub, Result,
    people::{Action, Member},
    store::{
        mail::{self, Kind},
        mail_choice::{self, Pace},
        notice::Reason,
        words,
    },
};

/// Something mails are about, that a person may do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A connection they look after needs somebody.
    Trouble,
    /// A connection has needed somebody for a day.
    Unattended,
    /// Somebody asks them.
    Asked,
    /// What they were mailed about works again.
    Solved,
}

/// Every topic.
pub const TOPICS: [Topic; 4] = [
    Topic::Trouble,
    Topic::Unattended,
    Topic::Asked,
    Topic::Solved,
];

impl Topic {
    /// As it is stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Unattended => "unattended",
            Self::Asked => "asked",
            Self::Solved => "solved",
        }
    }

    /// Those that a member may be mailed about, and chooses among.
    pub fn of_member(member: &Member) -> Vec<Self> {
        let is_admin = member.role().may(Action::ManageProviderApps);
        let mut topics = TOPICS.to_vec();
        topics.retain(|topic| is_admin || *topic != Self::Unattended);
        topics
    }

    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Alarm => Some(Self::Trouble),
            Kind::Unattended => Some(Self::Unattended),
            Kind::Asked => Some(Self::Asked),
            Kind::Solved => Some(Self::Solved),
            // They asked for it themselves, or chose it by its pace.
            Kind::Works | Kind::Digest => None,
        }
    }

    fn of_reason(reason: Reason) -> Option<Self> {
        match reason {
            Reason::Trouble => Some(Self::Trouble),
            Reason::Unattended => Some(Self::Unattended),
            Reason::Asked => Some(Self::Asked),
            // That is over.
            Reason::Works => None,
        }
    }
}

/// What one person wants to be mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailChoices {
    /// How soon.
    pub pace: Pace,
    /// The topics they do without.
    pub without: Vec<Topic>,
}

impl MailChoices {
    pub(super) fn of(row: &mail_choice::Model) -> Self {
        let without = words(&row.without);
        let mut topics = TOPICS.to_vec();
        topics.retain(|topic| without.iter().any(|word| word == topic.as_str()));
        Self {
            pace: row.pace,
            without: topics,
        }
    }

    /// Whether a mail of this kind is wanted by itself.
    pub(super) fn want(&self, kind: Kind) -> bool {
        let wanted = Topic::of(kind).is_none_or(|topic| !self.without.contains(&topic));
        let in_time = match self.pace {
            Pace::None => false,
            Pace::AtOnce => true,
            // What somebody does by hand does not wait for the morning, nor does the
            // end of it. What a digest said is over is in the next.
            Pace::Digest => matches!(
                kind,
                Kind::Asked | Kind::Works | Kind::Solved | Kind::Digest
            ),
        };
        wanted && in_time
    }

    /// Why somebody has to be told of something for their digest to say it.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let topic = |reason: &Reason| Topic::of_reason(*reason);
        let wanted =
            |reason: &Reason| topic(reason).is_some_and(|one| !self.without.contains(&one));
        Reason::iter().filter(wanted).collect()
    }
}

impl Hub {
    /// What the member wants to be mailed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mail_choices(&self, member: &Member) -> Result<MailChoices> {
        let row = mail_choice::of(self.store.db(), member.tenant(), member.person()).await?;
        Ok(MailChoices::of(&row))
    }

    /// Writes what the member wants to be mailed. What they cannot choose stays as
    /// it is: it counts once they have another role.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn choose_mail(&self, member: &Member, choices: &MailChoices) -> Result<()> {
        let (chosen, before) = (Topic::of_member(member), self.mail_choices(member).await?);
        let is_without = |topic: &Topic| match chosen.contains(topic) {
            true => choices.without.contains(topic),
            false => before.without.contains(topic),
        };
        let without = TOPICS.iter().filter(|topic| is_without(topic));
        let without: Vec<_> = without.map(|topic| topic.as_str()).collect();
        let row = mail_choice::Model {
            tenant_id: member.tenant(),
            person_id: member.person(),
            pace: choices.pace,
            without: without.join(" "),
        };
        mail_choice::save(self.store.db(), row)
            .await
            .map_err(Error::from)
    }

    /// Why the tenant's last mail was not taken by the mail server, if it was not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mail_problem(&self, member: &Member) -> Result<Option<String>> {
        let newest = mail::newest_tried(self.store.db(), member.tenant()).await?;
        Ok(newest.and_then(|row| row.problem))
    }
}
