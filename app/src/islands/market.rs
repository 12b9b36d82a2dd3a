//! The marketplace: cards the server drew, shown, hidden and put in order here
//! while somebody types.
//!
//! Two hundred cards are not drawn again for every letter: what is in the page
//! stays, and gets or loses `hidden`. Only those that connect at one press are
//! islands of their own. Searching orders by the server's own rule
//! ([`crate::rank`]), so that a page found by an address and one found by
//! typing are the same; cards then move in the document and not by the style
//! sheet, or the keyboard would go another way than the eyes.

use std::cell::RefCell;

use js_sys::JsString;
use leptos::{
    ev,
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::{Element, HtmlElement, MouseEvent},
};

use super::browser;
use crate::{
    model::{Connection, Filter},
    paths,
    rank::Words,
    words,
};

/// The form of the search; the filters belong to it. Its fields' ids are their
/// names.
pub const FIND: &str = "find";
/// The field of the search.
pub const SEARCH: &str = "q";
/// The list of cards.
pub const CARDS: &str = "cards";
/// The section that holds it.
pub const SECTION: &str = "market";
/// How many cards are in sight, in words.
pub const FOUND: &str = "found";
/// The link that asks for nothing again.
pub const START_OVER: &str = "start-over";
/// What is shown instead of an empty list.
pub const NOTHING: &str = "nothing";
/// Its first line.
pub const NOTHING_TITLE: &str = "nothing-title";
/// The link that shows every card.
pub const SHOW_ALL: &str = "show-all";
/// The categories, with their numbers.
pub const SHELVES: &str = "shelves";
/// The field for what somebody misses.
pub const WISH: &str = "wish";
/// The heading of the marketplace.
pub const HEADING: &str = "available";
/// What a newcomer reads, and what takes its place once something is connected.
pub const WELCOME: [&str; 2] = ["welcome-begin", "welcome-begun"];

/// A card in the page.
struct Card {
    item: HtmlElement,
    words: Words,
    tags: String,
}

thread_local! {
    /// The page's cards by their places, read when something is searched for the
    /// first time.
    static KNOWN: RefCell<Vec<Card>> = const { RefCell::new(Vec::new()) };
}

fn element(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

fn read_cards(list: &Element) -> Vec<Card> {
    let items = list.children();
    let item = |index| items.item(index)?.dyn_into::<HtmlElement>().ok();
    let text = |item: &HtmlElement, class: &str| {
        let found = item.query_selector(class).ok().flatten();
        found
            .and_then(|found| found.text_content())
            .unwrap_or_default()
    };
    let said = |item: &HtmlElement, name: &str| item.get_attribute(name).unwrap_or_default();
    let mut cards: Vec<(usize, Card)> = (0..items.length())
        .filter_map(item)
        .map(|item| {
            let id = item.id();
            let aliases = said(&item, "data-find");
            let words = Words::new(
                &lower(&text(&item, ".offer-link")),
                aliases.split('|').filter(|alias| !alias.is_empty()),
                &lower(&said(&item, "data-shelf")),
                id.strip_prefix("p-").unwrap_or(&id),
                &lower(&text(&item, ".offer-summary")),
            );
            let place = said(&item, "data-place").parse().unwrap_or_default();
            let tags = said(&item, "data-tags");
            (place, Card { item, words, tags })
        })
        .collect();
    // A page that was searched by its address has them in another order.
    for place in 0..cards.len() {
        if let Some(found) = cards.iter().position(|(own, _)| *own == place) {
            cards.swap(place, found);
        }
    }
    cards.into_iter().map(|(_, card)| card).collect()
}

/// In lower case by the browser's own tables: ours would be in the program.
fn lower(text: &str) -> String {
    JsString::from(text).to_lower_case().into()
}

/// Shows the cards that are asked for. Where the words find a linked account and
/// no app, nothing is said about apps.
pub fn show(filter: &Filter, finds_linked: bool) {
    let Some(list) = element(CARDS) else {
        return;
    };
    let query = lower(filter.q.trim());
    let (shown, total) = KNOWN.with_borrow_mut(|cards| {
        if cards.is_empty() {
            *cards = read_cards(&list);
        }
        let ranks: Vec<Option<u8>> = (0..)
            .zip(cards.iter())
            .map(|(place, card)| {
                let rank = match query.is_empty() {
                    true => Some(0),
                    false => card.words.rank(&query),
                };
                rank.filter(|_| filter.shows(place, &card.tags))
            })
            .collect();
        for (card, rank) in cards.iter().zip(&ranks) {
            set_hidden(&card.item, rank.is_none());
        }
        // The best first, and by their places among equals. What stands right
        // already is not touched.
        let worst = ranks.iter().flatten().copied().max().unwrap_or_default();
        let mut here = list.first_element_child();
        for wanted in 0..=worst {
            let ranked = cards.iter().zip(&ranks);
            for (card, _) in ranked.filter(|(_, rank)| **rank == Some(wanted)) {
                while let Some(hidden) = here.take_if(|it| it.has_attribute("hidden")) {
                    here = hidden.next_element_sibling();
                }
                let item: &Element = &card.item;
                match &here {
                    Some(right) if right == item => here = right.next_element_sibling(),
                    before => {
                        let before = before.as_ref().map(|it| it.as_ref());
                        let _ = list.insert_before(item, before);
                    }
                }
            }
        }
        (ranks.iter().flatten().count(), cards.len())
    });
    let unsearched = filter.is_empty();
    hide(SHOW_ALL, filter.all || !unsearched);
    hide(SHELVES, !unsearched);
    hide(START_OVER, unsearched && !filter.all);
    hide(NOTHING, shown > 0);
    hide(SECTION, shown == 0 && finds_linked && !filter.narrows());
    say(FOUND, &words::found(filter, shown, total));
    if shown == 0 {
        say(NOTHING_TITLE, &words::nothing(filter));
    }
    // What was not found is what is missed, most likely.
    set_value(WISH, if shown == 0 { filter.q.trim() } else { "" });
    let address = match window().location().hash() {
        Ok(hash) => format!("{}{hash}", filter.address()),
        Err(_) => filter.address(),
    };
    if let Ok(history) = window().history() {
        let state = history.state().unwrap_or_default();
        let _ = history.replace_state_with_url(&state, "", Some(&address));
    }
}

/// The card of a provider is that of a connection now.
pub fn lead_to(connection: &Connection) {
    let Some(card) = element(&format!("p-{}", connection.provider.id)) else {
        return;
    };
    // A longer name takes the room of the sentence, and nothing below moves.
    reserve(&card, card.offset_height());
    if let Ok(Some(summary)) = card.query_selector(".offer-summary") {
        summary.unchecked_into::<HtmlElement>().set_hidden(true);
    }
    if let Ok(Some(link)) = card.query_selector(".offer-link") {
        let name = format!("{} {}", connection.provider.name, connection.account);
        let _ = link.set_attribute("href", &paths::connection(&connection.id));
        link.set_text_content(Some(&name));
    }
}

/// Says that something is connected now, where a newcomer was told how to begin.
pub fn welcome(begun: bool) {
    let [begin, now] = WELCOME.map(element);
    if let (Some(begin), Some(now)) = (begin, now)
        && begun != begin.hidden()
    {
        let height = begin.offset_height();
        begin.set_hidden(begun);
        now.set_hidden(!begun);
        reserve(&now, height);
    }
}

/// Keeps room, so that nothing below moves.
fn reserve(element: &HtmlElement, height: i32) {
    let style = HtmlElement::style(element);
    let _ = style.set_property("min-height", &format!("{height}px"));
}

fn hide(id: &str, hidden: bool) {
    if let Some(element) = element(id) {
        set_hidden(&element, hidden);
    }
}

/// Saying the same again is a change to the browser.
fn set_hidden(element: &HtmlElement, hidden: bool) {
    if element.hidden() != hidden {
        element.set_hidden(hidden);
    }
}

fn say(id: &str, text: &str) {
    if let Some(element) = element(id)
        && element.text_content().as_deref() != Some(text)
    {
        element.set_text_content(Some(text));
    }
}

/// Fields that hold this already keep their cursor.
fn set_value(id: &str, value: &str) {
    let name = JsString::from("value");
    if let Some(field) = element(id)
        && browser::property(&field, "value").and_then(|now| now.as_string()) != Some(value.into())
    {
        let _ = js_sys::Reflect::set(&field, &name, &value.into());
    }
}

/// Follows what is typed, chosen and pressed in the page, in place of loading
/// the page it leads to.
pub fn listen(filter: RwSignal<Filter>) {
    let _ = window_event_listener(ev::input, move |event| {
        let field = event
            .target()
            .and_then(|field| field.dyn_into::<Element>().ok());
        if let Some(field) = field
            && let Some(value) = browser::property(&field, "value").and_then(|v| v.as_string())
        {
            let id = field.id();
            if filter.with_untracked(|filter| filter.asked().iter().any(|(name, _)| *name == id)) {
                filter.update(|filter| filter.ask(&id, value));
            }
        }
    });
    let _ = window_event_listener(ev::submit, |event| {
        let form = event
            .target()
            .and_then(|form| form.dyn_into::<Element>().ok());
        if form.is_some_and(|form| form.id() == FIND) {
            event.prevent_default();
        }
    });
    let _ = window_event_listener(ev::click, move |event| follow(&event, filter));
}

/// Asks for something that was not typed, and says so in the fields.
fn ask(filter: RwSignal<Filter>, change: impl FnOnce(&mut Filter)) {
    filter.update(change);
    filter.with_untracked(|filter| {
        for (name, value) in filter.asked() {
            set_value(name, value);
        }
    });
}

fn follow(event: &MouseEvent, filter: RwSignal<Filter>) {
    let elsewhere = event.ctrl_key() || event.meta_key() || event.shift_key();
    let link = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
        .and_then(|target| target.closest("a").ok().flatten());
    let Some(link) = link.filter(|_| !elsewhere) else {
        return;
    };
    if let Some(category) = link.get_attribute("data-category") {
        event.prevent_default();
        ask(filter, |filter| filter.category = category);
        // The link is hidden now, and what it leads to begins at the heading.
        if let Some(heading) = element(HEADING) {
            browser::focus_and_show(&heading);
        }
    } else if link.id() == SHOW_ALL {
        event.prevent_default();
        let first_new = element(CARDS)
            .and_then(|list| list.query_selector("li[hidden] a").ok().flatten())
            .and_then(|link| link.dyn_into::<HtmlElement>().ok());
        ask(filter, |filter| filter.all = true);
        // Where the reading goes on.
        request_animation_frame(move || {
            if let Some(link) = first_new {
                let _ = link.focus();
            }
        });
    } else if link.id() == START_OVER {
        event.prevent_default();
        ask(filter, |filter| *filter = Filter::default());
        if let Some(search) = element(SEARCH) {
            let _ = search.focus();
        }
    }
}
