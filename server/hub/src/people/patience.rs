//! Going on by itself for a while when the hub cannot answer a sign-in: its
//! queue of passwords is full, or its database is away or slow.

use std::future::Future;

use chrono::TimeDelta;

use crate::{
    Error, Hub, Result,
    failure::{Failure, FailureCode},
    store::is_away,
};

/// How long a try may take.
const ANSWERS_WITHIN: TimeDelta = TimeDelta::seconds(4);
/// How long is waited before each further try.
const WAITS: [TimeDelta; 3] = [
    TimeDelta::seconds(1),
    TimeDelta::seconds(3),
    TimeDelta::seconds(9),
];

/// What is answered while every place for a password is taken.
pub(super) fn queue_full() -> Error {
    Failure::told(FailureCode::SignInSlow, "queue_full").into()
}

impl Hub {
    /// Does `what`, and again after a while as long as it is only slow.
    ///
    /// # Errors
    /// Those of `what`, and AUTH_001 when every try took too long.
    pub(super) async fn patiently<T, F>(&self, what: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut waits = WAITS.into_iter();
        loop {
            let slow = match self.clock.within(ANSWERS_WITHIN, what()).await {
                Some(Err(Error::Failed(failure))) if failure.code == FailureCode::SignInSlow => {
                    *failure
                }
                Some(Err(Error::Database(error))) if is_away(&error) => {
                    tracing::warn!(%error, "the database did not answer a sign-in");
                    Failure::told(FailureCode::SignInSlow, "database_away")
                }
                Some(done) => return done,
                None => Failure::inferred(FailureCode::SignInSlow, "no_answer_in_time"),
            };
            let Some(wait) = waits.next() else {
                tracing::error!(failure.detail = %slow.detail, "nobody could be signed in");
                return Err(slow.into());
            };
            self.clock.sleep(wait).await;
        }
    }
}
