//! Making, repairing and ending connections.
//!
//! A flow begins in [`Hub::prepare`], comes back in [`Hub::finish`] and ends in
//! a saved connection; [`Hub::disconnect`] gives the grant back.

mod change;
mod draft;
mod end;
mod enter;
mod finish;
mod handover;
mod import;
mod launch;
mod link;
mod list;
mod mapping;
mod prepare;
mod prove;
mod question;
pub(crate) mod rejections;
mod save;
mod talk;
mod usage;
mod usual;

pub use change::Change;
pub use draft::{Draft, Shown, Step, Turn, Turned};
pub use enter::{Tested, Typed};
pub use finish::{Callback, Finished, OtherAccount};
pub use import::Import;
pub use link::{LINK_LIFETIME, LinkStatus, NewLink};
pub use list::{FlowView, Listed, Page};
pub use prepare::{Ask, Begun, Prepared};
pub use question::{Question, questions};
pub use rejections::{Rejections, STOPPED_AFTER_THREE};
pub use usage::Usage;
pub use usual::UsualTimes;

use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};

use crate::{
    Error, Result,
    catalog::Provider,
    failure::Failure,
    hub::Hub,
    people::By,
    record::Reached,
    store::{
        ConnectionId, connection,
        event::{self, Kind},
        flow, flow_outcome, switched_off,
    },
};

/// How long a person has to come back from the provider.
pub const FLOW_LIFETIME: TimeDelta = TimeDelta::minutes(10);

impl Hub {
    /// The callback to register with a provider app: one per app, so that an
    /// answer meant for one authorization server can never be taken to another,
    /// and products that share a registration need one address there.
    pub fn redirect_uri(&self, app: &str) -> String {
        format!("{}oauth/callback/{app}", self.public_url)
    }

    /// The connection that is repaired or extended, if it is one.
    async fn existing(
        &self,
        by: impl Into<By<'_>>,
        provider: &Provider,
        id: Option<ConnectionId>,
    ) -> Result<Option<connection::Model>> {
        let Some(id) = id else {
            return Ok(None);
        };
        let found = connection::of_tenant(self.store.db(), by.into().tenant(), id).await?;
        let own = found.filter(|connection| connection.provider == provider.id);
        own.map(Some).ok_or(Error::NotFound)
    }

    /// The address at which the provider of an app may tell us something.
    pub fn message_uri(&self, app: &str) -> String {
        format!("{}hooks/{app}", self.public_url)
    }

    /// Moves a flow on, and tells whoever follows it.
    async fn move_flow(
        &self,
        flow: &flow::Model,
        status: flow::Status,
        result: Option<ConnectionId>,
        failure: Option<Failure>,
    ) -> Result<flow::Model> {
        let now = self.clock.now();
        let transaction = self.store.begin().await?;
        let moved = flow::ActiveModel {
            id: Set(flow.id),
            status: Set(status),
            result_connection_id: Set(result),
            failure: Set(failure.clone()),
            ..Default::default()
        }
        .update(&transaction)
        .await?;
        // Nothing is recorded where it was switched off.
        let off = switched_off::of_tenant(&transaction, flow.tenant_id).await?;
        let is_off = off.iter().any(|row| row.what == switched_off::METRICS);
        if status.is_final() && !is_off {
            flow_outcome::note(&transaction, &moved, now).await?;
        }
        event::append(
            &transaction,
            event::New {
                tenant: flow.tenant_id,
                kind: Kind::FlowChanged,
                connection: result.or(flow.connection_id),
                person: flow.owner().person(),
                data: event::Data {
                    failure,
                    flow: Some(flow.id),
                    handle: flow.handle.clone(),
                    status: Some(status.as_str().into()),
                    link: flow.link_id,
                    ..Default::default()
                },
            },
            now,
        )
        .await?;
        transaction.commit().await?;
        self.changes.nudge(flow.tenant_id);
        if status.is_final() {
            self.attempt_of_flow(&moved).await?;
        }
        if status == flow::Status::Connected {
            self.meters.step(&flow.provider, Reached::Verified);
        }
        Ok(moved)
    }
}
