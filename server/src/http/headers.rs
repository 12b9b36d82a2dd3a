//! What every answer says about how it may be used.
//!
//! A header that a handler has set stays as it is. Pages bring their own
//! content security policy, because theirs names a nonce.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, SET_COOKIE,
            STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};
use hub::Hub;
use url::Url;

use app::flash::COOKIE_GUARD;

use super::sessions::is_secure;

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// For what is not a page: nothing may load, frame or post anything.
const POLICY_OF_DATA: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For pages that stand alone, with our style sheet and scripts and nothing inline.
const POLICY_OF_LONE_PAGES: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// For pages with islands: the same, and the program of the islands. The nonce
/// is what leptos gives its own inline script.
pub fn policy_of_pages(nonce: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("a nonce is base64")
}

/// Nothing here needs a sensor, a wallet or a device.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), \
     gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()";

/// Two years; neighbouring hosts are not ours to decide on.
const TRANSPORT: &str = "max-age=63072000";

/// Middleware: completes every answer.
pub async fn add(State(hub): State<Hub>, request: Request, next: Next) -> Response {
    complete(&hub.public_url, request, next).await
}

async fn complete(public_url: &Url, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let is_page = is_html(response.headers());
    let headers = response.headers_mut();
    let mut or_else = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    or_else(X_CONTENT_TYPE_OPTIONS, "nosniff");
    or_else(PERMISSIONS_POLICY, PERMISSIONS);
    // Only assets are for everybody, and they say so themselves.
    or_else(CACHE_CONTROL, "no-store");
    or_else(
        REFERRER_POLICY,
        match path.starts_with("/oauth/") || path.starts_with("/link/") {
            // Its addresses carry a state and a code, or a secret.
            true => "no-referrer",
            false => "same-origin",
        },
    );
    or_else(
        CONTENT_SECURITY_POLICY,
        match is_page {
            true => POLICY_OF_LONE_PAGES,
            false => POLICY_OF_DATA,
        },
    );
    if is_secure(public_url) {
        or_else(STRICT_TRANSPORT_SECURITY, TRANSPORT);
    }
    // The pages of a flow's own window must still reach the one that opened it:
    // setting the policy there would cut the two apart. So it is with a window in
    // which a host application opened a link.
    let in_own_window = ["/oauth/", "/flows/", "/link/", "/guest"]
        .iter()
        .any(|start| path.starts_with(start));
    if is_page && !in_own_window {
        or_else(OPENER_POLICY, "same-origin-allow-popups");
    }
    guard_cookies(headers, is_secure(public_url));
    response
}

/// No cookie is for scripts or for other sites, and on https none is for http
/// or can be set by a neighbouring host;
/// also not one that only takes another away.
fn guard_cookies(headers: &mut HeaderMap, is_secure: bool) {
    let cookies: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        let mut text = cookie.to_str().unwrap_or_default().to_owned();
        if is_secure && !text.starts_with(COOKIE_GUARD) {
            text.insert_str(0, COOKIE_GUARD);
        }
        for (attribute, value, wanted) in [
            ("; HttpOnly", "", true),
            ("; SameSite=", "Lax", true),
            ("; Secure", "", is_secure),
        ] {
            if wanted && !text.contains(attribute) {
                text.push_str(attribute);
                text.push_str(value);
            }
        }
        headers.append(SET_COOKIE, HeaderValue::from_str(&text).unwrap_or(cookie));
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, body::Body, middleware, response::Html, routing::get};
    use tower::ServiceExt;

    use super::*;

    async fn answer(public_url: &str, path: &str) -> HeaderMap {
        let public_url: Url = public_url.parse().unwrap();
        let page = get(|| async { Html("a page") });
        let app = Router::new()
            .route("/", page.clone())
            .route("/oauth/start/{provider}", page.clone())
            .route("/oauth/callback/{app}", page)
            .route(
                "/own",
                get(|| async { ([(CONTENT_SECURITY_POLICY, "own")], Html("")) }),
            )
            .route(
                "/asset",
                get(|| async { [(CACHE_CONTROL, "public, max-age=86400")] }),
            )
            .route("/data", get(|| async { Json("data") }))
            .layer(middleware::from_fn(move |request: Request, next: Next| {
                let public_url = public_url.clone();
                async move { complete(&public_url, request, next).await }
            }));
        let request = Request::get(path).body(Body::empty()).unwrap();
        app.oneshot(request).await.unwrap().headers().clone()
    }

    const HTTPS: &str = "https://hub.example.com";

    fn said<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn asvs_3_4_every_answer_says_how_it_may_be_used() {
        let page = answer(HTTPS, "/").await;
        assert_eq!(said(&page, "x-content-type-options"), Some("nosniff"));
        assert_eq!(said(&page, "referrer-policy"), Some("same-origin"));
        assert_eq!(said(&page, "cache-control"), Some("no-store"));
        assert_eq!(said(&page, "strict-transport-security"), Some(TRANSPORT));
        assert_eq!(said(&page, "permissions-policy"), Some(PERMISSIONS));
        assert_eq!(
            said(&page, "content-security-policy"),
            Some(POLICY_OF_LONE_PAGES)
        );
        assert_eq!(
            said(&page, "cross-origin-opener-policy"),
            Some("same-origin-allow-popups")
        );

        let data = answer(HTTPS, "/data").await;
        assert_eq!(said(&data, "content-security-policy"), Some(POLICY_OF_DATA));
        assert_eq!(said(&data, "cross-origin-opener-policy"), None);

        let missing = answer(HTTPS, "/nothing/here").await;
        assert_eq!(said(&missing, "x-content-type-options"), Some("nosniff"));
        assert_eq!(
            said(&missing, "content-security-policy"),
            Some(POLICY_OF_DATA)
        );
    }

    #[tokio::test]
    async fn on_http_nobody_is_told_to_come_by_https() {
        let page = answer("http://127.0.0.1:3000", "/").await;
        assert_eq!(said(&page, "strict-transport-security"), None);
    }

    #[tokio::test]
    async fn flows_tell_no_other_site_where_they_were() {
        for path in [
            "/oauth/start/shopify",
            "/oauth/callback/shopify",
            "/oauth/elsewhere",
        ] {
            assert_eq!(
                said(&answer(HTTPS, path).await, "referrer-policy"),
                Some("no-referrer")
            );
        }
    }

    #[tokio::test]
    async fn the_page_that_comes_back_can_still_reach_its_opener() {
        for path in ["/oauth/callback/shopify", "/oauth/start/shopify"] {
            let page = answer(HTTPS, path).await;
            assert_eq!(said(&page, "cross-origin-opener-policy"), None);
        }
    }

    #[tokio::test]
    async fn what_a_handler_said_stays() {
        assert_eq!(
            said(&answer(HTTPS, "/own").await, "content-security-policy"),
            Some("own")
        );
        let asset = answer(HTTPS, "/asset").await;
        assert_eq!(said(&asset, "cache-control"), Some("public, max-age=86400"));
    }
}
