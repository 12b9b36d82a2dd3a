//! What comes back with the person, and whether it is genuine.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::form_urlencoded;

use super::{
    CallbackGrant, Dialect, DialectError, ProviderApp, answer::split_scopes, reading::Reading,
    request::misconfigured,
};
use crate::{
    catalog::{
        Origin, Place, Provider, Variables,
        oauth::{CodeTransform, Delivery, OAuth, Signature},
    },
    failure::{Failure, FailureCode},
    secret::Secret,
};

/// How old the link may be by which a provider leads somebody to us: long
/// enough to sign in here first.
const LAUNCH_TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// One value per name; a repeated parameter is refused (RFC 6749 §3.1).
type Query<'q> = BTreeMap<&'q str, &'q str>;

impl Dialect {
    /// Reads a callback. The caller has already consumed the state.
    ///
    /// # Errors
    /// The provider's refusal in our terms, or `FLOW_EXPIRED_OR_INVALID` when the
    /// answer is not genuine.
    pub fn read_callback(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        query: &[(String, String)],
    ) -> Result<CallbackGrant, Failure> {
        let entry = &oauth(provider)?.callback;
        let values = provider.values(variables);
        let query = unrepeated(query)?;

        if let Some(issuer) = &entry.issuer {
            let issuer = issuer.render(&values).map_err(misconfigured)?;
            match query.get("iss") {
                Some(&told) if same(told, &issuer) => {}
                Some(_) => return Err(not_genuine("iss_mismatch")),
                None => return Err(not_genuine("iss_missing")),
            }
        }
        if let Some(failure) = refusal(provider, &query) {
            return Err(failure);
        }
        if let Some(Signature::HmacSha256Hex) = entry.signature {
            check_hmac(&query, &app.client_secret)?;
        }
        for (name, template) in &entry.expect {
            let expected = template.render(&values).map_err(misconfigured)?;
            match query.get(name.as_str()) {
                Some(&told) if same(told, &expected) => {}
                Some(_) => {
                    let code = FailureCode::AccountOrTargetMismatch;
                    return Err(Failure::told(code, format!("{name}_mismatch")));
                }
                None => return Err(not_genuine(&format!("{name}_missing"))),
            }
        }
        let code = query.get(entry.code.as_str()).copied().unwrap_or_default();
        let wanted = matches!(entry.delivers, Delivery::Code | Delivery::Fragment);
        if wanted && code.is_empty() {
            if entry.declined_unknown {
                let code = FailureCode::ConsentDeniedOrAbandoned;
                return Err(Failure::inferred(code, "nothing_brought"));
            }
            return Err(not_genuine("code_missing"));
        }
        let owned = |name: &str| query.get(name).map(|&value| value.to_owned());
        Ok(CallbackGrant {
            code: clean(code, entry.code_transform),
            state: owned("state").map(Secret::from),
            variables: told_variables(provider, variables, &query)?,
            account_hint: entry.account_hint.as_deref().and_then(owned),
            granted_scopes: entry
                .granted_scopes
                .as_deref()
                .and_then(owned)
                .map(|scopes| split_scopes(provider, &scopes)),
        })
    }
}

/// Whether a callback says that an administrator allowed the app.
pub fn is_approval(provider: &Provider, query: &[(String, String)]) -> bool {
    let Some(entry) = provider.admin_consent() else {
        return false;
    };
    let says = |(name, value): (&String, &String)| {
        query
            .iter()
            .any(|(told, said)| told == name && said == value)
    };
    entry.approved.iter().all(says)
}

/// Reads the link by which a provider leads a person to us who begins there:
/// the questions it answers.
///
/// # Errors
/// `FLOW_EXPIRED_OR_INVALID` when the link is not the provider's, or too old.
pub fn read_launch(
    provider: &Provider,
    app: &ProviderApp,
    query: &[(String, String)],
    now: DateTime<Utc>,
) -> Result<Variables, Failure> {
    let entry = oauth(provider)?.launch.as_ref();
    let entry = entry.ok_or_else(|| not_genuine("not_launched"))?;
    let query = unrepeated(query)?;
    match entry.signature {
        Signature::HmacSha256Hex => check_hmac(&query, &app.client_secret)?,
    }
    let signed_at = query
        .get(entry.timestamp.as_str())
        .and_then(|text| DateTime::from_timestamp(text.parse().ok()?, 0));
    if signed_at.is_none_or(|at| (now - at).abs() > LAUNCH_TOLERANCE) {
        return Err(not_genuine("too_old"));
    }
    let mut answers = Variables::new();
    for question in provider.questions() {
        let param = entry.answers.get(&question.name);
        let Some(&told) = param.and_then(|param| query.get(param.as_str())) else {
            continue;
        };
        let answer = question
            .read(told)
            .map_err(|_| not_genuine(&format!("{}_not_allowed", question.name)))?;
        answers.insert(question.name.clone(), answer);
    }
    Ok(answers)
}

fn oauth(provider: &Provider) -> Result<&OAuth, Failure> {
    let oauth = provider.oauth.as_deref();
    oauth.ok_or_else(|| misconfigured(DialectError::NotOAuth))
}

fn unrepeated(pairs: &[(String, String)]) -> Result<Query<'_>, Failure> {
    let mut query = Query::new();
    for (name, value) in pairs {
        if query.insert(name, value).is_some() {
            return Err(not_genuine("parameter_repeated"));
        }
    }
    Ok(query)
}

fn not_genuine(detail: &str) -> Failure {
    Failure::told(FailureCode::FlowExpiredOrInvalid, detail)
}

fn same(told: &str, expected: &str) -> bool {
    use subtle::ConstantTimeEq;
    told.as_bytes().ct_eq(expected.as_bytes()).into()
}

/// The provider's refusal, if the callback carries one.
fn refusal(provider: &Provider, query: &Query<'_>) -> Option<Failure> {
    let entry = &provider.oauth.as_ref()?.callback;
    let told = |names: &[String]| -> Vec<String> {
        let values = names.iter().filter_map(|name| query.get(name.as_str()));
        values
            .filter(|value| !value.is_empty())
            .map(|&value| value.to_owned())
            .collect()
    };
    let declined = |(name, no): (&String, &String)| query.get(name.as_str()) == Some(&no.as_str());
    if entry.declined.iter().any(declined) {
        let code = FailureCode::ConsentDeniedOrAbandoned;
        return Some(Failure::told(code, "declined"));
    }
    let codes = told(&entry.errors);
    if codes.is_empty() {
        return None;
    }
    let mut reading = Reading {
        codes,
        words: query
            .iter()
            .map(|(name, value)| format!("{name}={value} "))
            .collect(),
        texts: told(&entry.texts),
        status: None,
    };
    reading.extract(provider);
    let failure = reading.failure(provider, Place::Callback);
    if entry.declined_unknown && failure.code == FailureCode::HubInternal {
        let code = FailureCode::ConsentDeniedOrAbandoned;
        let guess = Failure::inferred(code, failure.detail);
        return Some(guess.with_text(reading.texts.join(" ")));
    }
    Some(failure)
}

fn check_hmac(query: &Query<'_>, client_secret: &Secret) -> Result<(), Failure> {
    let told = query
        .get("hmac")
        .ok_or_else(|| not_genuine("signature_missing"))?;
    let others = query.iter().filter(|(name, _)| **name != "hmac");
    let message = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .finish();
    let mut mac = Hmac::<Sha256>::new_from_slice(client_secret.expose().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    let digest = mac.finalize().into_bytes();
    let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    if same(&told.to_ascii_lowercase(), &expected) {
        Ok(())
    } else {
        Err(not_genuine("signature_mismatch"))
    }
}

fn clean(code: &str, transform: CodeTransform) -> Secret {
    match transform {
        CodeTransform::AsIs => Secret::new(code),
        CodeTransform::StripFragment => Secret::new(code.trim_end_matches("#_")),
        CodeTransform::UrlDecode => {
            // A lone `+` is a `+` here; only percent signs are decoded.
            let text = format!("c={}", code.replace('+', "%2B").replace('&', "%26"));
            let decoded = form_urlencoded::parse(text.as_bytes()).next();
            Secret::new(
                decoded
                    .map(|(_, code)| code.into_owned())
                    .unwrap_or_default(),
            )
        }
    }
}

/// Variables the callback tells; each must look as declared, because some of
/// them end up in addresses.
fn told_variables(
    provider: &Provider,
    known: &Variables,
    query: &Query<'_>,
) -> Result<Variables, Failure> {
    let mut told = Variables::new();
    let wanted = provider
        .variables
        .iter()
        .filter(|v| v.from == Origin::Callback);
    for variable in wanted {
        let param = variable.param.as_ref().unwrap_or(&variable.name);
        let value = match (query.get(param.as_str()), &variable.default) {
            (Some(&value), _) => value.to_owned(),
            (None, Some(_)) => continue,
            // The person was led on with it, and is back once more.
            (None, None) if known.contains_key(&variable.name) => continue,
            (None, None) => return Err(not_genuine(&format!("{param}_missing"))),
        };
        let value = variable
            .accept(value)
            .map_err(|_| not_genuine(&format!("{param}_not_allowed")))?;
        told.insert(variable.name.clone(), value);
    }
    Ok(told)
}
