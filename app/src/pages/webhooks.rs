//! Which systems are told what happens.

use leptos::prelude::*;

use crate::{
    model::{WebhookRow, Webhooks},
    parts::{
        ConfirmInSettings, Icon, SettingsFrame, Time,
        form::{Field, ProblemSummary, StepUp},
    },
    paths,
    site::Visit,
    words,
};

/// The list of webhooks, and the form for a new one.
#[component]
pub fn WebhooksView(
    /// When this was read, in seconds since the epoch.
    now: i64,
    /// What there is.
    page: Webhooks,
) -> impl IntoView {
    let Webhooks {
        rows,
        kinds,
        newest,
    } = page;
    let none = rows.is_empty();
    let rows = rows
        .into_iter()
        .map(|row| view! { <Webhook now row newest/> })
        .collect_view();
    let flash = Visit::current().flash;
    let choices = kinds
        .into_iter()
        .map(|(kind, meaning)| {
            let checked = flash.was_chosen("kind", &kind);
            view! {
                <label class="choice">
                    <input type="checkbox" name="kind" value=kind.clone() checked=checked/>
                    <span>{meaning} " " <code class="muted">{kind}</code></span>
                </label>
            }
        })
        .collect_view();
    view! {
        <SettingsFrame title="Webhooks" here=paths::WEBHOOKS>
            <ProblemSummary/>
            <div class="title">
                <h1>"Webhooks"</h1>
                <p>
                    "Your own systems hear at once when a connection breaks, heals or changes. \
                     Messages are signed by the "
                    <a href="https://www.standardwebhooks.com/" rel="noreferrer">"Standard Webhooks"</a>
                    " scheme and tried for a day."
                </p>
            </div>
            <div class="stack">
                {match none {
                    true => view! {
                        <div class="empty">
                            <p class="empty-title">"Nobody is told yet"</p>
                            <p>"Add the address of a system that should hear what happens here."</p>
                        </div>
                    }
                    .into_any(),
                    false => view! { <ul class="rows">{rows}</ul> }.into_any(),
                }}
                <section class="card" aria-labelledby="new-webhook">
                    <h2 id="new-webhook">"New webhook"</h2>
                    <form class="form" method="post" action=paths::WEBHOOKS>
                        <Field
                            name="url"
                            label="Address"
                            help="Messages are posted there as JSON."
                            placeholder="https://example.com/hooks/linkwell"
                            autocomplete="off"
                        />
                        <fieldset class="choices" id="kind" tabindex="-1">
                            <legend>"What it is told of"</legend>
                            <p class="help">"Choose none to be told of everything."</p>
                            {choices}
                        </fieldset>
                        <StepUp why="Whoever holds the signing secret can speak for us, so we ask once more."/>
                        <div class="actions">
                            <button class="btn" data-kind="primary">"Add webhook"</button>
                        </div>
                    </form>
                </section>
            </div>
        </SettingsFrame>
    }
}

/// What a new secret means, before there is one.
#[component]
pub fn WebhookSecretView(
    /// The webhook.
    row: WebhookRow,
) -> impl IntoView {
    view! {
        <ConfirmInSettings
            title="New secret"
            here=paths::WEBHOOKS
            called="Webhooks"
            question="Make a new secret?"
            what=row.url
        >
            <ul class="checks">
                <li data-tone="neutral">
                    <Icon name="key-round"/>
                    "You see the new secret once. Put it into the system that receives the messages."
                </li>
                <li data-tone="neutral">
                    <Icon name="history"/>
                    "For a day messages are signed with the old and the new one, so none is missed."
                </li>
            </ul>
            <form class="form" method="post" action=paths::webhook_secret(&row.id)>
                <StepUp why="Whoever holds the signing secret can speak for us, so we ask once more."/>
                <div class="actions">
                    <button class="btn" data-kind="primary">"Make new secret"</button>
                    <a class="btn" data-kind="plain" href=paths::WEBHOOKS>"Keep the old one"</a>
                </div>
            </form>
        </ConfirmInSettings>
    }
}

/// What removing a webhook means, before it happens.
#[component]
pub fn RemoveWebhookView(
    /// The webhook.
    row: WebhookRow,
) -> impl IntoView {
    let lost = match row.waiting + row.given_up {
        0 => None,
        1 => Some("1 message that it did not take is never sent.".to_owned()),
        count => Some(format!(
            "{count} messages that it did not take are never sent."
        )),
    };
    view! {
        <ConfirmInSettings
            title="Remove webhook"
            here=paths::WEBHOOKS
            called="Webhooks"
            question="Remove this webhook?"
            what=row.url
        >
            <ul class="checks">
                <li data-tone="bad">
                    <Icon name="circle-stop"/>
                    "This system is told nothing any more."
                </li>
                {lost.map(|lost| view! { <li data-tone="bad"><Icon name="history"/>{lost}</li> })}
                <li data-tone="bad">
                    <Icon name="key-round"/>
                    "Its signing secret is deleted. Whoever adds the address again gets another one."
                </li>
            </ul>
            <form class="actions" method="post" action="/api/remove_webhook">
                <input type="hidden" name="id" value=row.id/>
                <button class="btn" data-kind="danger-solid">"Remove webhook"</button>
                <a class="btn" data-kind="plain" href=paths::WEBHOOKS>"Keep it"</a>
            </form>
        </ConfirmInSettings>
    }
}

#[component]
fn Webhook(now: i64, row: WebhookRow, newest: i64) -> impl IntoView {
    let fares = fares(now, &row);
    let told_of = match row.kinds.is_empty() {
        true => view! { <li>"everything"</li> }.into_any(),
        false => row
            .kinds
            .iter()
            .map(|kind| view! { <li><code>{kind.clone()}</code></li> })
            .collect_view()
            .into_any(),
    };
    let (id, url) = (row.id.clone(), row.url.clone());
    let hidden = format!(" {url}");
    let small = move |action: &'static str, label: &'static str| {
        view! {
            <form method="post" action=action>
                <input type="hidden" name="id" value=id.clone()/>
                <button class="btn" data-kind="plain">
                    {label}
                    <span class="visually-hidden">{hidden.clone()}</span>
                </button>
            </form>
        }
    };
    let again = row.given_up > 0 || row.gone;
    let replay_field = format!("after-{}", row.id);
    view! {
        <li class="row" data-layout="simple">
            <span class="plate"><Icon name="webhook"/></span>
            <div class="row-main lines">
                <p class="row-title"><strong>{url}</strong></p>
                {fares}
                <ul class="tags">{told_of}</ul>
                <div class="actions">
                    {small("/api/test_webhook", "Send a test")}
                    {again.then(|| small("/api/revive_webhook", "Send again"))}
                    <a class="btn" data-kind="plain" href=paths::webhook_secret(&row.id)>
                        "New secret"
                        <span class="visually-hidden">{format!(" {}", row.url)}</span>
                    </a>
                    <a class="btn" data-kind="danger" href=paths::remove_webhook(&row.id)>
                        "Remove"
                        <span class="visually-hidden">{format!(" {}", row.url)}</span>
                    </a>
                </div>
                <details class="disclosure">
                    <summary><Icon name="chevron-right"/>"Tell once more what was told before"</summary>
                    <form class="form" method="post" action="/api/replay_webhook">
                        <input type="hidden" name="id" value=row.id.clone()/>
                        <div class="field">
                            <label for=replay_field.clone()>"After event number"</label>
                            <p class="help">
                                {format!("The newest is {newest}. Each message carries its number as data.sequence.")}
                            </p>
                            <div class="input">
                                <input
                                    id=replay_field
                                    name="after"
                                    type="number"
                                    min="0"
                                    max=newest.to_string()
                                    inputmode="numeric"
                                    required=true
                                />
                            </div>
                        </div>
                        <div class="actions"><button class="btn" data-kind="plain">"Tell once more"</button></div>
                    </form>
                </details>
            </div>
        </li>
    }
}

/// How a webhook fares: in a word, in a sentence, and what waits for it.
fn fares(now: i64, row: &WebhookRow) -> impl IntoView + use<> {
    let (tone, icon, word, said) = match (&row.problem, &row.last_ok) {
        _ if row.gone => (
            "bad",
            view! { <Icon name="triangle-alert"/> },
            "Gone",
            "It said that it is gone for good. Nothing is sent to it any more.".to_owned(),
        ),
        (Some(problem), _) => {
            let since = row
                .failed
                .as_ref()
                .map(|failed| words::ago(now, failed.unix));
            let since = since.map_or(String::new(), |since| format!(" (first {since})"));
            (
                "warn",
                view! { <Icon name="refresh-cw"/> },
                "Not taken",
                format!("Messages are not taken: {problem}{since}. We keep trying."),
            )
        }
        (None, Some(last)) => (
            "good",
            view! { <Icon name="circle-check"/> },
            "Works",
            format!("Last message taken {}.", words::ago(now, last.unix)),
        ),
        (None, None) => (
            "quiet",
            view! { <Icon name="circle-dashed"/> },
            "Not used yet",
            "Nothing was sent yet.".to_owned(),
        ),
    };
    let queue: Vec<String> = [
        (row.waiting, "waiting"),
        (row.given_up, "given up after a day"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    let both = row.both_until.as_ref().map(|until| {
        format!(
            "Signed with the old and the new secret, the old one ending {}.",
            words::until(now, until.unix)
        )
    });
    let created = row.created.clone();
    let made = format!("Added {}", words::ago(now, created.unix));
    view! {
        <p class="status" data-tone=tone>{icon}<span>{word}</span></p>
        <p class="fact">{said}</p>
        <p class="fact">
            <Time moment=created said=made/>
            {(!queue.is_empty()).then(|| format!(", {}", queue.join(", ")))}
        </p>
        {both.map(|both| view! { <p class="fact">{both}</p> })}
    }
}
