//! One OAuth entry from the first address to the last: authorize, callback,
//! exchange, organisations, identity, renewal, revocation.

mod consent;

use chrono::TimeDelta;
use hub::{
    catalog::{
        Incremental, Provider, RefreshMode, Variables,
        oauth::{Delivery, Rotates},
        value::Span,
    },
    dialect::{
        CallbackGrant, Entered, Grant, Identity, ProviderApp, RefreshAnswer, Revocation, Tokens,
    },
    failure::Failure,
    secret::Secret,
};

use crate::{
    bench::{Bench, answers, replay},
    facts::{Fact, Facts},
    player::{CODE, REDIRECT_URI, STATE, Step, VERIFIER},
};

/// What was found wrong on the way of one entry.
pub(crate) struct Walk<'b> {
    pub(crate) bench: &'b Bench,
    pub(crate) provider: &'b Provider,
    pub(crate) fact: &'b Fact,
    pub(crate) found: Vec<String>,
}

type Taken<T> = Result<T, String>;

fn said(failure: &Failure) -> String {
    format!("{} {}", failure.code.as_str(), failure.detail)
}

fn renewed(answer: RefreshAnswer, step: &str) -> Taken<Grant> {
    match answer {
        RefreshAnswer::Renewed(grant) => Ok(grant),
        RefreshAnswer::Refused(failure)
        | RefreshAnswer::NotSent(failure)
        | RefreshAnswer::Unclear(failure)
        | RefreshAnswer::Later(failure) => Err(format!("{step}: {}", said(&failure))),
    }
}

impl Walk<'_> {
    fn wrong(&mut self, what: impl Into<String>) {
        self.found.push(what.into());
    }

    fn same(&mut self, what: &str, told: &str, expected: &str) {
        if told != expected {
            self.wrong(format!("{what} is {told:?}, the account's is {expected:?}"));
        }
    }

    /// Takes the whole way; what cannot be gone on from ends it.
    pub(crate) async fn take(&mut self, facts: &Facts) {
        if let Err(why) = self.all(facts).await {
            self.wrong(why);
        }
        let deviations = std::mem::take(&mut self.bench.player.stage().deviations);
        self.found.extend(deviations);
    }

    /// What the entry says of the tokens' lives beforehand. It may leave open
    /// what it does not know; it may not be sure of something else.
    fn declarations(&mut self) {
        let (fact, refresh) = (self.fact, &self.provider.refresh);
        let rotates = fact.rotates.as_deref().unwrap_or("unknown");
        match (refresh.rotation.rotates, rotates) {
            (Rotates::Always, "no") | (Rotates::Never, "yes" | "unknown")
                if refresh.mode == RefreshMode::RefreshToken =>
            {
                let declared = refresh.rotation.rotates;
                self.wrong(format!("rotates {declared:?}, documented is {rotates}"));
            }
            _ => {}
        }
        for (what, declared, documented) in [
            (
                "a token",
                Some(refresh.token_lifetime),
                fact.token_lifetime_s,
            ),
            (
                "a refresh token",
                refresh.refresh_lifetime,
                fact.refresh_lifetime_s,
            ),
        ] {
            if let (Some(declared), Some(documented)) = (declared.and_then(Span::known), documented)
                && (declared.num_seconds() - documented).abs() > documented / 100
            {
                self.wrong(format!(
                    "{what} lives {declared}, documented are {documented} s"
                ));
            }
        }
        // Asking again for everything is right either way.
        let incremental = self.provider.authorize().map(|entry| entry.incremental);
        if incremental == Some(Incremental::Merge) && fact.incremental.as_deref() == Some("reask") {
            self.wrong("a new consent adds nothing to the earlier one");
        }
    }

    async fn all(&mut self, facts: &Facts) -> Taken<()> {
        let provider = self.provider;
        let app = self.bench.app(provider)?;
        let mut variables = answers(provider, provider.questions())?;
        let entered = self.bench.entered(provider)?;
        let mut known = self.bench.known(provider, &variables, &entered);
        for (name, value) in &app.settings {
            known.entry(name.clone()).or_insert(value.clone());
        }
        known.insert("state".into(), STATE.to_owned());
        // Some people bring an app of their own.
        let secret = app.client_secret.expose().to_owned();
        known.entry("client_secret".into()).or_insert(secret);
        self.bench.player.begin(self.fact, known);
        self.declarations();

        let (mut grant, callback) = self.arrive(&app, &variables, &entered).await?;
        let mut hint = grant.account.take();
        if let Some(callback) = callback {
            hint = hint.or(callback.account_hint.map(|id| Identity {
                label: id.clone(),
                id,
                granted_scopes: None,
                variables: Variables::new(),
                certificate: None,
            }));
            variables.extend(callback.variables);
        }
        variables.extend(std::mem::take(&mut grant.variables));
        self.choose(&app, &mut variables, &grant).await?;
        let asks = (&app, &grant.access_token);
        let identity = self.identify(asks, &variables, hint.as_ref()).await?;
        variables.extend(identity.variables.clone());

        let grant = self.renew(&app, &variables, &entered, grant).await?;
        let asks = (&app, &grant.access_token);
        self.identify(asks, &variables, Some(&identity)).await?;
        let errors = facts.errors("oauth2", self.fact);
        let again = async || {
            let dialect = &self.bench.dialect;
            let (app, token) = asks;
            let answer = dialect.identify(provider, app, &variables, token, None);
            answer.await.map(|_| ())
        };
        let replayed = replay(self.bench, &errors, again).await;
        self.found.extend(replayed);
        self.revoke(&app, &variables, &grant).await;
        Ok(())
    }

    /// To the first grant, by consent or by keys.
    async fn arrive(
        &mut self,
        app: &ProviderApp,
        variables: &Variables,
        entered: &Entered,
    ) -> Taken<(Grant, Option<CallbackGrant>)> {
        let (provider, dialect) = (self.provider, &self.bench.dialect);
        let oauth = provider.oauth.as_ref().expect("an OAuth entry");
        if oauth.authorize.is_none() {
            self.bench.player.step(Step::Mint);
            let minted = dialect.mint(provider, app, variables, Some(entered)).await;
            let grant = renewed(minted, "mint")?;
            self.judge(&grant, "exchange");
            return Ok((grant, None));
        }
        let callback = self.consent(app, variables)?;
        self.prove(app, variables, &callback).await?;
        let grant = match oauth.callback.delivers {
            // The provider's server brings what a person would have entered.
            Delivery::Handover => Grant::of_token(&entered.to_stored()),
            delivers => {
                self.bench.player.step(match delivers {
                    Delivery::Installation => Step::Mint,
                    _ => Step::Exchange,
                });
                if delivers == Delivery::Fragment {
                    self.bench.player.stage().access = CODE.to_owned();
                }
                let verifier = Secret::new(VERIFIER);
                let verifier = Some(&verifier);
                let granted =
                    dialect.exchange(provider, app, variables, &callback, verifier, REDIRECT_URI);
                let granted = granted.await;
                let grant = granted.map_err(|failure| format!("exchange: {}", said(&failure)))?;
                self.judge(&grant, "exchange");
                grant
            }
        };
        Ok((grant, Some(callback)))
    }

    /// Whose an installation is, is asked wherever the provider says how.
    async fn prove(
        &mut self,
        app: &ProviderApp,
        variables: &Variables,
        callback: &CallbackGrant,
    ) -> Taken<()> {
        if self.provider.proof().is_some() != self.fact.proof.is_some() {
            self.wrong("proof: the entry and the documentation differ");
        }
        if self.provider.proof().is_none() {
            return Ok(());
        }
        self.bench.player.step(Step::Prove);
        let dialect = &self.bench.dialect;
        let proved = dialect.prove(self.provider, app, variables, callback).await;
        proved.map_err(|failure| format!("proof: {}", said(&failure)))
    }

    fn judge(&mut self, grant: &Grant, step: &str) {
        let (access, refresh, second, expires_in) = {
            let stage = self.bench.player.stage();
            (
                stage.access.clone(),
                stage.refresh.clone(),
                stage.second.clone(),
                stage.expires_in,
            )
        };
        if grant.access_token.expose() != access {
            self.wrong(format!(
                "{step}: kept {:?} as access token, given was {access:?}",
                grant.access_token.expose()
            ));
        }
        if step == "exchange"
            && grant.refresh_token.as_ref().map(Secret::expose) != refresh.as_deref()
        {
            self.wrong(format!(
                "{step}: kept {:?} as refresh token, given was {refresh:?}",
                grant.refresh_token.as_ref().map(Secret::expose)
            ));
        }
        let documented = self.fact.second_token.as_ref();
        let kind = grant.second.as_ref().map(|second| second.kind.as_str());
        let kept = grant.second.as_ref().map(|kept| kept.access_token.expose());
        if kept != second.as_deref() || kind != documented.map(|it| it.kind.as_str()) {
            self.wrong(format!("{step}: the second token was not kept"));
        }
        let announced = expires_in.map(|seconds| self.bench.now() + TimeDelta::seconds(seconds));
        if announced.is_some() && grant.expires_at != announced {
            self.wrong(format!(
                "{step}: ends {:?}, announced was {announced:?}",
                grant.expires_at
            ));
        }
    }

    async fn choose(
        &mut self,
        app: &ProviderApp,
        variables: &mut Variables,
        grant: &Grant,
    ) -> Taken<()> {
        let Some(variable) = self.provider.tenant_variable() else {
            if self.fact.tenants.is_some() {
                self.wrong("one consent opens several organisations and nobody is asked which");
            }
            return Ok(());
        };
        self.bench.player.step(Step::Organisations);
        let opened = self
            .bench
            .dialect
            .organisations(self.provider, app, variables, &grant.access_token)
            .await;
        let opened = opened.map_err(|failure| format!("organisations: {}", said(&failure)))?;
        let [one] = opened.as_slice() else {
            return Err(format!("organisations: {} instead of one", opened.len()));
        };
        let (organisation, label) = {
            let stage = self.bench.player.stage();
            let id = stage.known["organisation"].clone();
            (id, stage.account_label.clone())
        };
        self.same("organisation", &one.id, &organisation);
        self.same("organisation's name", &one.label, &label);
        variables.insert(variable.name.clone(), one.id.clone());
        Ok(())
    }

    async fn identify(
        &mut self,
        (app, token): (&ProviderApp, &Secret),
        variables: &Variables,
        known: Option<&Identity>,
    ) -> Taken<Identity> {
        self.bench.player.step(Step::Identify);
        let identity = self
            .bench
            .dialect
            .identify(self.provider, app, variables, token, known)
            .await;
        let identity = identity.map_err(|failure| format!("identity: {}", said(&failure)))?;
        let (id, label) = self.expected_identity(variables);
        self.same("id", &identity.id, &id);
        self.same("label", &identity.label, &label);
        Ok(identity)
    }

    fn expected_identity(&self, variables: &Variables) -> (String, String) {
        let stage = self.bench.player.stage();
        let of = |place: &Option<String>, account: &str| match place
            .as_deref()
            .and_then(|place| place.split_once(':'))
        {
            Some(("var" | "field", name)) => variables
                .get(name)
                .or(stage.known.get(name))
                .cloned()
                .unwrap_or_default(),
            Some(("tenant", _)) => stage.known["organisation"].clone(),
            _ => account.to_owned(),
        };
        (
            of(&self.fact.account_id_from, &stage.account_id),
            of(&self.fact.account_label_from, &stage.account_label),
        )
    }

    async fn renew(
        &mut self,
        app: &ProviderApp,
        variables: &Variables,
        entered: &Entered,
        before: Grant,
    ) -> Taken<Grant> {
        let mode = self.provider.refresh.mode;
        let documented = self.fact.refresh_mode.as_deref().unwrap_or("none");
        let fits = matches!(
            (mode, documented),
            (RefreshMode::RefreshToken, "refresh_token")
                | (RefreshMode::Exchange, "exchange")
                | (RefreshMode::None, "none")
                | (RefreshMode::Mint, "none" | "mint")
        );
        if !fits {
            self.wrong(format!("renewed by {mode:?}, documented is {documented}"));
        }
        self.bench.player.step(Step::Refresh);
        let presented = match mode {
            RefreshMode::None => return Ok(before),
            RefreshMode::RefreshToken => match &before.refresh_token {
                Some(token) => Secret::new(token.expose()),
                None => return Ok(before),
            },
            RefreshMode::Exchange => Secret::new(before.access_token.expose()),
            RefreshMode::Mint => entered.to_stored(),
        };
        let old = self.bench.player.stage().access.clone();
        let answer = self
            .bench
            .dialect
            .refresh(self.provider, app, variables, &presented)
            .await;
        let grant = renewed(answer, "refresh")?;
        self.judge(&grant, "refresh");
        let (access, refresh) = {
            let stage = self.bench.player.stage();
            (stage.access.clone(), stage.refresh.clone())
        };
        if access == old {
            self.wrong("refresh: no new token was asked for");
        }
        let kept = grant
            .refresh_token
            .as_ref()
            .or(before.refresh_token.as_ref());
        if mode == RefreshMode::RefreshToken && kept.map(Secret::expose) != refresh.as_deref() {
            self.wrong(format!(
                "refresh: keeps {:?} as refresh token, the living one is {refresh:?}",
                kept.map(Secret::expose)
            ));
        }
        let kept = kept.map(|token| Secret::new(token.expose()));
        Ok(Grant {
            refresh_token: kept,
            ..grant
        })
    }

    async fn revoke(&mut self, app: &ProviderApp, variables: &Variables, grant: &Grant) {
        self.bench.player.step(Step::Revoke);
        let tokens = Tokens {
            access_token: &grant.access_token,
            refresh_token: grant.refresh_token.as_ref(),
        };
        let outcome = self
            .bench
            .dialect
            .revoke(self.provider, app, variables, &tokens)
            .await;
        let received = self.bench.player.stage().done.contains(&Step::Revoke);
        match (outcome, &self.fact.revoke) {
            (Revocation::Revoked, _) if received => {}
            (
                Revocation::NotSupported {
                    remove_url: Some(_),
                },
                None,
            ) => {}
            (outcome, _) => self.wrong(format!("revoke: {outcome:?}")),
        }
    }
}
