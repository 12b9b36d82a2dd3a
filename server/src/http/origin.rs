//! Where a request comes from, noted once for the audit ledger.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::header,
    middleware::Next,
    response::Response,
};
use hub::record::Origin;

use super::{State as Shared, client};

/// Middleware: whoever authenticates the caller takes the origin along. What
/// the request was denied is written down when it has been answered.
pub async fn note(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let origin = match peer {
        Some(ConnectInfo(peer)) => {
            let address = client::address(*peer, headers, &shared.trusted_proxies);
            Origin::of(address, agent)
        }
        None => Origin::default(),
    };
    let response = origin.around(next.run(request)).await;
    shared.hub.record_denied(&origin).await;
    response
}
