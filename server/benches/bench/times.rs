//! What times tell.

use std::time::Duration;

/// The time within which `percent` of a hundred were.
pub fn percentile(percent: usize, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let at = times.len() * percent / 100;
    let last = times.len().saturating_sub(1);
    times.get(at.min(last)).copied().unwrap_or_default()
}
