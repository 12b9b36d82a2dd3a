//! Requests, put together as an entry says.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use url::{Url, form_urlencoded};

use super::{Caller, Dialect, DialectError, ProviderApp, signing::Signer};
use crate::{
    catalog::{
        Provider, Template,
        entry::Method,
        oauth::{ClientAuth, Transport},
    },
    failure::{Failure, FailureCode},
    outbound::{Answer, Request, SendError},
    secret::Secret,
};

/// A request in the making.
pub(super) struct Draft<'a> {
    method: Method,
    url: String,
    transport: Transport,
    rename: Option<&'a BTreeMap<String, String>>,
    headers: HeaderMap,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    json: Option<String>,
    signer: Option<Signer<'a>>,
    identity: Option<Secret>,
}

/// A mistake of ours or of the configuration, as the outcome of an attempt.
pub(super) fn misconfigured(error: impl Into<DialectError>) -> Failure {
    let error = error.into();
    let detail = match &error {
        DialectError::MissingVariable(missing) => format!("missing_variable:{}", missing.0),
        DialectError::NotMatching(value) => format!("value_not_matching:{}", value.0),
        DialectError::BadUrl(_) => "address_not_valid".to_owned(),
        DialectError::VerifierMissing => "verifier_missing".to_owned(),
        DialectError::NotOAuth => "not_oauth".to_owned(),
        DialectError::FieldsUnreadable => "fields_unreadable".to_owned(),
    };
    Failure::inferred(FailureCode::HubInternal, detail)
}

impl<'a> Draft<'a> {
    /// A request whose answer is wanted as JSON.
    pub fn new(method: Method, url: String, transport: Transport) -> Self {
        let accept = HeaderValue::from_static("application/json");
        Self {
            method,
            url,
            transport,
            rename: None,
            headers: HeaderMap::from_iter([(ACCEPT, accept)]),
            params: Vec::new(),
            query: Vec::new(),
            json: None,
            signer: None,
            identity: None,
        }
    }

    /// From here on, parameters are called as `names` says.
    pub fn renaming(mut self, names: &'a BTreeMap<String, String>) -> Self {
        self.rename = Some(names);
        self
    }

    /// Adds a parameter; a later one of the same name takes its place.
    pub fn param(&mut self, name: &str, value: &str) {
        let name = self
            .rename
            .and_then(|names| names.get(name))
            .map_or(name, String::as_str);
        self.params.retain(|(known, _)| known != name);
        self.params.push((name.to_owned(), value.to_owned()));
    }

    pub fn params<'v>(
        &mut self,
        templates: &BTreeMap<String, Template>,
        value: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<(), Failure> {
        for (name, template) in templates {
            self.param(name, &template.fill(&value).map_err(misconfigured)?);
        }
        Ok(())
    }

    pub fn headers<'v>(
        &mut self,
        templates: &BTreeMap<String, Template>,
        value: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<(), Failure> {
        for (name, template) in templates {
            self.header(name, &template.fill(&value).map_err(misconfigured)?, false)?;
        }
        Ok(())
    }

    /// Adds a parameter to the address, however the others travel.
    pub fn query(&mut self, name: &str, value: &str) {
        self.query.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a whole JSON body in place of parameters.
    pub fn json(&mut self, body: String) {
        self.json = Some(body);
    }

    pub fn header(&mut self, name: &str, value: &str, sensitive: bool) -> Result<(), Failure> {
        let not_sendable =
            || Failure::inferred(FailureCode::HubInternal, format!("header_not_valid:{name}"));
        let header = HeaderName::try_from(name).map_err(|_| not_sendable())?;
        let mut value = HeaderValue::try_from(value).map_err(|_| not_sendable())?;
        value.set_sensitive(sensitive);
        self.headers.insert(header, value);
        Ok(())
    }

    /// Carries the access token as the provider's API wants it.
    pub fn bearer(&mut self, provider: &Provider, token: &Secret) -> Result<(), Failure> {
        let api = &provider.api;
        self.header(
            &api.header,
            &format!("{}{}", api.prefix, token.expose()),
            true,
        )
    }

    /// Lets the finished call be signed, or show our certificate, where the
    /// provider's API wants that.
    pub fn signed(
        &mut self,
        provider: &'a Provider,
        caller: Caller<'a>,
        at: DateTime<Utc>,
    ) -> Result<(), Failure> {
        self.signer = Signer::of(provider, caller, at)?;
        if let (true, Some(app)) = (provider.knows_us_by_certificate(), caller.app) {
            self.identity = Some(Secret::new(app.client_secret.expose()));
        }
        Ok(())
    }

    /// Proves that we are the app.
    pub fn client(&mut self, how: ClientAuth, app: &ProviderApp) -> Result<(), Failure> {
        let secret = app.client_secret.expose();
        match how {
            ClientAuth::Basic => self.basic(&app.client_id, secret)?,
            ClientAuth::SecretAsUser => self.basic(secret, "")?,
            ClientAuth::Body => {
                self.param("client_id", &app.client_id);
                self.param("client_secret", secret);
            }
            ClientAuth::Query => {
                self.query("client_id", &app.client_id);
                self.query("client_secret", secret);
            }
            ClientAuth::IdOnly => self.param("client_id", &app.client_id),
            ClientAuth::Certificate => {
                self.param("client_id", &app.client_id);
                self.identity = Some(Secret::new(secret));
            }
            // The assertion says who we are; the id goes along.
            ClientAuth::PrivateKeyJwt => self.param("client_id", &app.client_id),
            ClientAuth::None => {}
        }
        Ok(())
    }

    /// Basic authentication as it is (RFC 7617).
    pub fn basic_as_is(&mut self, user: &str, password: &str) -> Result<(), Failure> {
        let both = STANDARD.encode(format!("{user}:{password}"));
        self.header(AUTHORIZATION.as_str(), &format!("Basic {both}"), true)
    }

    /// Basic authentication of an OAuth client (RFC 6749 §2.3.1).
    fn basic(&mut self, user: &str, password: &str) -> Result<(), Failure> {
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        self.basic_as_is(&encode(user), &encode(password))
    }

    fn finish(self) -> Result<Request, Failure> {
        let Self {
            method,
            url,
            transport,
            mut headers,
            params,
            query,
            json,
            signer,
            ..
        } = self;
        let mut url = Url::parse(&url).map_err(misconfigured)?;
        let method = match method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
            Method::Delete => http::Method::DELETE,
        };
        let in_query = method == http::Method::GET || transport == Transport::Query;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(&query);
        }
        let body = if let Some(json) = json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Some(json.into_bytes())
        } else if params.is_empty() {
            None
        } else if in_query {
            url.query_pairs_mut().extend_pairs(&params);
            None
        } else {
            let (kind, body) = match transport {
                Transport::Json => {
                    let fields = params.into_iter().map(|(name, value)| (name, value.into()));
                    let object = serde_json::Value::Object(fields.collect());
                    ("application/json", object.to_string())
                }
                Transport::Form | Transport::Query => {
                    let mut form = form_urlencoded::Serializer::new(String::new());
                    (
                        "application/x-www-form-urlencoded",
                        form.extend_pairs(&params).finish(),
                    )
                }
            };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            Some(body.into_bytes())
        };
        if let Some(signer) = signer {
            signer.sign(&mut url, body.as_deref().unwrap_or_default());
        }
        Ok(Request {
            method,
            url,
            headers,
            body,
        })
    }
}

/// An answer, or why there is none.
pub(super) enum Sent {
    /// With the time the request was sent.
    Answered(DateTime<Utc>, Answer),
    /// The request could not be made or sent, or nothing came back.
    Failed {
        failure: Failure,
        may_have_acted: bool,
    },
}

impl Dialect {
    pub(super) async fn send(&self, mut draft: Draft<'_>) -> Sent {
        let identity = draft.identity.take();
        let request = match draft.finish() {
            Ok(request) => request,
            Err(failure) => {
                return Sent::Failed {
                    failure,
                    may_have_acted: false,
                };
            }
        };
        let at = self.clock.now();
        match self.outbound.send_as(request, identity.as_ref()).await {
            Ok(answer) => Sent::Answered(at, answer),
            Err(error) => Sent::Failed {
                failure: error.failure(),
                may_have_acted: matches!(error, SendError::NoAnswer(_)),
            },
        }
    }
}
