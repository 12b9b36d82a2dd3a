//! Installations: a callback names one and says nothing about who came with it.

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};

use super::prepare::{Prepared, cookie_name, verifier_place};
use crate::{
    Result,
    catalog::Provider,
    dialect::{CallbackGrant, NOT_THEIRS, ProviderApp},
    failure::{Failure, FailureCode},
    hub::Hub,
    secret::Secret,
    store::{Reach, connection, flow, tenant},
};

impl Hub {
    /// Whether the person of the flow may reach what their callback names.
    pub(super) async fn whose(
        &self,
        flow: &flow::Model,
        provider: &Provider,
        app: &ProviderApp,
        callback: &CallbackGrant,
    ) -> Result<std::result::Result<(), Failure>> {
        if provider.proof().is_none() {
            // Among several tenants, or several people of a host application,
            // anybody could name another's.
            let tenants = tenant::Entity::find().count(self.store.db());
            let tenants = Reach::every().around(tenants).await?;
            let code = FailureCode::AppConfigInvalid;
            return Ok(match (tenants, flow.link_id) {
                (1, None) => Ok(()),
                _ => Err(Failure::told(code, "installation_not_provable")),
            });
        }
        let variables = &flow.variables.0;
        let proved = self.dialect.prove(provider, app, variables, callback).await;
        if let Err(failure) = &proved
            && failure.detail == NOT_THEIRS
        {
            tracing::warn!(
                security = true, flow.id = %flow.id, tenant.id = %flow.tenant_id,
                provider = %flow.provider, "somebody brought an installation they may not reach"
            );
        }
        Ok(proved)
    }

    /// Sends a person on who brought an installation and nothing to prove it by:
    /// the flow waits once more, under another state. None when that is not so.
    pub(super) async fn lead_on(
        &self,
        flow: &flow::Model,
        params: &[(String, String)],
        verifier: &Secret,
    ) -> Result<Option<Prepared>> {
        let Some((provider, app)) = self.provider_and_app(flow).await? else {
            return Ok(None);
        };
        if provider.proof().is_none() {
            return Ok(None);
        }
        let known = &flow.variables.0;
        // What is wrong with a callback is said where it is taken to its end.
        let Ok(callback) = self.dialect.read_callback(provider, &app, known, params) else {
            return Ok(None);
        };
        // Whoever comes back from there brings nothing new but a code.
        if !callback.code.expose().is_empty() || callback.variables.is_empty() {
            return Ok(None);
        }
        let mut variables = known.clone();
        variables.extend(callback.variables);
        let state = Secret::random(32);
        let url = self.dialect.proof_url(provider, &app, &variables, &state);
        let Ok(auth_url) = url else {
            return Ok(None);
        };
        let place = verifier_place(flow.tenant_id, flow.id);
        let cookie_value = self.vault.seal(place, verifier).await?;
        let waits = flow::Entity::update_many()
            .col_expr(flow::Column::StateHash, Expr::value(state.digest()))
            .col_expr(
                flow::Column::ConsumedAt,
                Expr::value(None::<chrono::DateTime<chrono::Utc>>),
            )
            .col_expr(flow::Column::Status, Expr::value(flow::Status::Waiting))
            .col_expr(
                flow::Column::Variables,
                Expr::value(connection::Variables(variables)),
            )
            .filter(flow::Column::Id.eq(flow.id))
            // Not one that was ended on our side meanwhile.
            .filter(flow::Column::Status.eq(flow::Status::Checking))
            .exec(self.store.db())
            .await?;
        Ok((waits.rows_affected == 1).then(|| Prepared {
            flow: flow.id,
            auth_url,
            cookie_name: cookie_name(&state.digest()),
            state,
            cookie_value,
            expires_at: flow.expires_at,
        }))
    }
}
