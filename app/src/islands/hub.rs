//! The hub's list: its parts, searched as you type, told of every change.
//!
//! Rows stay where they were when the page was loaded. A connection that breaks
//! or heals changes in place, and a new one takes the place of the row whose
//! Connect button was pressed: nothing jumps under the pointer. The next visit
//! sorts them anew.

use std::time::Duration;

use leptos::{
    either::Either,
    prelude::*,
    task::spawn_local,
    wasm_bindgen::JsCast,
    web_sys::{HtmlElement, SubmitEvent},
};

use super::{
    attempt::{Phase, Tracker},
    browser,
    control::Controls,
    feed,
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
    /// A connection, by its id.
    Connection(String),
    /// A provider that can be connected, by its id.
    Offer(String),
}

const SECTIONS: [Section; 4] = [
    Section::ActionNeeded,
    Section::Connected,
    Section::Available,
    Section::Disconnected,
];

/// Rows in the order they appeared, each in the part it was put into then.
type Placed = Vec<(Section, Subject)>;
/// Providers, each with the connection that took its row.
type Taken = Vec<(String, String)>;

/// The parts of the hub and their rows.
#[derive(Clone, Copy)]
struct Rows {
    hub: RwSignal<Hub>,
    /// Where each row was put when it first appeared.
    placed: RwSignal<Placed>,
    /// Which rows of providers became rows of connections.
    taken: RwSignal<Taken>,
    query: RwSignal<String>,
    now: RwSignal<i64>,
    /// The attempts to connect each provider.
    trackers: StoredValue<Vec<(String, Tracker)>>,
    reading: StoredValue<Reading>,
}

/// Changes that arrive during a read cause one more read, not many.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Idle,
    Busy,
    BusyAndStale,
}

fn find<'a>(hub: &'a Hub, id: &str) -> Option<&'a Connection> {
    hub.connections.iter().find(|row| row.id == id)
}

fn find_offer<'a>(hub: &'a Hub, provider: &str) -> Option<&'a Offer> {
    hub.offers.iter().find(|row| row.provider.id == provider)
}

/// The provider's name and the attempt that is still open, of any row.
fn name_and_attempt(hub: &Hub, subject: &Subject) -> (String, Option<String>) {
    let found = match subject {
        Subject::Connection(id) => find(hub, id).map(|row| (&row.provider, &row.attempt)),
        Subject::Offer(id) => find_offer(hub, id).map(|row| (&row.provider, &row.attempt)),
    };
    found
        .map(|(provider, attempt)| (provider.name.clone(), attempt.clone()))
        .unwrap_or_default()
}

impl Rows {
    /// Whether the search finds this row.
    fn finds(self, subject: &Subject) -> bool {
        let query = self.query.get().trim().to_lowercase();
        self.hub.with(|hub| {
            let keywords = match subject {
                Subject::Connection(id) => find(hub, id).map(|row| &row.keywords),
                Subject::Offer(id) => find_offer(hub, id).map(|row| &row.keywords),
            };
            keywords.is_some_and(|keywords| {
                query.split_whitespace().all(|word| keywords.contains(word))
            })
        })
    }

    fn subjects(self, section: Section) -> Vec<Subject> {
        self.placed.with(|placed| {
            let here = placed.iter().filter(|(other, _)| *other == section);
            here.map(|(_, subject)| subject.clone()).collect()
        })
    }

    fn finds_any(self, section: Section) -> bool {
        self.subjects(section)
            .iter()
            .any(|subject| self.finds(subject))
    }

    /// How many rows of a part the search finds, by what they are now rather
    /// than by where they are.
    fn count(self, section: Section) -> usize {
        let subjects: Vec<Subject> = self.hub.with(|hub| match section {
            Section::Available => {
                let offers = hub.offers.iter();
                offers
                    .map(|row| Subject::Offer(row.provider.id.clone()))
                    .collect()
            }
            _ => {
                let here = |row: &&Connection| row.status.section() == section;
                let linked = hub.connections.iter().filter(here);
                linked
                    .map(|row| Subject::Connection(row.id.clone()))
                    .collect()
            }
        });
        subjects
            .iter()
            .filter(|subject| self.finds(subject))
            .count()
    }

    fn tracker(self, provider: &str) -> Option<Tracker> {
        self.trackers.with_value(|trackers| {
            let own = trackers.iter().find(|(other, _)| other == provider);
            own.map(|(_, tracker)| *tracker)
        })
    }

    fn reread(self) {
        if self.reading.get_value() != Reading::Idle {
            self.reading.set_value(Reading::BusyAndStale);
            return;
        }
        self.reading.set_value(Reading::Busy);
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
        let row = browser::focused().as_ref().and_then(row_of);
        self.announce_changes(&hub);
        let (placed, taken) = self.place(&hub);
        self.now.set(hub.now);
        self.hub.set(hub);
        self.taken.set(taken);
        if self.placed.with_untracked(|before| *before != placed) {
            self.placed.set(placed);
        }
        // A control that is gone gives the focus to its row, not to the page.
        request_animation_frame(move || {
            if let (Some(row), None) = (row, browser::focused()) {
                browser::focus_row(&row);
            }
        });
    }

    /// Keeps every row in its place and finds one for the new ones.
    fn place(self, hub: &Hub) -> (Placed, Taken) {
        let mut placed = self.placed.get_untracked();
        let mut taken = self.taken.get_untracked();
        taken.retain(|(_, id)| find(hub, id).is_some());
        placed.retain(|(_, subject)| match subject {
            Subject::Connection(id) => find(hub, id).is_some(),
            Subject::Offer(id) => find_offer(hub, id).is_some(),
        });
        for row in &hub.connections {
            let subject = Subject::Connection(row.id.clone());
            let known = taken.iter().any(|(_, id)| *id == row.id)
                || placed.iter().any(|(_, other)| *other == subject);
            if known {
                continue;
            }
            let provider = &row.provider.id;
            let pressed = self.tracker(provider).is_some_and(|tracker| {
                tracker
                    .phase
                    .with_untracked(|phase| phase.is_open() || matches!(phase, Phase::Connected(_)))
            });
            if pressed && !taken.iter().any(|(other, _)| other == provider) {
                taken.push((provider.clone(), row.id.clone()));
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
                find(before, &row.id).is_none_or(|old| old.status.section() != row.status.section())
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

/// The row the address points at, after a flow in this same tab.
fn row_of_address() -> Option<String> {
    let hash = window().location().hash().ok()?;
    let row = hash.strip_prefix('#')?;
    row.starts_with("c-").then(|| row.to_owned())
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
    let served_at = hub.now;
    let linked = hub.connections.iter();
    let linked = linked.map(|row| (row.status.section(), Subject::Connection(row.id.clone())));
    let offered = hub.offers.iter();
    let offered = offered.map(|row| (Section::Available, Subject::Offer(row.provider.id.clone())));
    let placed = linked.chain(offered).collect();
    let offers = hub.offers.clone();
    let rows = Rows {
        now: RwSignal::new(served_at),
        hub: RwSignal::new(hub),
        placed: RwSignal::new(placed),
        taken: RwSignal::default(),
        query: RwSignal::new(query),
        trackers: StoredValue::default(),
        reading: StoredValue::new(Reading::Idle),
    };
    let ended = Callback::new(move |_| rows.reread());
    for Offer {
        provider, attempt, ..
    } in offers
    {
        let tracker = Tracker::new(provider.name, attempt, ended);
        rows.trackers
            .update_value(|trackers| trackers.push((provider.id, tracker)));
    }
    Effect::new(move || {
        feed::listen(move |_| rows.reread());
        // "Checked 4 min ago" grows older while the page is open.
        let loaded_at = browser::seconds();
        let tick = move || rows.now.set(served_at + browser::seconds() - loaded_at);
        let _ = set_interval_with_handle(tick, Duration::from_secs(30));
        if let Some(row) = row_of_address() {
            browser::focus_row(&row);
        }
    });
    let nothing = move || {
        (!SECTIONS.iter().any(|section| rows.finds_any(*section))).then(|| {
            let asked = format!("No app called \u{2018}{}\u{2019}.", rows.query.get().trim());
            view! {
                <div class="empty">
                    <p class="empty-title">{asked}</p>
                    <p>"Try another word, or a category such as commerce or accounting."</p>
                    <a class="btn" data-kind="plain" href=paths::HUB>"Show all"</a>
                </div>
            }
        })
    };
    view! {
        <FirstVisit rows may_manage/>
        <Search rows/>
        {SECTIONS.map(|section| view! { <SectionRows rows section may_manage/> }).collect_view()}
        <div role="status">{nothing}</div>
    }
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
                    let field = event.target().map(JsCast::unchecked_into::<web_sys::HtmlInputElement>);
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
    let names: Vec<String> = suggested
        .iter()
        .map(|offer| offer.provider.name.clone())
        .collect();
    let line = match names.is_empty() {
        true => "Choose an app below to begin.".to_owned(),
        false => format!("Most shops start with {}.", words::list(&names)),
    };
    let newcomer = rows.hub.with_untracked(|hub| hub.connections.is_empty());
    let begun = move || rows.hub.with(|hub| !hub.connections.is_empty());
    let title = move || match begun() {
        true => "Your first connection is made",
        false => "Nothing connected yet",
    };
    let line = move || match begun() {
        true => "Linkwell keeps it alive from here, and tells you when it needs you.".to_owned(),
        false => line.clone(),
    };
    let buttons = suggested
        .into_iter()
        .map(|offer| {
            view! {
                <a class="btn" data-kind="primary" href=paths::connect(&offer.provider.id)>
                    {format!("Connect {}", offer.provider.name)}
                </a>
            }
        })
        .collect_view();
    view! {
        <div class="welcome" hidden=!newcomer>
            <p class="welcome-title">{title}</p>
            <p>{line}</p>
            <div class="welcome-actions" hidden=!may_manage data-done=move || begun().then_some("true")>
                {buttons}
                <a class="btn" data-kind="plain" href="#available">"Browse all"</a>
            </div>
        </div>
    }
}

#[component]
fn SectionRows(rows: Rows, section: Section, may_manage: bool) -> impl IntoView {
    let anchor = match section {
        Section::ActionNeeded => "action-needed",
        Section::Connected => "connected",
        Section::Available => "available",
        Section::Disconnected => "disconnected",
    };
    view! {
        <section
            class="rows-section"
            aria-labelledby=anchor
            hidden=move || !rows.finds_any(section)
        >
            <h2 id=anchor>
                {words::section(section)}
                " "
                <span class="count">{move || rows.count(section)}</span>
            </h2>
            <ul class="rows" data-section=anchor>
                <For each=move || rows.subjects(section) key=Clone::clone let(subject)>
                    <Row rows section subject may_manage/>
                </For>
            </ul>
        </section>
    }
}

#[component]
fn Row(rows: Rows, section: Section, subject: Subject, may_manage: bool) -> impl IntoView {
    let (id, tracker) = match &subject {
        Subject::Connection(id) => (format!("c-{id}"), None),
        Subject::Offer(provider) => (format!("p-{provider}"), rows.tracker(provider)),
    };
    let tracker = tracker.unwrap_or_else(|| {
        let (name, attempt) = rows
            .hub
            .with_untracked(|hub| name_and_attempt(hub, &subject));
        Tracker::new(name, attempt, Callback::new(move |_| rows.reread()))
    });
    let controls = Controls::new(tracker, Callback::new(move |()| rows.reread()));
    let searched = subject.clone();
    // Everything that changes is read here: what a component reads by itself
    // would not draw it again.
    let content = move || {
        let now = rows.now.get();
        let seen = controls.seen();
        let linked = match &subject {
            Subject::Connection(id) => Some(id.clone()),
            Subject::Offer(provider) => rows.taken.with(|taken| {
                let own = taken.iter().find(|(other, _)| other == provider);
                own.map(|(_, id)| id.clone())
            }),
        };
        rows.hub.with(|hub| match (linked, &subject) {
            (Some(id), _) => find(hub, &id).cloned().map(|connection| {
                Either::Left(view! {
                   <ConnectionRow connection section now may_manage seen controls/>
                })
            }),
            (None, Subject::Offer(provider)) => find_offer(hub, provider)
                .cloned()
                .map(|offer| Either::Right(view! { <OfferRow offer may_manage seen controls/> })),
            (None, Subject::Connection(_)) => None,
        })
    };
    view! {
        <li class="row" id=id hidden=move || !rows.finds(&searched)>
            {content}
        </li>
    }
}
