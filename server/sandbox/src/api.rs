//! The shop's API.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    Account, Sandbox, Shop,
    calls::{RecordedRequest, recordable},
    faults::Endpoint,
    oauth::scopes::Scope,
    state::GrantView,
};

pub(crate) fn routes(shop: &Sandbox) -> Router {
    Router::new()
        .route("/api/me", get(me))
        .route("/api/orders", get(orders).post(add_order))
        .route("/api/products", get(products).post(add_product))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(shop.clone())
}

async fn me(State(shop): State<Sandbox>, call: Parts) -> Response {
    serve(&shop, call, None, |_, _, account| {
        Json(json!({"id": account.id, "name": account.name, "email": account.email, "plan": account.plan}))
            .into_response()
    })
    .await
}

async fn orders(State(shop): State<Sandbox>, call: Parts) -> Response {
    serve(&shop, call, Some(Scope::OrdersRead), |shop, _, account| {
        Json(json!({"orders": shop.state.orders(account.id)})).into_response()
    })
    .await
}

#[derive(Deserialize)]
struct NewOrder {
    customer: String,
    total_cents: u64,
}

async fn add_order(State(shop): State<Sandbox>, call: Parts, body: Bytes) -> Response {
    serve(
        &shop,
        call,
        Some(Scope::OrdersWrite),
        |shop, now, account| {
            read(&body, |new: NewOrder| {
                json!(
                    shop.state
                        .add_order(account.id, new.customer, new.total_cents, now)
                )
            })
        },
    )
    .await
}

async fn products(State(shop): State<Sandbox>, call: Parts) -> Response {
    serve(&shop, call, Some(Scope::ShopRead), |shop, _, account| {
        Json(json!({"products": shop.state.products(account.id)})).into_response()
    })
    .await
}

#[derive(Deserialize)]
struct NewProduct {
    name: String,
    price_cents: u64,
}

async fn add_product(State(shop): State<Sandbox>, call: Parts, body: Bytes) -> Response {
    serve(
        &shop,
        call,
        Some(Scope::ProductsWrite),
        |shop, _, account| {
            read(&body, |new: NewProduct| {
                json!(
                    shop.state
                        .add_product(account.id, new.name, new.price_cents)
                )
            })
        },
    )
    .await
}

/// Runs `work` for the account of the bearer token, if it lives and has the scope.
async fn serve(
    sandbox: &Sandbox,
    call: Parts,
    needed: Option<Scope>,
    work: impl FnOnce(&mut Shop, chrono::DateTime<chrono::Utc>, &'static Account) -> Response,
) -> Response {
    let token = bearer(&call.headers);
    let request = RecordedRequest {
        at: sandbox.now(),
        endpoint: Endpoint::Api,
        method: call.method.to_string(),
        path: call.uri.path().to_owned(),
        authentication: token.map(|_| "bearer"),
        parameters: token
            .map(|token| ("access_token".to_owned(), recordable("access_token", token)))
            .into_iter()
            .collect(),
        status: None,
    };
    sandbox.shop().calls.api_calls += 1;
    sandbox
        .answer(request, || match authorize(sandbox, token, needed) {
            // Reading leaves nothing to save.
            Ok(account) if call.method == Method::GET => {
                work(&mut sandbox.shop(), sandbox.now(), account)
            }
            Ok(account) => sandbox.change(|shop, now| work(shop, now, account)),
            Err(answer) => {
                sandbox.shop().calls.api_calls_refused += 1;
                *answer
            }
        })
        .await
}

fn authorize(
    sandbox: &Sandbox,
    token: Option<&str>,
    needed: Option<Scope>,
) -> Result<&'static Account, Box<Response>> {
    let Some(token) = token else {
        return Err(refuse(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "No access token came along.",
            "",
        ));
    };
    let now = sandbox.now();
    let used = sandbox.shop().state.use_access(token, now);
    let invalid = || {
        let challenge = ", error=\"invalid_token\"";
        refuse(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "The token has expired or was revoked.",
            challenge,
        )
    };
    let (
        GrantView {
            account, scopes, ..
        },
        changed,
    ) = used.ok_or_else(invalid)?;
    if changed {
        sandbox.change(|_, _| ());
    }
    match needed {
        Some(scope) if !scopes.contains(&scope) => {
            let challenge = format!(
                ", error=\"insufficient_scope\", scope=\"{}\"",
                scope.as_str()
            );
            let why = "The token may not do this.";
            Err(refuse(
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                why,
                &challenge,
            ))
        }
        _ => Account::find(&account).ok_or_else(invalid),
    }
}

/// An error with its challenge (RFC 6750, 3).
fn refuse(status: StatusCode, error: &str, message: &str, challenge: &str) -> Box<Response> {
    let challenge = format!("Bearer realm=\"Sandbox Shop\"{challenge}");
    let body = Json(json!({"error": error, "message": message}));
    Box::new((status, [(header::WWW_AUTHENTICATE, challenge)], body).into_response())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn read<T: DeserializeOwned>(body: &[u8], create: impl FnOnce(T) -> Value) -> Response {
    match serde_json::from_slice(body) {
        Ok(new) => (StatusCode::CREATED, Json(create(new))).into_response(),
        Err(error) => {
            let body = Json(json!({"error": "invalid_body", "message": error.to_string()}));
            (StatusCode::UNPROCESSABLE_ENTITY, body).into_response()
        }
    }
}
