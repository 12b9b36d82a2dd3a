//! The hub's list: three parts, searched as you type, told of every change.
//!
//! Rows stay where they were when the page was loaded. A connection that breaks
//! or heals changes in place, and a new one takes the place of the row whose
//! Connect button was pressed: nothing jumps under the pointer. The next visit
//! sorts them anew.

use std::collections::HashMap;

use leptos::{
    prelude::*,
    task::spawn_local,
    wasm_bindgen::JsCast,
    web_sys::{HtmlElement, SubmitEvent},
};

use super::{
    attempt::{Phase, Tracker},
    browser, feed,
    row::{ConnectionRow, OfferRow},
};
use crate::{
    model::{Connection, Hub, Offer, Section, Start},
    parts::Icon,
    paths, words,
};

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Connection(String),
    Offer(String),
}

const SECTIONS: [Section; 3] = [Section::ActionNeeded, Section::Connected, Section::Available];

/// The parts of the hub and their rows.
#[derive(Clone, Copy)]
struct Rows {
    hub: RwSignal<Hub>,
    /// Where each row was put when it first appeared.
    placed: RwSignal<Vec<(Section, Subject)>>,
    /// The new connection that took the place of a provider's row.
    taken: RwSignal<HashMap<String, String>>,
    query: RwSignal<String>,
    now: RwSignal<i64>,
    /// The attempts to connect each provider.
    trackers: StoredValue<HashMap<String, Tracker>>,
    reading: StoredValue<Reading>,
}

/// Changes that arrive during a read cause one more read, not many.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Idle,
    Busy,
    BusyAndStale,
}

impl Rows {
    fn connection(self, id: &str) -> Option<Connection> {
        self.hub
            .with(|hub| hub.connections.iter().find(|row| row.id == id).cloned())
    }

    fn offer(self, provider: &str) -> Option<Offer> {
        self.hub
            .with(|hub| hub.offers.iter().find(|row| row.provider.id == provider).cloned())
    }

    /// Whether the search finds this row.
    fn finds(self, subject: &Subject) -> bool {
        let query = self.query.get().trim().to_lowercase();
        self.hub.with(|hub| {
            let keywords = match subject {
                Subject::Connection(id) => {
                    let row = hub.connections.iter().find(|row| row.id == *id);
                    row.map(|row| &row.keywords)
                }
                Subject::Offer(id) => {
                    let row = hub.offers.iter().find(|row| row.provider.id == *id);
                    row.map(|row| &row.keywords)
                }
            };
            keywords.is_some_and(|keywords| {
                query.split_whitespace().all(|word| keywords.contains(word))
            })
        })
    }

    fn finds_any(self) -> bool {
        self.placed
            .with(|placed| placed.iter().any(|(_, subject)| self.finds(subject)))
    }

    /// How many rows of a part the search finds, by what they are now rather
    /// than by where they are.
    fn count(self, section: Section) -> usize {
        self.hub.with(|hub| match section {
            Section::Available => hub
                .offers
                .iter()
                .filter(|row| self.finds(&Subject::Offer(row.provider.id.clone())))
                .count(),
            _ => hub
                .connections
                .iter()
                .filter(|row| row.status.section() == section)
                .filter(|row| self.finds(&Subject::Connection(row.id.clone())))
                .count(),
        })
    }

    fn reread(self) {
        match self.reading.get_value() {
            Reading::Idle => self.reading.set_value(Reading::Busy),
            Reading::Busy | Reading::BusyAndStale => {
                self.reading.set_value(Reading::BusyAndStale);
                return;
            }
        }
        spawn_local(async move {
            loop {
                if let Some(hub) = browser::read::<Hub>(paths::HUB_VIEW).await {
                    self.show(hub);
                }
                if self.reading.get_value() == Reading::Busy {
                    self.reading.set_value(Reading::Idle);
                    return;
                }
                self.reading.set_value(Reading::Busy);
            }
        });
    }

    fn show(self, hub: Hub) {
        let held = browser::focused();
        let row = held.as_ref().and_then(row_of);
        self.announce_changes(&hub);
        let (placed, taken) = self.place(&hub);
        batch(|| {
            self.now.set(hub.now);
            self.hub.set(hub);
            self.taken.set(taken);
            self.placed.update(|before| {
                if *before != placed {
                    *before = placed;
                }
            });
        });
        // A control that is gone gives the focus to its row, not to the page.
        request_animation_frame(move || {
            if let (Some(row), None) = (row, browser::focused()) {
                browser::focus_row(&row);
            }
        });
    }

    /// Keeps every row in its place and finds one for the new ones.
    fn place(self, hub: &Hub) -> (Vec<(Section, Subject)>, HashMap<String, String>) {
        let mut placed = self.placed.get_untracked();
        let mut taken = self.taken.get_untracked();
        let linked = |id: &String| hub.connections.iter().any(|row| row.id == *id);
        let offered = |id: &String| hub.offers.iter().any(|row| row.provider.id == *id);
        taken.retain(|_, id| linked(id));
        placed.retain(|(_, subject)| match subject {
            Subject::Connection(id) => linked(id),
            Subject::Offer(id) => offered(id),
        });
        for row in &hub.connections {
            let subject = Subject::Connection(row.id.clone());
            let known = taken.values().any(|id| *id == row.id)
                || placed.iter().any(|(_, other)| *other == subject);
            if known {
                continue;
            }
            let pressed = self.trackers.with_value(|trackers| {
                trackers.get(&row.provider.id).is_some_and(|tracker| {
                    tracker
                        .phase
                        .with_untracked(|phase| phase.is_open() || matches!(phase, Phase::Connected(_)))
                })
            });
            if pressed && !taken.contains_key(&row.provider.id) {
                taken.insert(row.provider.id.clone(), row.id.clone());
            } else {
                placed.push((row.status.section(), subject));
            }
        }
        for row in &hub.offers {
            let subject = Subject::Offer(row.provider.id.clone());
            if !placed.iter().any(|(_, other)| *other == subject) {
                placed.push((Section::Available, subject));
            }
        }
        (placed, taken)
    }

    fn announce_changes(self, hub: &Hub) {
        let changes: Vec<String> = self.hub.with_untracked(|before| {
            let changed = |row: &&Connection| {
                let old = before.connections.iter().find(|old| old.id == row.id);
                old.is_none_or(|old| old.status.section() != row.status.section())
            };
            let said = |row: &Connection| {
                let (name, account) = (&row.provider.name, &row.account);
                match row.status.section() {
                    Section::Connected => words::attempt::connected(name, account),
                    _ => format!("{name} {account}: {}", words::status(row.status)),
                }
            };
            hub.connections.iter().filter(changed).map(said).collect()
        });
        if !changes.is_empty() {
            browser::announce(&changes.join(". "));
        }
    }
}

/// The id of the row an element is in.
fn row_of(element: &HtmlElement) -> Option<String> {
    Some(element.closest(".row").ok()??.id())
}

/// The hub's rows with their search.
#[island]
pub fn HubList(
    /// What the server knew when it drew the page.
    hub: Hub,
    /// What was searched for.
    query: String,
) -> impl IntoView {
    let may_manage = hub.may_manage;
    let first_visit = hub.connections.is_empty();
    let served_at = hub.now;
    let searchable = hub.connections.len() + hub.offers.len() > 1;
    let placed = {
        let linked = hub.connections.iter().map(|row| {
            (row.status.section(), Subject::Connection(row.id.clone()))
        });
        let offered = hub.offers.iter().map(|row| {
            (Section::Available, Subject::Offer(row.provider.id.clone()))
        });
        linked.chain(offered).collect()
    };
    let offers: Vec<(String, Option<String>)> = hub
        .offers
        .iter()
        .map(|offer| (offer.provider.id.clone(), offer.attempt.clone()))
        .collect();
    let rows = Rows {
        now: RwSignal::new(hub.now),
        hub: RwSignal::new(hub),
        placed: RwSignal::new(placed),
        taken: RwSignal::default(),
        query: RwSignal::new(query),
        trackers: StoredValue::default(),
        reading: StoredValue::new(Reading::Idle),
    };
    let ended = Callback::new(move |_| rows.reread());
    for (provider, attempt) in offers {
        let tracker = Tracker::new(attempt, Some(ended));
        rows.trackers.update_value(|trackers| {
            trackers.insert(provider, tracker);
        });
    }
    Effect::new(move || {
        feed::listen(move |_| rows.reread());
        // "Checked 4 min ago" grows older while the page is open.
        let loaded_at = browser::seconds();
        let tick = move || rows.now.set(served_at.max(rows.hub.with_untracked(|hub| hub.now))
            .max(served_at + browser::seconds() - loaded_at));
        let ticking = set_interval_with_handle(tick, std::time::Duration::from_secs(30));
        on_cleanup(move || {
            if let Ok(ticking) = ticking {
                ticking.clear();
            }
        });
        if let Some(row) = location_row() {
            browser::focus_row(&row);
        }
    });

    let nothing = move || {
        (!rows.finds_any()).then(|| {
            let asked = rows.query.get();
            view! {
                <div class="empty">
                    <p class="empty-title">{format!("No app called \u{2018}{}\u{2019}.", asked.trim())}</p>
                    <p>"Try another word, or a category such as commerce or accounting."</p>
                    <a class="btn" data-kind="plain" href=paths::HUB>"Show all"</a>
                </div>
            }
        })
    };
    view! {
        {first_visit.then(|| view! { <FirstVisit rows may_manage/> })}
        {searchable.then(|| view! { <Search rows/> })}
        {SECTIONS
            .map(|section| view! { <SectionRows rows section may_manage/> })
            .collect_view()}
        <div role="status">{nothing}</div>
    }
}

/// The row the address points at, after a flow in this same tab.
fn location_row() -> Option<String> {
    let hash = window().location().hash().ok()?;
    hash.strip_prefix('#')
        .filter(|row| row.starts_with("c-"))
        .map(str::to_owned)
}

#[component]
fn Search(rows: Rows) -> impl IntoView {
    view! {
        <form
            role="search"
            method="get"
            action=paths::HUB
            class="search"
            on:submit=|event: SubmitEvent| event.prevent_default()
        >
            <label class="visually-hidden" for="search">"Search apps and accounts"</label>
            <Icon name="search"/>
            <input
                id="search"
                type="search"
                name="q"
                autocomplete="off"
                placeholder="Search apps and accounts"
                value=rows.query.get_untracked()
                on:input=move |event| {
                    let field = event.target().map(|field| field.unchecked_into::<web_sys::HtmlInputElement>());
                    rows.query.set(field.map(|field| field.value()).unwrap_or_default());
                }
            />
        </form>
    }
}

/// What a newcomer sees above the list.
#[component]
fn FirstVisit(rows: Rows, may_manage: bool) -> impl IntoView {
    let suggested: Vec<Offer> = rows.hub.with_untracked(|hub| {
        let ready = |offer: &&Offer| {
            offer.suggested && matches!(offer.start, Start::Now | Start::AfterDetails)
        };
        hub.offers.iter().filter(ready).take(2).cloned().collect()
    });
    let names: Vec<String> = suggested.iter().map(|offer| offer.provider.name.clone()).collect();
    let line = match names.is_empty() {
        true => "Choose an app below to begin.".to_owned(),
        false => format!("Most shops start with {}.", words::list(&names)),
    };
    view! {
        <div class="welcome" hidden=move || rows.hub.with(|hub| !hub.connections.is_empty())>
            <p class="welcome-title">"Nothing connected yet"</p>
            <p>{line}</p>
            {may_manage.then(|| view! {
                <div class="welcome-actions">
                    {suggested
                        .into_iter()
                        .map(|offer| view! {
                            <a class="btn" data-kind="primary" href=paths::connect(&offer.provider.id)>
                                {format!("Connect {}", offer.provider.name)}
                            </a>
                        })
                        .collect_view()}
                    <a class="btn" data-kind="plain" href="#available">"Browse all"</a>
                </div>
            })}
        </div>
    }
}

#[component]
fn SectionRows(rows: Rows, section: Section, may_manage: bool) -> impl IntoView {
    let subjects = move || {
        rows.placed.with(|placed| {
            let here = placed.iter().filter(|(other, _)| *other == section);
            here.map(|(_, subject)| subject.clone()).collect::<Vec<_>>()
        })
    };
    let empty = move || !subjects().iter().any(|subject| rows.finds(subject));
    let anchor = match section {
        Section::ActionNeeded => "action-needed",
        Section::Connected => "connected",
        Section::Available => "available",
        Section::Disconnected => "disconnected",
    };
    view! {
        <section class="rows-section" aria-labelledby=anchor hidden=empty>
            <h2 id=anchor>
                {words::section(section)}
                " "
                <span class="count">{move || rows.count(section)}</span>
            </h2>
            <ul class="rows" data-section=anchor>
                <For each=subjects key=Clone::clone let(subject)>
                    <Row rows section subject may_manage/>
                </For>
            </ul>
        </section>
    }
}

#[component]
fn Row(rows: Rows, section: Section, subject: Subject, may_manage: bool) -> impl IntoView {
    let id = match &subject {
        Subject::Connection(id) => format!("c-{id}"),
        Subject::Offer(provider) => format!("p-{provider}"),
    };
    let reread = Callback::new(move |()| rows.reread());
    let linked = move |id: String| {
        let first = rows.hub.with_untracked(|hub| {
            hub.connections.iter().find(|row| row.id == id).cloned()
        })?;
        // A row that is gone is drawn once more before it is removed.
        let connection = Memo::new(move |last: Option<&Connection>| {
            rows.connection(&id).or(last.cloned()).unwrap_or_else(|| first.clone())
        });
        Some(view! {
            <ConnectionRow connection section now=rows.now may_manage reread/>
        })
    };
    let searched = subject.clone();
    let content = match subject {
        Subject::Connection(id) => linked(id).into_any(),
        Subject::Offer(provider) => {
            let first = rows.hub.with_untracked(|hub| {
                hub.offers.iter().find(|row| row.provider.id == provider).cloned()
            });
            let taken = {
                let provider = provider.clone();
                Memo::new(move |_| rows.taken.with(|taken| taken.get(&provider).cloned()))
            };
            let tracker = rows.trackers.with_value(|trackers| trackers.get(&provider).copied());
            first
                .map(|first| {
                    let tracker = tracker.unwrap_or_else(|| Tracker::new(None, Some(Callback::new(move |_| rows.reread()))));
                    let offer = Memo::new(move |last: Option<&Offer>| {
                        rows.offer(&provider).or(last.cloned()).unwrap_or_else(|| first.clone())
                    });
                    move || match taken.get() {
                        Some(id) => linked(id).into_any(),
                        None => view! { <OfferRow offer tracker may_manage/> }.into_any(),
                    }
                })
                .into_any()
        }
    };
    view! {
        <li class="row" id=id hidden=move || !rows.finds(&searched)>
            {content}
        </li>
    }
}
