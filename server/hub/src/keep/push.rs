//! Providers that say by themselves that our access has ended, or that a
//! person wants their data gone.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    Result,
    catalog::{Provider, Variables, push::PushMeaning},
    dialect::{ProviderApp, PushMessage, Told, read_push},
    failure::{Failure, FailureCode},
    hub::Hub,
    store::{Reach, TenantId, connection, provider_app, push_message},
};

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nobody's secret fits it, or it is too old: it is not believed.
    NotGenuine,
    /// The provider only tries us out and wants these fields back.
    Challenge(Variables),
    /// Its person wants their data gone, and it is.
    Erased,
    /// It was acted upon, now or before.
    Noted {
        /// How many connections it concerned.
        connections: usize,
        /// The status its provider wants to see.
        status: u16,
    },
}

impl Hub {
    /// Hears a provider out. `app` is the provider app the message is for.
    ///
    /// # Errors
    /// When the database fails; the provider then sends it again.
    pub async fn hear(&self, app: &str, message: &PushMessage<'_>) -> Result<Heard> {
        // A provider speaks of accounts, whosever they are here.
        Reach::every().around(self.hear_out(app, message)).await
    }

    async fn hear_out(&self, app: &str, message: &PushMessage<'_>) -> Result<Heard> {
        let products = self.catalog.apps().remove(app).unwrap_or_default();
        let Some(speaker) = products.iter().find(|provider| provider.push.is_some()) else {
            return Ok(Heard::NotGenuine);
        };
        let Some((tenants, told)) = self.believed(speaker, message).await? else {
            tracing::warn!(
                security = true,
                provider.app = app,
                "a message was not believed"
            );
            return Ok(Heard::NotGenuine);
        };
        let meaning = match told.meaning {
            Some(PushMeaning::Challenge) => {
                return Ok(Heard::Challenge(told.answer));
            }
            meaning => meaning,
        };
        let (signal, status) = match &speaker.push {
            Some(push) => (push.signal.as_str(), push.status),
            None => ("", 200),
        };
        let Some(meaning) = meaning else {
            let connections = 0;
            return Ok(Heard::Noted {
                connections,
                status,
            });
        };
        let rows = self.meant(&products, &tenants, &told).await?;
        let connections = rows.len();
        for row in rows {
            match meaning {
                PushMeaning::Revoked => {
                    let detail = format!("told:{signal}");
                    let failure = Failure::told(FailureCode::GrantRevokedOrExpired, detail);
                    self.record_check(row, Err(failure)).await?;
                }
                PushMeaning::Check => self.check_soon(row),
                PushMeaning::DeleteData => self.erase(row.tenant_id, row.id).await?,
                PushMeaning::Challenge => {}
            }
        }
        // Noted last: what could not be acted upon is sent once more.
        push_message::note(self.store.db(), told.identity, self.clock.now()).await?;
        if meaning == PushMeaning::DeleteData {
            return Ok(Heard::Erased);
        }
        tracing::info!(
            provider.app = app,
            connections,
            "a provider said that something became of our access"
        );
        Ok(Heard::Noted {
            connections,
            status,
        })
    }

    /// Whose secret the message was signed with. A tenant's own app speaks for
    /// that tenant, the operator's for everybody without one.
    async fn believed(
        &self,
        speaker: &Provider,
        message: &PushMessage<'_>,
    ) -> Result<Option<(Tenants, Told)>> {
        let now = self.clock.now();
        let rows = provider_app::of_app(self.store.db(), &speaker.app_id).await?;
        let own: Vec<TenantId> = rows.iter().map(|row| row.tenant_id).collect();
        if let Some(app) = self.operator_apps.get(&speaker.app_id)
            && let Some(told) = read_push(speaker, app, message, now)
        {
            return Ok(Some((Tenants::AllBut(own), told)));
        }
        for tenant in own {
            let app: Option<ProviderApp> = self.provider_app(tenant, speaker).await?;
            if let Some(told) = app.and_then(|app| read_push(speaker, &app, message, now)) {
                return Ok(Some((Tenants::Only(tenant), told)));
            }
        }
        Ok(None)
    }

    /// The connections a message is about.
    async fn meant(
        &self,
        products: &[&Provider],
        tenants: &Tenants,
        told: &Told,
    ) -> Result<Vec<connection::Model>> {
        if push_message::seen(self.store.db(), &told.identity).await? {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = products
            .iter()
            .map(|provider| provider.id.as_str())
            .collect();
        let query = connection::Entity::find()
            .filter(connection::Column::Provider.is_in(ids))
            .filter(connection::Column::DisconnectedAt.is_null());
        let query = match tenants {
            Tenants::Only(tenant) => query.filter(connection::Column::TenantId.eq(*tenant)),
            Tenants::AllBut(own) => {
                query.filter(connection::Column::TenantId.is_not_in(own.iter().copied()))
            }
        };
        let rows = query.all(self.store.db()).await?;
        Ok(rows
            .into_iter()
            .filter(|row| {
                let provider = products.iter().find(|provider| provider.id == row.provider);
                told.accounts
                    .iter()
                    .any(|account| is_account(row, provider.copied(), account))
            })
            .collect())
    }
}

enum Tenants {
    Only(TenantId),
    AllBut(Vec<TenantId>),
}

/// Whether a provider's name for an account means this connection: its
/// identity, or the value of a variable, with or without what is written
/// behind it (`my-shop` and `my-shop.myshopify.com`).
fn is_account(row: &connection::Model, provider: Option<&Provider>, account: &str) -> bool {
    let of_variable = |name: &str, value: &str| {
        let variables = provider.map(|provider| provider.variables.as_slice());
        let suffix = variables
            .unwrap_or_default()
            .iter()
            .find(|variable| variable.name == name)
            .and_then(|variable| variable.suffix.as_deref())
            .unwrap_or_default();
        !value.is_empty() && (account == value || account == format!("{value}{suffix}"))
    };
    row.external_id.as_deref() == Some(account)
        || row
            .variables
            .0
            .iter()
            .any(|(name, value)| of_variable(name, value))
}
