//! The bodies of answers, as loosely as providers write them and no looser.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use url::form_urlencoded;

use super::{Grant, SecondToken};
use crate::{
    catalog::{Origin, Provider, Variables, oauth::Unit, value::Pointer},
    failure::{Failure, FailureCode},
    outbound::Answer,
    secret::Secret,
};

/// No honest answer is nested deeper.
const DEEPEST: usize = 32;

/// A longer lifetime than this is another way to say "does not end".
const LONGEST_LIFETIME: TimeDelta = TimeDelta::days(100 * 365);

/// A body as a JSON value: JSON whatever its declared type, or a form as an
/// object of texts. `None` for HTML, other text, nothing, and JSON too deep.
pub(super) fn parse(answer: &Answer) -> Option<Value> {
    let body = std::str::from_utf8(&answer.body).ok()?.trim();
    if body.starts_with(['{', '[']) {
        return parse_json(body);
    }
    let is_form = body.contains('=') && body.bytes().all(|b| b.is_ascii_graphic() && b != b'<');
    is_form.then(|| {
        let pairs = form_urlencoded::parse(body.as_bytes());
        Value::Object(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into()))
                .collect(),
        )
    })
}

/// JSON, and not too deep.
pub(super) fn parse_json(text: &str) -> Option<Value> {
    serde_json::from_str(text)
        .ok()
        .filter(|value| is_shallow(value, DEEPEST))
}

fn is_shallow(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left > 0 && items.iter().all(|item| is_shallow(item, left - 1)),
        Value::Object(fields) => {
            left > 0 && fields.values().all(|field| is_shallow(field, left - 1))
        }
        _ => true,
    }
}

/// Whether a body is a web page: what firewalls answer in an API's place.
pub(super) fn is_page(answer: &Answer) -> bool {
    answer.body.trim_ascii_start().starts_with(b"<")
}

/// A text, number or boolean as text; `None` for everything else and for "".
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

pub(super) fn text_at(body: &Value, at: &Pointer) -> Option<String> {
    text(body.pointer(at.as_str())?)
}

/// The tokens in a good answer.
///
/// # Errors
/// There is no access token, or a variable does not look as declared.
pub(super) fn grant(
    provider: &Provider,
    body: &Value,
    sent_at: DateTime<Utc>,
) -> Result<Grant, Failure> {
    let at = &provider.answer;
    let access_token = token(body, &at.access_token).ok_or_else(|| {
        Failure::inferred(FailureCode::ProviderLimitedOrDown, "no_token_in_answer")
    })?;
    let second_at = provider
        .oauth
        .as_ref()
        .and_then(|oauth| oauth.second_token.as_ref());
    let second = second_at.and_then(|second| {
        Some(SecondToken {
            kind: second.kind.clone(),
            access_token: token(body, &second.access_token)?,
            refresh_token: token(body, &second.refresh_token),
            expires_at: body
                .pointer(second.expires_in.as_str())
                .and_then(|value| after(value, at.expires_unit, sent_at)),
            scopes: scopes(provider, body, &second.scope),
        })
    });
    Ok(Grant {
        access_token,
        refresh_token: token(body, &at.refresh_token),
        token_type: text_at(body, &at.token_type).unwrap_or_else(|| "Bearer".into()),
        expires_at: expiry(provider, body, sent_at),
        refresh_expires_at: at
            .refresh_expires_in
            .iter()
            .find_map(|at| body.pointer(at.as_str()))
            .and_then(|value| after(value, at.expires_unit, sent_at))
            .or_else(|| {
                let ends = at.refresh_expires_at.iter();
                ends.filter_map(|at| body.pointer(at.as_str()))
                    .find_map(moment)
            }),
        scopes: scopes(provider, body, &at.scope),
        variables: told_variables(provider, Origin::Token, body)?,
        account: None,
        second,
    })
}

fn token(body: &Value, at: &Pointer) -> Option<Secret> {
    match body.pointer(at.as_str())? {
        Value::String(text) if !text.is_empty() => Some(Secret::new(text.as_str())),
        _ => None,
    }
}

fn expiry(provider: &Provider, body: &Value, sent_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at = &provider.answer;
    let told = |at: &Pointer| body.pointer(at.as_str()).filter(|value| !value.is_null());
    if let Some(value) = told(&at.expires_in) {
        after(value, at.expires_unit, sent_at)
    } else if let Some(value) = told(&at.expires_at) {
        moment(value)
    } else {
        Some(sent_at + at.lifetime_if_unsaid?)
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// The end of a lifetime that began at `sent_at`; 0 and absurdly long mean that
/// it does not end.
fn after(value: &Value, unit: Unit, sent_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let milliseconds = number(value)?
        * match unit {
            Unit::Milliseconds => 1.0,
            Unit::Seconds => 1_000.0,
            Unit::Minutes => 60_000.0,
        };
    let bounded = milliseconds > 0.0 && milliseconds <= LONGEST_LIFETIME.num_milliseconds() as f64;
    bounded.then(|| sent_at + TimeDelta::milliseconds(milliseconds as i64))
}

/// A moment: RFC 3339, or seconds or milliseconds since 1970, as number or text.
pub(super) fn moment(value: &Value) -> Option<DateTime<Utc>> {
    if let Some(number) = number(value) {
        // Seconds reach this figure in the year 5138, milliseconds did in 1973.
        let milliseconds = if number.abs() < 1e11 {
            number * 1_000.0
        } else {
            number
        };
        return (milliseconds > 0.0 && milliseconds < 1e14)
            .then(|| DateTime::from_timestamp_millis(milliseconds as i64))?;
    }
    let text = value.as_str()?;
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|at| at.to_utc())
}

fn scopes(provider: &Provider, body: &Value, at: &Pointer) -> Option<Vec<String>> {
    match body.pointer(at.as_str())? {
        Value::String(text) => Some(split_scopes(provider, text)),
        Value::Array(items) => Some(items.iter().filter_map(text).collect()),
        _ => None,
    }
}

/// Providers answer with other separators than they ask for.
pub(super) fn split_scopes(provider: &Provider, scopes: &str) -> Vec<String> {
    let authorize = provider
        .oauth
        .as_ref()
        .and_then(|oauth| oauth.authorize.as_ref());
    let separator = authorize.map_or(" ", |authorize| authorize.scope_separator.as_str());
    // A colon stands inside the names of many scopes: it separates only where
    // the entry says so.
    scopes
        .split([' ', ',', ';', '+'])
        .flat_map(|part| part.split(separator))
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Variables an answer tells; each must look as declared, because some of them
/// end up in addresses. One that is not told keeps its earlier value.
pub(super) fn told_variables(
    provider: &Provider,
    from: Origin,
    body: &Value,
) -> Result<Variables, Failure> {
    let mut told = Variables::new();
    for variable in provider
        .variables
        .iter()
        .filter(|variable| variable.from == from)
    {
        let value = variable.at.as_ref().and_then(|at| text_at(body, at));
        if let Some(value) = value {
            let value = variable.accept(value).map_err(|error| {
                let detail = format!("{}_not_allowed", error.0);
                Failure::inferred(FailureCode::AccountOrTargetMismatch, detail)
            })?;
            told.insert(variable.name.clone(), value);
        }
    }
    Ok(told)
}
