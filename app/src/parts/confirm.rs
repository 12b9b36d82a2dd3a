//! A page that says what something means before it happens, to a connection or
//! in the settings.

use leptos::prelude::*;

use super::{BrandPlate, Current, Frame, Icon, SettingsFrame, form::ProblemSummary};
use crate::{model::Provider, paths};

/// The page: the way back, what is asked, and in it what would happen and the
/// buttons.
#[component]
pub fn Confirm(
    /// What the window is called: `Disconnect Shopify`.
    title: String,
    /// What is asked: `Disconnect Shopify?`.
    question: String,
    /// The connection's id.
    id: String,
    /// What it is linked to.
    provider: Provider,
    /// The account's name.
    account: String,
    /// What would happen, and the buttons.
    children: Children,
) -> impl IntoView {
    let back = paths::connection(&id);
    let called = format!("{} {account}", provider.name);
    view! {
        <Frame title current=Current::Connections>
            <a class="back" href=back>
                <Icon name="arrow-left"/>
                {called}
            </a>
            <ProblemSummary/>
            <div class="card narrow">
                <div class="page-head">
                    <BrandPlate provider/>
                    <div class="page-head-words">
                        <h1>{question}</h1>
                        <p class="muted">{account}</p>
                    </div>
                </div>
                {children()}
            </div>
        </Frame>
    }
}

/// The same of something in the settings.
#[component]
pub fn ConfirmInSettings(
    /// What the window is called: `New secret`.
    #[prop(into)]
    title: String,
    /// The page of the settings it belongs to.
    here: &'static str,
    /// What that page is called.
    called: &'static str,
    /// What is asked: `Make a new secret?`.
    #[prop(into)]
    question: String,
    /// What it would happen to.
    #[prop(optional, into)]
    what: Option<String>,
    /// What would happen, and the buttons.
    children: Children,
) -> impl IntoView {
    view! {
        <SettingsFrame title here>
            <ProblemSummary/>
            <div class="title">
                <a class="back" href=here><Icon name="arrow-left"/>{called}</a>
                <h1>{question}</h1>
                {what.map(|what| view! { <p>{what}</p> })}
            </div>
            <section class="card narrow" aria-label="What happens">
                {children()}
            </section>
        </SettingsFrame>
    }
}

/// What would end together with it, where something would.
#[component]
pub fn EndsToo(
    /// The provider's name.
    name: String,
    /// What else the provider ends with it.
    ends_too: Vec<String>,
) -> impl IntoView {
    (!ends_too.is_empty()).then(|| {
        let listed = ends_too.join(", ");
        view! {
            <li data-tone="bad">
                <Icon name="circle-stop"/>
                {format!("{name} ends everything the same app was granted: {listed} may stop, too.")}
            </li>
        }
    })
}
