//! Who may not repair something asks who may, and who can only wait is told
//! when it works.

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;

use crate::{
    Error, Hub, Result,
    failure::{Failure, FailureCode},
    keep::health::PROVIDER_TROUBLE,
    people::{Action, Member},
    prompt::ActionKind,
    record::{Deed, Entry},
    store::{
        ConnectionId, PersonId, TenantId,
        alarm::{self, Cause},
        connection,
        event::{self, Kind},
        mail,
        member::{self, Role},
        notice, provider_trouble, watcher,
    },
};

/// How often one person may ask in [`ASKING`].
const MOST_ASKED: u64 = 20;
const ASKING: TimeDelta = TimeDelta::hours(24);

/// What asking came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// They are told now.
    Now(String),
    /// They had been asked before, by this person or another.
    Before(String),
}

/// The right that the button of a prompt takes; none where it only shows
/// something.
pub fn right(kind: ActionKind) -> Option<Action> {
    match kind {
        ActionKind::SetUp => Some(Action::ManageProviderApps),
        ActionKind::Connect | ActionKind::AddAccount | ActionKind::Check | ActionKind::Resume => {
            Some(Action::Connect)
        }
        ActionKind::SignIn
        | ActionKind::Explain
        | ActionKind::Request
        | ActionKind::OpenProvider
        | ActionKind::Report => None,
    }
}

/// Everybody of an organisation, to name who can do what somebody may not.
pub struct Colleagues(Vec<(PersonId, String, Role)>);

impl Colleagues {
    /// Who can do what the button of a connection's prompt takes: who looks after
    /// the connection first, then admins.
    pub fn able(&self, connection: &connection::Model, right: Action) -> Vec<(PersonId, String)> {
        let mut able: Vec<_> = self
            .0
            .iter()
            .filter(|(person, _, role)| {
                let looks_after = connection.created_by == Some(*person);
                role.may(right) && (looks_after || role.may(Action::ManageProviderApps))
            })
            .map(|(person, name, _)| (*person, name.clone()))
            .collect();
        able.sort_by_key(|(person, _)| connection.created_by != Some(*person));
        able
    }
}

impl Hub {
    /// Everybody of a tenant.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn colleagues(&self, tenant: TenantId) -> Result<Colleagues> {
        let everybody = member::names(self.store.db(), tenant).await?;
        Ok(Colleagues(everybody))
    }

    /// Who can do what a prompt asks for, where the member may not: who looks
    /// after the connection first, then admins.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn repairers(
        &self,
        member: &Member,
        connection: &connection::Model,
        kind: ActionKind,
    ) -> Result<Vec<(PersonId, String)>> {
        let Some(right) = right(kind).filter(|right| !member.role().may(*right)) else {
            return Ok(Vec::new());
        };
        let colleagues = self.colleagues(member.tenant()).await?;
        Ok(colleagues.able(connection, right))
    }

    /// Asks a person to repair a connection: a notice and a mail, once for each
    /// trouble.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for who cannot repair it, and where nothing is
    /// wrong. [`Error::Invalid`] for who asks too often.
    pub async fn ask_to_repair(
        &self,
        member: &Member,
        id: ConnectionId,
        person: PersonId,
    ) -> Result<Asked> {
        member.may(Action::Look)?;
        let (tenant, now) = (member.tenant(), self.clock.now());
        let listed = self.one(tenant, id).await?;
        let known = self.alarm_of(member, id).await?;
        let told = match &known {
            Some(alarm) => self.alarm_told(alarm, &listed),
            // A partial grant works, and is nobody's alarm until somebody asks.
            None => self.told_of(&listed).ok_or(Error::NotFound)?,
        };
        let kind = told.prompt.action.ok_or(Error::NotFound)?.kind;
        let able = self.repairers(member, &listed.connection, kind).await?;
        let (_, name) = able
            .into_iter()
            .find(|(one, _)| *one == person)
            .ok_or(Error::NotFound)?;
        let ledger = self.ledger(tenant).await?;
        let transaction = self.store.begin().await?;
        let asked =
            notice::count_asked_by(&transaction, tenant, member.person(), now - ASKING).await?;
        if asked >= MOST_ASKED {
            return Err(Error::invalid(
                "",
                "You have asked twenty times today. Ask in person",
            ));
        }
        let alarm = match (known, told.cause.failure()) {
            (Some(alarm), _) => alarm,
            (None, Some(failure)) => {
                alarm::raise_quietly(&transaction, tenant, id, failure.clone(), now).await?;
                let open = alarm::open_of(&transaction, tenant, id).await?;
                open.into_iter().next().ok_or(Error::NotFound)?
            }
            (None, None) => return Err(Error::NotFound),
        };
        let reason = notice::Reason::Asked;
        let by = Some(member.person());
        if !notice::add(&transaction, &alarm, person, reason, by, now).await? {
            return Ok(Asked::Before(name));
        }
        mail::queue(
            &transaction,
            mail::Kind::Asked,
            &alarm,
            person,
            by,
            now,
            now,
        )
        .await?;
        let new = event::New {
            tenant,
            kind: Kind::HelpAsked,
            connection: Some(id),
            person: Some(person),
            data: event::Data::default(),
        };
        event::append(&transaction, new, now).await?;
        let entry = Entry::new(member, Deed::HelpAsked).on(id);
        let entry = entry.saying(listed.connection.provider);
        ledger.append(&transaction, entry).await?;
        transaction.commit().await?;
        // Their open pages count it at the bell.
        self.changes.nudge(tenant);
        Ok(Asked::Now(name))
    }

    /// Tells the member when a connection works again.
    ///
    /// # Errors
    /// [`Error::NotFound`], also where nothing is wrong.
    pub async fn tell_when_it_works(&self, member: &Member, id: ConnectionId) -> Result<()> {
        member.may(Action::Look)?;
        let transaction = self.store.begin().await?;
        self.note_trouble(&transaction, member, id).await?;
        let open = alarm::open_of(&transaction, member.tenant(), id).await?;
        let mut open = open.into_iter();
        let alarm = open.find(|alarm| alarm.cause != Cause::Expiring);
        if alarm.is_none() {
            return Err(Error::NotFound);
        }
        let row = watcher::Model {
            connection_id: id,
            person_id: member.person(),
            tenant_id: member.tenant(),
            at: self.clock.now(),
        };
        watcher::add(&transaction, row).await?;
        Ok(transaction.commit().await?)
    }

    /// While a provider is in trouble as a whole nothing is told of its
    /// connections, so that there is nothing yet whose end could be told.
    async fn note_trouble(
        &self,
        db: &impl ConnectionTrait,
        member: &Member,
        id: ConnectionId,
    ) -> Result<()> {
        let row = connection::of_tenant(db, member.tenant(), id).await?;
        let row = row.filter(|row| row.disconnected_at.is_none() && row.alarm.is_none());
        let Some(row) = row else {
            return Ok(());
        };
        if provider_trouble::of(db, &row.provider).await?.is_some() {
            let code = FailureCode::ProviderLimitedOrDown;
            let failure = Failure::inferred(code, PROVIDER_TROUBLE);
            alarm::raise_quietly(db, member.tenant(), id, failure, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Whether the member is told when a connection works again.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waits_for(&self, member: &Member, id: ConnectionId) -> Result<bool> {
        let (tenant, person) = (member.tenant(), member.person());
        let watched = watcher::of_person(self.store.db(), tenant, person).await?;
        Ok(watched.contains(&id))
    }

    /// What is wrong with a connection, the worst first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn alarm_of(
        &self,
        member: &Member,
        id: ConnectionId,
    ) -> Result<Option<alarm::Model>> {
        let open = alarm::open_of(self.store.db(), member.tenant(), id).await?;
        Ok(open.into_iter().next())
    }

    /// Who was asked about an alarm already, by name, and when.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn asked_already(
        &self,
        member: &Member,
        alarm: &alarm::Model,
    ) -> Result<Vec<(String, chrono::DateTime<chrono::Utc>)>> {
        let mut asked = self
            .asked_about(member, std::slice::from_ref(alarm))
            .await?;
        Ok(asked.remove(&alarm.id).unwrap_or_default())
    }
}
