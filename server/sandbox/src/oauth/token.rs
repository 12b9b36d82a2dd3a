//! The token endpoint.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use super::{
    Parameters,
    client_auth::{authenticate, error, record},
    scopes,
};
use crate::{
    Sandbox, Shop,
    faults::{Endpoint, ExpiresIn, FaultKind},
    rules::Rotation,
    state::{CodeRefusal, IssuedTokens, RefreshRefusal, Revocation},
};

pub(super) async fn token(
    State(shop): State<Sandbox>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parameters = Parameters::parse(&body);
    let endpoint = match parameters.get("grant_type") {
        Some("refresh_token") => Endpoint::Refresh,
        _ => Endpoint::Token,
    };
    {
        let calls = &mut shop.shop().calls;
        match endpoint {
            Endpoint::Refresh => calls.refreshes += 1,
            _ => calls.code_exchanges += 1,
        }
    }
    let request = record(&shop, endpoint, "/oauth/token", &headers, &parameters);
    shop.answer(request, || {
        shop.change(|shop, now| {
            let client = match authenticate(shop, &headers, &parameters) {
                Ok(client) => client,
                Err(answer) => return *answer,
            };
            match parameters.get("grant_type") {
                Some("authorization_code") => exchange(shop, &client, &parameters, now),
                Some("refresh_token") => refresh(shop, &client, &parameters, now),
                Some(_) => bad_request("unsupported_grant_type", "Codes and refresh tokens only."),
                None => bad_request("invalid_request", "grant_type is missing."),
            }
        })
    })
    .await
}

type Time = chrono::DateTime<chrono::Utc>;

fn exchange(shop: &mut Shop, client: &str, parameters: &Parameters, now: Time) -> Response {
    let needed = (
        parameters.get("code"),
        parameters.get("redirect_uri"),
        parameters.get("code_verifier"),
    );
    let (Some(code), Some(redirect_uri), Some(verifier)) = needed else {
        return bad_request(
            "invalid_request",
            "code, redirect_uri and code_verifier are needed.",
        );
    };
    match shop.state.redeem(code, client, redirect_uri, verifier, now) {
        Ok(grant) => {
            shop.calls.code_exchanges_ok += 1;
            let mut tokens = shop.state.issue(&grant, &shop.rules, now);
            if shop
                .faults
                .strikes(Endpoint::Token, &FaultKind::NoRefreshToken)
            {
                tokens.refresh_token = None;
            }
            success(shop, Endpoint::Token, tokens)
        }
        Err(CodeRefusal::Invalid(why)) => bad_request("invalid_grant", why),
        Err(CodeRefusal::Reused(grant)) => {
            shop.calls.code_reuse_detected += 1;
            if let Some(grant) = grant {
                shop.revoke(&grant, Revocation::CodeReuse, now);
            }
            bad_request(
                "invalid_grant",
                "The code was used before; its tokens are revoked.",
            )
        }
    }
}

fn refresh(shop: &mut Shop, client: &str, parameters: &Parameters, now: Time) -> Response {
    let Some(token) = parameters.get("refresh_token") else {
        return bad_request("invalid_request", "refresh_token is missing.");
    };
    let scopes = match parameters.get("scope").map(scopes::parse) {
        Some(None) => return bad_request("invalid_scope", "Unknown scope."),
        Some(scopes) => scopes,
        None => None,
    };
    let rotate = !shop
        .faults
        .strikes(Endpoint::Refresh, &FaultKind::NoRefreshToken);
    match shop
        .state
        .refresh(token, client, scopes, rotate, &shop.rules, now)
    {
        Ok(tokens) => {
            shop.calls.refreshes_ok += 1;
            success(shop, Endpoint::Refresh, tokens)
        }
        Err(RefreshRefusal::Invalid(why)) => bad_request("invalid_grant", why),
        Err(RefreshRefusal::Scope) => bad_request("invalid_scope", "More was asked than granted."),
        Err(RefreshRefusal::Reused(grant)) => {
            shop.calls.reuse_detected += 1;
            if matches!(
                shop.rules.rotation,
                Rotation::On {
                    reuse_detection: true,
                    ..
                }
            ) {
                shop.revoke(&grant, Revocation::RefreshTokenReuse, now);
                return bad_request(
                    "invalid_grant",
                    "The refresh token was used before; its family is revoked.",
                );
            }
            bad_request("invalid_grant", "The refresh token was used before.")
        }
    }
}

fn bad_request(code: &str, description: &str) -> Response {
    error(StatusCode::BAD_REQUEST, code, description)
}

fn success(shop: &mut Shop, endpoint: Endpoint, tokens: IssuedTokens) -> Response {
    let mut body = Map::new();
    body.insert("access_token".into(), tokens.access_token.into());
    body.insert("token_type".into(), "Bearer".into());
    body.insert("scope".into(), scopes::join(&tokens.scopes).into());
    let odd = shop.faults.take(endpoint, |kind| match kind {
        FaultKind::ExpiresIn(odd) => Some(*odd),
        _ => None,
    });
    let expires_in = match odd {
        None => Some(Value::from(tokens.expires_in_s)),
        Some(ExpiresIn::Missing) => None,
        Some(ExpiresIn::Zero) => Some(0.into()),
        Some(ExpiresIn::Huge) => Some(9_007_199_254_740_991_u64.into()),
        Some(ExpiresIn::Text) => Some(tokens.expires_in_s.to_string().into()),
    };
    body.extend(expires_in.map(|value| ("expires_in".to_owned(), value)));
    if let Some(token) = tokens.refresh_token {
        body.insert("refresh_token".into(), token.into());
        body.insert(
            "refresh_token_expires_in".into(),
            tokens.refresh_expires_in_s.into(),
        );
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
