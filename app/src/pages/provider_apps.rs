//! The operator's registrations at the providers.

use leptos::prelude::*;

use crate::{
    model::{AppState, ProviderAppRow, WishRow},
    parts::{BrandPlate, Icon, SettingsFrame},
    paths,
};

/// The list of provider apps.
#[component]
pub fn ProviderAppsView(
    /// Each app, set up or not.
    apps: Vec<ProviderAppRow>,
    /// What members miss.
    wishes: Vec<WishRow>,
) -> impl IntoView {
    let rows = apps
        .into_iter()
        .map(|app| {
            let (set_up, state) = match app.state {
                AppState::NotSetUp => (false, "Takes a few minutes, once".to_owned()),
                AppState::Entered { at, .. } => (true, format!("Entered on {}", at.text)),
                AppState::Environment { .. } => (true, "Comes from the environment".to_owned()),
            };
            let serves = (app.serves.len() > 1).then(|| format!("For {}. ", app.serves.join(", ")));
            view! {
                <li class="row" data-layout="simple">
                    <BrandPlate provider=app.provider.clone()/>
                    <div class="row-main">
                        <p class="row-title">
                            <a class="row-link" href=paths::provider_app(&app.id)>{app.provider.name}</a>
                        </p>
                        <p class="fact">{serves}{state}</p>
                    </div>
                    <div class="row-status">
                        {match set_up {
                            true => view! {
                                <span class="status" data-tone="good">
                                    <Icon name="circle-check"/>
                                    "Ready"
                                </span>
                            }
                            .into_any(),
                            false => view! {
                                <span class="status" data-tone="quiet">
                                    <Icon name="circle-dashed"/>
                                    "Not set up"
                                </span>
                            }
                            .into_any(),
                        }}
                    </div>
                    <span class="row-go"><Icon name="chevron-right"/></span>
                </li>
            }
        })
        .collect_view();
    view! {
        <SettingsFrame title="Provider apps" here=paths::PROVIDER_APPS>
            <div class="title">
                <h1>"Provider apps"</h1>
                <p>
                    "A provider lets Linkwell in once it is registered there. Each registration gives a client ID and a client secret, which are kept sealed here."
                </p>
            </div>
            <ul class="rows">{rows}</ul>
            {(!wishes.is_empty()).then(|| view! { <Wishes wishes/> })}
        </SettingsFrame>
    }
}

#[component]
fn Wishes(wishes: Vec<WishRow>) -> impl IntoView {
    let rows = wishes
        .into_iter()
        .map(|WishRow { text, by, at }| {
            let by = by.map(|by| format!("{by}, "));
            view! { <li><span>{text}</span>" "<span class="muted">{by}{at.text}</span></li> }
        })
        .collect_view();
    view! {
        <section class="card wishes" aria-labelledby="wishes">
            <h2 id="wishes">"What people miss"</h2>
            <ul>{rows}</ul>
        </section>
    }
}
