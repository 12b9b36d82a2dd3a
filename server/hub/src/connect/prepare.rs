//! The beginning of a flow.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, IntoActiveModel};
use url::Url;

use super::FLOW_LIFETIME;
use crate::{
    Error, FieldProblem, Result,
    catalog::{Incremental, Provider, SignIn, Variables, oauth::Delivery},
    dialect::AuthorizeAsk,
    failure::{Failure, FailureCode},
    hub::Hub,
    keep::health::Status,
    people::{By, Wanted},
    record::Reached,
    secret::Secret,
    store::{ConnectionId, FlowId, connection, flow, words},
    vault::Place,
};

/// What a person asks for when pressing Connect.
#[derive(Default)]
pub struct Ask {
    /// What was typed for the entry's variables, by name.
    pub variables: BTreeMap<String, String>,
    /// Scopes beyond those asked for by default.
    pub scopes: Vec<String>,
    /// The connection to repair or extend; none makes a new one.
    pub connection: Option<ConnectionId>,
    /// A random word by which the opener follows the flow.
    pub handle: Option<String>,
    /// Whether the provider opens in a window of its own.
    pub popup: bool,
    /// An administrator allows the app for everybody; nothing is connected yet.
    pub admin: bool,
    /// Digest of the browser session; the callback must come with the same. A
    /// guest has one of their own.
    pub session: Vec<u8>,
}

/// How a flow begins.
pub enum Begun {
    /// The person goes to the provider.
    Leave(Box<Prepared>),
    /// Nobody has to: the connection was mended without them, and the flow has
    /// ended with it.
    Healed(Box<flow::Model>),
}

/// A flow that waits for the person to come back.
pub struct Prepared {
    /// The flow.
    pub flow: FlowId,
    /// Where the person goes now.
    pub auth_url: Url,
    /// What ties the callback to the flow. It is in `auth_url` too.
    pub state: Secret,
    /// Name of the cookie that carries the verifier.
    pub cookie_name: String,
    /// The sealed verifier: for a secure http-only cookie and nowhere else.
    pub cookie_value: String,
    /// When the flow ends unfinished.
    pub expires_at: DateTime<Utc>,
}

/// The longest handle an opener may choose, in characters.
const LONGEST_HANDLE: usize = 64;

impl Hub {
    /// Starts a flow and says where to send the person.
    pub async fn prepare(&self, by: impl Into<By<'_>>, provider: &str, ask: Ask) -> Result<Begun> {
        let by = by.into();
        by.may_connect_to(provider, ask.connection)?;
        let owner = by.owner()?;
        let provider = self.catalog.get(provider).ok_or(Error::NotFound)?;
        self.limits.want(by.tenant(), Wanted::SignIn)?;
        self.meters.step(&provider.id, Reached::Opened);
        if ask.popup {
            self.meters.step(&provider.id, Reached::Popup);
        }
        if provider.sign_in() != SignIn::OneClick {
            let why = "there is no one-click sign-in at this provider here";
            return Err(Error::invalid("provider", why));
        }
        // Keys travel to us without a browser: not in plain text over a network.
        let safe = self.public_url.scheme() == "https" || is_here(&self.public_url);
        if provider.delivers() == Delivery::Handover && !safe {
            return Err(Failure::told(FailureCode::AppConfigInvalid, "https_needed").into());
        }
        if ask
            .handle
            .as_deref()
            .is_some_and(|handle| !is_handle(handle))
        {
            return Err(Error::invalid(
                "handle",
                "Use letters, digits, - and _, 64 at most",
            ));
        }
        if ask.admin && provider.admin_consent().is_none() {
            let why = "people allow it for themselves at this provider";
            return Err(Error::invalid("admin", why));
        }
        let app = self
            .provider_app(by.tenant(), provider)
            .await?
            .ok_or_else(|| Failure::told(FailureCode::AppConfigInvalid, "provider_app_missing"))?;
        let existing = self.existing(by, provider, ask.connection).await?;
        let variables =
            read_variables(provider, &ask.variables, existing.as_ref()).map_err(Error::Invalid)?;
        let wants_no_more = ask.scopes.is_empty();
        let scopes = scopes(provider, ask.scopes, existing.as_ref())?;
        let asked_now = match &existing {
            Some(row) => self.asked_now(provider, row, &scopes).await?,
            None => scopes.clone(),
        };
        let redirect_uri = self.redirect_uri(&provider.app_id);
        let mended = match (by, &existing) {
            (_, Some(row)) if wants_no_more && !ask.admin => match by {
                By::Guest(guest) => self.mends_for(guest).await?,
                By::Member(_) | By::Host(_) => self.heals_alone(row.tenant_id, row.id).await?,
            }
            .then_some(row.id),
            _ => None,
        };
        let (state, verifier) = (Secret::random(32), Secret::random(32));
        let leaving = AuthorizeAsk {
            redirect_uri: &redirect_uri,
            state: &state,
            verifier: Some(&verifier),
            scopes: &asked_now,
            variables: &variables,
            login_hint: existing.as_ref().map(|row| row.account_label.as_str()),
            reconsent: existing.is_some(),
            locale: None,
        };
        let auth_url = match ask.admin {
            true => self.dialect.admin_consent_url(provider, &app, &leaving),
            false => self.dialect.authorize_url(provider, &app, &leaving),
        };
        let auth_url = auth_url.map_err(|error| {
            tracing::warn!(provider = %provider.id, %error, "no authorize address could be made");
            Failure::told(FailureCode::AppConfigInvalid, "authorize_url")
        })?;
        let id = FlowId::new();
        let now = self.clock.now();
        let expires_at = now + FLOW_LIFETIME;
        let flow = flow::Model {
            id,
            tenant_id: by.tenant(),
            person_id: owner.person_id(),
            link_id: owner.link(),
            session_hash: match by {
                By::Guest(guest) => guest.browser_hash().to_vec(),
                By::Member(_) | By::Host(_) => ask.session,
            },
            provider: provider.id.clone(),
            handle: ask.handle,
            connection_id: ask.connection,
            state_hash: state.digest(),
            verifier_hash: Some(verifier.digest()),
            variables: connection::Variables(variables),
            scopes: scopes.join(" "),
            redirect_uri,
            popup: ask.popup,
            created_at: now,
            expires_at,
            consumed_at: mended.map(|_| now),
            status: match mended {
                Some(_) => flow::Status::Connected,
                None => flow::Status::Waiting,
            },
            result_connection_id: mended,
            failure: None,
            held_sealed: None,
        };
        flow::Entity::insert(flow.clone().into_active_model())
            .exec_without_returning(self.store.db())
            .await?;
        if mended.is_some() {
            tracing::info!(flow.id = %id, provider = %provider.id, "no flow is needed");
            return Ok(Begun::Healed(Box::new(flow)));
        }
        let cookie_value = self
            .vault
            .seal(verifier_place(by.tenant(), id), &verifier)
            .await?;
        self.meters.step(&provider.id, Reached::Consent);
        tracing::info!(flow.id = %id, provider = %provider.id, "flow started");
        Ok(Begun::Leave(Box::new(Prepared {
            flow: id,
            cookie_name: cookie_name(&state.digest()),
            auth_url,
            state,
            cookie_value,
            expires_at,
        })))
    }
}

impl Hub {
    /// What of `scopes` the person is asked for: where a consent adds to the
    /// earlier one, and that one lives, only what is missing of it.
    pub(super) async fn asked_now(
        &self,
        provider: &Provider,
        row: &connection::Model,
        scopes: &[String],
    ) -> Result<Vec<String>> {
        let everything = Ok(scopes.to_vec());
        let merges = provider
            .authorize()
            .is_some_and(|entry| entry.incremental == Incremental::Merge);
        let Some(granted) = row.scopes_granted.as_deref().map(words) else {
            return everything;
        };
        if !merges {
            return everything;
        }
        // What ended, or may have, is asked for as a whole.
        let health = self.one(row.tenant_id, row.id).await?.health;
        let missing = provider.missing_scopes(scopes, &granted);
        if health.status != Status::Connected || missing.is_empty() {
            return everything;
        }
        let technical = |name: &&String| provider.scope(name).is_some_and(|scope| scope.technical);
        let technical = scopes.iter().filter(technical).cloned();
        Ok(technical.chain(missing.iter().cloned()).collect())
    }
}

/// One cookie per flow, so that several may be under way in one browser.
pub(super) fn cookie_name(state_hash: &[u8]) -> String {
    let short: String = state_hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("linkwell-flow-{short}")
}

pub(super) fn verifier_place<'a>(tenant: crate::store::TenantId, flow: FlowId) -> Place<'a> {
    Place {
        tenant,
        subject: flow.0,
        field: "flow.verifier".into(),
        version: 0,
    }
}

/// Whether an address is this machine's own: nothing travels a network then.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_handle(handle: &str) -> bool {
    !handle.is_empty()
        && handle.len() <= LONGEST_HANDLE
        && handle
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The entry's defaults, what the connection knows, and what was typed, in
/// that order of growing weight. What was typed for an existing connection may
/// not lead elsewhere: its host stays.
pub(super) fn read_variables(
    provider: &Provider,
    typed: &BTreeMap<String, String>,
    existing: Option<&connection::Model>,
) -> std::result::Result<Variables, Vec<FieldProblem>> {
    let mut given = Variables::new();
    let mut problems = Vec::new();
    for question in provider.questions() {
        let answer = typed
            .get(&question.name)
            .map(String::as_str)
            .filter(|answer| !answer.trim().is_empty());
        let known = existing.and_then(|row| row.variables.0.get(&question.name));
        match (known, answer, &question.default) {
            (Some(known), _, _) => {
                given.insert(question.name.clone(), known.clone());
            }
            (None, Some(answer), _) => match question.read(answer) {
                Ok(value) => {
                    given.insert(question.name.clone(), value);
                }
                Err(_) => problems.push(FieldProblem {
                    field: question.name.clone(),
                    problem: format!("Enter it like {}", question.placeholder),
                }),
            },
            (None, None, Some(_)) => {}
            (None, None, None) => problems.push(FieldProblem {
                field: question.name.clone(),
                problem: format!("Enter {}", question.label.to_lowercase()),
            }),
        }
    }
    for question in provider.questions() {
        let choices = question.choices.iter().filter(|it| !it.sets.is_empty());
        let mut choices = choices.peekable();
        let Some(answer) = given.get(&question.name).cloned() else {
            continue;
        };
        if choices.peek().is_none() {
            continue;
        }
        match choices.find(|choice| choice.value == answer) {
            Some(choice) => given.extend(choice.sets.clone()),
            None => problems.push(FieldProblem {
                field: question.name.clone(),
                problem: "Choose one of the list".to_owned(),
            }),
        }
    }
    if problems.is_empty() {
        Ok(provider.values(&given))
    } else {
        Err(problems)
    }
}

/// The default scopes and the extra ones, or everything the connection had
/// been asked for before: repairing never loses a permission.
fn scopes(
    provider: &Provider,
    extra: Vec<String>,
    existing: Option<&connection::Model>,
) -> Result<Vec<String>> {
    if let Some(unknown) = extra.iter().find(|name| provider.scope(name).is_none()) {
        return Err(Error::invalid(
            "scopes",
            format!("{} has no permission called {unknown}", provider.name()),
        ));
    }
    let mut scopes = match existing {
        Some(row) => words(&row.scopes_asked),
        None => provider.default_scopes(),
    };
    for name in extra {
        if !scopes.contains(&name) {
            scopes.push(name);
        }
    }
    Ok(scopes)
}
