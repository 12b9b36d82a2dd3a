//! What times tell.

use std::time::Duration;

/// The time that one in a hundred exceeds.
pub fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
