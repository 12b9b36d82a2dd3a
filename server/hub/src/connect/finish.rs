//! The end of a flow: the person came back.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr,
};
use subtle::ConstantTimeEq;

use super::{
    prepare::{Prepared, cookie_name, verifier_place},
    save::{Account, Connected},
};
use crate::{
    Error, Result,
    catalog::{Provider, oauth::Delivery},
    dialect::{Identity, Organisation, ProviderApp, TOKEN_EXPIRED, Tokens, is_approval},
    failure::{Failure, FailureCode},
    hub::Hub,
    people::{By, Guest, Member},
    record::{Actor, Deed, Entry, Origin, Outcome as Ended, Reached, Who},
    secret::{Secret, digest},
    store::{ConnectionId, FlowId, Owner, Reach, connection, flow, words},
    vault::Place,
};

/// What a browser brought back from a provider.
pub struct Callback<'a> {
    /// The provider app whose callback address was used.
    pub app: &'a str,
    /// The parameters, in order, decoded.
    pub params: &'a [(String, String)],
    /// Reads one of the browser's cookies.
    pub cookie: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Digest of the browser session, if there is one.
    pub session: Option<Vec<u8>>,
    /// Who is signed in, if somebody is.
    pub member: Option<&'a Member>,
    /// Who came by a link in this browser, if somebody did.
    pub guest: Option<&'a Guest>,
}

/// How a callback ended.
pub enum Finished {
    /// It belongs to no flow that waits: unknown, used, expired, or another
    /// browser's.
    NoFlow(Failure),
    /// The person goes on, to prove whose what they brought is; the flow waits
    /// for them once more.
    Onward {
        /// Where to, and what ties the next callback to the flow.
        prepared: Box<Prepared>,
        /// Name of the cookie to remove now.
        cookie_name: String,
    },
    /// The flow, as it ended.
    Flow {
        /// The flow.
        flow: Box<flow::Model>,
        /// Name of the cookie to remove now.
        cookie_name: String,
    },
}

/// A person's answer when another account signed in than expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherAccount {
    /// Keep it, as a connection of its own.
    Add,
    /// Give the grant back.
    Discard,
}

/// How often an account is asked for its name before it is connected without.
const IDENTITY_TRIES: usize = 3;

impl Hub {
    /// Takes a callback to its end. Every provider's failure is stored with the
    /// flow; only our own troubles are errors.
    pub async fn finish(&self, callback: Callback<'_>) -> Result<Finished> {
        // The state says whose flow it is.
        Reach::every().around(self.finish_bound(callback)).await
    }

    async fn finish_bound(&self, callback: Callback<'_>) -> Result<Finished> {
        let no_flow = |detail| {
            let failure = Failure::told(FailureCode::FlowExpiredOrInvalid, detail);
            Ok(Finished::NoFlow(failure))
        };
        let Some((_, state)) = callback.params.iter().find(|(name, _)| name == "state") else {
            return no_flow("state_missing");
        };
        let state_hash = digest(state);
        // Spent before anything else is looked at: whatever is wrong with this
        // callback, no second one will be tried with the same state.
        let Some(flow) =
            flow::consume(self.store.db(), state_hash.clone(), self.clock.now()).await?
        else {
            return no_flow("unknown_used_or_expired");
        };
        self.meters.step(&flow.provider, Reached::Callback);
        let cookie_name = cookie_name(&state_hash);
        let verifier = match self.bound_verifier(&flow, &cookie_name, &callback).await {
            Some(verifier) => verifier,
            None => {
                let failure = Failure::told(FailureCode::FlowExpiredOrInvalid, "other_browser");
                tracing::warn!(
                    security = true, flow.id = %flow.id, tenant.id = %flow.tenant_id,
                    provider = %flow.provider, "a callback came from another browser, person or provider"
                );
                self.move_flow(&flow, flow::Status::Failed, None, Some(failure.clone()))
                    .await?;
                // Who it was may be somebody of another tenant: nobody this one knows.
                let entry = Entry::new(Who::here(Actor::Stranger), Deed::CallbackRefused)
                    .ended(Ended::Denied)
                    .saying(flow.provider);
                self.record(flow.tenant_id, entry).await?;
                return Ok(Finished::NoFlow(failure));
            }
        };
        // The exchange outlives the browser's patience: once the code is sent,
        // the answer must be stored even if nobody waits for the page.
        let (hub, origin) = (self.clone(), Origin::current());
        let params = callback.params.to_vec();
        let reach = Reach::of([flow.tenant_id]);
        self.keeper
            .tasks
            .spawn(async move {
                let carried = hub.carry_through(flow, &params, verifier, cookie_name);
                reach.around(origin.around(carried)).await
            })
            .await
            .map_err(|_| Error::Conflict("the callback was interrupted"))?
    }

    /// Whether a callback that belongs to no flow says that an administrator
    /// allowed the app: they were sent there by a letter.
    pub fn is_approval(&self, app: &str, params: &[(String, String)]) -> bool {
        let is_stateless = !params.iter().any(|(name, _)| name == "state");
        let mut of_app = self.catalog.iter().filter(|entry| entry.app_id == app);
        is_stateless && of_app.any(|entry| is_approval(entry, params))
    }

    /// The verifier, if this browser, session, person, tenant and provider are
    /// the ones the flow was started with.
    async fn bound_verifier(
        &self,
        flow: &flow::Model,
        cookie_name: &str,
        callback: &Callback<'_>,
    ) -> Option<Secret> {
        let (by, session): (By<'_>, &[u8]) = match flow.owner() {
            Owner::Person(_) => (callback.member?.into(), callback.session.as_deref()?),
            Owner::Link(_) => (callback.guest?.into(), callback.guest?.browser_hash()),
        };
        let same_owner =
            by.owner().is_ok_and(|owner| owner == flow.owner()) && by.tenant() == flow.tenant_id;
        let provider = self.catalog.get(&flow.provider)?;
        if !same_owner || *session != flow.session_hash || callback.app != provider.app_id {
            return None;
        }
        let sealed = (callback.cookie)(cookie_name)?;
        let place = verifier_place(flow.tenant_id, flow.id);
        let verifier = self.vault.open(place, &sealed).await.ok()?;
        let expected = flow.verifier_hash.as_deref()?;
        bool::from(verifier.digest().ct_eq(expected)).then_some(verifier)
    }

    async fn carry_through(
        &self,
        flow: flow::Model,
        params: &[(String, String)],
        verifier: Secret,
        cookie_name: String,
    ) -> Result<Finished> {
        if let Some(prepared) = self.lead_on(&flow, params, &verifier).await? {
            let prepared = Box::new(prepared);
            return Ok(Finished::Onward {
                prepared,
                cookie_name,
            });
        }
        let outcome = self.exchange(&flow, params, verifier).await?;
        Ok(Finished::Flow {
            flow: Box::new(self.end_flow(flow, outcome).await?),
            cookie_name,
        })
    }

    async fn end_flow(
        &self,
        flow: flow::Model,
        outcome: Result<Outcome, Failure>,
    ) -> Result<flow::Model> {
        match outcome {
            Ok(Outcome::Connected(id)) => {
                self.move_flow(&flow, flow::Status::Connected, Some(id), None)
                    .await
            }
            Ok(Outcome::Approved) => {
                self.move_flow(&flow, flow::Status::Cancelled, None, None)
                    .await
            }
            Ok(Outcome::Choosing { held }) => {
                let flow = self.keep_held(&flow, Some(held)).await?;
                self.move_flow(&flow, flow::Status::Choosing, None, None)
                    .await
            }
            Ok(Outcome::OtherAccount { held, failure }) => {
                let flow = self.keep_held(&flow, Some(held)).await?;
                self.move_flow(&flow, flow::Status::OtherAccount, None, Some(failure))
                    .await
            }
            Err(failure) => {
                tracing::info!(
                    flow.id = %flow.id, provider = %flow.provider,
                    failure.code = failure.code.as_str(), failure.detail = %failure.detail,
                    "flow ended without a connection"
                );
                self.move_flow(&flow, flow::Status::Failed, None, Some(failure))
                    .await
            }
        }
    }

    async fn exchange(
        &self,
        flow: &flow::Model,
        params: &[(String, String)],
        verifier: Secret,
    ) -> Result<Result<Outcome, Failure>> {
        let Some((provider, app)) = self.provider_and_app(flow).await? else {
            let failure = Failure::told(FailureCode::AppConfigInvalid, "provider_app_missing");
            return Ok(Err(failure));
        };
        if is_approval(provider, params) {
            return Ok(Ok(Outcome::Approved));
        }
        let variables = &flow.variables.0;
        let callback = match self
            .dialect
            .read_callback(provider, &app, variables, params)
        {
            Ok(callback) => callback,
            Err(failure) => return Ok(Err(failure)),
        };
        let delivers = provider.delivers();
        self.move_flow(flow, flow::Status::Checking, None, None)
            .await?;
        if delivers == Delivery::Installation
            && let Err(failure) = self.whose(flow, provider, &app, &callback).await?
        {
            return Ok(Err(failure));
        }
        let granted = match delivers {
            Delivery::Handover => self.handed_over(flow).await?,
            _ => {
                let back = &flow.redirect_uri;
                self.dialect
                    .exchange(provider, &app, variables, &callback, Some(&verifier), back)
                    .await
            }
        };
        let mut grant = match granted {
            Ok(grant) => grant,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut known = variables.clone();
        known.extend(callback.variables);
        known.extend(std::mem::take(&mut grant.variables));
        let hint = grant.account.take().or_else(|| {
            callback.account_hint.map(|id| Identity {
                label: id.clone(),
                id,
                granted_scopes: None,
                variables: Default::default(),
                certificate: None,
            })
        });
        let scopes_granted = grant.scopes.take().or(callback.granted_scopes);
        let connected = Connected {
            tenant: flow.tenant_id,
            who: Who::owner(flow.owner()),
            link: flow.link_id,
            provider,
            variables: known,
            scopes_asked: words(&flow.scopes),
            scopes_granted,
            grant,
            environment: None,
        };
        self.choose(flow, &app, connected, hint).await
    }

    /// Finds out which organisation the grant is for, where it opens several.
    async fn choose(
        &self,
        flow: &flow::Model,
        app: &ProviderApp,
        mut connected: Connected<'_>,
        hint: Option<Identity>,
    ) -> Result<Result<Outcome, Failure>> {
        let provider = connected.provider;
        let Some(variable) = provider.tenant_variable() else {
            return self.settle(flow, app, connected, hint).await;
        };
        let token = &connected.grant.access_token;
        let opened = self
            .dialect
            .organisations(provider, app, &connected.variables, token)
            .await;
        let opened = match opened {
            Ok(opened) => opened,
            Err(failure) => {
                self.give_back(provider, app, &connected).await;
                return Ok(Err(failure));
            }
        };
        let before = match flow.connection_id {
            Some(id) => connection::of_tenant(self.store.db(), flow.tenant_id, id).await?,
            None => None,
        };
        let before = before.and_then(|row| row.variables.0.get(&variable.name).cloned());
        let chosen = match (&opened[..], &before) {
            ([], _) => {
                self.give_back(provider, app, &connected).await;
                let code = FailureCode::AccountOrTargetMismatch;
                return Ok(Err(Failure::told(code, "no_organisation")));
            }
            ([only], _) => Some(only),
            (several, Some(before)) => several.iter().find(|one| one.id == *before),
            (_, None) => None,
        };
        match chosen.map(|one| one.id.clone()) {
            Some(id) => {
                connected.variables.insert(variable.name.clone(), id);
                self.settle(flow, app, connected, hint).await
            }
            None => {
                let held = connected.to_held(hint, opened);
                let held = self.vault.seal(held_place(flow), &held).await?;
                Ok(Ok(Outcome::Choosing { held }))
            }
        }
    }

    /// Names the account and saves the grant, or says why not.
    async fn settle(
        &self,
        flow: &flow::Model,
        app: &ProviderApp,
        mut connected: Connected<'_>,
        hint: Option<Identity>,
    ) -> Result<Result<Outcome, Failure>> {
        let provider = connected.provider;
        let identity = self.identity(app, &connected, hint).await;
        if let Ok(identity) = &identity {
            connected.variables.extend(identity.variables.clone());
            if connected.scopes_granted.is_none() {
                connected.scopes_granted = identity.granted_scopes.clone();
            }
        }
        let target = match flow.connection_id {
            Some(id) => connection::of_tenant(self.store.db(), flow.tenant_id, id).await?,
            None => None,
        };
        match (identity, target) {
            (Ok(identity), Some(target)) if is_other(&target, &identity) => {
                let failure = Failure::told(FailureCode::AccountOrTargetMismatch, "other_account")
                    .with_text(&identity.label);
                let held = connected.to_held(Some(identity), Vec::new());
                let held = self.vault.seal(held_place(flow), &held).await?;
                Ok(Ok(Outcome::OtherAccount { held, failure }))
            }
            (Ok(identity), target) => {
                if let Some(before) = &target {
                    let all = &connected.scopes_asked;
                    let asked = self.asked_now(provider, before, all).await?;
                    if asked.len() < all.len() {
                        connected.merge_scopes(before, &asked);
                    }
                }
                self.keep(app, connected, Account::Named(identity), target)
                    .await
            }
            // Whether it is the account it should be cannot be known: nothing
            // is touched, and the new grant is given back.
            (Err(failure), Some(_)) => {
                self.give_back(provider, app, &connected).await;
                Ok(Err(failure))
            }
            (Err(failure), None) if failure.code.is_transient() => {
                self.keep(app, connected, Account::Unnamed(failure), None)
                    .await
            }
            (Err(failure), None) => {
                self.give_back(provider, app, &connected).await;
                Ok(Err(failure))
            }
        }
    }

    /// Saves the grant, or gives it back when the link it came by was used up
    /// meanwhile.
    async fn keep(
        &self,
        app: &ProviderApp,
        connected: Connected<'_>,
        account: Account,
        target: Option<connection::Model>,
    ) -> Result<Result<Outcome, Failure>> {
        match self.save(&connected, account, target).await {
            Ok(id) => Ok(Ok(Outcome::Connected(id))),
            Err(Error::Failed(failure)) => {
                self.give_back(connected.provider, app, &connected).await;
                Ok(Err(*failure))
            }
            Err(error) => Err(error),
        }
    }

    async fn identity(
        &self,
        app: &ProviderApp,
        connected: &Connected<'_>,
        hint: Option<Identity>,
    ) -> Result<Identity, Failure> {
        let Connected {
            provider,
            variables,
            grant,
            ..
        } = connected;
        let mut tries = 0;
        loop {
            let answer = self
                .dialect
                .identify(provider, app, variables, &grant.access_token, hint.as_ref())
                .await;
            tries += 1;
            match answer {
                Err(failure) if failure.code.is_transient() && tries < IDENTITY_TRIES => continue,
                // A token that was given a moment ago and is rejected already.
                Err(failure) if failure.detail == TOKEN_EXPIRED => {
                    return Err(Failure {
                        code: FailureCode::RefusedByProvider,
                        ..failure
                    });
                }
                answer => return answer,
            }
        }
    }

    pub(super) async fn provider_and_app(
        &self,
        flow: &flow::Model,
    ) -> Result<Option<(&Provider, ProviderApp)>> {
        let Some(provider) = self.catalog.get(&flow.provider) else {
            return Ok(None);
        };
        let app = self.provider_app(flow.tenant_id, provider).await?;
        Ok(app.map(|app| (provider, app)))
    }

    /// Ends a grant that is not kept; not where others could end with it: it is left
    /// unused then, as nothing of it was stored.
    async fn give_back(&self, provider: &Provider, app: &ProviderApp, connected: &Connected<'_>) {
        let may_end_others = self.may_end_others(connected.tenant, provider);
        match Reach::every().around(may_end_others).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(provider = %provider.id, "an unused grant was left there, because others may end with it");
                return;
            }
            Err(error) => {
                tracing::error!(provider = %provider.id, %error, "an unused grant was left there");
                return;
            }
        }
        let tokens = Tokens {
            access_token: &connected.grant.access_token,
            refresh_token: connected.grant.refresh_token.as_ref(),
        };
        let outcome = self
            .dialect
            .revoke(provider, app, &connected.variables, &tokens)
            .await;
        tracing::info!(provider = %provider.id, ?outcome, "an unused grant was given back");
    }

    /// The person decided what to do about the other account.
    pub async fn answer_other_account(
        &self,
        by: impl Into<By<'_>>,
        id: FlowId,
        answer: OtherAccount,
    ) -> Result<flow::Model> {
        let by = by.into();
        if answer == OtherAccount::Add {
            // A link to connect one account again makes no other.
            let flow = self.flow_by_id(by, id).await?.flow;
            by.may_connect_to(&flow.provider, None)?;
        }
        let (flow, held) = self.take_held(by, id, flow::Status::OtherAccount).await?;
        let Some((provider, app)) = self.provider_and_app(&flow).await? else {
            return Err(Error::NotFound);
        };
        let (connected, identity, _) =
            Connected::from_held(&held, provider, by.tenant(), by.owner()?)?;
        let identity = identity.ok_or(Error::NotFound)?;
        self.keep_held(&flow, None).await?;
        match answer {
            OtherAccount::Add => {
                let account = Account::Named(identity);
                let outcome = self.keep(&app, connected, account, None).await?;
                self.end_flow(flow, outcome).await
            }
            OtherAccount::Discard => {
                self.give_back(provider, &app, &connected).await;
                self.move_flow(&flow, flow::Status::Cancelled, None, None)
                    .await
            }
        }
    }

    /// What the consent of a flow opened, for its person to choose from; nothing
    /// when there is nothing to choose.
    pub async fn organisations(
        &self,
        by: impl Into<By<'_>>,
        flow: &flow::Model,
    ) -> Result<Vec<Organisation>> {
        let by = by.into();
        let (true, Some(sealed)) = (
            flow.status == flow::Status::Choosing && flow.owner() == by.owner()?,
            &flow.held_sealed,
        ) else {
            return Ok(Vec::new());
        };
        let held = self.vault.open(held_place(flow), sealed).await?;
        let Some((provider, _)) = self.provider_and_app(flow).await? else {
            return Ok(Vec::new());
        };
        let (_, _, opened) = Connected::from_held(&held, provider, by.tenant(), by.owner()?)?;
        Ok(opened)
    }

    /// The person chose which organisation the connection is for; with none the
    /// grant is given back.
    pub async fn choose_organisation(
        &self,
        by: impl Into<By<'_>>,
        id: FlowId,
        organisation: Option<&str>,
    ) -> Result<flow::Model> {
        let by = by.into();
        let (flow, held) = self.take_held(by, id, flow::Status::Choosing).await?;
        let Some((provider, app)) = self.provider_and_app(&flow).await? else {
            return Err(Error::NotFound);
        };
        let (mut connected, hint, opened) =
            Connected::from_held(&held, provider, by.tenant(), by.owner()?)?;
        let Some(organisation) = organisation else {
            self.keep_held(&flow, None).await?;
            self.give_back(provider, &app, &connected).await;
            return self
                .move_flow(&flow, flow::Status::Cancelled, None, None)
                .await;
        };
        let (Some(variable), true) = (
            provider.tenant_variable(),
            opened.iter().any(|one| one.id == organisation),
        ) else {
            // Nothing they may choose: the question stays open.
            self.move_flow(&flow, flow::Status::Choosing, None, None)
                .await?;
            return Err(Error::invalid("organisation", "Choose one of the list"));
        };
        self.keep_held(&flow, None).await?;
        connected
            .variables
            .insert(variable.name.clone(), organisation.to_owned());
        let outcome = self.settle(&flow, &app, connected, hint).await?;
        self.end_flow(flow, outcome).await
    }

    /// Takes up a flow that waits for its person's answer, in one statement, so
    /// that two clicks do not answer twice.
    async fn take_held(
        &self,
        by: By<'_>,
        id: FlowId,
        waiting: flow::Status,
    ) -> Result<(flow::Model, Secret)> {
        if !matches!(by, By::Guest(_)) {
            by.may_connect()?;
        }
        let flow = flow::Entity::update_many()
            .col_expr(flow::Column::Status, Expr::value(flow::Status::Checking))
            .filter(flow::Column::Id.eq(id))
            .filter(flow::owned(by.tenant(), by.owner()?))
            .filter(flow::Column::Status.eq(waiting))
            .exec_with_returning(self.store.db())
            .await?
            .pop()
            .ok_or(Error::NotFound)?;
        let sealed = flow.held_sealed.as_deref().ok_or(Error::NotFound)?;
        let held = self.vault.open(held_place(&flow), sealed).await?;
        Ok((flow, held))
    }

    pub(super) async fn keep_held(
        &self,
        flow: &flow::Model,
        held: Option<String>,
    ) -> Result<flow::Model> {
        let change = flow::ActiveModel {
            id: Set(flow.id),
            held_sealed: Set(held),
            ..Default::default()
        };
        Ok(change.update(self.store.db()).await?)
    }

    /// The person changed their mind on our side: a late callback is refused.
    pub async fn cancel_flow(&self, member: &Member, handle: &str) -> Result<()> {
        let owner = Owner::Person(member.person());
        let flow = flow::by_handle(self.store.db(), member.tenant(), owner, handle)
            .await?
            .ok_or(Error::NotFound)?;
        let cancelled = flow::Entity::update_many()
            .col_expr(flow::Column::Status, Expr::value(flow::Status::Cancelled))
            .filter(flow::Column::Id.eq(flow.id))
            .filter(flow::Column::Status.eq(flow::Status::Waiting))
            .exec(self.store.db())
            .await?;
        if cancelled.rows_affected == 1 {
            self.move_flow(&flow, flow::Status::Cancelled, None, None)
                .await?;
        }
        Ok(())
    }
}

enum Outcome {
    Connected(ConnectionId),
    /// An administrator allowed the app: now people may connect.
    Approved,
    Choosing {
        held: String,
    },
    OtherAccount {
        held: String,
        failure: Failure,
    },
}

fn is_other(target: &connection::Model, identity: &Identity) -> bool {
    target
        .external_id
        .as_ref()
        .is_some_and(|id| *id != identity.id)
}

pub(super) fn held_place(flow: &flow::Model) -> Place<'static> {
    Place {
        tenant: flow.tenant_id,
        subject: flow.id.0,
        field: "flow.held".into(),
        version: 0,
    }
}
