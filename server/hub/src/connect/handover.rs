//! Keys that a provider's server brings to ours while the person is there. The
//! state of the flow came along, and says whose they are; the person's own
//! return, bound to their browser as always, is what makes them a connection.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select, sea_query::Expr};
use serde::{Deserialize, Serialize};

use super::finish::held_place;
use crate::{
    Result,
    dialect::{Grant, HandedOver, read_handover},
    failure::{Failure, FailureCode},
    hub::Hub,
    secret::Secret,
    store::{Reach, flow},
};

/// What is sealed with the flow until the person is back.
#[derive(Serialize, Deserialize)]
struct Brought {
    fields: String,
    scopes: Option<Vec<String>>,
}

impl Hub {
    /// Takes what a provider's server posted to the address of `app`. Answers
    /// whether a flow waits for it; once only, and only while it does.
    ///
    /// # Errors
    /// When the database or the vault fail; the keys are not taken then.
    pub async fn take_handover(&self, app: &str, body: &[u8]) -> Result<bool> {
        let mut providers = self.catalog.iter();
        let Some(provider) = providers.find(|it| it.app_id == app && it.handover().is_some())
        else {
            return Ok(false);
        };
        let Some(told) = read_handover(provider, body) else {
            return Ok(false);
        };
        let waiting = waiting(told.state.digest(), &provider.id, self.clock.now());
        // The state says whose flow it is.
        let waiting = Reach::every().around(waiting.one(self.store.db()));
        let Some(flow) = waiting.await? else {
            tracing::warn!(
                security = true, provider = %provider.id,
                "keys were brought that no flow waits for"
            );
            return Ok(false);
        };
        let reach = Reach::of([flow.tenant_id]);
        reach.around(self.keep_brought(flow, told)).await
    }

    async fn keep_brought(&self, flow: flow::Model, told: HandedOver) -> Result<bool> {
        let brought = Brought {
            fields: told.entered.to_stored().expose().to_owned(),
            scopes: told.scopes,
        };
        let text = serde_json::to_string(&brought).expect("texts are JSON");
        let sealed = self
            .vault
            .seal(held_place(&flow), &Secret::new(text))
            .await?;
        // The same conditions again, in the statement that writes: of any
        // number of messages with one state exactly one is taken.
        let taken = flow::Entity::update_many()
            .col_expr(flow::Column::HeldSealed, Expr::value(sealed))
            .filter(flow::Column::Id.eq(flow.id))
            .filter(flow::Column::Status.eq(flow::Status::Waiting))
            .filter(flow::Column::HeldSealed.is_null())
            .exec(self.store.db())
            .await?;
        Ok(taken.rows_affected == 1)
    }

    /// What was brought for a flow whose person is back, taken out of it.
    pub(super) async fn handed_over(
        &self,
        flow: &flow::Model,
    ) -> Result<std::result::Result<Grant, Failure>> {
        let Some(sealed) = &flow.held_sealed else {
            let code = FailureCode::ProviderLimitedOrDown;
            return Ok(Err(Failure::inferred(code, "nothing_handed_over")));
        };
        let held = self.vault.open(held_place(flow), sealed).await?;
        self.keep_held(flow, None).await?;
        let brought: Brought = serde_json::from_str(held.expose())
            .map_err(|_| crate::vault::VaultError::Unopenable)?;
        Ok(Ok(Grant {
            scopes: brought.scopes,
            ..Grant::of_token(&Secret::new(brought.fields))
        }))
    }
}

fn waiting(state_hash: Vec<u8>, provider: &str, now: DateTime<Utc>) -> Select<flow::Entity> {
    flow::Entity::find()
        .filter(flow::Column::StateHash.eq(state_hash))
        .filter(flow::Column::Provider.eq(provider))
        .filter(flow::Column::Status.eq(flow::Status::Waiting))
        .filter(flow::Column::HeldSealed.is_null())
        .filter(flow::Column::ExpiresAt.gt(now))
}
