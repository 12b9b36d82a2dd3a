//! What to do about a refresh whose fate is unknown, as a pure function.
//!
//! It was recorded before it was sent, and no outcome followed: the process
//! died, or the answer never came. The provider may or may not have rotated
//! the token. Presenting the same token again either works (nothing had
//! happened, or the provider grants a grace), or shows that the rotation is
//! lost. But where reuse ends the whole grant, and the dead process may have
//! the living token in its spool, that process gets time to come back first.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    catalog::oauth::Rotation,
    store::{NodeId, refresh_attempt},
};

/// How long a dead node's spool is waited for before its token is given up.
pub const SPOOL_PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// The outcome noted on an attempt that got no usable answer, by a process
/// that lived to see it: it has nothing in its spool.
pub const UNCLEAR: &str = "unclear";

/// What is known about where an open attempt's answer could be.
pub struct OpenAttempt {
    /// The attempt.
    pub attempt: refresh_attempt::Model,
    /// When its node last reported an empty spool, if ever.
    pub spool_empty_at: Option<DateTime<Utc>>,
}

/// Whether the stored token may be presented again: `Err` says when to look
/// again. The caller holds the lease, so none of `open` is still under way.
pub fn may_present_again(
    open: &[OpenAttempt],
    rotation: &Rotation,
    mine: &[NodeId],
    now: DateTime<Utc>,
) -> Result<(), DateTime<Utc>> {
    let wait = open
        .iter()
        .filter(|open| rotation.reuse_revokes_family && !answer_cannot_turn_up(open, mine))
        .map(|open| open.attempt.started_at + SPOOL_PATIENCE)
        .filter(|until| *until > now)
        .max();
    match wait {
        Some(until) => Err(until),
        None => Ok(()),
    }
}

fn answer_cannot_turn_up(open: &OpenAttempt, mine: &[NodeId]) -> bool {
    open.attempt.outcome.as_deref() == Some(UNCLEAR)
        || mine.contains(&open.attempt.node_id)
        || open
            .spool_empty_at
            .is_some_and(|at| at > open.attempt.started_at)
}
