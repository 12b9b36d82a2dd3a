//! The only place that reads the time.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

/// Microseconds since the epoch; the precision every database column keeps.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    /// The machine's clock, corrected by what the database's clock says, so
    /// that leases taken by several processes are measured with one clock.
    System { correction_us: AtomicI64 },
    /// A clock that stands still until it is moved.
    Manual {
        now_us: AtomicI64,
        moved: Notify,
        /// The times that somebody sleeps until.
        waited_for: Mutex<Vec<DateTime<Utc>>>,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(Source::System {
            correction_us: AtomicI64::new(0),
        }))
    }

    /// A clock that moves only by [`Clock::advance`], for tests and rehearsals.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Arc::new(Source::Manual {
            now_us: AtomicI64::new(start.timestamp_micros()),
            moved: Notify::new(),
            waited_for: Mutex::default(),
        }))
    }

    /// The time now, in UTC, to the microsecond.
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &*self.0 {
            Source::System { correction_us } => {
                machine_us() + correction_us.load(Ordering::Relaxed)
            }
            Source::Manual { now_us, .. } => now_us.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).expect("a time within the calendar")
    }

    /// Moves a manual clock forward; a system clock is left alone.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Manual { now_us, moved, .. } = &*self.0 {
            now_us.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
            moved.notify_waiters();
        }
    }

    /// Waits so long: on a manual clock, until it was moved that far.
    pub async fn sleep(&self, span: TimeDelta) {
        let Source::Manual {
            moved, waited_for, ..
        } = &*self.0
        else {
            return tokio::time::sleep(span.to_std().unwrap_or_default()).await;
        };
        let until = self.now() + span;
        let _noted = Noted::new(waited_for, until);
        loop {
            let is_moved = moved.notified();
            if self.now() >= until {
                return;
            }
            is_moved.await;
        }
    }

    /// What `future` comes to, if it does so within `limit`.
    pub async fn within<T>(&self, limit: TimeDelta, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = future => Some(done),
            () = self.sleep(limit) => None,
        }
    }

    /// The next time that somebody sleeps until, on a manual clock.
    pub fn waited_for(&self) -> Option<DateTime<Utc>> {
        match &*self.0 {
            Source::System { .. } => None,
            Source::Manual { waited_for, .. } => {
                let times = waited_for.lock().unwrap_or_else(PoisonError::into_inner);
                times.iter().min().copied()
            }
        }
    }

    /// Follows the clock of the database, which read `theirs` just now.
    pub fn follow(&self, theirs: DateTime<Utc>) {
        if let Source::System { correction_us } = &*self.0 {
            correction_us.store(theirs.timestamp_micros() - machine_us(), Ordering::Relaxed);
        }
    }
}

/// A time that is waited for, as long as this lives.
struct Noted<'a> {
    times: &'a Mutex<Vec<DateTime<Utc>>>,
    at: DateTime<Utc>,
}

impl<'a> Noted<'a> {
    fn new(times: &'a Mutex<Vec<DateTime<Utc>>>, at: DateTime<Utc>) -> Self {
        let mut all = times.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(at);
        drop(all);
        Self { times, at }
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        let mut all = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.iter().position(|at| *at == self.at) {
            all.swap_remove(own);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the machine's clock"
)]
fn machine_us() -> i64 {
    Utc::now().timestamp_micros()
}
