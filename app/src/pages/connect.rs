//! What we will and will not do, before a person connects.

use leptos::prelude::*;

use super::wizard::WizardView;
use crate::{
    islands::ConnectPanel,
    model::{ConnectField, ConnectPage, Helper, Permission, Readiness},
    parts::{
        BrandPlate, Current, Frame, Icon,
        form::{Field, ProblemSummary},
    },
    paths, words,
};

/// The page a person reads before connecting.
#[component]
pub fn ConnectView(
    /// What connecting means.
    page: ConnectPage,
) -> impl IntoView {
    let ConnectPage {
        provider,
        summary,
        facts,
        docs,
        repairs,
        in_use,
        will,
        will_not,
        permissions,
        optional,
        fields,
        removal,
        usually_takes,
        readiness,
        admin_consent,
        attempt,
        helpers,
    } = page;
    let name = provider.name.clone();
    let (verb, account, connection) = match repairs {
        Some((id, account)) => ("Reconnect", Some(account), Some(id)),
        None => ("Connect", None, None),
    };
    let title = format!("{verb} {name}");
    let takes = usually_takes.map(words::takes);
    let plate = provider.clone();
    let no_permissions = permissions.is_empty();
    let (for_all, allows) = (provider.id.clone(), name.clone());
    let lines = |lines: Vec<String>, tone: &'static str, good: bool| {
        lines
            .into_iter()
            .map(|line| {
                let icon = match good {
                    true => view! { <Icon name="check"/> }.into_any(),
                    false => view! { <Icon name="x"/> }.into_any(),
                };
                view! { <li data-tone=tone>{icon}<span>{line}</span></li> }
            })
            .collect_view()
    };
    let begin = match readiness {
        Readiness::Ready => view! {
            <section class="wizard" aria-label="Setting up">
                <div class="wizard-head">
                    <h2>{words::steps_of_consent(fields.len())}</h2>
                </div>
                <p>{words::sign_in_explained(&name, "oauth2")}</p>
                <ConnectPanel provider connection label=title.clone() takes attempt>
                    {fields.into_iter().map(|field| view! { <Asked field/> }).collect_view()}
                    <Optional permissions=optional/>
                </ConnectPanel>
            </section>
        }
        .into_any(),
        Readiness::Enter(page) => view! {
            <WizardView provider=plate.id.clone() name=name.clone() connection page=*page takes/>
        }
        .into_any(),
        Readiness::NotYet(why) => view! {
            <div class="callout" data-tone="neutral">
                <Icon name="clock"/>
                <div>
                    <p class="prompt-what">"Not available here yet"</p>
                    <p>{why}</p>
                </div>
            </div>
        }
        .into_any(),
        Readiness::NotSetUp {
            app,
            may_set_up,
            admins,
        } => view! { <NotSetUp name=name.clone() app may_set_up admins/> }.into_any(),
    };
    view! {
        <Frame title=title.clone() current=Current::Connections>
            <a class="back" href=paths::HUB>
                <Icon name="arrow-left"/>
                "Connections"
            </a>
            <ProblemSummary/>
            <div class="card narrow">
                <div class="page-head">
                    <BrandPlate provider=plate/>
                    <div class="page-head-words">
                        <h1>{title}</h1>
                        <p class="muted">{account.unwrap_or(summary)}</p>
                    </div>
                </div>
                {in_use.map(|(id, account, status)| view! {
                    <div class="callout in-use" data-tone="neutral">
                        <Icon name="circle-alert"/>
                        <p>
                            "You use " <a href=paths::connection(&id)>{account}</a>
                            {format!(" ({})", words::status(status).to_lowercase())}
                            " already. Here you connect one more account."
                        </p>
                    </div>
                })}
                <dl class="facts">
                    {facts
                        .into_iter()
                        .map(|(name, fact)| view! { <div><dt>{name}</dt><dd>{fact}</dd></div> })
                        .collect_view()}
                </dl>
                <div class="promises">
                    <section aria-labelledby="will">
                        <h2 id="will">"We will"</h2>
                        <ul class="checks">{lines(will, "good", true)}</ul>
                    </section>
                    <section aria-labelledby="will-not">
                        <h2 id="will-not">"We will not"</h2>
                        <ul class="checks">{lines(will_not, "neutral", false)}</ul>
                    </section>
                </div>
                {begin}
                {admin_consent.then(|| view! {
                    <form method="post" action=paths::start(&for_all)>
                        <input type="hidden" name="admin" value="1"/>
                        <button class="btn" data-kind="quiet">
                            {format!("I am an administrator at {allows}: allow it for everybody")}
                        </button>
                    </form>
                })}
                <div class="fine-print">
                    <details class="disclosure" hidden=no_permissions>
                        <summary>
                            <Icon name="chevron-right"/>
                            "Show technical permissions"
                        </summary>
                        <ul class="scopes">
                            {permissions
                                .into_iter()
                                .map(|Permission { meaning, scope, .. }| view! {
                                    <li><code>{scope}</code>" "<span class="muted">{meaning}</span></li>
                                })
                                .collect_view()}
                        </ul>
                    </details>
                    <Sources name docs/>
                    <Helpers helpers/>
                    <p>{removal}</p>
                    <p>"Everyone in your organisation can use this connection. Admins see who connected it."</p>
                </div>
            </div>
        </Frame>
    }
}

/// A question before a flow.
#[component]
pub(super) fn Asked(field: ConnectField) -> impl IntoView {
    let ConnectField {
        name,
        label,
        placeholder,
        suffix,
        help,
        value,
        ..
    } = field;
    view! {
        <Field
            name
            label
            placeholder=placeholder.unwrap_or_default()
            suffix=suffix.unwrap_or_default()
            help=help.unwrap_or_default()
            value
        />
    }
}

#[component]
fn Optional(permissions: Vec<Permission>) -> impl IntoView {
    (!permissions.is_empty()).then(|| {
        view! {
            <fieldset class="choices">
                <legend>"Allow more, if you like"</legend>
                {permissions
                    .into_iter()
                    .map(|permission| view! {
                        <label class="choice">
                            <input
                                type="checkbox"
                                name="scope"
                                value=permission.scope
                                checked=permission.granted
                            />
                            <span>{permission.meaning}</span>
                        </label>
                    })
                    .collect_view()}
            </fieldset>
        }
    })
}

/// Who can be asked, where there is somebody.
#[component]
fn Helpers(helpers: Vec<Helper>) -> impl IntoView {
    let links = helpers
        .into_iter()
        .map(|Helper { name, href, shown }| {
            view! { <li><a href=href>{name}</a>" "<span class="muted">{shown}</span></li> }
        })
        .collect_view();
    (!links.is_empty()).then(|| {
        view! {
            <details class="disclosure">
                <summary>
                    <Icon name="chevron-right"/>
                    "Talk to a person"
                </summary>
                <ul class="sources">{links}</ul>
            </details>
        }
    })
}

/// Where the provider itself tells more.
#[component]
fn Sources(name: String, docs: Vec<String>) -> impl IntoView {
    let links = docs
        .into_iter()
        .filter(|address| address.starts_with("https://"))
        .map(|address| {
            let shown = address.trim_start_matches("https://").to_owned();
            view! { <li><a href=address target="_blank" rel="noreferrer">{shown}</a></li> }
        })
        .collect_view();
    (!links.is_empty()).then(|| {
        view! {
            <details class="disclosure">
                <summary>
                    <Icon name="chevron-right"/>
                    {format!("Pages of {name} about this")}
                </summary>
                <ul class="sources">{links}</ul>
            </details>
        }
    })
}

#[component]
fn NotSetUp(name: String, app: String, may_set_up: bool, admins: Vec<String>) -> impl IntoView {
    let who = match admins.is_empty() {
        true => "An admin can do that.".to_owned(),
        false => format!("Admins: {}.", words::list(&admins)),
    };
    view! {
        <div class="callout">
            <Icon name="wrench"/>
            <div>
                <p class="prompt-what">{format!("{name} is not set up here yet.")}</p>
                <p>
                    {format!(
                        "{name} only lets in apps it knows. Whoever runs this Linkwell registers it there once and enters the two values it gets.",
                    )}
                </p>
                {match may_set_up {
                    true => view! {
                        <a class="btn" data-kind="primary" href=paths::provider_app(&app)>
                            {format!("Set up {name}")}
                        </a>
                    }
                    .into_any(),
                    false => view! { <p>{who}</p> }.into_any(),
                }}
            </div>
        </div>
    }
}
