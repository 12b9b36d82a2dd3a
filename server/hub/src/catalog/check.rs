//! What must hold between the tables of a file. What concerns one value alone
//! is checked where the value is read.

use std::collections::BTreeSet;

use super::{
    entry::{About, Call, Entry, Origin, Variable},
    load::Source,
    oauth::{OAuth, Pkce, RefreshMode},
    problem::Problem,
    template::Template,
    value::Source as FactSource,
};

/// Names the engine fills itself, in the places that allow them.
const OWN_NAMES: [&str; 5] = [
    "access_token",
    "client_id",
    "random",
    "refresh_token",
    "token",
];

/// Checks one file, together with the app it shares.
pub(super) fn check(source: &Source, own: &Entry, shared: Option<&Entry>) -> Vec<Problem> {
    let mut checker = Checker {
        source,
        own,
        shared,
        problems: Vec::new(),
    };
    checker.tables();
    checker.people();
    checker.variables();
    checker.scopes();
    if let Some(oauth) = &own.oauth {
        checker.oauth(oauth);
    }
    checker.calls();
    checker.problems
}

struct Checker<'a> {
    source: &'a Source,
    own: &'a Entry,
    shared: Option<&'a Entry>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn whole(&mut self, message: impl Into<String>) {
        self.problems
            .push(Problem::whole(&self.source.file, message));
    }

    fn near(&mut self, needle: &str, message: impl Into<String>) {
        self.problems
            .push(Problem::find(self.source, needle, message));
    }

    fn tables(&mut self) {
        let own = self.own;
        let id = self.source.id();
        if id.is_empty()
            || !id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            self.whole("a file is named with a-z, 0-9 and -: it is the provider's id");
        }
        let of_the_app = [
            ("[auth]", own.auth.is_some()),
            ("[app]", own.app.is_some()),
            ("[oauth.authorize]", own.oauth.is_some()),
        ];
        for (table, present) in of_the_app {
            if self.shared.is_some() && present {
                let message = format!("{table} belongs into the shared app's file");
                self.near(table, message);
            } else if self.shared.is_none() && !present {
                self.whole(format!("{table} is missing"));
            }
        }
        if own.provider.is_none() {
            return;
        }
        if own.brand.is_none() {
            self.whole("[brand] is missing");
        }
        if own.identity.is_none() && self.shared.is_none_or(|shared| shared.identity.is_none()) {
            self.whole("[identity] is missing");
        }
    }

    fn people(&mut self) {
        let Some(about) = &self.own.provider else {
            return;
        };
        let About {
            name,
            summary,
            we_will_not,
            sources,
            ..
        } = about;
        for (what, missing) in [
            ("name", name.trim().is_empty()),
            ("summary", summary.trim().is_empty()),
            ("we_will_not", we_will_not.is_empty()),
            ("sources", sources.is_empty()),
        ] {
            if missing {
                self.near(what, format!("`{what}` says nothing"));
            }
        }
        for region in &about.regions {
            if region != "global"
                && (region.len() != 2 || !region.bytes().all(|b| b.is_ascii_lowercase()))
            {
                self.near(
                    &format!("\"{region}\""),
                    format!("`{region}` is neither `global` nor a country code"),
                );
            }
        }
        self.template(about.remove_url.template(), Origin::Identity, &[]);
    }

    fn variables(&mut self) {
        let mut seen = BTreeSet::new();
        for variable in &self.own.variables {
            let name = variable.name.as_str();
            let place = format!("name = \"{name}\"");
            if !seen.insert(name)
                || self
                    .shared
                    .is_some_and(|s| s.variables.iter().any(|v| v.name == name))
            {
                self.near(&place, format!("the variable `{name}` is declared twice"));
            }
            if OWN_NAMES.contains(&name) {
                self.near(
                    &place,
                    format!("`{name}` is a name the engine fills itself"),
                );
            }
            let wants = match variable.from {
                Origin::Catalog if variable.default.is_none() => Some("`default`"),
                Origin::Person if variable.label.is_empty() => Some("`label`, the question"),
                Origin::Token | Origin::Identity if variable.at.is_none() => {
                    Some("`at`, its place in the answer")
                }
                _ => None,
            };
            if let Some(wants) = wants {
                self.near(&place, format!("the variable `{name}` needs {wants}"));
            }
            if let Some(default) = &variable.default
                && !variable.pattern.matches(default)
            {
                self.near(
                    &place,
                    format!("the default of `{name}` does not match its own pattern"),
                );
            }
            if let Some(hostile) = self.admits(variable) {
                self.near(&place, format!("the pattern of `{name}` admits {hostile:?}, which could lead a token astray"));
            }
        }
    }

    /// A value somebody outside could give that would change where a call goes.
    fn admits(&self, variable: &Variable) -> Option<&'static str> {
        /// For a value inside an address.
        const PIECES: [&str; 11] = [
            "", "a/b", "a?b", "a#b", "a@b", "a:1", "a\\b", "a b", "a%2Fb", "a\nb", "..",
        ];
        /// For a value that is the beginning of an address.
        const ORIGINS: [&str; 6] = [
            "",
            "http://example.com",
            "https://example.com",
            "https://user@example.com",
            "https://127.0.0.1",
            "https://[::1]",
        ];
        if variable.from == Origin::Hub {
            return None;
        }
        let leads = self
            .addresses()
            .any(|url| url.source().starts_with(&format!("{{{}}}", variable.name)));
        let hostile: &[&str] = if leads { &ORIGINS } else { &PIECES };
        hostile
            .iter()
            .copied()
            .find(|value| variable.pattern.matches(value))
    }

    fn addresses(&self) -> impl Iterator<Item = &Template> {
        let entries = [Some(self.own), self.shared];
        entries.into_iter().flatten().flat_map(|entry| {
            let mut urls = Vec::new();
            if let Some(oauth) = &entry.oauth {
                urls.push(oauth.authorize.url.template());
                urls.push(oauth.token.url.template());
                urls.extend(oauth.extend.iter().map(|step| step.url.template()));
                urls.extend(oauth.refresh.url.iter().map(|url| url.template()));
                urls.extend(oauth.revoke.iter().map(|revoke| revoke.url.template()));
            }
            urls.extend(
                entry
                    .api
                    .iter()
                    .filter_map(|api| Some(api.base.as_ref()?.template())),
            );
            urls.extend(
                entry
                    .identity
                    .iter()
                    .map(|identity| identity.call.url.template()),
            );
            urls.extend(entry.probe.iter().map(|probe| probe.url.template()));
            urls
        })
    }

    fn scopes(&mut self) {
        let mut seen = BTreeSet::new();
        for scope in &self.own.scopes {
            let place = format!("name = \"{}\"", scope.name);
            if !seen.insert(scope.name.as_str()) {
                self.near(
                    &place,
                    format!("the scope `{}` is described twice", scope.name),
                );
            }
            if scope.meaning.trim().is_empty() {
                self.near(&place, format!("the scope `{}` has no meaning", scope.name));
            }
            for implied in &scope.implies {
                if !self.own.scopes.iter().any(|other| other.name == *implied) {
                    self.near(
                        &format!("\"{implied}\""),
                        format!(
                            "`{}` implies `{implied}`, which is not described",
                            scope.name
                        ),
                    );
                }
            }
        }
        if !self.own.scopes.is_empty() && !self.own.scopes.iter().any(|scope| scope.default) {
            self.near("[[scope]]", "no scope is asked for by default");
        }
    }

    fn oauth(&mut self, oauth: &OAuth) {
        let authorize = &oauth.authorize;
        match (authorize.pkce, &authorize.pkce_reason) {
            (Pkce::Off, None) => self.near("pkce", "`pkce = \"off\"` needs a `pkce_reason`"),
            (Pkce::S256 | Pkce::S256Hex, Some(_)) => {
                self.near("pkce_reason", "`pkce_reason` without `pkce = \"off\"`")
            }
            _ => {}
        }
        self.template(authorize.url.template(), Origin::Person, &["client_id"]);
        for template in authorize
            .params
            .values()
            .chain(authorize.reconsent.values())
        {
            self.template(template, Origin::Person, &["client_id", "random"]);
        }
        for template in oauth
            .callback
            .issuer
            .iter()
            .chain(oauth.callback.expect.values())
        {
            self.template(template, Origin::Person, &[]);
        }
        self.template(oauth.token.url.template(), Origin::Callback, &["client_id"]);
        self.headers(oauth.token.headers.keys());
        for template in oauth
            .token
            .headers
            .values()
            .chain(oauth.token.params.values())
        {
            self.template(template, Origin::Callback, &["client_id"]);
        }
        if let Some(step) = &oauth.extend {
            self.template(step.url.template(), Origin::Token, &["client_id"]);
            for template in step.params.values() {
                self.template(template, Origin::Token, &["access_token", "client_id"]);
            }
        }
        let refresh = &oauth.refresh;
        if let Some(url) = &refresh.url {
            self.template(url.template(), Origin::Identity, &["client_id"]);
        }
        for template in refresh.params.values() {
            self.template(template, Origin::Identity, &["access_token", "client_id"]);
        }
        if refresh.mode == RefreshMode::Exchange
            && !refresh
                .params
                .values()
                .any(|template| template.names().any(|name| name == "access_token"))
        {
            self.near(
                "[oauth.refresh]",
                "`mode = \"exchange\"` needs a parameter with {access_token}",
            );
        }
        if let Some(revoke) = &oauth.revoke {
            self.template(revoke.url.template(), Origin::Identity, &["client_id"]);
            for template in revoke.params.values() {
                self.template(
                    template,
                    Origin::Identity,
                    &["access_token", "client_id", "refresh_token", "token"],
                );
            }
        }
    }

    fn calls(&mut self) {
        let own = self.own;
        if let Some(base) = own.api.as_ref().and_then(|api| api.base.as_ref()) {
            self.template(base.template(), Origin::Identity, &[]);
        }
        if let Some(api) = &own.api {
            self.headers([&api.header]);
        }
        if let Some(identity) = &own.identity {
            self.call(&identity.call);
            let sources = identity
                .id
                .iter()
                .chain(&identity.label)
                .chain(&identity.granted_scopes);
            for fact in sources {
                match fact {
                    FactSource::Variable(name) if self.variable(name).is_none() => {
                        self.near(
                            &format!("\"variable:{name}\""),
                            format!("the variable `{name}` is not declared"),
                        );
                    }
                    FactSource::Probe(_) if own.probe.is_none() => {
                        self.near("\"probe:", "there is no [probe] to answer");
                    }
                    _ => {}
                }
            }
            if identity.id.is_empty() || identity.label.is_empty() {
                self.near("[identity]", "[identity] needs an `id` and a `label`");
            }
        }
        if let Some(probe) = &own.probe {
            self.call(probe);
        }
    }

    fn call(&mut self, call: &Call) {
        // What the identity call tells is not known before it.
        self.template(call.url.template(), Origin::Token, &[]);
        self.headers(call.headers.keys());
        for template in call.headers.values().chain(call.params.values()) {
            self.template(template, Origin::Token, &[]);
        }
    }

    fn headers<'n>(&mut self, names: impl IntoIterator<Item = &'n String>) {
        for name in names {
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            {
                self.near(name, format!("`{name}` is not a header name in lower case"));
            }
        }
    }

    /// A template may name the engine's own names given, and variables known by then.
    fn template(&mut self, template: &Template, known: Origin, own_names: &[&str]) {
        for name in template.names() {
            let message = match self.variable(name) {
                _ if own_names.contains(&name) => continue,
                Some(variable) if variable.default.is_some() || variable.from <= known => continue,
                Some(_) => {
                    format!("the variable `{name}` is not known yet when `{template}` is used")
                }
                None => format!("`{template}` names `{name}`, which is not declared"),
            };
            self.problems.push(Problem::at(
                &self.source.file,
                &self.source.text,
                template.offset(),
                message,
            ));
        }
    }

    fn variable(&self, name: &str) -> Option<&Variable> {
        let shared = self
            .shared
            .map(|shared| shared.variables.as_slice())
            .unwrap_or_default();
        self.own
            .variables
            .iter()
            .chain(shared)
            .find(|variable| variable.name == name)
    }
}
