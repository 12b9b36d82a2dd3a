//! Keeps other sites in the developer's browser away from forms and the control API.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::{Host, Url};

use crate::Sandbox;

/// Middleware: refuses foreign host names (DNS rebinding) and changes asked for by other sites. Programs that
/// send neither `Sec-Fetch-Site` nor `Origin` are no browsers, and pass.
pub(crate) async fn own_pages_only(
    State(shop): State<Sandbox>,
    request: Request,
    next: Next,
) -> Response {
    let public_url = shop.shop().public_url.clone();
    let headers = request.headers();
    let changes = ![Method::GET, Method::HEAD].contains(request.method());
    if !is_own_host(headers, &public_url) || (changes && comes_from_elsewhere(headers)) {
        return (
            StatusCode::FORBIDDEN,
            "This request came from another site.\n",
        )
            .into_response();
    }
    next.run(request).await
}

/// Whether `Host` is the shop's public name or names this machine.
fn is_own_host(headers: &HeaderMap, public_url: &Url) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        return true;
    };
    let parsed = host
        .to_str()
        .ok()
        .and_then(|host| Url::parse(&format!("http://{host}")).ok());
    match parsed.as_ref().and_then(Url::host) {
        Some(host) if Some(host.clone()) == public_url.host() => true,
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site != "same-origin" && site != "none",
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_none() || authority != text("host")
        }
        (None, None) => false,
    }
}
