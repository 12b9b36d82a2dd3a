//! What must hold between the tables of a file. What concerns one value alone
//! is checked where the value is read.

use std::collections::BTreeSet;

use super::{
    check_push,
    entry::{About, AuthKind, Call, Choice, EnteredCall, Entry, Origin, Signing, Variable},
    keys::Field,
    load::Source,
    oauth::{Authorize, ClientAuth, Delivery, OAuth, Pkce, Proof, RefreshMode, TokenRequest},
    problem::Problem,
    template::Template,
    value::{Pattern, Source as FactSource},
};

/// Names the engine fills itself, in the places that allow them.
const OWN_NAMES: [&str; 7] = [
    "access_token",
    "handover_url",
    "random",
    "redirect_uri",
    "refresh_token",
    "state",
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
    checker.fields();
    checker.scopes();
    if let Some(oauth) = &own.oauth {
        checker.oauth(oauth);
    }
    checker.calls();
    if let Some(push) = &own.push {
        for problem in check_push::problems(push, |name| checker.variable(name)) {
            checker.near("[push", problem);
        }
    }
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
        for (table, present) in [("[auth]", own.auth.is_some()), ("[app]", own.app.is_some())] {
            if self.shared.is_some() && present {
                let message = format!("{table} belongs into the shared app's file");
                self.near(table, message);
            }
        }
        let Some(kind) = self.kind() else {
            self.whole("[auth] is missing");
            return;
        };
        let oauth = self.oauth_table();
        let has = |shared: fn(&Entry) -> bool| shared(own) || self.shared.is_some_and(shared);
        let consent = oauth.is_some_and(|oauth| oauth.authorize.is_some());
        let token = oauth.is_some_and(|oauth| oauth.token.is_some());
        let hands_over = oauth.is_some_and(|oauth| oauth.handover.is_some());
        let mints = oauth.is_some_and(|oauth| oauth.refresh.mode == RefreshMode::Mint);
        let (app, fields) = (has(|entry| entry.app.is_some()), !own.fields.is_empty());
        let is_app_alone = own.provider.is_none();
        let demands: &[(&str, bool)] = match kind {
            AuthKind::OAuth2 => &[
                ("[app]", app),
                ("[oauth.authorize]", consent || is_app_alone),
            ],
            AuthKind::ClientCredentials => &[
                ("[[field]]", fields),
                ("[oauth.token]", token),
                ("`mode = \"mint\"` in [oauth.refresh]", mints),
            ],
            AuthKind::ApiKey | AuthKind::Basic => &[("[[field]]", fields)],
            AuthKind::Database => &[("[[field]]", fields), ("[service]", own.service.is_some())],
            AuthKind::Custom => &[("[[field]] or [oauth]", fields || consent)],
            AuthKind::BrowserSession => &[],
        };
        let missing: Vec<&str> = demands
            .iter()
            .filter_map(|(table, present)| (!present).then_some(*table))
            .collect();
        for table in missing {
            self.whole(format!("{table} is missing"));
        }
        if consent && !app && !hands_over {
            self.whole("[app] is missing");
        }
        if let Some(app) = &own.app {
            let texts = [&app.name, &app.redirect_rules, &app.review];
            if app.steps.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
                self.near(
                    "[app]",
                    "[app] needs `name`, `redirect_rules`, `review` and `steps`",
                );
            }
        }
        if is_app_alone {
            return;
        }
        if own.brand.is_none() {
            self.whole("[brand] is missing");
        }
        match own
            .identity
            .as_ref()
            .or_else(|| self.shared?.identity.as_ref())
        {
            None => self.whole("[identity] is missing"),
            Some(identity) => {
                let silent = own.service.is_some() || kind == AuthKind::BrowserSession;
                if identity.call.is_none() && !silent {
                    self.near("[identity]", "[identity.call] is missing");
                }
            }
        }
    }

    fn kind(&self) -> Option<AuthKind> {
        let table = self
            .own
            .auth
            .as_ref()
            .or_else(|| self.shared?.auth.as_ref());
        table.map(|table| table.kind)
    }

    fn oauth_table(&self) -> Option<&OAuth> {
        self.own
            .oauth
            .as_ref()
            .or_else(|| self.shared?.oauth.as_ref())
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
            (
                "summary, a sentence with a full stop,",
                !summary.trim().ends_with('.'),
            ),
            (
                "remove_url",
                about.remove_url.template().source().is_empty(),
            ),
            ("we_will_not", we_will_not.is_empty()),
            ("sources", sources.is_empty()),
            ("usually_takes", about.usually_takes.is_none()),
            // Without scopes nothing else says what we do there.
            (
                "we_will",
                self.own.scopes.is_empty() && about.we_will.is_empty(),
            ),
        ] {
            if missing {
                self.near("[provider]", format!("`{what}` says nothing"));
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
                Origin::Person | Origin::App if variable.label.is_empty() => {
                    Some("`label`, the question")
                }
                Origin::Person | Origin::App if variable.help.is_empty() => Some("`help`"),
                Origin::Token | Origin::Identity | Origin::Probe if variable.at.is_none() => {
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
            if let Some(choice) = variable
                .choices
                .iter()
                .find(|choice| !variable.pattern.matches(&choice.value))
            {
                self.near(
                    &place,
                    format!(
                        "the choice `{}` does not match its own pattern",
                        choice.value
                    ),
                );
            }
            if variable.from == Origin::Choice && !self.is_set_by_every_choice(variable) {
                let message = format!(
                    "every choice of one question must set `{name}` as its pattern demands"
                );
                self.near(&place, message);
            }
            if variable.anywhere || variable.from == Origin::Hub {
                continue;
            }
            if let Some(hostile) = self.admits(name, &variable.pattern) {
                self.near(&place, format!("the pattern of `{name}` admits {hostile:?}, which could lead a token astray"));
            }
        }
    }

    fn is_set_by_every_choice(&self, variable: &Variable) -> bool {
        self.own.variables.iter().any(|question| {
            let sets = |choice: &Choice| {
                let value = choice.sets.get(&variable.name);
                value.is_some_and(|value| variable.pattern.matches(value))
            };
            !question.choices.is_empty() && question.choices.iter().all(sets)
        })
    }

    /// A value somebody outside could give that would change where a call goes.
    fn admits(&self, name: &str, pattern: &Pattern) -> Option<&'static str> {
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
        let leads = self
            .addresses()
            .any(|url| url.source().starts_with(&format!("{{{name}}}")));
        let hostile: &[&str] = if leads { &ORIGINS } else { &PIECES };
        hostile.iter().copied().find(|value| pattern.matches(value))
    }

    fn addresses(&self) -> impl Iterator<Item = &Template> {
        let entries = [Some(self.own), self.shared];
        entries.into_iter().flatten().flat_map(|entry| {
            let mut urls = Vec::new();
            if let Some(oauth) = &entry.oauth {
                urls.extend(
                    oauth
                        .authorize
                        .iter()
                        .map(|authorize| authorize.url.template()),
                );
                urls.extend(oauth.token.iter().map(|token| token.url.template()));
                urls.extend(
                    oauth
                        .introspect
                        .iter()
                        .map(|introspect| introspect.url.template()),
                );
                urls.extend(oauth.extend.iter().map(|step| step.url.template()));
                urls.extend(oauth.proof.iter().flat_map(|proof| {
                    let (authorize, token) = (&proof.authorize.url, &proof.token.url);
                    [authorize, token, &proof.call.url].map(|url| url.template())
                }));
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
                    .filter_map(|identity| Some(identity.call.as_ref()?.url.template())),
            );
            urls.extend(
                entry
                    .tenants
                    .iter()
                    .map(|tenants| tenants.call.url.template()),
            );
            urls.extend(entry.probe.iter().map(|probe| probe.url.template()));
            urls
        })
    }

    fn fields(&mut self) {
        let own = self.own;
        let mut seen = BTreeSet::new();
        for field in &own.fields {
            let Field { name, .. } = field;
            let place = format!("name = \"{name}\"");
            if !seen.insert(name) || self.variable(name).is_some() {
                self.near(&place, format!("`{name}` is declared twice"));
            }
            if field.label.trim().is_empty() || field.why.trim().is_empty() {
                self.near(
                    &place,
                    format!("the field `{name}` needs a `label` and a `why`"),
                );
            }
            if field.steps.is_empty() || field.steps.len() > 3 {
                self.near(
                    &place,
                    format!("the field `{name}` needs one to three `steps`"),
                );
            }
            if !field.pattern.matches(&field.example) {
                self.near(
                    &place,
                    format!("the example of `{name}` does not match its own pattern"),
                );
            }
            if let Some(link) = &field.link {
                self.template(link.template(), Origin::Person, &[]);
            }
            let in_an_address = self
                .addresses()
                .any(|url| url.names().any(|used| used == name));
            if in_an_address && let Some(hostile) = self.admits(name, &field.pattern) {
                self.near(
                    &place,
                    format!(
                        "the pattern of `{name}` admits {hostile:?}, which could lead a call astray"
                    ),
                );
            }
        }
        if let Some(service) = &own.service {
            for wanted in service.protocol.fields() {
                if !seen.iter().any(|name| name == wanted) {
                    self.near("[service]", format!("the field `{wanted}` is missing"));
                }
            }
        }
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
            if scope.meaning.trim().is_empty() || scope.meaning.ends_with('.') {
                self.near(&place, format!("the scope `{}` has no meaning", scope.name));
            }
            if !scope.benefit.starts_with("so that ") {
                let message = format!("the scope `{}` needs a benefit: `so that …`", scope.name);
                self.near(&place, message);
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
        let own = self.own;
        if !own.scopes.is_empty() && !own.scopes.iter().any(|scope| scope.default) {
            self.near("[[scope]]", "no scope is asked for by default");
        }
        let authorize = self
            .oauth_table()
            .and_then(|oauth| oauth.authorize.as_ref());
        if let (Some(authorize), Some(_)) = (authorize, &own.provider)
            && own.scopes.is_empty() != authorize.no_scopes.is_some()
        {
            self.near(
                "[oauth.authorize]",
                "either [[scope]] or `no_scopes`, which says where the rights are set",
            );
        }
    }

    fn oauth(&mut self, oauth: &OAuth) {
        let delivers = oauth.callback.delivers;
        if oauth.token.is_none() && matches!(delivers, Delivery::Code | Delivery::Installation) {
            self.near("[oauth", "[oauth.token] is missing");
        }
        if let Some(admin) = &oauth.admin_consent {
            self.template(admin.url.template(), Origin::Person, &[]);
            if admin.approved.is_empty() {
                self.near(
                    "[oauth.admin_consent]",
                    "`approved` is missing: what the callback says",
                );
            }
        }
        let answers = oauth.launch.iter().flat_map(|launch| launch.answers.keys());
        for question in answers {
            let is_asked = |variable: &Variable| variable.from == Origin::Person;
            if !self.variable(question).is_some_and(is_asked) {
                let message = format!("`{question}` is no variable a person is asked for");
                self.near("[oauth.launch]", message);
            }
        }
        match (&oauth.handover, delivers == Delivery::Handover) {
            (Some(handover), true) => {
                let told =
                    |field: &Field| field.optional || handover.fields.contains_key(&field.name);
                if !self.own.fields.iter().all(told) {
                    self.near(
                        "[oauth.handover]",
                        "[oauth.handover] must bring every [[field]]",
                    );
                }
            }
            (None, false) => {}
            _ => self.near(
                "[oauth",
                "`delivers = \"handover\"` and [oauth.handover] belong together",
            ),
        }
        if let Some(proof) = &oauth.proof {
            if delivers != Delivery::Installation {
                self.near("[oauth.proof]", "only an installation needs [oauth.proof]");
            }
            self.proof(proof);
        }
        if let Some(authorize) = &oauth.authorize {
            self.authorize(authorize);
        }
        for template in oauth
            .callback
            .issuer
            .iter()
            .chain(oauth.callback.expect.values())
        {
            self.template(template, Origin::Person, &[]);
        }
        if let Some(token) = &oauth.token {
            self.token(token);
        }
        if let Some(introspect) = &oauth.introspect {
            self.template(introspect.url.template(), Origin::Token, &["client_id"]);
            for template in introspect.params.values() {
                self.template(template, Origin::Token, &["access_token", "client_id"]);
            }
        }
        if let Some(step) = &oauth.extend {
            self.template(step.url.template(), Origin::Token, &["client_id"]);
            for template in step.params.values() {
                self.template(
                    template,
                    Origin::Token,
                    &["access_token", "client_id", "client_secret"],
                );
            }
        }
        self.refresh(oauth);
        if let Some(revoke) = &oauth.revoke {
            let own = [
                "access_token",
                "client_id",
                "client_secret",
                "refresh_token",
                "token",
            ];
            self.template(revoke.url.template(), Origin::Identity, &own);
            self.headers(revoke.headers.keys());
            for template in revoke.params.values().chain(revoke.headers.values()) {
                self.template(template, Origin::Identity, &own);
            }
        }
    }

    fn authorize(&mut self, authorize: &Authorize) {
        match (authorize.pkce, &authorize.pkce_reason) {
            (Pkce::Off, None) => self.near("pkce", "`pkce = \"off\"` needs a `pkce_reason`"),
            (Pkce::S256 | Pkce::S256Hex, Some(_)) => {
                self.near("pkce_reason", "`pkce_reason` without `pkce = \"off\"`")
            }
            _ => {}
        }
        let own = [
            "client_id",
            "handover_url",
            "random",
            "redirect_uri",
            "state",
        ];
        self.template(authorize.url.template(), Origin::Person, &own);
        for template in authorize
            .params
            .values()
            .chain(authorize.reconsent.values())
        {
            self.template(template, Origin::Person, &own);
        }
    }

    fn proof(&mut self, proof: &Proof) {
        let own = ["client_id", "redirect_uri", "state"];
        self.template(proof.authorize.url.template(), Origin::Callback, &own);
        for template in proof.authorize.params.values() {
            self.template(template, Origin::Callback, &own);
        }
        let own = ["client_id", "client_secret", "code", "redirect_uri"];
        self.template(proof.token.url.template(), Origin::Callback, &own);
        for template in proof.token.params.values() {
            self.template(template, Origin::Callback, &own);
        }
        self.call(&proof.call);
        self.template(&proof.is, Origin::Callback, &[]);
        let mut told = proof.is.names().filter_map(|name| self.variable(name));
        if !told.any(|variable| variable.from == Origin::Callback) {
            let message = "`is` must name what the callback brought: else it proves nothing";
            self.near("[oauth.proof]", message);
        }
    }

    fn token(&mut self, token: &TokenRequest) {
        let own = ["client_id", "random", "redirect_uri"];
        self.template(token.url.template(), Origin::Callback, &own);
        self.headers(token.headers.keys());
        for template in token.headers.values().chain(token.params.values()) {
            self.template(template, Origin::Callback, &own);
        }
        if let Some(assertion) = &token.assertion {
            let templates = assertion.claims.values().chain(&assertion.key_id);
            for template in templates.chain([&assertion.key]) {
                self.template(template, Origin::Callback, &["client_id", "client_secret"]);
            }
        }
        if token.client_auth == ClientAuth::PrivateKeyJwt && token.assertion.is_none() {
            self.near(
                "private_key_jwt",
                "`private_key_jwt` needs [oauth.token.assertion]",
            );
        }
    }

    fn refresh(&mut self, oauth: &OAuth) {
        let refresh = &oauth.refresh;
        if let Some(url) = &refresh.url {
            self.template(url.template(), Origin::Identity, &["client_id"]);
        }
        for template in refresh.params.values() {
            let own = ["access_token", "client_id", "client_secret", "redirect_uri"];
            self.template(template, Origin::Identity, &own);
        }
        let trades_the_token = refresh
            .params
            .values()
            .any(|template| template.names().any(|name| name == "access_token"));
        if refresh.mode == RefreshMode::Exchange && !trades_the_token {
            self.near(
                "[oauth.refresh]",
                "`mode = \"exchange\"` needs a parameter with {access_token}",
            );
        }
        if refresh.mode == RefreshMode::RefreshToken && refresh.refresh_lifetime.is_none() {
            self.near(
                "[oauth.refresh]",
                "`refresh_lifetime` is missing: a duration, `endless` or `unknown`",
            );
        }
    }

    fn calls(&mut self) {
        let own = self.own;
        if let Some(base) = own.api.as_ref().and_then(|api| api.base.as_ref()) {
            self.template(base.template(), Origin::Identity, &[]);
        }
        if let Some(api) = &own.api {
            self.headers([&api.header]);
            self.headers(api.headers.keys());
            let basic = api
                .basic
                .iter()
                .flat_map(|basic| [&basic.user, &basic.password]);
            let carried: Vec<_> = api
                .headers
                .values()
                .chain(api.query.values())
                .chain(basic)
                .collect();
            for template in &carried {
                self.template(template, Origin::Tenant, &["access_token", "client_id"]);
            }
        }
        if let Some(signing) = own.api.as_ref().and_then(|api| api.signing.as_ref()) {
            self.signing(signing);
        }
        if let Some(tenants) = &own.tenants {
            self.call(&tenants.call);
            if !own
                .variables
                .iter()
                .any(|variable| variable.from == Origin::Tenant)
            {
                self.near(
                    "[tenants]",
                    "no variable is `from = \"tenant\"`: the choice would be lost",
                );
            }
        }
        if let Some(identity) = &own.identity {
            if let Some(call) = &identity.call {
                self.call(call);
            }
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
                    FactSource::Field(name) | FactSource::LastFour(name)
                        if !own.fields.iter().any(|field| field.name == *name) =>
                    {
                        self.near(name, format!("the field `{name}` is not declared"));
                    }
                    FactSource::Fields(text) => {
                        let open = own.fields.iter().filter(|field| !field.secret);
                        let open: Vec<_> = open.map(|field| field.name.as_str()).collect();
                        for name in text.names().filter(|name| !open.contains(name)) {
                            self.near(
                                "\"fields:",
                                format!("`{name}` is not declared as a field that is no secret"),
                            );
                        }
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

    /// A call is signed with a secret only an app has, and what is signed must
    /// not be there already.
    fn signing(&mut self, signing: &Signing) {
        let own = self.own;
        if own.app.is_none() && self.shared.is_none_or(|shared| shared.app.is_none()) {
            self.near("[api.signing]", "only the secret of an [app] signs calls");
        }
        let names = [&signing.key, &signing.time, &signing.signature];
        let different: BTreeSet<_> = names.into_iter().collect();
        if different.len() < names.len() || different.iter().any(|name| name.is_empty()) {
            let message = "`key`, `time` and `signature` are three names of parameters";
            self.near("[api.signing]", message);
        }
        let calls = [
            own.identity
                .as_ref()
                .and_then(|identity| identity.call.as_ref()),
            own.probe.as_ref(),
            own.tenants.as_ref().map(|tenants| &tenants.call),
        ];
        let calls = calls.into_iter().flatten();
        let sent = calls.flat_map(|call| call.params.keys());
        let query = own.api.iter().flat_map(|api| api.query.keys());
        if let Some(twice) = sent.chain(query).find(|name| names.contains(name)) {
            let message = format!("`{twice}` is sent already: it would stand there twice");
            self.near("[api.signing]", message);
        }
    }

    fn call(&mut self, call: &Call) {
        // What the identity call tells is not known before it.
        self.template(call.url.template(), Origin::Token, &["client_id"]);
        self.headers(call.headers.keys());
        let filled = call.headers.values().chain(call.params.values());
        for template in filled.chain(&call.json) {
            self.template(template, Origin::Token, &["access_token", "client_id"]);
        }
        for name in call.entered.iter().flat_map(EnteredCall::fields) {
            if !self.own.fields.iter().any(|field| field.name == name) {
                self.near(name, format!("`{name}` is no [[field]]"));
            }
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
            let entered = self.own.fields.iter().any(|field| field.name == name);
            let message = match self.variable(name) {
                _ if entered || own_names.contains(&name) => continue,
                Some(variable) if variable.default.is_some() || variable.from <= known => continue,
                // Chosen right after the token came.
                Some(variable) if variable.from == Origin::Tenant && known >= Origin::Token => {
                    continue;
                }
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
