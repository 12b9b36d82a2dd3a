//! One provider, complete: its own file on top of the app it shares.

use super::{
    entry::{About, Api, Brand, Call, Identify, Origin, Scope, Setup, Variable},
    errors::ErrorTable,
    oauth::OAuth,
    template::Variables,
};

/// A service that can be connected, as its file describes it.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The file's name without `.toml`: `google-drive`.
    pub id: String,
    /// The provider app to look up: `google` for Gmail and Drive, else [`Self::id`].
    pub app_id: String,
    /// What a person reads.
    pub about: About,
    /// How it is recognised.
    pub brand: Brand,
    /// How an operator registers our app.
    pub setup: Setup,
    /// Values that differ from connection to connection.
    pub variables: Vec<Variable>,
    /// How people sign in there.
    pub auth: Auth,
    /// How calls carry the token.
    pub api: Api,
    /// Who the connected account is.
    pub identity: Identify,
    /// A further call that must work, where the identity call proves too little.
    pub probe: Option<Call>,
    /// The permissions it knows.
    pub scopes: Vec<Scope>,
    /// What its errors mean.
    pub errors: ErrorTable,
}

/// How people sign in at a provider.
#[derive(Clone, Debug)]
pub enum Auth {
    /// OAuth 2.
    OAuth2(Box<OAuth>),
}

impl Provider {
    /// The name on screen.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// How it speaks OAuth.
    pub fn oauth(&self) -> &OAuth {
        let Auth::OAuth2(oauth) = &self.auth;
        oauth
    }

    /// Whether every value the hub must give has been given.
    pub fn is_offered(&self) -> bool {
        !self
            .variables
            .iter()
            .any(|variable| variable.from == Origin::Hub && variable.default.is_none())
    }

    /// What a person is asked before connecting.
    pub fn questions(&self) -> impl Iterator<Item = &Variable> {
        self.variables
            .iter()
            .filter(|variable| variable.from == Origin::Person)
    }

    /// `given` on top of this provider's defaults.
    pub fn values(&self, given: &Variables) -> Variables {
        let mut values: Variables = self
            .variables
            .iter()
            .filter_map(|variable| Some((variable.name.clone(), variable.default.clone()?)))
            .collect();
        values.extend(given.clone());
        values
    }

    /// The page where a person removes our access; `None` while a value it
    /// needs is not known.
    pub fn remove_url(&self, given: &Variables) -> Option<String> {
        self.about.remove_url.render(&self.values(given)).ok()
    }

    /// The permission called `name`, by the provider's name for it.
    pub fn scope(&self, name: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.name == name)
    }

    /// The scopes asked for unless somebody chooses otherwise, technical ones included.
    pub fn default_scopes(&self) -> Vec<String> {
        self.scopes
            .iter()
            .filter(|scope| scope.default || scope.technical)
            .map(|scope| scope.name.clone())
            .collect()
    }

    /// Which of `asked` the person did not grant. Technical scopes are not
    /// counted: several providers never answer with them.
    pub fn missing_scopes(&self, asked: &[String], granted: &[String]) -> Vec<String> {
        let has = |name: &str| {
            granted.iter().any(|granted| {
                granted == name
                    || self
                        .scope(granted)
                        .is_some_and(|wide| wide.implies.iter().any(|n| n == name))
                    || self
                        .scope(name)
                        .is_some_and(|own| own.answered_as.contains(granted))
            })
        };
        asked
            .iter()
            .filter(|name| !self.scope(name).is_some_and(|scope| scope.technical))
            .filter(|name| !has(name))
            .cloned()
            .collect()
    }

    /// Whether `query`, in lower case, is in the name, an alias, the category
    /// or the id.
    pub(super) fn answers_to(&self, query: &str) -> bool {
        let texts = [self.name(), self.about.category.label(), &self.id];
        texts
            .into_iter()
            .chain(self.about.aliases.iter().map(String::as_str))
            .any(|text| text.to_lowercase().contains(query))
    }
}
