//! The only place that reads the time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};

/// Microseconds since the epoch; the precision every database column keeps.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    /// The machine's clock, corrected by what the database's clock says, so
    /// that leases taken by several processes are measured with one clock.
    System { correction_us: AtomicI64 },
    /// A clock that stands still until it is moved.
    Manual { now_us: AtomicI64 },
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
        }))
    }

    /// The time now, in UTC, to the microsecond.
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &*self.0 {
            Source::System { correction_us } => {
                machine_us() + correction_us.load(Ordering::Relaxed)
            }
            Source::Manual { now_us } => now_us.load(Ordering::Relaxed),
        };
        DateTime::from_timestamp_micros(micros).expect("a time within the calendar")
    }

    /// Moves a manual clock forward; a system clock is left alone.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Manual { now_us } = &*self.0 {
            now_us.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// Follows the clock of the database, which read `theirs` just now.
    pub fn follow(&self, theirs: DateTime<Utc>) {
        if let Source::System { correction_us } = &*self.0 {
            correction_us.store(theirs.timestamp_micros() - machine_us(), Ordering::Relaxed);
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
