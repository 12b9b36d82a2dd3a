//! `/metrics` for Prometheus: with the operator's token on the hub's own
//! address, or on an address of its own.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hub::{Hub, secret::Secret};
use subtle::ConstantTimeEq;

use super::api::bearer;

/// Where it is.
const PATH: &str = "/metrics";
/// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Who may read it.
#[derive(Clone)]
pub enum Readers {
    /// Whoever shows this token; nobody where there is none.
    WithToken(Option<Arc<Secret>>),
    /// Whoever reaches the address.
    Anybody,
}

/// The page.
pub fn router<S: Clone + Send + Sync + 'static>(hub: Hub, readers: Readers) -> Router<S> {
    Router::new()
        .route(PATH, get(page))
        .with_state((hub, readers))
}

async fn page(State((hub, readers)): State<(Hub, Readers)>, headers: HeaderMap) -> Response {
    let may = match &readers {
        Readers::Anybody => true,
        Readers::WithToken(None) => false,
        Readers::WithToken(Some(token)) => bearer(&headers).is_ok_and(|shown| {
            // Compared by their digests: neither length nor content can be timed.
            let shown = Secret::new(shown).digest();
            bool::from(shown.ct_eq(&token.digest()))
        }),
    };
    // To everybody else it is not there.
    if !may {
        return StatusCode::NOT_FOUND.into_response();
    }
    match hub.metrics_page().await {
        Ok(page) => ([(header::CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be read");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
