//! How connections are kept: one row for each, with what can be done about it.

use leptos::prelude::*;

use crate::{
    model::{ClearPage, Control, ControlPage, Failed, Moment, Status, Stored},
    parts::{BrandPlate, Confirm, Icon, SettingsFrame, StatusWord, Time, form::ProblemSummary},
    paths, words,
};

/// What clearing means, before it happens.
#[component]
pub fn ClearView(
    /// What would be cleared.
    page: ClearPage,
) -> impl IntoView {
    let ClearPage {
        id,
        provider,
        account,
    } = page;
    let name = provider.name.clone();
    let back = paths::connection(&id);
    view! {
        <Confirm title=format!("Clear {name}") question=format!("Clear what is stored of {name}?") id=id.clone() provider account>
            <ul class="checks">
                <li data-tone="bad">
                    <Icon name="circle-stop"/>
                    "Automations that use it wait until somebody signs in again."
                </li>
                <li data-tone="neutral">
                    <Icon name="key-round"/>
                    {format!("The stored access is destroyed here. Nothing is ended at {name}; to do that, disconnect.")}
                </li>
                <li data-tone="good">
                    <Icon name="history"/>
                    "Its name, its settings and its history stay."
                </li>
            </ul>
            <p class="muted clear-hint">"Often Repair is enough, and needs nobody."</p>
            <div class="actions">
                <form method="post" action=paths::REPAIR>
                    <input type="hidden" name="id" value=id.clone()/>
                    <button class="btn" data-kind="primary">"Repair instead"</button>
                </form>
                <form method="post" action=paths::CLEAR>
                    <input type="hidden" name="id" value=id/>
                    <button class="btn" data-kind="danger">"Clear"</button>
                </form>
                <a class="btn" data-kind="quiet" href=back>"Keep it"</a>
            </div>
        </Confirm>
    }
}

/// The list.
#[component]
pub fn ControlView(
    /// What there is.
    page: ControlPage,
) -> impl IntoView {
    let ControlPage {
        now,
        rows,
        next,
        may_manage,
    } = page;
    let none = rows.is_empty();
    let rows = rows
        .into_iter()
        .map(|control| view! { <Row now control may_manage/> })
        .collect_view();
    view! {
        <SettingsFrame title="Connection health" here=paths::CONTROL live=true>
            <ProblemSummary/>
            <div class="title">
                <h1>"Connection health"</h1>
                <p>
                    "How each connection is kept alive, what is stored of it, and what you can do. \
                     Repair first: it needs nobody, and nothing is lost by trying."
                </p>
            </div>
            <div class="stack" id="kept" data-live>
                {match none {
                    true => view! {
                        <div class="empty">
                            <p class="empty-title">"Nothing connected yet"</p>
                            <p><a href=paths::HUB>"Connect an app"</a>", and it is listed here."</p>
                        </div>
                    }
                    .into_any(),
                    false => rows.into_any(),
                }}
                {next.map(|after| view! {
                    <p><a class="btn" data-kind="plain" href=paths::control_after(&after)>"Show more"</a></p>
                })}
            </div>
        </SettingsFrame>
    }
}

#[component]
fn Row(now: i64, control: Control, may_manage: bool) -> impl IntoView {
    let connection = control.connection.clone();
    let (id, name) = (connection.id.clone(), connection.provider.name.clone());
    let heading = format!("kept-{id}");
    let labelled = heading.clone();
    let living = connection.status != Status::Disconnected;
    let actions = (may_manage && living).then(|| {
        view! { <Actions id=id.clone() provider=connection.provider.id.clone() name=format!("{name} {}", connection.account)/> }
    });
    view! {
        <section class="card" aria-labelledby=labelled>
            <div class="kept-head">
                <BrandPlate provider=connection.provider/>
                <h2 id=heading>
                    <a href=paths::connection(&id)>{name} " " <span class="account">{connection.account}</span></a>
                </h2>
                <StatusWord status=connection.status/>
            </div>
            <dl class="facts">
                <KeptFacts now control=control.clone()/>
                <div><dt>"Next check"</dt><dd>{at(now, control.next_check, "None planned")}</dd></div>
                <div><dt>"Next renewal"</dt><dd>{at(now, control.next_refresh, "None planned")}</dd></div>
            </dl>
            {actions}
        </section>
    }
}

/// What is known of how one is kept, as lines of a list of facts.
#[component]
pub fn KeptFacts(
    /// When this was read, in seconds since the epoch.
    now: i64,
    /// How it is kept.
    control: Control,
    /// Whether the page says in another place what is wrong.
    #[prop(optional)]
    is_said: bool,
) -> impl IntoView {
    let Control {
        alone,
        person,
        failed,
        mends,
        stored,
        ..
    } = control;
    // A sentence takes more room than a time.
    let is_told = failed.is_some() && !is_said;
    let failed = match failed {
        Some(failed) if is_said => at(now, Some(failed.at), ""),
        Some(Failed {
            what,
            why,
            at: since,
        }) => view! { {what} " " {why} " " {at(now, Some(since), "")} }.into_any(),
        None => "Never".into_any(),
    };
    let stored = match stored.is_empty() {
        true => "Nothing".into_any(),
        false => stored
            .into_iter()
            .map(|stored| view! { <span class="kept-part">{part(now, stored)}</span> })
            .collect_view()
            .into_any(),
    };
    view! {
        <div><dt>"Last used without you"</dt><dd>{at(now, alone, "Not yet")}</dd></div>
        <div><dt>"Last sign-in by a person"</dt><dd>{at(now, person, "Not here")}</dd></div>
        <div><dt>"Goes on by itself"</dt><dd>{mends}</dd></div>
        <div class=is_told.then_some("wide")><dt>"Last failure"</dt><dd>{failed}</dd></div>
        <div class="wide"><dt>"Stored, encrypted"</dt><dd>{stored}</dd></div>
    }
}

fn part(now: i64, stored: Stored) -> impl IntoView {
    let Stored { part, bytes, ends } = stored;
    let ends = ends.map(|moment| {
        let said = match moment.unix <= now {
            true => words::ago(now, moment.unix),
            false => words::until(now, moment.unix),
        };
        let verb = match moment.unix <= now {
            true => ", ended ",
            false => ", ends ",
        };
        view! { {verb} <Time moment said/> }
    });
    view! { {part} ", " {words::size(bytes)} {ends} }
}

fn at(now: i64, moment: Option<Moment>, otherwise: &'static str) -> AnyView {
    match moment {
        Some(moment) => {
            let said = match moment.unix <= now {
                true => words::ago(now, moment.unix),
                false => words::until(now, moment.unix),
            };
            view! { <Time moment said/> }.into_any()
        }
        None => otherwise.into_any(),
    }
}

/// What can be done about one, the gentlest first.
#[component]
fn Actions(id: String, provider: String, name: String) -> impl IntoView {
    let hidden = format!(" {name}");
    let small = |action: &'static str, label: &'static str| {
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
    view! {
        <div class="actions">
            {small(paths::CHECK, "Verify")}
            {small(paths::REPAIR, "Repair")}
            <a class="btn" data-kind="plain" href=paths::reconnect(&provider, &id)>
                "Sign in again"
                <span class="visually-hidden">{hidden.clone()}</span>
            </a>
            <a class="btn" data-kind="quiet" href=paths::clear(&id)>
                "Clear"
                <span class="visually-hidden">{hidden.clone()}</span>
            </a>
        </div>
    }
}
