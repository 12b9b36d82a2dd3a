//! A look at the data behind a connection.

use super::{Need, Renewal};
use crate::{
    Error, Result,
    dialect::Sample,
    failure::{Failure, FailureCode},
    hub::Hub,
    people::{By, Wanted},
    record::{Deed, Entry},
    store::{ConnectionId, connection, credential},
};

impl Hub {
    /// The first rows or objects behind a connection: of `table`, or of what
    /// comes first. They are read for whoever looks now; nothing of them is
    /// stored or logged, but the ledger keeps who looked.
    ///
    /// # Errors
    /// [`Error::Failed`] with what the provider said.
    pub async fn sample(
        &self,
        by: impl Into<By<'_>>,
        id: ConnectionId,
        table: Option<&str>,
    ) -> Result<Sample> {
        let by = by.into();
        by.may_sample()?;
        let connection = connection::of_tenant(self.store.db(), by.tenant(), id)
            .await?
            .filter(|connection| connection.disconnected_at.is_none())
            .ok_or(Error::NotFound)?;
        self.limits.want(by.tenant(), Wanted::Check)?;
        // First: without it nothing is read.
        let entry = Entry::new(by, Deed::DataSeen).on(id);
        let entry = entry.saying(connection.provider.clone());
        self.record(by.tenant(), entry).await?;
        self.sample_of(&connection, table).await
    }

    /// The same of a connection that is at hand, whoever it is for.
    pub(super) async fn sample_of(
        &self,
        connection: &connection::Model,
        table: Option<&str>,
    ) -> Result<Sample> {
        let id = connection.id;
        let provider = self.catalog.get(&connection.provider).ok_or_else(|| {
            Failure::told(FailureCode::AppConfigInvalid, "provider_not_in_catalog")
        })?;
        let row = match &*self.renew(id, credential::MAIN, Need::Now).await {
            Ok(Renewal::Current(row)) => row.clone(),
            Ok(Renewal::Failed(failure) | Renewal::Waits(failure)) => {
                return Err(failure.clone().into());
            }
            Err(Error::NotFound) => return Err(Error::NotFound),
            Err(error) => {
                tracing::error!(connection.id = %id, %error, "a sample could not start");
                let failure = Failure::inferred(FailureCode::HubInternal, "sample_not_started");
                return Err(failure.into());
            }
        };
        let (token, app) = self.access_of(provider, &row).await?;
        let variables = &connection.variables.0;
        let sample = self
            .dialect
            .sample(provider, &app, variables, &token, table);
        Ok(sample.await?)
    }
}
