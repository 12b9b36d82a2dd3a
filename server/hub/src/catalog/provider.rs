//! One provider, complete: its own file on top of the app it shares.

use chrono::TimeDelta;

use super::{
    entry::{
        About, Api, AuthKind, Brand, Call, Care, Identify, Origin, Scope, Setup, Tenants, Variable,
    },
    errors::ErrorTable,
    keys::{Field, Service},
    oauth::{
        AdminConsent, Answer, Authorize, ClientAuth, Delivery, Handover, OAuth, Proof, Refresh,
        TokenRequest,
    },
    push::Push,
    rank::Words,
    template::Variables,
    value::Source,
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
    /// How an operator registers our app, where there is one to register.
    pub setup: Option<Setup>,
    /// Values that differ from connection to connection.
    pub variables: Vec<Variable>,
    /// How people sign in there.
    pub kind: AuthKind,
    /// How it speaks OAuth, if it does.
    pub oauth: Option<Box<OAuth>>,
    /// How its tokens are renewed; without OAuth not at all.
    pub refresh: Refresh,
    /// Where things stand in its token endpoint's answers.
    pub answer: Answer,
    /// What a person enters, where there is no one-click sign-in.
    pub fields: Vec<Field>,
    /// What is spoken to it, if not HTTP.
    pub service: Option<Service>,
    /// How calls carry the token.
    pub api: Api,
    /// Who the connected account is.
    pub identity: Identify,
    /// A further call that must work, where the identity call proves too little.
    pub probe: Option<Call>,
    /// How often and how fast it is asked.
    pub care: Care,
    /// The organisations one consent may open.
    pub tenants: Option<Tenants>,
    /// How it tells that our access has ended.
    pub push: Option<Push>,
    /// The permissions it knows.
    pub scopes: Vec<Scope>,
    /// What its errors mean.
    pub errors: ErrorTable,
    /// What it is found by.
    pub(super) words: Words,
}

/// What signing in takes, in the eyes of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// Consent at the provider.
    OneClick,
    /// Finding and pasting a key.
    Key,
    /// The address and login of a database.
    Database,
    /// A sign-in in a real browser; not available yet.
    Browser,
}

/// How often a connection is asked whether it works, where one small call says so.
const CHECK_EVERY: TimeDelta = TimeDelta::hours(1);
/// The same where asking means signing in: databases, mailboxes, storage.
const SIGN_IN_EVERY: TimeDelta = TimeDelta::days(1);
/// How many calls a second the background makes with one app at the most.
const PER_SECOND: u16 = 25;

impl Provider {
    /// The name on screen.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// How often a connection is asked whether it works.
    pub fn check_every(&self) -> TimeDelta {
        self.care.every.unwrap_or(match self.service {
            Some(_) => SIGN_IN_EVERY,
            None => CHECK_EVERY,
        })
    }

    /// How many calls a second the background may make with its app.
    pub fn calls_per_second(&self) -> u16 {
        self.care.per_second.unwrap_or(PER_SECOND).max(1)
    }

    /// Whether all its connections lead to one company's machines, so that
    /// several that fail together say something about it: a database or a shop
    /// system is run by each owner apart.
    pub fn is_one_place(&self) -> bool {
        let Some(call) = self.identity.call.as_ref() else {
            return false;
        };
        if self.service.is_some() {
            return false;
        }
        let mut names = call.url.template().names();
        let is_anywhere = |name: &str| {
            let variable = self.variables.iter().find(|one| one.name == name);
            variable.is_none_or(|variable| variable.anywhere)
        };
        // An address may also be made of what was entered.
        !names.any(is_anywhere)
    }

    /// The address people are sent to, if they are sent anywhere.
    pub fn authorize(&self) -> Option<&Authorize> {
        self.oauth.as_ref()?.authorize.as_ref()
    }

    /// Its token endpoint, if it has one.
    pub fn token(&self) -> Option<&TokenRequest> {
        self.oauth.as_ref()?.token.as_ref()
    }

    /// Whether the app shows a certificate where others send a secret.
    pub fn knows_us_by_certificate(&self) -> bool {
        self.token()
            .is_some_and(|token| token.client_auth == ClientAuth::Certificate)
    }

    /// Whether a connection is known by its key only, because the provider
    /// names no account.
    pub fn is_named_by_its_key(&self) -> bool {
        self.identity.id.first() == Some(&Source::Fingerprint)
    }

    /// Whether disconnecting can end our access there, without a person.
    pub fn is_revoked_by_call(&self) -> bool {
        self.oauth
            .as_ref()
            .is_some_and(|oauth| oauth.revoke.is_some())
    }

    /// Whether ending our access there ends what its other products were granted, too.
    pub fn is_revoked_whole(&self) -> bool {
        let oauth = self.oauth.as_ref();
        oauth.is_some_and(|oauth| oauth.revoke.as_ref().is_some_and(|revoke| revoke.whole_app))
    }

    /// Whether calls carry what was entered, and not a token made from it.
    pub fn carries_fields(&self) -> bool {
        !self.fields.is_empty() && self.token().is_none()
    }

    /// What a person brings back from giving consent.
    pub fn delivers(&self) -> Delivery {
        self.oauth
            .as_ref()
            .map(|oauth| oauth.callback.delivers)
            .unwrap_or_default()
    }

    /// How an administrator allows the app for everybody, where that is apart.
    pub fn admin_consent(&self) -> Option<&AdminConsent> {
        self.oauth.as_ref()?.admin_consent.as_ref()
    }

    /// How a person proves that an installation is theirs, if they can.
    pub fn proof(&self) -> Option<&Proof> {
        self.oauth.as_ref()?.proof.as_ref()
    }

    /// How its server hands keys to ours, if it does.
    pub fn handover(&self) -> Option<&Handover> {
        self.oauth.as_ref()?.handover.as_ref()
    }

    /// What signing in takes.
    pub fn sign_in(&self) -> SignIn {
        match self.kind {
            AuthKind::BrowserSession => SignIn::Browser,
            AuthKind::Database => SignIn::Database,
            _ if self.authorize().is_some() => SignIn::OneClick,
            _ => SignIn::Key,
        }
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

    /// The variable that says which organisation a connection is for.
    pub fn tenant_variable(&self) -> Option<&Variable> {
        self.tenants.as_ref()?;
        self.variables
            .iter()
            .find(|variable| variable.from == Origin::Tenant)
    }

    /// What the operator is asked with the provider app.
    pub fn settings(&self) -> impl Iterator<Item = &Variable> {
        self.variables
            .iter()
            .filter(|variable| variable.from == Origin::App)
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

    /// Whether people in `region` can use it: a country, `eu`, or `global` for
    /// what serves everybody.
    pub fn serves(&self, region: &str) -> bool {
        self.about
            .regions
            .iter()
            .any(|served| served == "global" || served == region)
            || region == "eu" && self.about.regions.iter().any(|served| is_in_eu(served))
    }

    /// How well this answers `query`, which is trimmed and in lower case: 0 is
    /// best, none is not at all.
    pub fn answers_to(&self, query: &str) -> Option<u8> {
        self.words.rank(query)
    }
}

/// Whether a country is a member of the European Union.
fn is_in_eu(country: &str) -> bool {
    const MEMBERS: &str = "at be bg cy cz de dk ee es fi fr gr hr hu ie it lt lu lv mt nl pl pt ro \
                           se si sk";
    MEMBERS.split(' ').any(|member| member == country)
}
