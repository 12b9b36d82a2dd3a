//! The one gate for everything that changes something.
//!
//! A browser sends our cookie with requests that other sites cause. So whatever
//! is not a GET or HEAD has to show that one of our own pages caused it:
//! `Sec-Fetch-Site`, which every current browser sends and no page can forge,
//! or else `Origin`.
//!
//! Exempt are, and nothing else: requests below `/v1/` that carry a bearer key, or
//! no cookie either, because no cookie is their authority; `/oauth/callback/`, where
//! some providers send the person back by a form of theirs, and
//! `/oauth/handover/`, where some servers bring keys, both guarded by the flow's
//! state; and `/hooks/`, where every message is signed, and a DELETE of
//! `/oauth/callback/` that carries an app's secret, which is such a message, too.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use hub::Hub;
use url::{Host, Url};

use super::problem::Problem;

const SEC_FETCH_SITE: &str = "sec-fetch-site";
const SEC_FETCH_MODE: &str = "sec-fetch-mode";

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// Another site caused it, or nobody can tell.
    OtherSite,
    /// A form can send this kind of body anywhere without asking.
    PlainText,
    /// A name that is not ours leads to this machine (DNS rebinding): its pages
    /// are same-origin with themselves.
    OtherName,
}

/// Middleware: see the module.
pub async fn check(State(hub): State<Hub>, request: Request, next: Next) -> Response {
    pass(&hub.public_url, request, next).await
}

async fn pass(public_url: &Url, request: Request, next: Next) -> Response {
    if let Some(address) = canonical(public_url, &request) {
        return Redirect::temporary(&address).into_response();
    }
    if let Some(refusal) = refusal(public_url, &request) {
        // The path is left out: it may carry what only a provider should know.
        tracing::warn!(
            security = true, ?refusal, http.method = %request.method(),
            "a request that no page of ours caused was refused"
        );
        if request.uri().path().starts_with("/v1/") {
            return Problem::no_authority().into_response();
        }
        let message = format!(
            "This request did not come from a page of Linkwell. Open {} and try again there.\n",
            origin(public_url)
        );
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    next.run(request).await
}

fn refusal(public_url: &Url, request: &Request) -> Option<Refusal> {
    let headers = request.headers();
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if reads || is_exempt(request.method(), request.uri().path(), headers) {
        return None;
    }
    if content_type(headers).is_some_and(|kind| kind.eq_ignore_ascii_case("text/plain")) {
        return Some(Refusal::PlainText);
    }
    // Only here, where no proxy stands in between, is the name asked for ours.
    let is_local = public_url.host_str().is_some_and(is_loopback);
    if is_local && !asked_host(request).is_some_and(|asked| is_loopback(asked.host())) {
        return Some(Refusal::OtherName);
    }
    let ours = match said(headers, SEC_FETCH_SITE) {
        Some(site) => site == b"same-origin",
        None => said(headers, ORIGIN.as_str()) == Some(origin(public_url).as_bytes()),
    };
    (!ours).then_some(Refusal::OtherSite)
}

/// Where to look at the same page under the one name that cookies and redirect
/// addresses are made for: `localhost` and `127.0.0.1` are two sites to a
/// browser. None when it is looked at there, or is no page.
fn canonical(public_url: &Url, request: &Request) -> Option<String> {
    let ours = public_url.host_str()?;
    let asked = asked_host(request)?;
    let asked_port = asked.port_u16().or_else(|| default_port(public_url));
    let is_alias = is_loopback(ours)
        && is_loopback(asked.host())
        && asked.host() != ours
        && asked_port == public_url.port_or_known_default();
    let is_page = request.method() == Method::GET && is_navigation(request.headers());
    let rest = request
        .uri()
        .path_and_query()
        .map_or("/", |rest| rest.as_str());
    (is_alias && is_page).then(|| format!("{}{rest}", origin(public_url)))
}

/// `https://hub.example.com`, as browsers send it.
fn origin(public_url: &Url) -> String {
    public_url.origin().ascii_serialization()
}

fn default_port(public_url: &Url) -> Option<u16> {
    match public_url.scheme() {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    }
}

fn is_exempt(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let carries = |scheme: &[u8]| {
        headers.get(AUTHORIZATION).is_some_and(|value| {
            let said = value.as_bytes().get(..scheme.len());
            said.is_some_and(|said| said.eq_ignore_ascii_case(scheme))
        })
    };
    (path.starts_with("/v1/") && (carries(b"bearer ") || !headers.contains_key(COOKIE)))
        || (method == Method::DELETE && path.starts_with("/oauth/callback/") && carries(b"basic "))
        || (method == Method::POST
            && ["/oauth/callback/", "/oauth/handover/", "/hooks/"]
                .iter()
                .any(|start| path.starts_with(start)))
}

/// What a header says; when it is there several times and says different
/// things, something that is never right.
fn said<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = values.next()?;
    Some(if values.all(|value| value == first) {
        first
    } else {
        b""
    })
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

/// The name the request was sent to.
fn asked_host(request: &Request) -> Option<Authority> {
    match request.headers().get(HOST) {
        Some(host) => host.to_str().ok()?.parse().ok(),
        None => request.uri().authority().cloned(),
    }
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Ok(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Err(_) => false,
    }
}

/// Whether a browser is going to show the answer as a page.
fn is_navigation(headers: &HeaderMap) -> bool {
    match headers.get(SEC_FETCH_MODE) {
        Some(mode) => mode == "navigate",
        None => headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html")),
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn, routing::any};
    use http::request::Builder;
    use tower::ServiceExt;

    use super::*;

    async fn answer(public_url: &str, request: Builder) -> Response {
        let public_url: Url = public_url.parse().unwrap();
        let app = Router::new()
            .fallback(any(|| async { "through" }))
            .layer(from_fn(move |request: Request, next: Next| {
                let public_url = public_url.clone();
                async move { pass(&public_url, request, next).await }
            }));
        app.oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    fn post(path: &str) -> Builder {
        Request::post(path).header("host", "hub.example.com")
    }

    const HUB: &str = "https://hub.example.com";
    const LOCAL: &str = "http://127.0.0.1:3000";

    #[tokio::test]
    async fn asvs_3_5_only_our_own_pages_change_something() {
        let passes = [
            post("/").header("sec-fetch-site", "same-origin"),
            post("/").header("origin", HUB),
            post("/")
                .header("origin", HUB)
                .header("content-type", "application/x-www-form-urlencoded"),
            // A page whose referrer policy hides where it is.
            post("/")
                .header("sec-fetch-site", "same-origin")
                .header("origin", "null"),
        ];
        for request in passes {
            assert_eq!(answer(HUB, request).await.status(), StatusCode::OK);
        }
        let refused = [
            post("/"),
            post("/")
                .header("sec-fetch-site", "cross-site")
                .header("origin", HUB),
            post("/").header("sec-fetch-site", "same-site"),
            post("/").header("sec-fetch-site", "none"),
            post("/")
                .header("sec-fetch-site", "same-origin")
                .header("sec-fetch-site", "cross-site"),
            post("/").header("origin", "https://evil.example"),
            post("/").header("origin", "https://hub.example.com.evil.example"),
            post("/").header("origin", "http://hub.example.com"),
            post("/").header("origin", "https://hub.example.com:8443"),
            post("/")
                .header("origin", HUB)
                .header("origin", "https://evil.example"),
            post("/").header("origin", "null"),
            post("/").header("referer", format!("{HUB}/")),
            post("/")
                .header("origin", "https://evil.example")
                .header("host", "evil.example")
                .header("x-forwarded-host", "evil.example"),
            post("/")
                .header("sec-fetch-site", "same-origin")
                .header("content-type", "text/plain"),
            post("/")
                .header("origin", HUB)
                .header("content-type", "Text/Plain; charset=utf-8"),
        ];
        for request in refused {
            let shown = format!("{:?}", request.headers_ref());
            assert_eq!(
                answer(HUB, request).await.status(),
                StatusCode::FORBIDDEN,
                "{shown}"
            );
        }
    }

    #[tokio::test]
    async fn every_method_but_get_and_head_goes_through_the_gate() {
        for method in [
            "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
        ] {
            let request = Request::builder()
                .method(method)
                .uri("/")
                .header("host", "hub.example.com");
            assert_eq!(
                answer(HUB, request).await.status(),
                StatusCode::FORBIDDEN,
                "{method}"
            );
        }
        for method in ["GET", "HEAD"] {
            let request = Request::builder()
                .method(method)
                .uri("/")
                .header("host", "hub.example.com");
            assert_eq!(
                answer(HUB, request).await.status(),
                StatusCode::OK,
                "{method}"
            );
        }
    }

    #[tokio::test]
    async fn exactly_these_kinds_of_requests_are_exempt() {
        let exempt = [
            // Who they are is asked for next, and there is nothing to go by.
            post("/v1/connections"),
            post("/v1/connections").header("authorization", "Bearer lw_key"),
            post("/v1/connections")
                .header("authorization", "bearer lw_key")
                .header("origin", "https://evil.example"),
            post("/oauth/callback/apple").header("sec-fetch-site", "cross-site"),
            post("/oauth/handover/shop"),
            post("/hooks/shop"),
            Request::delete("/oauth/callback/crm")
                .header("host", "hub.example.com")
                .header("authorization", "Basic YTpi"),
        ];
        for request in exempt {
            assert_eq!(answer(HUB, request).await.status(), StatusCode::OK);
        }
        let not = [
            post("/v1/connections")
                .header("authorization", "Basic bGlu")
                .header("cookie", "linkwell=x"),
            post("/v1/connections").header("cookie", "linkwell=x"),
            post("/v1").header("authorization", "Bearer lw_key"),
            post("/v1x/connections").header("authorization", "Bearer lw_key"),
            post("/api/sign_out").header("authorization", "Bearer lw_key"),
            post("/oauth/callback"),
            post("/oauth/start/apple").header("sec-fetch-site", "cross-site"),
            Request::delete("/oauth/callback/apple").header("host", "hub.example.com"),
        ];
        for request in not {
            let shown = format!("{:?}", request.uri_ref());
            assert_eq!(
                answer(HUB, request).await.status(),
                StatusCode::FORBIDDEN,
                "{shown}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_was_rebound_to_this_machine_changes_nothing() {
        let from = |host: &str| {
            Request::post("/api/set_up")
                .header("host", host)
                .header("sec-fetch-site", "same-origin")
        };
        for ours in ["127.0.0.1:3000", "localhost:3000", "[::1]:3000"] {
            assert_eq!(
                answer(LOCAL, from(ours)).await.status(),
                StatusCode::OK,
                "{ours}"
            );
        }
        for other in [
            "evil.example:3000",
            "127.0.0.1.evil.example:3000",
            "",
            "a b",
        ] {
            assert_eq!(
                answer(LOCAL, from(other)).await.status(),
                StatusCode::FORBIDDEN,
                "{other}"
            );
        }
        // Behind a proxy the name asked for may be anything.
        assert_eq!(
            answer(HUB, from("backend:8080")).await.status(),
            StatusCode::OK
        );
    }

    #[tokio::test]
    async fn a_page_under_another_loopback_name_is_shown_under_the_one() {
        let visit = |host: &str, uri: &str| {
            Request::get(uri)
                .header("host", host)
                .header("sec-fetch-mode", "navigate")
        };
        for (host, uri) in [
            ("localhost:3000", "/connect/shopify?a=b"),
            ("[::1]:3000", "//evil.example"),
        ] {
            let answer = answer(LOCAL, visit(host, uri)).await;
            assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
            assert_eq!(answer.headers()["location"], format!("{LOCAL}{uri}"));
        }
        let old = Request::get("/")
            .header("host", "localhost:3000")
            .header("accept", "text/html,*/*");
        assert_eq!(
            answer(LOCAL, old).await.status(),
            StatusCode::TEMPORARY_REDIRECT
        );

        let stays = [
            visit("127.0.0.1:3000", "/"),
            visit("localhost:4000", "/"),
            visit("evil.example:3000", "/"),
            Request::get("/assets/site.css")
                .header("host", "localhost:3000")
                .header("sec-fetch-mode", "no-cors"),
            Request::get("/healthz")
                .header("host", "localhost:3000")
                .header("accept", "*/*"),
        ];
        for request in stays {
            assert_eq!(answer(LOCAL, request).await.status(), StatusCode::OK);
        }
        assert_eq!(
            answer(HUB, visit("localhost", "/")).await.status(),
            StatusCode::OK
        );
    }
}
