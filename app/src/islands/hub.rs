//! The hub's list: its parts, searched as you type, told of every change.
//!
//! Rows stay where they were when the page was loaded. A connection that breaks
//! or heals changes in place, and a new one takes the place of the card whose
//! Connect button was pressed: nothing jumps under the pointer. The next visit
//! sorts them anew.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local, web_sys::HtmlElement};

use super::{
    attempt::{Phase, Tracker},
    browser,
    control::Controls,
    feed, market,
    row::ConnectionRow,
};
use crate::{
    model::{Connection, Filter, Hub, Section, Status},
    paths, words,
};

/// The parts that list connections above what can be connected.
const LINKED: [Section; 2] = [Section::ActionNeeded, Section::Connected];

/// Connections in the order they appeared, each in the part it was put into then.
type Placed = Vec<(Section, String)>;
/// Providers, each with the connection that took its card.
type Taken = Vec<(String, String)>;

/// The parts of the hub and their rows. The cards inside find it in the context.
#[derive(Clone, Copy)]
pub struct Rows {
    hub: RwSignal<Hub>,
    /// Where each connection was put when it first appeared.
    placed: RwSignal<Placed>,
    /// Which cards became connections.
    taken: RwSignal<Taken>,
    filter: RwSignal<Filter>,
    /// The time, in seconds since the epoch, by the server's clock.
    pub now: RwSignal<i64>,
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

impl Rows {
    /// Whether the search finds this connection.
    fn finds(self, id: &str) -> bool {
        let query = self.filter.with(|filter| filter.q.trim().to_lowercase());
        self.hub.with(|hub| {
            find(hub, id).is_some_and(|row| {
                let mut words = query.split_whitespace();
                words.all(|word| row.keywords.contains(word))
            })
        })
    }

    fn placed_in(self, section: Section) -> Vec<String> {
        self.placed.with(|placed| {
            let here = placed.iter().filter(|(other, _)| *other == section);
            here.map(|(_, id)| id.clone()).collect()
        })
    }

    fn finds_any(self, section: Section) -> bool {
        self.placed_in(section).iter().any(|id| self.finds(id))
    }

    /// How many connections of a part the search finds, by what they are now
    /// rather than by where they are.
    fn count(self, section: Section) -> usize {
        let ids: Vec<String> = self.hub.with(|hub| {
            let here = |row: &&Connection| row.status.section() == section;
            let here = hub.connections.iter().filter(here);
            here.map(|row| row.id.clone()).collect()
        });
        ids.iter().filter(|id| self.finds(id)).count()
    }

    /// Follows the attempts of a card.
    pub fn follow(self, provider: &str, tracker: Tracker) {
        let provider = provider.to_owned();
        self.trackers
            .update_value(|trackers| trackers.push((provider, tracker)));
    }

    /// The connection that took the card of a provider.
    pub fn connection_of(self, provider: &str) -> Option<Connection> {
        let id = self.taken.with(|taken| {
            let own = taken.iter().find(|(other, _)| other == provider);
            own.map(|(_, id)| id.clone())
        })?;
        self.hub.with(|hub| find(hub, &id).cloned())
    }

    fn tracker(self, provider: &str) -> Option<Tracker> {
        self.trackers.with_value(|trackers| {
            let own = trackers.iter().find(|(other, _)| other == provider);
            own.map(|(_, tracker)| *tracker)
        })
    }

    /// Reads again what is linked.
    pub fn reread(self) {
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
        placed.retain(|(_, id)| find(hub, id).is_some());
        for row in &hub.connections {
            let known = taken.iter().any(|(_, id)| *id == row.id)
                || placed.iter().any(|(_, id)| *id == row.id);
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
                placed.push((row.status.section(), row.id.clone()));
            }
        }
        (placed, taken)
    }

    fn announce_changes(self, hub: &Hub) {
        let changes: Vec<String> = self.hub.with_untracked(|before| {
            let changed = |row: &&Connection| {
                let word = words::status(row.status);
                find(before, &row.id).is_none_or(|old| words::status(old.status) != word)
            };
            let said = |row: &Connection| {
                let (name, account) = (&row.provider.name, &row.account);
                match row.status {
                    Status::Connected => words::attempt::connected(name, account),
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
    Some(element.closest(".row, .offer").ok()??.id())
}

/// The row the address points at, after a flow in this same tab.
fn row_of_address() -> Option<String> {
    let hash = window().location().hash().ok()?;
    let row = hash.strip_prefix('#')?;
    row.starts_with("c-").then(|| row.to_owned())
}

/// The linked accounts. What is inside is what can be connected, as the server
/// drew it: [`market`] shows and hides it.
#[island]
pub fn HubList(
    /// What the server knew when it drew the page.
    hub: Hub,
    /// What is looked for.
    filter: Filter,
    /// The marketplace.
    children: Children,
) -> impl IntoView {
    let may_manage = hub.may_manage;
    let served_at = hub.now;
    let linked = hub.connections.iter();
    let placed = linked.map(|row| (row.status.section(), row.id.clone()));
    let rows = Rows {
        now: RwSignal::new(served_at),
        placed: RwSignal::new(placed.collect()),
        hub: RwSignal::new(hub),
        taken: RwSignal::default(),
        filter: RwSignal::new(filter),
        trackers: StoredValue::default(),
        reading: StoredValue::new(Reading::Idle),
    };
    provide_context(rows);
    Effect::new(move || {
        feed::listen(move |_| rows.reread());
        market::listen(rows.filter);
        // "Checked 4 min ago" grows older while the page is open.
        let loaded_at = browser::seconds();
        let tick = move || rows.now.set(served_at + browser::seconds() - loaded_at);
        let _ = set_interval_with_handle(tick, Duration::from_secs(30));
        if let Some(row) = row_of_address() {
            browser::focus_row(&row);
        }
    });
    // The server has shown what the address asks for.
    Effect::new(move |drawn: Option<()>| {
        rows.filter.track();
        if drawn.is_some() {
            let finds_linked = LINKED.iter().any(|section| rows.finds_any(*section));
            rows.filter
                .with(|filter| market::show(filter, finds_linked));
        }
    });
    Effect::new(move || market::welcome(rows.hub.with(|hub| !hub.connections.is_empty())));
    view! {
        {LINKED.map(|section| view! { <LinkedRows rows section may_manage/> }).collect_view()}
        {children()}
        <LinkedRows rows section=Section::Disconnected may_manage/>
    }
}

#[component]
fn LinkedRows(rows: Rows, section: Section, may_manage: bool) -> impl IntoView {
    let anchor = match section {
        Section::ActionNeeded => "action-needed",
        Section::Connected => "connected",
        Section::Available => market::HEADING,
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
                <For each=move || rows.placed_in(section) key=Clone::clone let(id)>
                    <Row rows section id may_manage/>
                </For>
            </ul>
        </section>
    }
}

#[component]
fn Row(rows: Rows, section: Section, id: String, may_manage: bool) -> impl IntoView {
    let (name, attempt) = rows.hub.with_untracked(|hub| {
        let row = find(hub, &id);
        row.map(|row| (row.provider.name.clone(), row.attempt.clone()))
            .unwrap_or_default()
    });
    let tracker = Tracker::new(name, attempt, Callback::new(move |_| rows.reread()));
    let controls = Controls::new(tracker, Callback::new(move |()| rows.reread()));
    let (anchor, searched) = (format!("c-{id}"), id.clone());
    // Everything that changes is read here: what a component reads by itself
    // would not draw it again.
    let content = move || {
        let now = rows.now.get();
        let seen = controls.seen();
        let connection = rows.hub.with(|hub| find(hub, &id).cloned());
        connection.map(|connection| {
            view! { <ConnectionRow connection section now may_manage seen controls/> }
        })
    };
    view! {
        <li class="row" id=anchor hidden=move || !rows.finds(&searched)>
            {content}
        </li>
    }
}
