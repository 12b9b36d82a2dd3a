//! Client ids and secrets of provider apps: a tenant's own, or the operator's.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use uuid::Uuid;

use super::{Action, Member};
use crate::{
    Error, FieldProblem, Hub, Result,
    catalog::{Provider, Variables},
    certificate::{self, Certificate},
    dialect::ProviderApp,
    failure::FailureCode,
    record::{Deed, Entry, Target},
    secret::Secret,
    store::{TenantId, connection, credential, provider_app},
    vault::Place,
};

/// Longest client id or client secret, in bytes: a private key may come with a
/// chain of certificates.
const MAX_VALUE: usize = 16 * 1024;

const CHANGED_MEANWHILE: Error =
    Error::Conflict("Somebody else changed this provider app just now. Look at it again");

/// Where the values of a provider app come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderAppSource {
    /// The operator's environment.
    Environment,
    /// An admin of the tenant entered them.
    Tenant,
    /// Nowhere yet: its providers cannot be connected.
    Missing,
}

/// How a provider app is set up for one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAppStatus {
    /// The catalog's app id.
    pub app: String,
    /// Where its values come from.
    pub source: ProviderAppSource,
    /// The public half, when there is one.
    pub client_id: Option<String>,
    /// When an admin last changed it.
    pub updated_at: Option<DateTime<Utc>>,
    /// The certificate its providers know it by, where they do.
    pub certificate: Option<Certificate>,
}

impl Hub {
    /// Every provider app of the catalog and how it is set up, sorted by id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn provider_apps(&self, member: &Member) -> Result<Vec<ProviderAppStatus>> {
        member.may(Action::Look)?;
        let rows = provider_app::of_tenant(self.store.db(), member.tenant()).await?;
        let status = |app: &str| {
            let own = rows.iter().find(|row| row.app == app);
            let operators = self.operator_apps.get(app);
            ProviderAppStatus {
                app: app.to_owned(),
                source: match (own, operators) {
                    (Some(_), _) => ProviderAppSource::Tenant,
                    (None, Some(_)) => ProviderAppSource::Environment,
                    (None, None) => ProviderAppSource::Missing,
                },
                client_id: own
                    .map(|row| &row.client_id)
                    .or(operators.map(|app| &app.client_id))
                    .cloned(),
                updated_at: own.map(|row| row.updated_at),
                certificate: match own {
                    Some(row) => row.certificate,
                    None if self.shows_certificate(app) => {
                        operators.and_then(|app| certificate::of_app(app.client_secret.expose()))
                    }
                    None => None,
                },
            }
        };
        Ok(self.catalog.apps().into_keys().map(status).collect())
    }

    /// Enters or replaces a tenant's own values. Without a `client_secret` the
    /// one that is there stays.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`] for an app the catalog does
    /// not have, [`Error::Invalid`] for `client_id` or `client_secret`,
    /// [`Error::Conflict`] when somebody else was faster.
    pub async fn set_provider_app(
        &self,
        member: &Member,
        app: &str,
        client_id: &str,
        client_secret: Option<Secret>,
        settings: &Variables,
    ) -> Result<()> {
        member.may(Action::ManageProviderApps)?;
        let typed = self.read_settings(app, settings)?;
        let client_id = value("client_id", client_id, "Enter the client ID")?;
        let enter_secret = "Enter the client secret";
        let client_secret = client_secret
            .map(|secret| value("client_secret", secret.expose(), enter_secret).map(Secret::new))
            .transpose()?;

        let shown = match &client_secret {
            Some(secret) if self.shows_certificate(app) => {
                Some(good_certificate(secret, self.clock.now())?)
            }
            _ => None,
        };

        let tenant = member.tenant();
        let old = provider_app::get(self.store.db(), tenant, app).await?;
        let certificate = shown.or(old.as_ref().and_then(|old| old.certificate));
        let (version, client_secret_sealed) = match (client_secret, &old) {
            (Some(secret), old) => {
                let version = old.as_ref().map_or(1, |old| old.version + 1);
                let sealed = self
                    .vault
                    .seal(place(tenant, app, version), &secret)
                    .await?;
                (version, sealed)
            }
            (None, Some(old)) => (old.version, old.client_secret_sealed.clone()),
            (None, None) => return Err(Error::invalid("client_secret", enter_secret)),
        };
        let settings = self.seal_settings(tenant, app, typed, old.as_ref()).await?;
        let row = provider_app::Model {
            tenant_id: tenant,
            app: app.to_owned(),
            client_id,
            client_secret_sealed,
            version,
            updated_at: self.clock.now(),
            settings: connection::Variables(settings),
            certificate,
        };
        // Sealing may read the database, so it cannot happen inside a
        // transaction; the version says whether the row is still the one read.
        let ledger = self.ledger(tenant).await?;
        let transaction = self.store.begin().await?;
        let written = match old {
            Some(old) => provider_app::replace(&transaction, row, old.version).await?,
            None => provider_app::insert(&transaction, row).await?,
        };
        if !written {
            return Err(CHANGED_MEANWHILE);
        }
        let entry = Entry::new(member, Deed::AppSaved).on(Target::App(app.to_owned()));
        ledger.append(&transaction, entry).await?;
        if let Some(certificate) = shown {
            self.stand_on(&transaction, tenant, app, certificate)
                .await?;
        }
        self.try_app(&transaction, tenant, app).await?;
        transaction.commit().await?;
        self.changes.nudge(tenant);
        Ok(())
    }

    /// Has everything tried again now that failed because an app was not set up
    /// right: it is another one from now on.
    async fn try_app(
        &self,
        db: &impl sea_orm::ConnectionTrait,
        tenant: TenantId,
        app: &str,
    ) -> Result<()> {
        let (code, now) = (FailureCode::AppConfigInvalid, self.clock.now());
        let products = self.catalog.iter().filter(|one| one.app_id == app);
        let products: Vec<_> = products.map(|one| one.id.as_str()).collect();
        credential::bring_tenants_forward(db, tenant, &products, code, now).await?;
        connection::bring_forward(db, tenant, &products, code, now).await?;
        Ok(())
    }

    fn shows_certificate(&self, app: &str) -> bool {
        let mut products = self.catalog.iter().filter(|one| one.app_id == app);
        products.any(|provider| provider.knows_us_by_certificate())
    }

    /// Every connection made with an app stands on another certificate now: what
    /// was told of the one before is over.
    async fn stand_on(
        &self,
        db: &impl sea_orm::ConnectionTrait,
        tenant: TenantId,
        app: &str,
        certificate: Certificate,
    ) -> Result<()> {
        for row in connection::all_of_tenant(db, tenant).await? {
            let provider = self.catalog.get(&row.provider);
            let is_concerned =
                provider.is_some_and(|one| one.app_id == app && one.knows_us_by_certificate());
            if !is_concerned || row.disconnected_at.is_some() {
                continue;
            }
            let id = row.id;
            let mut change = row.into_active_model();
            change.certificate = Set(Some(certificate));
            change.update(db).await?;
            self.settle_alarm(db, tenant, id, None).await?;
        }
        Ok(())
    }

    /// What an operator typed for the further settings of an app, checked.
    fn read_settings(&self, app: &str, typed: &Variables) -> Result<Variables> {
        let products = self.catalog.apps().remove(app).ok_or(Error::NotFound)?;
        let mut settings = Variables::new();
        let mut wrong = Vec::new();
        for setting in products.iter().flat_map(|provider| provider.settings()) {
            let value = typed.get(&setting.name).map_or("", String::as_str);
            if setting.optional && value.trim().is_empty() {
                continue;
            }
            match (setting.read(value), &setting.default) {
                (Ok(value), _) => {
                    settings.insert(setting.name.clone(), value);
                }
                (Err(_), Some(default)) if value.trim().is_empty() => {
                    settings.insert(setting.name.clone(), default.clone());
                }
                (Err(_), _) => wrong.push(FieldProblem {
                    field: format!("settings[{}]", setting.name),
                    problem: format!("This does not look like {}", setting.placeholder),
                }),
            }
        }
        match wrong.is_empty() {
            true => Ok(settings),
            false => Err(Error::Invalid(wrong)),
        }
    }

    /// The settings as they are stored: secret ones sealed, and those that were
    /// not typed again as they were.
    async fn seal_settings(
        &self,
        tenant: TenantId,
        app: &str,
        mut settings: Variables,
        old: Option<&provider_app::Model>,
    ) -> Result<Variables> {
        for name in self.secret_settings(app) {
            let place = setting_place(tenant, app, &name);
            let sealed = match (settings.remove(&name), old) {
                (Some(typed), _) => Some(self.vault.seal(place, &Secret::new(typed)).await?),
                (None, Some(old)) => old.settings.0.get(&name).cloned(),
                (None, None) => None,
            };
            settings.extend(sealed.map(|sealed| (name, sealed)));
        }
        Ok(settings)
    }

    async fn open_settings(
        &self,
        tenant: TenantId,
        app: &str,
        mut settings: Variables,
    ) -> Result<Variables> {
        for name in self.secret_settings(app) {
            if let Some(sealed) = settings.get_mut(&name) {
                let place = setting_place(tenant, app, &name);
                *sealed = self.vault.open(place, sealed).await?.expose().to_owned();
            }
        }
        Ok(settings)
    }

    fn secret_settings(&self, app: &str) -> BTreeSet<String> {
        let products = self.catalog.apps().remove(app).unwrap_or_default();
        let settings = products.iter().flat_map(|provider| provider.settings());
        settings
            .filter(|setting| setting.secret)
            .map(|setting| setting.name.clone())
            .collect()
    }

    /// Forgets a tenant's own values; the operator's, if any, count again.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`] when there are none.
    pub async fn remove_provider_app(&self, member: &Member, app: &str) -> Result<()> {
        member.may(Action::ManageProviderApps)?;
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        if !provider_app::delete(&transaction, member.tenant(), app).await? {
            return Err(Error::NotFound);
        }
        let entry = Entry::new(member, Deed::AppRemoved).on(Target::App(app.to_owned()));
        ledger.append(&transaction, entry).await?;
        if self.operator_apps.contains_key(app) {
            self.try_app(&transaction, member.tenant(), app).await?;
        }
        transaction.commit().await?;
        self.changes.nudge(member.tenant());
        Ok(())
    }

    /// The values to speak to a provider with: the tenant's own, or else the
    /// operator's; none when it is not set up.
    ///
    /// # Errors
    /// When the database or the vault fail.
    pub(crate) async fn provider_app(
        &self,
        tenant: TenantId,
        provider: &Provider,
    ) -> Result<Option<ProviderApp>> {
        let app = provider.app_id.as_str();
        let redirect_uri = self.redirect_uri(&provider.app_id);
        if provider.setup.is_none() {
            // There is nothing to register: nobody asks who we are.
            return Ok(Some(ProviderApp {
                client_id: String::new(),
                client_secret: Secret::new(""),
                settings: settings(Variables::new(), "", redirect_uri),
            }));
        }
        if let Some(row) = provider_app::get(self.store.db(), tenant, app).await? {
            let place = place(tenant, app, row.version);
            return Ok(Some(ProviderApp {
                client_secret: self.vault.open(place, &row.client_secret_sealed).await?,
                settings: settings(
                    self.open_settings(tenant, app, row.settings.0).await?,
                    &row.client_id,
                    redirect_uri,
                ),
                client_id: row.client_id,
            }));
        }
        Ok(self.operator_apps.get(app).map(|app| ProviderApp {
            client_id: app.client_id.clone(),
            client_secret: Secret::new(app.client_secret.expose()),
            settings: settings(app.settings.clone(), &app.client_id, redirect_uri),
        }))
    }
}

/// The certificate in an app's secret, if it is one to begin with.
fn good_certificate(secret: &Secret, now: DateTime<Utc>) -> Result<Certificate> {
    let found = certificate::of_app(secret.expose());
    let found = found.ok_or_else(|| {
        Error::invalid(
            "client_secret",
            "Enter the private key and its certificate, one after the other",
        )
    })?;
    match found.ends_at > now {
        true => Ok(found),
        false => Err(Error::invalid(
            "client_secret",
            "This certificate has ended: enter its successor",
        )),
    }
}

/// What templates of the entry may name besides secrets.
fn settings(mut settings: Variables, client_id: &str, redirect_uri: String) -> Variables {
    settings.insert("client_id".to_owned(), client_id.to_owned());
    settings.insert("redirect_uri".to_owned(), redirect_uri);
    settings
}

fn place(tenant: TenantId, app: &str, version: i32) -> Place<'static> {
    Place {
        tenant,
        subject: Uuid::nil(),
        field: format!("provider_app.{app}").into(),
        version: version.into(),
    }
}

fn setting_place<'a>(tenant: TenantId, app: &str, name: &str) -> Place<'a> {
    Place {
        tenant,
        subject: Uuid::nil(),
        field: format!("provider_app.{app}.{name}").into(),
        version: 0,
    }
}

/// What was pasted, without the blanks around it that pasting brings.
fn value(field: &'static str, typed: &str, missing: &str) -> Result<String> {
    let value = typed.trim();
    if value.is_empty() {
        return Err(Error::invalid(field, missing));
    }
    // A private key has lines; everything else is one word.
    let is_key = value.starts_with("-----BEGIN ");
    let is_odd = |c: char| c.is_control() || c.is_whitespace();
    if value.len() > MAX_VALUE || (!is_key && value.chars().any(is_odd)) {
        return Err(Error::invalid(
            field,
            "Copy it again from the provider: it has no blanks and fits on one line",
        ));
    }
    Ok(value.to_owned())
}
