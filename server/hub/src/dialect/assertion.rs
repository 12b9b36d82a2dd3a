//! Statements signed with a private key (RFC 7523), in place of a secret.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value, json};

use super::request::misconfigured;
use crate::{
    catalog::oauth::{Algorithm, Assertion},
    clock::Clock,
    failure::{Failure, FailureCode},
    secret::Secret,
};

/// How long a statement holds where the entry does not say, in seconds.
const LIFETIME_S: i64 = 300;
/// How far the provider's clock may be behind ours, in seconds.
const SKEW_S: i64 = 30;

/// The signed statement.
///
/// # Errors
/// The key cannot be read, or a value is missing.
pub(super) fn signed<'v>(
    assertion: &Assertion,
    clock: &Clock,
    fill: impl Fn(&str) -> Option<&'v str>,
) -> Result<Secret, Failure> {
    let unusable = |_| Failure::told(FailureCode::CredentialsRejected, "private_key_unreadable");
    let (algorithm, read): (_, fn(&[u8]) -> _) = match assertion.algorithm {
        Algorithm::RS256 => (jsonwebtoken::Algorithm::RS256, EncodingKey::from_rsa_pem),
        Algorithm::ES256 => (jsonwebtoken::Algorithm::ES256, EncodingKey::from_ec_pem),
    };
    let pem = assertion.key.fill(&fill).map_err(misconfigured)?;
    // A key pasted out of a JSON file has its line ends written out.
    let key = read(pem.replace("\\n", "\n").as_bytes()).map_err(unusable)?;
    let mut header = Header::new(algorithm);
    if let Some(id) = &assertion.key_id {
        header.kid = Some(id.fill(&fill).map_err(misconfigured)?);
    }
    let now = clock.now().timestamp();
    let lifetime = assertion
        .lifetime
        .map_or(LIFETIME_S, |lifetime| lifetime.num_seconds());
    let mut claims = Map::new();
    for (name, template) in &assertion.claims {
        let value = template.fill(&fill).map_err(misconfigured)?;
        claims.insert(name.clone(), Value::String(value));
    }
    claims.insert("iat".into(), json!(now - SKEW_S));
    claims.insert("exp".into(), json!(now - SKEW_S + lifetime));
    claims.insert("jti".into(), json!(Secret::random(16).expose()));
    encode(&header, &claims, &key)
        .map(Secret::new)
        .map_err(unusable)
}
