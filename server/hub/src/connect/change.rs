//! Changing what people and host applications chose for a connection.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use super::Listed;
use crate::{
    Error, FieldProblem, Result,
    hub::Hub,
    people::By,
    record::{Deed, Entry},
    store::{
        ConnectionId,
        connection::{self, Mapping, SyncFrequency},
        event::{self, Kind},
    },
    text::is_deceptive,
};

/// The longest name a person may give, in characters.
const LONGEST_NAME: usize = 80;
/// The largest mapping, in bytes of JSON.
const LARGEST_MAPPING: usize = 16 * 1024;

/// What is to become different; what is none stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// A person's name for it; an empty one takes it away.
    pub display_name: Option<String>,
    /// How often it is to be read.
    pub sync_frequency: Option<SyncFrequency>,
    /// What the host application calls its columns.
    pub mapping: Option<Mapping>,
}

impl Change {
    /// Answers whether all of it can be accepted.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every field that cannot.
    pub fn accept(&self) -> Result<()> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, problem: &str| {
            problems.push(FieldProblem {
                field: field.to_owned(),
                problem: problem.to_owned(),
            });
        };
        let name = self.display_name.as_deref().unwrap_or_default().trim();
        if name.chars().count() > LONGEST_NAME {
            refuse("display_name", "Use at most 80 characters");
        }
        if name.chars().any(is_deceptive) {
            refuse("display_name", "Use one line of text");
        }
        let mapping = self.mapping.as_ref().map(serde_json::to_string);
        if mapping.is_some_and(|text| text.is_ok_and(|text| text.len() > LARGEST_MAPPING)) {
            refuse("mapping", "Use at most 16 kB of JSON");
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::Invalid(problems)),
        }
    }
}

impl Hub {
    /// Changes a connection of the tenant.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::Invalid`], [`Error::NotFound`].
    pub async fn change(
        &self,
        by: impl Into<By<'_>>,
        id: ConnectionId,
        change: Change,
    ) -> Result<Listed> {
        let by = by.into();
        by.may_connect()?;
        change.accept()?;
        let connection = connection::of_tenant(self.store.db(), by.tenant(), id)
            .await?
            .ok_or(Error::NotFound)?;
        let is_renamed = change.display_name.is_some();
        let deeds = [
            (is_renamed, Deed::ConnectionRenamed),
            (change.mapping.is_some(), Deed::MappingChanged),
            (change.sync_frequency.is_some(), Deed::FrequencyChanged),
        ];
        let provider = connection.provider.clone();
        let ledger = self.ledger(by.tenant()).await?;
        let mut row = connection.into_active_model();
        if let Some(name) = &change.display_name {
            let name = name.trim();
            row.display_name = Set((!name.is_empty()).then(|| name.to_owned()));
        }
        if let Some(frequency) = change.sync_frequency {
            row.sync_frequency = Set(frequency);
        }
        if let Some(mapping) = change.mapping {
            row.mapping = Set(mapping);
        }
        let transaction = self.store.begin().await?;
        let changed = row.update(&transaction).await?;
        if change.sync_frequency.is_some() {
            self.plan_sync(&transaction, &changed).await?;
        }
        if is_renamed {
            let new = event::New {
                tenant: by.tenant(),
                kind: Kind::ConnectionRenamed,
                connection: Some(id),
                person: by.person(),
                data: event::Data::default(),
            };
            event::append(&transaction, new, self.clock.now()).await?;
        }
        for (_, deed) in deeds.into_iter().filter(|(is_done, _)| *is_done) {
            let entry = Entry::new(by, deed).on(id).saying(provider.clone());
            ledger.append(&transaction, entry).await?;
        }
        transaction.commit().await?;
        self.changes.nudge(by.tenant());
        self.one(by.tenant(), id).await
    }
}
