//! One linked account.

use leptos::prelude::*;

use crate::{
    islands::ConnectionHead,
    model::{
        Connection, ConnectionPage, Help, HistoryEntry, Moment, Permission, Reading, RunFilter,
        Status, Tone,
    },
    parts::{
        Current, Frame, HelpLines, Icon, SupportDetails, Time,
        form::{Field, ProblemSummary},
    },
    paths,
    site::Visit,
    words,
};

use super::control::KeptFacts;

/// The element that holds what is drawn again when something changed.
const REST: &str = "rest";

/// The page of one connection.
#[component]
pub fn ConnectionView(
    /// What is known of it.
    page: ConnectionPage,
) -> impl IntoView {
    let may_manage = page.may_manage;
    let connection = page.control.connection.clone();
    let title = format!("{} {}", connection.provider.name, connection.account);
    let manage = may_manage.then(|| view! { <Manage connection=connection.clone()/> });
    view! {
        <Frame title current=Current::Connections>
            <a class="back" href=paths::HUB>
                <Icon name="arrow-left"/>
                "Connections"
            </a>
            <ProblemSummary/>
            <div class="stack">
                <ConnectionHead connection may_manage rest=REST.to_owned()/>
                <div class="stack" id=REST>
                    <Rest page/>
                </div>
                {manage}
            </div>
        </Frame>
    }
}

#[component]
fn Rest(page: ConnectionPage) -> impl IntoView {
    let ConnectionPage {
        now,
        details,
        permissions,
        history,
        left_there,
        reading,
        may_manage,
        help,
        ..
    } = page.clone();
    let help_of = page.control.connection.id.clone();
    let ended = page.control.connection.status == Status::Disconnected;
    let rests = page.control.connection.status == Status::Paused;
    let (id, permissions_of) = (page.control.connection.id.clone(), permissions);
    let reading = (!ended).then(|| view! { <ReadingCard id now reading rests may_manage/> });
    view! {
        {help.filter(Help::offers).map(|help| view! { <HelpCard id=help_of help now/> })}
        {left_there.map(|address| view! { <LeftThere name=page.control.connection.provider.name.clone() address/> })}
        {details.map(|details| view! { <SupportDetails details/> })}
        <section class="card" aria-labelledby="facts">
            <h2 id="facts">"How it is kept"</h2>
            <Facts page=page.clone()/>
        </section>
        {page.preview.map(|named| view! { <Data id=page.control.connection.id.clone() named/> })}
        <section class="card" aria-labelledby="permissions">
            <h2 id="permissions">"What it may do"</h2>
            <Permissions permissions=permissions_of/>
        </section>
        {reading}
        <RunsCard id=page.control.connection.id.clone() paused=page.runs.paused/>
        <section class="card" aria-labelledby="history">
            <h2 id="history">"History"</h2>
            <History now history/>
        </section>
    }
}

/// The way to what automations do with it.
#[component]
fn RunsCard(id: String, paused: i64) -> impl IntoView {
    let said = match paused {
        0 => "No run waits for this account.".to_owned(),
        paused => words::paused_runs(paused),
    };
    let all = paths::runs(&RunFilter {
        connection: id,
        ..RunFilter::default()
    });
    view! {
        <section class="card" aria-labelledby="runs">
            <h2 id="runs">"Runs"</h2>
            <div class="manage-row">
                <p>{said}</p>
                <a class="btn" data-kind="plain" href=all>"See its runs"</a>
            </div>
        </section>
    }
}

/// What can be done by who has no button for it.
#[component]
fn HelpCard(id: String, help: Help, now: i64) -> impl IntoView {
    let title = match help.waits {
        true => "Until it works",
        false => "Who can repair it",
    };
    view! {
        <section class="card" aria-labelledby="help">
            <h2 id="help">{title}</h2>
            <div class="stack"><HelpLines id help now/></div>
        </section>
    }
}

/// What is left to do where nobody but the person can do it.
#[component]
fn LeftThere(name: String, address: String) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="left-there">
            <h2 id="left-there">{format!("One thing left at {name}")}</h2>
            <p class="muted">
                "Our copy is destroyed. To end the access there too, remove Linkwell, or delete the key, in your settings."
            </p>
            <p>
                <a class="btn" data-kind="plain" href=address target="_blank" rel="noreferrer">
                    {format!("Open {name}")}
                    <Icon name="external-link"/>
                </a>
            </p>
        </section>
    }
}

#[component]
fn Facts(page: ConnectionPage) -> impl IntoView {
    let now = page.now;
    let past = |moment: Moment| {
        let said = words::ago(now, moment.unix);
        view! { <Time moment said/> }.into_any()
    };
    let future = |moment: Moment| {
        let said = words::until(now, moment.unix);
        view! { <Time moment said/> }.into_any()
    };
    let proof = match page.last_proof {
        Some(moment) => past(moment),
        None => "Not yet".into_any(),
    };
    // What is broken or ended is not renewed, and its access may be gone already.
    let kept = match page.control.connection.status {
        Status::ActionNeeded | Status::WaitingForAdmin => Some("Once it works again"),
        Status::Disconnected => Some("Disconnected"),
        _ => None,
    };
    let refresh = match (kept, page.control.next_refresh.clone()) {
        (Some(not), _) => not.into_any(),
        (None, Some(moment)) => future(moment),
        (None, None) => "Not needed".into_any(),
    };
    // Where nothing renews it, its end is said once.
    let end = page.ends.as_ref().map(|(_, at)| at);
    let is_renewed = end.is_none() || end != page.token_expires.as_ref();
    let expiry = (kept.is_none() && is_renewed).then(|| {
        let at = match page.token_expires {
            Some(moment) if moment.unix <= now => past(moment),
            Some(moment) => future(moment),
            None => "Does not expire".into_any(),
        };
        view! { <div><dt>"Access ends unless renewed"</dt><dd>{at}</dd></div> }
    });
    let check = match (
        page.control.connection.status,
        page.control.next_check.clone(),
    ) {
        (Status::Disconnected, _) => None,
        (Status::Paused, _) => Some("Once it is resumed".into_any()),
        (_, Some(moment)) => Some(future(moment)),
        (_, None) => Some("Once it works again".into_any()),
    };
    let check = check.map(|at| view! { <div><dt>"Next check"</dt><dd>{at}</dd></div> });
    let ends = page.ends.filter(|_| kept.is_none()).map(|(named, moment)| {
        view! { <div><dt>{named}</dt><dd>{future(moment)}</dd></div> }
    });
    let by = page.connected_by.map(|name| format!(" by {name}"));
    let is_said = page.control.connection.prompt.is_some();
    view! {
        <dl class="facts">
            <div><dt>"Last worked"</dt><dd>{proof}</dd></div>
            {check}
            <div><dt>"Next renewal"</dt><dd>{refresh}</dd></div>
            {expiry}
            {ends}
            <div><dt>"Connected"</dt><dd>{past(page.connected_at)} {by}</dd></div>
            <KeptFacts now control=page.control is_said/>
            {page.environment.map(|name| view! {
                <div><dt>"Key"</dt><dd>{words::environment(&name)}</dd></div>
            })}
        </dl>
    }
}

/// How often it is read, how that went, and when it is next.
#[component]
fn ReadingCard(
    id: String,
    now: i64,
    reading: Reading,
    rests: bool,
    may_manage: bool,
) -> impl IntoView {
    let Reading {
        frequency,
        last,
        next,
        paused,
    } = reading;
    let last = match last {
        Some((said, at)) => {
            let when = words::ago(now, at.unix);
            view! { {said} ", " <Time moment=at said=when/> }.into_any()
        }
        None => "Not read yet".into_any(),
    };
    let next = match (paused, next) {
        (true, _) if rests => "Once it is resumed".into_any(),
        (true, _) => "Once it works again".into_any(),
        (false, Some(at)) if at.unix <= now => "In a moment".into_any(),
        (false, Some(at)) => {
            let said = words::until(now, at.unix);
            view! { <Time moment=at said/> }.into_any()
        }
        (false, None) => "When somebody asks".into_any(),
    };
    let word = words::FREQUENCIES
        .iter()
        .find(|(value, _)| *value == frequency)
        .map_or("", |(_, word)| word);
    let choices = words::FREQUENCIES
        .map(|(value, word)| {
            view! { <option value=value selected=value == frequency>{word}</option> }
        })
        .collect_view();
    let own = id.clone();
    let forms = may_manage.then(|| {
        view! {
            <form class="inline-form" method="post" action=paths::SET_FREQUENCY>
                <input type="hidden" name="id" value=id/>
                <div class="field">
                    <label for="frequency">"Read it"</label>
                    <div class="input">
                        <select id="frequency" name="frequency">{choices}</select>
                    </div>
                </div>
                <button class="btn" data-kind="plain">"Save"</button>
            </form>
            <form class="actions" method="post" action=paths::SYNC>
                <input type="hidden" name="id" value=own/>
                <button class="btn" data-kind="plain">"Read now"</button>
            </form>
        }
    });
    view! {
        <section class="card" aria-labelledby="reading">
            <h2 id="reading">"How it is read"</h2>
            <div class="stack">
                <p class="muted">
                    "Linkwell makes the same small request each time and tells your software whether it worked. What it sees is not kept."
                </p>
                <dl class="facts">
                    <div><dt>"How often"</dt><dd>{word}</dd></div>
                    <div><dt>"Last time"</dt><dd>{last}</dd></div>
                    <div><dt>"Next time"</dt><dd>{next}</dd></div>
                </dl>
                {forms}
            </div>
        </section>
    }
}

/// The way to the data behind it.
#[component]
fn Data(id: String, named: usize) -> impl IntoView {
    let names = match named {
        0 => "See the first rows, what they hold and what is odd about them.".to_owned(),
        1 => "One column has a name for automations.".to_owned(),
        named => format!("{named} columns have names for automations."),
    };
    view! {
        <section class="card" aria-labelledby="data">
            <h2 id="data">"Data"</h2>
            <div class="manage-row">
                <p>{names}</p>
                <a class="btn" data-kind="plain" href=paths::preview(&id)>"Look at the data"</a>
            </div>
        </section>
    }
}

#[component]
fn Permissions(permissions: Vec<Permission>) -> impl IntoView {
    let scopes = permissions
        .iter()
        .map(|permission| view! { <li><code>{permission.scope.clone()}</code></li> })
        .collect_view();
    let (granted, missing): (Vec<_>, Vec<_>) = permissions
        .into_iter()
        .partition(|permission| permission.granted);
    let granted = granted
        .into_iter()
        .map(|permission| {
            view! {
                <li data-tone="good"><Icon name="check"/>{permission.meaning}</li>
            }
        })
        .collect_view();
    let missing = missing
        .into_iter()
        .map(|permission| {
            view! {
                <li data-tone="bad">
                    <Icon name="x"/>
                    <span>"Missing: " {permission.meaning}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <ul class="checks">{granted} {missing}</ul>
        <details class="disclosure">
            <summary>
                <Icon name="chevron-right"/>
                "Show technical permissions"
            </summary>
            <ul class="scopes">{scopes}</ul>
        </details>
    }
}

#[component]
fn History(now: i64, history: Vec<HistoryEntry>) -> impl IntoView {
    let lines = history
        .into_iter()
        .map(|entry| {
            let tone = match entry.tone {
                Tone::Good => "good",
                Tone::Neutral => "neutral",
                Tone::Bad => "bad",
            };
            let said = words::ago(now, entry.at.unix);
            view! {
                <li data-tone=tone>
                    <div>
                        <span>{entry.what}</span>
                        {entry.why.map(|why| view! {
                            <p class="fact">
                                {why}
                                {entry.code.map(|code| view! { " " <code>{code}</code> })}
                            </p>
                        })}
                    </div>
                    <Time moment=entry.at said/>
                </li>
            }
        })
        .collect_view();
    view! { <ol class="history">{lines}</ol> }
}

#[component]
fn Manage(connection: Connection) -> impl IntoView {
    let Connection {
        id,
        provider,
        account,
        status,
        ..
    } = connection;
    let reconnect = paths::reconnect(&provider.id, &id);
    let living = status != Status::Disconnected;
    let mend = living.then(|| {
        view! {
            <div class="manage-row">
                <div>
                    <h3>"Verify"</h3>
                    <p>"Asks the provider now whether it works."</p>
                </div>
                <form method="post" action=paths::CHECK>
                    <input type="hidden" name="id" value=id.clone()/>
                    <button class="btn" data-kind="plain">"Verify"</button>
                </form>
            </div>
            <div class="manage-row">
                <div>
                    <h3>"Repair"</h3>
                    <p>"Tries what needs nobody: reads what is stored again, renews it, takes the one before."</p>
                </div>
                <form method="post" action=paths::REPAIR>
                    <input type="hidden" name="id" value=id.clone()/>
                    <button class="btn" data-kind="plain">"Repair"</button>
                </form>
            </div>
        }
    });
    let rest = match status {
        Status::Disconnected => None,
        Status::Paused => Some((
            "Resume",
            "It is checked, read and lent again.",
            paths::RESUME,
        )),
        _ => Some((
            "Pause",
            "Nothing uses it until you resume it. The approval is kept alive.",
            paths::PAUSE,
        )),
    };
    let paused_id = id.clone();
    let rest = rest.map(|(word, meaning, action)| {
        view! {
            <div class="manage-row" id="rest-or-work">
                <div>
                    <h3>{word}</h3>
                    <p>{meaning}</p>
                </div>
                <form method="post" action=action>
                    <input type="hidden" name="id" value=paused_id/>
                    <button class="btn" data-kind="plain">{word}</button>
                </form>
            </div>
        }
    });
    let clear = living.then(|| {
        view! {
            <div class="manage-row">
                <div>
                    <h3>"Clear"</h3>
                    <p>"Destroys what is stored here. The rest stays, and somebody signs in again."</p>
                </div>
                <a class="btn" data-kind="danger" href=paths::clear(&id)>"Clear"</a>
            </div>
        }
    });
    let may_delete = Visit::current().person.is_some_and(|person| person.admin);
    let end = match status {
        Status::Disconnected => view! {
            <div class="manage-row">
                <div>
                    <h3>"Delete"</h3>
                    <p>"Its name, its history and everything read of it. An admin can do this."</p>
                </div>
                {may_delete.then(|| view! {
                    <a class="btn" data-kind="danger" href=paths::delete(&id)>"Delete connection and data"</a>
                })}
            </div>
        }
        .into_any(),
        _ => view! {
            <div class="manage-row">
                <div>
                    <h3>"Disconnect"</h3>
                    <p>"Ends the access. You see what stops before anything happens."</p>
                </div>
                <a class="btn" data-kind="danger" href=paths::disconnect(&id)>"Disconnect"</a>
            </div>
            {may_delete.then(|| view! {
                <div class="manage-row">
                    <div>
                        <h3>"Delete"</h3>
                        <p>"Ends the access, and deletes its name, its history and everything read of it."</p>
                    </div>
                    <a class="btn" data-kind="danger" href=paths::delete(&id)>"Delete connection and data"</a>
                </div>
            })}
        }
        .into_any(),
    };
    view! {
        <section class="card" aria-labelledby="manage">
            <h2 id="manage">"Manage"</h2>
            <form id="rename" class="inline-form" method="post" action="/api/rename_connection">
                <input type="hidden" name="id" value=id/>
                <Field
                    name="name"
                    label="Name"
                    help="Shown in the list. Useful when you have several accounts of one app."
                    value=account
                />
                <button class="btn" data-kind="plain">"Rename"</button>
            </form>
            {mend}
            <div class="manage-row">
                <div>
                    <h3>"Sign in again"</h3>
                    <p>"Approve again at the provider, or enter new credentials. Name, history and settings stay."</p>
                </div>
                <a class="btn" data-kind="plain" href=reconnect>"Sign in again"</a>
            </div>
            {rest}
            {clear}
            {end}
        </section>
    }
}
