//! What is known of how connections are kept: who last proved them, what went
//! wrong last, whether they mend themselves, and what is stored.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::health::{Status, may_heal};
use crate::{
    Result,
    catalog::SignIn,
    connect::Listed,
    hub::Hub,
    people::{Action, Member},
    store::{ConnectionId, TenantId, connection, credential, event, token_read},
};

/// What is proven this soon after a person signed in was proven by them.
const SIGNING_IN: TimeDelta = TimeDelta::minutes(1);

/// How one connection is kept.
#[derive(Debug)]
pub struct Kept {
    /// It, and how it is.
    pub listed: Listed,
    /// When it last did something useful without a person.
    pub alone_at: Option<DateTime<Utc>>,
    /// When a person last signed in for it.
    pub person_at: Option<DateTime<Utc>>,
    /// The last time it stopped working, also when that was mended.
    pub failed: Option<event::Model>,
    /// Whether it needs somebody.
    pub mends: Mends,
    /// What is stored of it, each part by itself.
    pub stored: Vec<Stored>,
}

/// Whether a connection goes on without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mends {
    /// It is renewed by itself.
    Renewed,
    /// It has no end that is known of.
    Endless,
    /// Something failed that is tried again.
    Trying,
    /// It works until its end, and then a person has to sign in.
    UntilItsEnd,
    /// Somebody here has to do something now.
    Person,
    /// Somebody else has to.
    Admin,
    /// It was ended.
    Ended,
}

/// One sealed part of what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub part: Part,
    /// How long it is, sealed, in bytes.
    pub bytes: usize,
    /// When it ends, if that is known.
    pub ends_at: Option<DateTime<Utc>>,
}

/// What a sealed part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What a person entered.
    Entered,
    /// What calls carry.
    Access,
    /// What renews it.
    Refresh,
    /// What renewed it before, until the newer one has worked.
    EarlierRefresh,
}

/// A piece of the list.
pub struct KeptPage {
    /// Newest first.
    pub rows: Vec<Kept>,
    /// After which the next piece begins.
    pub next: Option<ConnectionId>,
}

impl Hub {
    /// How the tenant's connections are kept, `limit` of them after `after`.
    /// Three statements, however many there are.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`], or the database's.
    pub async fn kept(
        &self,
        member: &Member,
        after: Option<ConnectionId>,
        limit: usize,
    ) -> Result<KeptPage> {
        member.may(Action::Look)?;
        let wanted = Some(limit as u64 + 1);
        let mut page = connection::page(self.store.db(), member.tenant(), after, wanted).await?;
        let next = (page.len() > limit).then(|| page[limit - 1].0.id);
        page.truncate(limit);
        let rows = self.with_control(member.tenant(), page).await?;
        Ok(KeptPage { rows, next })
    }

    /// How one connection is kept.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`], [`crate::Error::Forbidden`], or the database's.
    pub async fn kept_one(&self, member: &Member, id: ConnectionId) -> Result<Kept> {
        member.may(Action::Look)?;
        let db = self.store.db();
        let connection = connection::of_tenant(db, member.tenant(), id).await?;
        let connection = connection.ok_or(crate::Error::NotFound)?;
        let row = (connection, credential::of_connection(db, id).await?);
        let mut rows = self.with_control(member.tenant(), vec![row]).await?;
        rows.pop().ok_or(crate::Error::NotFound)
    }

    async fn with_control(
        &self,
        tenant: TenantId,
        rows: Vec<(connection::Model, Vec<credential::Model>)>,
    ) -> Result<Vec<Kept>> {
        let ids: Vec<ConnectionId> = rows.iter().map(|(row, _)| row.id).collect();
        let db = self.store.db();
        let groups = [event::BY_PERSON, event::WENT_WRONG];
        let (mut signed_in, mut failed) = (HashMap::new(), HashMap::new());
        for event in event::latest(db, tenant, &ids, &groups).await? {
            let Some(id) = event.connection_id else {
                continue;
            };
            match event::BY_PERSON.contains(&event.kind) {
                true => signed_in.insert(id, event),
                false => failed.insert(id, event),
            };
        }
        let lent: HashMap<_, _> = token_read::latest(db, tenant, &ids)
            .await?
            .into_iter()
            .collect();
        let may_matter = rows.iter().any(|(row, all)| may_heal(row, all));
        let troubles = self.troubles_if(may_matter).await?;
        let mut kept: Vec<_> = rows
            .into_iter()
            .map(|(connection, credentials)| {
                let id = connection.id;
                let signed_in = signed_in
                    .remove(&id)
                    .filter(|event| event.data.note.is_none());
                let person_at = signed_in.map(|event| event.at);
                // Signing in proves it, too: that was a person.
                let proven = connection.last_ok_at;
                let proven =
                    proven.filter(|at| person_at.is_none_or(|person| *at > person + SIGNING_IN));
                let entered = self
                    .catalog
                    .get(&connection.provider)
                    .is_some_and(|entry| entry.sign_in() != SignIn::OneClick);
                let stored = credentials
                    .iter()
                    .flat_map(|row| parts(row, entered))
                    .collect();
                let listed = self.with_health(connection, &credentials, &troubles);
                Kept {
                    alone_at: proven.max(lent.get(&id).copied()),
                    person_at,
                    failed: failed.remove(&id),
                    mends: mends(&listed, &credentials),
                    stored,
                    listed,
                }
            })
            .collect();
        let listed = kept.iter_mut().map(|kept| &mut kept.listed);
        self.look_around(tenant, listed).await?;
        Ok(kept)
    }
}

fn mends(listed: &Listed, credentials: &[credential::Model]) -> Mends {
    let main = credentials.iter().find(|row| row.slot == credential::MAIN);
    let failure = listed.health.failure.as_ref();
    match listed.health.status {
        Status::Disconnected => Mends::Ended,
        // Told because it lasts, and tried all the same.
        Status::ActionNeeded if failure.is_some_and(|one| one.code.is_transient()) => Mends::Trying,
        Status::ActionNeeded => Mends::Person,
        Status::WaitingForAdmin => Mends::Admin,
        Status::Retrying => Mends::Trying,
        _ => match main {
            Some(row) if row.next_refresh_at.is_some() => Mends::Renewed,
            Some(row) if row.expires_at.is_some() => Mends::UntilItsEnd,
            _ => Mends::Endless,
        },
    }
}

fn parts(row: &credential::Model, entered: bool) -> impl Iterator<Item = Stored> {
    let main = match entered {
        true => Part::Entered,
        false => Part::Access,
    };
    let part = |part, sealed: Option<&String>, ends_at| {
        sealed.map(|sealed| Stored {
            part,
            bytes: sealed.len(),
            ends_at,
        })
    };
    [
        part(main, Some(&row.access_sealed), row.expires_at),
        part(
            Part::Refresh,
            row.refresh_sealed.as_ref(),
            row.refresh_expires_at,
        ),
        part(
            Part::EarlierRefresh,
            row.previous_refresh_sealed.as_ref(),
            None,
        ),
    ]
    .into_iter()
    .flatten()
}
