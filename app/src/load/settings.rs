//! What admins set up: provider apps, keys, and what people wish for.

use hub::{
    Error, Hub, Result,
    catalog::Provider as Entry,
    keep::ends::WARN,
    people::{Action as Right, Member, ProviderAppSource, ProviderAppStatus},
    store::words,
};

use super::{capital, connect::asked_field, moment};
use crate::model::{
    ApiKeyRow, AppState, ConnectField, Provider, ProviderAppPage, ProviderAppRow, WishRow,
};

/// Each provider app.
pub async fn provider_apps(hub: &Hub, member: &Member) -> Result<Vec<ProviderAppRow>> {
    let statuses = hub.provider_apps(member).await?;
    Ok(statuses
        .iter()
        .filter_map(|status| app_row(hub, status))
        .collect())
}

fn app_row(hub: &Hub, status: &ProviderAppStatus) -> Option<ProviderAppRow> {
    let products = hub.catalog.apps().remove(status.app.as_str())?;
    let first = products.first()?;
    let shared = products.len() > 1 || first.id != status.app;
    let client_id = status.client_id.clone().unwrap_or_default();
    Some(ProviderAppRow {
        id: status.app.clone(),
        provider: Provider {
            id: status.app.clone(),
            name: match shared {
                true => capital(&status.app),
                false => first.name().to_owned(),
            },
            // Marks are those of products, which are not the company's.
            icon: (!shared).then(|| first.brand.icon.clone()),
        },
        serves: match shared {
            true => products
                .iter()
                .map(|entry| entry.name().to_owned())
                .collect(),
            false => Vec::new(),
        },
        state: match status.source {
            ProviderAppSource::Missing => AppState::NotSetUp,
            ProviderAppSource::Environment => AppState::Environment { client_id },
            ProviderAppSource::Tenant => AppState::Entered {
                client_id,
                at: moment(status.updated_at.unwrap_or_else(|| hub.clock.now())),
            },
        },
        certificate: status.certificate.map(|certificate| {
            let is_near = certificate.ends_at - hub.clock.now() <= WARN;
            (moment(certificate.ends_at), is_near)
        }),
    })
}

/// The page of one provider app.
pub async fn provider_app_page(hub: &Hub, member: &Member, id: &str) -> Result<ProviderAppPage> {
    let statuses = hub.provider_apps(member).await?;
    let status = statuses
        .iter()
        .find(|status| status.app == id)
        .ok_or(Error::NotFound)?;
    let app = app_row(hub, status).ok_or(Error::NotFound)?;
    let products = hub.catalog.apps().remove(id).ok_or(Error::NotFound)?;
    let setup = products[0].setup.as_ref().ok_or(Error::NotFound)?;
    let name = id.to_uppercase().replace('-', "_");
    let redirect_uri = hub.redirect_uri(id);
    let refused = setup.refuses(&redirect_uri).then(|| {
        format!(
            "{} does not accept this hub's address as it is now: see its rule.",
            app.provider.name
        )
    });
    Ok(ProviderAppPage {
        app,
        redirect_uri,
        rules: refused
            .into_iter()
            .chain([setup.redirect_rules.clone(), setup.review.clone()])
            .filter(|rule| rule != "none")
            .collect(),
        labels: (
            setup.client_id_label.clone(),
            setup.client_secret_label.clone(),
        ),
        messages: products
            .iter()
            .filter_map(|product| product.push.as_ref())
            .find(|push| push.signature.is_some() && !push.at_callback)
            .map(|push| (hub.message_uri(id), push.signal.clone())),
        settings: settings(&products),
        steps: setup.steps.clone(),
        console_url: setup.register_url.as_ref().map(ToString::to_string),
        variables: (
            format!("LINKWELL_PROVIDER_{name}_CLIENT_ID"),
            format!("LINKWELL_PROVIDER_{name}_CLIENT_SECRET"),
        ),
    })
}

/// What the products of an app want from the operator besides, each once.
pub(super) fn settings(products: &[&Entry]) -> Vec<ConnectField> {
    let mut fields: Vec<ConnectField> = Vec::new();
    for setting in products.iter().flat_map(|entry| entry.settings()) {
        let field = ConnectField {
            name: format!("settings[{}]", setting.name),
            ..asked_field(setting)
        };
        if !fields.iter().any(|known| known.name == field.name) {
            fields.push(field);
        }
    }
    fields
}

/// Each API key that works.
pub async fn api_keys(hub: &Hub, member: &Member) -> Result<Vec<ApiKeyRow>> {
    let keys = hub.api_keys(member).await?;
    Ok(keys
        .into_iter()
        .filter(|key| key.revoked_at.is_none())
        .map(|key| ApiKeyRow {
            id: key.id.to_string(),
            name: key.name,
            scopes: words(&key.scopes),
            return_origins: words(&key.return_origins),
            last_four: key.hint,
            created: moment(key.created_at),
            last_used: key.last_used_at.map(moment),
        })
        .collect())
}

/// What members missed, newest first, for those who can do something about it.
pub async fn wishes(hub: &Hub, member: &Member) -> Result<Vec<WishRow>> {
    if !member.role().may(Right::ManageProviderApps) {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for wish in hub.wishes(member).await? {
        rows.push(WishRow {
            by: hub.person_name(member, wish.person_id).await?,
            text: wish.text,
            at: moment(wish.at),
        });
    }
    Ok(rows)
}
