//! Rows 56 and 58: the process dies, the database goes away, the disk is full.
//!
//! Real processes, a real database, and the sandbox as a provider that rotates.

mod disk;
mod outage;
mod postgres;
mod process;
mod reading;

use reqwest::StatusCode;
use sandbox::{ACCOUNTS, Grace, Rotation, Sandbox, Scope};
use serde_json::Value;

use process::{Hub, shop};

// Row 56: kill the process at every step of a refresh and start it again. With grace
// everything recovers; without, only the one window that nobody can close, between the
// provider's rotation and our first write, and that one is reported.

/// Kills the hub at `point` of a refresh, starts it again, and reads the token.
async fn crash_at(point: &str, rotation: Rotation) -> (StatusCode, Value, Sandbox) {
    let (shop, url) = shop(rotation).await;
    let mut hub = Hub::new(&url).await;
    hub.start(Some(point)).await;
    let tokens = shop.grant("crash", ACCOUNTS[0].id, &Scope::ALL).unwrap();
    let id = hub.import(&tokens).await;
    let path = format!("/v1/connections/{id}/token");
    assert!(
        hub.get(&path).await.is_none(),
        "{point}: it died before it answered"
    );
    hub.wait_for_death();
    hub.start(None).await;
    let (status, body) = hub.get(&path).await.expect("an answer");
    (status, body, shop)
}

/// Every step at which a process can die, and whether the provider has rotated
/// by then while nothing of ours holds the new token.
const POINTS: [(&str, bool); 6] = [
    ("before_intent", false),
    ("after_intent", false),
    ("after_answer", true),
    ("after_seal", true),
    // The database could not take the answer, so it went to the spool.
    ("commit_fails+after_spool", false),
    ("after_commit", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn with_grace_every_crash_recovers() {
    for grace in [Grace::Seconds(60), Grace::UntilReplacementUsed] {
        for (point, _) in POINTS {
            let rotation = Rotation::On {
                grace,
                reuse_detection: true,
            };
            let (status, body, shop) = crash_at(point, rotation).await;
            assert_eq!(status, StatusCode::OK, "{point} {grace:?}: {body}");
            assert_eq!(shop.calls().families_revoked, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_grace_only_the_unavoidable_crash_loses_and_says_so() {
    for (point, lost) in POINTS {
        let (status, body, _) = crash_at(point, Rotation::STRICT).await;
        if lost {
            assert_eq!(status, StatusCode::CONFLICT, "{point}: {body}");
            assert_eq!(body["code"], "GRANT_REVOKED_OR_EXPIRED");
            assert_eq!(body["failure_detail"], "lost_rotation");
        } else {
            assert_eq!(status, StatusCode::OK, "{point}: {body}");
        }
    }
}
