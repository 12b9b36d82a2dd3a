//! Is the process alive, and may it be sent requests?

use axum::{Router, extract::State, http::StatusCode, routing::get};
use hub::Hub;

/// `/healthz` and `/readyz`.
pub fn router<S: Clone + Send + Sync + 'static>(hub: Hub) -> Router<S> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(hub)
}

async fn ready(State(hub): State<Hub>) -> (StatusCode, &'static str) {
    match hub.store.takes_writes().await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!("not ready: the database takes no writes");
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database takes no writes\n",
            );
        }
        Err(error) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            );
        }
    }
    if let Err(error) = hub.spool.prove() {
        tracing::warn!(%error, "not ready: the disk of the data directory takes nothing");
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "the disk of the data directory takes nothing\n",
        );
    }
    if let Err(error) = hub.vault.prove_master_key().await {
        tracing::warn!(%error, "not ready: the master key does not open what is stored");
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "the master key does not open what is stored\n",
        );
    }
    if !hub.spool.is_empty() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "renewed tokens wait for the database\n",
        );
    }
    (StatusCode::OK, "ready\n")
}
