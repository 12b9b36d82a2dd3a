//! What ends at a provider together with a connection that was given back:
//! some end everything that one app was granted for an account.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

use crate::{
    Result,
    catalog::Provider,
    failure::{Failure, FailureCode},
    hub::Hub,
    store::{TenantId, connection, provider_app},
};

/// The detail of the failure of a connection that ended along with another.
pub(crate) const ENDED_ALONG: &str = "ended_along";

impl Hub {
    /// Tells the other connections that share the grant of `gone`, which its
    /// provider has ended, what became of them. Those of the same account have
    /// ended; what another product calls by another name may be the same
    /// account, so it is asked.
    pub(crate) async fn end_along(&self, gone: &connection::Model) -> Result<()> {
        let Some(provider) = self.catalog.get(&gone.provider) else {
            return Ok(());
        };
        if !provider.is_revoked_whole() {
            return Ok(());
        }
        let others = self.of_same_app(gone.tenant_id, provider).await?;
        let others = others.filter(connection::Column::Id.ne(gone.id));
        for row in others.all(self.store.db()).await? {
            let is_same = gone.external_id.is_some() && row.external_id == gone.external_id;
            if is_same {
                let code = FailureCode::GrantRevokedOrExpired;
                let failure = Failure::told(code, ENDED_ALONG);
                self.record_check(row, Err(failure)).await?;
            } else if row.tenant_id == gone.tenant_id && row.provider != gone.provider {
                self.check_soon(row);
            }
        }
        Ok(())
    }

    /// Whether giving one grant back may end what another connection stands on: its
    /// provider ends all that the app was granted for that account, which may be
    /// connected already.
    pub(crate) async fn may_end_others(
        &self,
        tenant: TenantId,
        provider: &Provider,
    ) -> Result<bool> {
        if !provider.is_revoked_whole() {
            return Ok(false);
        }
        let others = self.of_same_app(tenant, provider).await?;
        Ok(others.one(self.store.db()).await?.is_some())
    }

    /// The living connections that were granted to the app which the tenant uses
    /// for a provider, of all its products.
    async fn of_same_app(
        &self,
        tenant: TenantId,
        provider: &Provider,
    ) -> Result<Select<connection::Entity>> {
        let products = self.catalog.iter();
        let products = products.filter(|product| product.app_id == provider.app_id);
        let ids: Vec<_> = products.map(|product| product.id.as_str()).collect();
        let own = provider_app::of_app(self.store.db(), &provider.app_id).await?;
        let own: Vec<_> = own.into_iter().map(|row| row.tenant_id).collect();
        let query = connection::Entity::find()
            .filter(connection::Column::Provider.is_in(ids))
            .filter(connection::Column::DisconnectedAt.is_null());
        // A tenant's own app was granted apart; the operator's is one for all
        // tenants without.
        Ok(match own.contains(&tenant) {
            true => query.filter(connection::Column::TenantId.eq(tenant)),
            false => query.filter(connection::Column::TenantId.is_not_in(own)),
        })
    }
}
