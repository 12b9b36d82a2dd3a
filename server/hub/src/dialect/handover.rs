//! What a provider's server brings to ours in a message of its own.

use super::{
    Entered,
    answer::{parse_json, split_scopes, text_at},
};
use crate::{catalog::Provider, secret::Secret};

/// Keys, and the flow they are for.
pub struct HandedOver {
    /// The flow's state, as the server was given it.
    pub state: Secret,
    /// The keys, each looking as its field demands.
    pub entered: Entered,
    /// The granted scopes, if the server says.
    pub scopes: Option<Vec<String>>,
}

/// Reads a message; `None` when anything in it does not look as the entry says.
pub fn read_handover(provider: &Provider, body: &[u8]) -> Option<HandedOver> {
    let entry = provider.handover()?;
    let body = parse_json(std::str::from_utf8(body).ok()?.trim())?;
    let mut entered = Vec::new();
    for field in &provider.fields {
        let told = entry.fields.get(&field.name);
        let told = told.and_then(|at| text_at(&body, at)).unwrap_or_default();
        entered.push((field.name.clone(), Secret::new(field.read(&told)?)));
    }
    let scopes = entry.granted_scopes.as_ref();
    Some(HandedOver {
        state: Secret::new(text_at(&body, &entry.state)?),
        entered: Entered::new(entered),
        scopes: scopes
            .and_then(|at| text_at(&body, at))
            .map(|scopes| split_scopes(provider, &scopes)),
    })
}
