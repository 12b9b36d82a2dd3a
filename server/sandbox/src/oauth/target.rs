//! Sending the browser back to the app.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use url::{Url, form_urlencoded};

use crate::{
    Shop,
    faults::{Endpoint, FaultKind},
    pages::{self, consent},
};

/// Where the answer goes: a registered address of a known client.
pub(super) struct Target {
    pub client_id: String,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub form_post: bool,
}

impl Target {
    /// Answers with an error (RFC 6749, 4.1.2.1).
    pub fn refuse(&self, shop: &mut Shop, error: &str, description: &str) -> Response {
        shop.calls.denials += 1;
        self.send_back(
            shop,
            &[("error", error), ("error_description", description)],
        )
    }

    /// Sends the browser to the app with this answer, its `state`, and our `iss` (RFC 9207).
    pub fn send_back(&self, shop: &mut Shop, answer: &[(&str, &str)]) -> Response {
        let faults = &mut shop.faults;
        let issuer = if faults.strikes(Endpoint::Authorize, &FaultKind::NoIssuer) {
            None
        } else if faults.strikes(Endpoint::Authorize, &FaultKind::WrongIssuer) {
            Some("https://another-issuer.example".to_owned())
        } else {
            Some(shop.issuer())
        };
        let mut pairs = answer.to_vec();
        pairs.extend(self.state.as_deref().map(|state| ("state", state)));
        pairs.extend(issuer.as_deref().map(|issuer| ("iss", issuer)));
        if self.form_post {
            let page = consent::form_post(&self.redirect_uri, &pairs);
            return pages::respond(StatusCode::OK, page, &[&form_source(&self.redirect_uri)]);
        }
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let separator = if self.redirect_uri.contains('?') {
            '&'
        } else {
            '?'
        };
        let location = format!("{}{separator}{query}", self.redirect_uri);
        let headers = [
            (header::LOCATION, location),
            (header::CACHE_CONTROL, "no-store".to_owned()),
        ];
        (StatusCode::SEE_OTHER, headers).into_response()
    }
}

/// The redirect URI as a CSP source: `form-action` also binds the redirect that answers our own form.
pub(super) fn form_source(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => "'none'".to_owned(),
    }
}
