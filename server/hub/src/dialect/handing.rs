//! What a host application is handed of a connection that a person entered: the
//! key, and how the provider wants it, so that the host need not know.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    credential::{Carried, Signature},
    request::misconfigured,
};
use crate::{
    catalog::{Provider, Variables},
    failure::Failure,
    secret::Secret,
};

/// The type of what is no single key.
pub const CREDENTIALS: &str = "credentials";
/// The type of a single key that is not sent as a bearer token.
const API_KEY: &str = "api_key";

/// What was entered, as its borrower needs it.
pub struct Handed {
    /// The key, where there is one only.
    pub key: Option<Secret>,
    /// `Bearer`, `api_key`, [`CREDENTIALS`], or what a provider calls its tokens.
    pub token_type: Cow<'static, str>,
    /// Everything else that was entered, by the names of the entry's fields, with
    /// what is no secret: a host, a port. What was left empty is left out.
    pub credentials: Option<BTreeMap<String, Secret>>,
    /// What a call carries, where the provider is spoken to over HTTP.
    pub request: Option<Request>,
}

/// What every call to a provider carries, ready to be sent.
pub struct Request {
    /// Where its API begins. A few want the key in there.
    pub base_url: Option<Secret>,
    /// Headers, parameters and basic authentication.
    pub signature: Signature,
}

/// What is handed out of an entered `access`; none where calls carry a token
/// instead.
///
/// # Errors
/// When the entry and what is stored do not fit together.
pub fn hand_out(
    provider: &Provider,
    variables: &Variables,
    access: &Secret,
) -> Result<Option<Handed>, Failure> {
    let carried = Carried::of(provider, access)?;
    let Some(entered) = carried.entered() else {
        return Ok(None);
    };
    let request = match provider.service {
        Some(_) => None,
        None => Some(request(provider, &carried, variables)?),
    };
    let given: Vec<(&str, &str)> = provider
        .fields
        .iter()
        .filter_map(|field| Some((field.name.as_str(), entered.get(&field.name)?)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let ([(_, key)], Some(signed)) = (&given[..], &request) else {
        let all = given.into_iter();
        let all = all.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        return Ok(Some(Handed {
            key: None,
            token_type: CREDENTIALS.into(),
            credentials: Some(all.collect()),
            request,
        }));
    };
    let is_bearer = signed.signature.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("authorization")
            && value.expose().strip_prefix("Bearer ") == Some(*key)
    });
    Ok(Some(Handed {
        key: Some(Secret::new(*key)),
        token_type: if is_bearer { "Bearer" } else { API_KEY }.into(),
        credentials: None,
        request,
    }))
}

fn request(
    provider: &Provider,
    carried: &Carried<'_>,
    variables: &Variables,
) -> Result<Request, Failure> {
    let values = provider.values(variables);
    let fill = |name: &str| {
        carried
            .value(name)
            .or_else(|| values.get(name).map(String::as_str))
    };
    let base_url = match &provider.api.base {
        Some(base) => Some(base.template().fill(fill).map_err(misconfigured)?),
        None => None,
    };
    Ok(Request {
        base_url: base_url.map(Secret::new),
        signature: carried.signature(provider, &values)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::Catalog, dialect::Entered};

    /// Every entry with the examples of its own fields.
    #[test]
    fn every_entered_connection_is_handed_out_as_its_provider_wants_it() {
        let catalog = Catalog::embedded().unwrap();
        let mut counts = [0, 0, 0];
        for provider in catalog.iter().filter(|one| one.carries_fields()) {
            let id = &provider.id;
            let entered = provider.fields.iter().map(|field| {
                let value = field.default.as_ref().unwrap_or(&field.example);
                (field.name.clone(), Secret::new(value.as_str()))
            });
            let mut variables: Variables = provider
                .questions()
                .map(|one| (one.name.clone(), one.placeholder.clone()))
                .collect();
            for variable in provider.variables.iter() {
                variables
                    .entry(variable.name.clone())
                    .or_insert_with(|| "https://x.example".to_owned());
            }
            let stored = Entered::new(entered).to_stored();
            let handed = hand_out(provider, &variables, &stored)
                .unwrap_or_else(|failure| panic!("{id}: {}", failure.detail))
                .unwrap();
            let given = provider.fields.len();
            assert_eq!(handed.request.is_none(), provider.service.is_some(), "{id}");
            match (&handed.key, &handed.credentials) {
                (Some(key), None) => {
                    assert_eq!(given, 1, "{id}");
                    assert_ne!(handed.token_type, CREDENTIALS, "{id}");
                    let request = handed.request.as_ref().unwrap();
                    let signature = &request.signature;
                    let basic = signature
                        .basic
                        .iter()
                        .flat_map(|(user, password)| [user, password]);
                    let pairs = signature.headers.iter().chain(&signature.query);
                    let mut all = pairs
                        .map(|(_, value)| value)
                        .chain(basic)
                        .chain(&request.base_url);
                    assert!(
                        all.any(|value| value.expose().contains(key.expose())),
                        "{id}"
                    );
                    counts[usize::from(handed.token_type == API_KEY)] += 1;
                }
                (None, Some(credentials)) => {
                    assert_eq!(handed.token_type, CREDENTIALS, "{id}");
                    assert_eq!(credentials.len(), given, "{id}");
                    counts[2] += 1;
                }
                _ => panic!("{id}: a key or credentials"),
            }
        }
        assert!(counts.iter().all(|count| *count > 3), "{counts:?}");
    }
}
