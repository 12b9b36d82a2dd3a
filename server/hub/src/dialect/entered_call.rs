//! A call that a person describes: to a service without an entry of its own.

use http::StatusCode;
use serde_json::Value;

use super::{Entered, answer::parse, reading::scrub, request::Draft};
use crate::{
    catalog::entry::{Call, EnteredCall, Method},
    failure::{Failure, FailureCode},
    outbound::Answer,
    secret::Secret,
};

/// The answer had another status than the person named.
pub(super) const OTHER_STATUS: &str = "other_status";
/// The answer lacks what the person named.
pub(super) const NOT_IN_ANSWER: &str = "not_in_answer";

/// What frames a message or leads it elsewhere is not a person's to say.
const NOT_THEIRS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// What a person said about a call.
pub(super) struct Described<'a> {
    names: &'a EnteredCall,
    entered: &'a Entered,
}

impl<'a> Described<'a> {
    /// Of a call that is described, and only of one.
    pub fn of(call: &'a Call, entered: Option<&'a Entered>) -> Option<Self> {
        Some(Self {
            names: call.entered.as_ref()?,
            entered: entered?,
        })
    }

    fn get(&self, name: &str) -> &'a str {
        self.entered.get(name).unwrap_or_default()
    }

    pub fn method(&self) -> Method {
        match self.get(&self.names.method) {
            "POST" => Method::Post,
            _ => Method::Get,
        }
    }

    /// Adds the headers; none of them is logged.
    pub fn add_headers(&self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        for (name, value) in self.headers() {
            if NOT_THEIRS.contains(&name.to_ascii_lowercase().as_str()) {
                let code = FailureCode::AccountOrTargetMismatch;
                return Err(Failure::told(code, "header_not_allowed").with_text(name));
            }
            draft.header(name, value, true)?;
        }
        Ok(())
    }

    fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let lines = self.get(&self.names.headers).lines();
        lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim(), value.trim()))
        })
    }

    /// A failure without the values that a service repeated.
    pub fn scrubbed(&self, failure: Failure) -> Failure {
        let values: Vec<Secret> = self
            .headers()
            .map(|(_, value)| Secret::new(value))
            .collect();
        scrub(failure, &values.iter().collect::<Vec<_>>())
    }

    /// Reads an answer that may be good; none for one that says itself that it
    /// is not.
    pub fn read(&self, answer: &Answer) -> Option<Result<Value, Failure>> {
        if !answer.status.is_success() {
            return None;
        }
        let other = |detail| Err(Failure::told(FailureCode::AccountOrTargetMismatch, detail));
        let expected = self.get(&self.names.status).parse().ok();
        if expected.is_some_and(|status: StatusCode| status != answer.status) {
            return Some(other(OTHER_STATUS));
        }
        let body = match answer.body.is_empty() {
            // 204 has nothing to say.
            true => Value::Null,
            false => parse(answer)?,
        };
        match self.part_of(&body).is_some_and(|part| !part.is_null()) || self.pointer().is_empty() {
            true => Some(Ok(body)),
            false => Some(other(NOT_IN_ANSWER)),
        }
    }

    fn pointer(&self) -> &'a str {
        self.get(&self.names.pointer)
    }

    /// What the person is interested in.
    pub fn part_of<'v>(&self, body: &'v Value) -> Option<&'v Value> {
        body.pointer(self.pointer())
    }
}
