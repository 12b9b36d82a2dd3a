//! Breaking the shop on purpose: the JSON control API, and the forms of the control page, which post to the
//! same addresses and are sent back to the page.

pub(crate) mod presets;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    Calls, Endpoint, Fault, Faults, GrantView, RecordedRequest, Rules, Sandbox, oauth::Parameters,
    origin::own_pages_only, pages,
};
use presets::{PRESETS, ROTATIONS, Scenario};

pub(crate) fn routes(shop: &Sandbox) -> Router {
    Router::new()
        .route("/control", get(pages::control::page))
        .route(
            "/control/faults",
            get(faults).put(put_faults).post(add_fault),
        )
        .route("/control/faults/{index}/remove", post(remove_fault))
        .route(
            "/control/rules",
            get(rules).put(put_rules).post(change_rules),
        )
        .route("/control/calls", get(calls))
        .route("/control/requests", get(requests))
        .route("/control/grants", get(grants))
        .route("/control/grants/{id}/revoke", post(revoke_grant))
        .route("/control/grants/{id}/expire", post(expire_grant))
        .route("/control/reset", post(reset))
        .route("/control/revoke-all", post(revoke_all))
        .route("/control/expire-all", post(expire_all))
        .route("/control/scenarios/{name}", post(scenario))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .layer(middleware::from_fn_with_state(shop.clone(), own_pages_only))
        .with_state(shop.clone())
}

async fn faults(State(shop): State<Sandbox>) -> Json<Faults> {
    Json(shop.faults())
}

async fn put_faults(State(shop): State<Sandbox>, body: Bytes) -> Response {
    put(&body, |faults: Faults| match faults.mistake() {
        Some(mistake) => Err(mistake),
        None => {
            shop.set_faults(faults);
            Ok(json!(shop.faults()))
        }
    })
}

async fn rules(State(shop): State<Sandbox>) -> Json<Rules> {
    Json(shop.rules())
}

async fn put_rules(State(shop): State<Sandbox>, body: Bytes) -> Response {
    put(&body, |rules: Rules| match rules.auto_approve.as_deref() {
        Some(name) if crate::Account::find(name).is_none() => {
            Err(format!("there is no account {name}"))
        }
        _ => {
            shop.set_rules(rules);
            Ok(json!(shop.rules()))
        }
    })
}

async fn calls(State(shop): State<Sandbox>) -> Json<Calls> {
    Json(shop.calls())
}

async fn requests(State(shop): State<Sandbox>) -> Json<Vec<RecordedRequest>> {
    Json(shop.shop().log.recent().cloned().collect())
}

async fn grants(State(shop): State<Sandbox>) -> Json<Vec<GrantView>> {
    Json(shop.grants())
}

async fn revoke_grant(
    State(shop): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let revoked = shop.revoke_grant(&id);
    done(&headers, json!({"revoked": usize::from(revoked)}))
}

async fn expire_grant(
    State(shop): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let expired = shop.change(|shop, now| shop.state.expire_access_tokens(Some(&id), now));
    done(&headers, json!({"expired": expired}))
}

async fn reset(State(shop): State<Sandbox>, headers: HeaderMap) -> Response {
    shop.reset();
    done(&headers, json!({}))
}

async fn revoke_all(State(shop): State<Sandbox>, headers: HeaderMap) -> Response {
    done(&headers, json!({"revoked": shop.revoke_all()}))
}

async fn expire_all(State(shop): State<Sandbox>, headers: HeaderMap) -> Response {
    done(&headers, json!({"expired": shop.expire_all()}))
}

async fn scenario(
    State(shop): State<Sandbox>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    match Scenario::find(&name) {
        Some(scenario) => {
            scenario.play(&shop);
            done(&headers, json!({"faults": shop.faults()}))
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Form: one of the ready-made faults, where, and how often.
async fn add_fault(State(shop): State<Sandbox>, body: Bytes) -> Response {
    let form = Parameters::parse(&body);
    let Some(preset) = PRESETS
        .iter()
        .find(|preset| Some(preset.name) == form.get("fault"))
    else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let mut fault = Fault::new((preset.kind)());
    let endpoint = Endpoint::ALL
        .into_iter()
        .find(|endpoint| Some(endpoint.as_str()) == form.get("at"));
    // A place where this cannot happen would be a fault that waits for ever.
    if let Some(endpoint) = endpoint.filter(|endpoint| fault.kind.endpoints().contains(endpoint)) {
        fault = fault.at(endpoint);
    }
    fault.times = form.get("times").and_then(|times| times.parse().ok());
    shop.shop().faults.add(fault);
    Redirect::to("/control").into_response()
}

async fn remove_fault(State(shop): State<Sandbox>, Path(index): Path<usize>) -> Redirect {
    let faults = &mut shop.shop().faults.list;
    if index < faults.len() {
        faults.remove(index);
    }
    Redirect::to("/control")
}

/// Form: lifetime, rotation, automatic approval.
async fn change_rules(State(shop): State<Sandbox>, body: Bytes) -> Redirect {
    let form = Parameters::parse(&body);
    let mut rules = shop.rules();
    if let Some(seconds) = form
        .get("access_lifetime_s")
        .and_then(|seconds| seconds.parse().ok())
    {
        rules.access_lifetime_s = seconds;
    }
    if let Some((.., rotation)) = ROTATIONS
        .iter()
        .find(|(name, ..)| Some(*name) == form.get("rotation"))
    {
        rules.rotation = *rotation;
    }
    rules.auto_approve = form
        .get("auto_approve")
        .and_then(crate::Account::find)
        .map(|account| account.id.to_owned());
    shop.set_rules(rules);
    Redirect::to("/control")
}

fn put<T: DeserializeOwned>(
    body: &[u8],
    apply: impl FnOnce(T) -> Result<Value, String>,
) -> Response {
    match serde_json::from_slice(body)
        .map_err(|error| error.to_string())
        .and_then(apply)
    {
        Ok(value) => Json(value).into_response(),
        Err(mistake) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(json!({"error": mistake})),
        )
            .into_response(),
    }
}

/// Forms go back to the page, programs get JSON.
fn done(headers: &HeaderMap, outcome: Value) -> Response {
    let is_form = (headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok()))
    .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    if is_form {
        Redirect::to("/control").into_response()
    } else {
        Json(outcome).into_response()
    }
}
