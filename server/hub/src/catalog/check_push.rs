//! What must hold for `[push]`, so that no message can be forged or believed twice.

use super::{
    entry::{Origin, Variable},
    push::{Push, PushAlgorithm, PushEncoding, PushMeaning},
    value::MessagePlace,
};

/// What is wrong, in words; `variable` finds the declared ones.
pub(super) fn problems<'v>(
    push: &Push,
    variable: impl Fn(&str) -> Option<&'v Variable>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let Some(signature) = &push.signature else {
        return problems;
    };
    if signature.key != "client_secret" {
        match variable(&signature.key).filter(|key| key.from == Origin::App) {
            None => problems.push(format!(
                "the key `{}` is no setting of the app",
                signature.key
            )),
            Some(key) if key.default.is_some() => problems.push(format!(
                "the key `{}` has a default: everybody could sign with it",
                key.name
            )),
            Some(key) if signature.algorithm == PushAlgorithm::HmacSha256 && !key.secret => {
                problems.push(format!("the key `{}` needs `secret = true`", key.name));
            }
            Some(_) => {}
        }
    }
    let is_statement = signature.encoding == PushEncoding::Jwt;
    if is_statement && signature.algorithm != PushAlgorithm::HmacSha256 {
        problems.push("a jwt is signed with `hmac_sha256`".to_owned());
    }
    // It ends by itself, but a day later: until then it could be shown again.
    if is_statement && signature.timestamp.is_none() {
        problems.push("a jwt needs a `timestamp`: when it was made".to_owned());
    }
    if !is_statement && !signature.claims.is_empty() {
        problems.push("only a jwt has `claims`".to_owned());
    }
    let claimed = signature.claims.values().flat_map(|claim| claim.names());
    for name in claimed.filter(|name| !["client_id", "url"].contains(name)) {
        problems.push(format!("`{name}` is nothing a claim can be compared with"));
    }
    let says_who = |meaning: &PushMeaning| *meaning == PushMeaning::Check;
    if signature.algorithm == PushAlgorithm::ClientBasic && !push.means.values().all(says_who) {
        problems.push("what is not signed is a reason to `check`, no more".to_owned());
    }
    let names: Vec<&str> = signature.message.names().collect();
    for name in &names {
        if !["body", "timestamp", "url"].contains(name) {
            problems.push(format!("`{name}` is nothing that is signed"));
        }
    }
    if !names.contains(&"body") {
        problems.push("the body is not signed".to_owned());
    }
    let travels_outside = matches!(
        signature.timestamp,
        Some(MessagePlace::Header(..) | MessagePlace::Query(_))
    );
    if travels_outside && !names.contains(&"timestamp") {
        problems.push("the time of sending is not signed".to_owned());
    }
    let is_signed_apart = signature.encoding == PushEncoding::SignedRequest;
    if is_signed_apart != matches!(signature.at, MessagePlace::Form(_)) {
        problems.push("a signed_request stands in a form, and nothing else does".to_owned());
    }
    let in_header = |place: &MessagePlace| matches!(place, MessagePlace::Header(..));
    let believes =
        |meaning: &PushMeaning| matches!(meaning, PushMeaning::Revoked | PushMeaning::DeleteData);
    if push.kind.iter().chain(&push.account).any(in_header) && push.means.values().any(believes) {
        problems.push("headers are not signed: what they say is a reason to `check`".to_owned());
    }
    problems
}
