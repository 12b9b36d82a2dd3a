//! What a call is signed with: a token, or what a person entered.

use std::collections::BTreeMap;

use super::{
    DialectError, ProviderApp,
    request::{Draft, misconfigured},
};
use crate::{
    catalog::{Place, Provider, Template, Variables, value::Source},
    failure::Failure,
    secret::{Secret, digest},
};

/// What a person entered, by field. It is sealed as one text.
pub struct Entered(BTreeMap<String, Secret>);

/// How much of a digest tells one key from another, in bytes.
const FINGERPRINT: usize = 12;

impl Entered {
    /// From pairs of name and value.
    pub fn new(values: impl IntoIterator<Item = (String, Secret)>) -> Self {
        Self(values.into_iter().collect())
    }

    /// From the text that was sealed.
    pub(super) fn read(stored: &Secret) -> Result<Self, Failure> {
        let values: BTreeMap<String, String> = serde_json::from_str(stored.expose())
            .map_err(|_| misconfigured(DialectError::FieldsUnreadable))?;
        Ok(Self::new(
            values
                .into_iter()
                .map(|(name, value)| (name, Secret::new(value))),
        ))
    }

    /// As the text to seal.
    pub fn to_stored(&self) -> Secret {
        let values: BTreeMap<&str, &str> = self
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        Secret::new(serde_json::to_string(&values).expect("texts are JSON"))
    }

    /// What was entered into a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }

    /// Whose password is tried: the provider with everything that was said and
    /// is no secret, as a digest.
    pub fn account(&self, provider: &Provider, variables: &Variables) -> Vec<u8> {
        let open = provider.fields.iter().filter(|field| !field.secret);
        let open = open.filter_map(|field| Some((&field.name, self.get(&field.name)?)));
        let said = variables.iter().map(|(name, value)| (name, value.as_str()));
        let all: Vec<_> = said.chain(open).collect();
        digest(serde_json::to_string(&(&provider.id, all)).expect("texts are JSON"))
    }

    /// A fact about the account that stands in what was entered.
    pub(super) fn fact(&self, provider: &Provider, source: &Source) -> Option<String> {
        match source {
            Source::Field(name) => Some(self.get(name)?.to_owned()),
            Source::Fields(text) => self.filled(text),
            Source::LastFour(name) => self.last_four(name),
            Source::Fingerprint => Some(self.fingerprint(provider)),
            _ => None,
        }
    }

    /// A text with what was entered in its places; a host is the same in
    /// capitals, and an optional end may be empty.
    fn filled(&self, text: &Template) -> Option<String> {
        let host = self.get("host").map(str::to_ascii_lowercase);
        let filled = text.fill(|name| match name {
            "host" => host.as_deref(),
            name => self.get(name),
        });
        Some(filled.ok()?.trim().to_owned())
    }

    /// The end of what was entered into a field, for people to recognise it by.
    fn last_four(&self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        let end = value.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        Some(format!("…{}", &value[end..]))
    }

    /// Tells one set of secrets from another without telling them.
    fn fingerprint(&self, provider: &Provider) -> String {
        let secrets = provider.fields.iter().filter(|field| field.secret);
        let text: Vec<&str> = secrets.filter_map(|field| self.get(&field.name)).collect();
        let digest = digest(text.join("\n"));
        let hex = digest[..FINGERPRINT]
            .iter()
            .map(|byte| format!("{byte:02x}"));
        hex.collect()
    }

    /// The secrets in it.
    pub(super) fn secrets(&self, provider: &Provider) -> Vec<&Secret> {
        let secret = provider.fields.iter().filter(|field| field.secret);
        secret.filter_map(|field| self.0.get(&field.name)).collect()
    }

    /// The client a person entered, where it is their own.
    pub(super) fn client(&self) -> Option<ProviderApp> {
        Some(ProviderApp {
            client_id: self.get("client_id")?.to_owned(),
            client_secret: Secret::new(self.get("client_secret").unwrap_or_default()),
            settings: Variables::new(),
        })
    }
}

/// What a call is signed with.
pub(super) enum Carried<'a> {
    Token(&'a Secret),
    Entered(Entered),
}

impl<'a> Carried<'a> {
    /// From what is sealed as a connection's access.
    pub fn of(provider: &Provider, access: &'a Secret) -> Result<Self, Failure> {
        match provider.carries_fields() {
            true => Entered::read(access).map(Self::Entered),
            false => Ok(Self::Token(access)),
        }
    }

    /// The value a template means by `name`, if it means this.
    pub fn value(&self, name: &str) -> Option<&str> {
        match (self, name) {
            (Self::Token(token), "access_token") => Some(token.expose()),
            (Self::Token(_), _) => None,
            (Self::Entered(entered), name) => entered.get(name),
        }
    }

    /// Which lines of the error table apply.
    pub fn place(&self) -> Place {
        match self {
            Self::Token(_) => Place::Api,
            Self::Entered(_) => Place::Key,
        }
    }

    pub fn entered(&self) -> Option<&Entered> {
        match self {
            Self::Token(_) => None,
            Self::Entered(entered) => Some(entered),
        }
    }

    /// The secrets in it, to take out of what a provider repeats.
    pub fn secrets(&self, provider: &Provider) -> Vec<&Secret> {
        match self {
            Self::Token(token) => vec![token],
            Self::Entered(entered) => entered.secrets(provider),
        }
    }

    /// Signs a call as the provider's `[api]` says.
    pub fn sign(
        &self,
        draft: &mut Draft<'_>,
        provider: &Provider,
        values: &Variables,
    ) -> Result<(), Failure> {
        if let Self::Token(token) = self {
            draft.bearer(provider, token)?;
        }
        let signature = self.signature(provider, values)?;
        for (name, value) in &signature.headers {
            draft.header(name, value.expose(), true)?;
        }
        for (name, value) in &signature.query {
            draft.query(name, value.expose());
        }
        if let Some((user, password)) = &signature.basic {
            draft.basic_as_is(user.expose(), password.expose())?;
        }
        Ok(())
    }

    /// What every call carries by the provider's `[api]`, but for a bearer token.
    pub fn signature(&self, provider: &Provider, values: &Variables) -> Result<Signature, Failure> {
        let api = &provider.api;
        let fill = |name: &str| {
            self.value(name)
                .or_else(|| values.get(name).map(String::as_str))
        };
        let not_yet = provider.tenant_variable().map(|variable| &variable.name);
        // What was left empty is not sent empty.
        let is_left_out = |template: &Template| {
            let entered = self.entered();
            entered
                .is_some_and(|entered| template.names().any(|name| entered.get(name) == Some("")))
        };
        let mut signature = Signature::default();
        for (name, template) in &api.headers {
            if is_left_out(template) {
                continue;
            }
            match template.fill(fill) {
                Ok(value) => signature.headers.push((name.clone(), Secret::new(value))),
                // Which organisation is meant is chosen after the list was read.
                Err(missing) if Some(&missing.0) == not_yet => {}
                Err(missing) => return Err(misconfigured(missing)),
            }
        }
        for (name, template) in &api.query {
            if is_left_out(template) {
                continue;
            }
            let value = template.fill(fill).map_err(misconfigured)?;
            signature.query.push((name.clone(), Secret::new(value)));
        }
        if let Some(basic) = &api.basic {
            let half = |template: &Template| template.fill(fill).map_err(misconfigured);
            let (user, password) = (half(&basic.user)?, half(&basic.password)?);
            signature.basic = Some((Secret::new(user), Secret::new(password)));
        }
        Ok(signature)
    }
}

/// What a call carries of what was entered, ready to be sent.
#[derive(Default)]
pub struct Signature {
    /// Headers, by name.
    pub headers: Vec<(String, Secret)>,
    /// Parameters of the address, by name.
    pub query: Vec<(String, Secret)>,
    /// User and password of basic authentication.
    pub basic: Option<(Secret, Secret)>,
}
