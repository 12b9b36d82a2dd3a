//! Errors, read from an answer and put in our own terms.

use chrono::{DateTime, TimeDelta, Utc};
use http::{
    HeaderMap, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::Value;

use super::{
    TOKEN_EXPIRED,
    answer::{is_page, text},
};
use crate::{
    catalog::{Meaning, Place, Provider, value::Pointer},
    failure::{Failure, FailureCode},
    outbound::Answer,
    secret::Secret,
};

/// No provider is believed that wants us to stay away longer than this.
const LONGEST_RETRY: TimeDelta = TimeDelta::days(1);

/// Longer texts are no sentence about an error, in bytes.
const LONGEST_LINE: usize = 300;

/// What an answer says about what went wrong.
pub(super) struct Reading {
    /// Words that may name the error, the most telling first.
    pub codes: Vec<String>,
    /// Everything around it, to look for telling texts in.
    pub words: String,
    /// The error in the provider's words.
    pub texts: Vec<String>,
    /// The status, where it may speak for itself.
    pub status: Option<StatusCode>,
}

impl Reading {
    /// Reads an answer of the token endpoint.
    pub fn of_token(provider: &Provider, answer: &Answer, body: Option<&Value>) -> Self {
        let entry = &provider.answer;
        let mut reading = Self::of(&entry.errors, &entry.texts, answer, body);
        reading.extract(provider);
        reading
    }

    /// Reads an answer of any other call.
    pub fn of_api(provider: &Provider, answer: &Answer, body: Option<&Value>) -> Self {
        let mut reading = Self::of(&provider.api.errors, &provider.api.texts, answer, body);
        let challenge = header(answer, &WWW_AUTHENTICATE).unwrap_or_default();
        if let Some((_, rest)) = challenge.split_once("error=\"")
            && let Some((code, _)) = rest.split_once('"')
        {
            reading.codes.push(code.to_owned());
        }
        reading
    }

    fn of(errors: &[Pointer], texts: &[Pointer], answer: &Answer, body: Option<&Value>) -> Self {
        let all = |pointers: &[Pointer]| -> Vec<String> {
            let found = pointers
                .iter()
                .filter_map(|at| text(body?.pointer(at.as_str())?));
            found.collect()
        };
        let mut words = String::new();
        if let Some(Value::Object(fields)) = body {
            for (name, value) in fields {
                let value = text(value).unwrap_or_default();
                words.push_str(&format!("{name}={value} "));
            }
        }
        // A few providers say it in one plain line.
        if let (None, false, Ok(line)) = (body, is_page(answer), str::from_utf8(&answer.body))
            && line.len() <= LONGEST_LINE
        {
            words.push_str(line);
            words.push(' ');
        }
        for (name, value) in &answer.headers {
            let value = value.to_str().unwrap_or_default();
            words.push_str(&format!("{name}={value} "));
        }
        let texts = all(texts);
        words.push_str(&texts.join(" "));
        // `"error": false` and `"code": 0` say that all is well.
        let is_error = |code: &String| code != "false" && code != "0";
        Self {
            codes: all(errors).into_iter().filter(is_error).collect(),
            words,
            texts,
            status: None,
        }
    }

    /// Puts a number taken out of the words before the other codes.
    pub fn extract(&mut self, provider: &Provider) {
        if let Some(pattern) = &provider.answer.error_pattern {
            let found = self.texts.iter().find_map(|text| pattern.find(text));
            if let Some(code) = found.map(str::to_owned) {
                self.codes.insert(0, code);
            }
        }
    }

    /// Whether the answer itself names an error.
    pub fn names_an_error(&self) -> bool {
        !self.codes.is_empty()
    }

    /// Lets the status speak when nothing more telling is known.
    pub fn with_status(mut self, answer: &Answer) -> Self {
        if !answer.status.is_success() {
            let status = answer.status.as_u16();
            self.codes.push(status.to_string());
            self.codes.push(format!("{}xx", status / 100));
            self.status = Some(answer.status);
        }
        self
    }

    /// The failure, by the provider's table and the standards.
    pub fn failure(&self, provider: &Provider, place: Place) -> Failure {
        let failure = match provider.errors.read(place, &self.codes, &self.words) {
            Some((Meaning::Fails(code), raw)) => Failure::told(code, self.word(raw)),
            Some((Meaning::TokenExpired, _)) => {
                Failure::told(FailureCode::GrantRevokedOrExpired, TOKEN_EXPIRED)
            }
            None => {
                let raw = self.codes.first().map_or("nothing", String::as_str);
                let detail = format!("unmapped:{}:{}", provider.id, self.word(raw));
                Failure::inferred(FailureCode::HubInternal, detail)
            }
        };
        failure.with_text(self.texts.join(" "))
    }

    /// A code as a word that is safe in metrics: short and plain.
    fn word(&self, raw: &str) -> String {
        if let Some(status) = self.status {
            let (exact, class) = (status.as_str(), format!("{}xx", status.as_u16() / 100));
            if raw == exact || raw == class {
                return format!("http_{exact}");
            }
        }
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        };
        raw.chars().take(LONGEST_WORD).map(plain).collect()
    }
}

/// How much of a provider's code is kept, in characters.
const LONGEST_WORD: usize = 24;

/// Anything shorter is found in honest words by chance.
const SHORTEST_SECRET: usize = 8;

/// Removes secrets a provider repeated in its own words.
pub(super) fn scrub(mut failure: Failure, secrets: &[&Secret]) -> Failure {
    for secret in secrets
        .iter()
        .map(|secret| secret.expose())
        .filter(|secret| !secret.is_empty())
    {
        if let Some(text) = &mut failure.provider_text {
            *text = text.replace(secret, "[…]");
        }
        // A word is cut short, so it may hold only the beginning of a secret.
        let cut = &secret[..secret.len().min(LONGEST_WORD)];
        if cut.len() >= SHORTEST_SECRET && failure.detail.contains(cut) {
            failure.detail = "unmapped:secret_repeated".into();
        }
    }
    failure
}

/// When the provider asked us to come back: seconds from `now`, or a date.
pub(crate) fn retry_at(headers: &HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let told = headers.get(&RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match told.parse::<f64>() {
        Ok(seconds) => TimeDelta::seconds(seconds.clamp(0.0, 1e9).ceil() as i64),
        Err(_) => DateTime::parse_from_rfc2822(told).ok()?.to_utc() - now,
    };
    Some(now + wait.clamp(TimeDelta::zero(), LONGEST_RETRY))
}

fn header<'a>(answer: &'a Answer, name: &http::HeaderName) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}
