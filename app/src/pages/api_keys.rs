//! Keys for the host application.

use leptos::prelude::*;

use crate::{
    model::ApiKeyRow,
    parts::{
        ConfirmInSettings, Icon, SettingsFrame, Time,
        form::{Field, ProblemSummary, StepUp},
    },
    paths,
    site::Visit,
    words,
};

/// What a key may be allowed, with what that means.
pub const SCOPES: [(&str, &str); 4] = [
    ("connections:read", "See connections and how they are"),
    (
        "connections:write",
        "Make, import and disconnect connections, and links to connect by",
    ),
    ("tokens:read", "Borrow working tokens"),
    ("catalog:read", "See what can be connected"),
];

/// The list of keys, and the form for a new one.
#[component]
pub fn ApiKeysView(
    /// When this was read, in seconds since the epoch.
    now: i64,
    /// Each key that works.
    keys: Vec<ApiKeyRow>,
) -> impl IntoView {
    let flash = Visit::current().flash;
    let problem = flash.problem("scope");
    let none = keys.is_empty();
    let rows = keys
        .into_iter()
        .map(|key| {
            let used = match key.last_used {
                Some(moment) => {
                    let said = format!("used {}", words::ago(now, moment.unix));
                    view! { <Time moment said/> }.into_any()
                }
                None => "never used".into_any(),
            };
            let said = format!("Made {}", words::ago(now, key.created.unix));
            view! {
                <li class="row" data-layout="simple">
                    <span class="plate"><Icon name="key-round"/></span>
                    <div class="row-main">
                        <p class="row-title">
                            <strong>{key.name.clone()}</strong>
                            " "
                            <code class="account">{format!("…{}", key.last_four)}</code>
                        </p>
                        <p class="fact"><Time moment=key.created said/>", "{used}</p>
                        {(!key.return_origins.is_empty()).then(|| view! {
                            <p class="fact">
                                {format!("Sends people back to {}", words::list(&key.return_origins))}
                            </p>
                        })}
                        <ul class="tags">
                            {key.scopes.into_iter().map(|scope| view! { <li><code>{scope}</code></li> }).collect_view()}
                        </ul>
                    </div>
                    <a class="btn" data-kind="danger" href=paths::revoke_api_key(&key.id)>
                        "Revoke"
                        <span class="visually-hidden">{format!(" {}", key.name)}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    let choices = SCOPES
        .map(|(scope, meaning)| {
            let checked = flash.was_chosen("scope", scope);
            view! {
                <label class="choice">
                    <input type="checkbox" name="scope" value=scope checked=checked/>
                    <span>{meaning} " " <code class="muted">{scope}</code></span>
                </label>
            }
        })
        .collect_view();
    view! {
        <SettingsFrame title="API keys" here=paths::API_KEYS>
            <ProblemSummary/>
            <div class="title">
                <h1>"API keys"</h1>
                <p>"With a key, the software that runs your automations asks Linkwell for working tokens."</p>
            </div>
            <div class="stack">
                {match none {
                    true => view! {
                        <div class="empty">
                            <p class="empty-title">"No keys yet"</p>
                            <p>"Make one for each application, so that each can be revoked alone."</p>
                        </div>
                    }
                    .into_any(),
                    false => view! { <ul class="rows">{rows}</ul> }.into_any(),
                }}
                <section class="card" aria-labelledby="new-key">
                    <h2 id="new-key">"New key"</h2>
                    <form class="form" method="post" action=paths::API_KEYS>
                        <Field
                            name="name"
                            label="Name"
                            help="What will use it, such as the host application's name."
                            autocomplete="off"
                        />
                        <fieldset class="choices" id="scope" tabindex="-1">
                            <legend>"What it may do"</legend>
                            {problem.map(|problem| view! {
                                <p class="problem"><Icon name="circle-alert"/>{problem}</p>
                            })}
                            {choices}
                        </fieldset>
                        <Field
                            name="return_origins"
                            label="Where its links send people back to"
                            help="Only for connect links: the addresses of the host application, one per line. People are sent nowhere else."
                            placeholder="https://app.example.com"
                            autocomplete="off"
                            may_be_empty=true
                            multiline=true
                        />
                        <StepUp why="A key opens every account connected here, so we ask once more."/>
                        <div class="actions">
                            <button class="btn" data-kind="primary">"Create key"</button>
                        </div>
                    </form>
                </section>
            </div>
        </SettingsFrame>
    }
}

/// What revoking a key means, before it happens.
#[component]
pub fn RevokeApiKeyView(
    /// When this was read, in seconds since the epoch.
    now: i64,
    /// The key.
    key: ApiKeyRow,
) -> impl IntoView {
    let ApiKeyRow {
        id,
        name,
        last_four,
        last_used,
        ..
    } = key;
    let used = match last_used {
        Some(moment) => format!("It was used {}.", words::ago(now, moment.unix)),
        None => "It was never used.".to_owned(),
    };
    view! {
        <ConfirmInSettings
            title="Revoke API key"
            here=paths::API_KEYS
            called="API keys"
            question=format!("Revoke {name}?")
            what=format!("…{last_four}")
        >
            <ul class="checks">
                <li data-tone="bad">
                    <Icon name="circle-stop"/>
                    "Requests with it are refused at once. Automations that use it stop."
                </li>
                <li data-tone="neutral">
                    <Icon name="history"/>
                    {used}
                </li>
                <li data-tone="neutral">
                    <Icon name="key-round"/>
                    "It cannot be undone. What used it needs another key."
                </li>
            </ul>
            <form class="actions" method="post" action="/api/revoke_api_key">
                <input type="hidden" name="id" value=id/>
                <button class="btn" data-kind="danger-solid">"Revoke key"</button>
                <a class="btn" data-kind="plain" href=paths::API_KEYS>"Keep it"</a>
            </form>
        </ConfirmInSettings>
    }
}
