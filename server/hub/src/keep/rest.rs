//! Letting a connection rest, and having it work again: chosen by a person.
//!
//! What rests is not checked, not read and not lent, and nobody is told of its
//! trouble. Its token is renewed all the same, so that the approval lives.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use crate::{
    Error, Result,
    connect::Listed,
    hub::Hub,
    people::By,
    record::{Deed, Entry},
    store::{
        ConnectionId, connection,
        event::{self, Kind},
    },
};

impl Hub {
    /// Lets a connection rest until somebody has it resumed.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn pause(&self, by: impl Into<By<'_>>, id: ConnectionId) -> Result<Listed> {
        self.rest(by.into(), id, true).await
    }

    /// Has a connection that rests work again: it is checked at once.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn resume(&self, by: impl Into<By<'_>>, id: ConnectionId) -> Result<Listed> {
        self.rest(by.into(), id, false).await
    }

    async fn rest(&self, by: By<'_>, id: ConnectionId, rests: bool) -> Result<Listed> {
        by.may_connect()?;
        let now = self.clock.now();
        let ledger = self.ledger(by.tenant()).await?;
        let transaction = self.store.begin().await?;
        let row = connection::of_tenant(&transaction, by.tenant(), id)
            .await?
            .filter(|row| row.disconnected_at.is_none())
            .ok_or(Error::NotFound)?;
        // Asked twice, it is as it was asked for.
        if row.paused_at.is_some() != rests {
            let mut change = row.into_active_model();
            change.paused_at = Set(rests.then_some(now));
            change.next_check_at = Set((!rests).then_some(now));
            if rests {
                // Told with the pause: whoever rests has no trouble.
                change.alarm = Set(None);
            }
            let row = change.update(&transaction).await?;
            let kind = match rests {
                true => Kind::ConnectionPaused,
                false => Kind::ConnectionResumed,
            };
            let data = event::Data::default();
            self.tell_as(&transaction, &row, kind, by.person(), data)
                .await?;
            if !rests {
                // What went wrong meanwhile is told now.
                self.settle_alarm(&transaction, by.tenant(), id, None)
                    .await?;
            }
            let deed = match rests {
                true => Deed::ConnectionPaused,
                false => Deed::ConnectionResumed,
            };
            let entry = Entry::new(by, deed).on(id).saying(row.provider.clone());
            ledger.append(&transaction, entry).await?;
        }
        transaction.commit().await?;
        self.changes.nudge(by.tenant());
        self.one(by.tenant(), id).await
    }
}
