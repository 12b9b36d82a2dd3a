//! One registration at a provider: the address to register, and the two values
//! it gives in return.

use leptos::prelude::*;

use crate::{
    model::{AppState, ProviderAppPage},
    parts::{
        BrandPlate, Copyable, Icon, SettingsFrame,
        form::{Field, ProblemSummary},
    },
    paths,
};

/// The page of one provider app.
#[component]
pub fn ProviderAppView(
    /// What is known of it.
    page: ProviderAppPage,
) -> impl IntoView {
    let ProviderAppPage {
        app,
        redirect_uri,
        messages,
        rules,
        labels,
        settings,
        steps,
        console_url,
        variables,
    } = page;
    let name = app.provider.name.clone();
    let what = format!("redirect address of {name}");
    let (id_label, secret_label) = labels;
    // A private key has several lines.
    let is_key = secret_label.to_lowercase().contains("private key");
    let further = settings
        .into_iter()
        .map(|field| {
            view! {
                <Field
                    name=field.name
                    label=field.label
                    placeholder=field.placeholder.unwrap_or_default()
                    help=field.help.unwrap_or_default()
                    value=field.value
                    kind=if field.secret { "password" } else { "text" }
                    may_be_empty=field.optional
                    autocomplete="off"
                />
            }
        })
        .collect_view();
    let state = match app.state.clone() {
        AppState::NotSetUp => ().into_any(),
        AppState::Entered { client_id, at } => view! {
            <div class="callout" data-tone="good">
                <Icon name="circle-check"/>
                <div>
                    <p class="prompt-what">{format!("{name} is set up.")}</p>
                    <p>"Client ID " <code>{client_id}</code> {format!(", entered on {}.", at.text)}</p>
                    <p>"The secret is sealed and never shown. Enter both values again to replace them."</p>
                </div>
            </div>
        }
        .into_any(),
        AppState::Environment { client_id } => view! {
            <div class="callout" data-tone="good">
                <Icon name="server"/>
                <div>
                    <p class="prompt-what">{format!("{name} is set up by the operator.")}</p>
                    <p>"Client ID " <code>{client_id}</code> "."</p>
                    <p>
                        "It comes from "
                        <code>{variables.0.clone()}</code>
                        " and "
                        <code>{variables.1.clone()}</code>
                        ", so it is changed there and not here."
                    </p>
                </div>
            </div>
        }
        .into_any(),
    };
    let certificate = app.certificate.clone().map(|(ends, is_near)| {
        let tone = if is_near { "warn" } else { "neutral" };
        let what = format!("Its certificate ends on {}.", ends.text);
        let how = match is_near {
            true => "Enter the private key with a new certificate: nobody has to connect again.",
            false => "You are told a week before.",
        };
        view! {
            <div class="callout" data-tone=tone>
                <Icon name="clock"/>
                <div>
                    <p class="prompt-what">{what}</p>
                    <p>{how}</p>
                </div>
            </div>
        }
    });
    let messages = messages.map(|(address, signal)| {
        let what = format!("address for messages of {name}");
        view! {
            <h3>"Address for messages"</h3>
            <p class="muted">
                {format!("Have {signal} sent here, and {name} tells us at once when access ends.")}
            </p>
            <ul class="addresses"><li><Copyable value=address what/></li></ul>
        }
    });
    let from_environment = matches!(app.state, AppState::Environment { .. });
    let entered = matches!(app.state, AppState::Entered { .. });
    let id = app.id.clone();
    let register = match from_environment {
        true => view! { <h2 id="register">"Redirect address"</h2> }.into_any(),
        false => view! {
            <h2 id="register">"Register Linkwell"</h2>
            <ol class="steps">
                {steps.into_iter().map(|step| view! { <li>{step}</li> }).collect_view()}
            </ol>
            <h3>"Redirect address"</h3>
        }
        .into_any(),
    };
    let how = match from_environment {
        true => format!("Registered at {name} exactly as it is, to the last character."),
        false => "Enter it exactly as it is, to the last character.".to_owned(),
    };
    let form = (!from_environment).then(|| {
        view! {
            <section class="card" aria-labelledby="values">
                <h2 id="values">{format!("Values from {name}")}</h2>
                <form class="form" method="post" action="/api/save_provider_app">
                    <input type="hidden" name="app" value=app.id.clone()/>
                    <Field name="client_id" label=id_label autocomplete="off"/>
                    <Field
                        name="client_secret"
                        label=secret_label
                        kind="password"
                        autocomplete="off"
                        help="Stored sealed. It is never shown again, not even to you."
                        multiline=is_key
                    />
                    {further}
                    <div class="actions">
                        <button class="btn" data-kind="primary">
                            {if entered { "Replace" } else { "Save" }}
                        </button>
                    </div>
                </form>
            </section>
        }
    });
    let remove = entered.then(|| view! {
        <section class="card" aria-labelledby="remove">
            <div class="manage-row">
                <div>
                    <h2 id="remove">"Remove"</h2>
                    <p>
                        {format!(
                            "{name} cannot be connected any more, and what is connected stops when its access needs renewing.",
                        )}
                    </p>
                </div>
                <form method="post" action="/api/remove_provider_app">
                    <input type="hidden" name="app" value=id/>
                    <button class="btn" data-kind="danger">"Remove"</button>
                </form>
            </div>
        </section>
    });
    view! {
        <SettingsFrame title=format!("{name} app") here=paths::PROVIDER_APPS>
            <a class="back" href=paths::PROVIDER_APPS>
                <Icon name="arrow-left"/>
                "Provider apps"
            </a>
            <ProblemSummary/>
            <div class="stack">
                <header class="page-head">
                    <BrandPlate provider=app.provider/>
                    <div class="page-head-words">
                        <h1>{name.clone()}</h1>
                        <p class="muted">"Provider app"</p>
                    </div>
                    {console_url.map(|url| view! {
                        <a class="btn" data-kind="plain" href=url target="_blank" rel="noreferrer">
                            {format!("Open {name}")}
                            <Icon name="external-link"/>
                        </a>
                    })}
                </header>
                {state}
                {certificate}
                <section class="card" aria-labelledby="register">
                    {register}
                    <p class="muted">{how}</p>
                    <ul class="addresses"><li><Copyable value=redirect_uri what/></li></ul>
                    {rules.into_iter().map(|rule| view! { <p class="muted">{rule}</p> }).collect_view()}
                    {messages}
                </section>
                {form}
                {remove}
            </div>
        </SettingsFrame>
    }
}
