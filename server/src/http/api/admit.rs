//! Who calls, and how often they may.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hub::{
    Hub,
    people::{Allowance, Host},
};

use super::{
    super::{
        problem::{Answer, Problem},
        reach,
    },
    once,
};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Middleware: finds out who calls, counts the call, and lets a request that
/// was sent twice be done once. Handlers find the [`Host`] in the request.
pub async fn caller(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    let host = match host(&hub, request.headers()).await {
        Ok(host) => host,
        Err(problem) => return problem.into_response(),
    };
    let allowance = hub.limits.spend(&host);
    let mut response = match allowed(&allowance) {
        Ok(()) => {
            request.extensions_mut().insert(host.clone());
            let reach = reach::of(&host);
            let next = once::run(&hub, &host, request, next);
            reach.around(next).await
        }
        Err(problem) => problem.into_response(),
    };
    tell(response.headers_mut(), &allowance);
    response
}

/// Who shows a living key or token.
pub async fn host(hub: &Hub, headers: &HeaderMap) -> Answer<Host> {
    hub.authenticate_key(bearer(headers)?)
        .await?
        .ok_or_else(Problem::unauthenticated)
}

/// What stands after `Bearer`.
pub fn bearer(headers: &HeaderMap) -> Answer<&str> {
    let value = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(Problem::unauthenticated)?;
    match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(key.trim()),
        _ => Err(Problem::unauthenticated()),
    }
}

/// A problem where a budget is used up.
pub fn allowed(allowance: &Allowance) -> Answer<()> {
    match allowance.wait {
        Some(wait) => Err(Problem::throttled(wait)),
        None => Ok(()),
    }
}

/// Says what is left of the budgets
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>).
pub fn tell(headers: &mut HeaderMap, allowance: &Allowance) {
    let list = |one: &dyn Fn(&hub::people::Policy) -> String| {
        let items: Vec<_> = allowance.policies.iter().map(one).collect();
        HeaderValue::from_str(&items.join(", ")).expect("names and numbers")
    };
    headers.insert(
        RATE_LIMIT_POLICY,
        list(&|one| format!("\"{}\";q={};w={}", one.name, one.quota, one.window_s)),
    );
    headers.insert(
        RATE_LIMIT,
        list(&|one| format!("\"{}\";r={};t={}", one.name, one.remaining, one.reset_s)),
    );
}
