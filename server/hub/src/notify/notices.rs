//! What a person finds behind the bell.

use std::collections::HashMap;

use crate::{
    Hub, Result,
    connect::Listed,
    people::{Action, Member},
    store::{
        AlarmId, PersonId, alarm, member,
        notice::{self, Reason},
        watcher,
    },
};

/// How many of each are shown.
const SHOWN: u64 = 100;

/// An alarm as one person sees it.
pub struct Noticed {
    /// The alarm.
    pub alarm: alarm::Model,
    /// The connection, as it is now.
    pub listed: Listed,
    /// Why they are told; none when it is others' to look after.
    pub told: Option<notice::Model>,
    /// Who asked them, or whom they or others asked: name and when.
    pub asked: Vec<(String, chrono::DateTime<chrono::Utc>)>,
    /// Whether they are told when it works.
    pub watching: bool,
}

/// Everything behind the bell.
pub struct Notices {
    /// What the person looks after, was asked to or wanted to know.
    pub theirs: Vec<Noticed>,
    /// What else is wrong in the organisation.
    pub others: Vec<Noticed>,
    /// How many they have not read.
    pub unread: i64,
}

impl Hub {
    /// How much a member has not read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unread_notices(&self, member: &Member) -> Result<i64> {
        let (tenant, person) = (member.tenant(), member.person());
        Ok(notice::unread(self.store.db(), tenant, person).await?)
    }

    /// Notes that a member has read everything.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn read_notices(&self, member: &Member) -> Result<()> {
        let (tenant, person) = (member.tenant(), member.person());
        Ok(notice::read_all(self.store.db(), tenant, person, self.clock.now()).await?)
    }

    /// What a member is told, and what else is wrong.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn notices(&self, member: &Member) -> Result<Notices> {
        member.may(Action::Look)?;
        let (db, tenant, person) = (self.store.db(), member.tenant(), member.person());
        let told = notice::of_person(db, tenant, person, SHOWN).await?;
        let open = alarm::open(db, tenant, SHOWN).await?;
        let known: Vec<AlarmId> = open.iter().map(|alarm| alarm.id).collect();
        let older = told.iter().map(|notice| notice.alarm_id);
        let older = older.filter(|id| !known.contains(id)).collect();
        let mut alarms = alarm::some_of_tenant(db, tenant, older).await?;
        alarms.extend(open);
        let ids = alarms.iter().map(|alarm| alarm.connection_id).collect();
        let mut connections = self.some(tenant, ids).await?;
        let watched = watcher::of_person(db, tenant, person).await?;
        let asked = self.asked_about(member, &alarms).await?;
        let mut notices = Notices {
            theirs: Vec::new(),
            others: Vec::new(),
            unread: self.unread_notices(member).await?,
        };
        for alarm in alarms {
            // Of several reasons the first that somebody gave.
            let mut reasons: Vec<_> = told.iter().filter(|one| one.alarm_id == alarm.id).collect();
            reasons.sort_by_key(|one| one.reason != Reason::Asked);
            let told = reasons.first().map(|notice| (*notice).clone());
            let Some(listed) = connections.get_mut(&alarm.connection_id) else {
                continue;
            };
            let noticed = Noticed {
                listed: listed.clone(),
                asked: asked.get(&alarm.id).cloned().unwrap_or_default(),
                watching: watched.contains(&alarm.connection_id),
                alarm,
                told,
            };
            match noticed.told.is_some() {
                true => notices.theirs.push(noticed),
                false => notices.others.push(noticed),
            }
        }
        let newest = |noticed: &Noticed| {
            let at = noticed
                .told
                .as_ref()
                .map_or(noticed.alarm.raised_at, |told| told.at);
            std::cmp::Reverse(at)
        };
        notices.theirs.sort_by_key(newest);
        notices.others.sort_by_key(newest);
        Ok(notices)
    }

    /// Whom somebody asked about which alarm, by name.
    pub(super) async fn asked_about(
        &self,
        member: &Member,
        alarms: &[alarm::Model],
    ) -> Result<HashMap<AlarmId, Vec<(String, chrono::DateTime<chrono::Utc>)>>> {
        let db = self.store.db();
        let ids = alarms.iter().map(|alarm| alarm.id).collect();
        let rows = notice::asked(db, ids).await?;
        let mut asked = HashMap::<_, Vec<_>>::new();
        if rows.is_empty() {
            return Ok(asked);
        }
        let names: HashMap<PersonId, String> = member::names(db, member.tenant())
            .await?
            .into_iter()
            .map(|(person, name, _)| (person, name))
            .collect();
        for row in rows {
            // To who was asked it says by whom, to everybody else who was.
            let other = match row.person_id == member.person() {
                true => row.by_person_id,
                false => Some(row.person_id),
            };
            if let Some(name) = other.and_then(|person| names.get(&person)) {
                asked
                    .entry(row.alarm_id)
                    .or_default()
                    .push((name.clone(), row.at));
            }
        }
        Ok(asked)
    }
}
