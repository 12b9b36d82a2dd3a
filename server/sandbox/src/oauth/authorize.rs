//! The authorization endpoint: reads the request, asks the person, sends the browser back.

use std::collections::BTreeSet;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Parameters,
    scopes::{self, Scope},
    target::{Target, form_source},
};
use crate::{
    Account, Sandbox, Shop,
    calls::RecordedRequest,
    faults::{Endpoint, FaultKind},
    pages::{self, account::signed_in, consent},
    state::Code,
};

const CODE_LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// A request that may be shown to a person.
struct AuthorizationRequest {
    target: Target,
    scopes: BTreeSet<Scope>,
    challenge: String,
}

enum Refusal {
    /// Nobody to send the browser back to.
    Page(&'static str),
    Redirect(Target, &'static str, &'static str),
}

/// Shows the consent page, or answers at once where nobody needs to be asked.
pub(super) async fn ask(
    State(shop): State<Sandbox>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    shop.shop().calls.authorize += 1;
    let request = RecordedRequest {
        at: shop.now(),
        endpoint: Endpoint::Authorize,
        method: "GET".into(),
        path: "/oauth/authorize".into(),
        authentication: None,
        parameters: parameters.recordable(),
        status: None,
    };
    shop.answer(request, || {
        shop.change(|shop, now| isolated(shop, |shop| consider(shop, &parameters, &headers, now)))
    })
    .await
}

/// What the person decided. The request comes along in the query and is read again, so no half-finished
/// authorization has to be kept.
pub(super) async fn decide(
    State(shop): State<Sandbox>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let decision = Parameters::parse(&body);
    shop.change(|shop, now| isolated(shop, |shop| settle(shop, &parameters, &decision, now)))
}

fn consider(
    shop: &mut Shop,
    parameters: &Parameters,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Response {
    let request = match read(shop, parameters) {
        Ok(request) => request,
        Err(refusal) => return refusal.answer(shop),
    };
    let refused = shop.faults.take(Endpoint::Authorize, |kind| match kind {
        FaultKind::Refuse { error } => Some(error.clone()),
        _ => None,
    });
    if let Some(error) = refused {
        return request
            .target
            .refuse(shop, &error, "The sandbox was asked to refuse.");
    }
    let hinted = parameters.get("login_hint").and_then(Account::find);
    let signed_in = signed_in(headers);
    if let Some(name) = &shop.rules.auto_approve
        && let Some(account) = hinted.or_else(|| Account::find(name))
    {
        let scopes = request.scopes.clone();
        return approve(shop, request, account, scopes, now);
    }
    let prompt = parameters.get("prompt").unwrap_or_default();
    if prompt == "none" {
        let Some(account) = signed_in else {
            return request
                .target
                .refuse(shop, "login_required", "Nobody is signed in.");
        };
        let was_granted = shop.state.living_grants(now).into_iter().any(|grant| {
            grant.client_id == request.target.client_id
                && grant.account == account.id
                && grant.scopes.is_superset(&request.scopes)
        });
        if !was_granted {
            return request
                .target
                .refuse(shop, "consent_required", "The person has to be asked.");
        }
        let scopes = request.scopes.clone();
        return approve(shop, request, account, scopes, now);
    }
    let chosen = parameters.get("account").and_then(Account::find);
    let must_choose = prompt.split(' ').any(|word| word == "select_account") && chosen.is_none();
    show(
        &request,
        parameters,
        chosen,
        hinted.or(signed_in),
        must_choose,
        None,
    )
}

fn show(
    request: &AuthorizationRequest,
    parameters: &Parameters,
    chosen: Option<&'static Account>,
    suggested: Option<&'static Account>,
    must_choose: bool,
    problem: Option<&'static str>,
) -> Response {
    let page = consent::Consent {
        client_id: &request.target.client_id,
        returns_to: &request.target.redirect_uri,
        scopes: &request.scopes,
        parameters,
        chosen,
        suggested,
        problem,
    };
    let markup = if must_choose {
        page.chooser()
    } else {
        page.consent()
    };
    pages::respond(
        StatusCode::OK,
        markup,
        &[&form_source(&request.target.redirect_uri)],
    )
}

fn settle(
    shop: &mut Shop,
    parameters: &Parameters,
    decision: &Parameters,
    now: DateTime<Utc>,
) -> Response {
    let request = match read(shop, parameters) {
        Ok(request) => request,
        Err(refusal) => return refusal.answer(shop),
    };
    if decision.get("decision") != Some("approve") {
        return request
            .target
            .refuse(shop, "access_denied", "The person said no.");
    }
    let chosen = parameters.get("account").and_then(Account::find);
    let Some(account) = decision.get("account").and_then(Account::find) else {
        return show(
            &request,
            parameters,
            chosen,
            None,
            false,
            Some("Choose an account first."),
        );
    };
    let ticked: BTreeSet<Scope> = decision
        .all("scope")
        .filter_map(scopes::parse)
        .flatten()
        .collect();
    let scopes: BTreeSet<Scope> = request.scopes.intersection(&ticked).copied().collect();
    if scopes.is_empty() {
        let problem = "Allow at least one thing, or press Cancel.";
        return show(
            &request,
            parameters,
            chosen,
            Some(account),
            false,
            Some(problem),
        );
    }
    approve(shop, request, account, scopes, now)
}

fn approve(
    shop: &mut Shop,
    request: AuthorizationRequest,
    account: &'static Account,
    mut scopes: BTreeSet<Scope>,
    now: DateTime<Utc>,
) -> Response {
    let at = Endpoint::Authorize;
    let only = shop.faults.take(at, |kind| match kind {
        FaultKind::GrantOnly { scopes } => Some(scopes.clone()),
        _ => None,
    });
    if let Some(only) = only {
        scopes.retain(|scope| only.contains(scope));
    }
    let account = (shop.faults)
        .take(at, |kind| match kind {
            FaultKind::SignInAs { account } => Account::find(account),
            _ => None,
        })
        .unwrap_or(account);
    shop.calls.approvals += 1;
    let code = shop.state.issue_code(Code {
        client_id: request.target.client_id.clone(),
        redirect_uri: request.target.redirect_uri.clone(),
        account: account.id.to_owned(),
        scopes,
        challenge: request.challenge,
        expires_at: now + CODE_LIFETIME,
        spent: false,
        redeemed_for: None,
    });
    let mut response = request.target.send_back(shop, &[("code", &code)]);
    response
        .headers_mut()
        .append(header::SET_COOKIE, pages::account::sign_in_cookie(account));
    response
}

/// Reads a request (RFC 6749, 4.1.1; RFC 7636). Before client and redirect URI are known to be right, nobody
/// may be sent anywhere.
fn read(shop: &Shop, parameters: &Parameters) -> Result<AuthorizationRequest, Refusal> {
    if parameters.repeated().is_some() {
        return Err(Refusal::Page("The app's request names something twice."));
    }
    let Some(client) = parameters
        .get("client_id")
        .and_then(|id| shop.clients.get(id))
    else {
        return Err(Refusal::Page(
            "The shop does not know the app that sent you here.",
        ));
    };
    let registered = parameters
        .get("redirect_uri")
        .filter(|uri| client.redirect_uris.iter().any(|known| known == uri));
    let Some(redirect_uri) = registered.filter(|uri| !uri.contains('#')) else {
        return Err(Refusal::Page(
            "The address to return to (redirect_uri) is not one the app has registered.",
        ));
    };
    let target = Target {
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        state: parameters.get("state").map(str::to_owned),
        form_post: parameters.get("response_mode") == Some("form_post"),
    };
    let refuse = |target, error, why| Err(Refusal::Redirect(target, error, why));
    if !matches!(
        parameters.get("response_mode"),
        None | Some("query" | "form_post")
    ) {
        return refuse(
            target,
            "invalid_request",
            "response_mode must be query or form_post.",
        );
    }
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => {
            return refuse(
                target,
                "unsupported_response_type",
                "response_type must be code.",
            );
        }
        None => return refuse(target, "invalid_request", "response_type is missing."),
    }
    if parameters.get("code_challenge_method") != Some("S256") {
        return refuse(
            target,
            "invalid_request",
            "code_challenge_method must be S256.",
        );
    }
    let challenge = match parameters.get("code_challenge") {
        Some(challenge) if challenge.len() == 43 => challenge.to_owned(),
        _ => {
            return refuse(
                target,
                "invalid_request",
                "code_challenge must be 43 characters.",
            );
        }
    };
    let scopes = match parameters.get("scope") {
        None => Some(BTreeSet::from([Scope::ShopRead])),
        Some(text) => scopes::parse(text).filter(|scopes| !scopes.is_empty()),
    };
    match scopes {
        Some(scopes) => Ok(AuthorizationRequest {
            target,
            scopes,
            challenge,
        }),
        None => refuse(
            target,
            "invalid_scope",
            "The shop does not know one of the scopes.",
        ),
    }
}

impl Refusal {
    fn answer(self, shop: &mut Shop) -> Response {
        match self {
            Self::Page(why) => {
                pages::message(StatusCode::BAD_REQUEST, "This link does not work", why)
            }
            Self::Redirect(target, error, why) => target.refuse(shop, error, why),
        }
    }
}

/// Adds the opener-isolating header if a fault wants it.
fn isolated(shop: &mut Shop, work: impl FnOnce(&mut Shop) -> Response) -> Response {
    let isolate = shop
        .faults
        .strikes(Endpoint::Authorize, &FaultKind::IsolateOpener);
    let mut response = work(shop);
    if isolate {
        let name = HeaderName::from_static("cross-origin-opener-policy");
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static("same-origin"));
    }
    response
}
