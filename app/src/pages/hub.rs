//! The hub: what needs somebody, what is linked, what can be.
//!
//! Two hundred apps are no list to read. While nothing is searched, a dozen
//! stand in front (those that connect at one press, then our choice of what
//! shops use), and below them the categories with their numbers. Every card is
//! in the page all the same, so that typing shows it at once.

use leptos::{either::Either, prelude::*};

use crate::{
    islands::{HubList, OfferFoot, market},
    model::{Begun, Card, Filter, Hub, Market, Offer, Provider, Section, Shelf, Start},
    parts::{
        BrandPlate, Current, Frame, Icon,
        form::{Field, ProblemSummary},
    },
    paths, words,
};

/// The hub.
#[component]
pub fn HubView(
    /// What is linked.
    hub: Hub,
    /// What was begun and waits for more answers.
    begun: Vec<Begun>,
    /// What can be.
    market: Market,
    /// What is looked for.
    filter: Filter,
) -> impl IntoView {
    let (may_manage, suggested) = (hub.may_manage, market.suggested.clone());
    let newcomer = hub.connections.is_empty();
    let asked = filter.clone();
    view! {
        <Frame title="Connections" current=Current::Connections>
            <div class="title">
                <h1>"Connections"</h1>
                <p>"Connect once. Linkwell keeps every link alive and tells you when it needs you."</p>
            </div>
            <ProblemSummary/>
            {newcomer.then(|| view! { <Welcome suggested may_manage/> })}
            <Search query=filter.q.clone()/>
            {(!begun.is_empty()).then(|| view! { <InProgress begun/> })}
            // What is inside an island has to be made by it: cards that are
            // islands ask it for the rows they may turn into.
            <HubList hub filter>
                <Marketplace market filter=asked may_manage/>
            </HubList>
        </Frame>
    }
}

/// What a newcomer sees above the list.
#[component]
fn Welcome(suggested: Vec<Provider>, may_manage: bool) -> impl IntoView {
    let [begin, begun] = market::WELCOME;
    let names: Vec<String> = suggested.iter().map(|one| one.name.clone()).collect();
    let buttons = suggested
        .into_iter()
        .map(|provider| {
            view! {
                <a class="btn" data-kind="primary" href=paths::connect(&provider.id)>
                    {format!("Connect {}", provider.name)}
                </a>
            }
        })
        .collect_view();
    view! {
        <div class="welcome" id=begin>
            <p class="welcome-title">"Nothing connected yet"</p>
            <p>{words::begin(&names)}</p>
            <div class="welcome-actions" hidden=!may_manage>
                {buttons}
                <a class="btn" data-kind="plain" href="#available">"Browse all"</a>
            </div>
        </div>
        <div class="welcome" id=begun hidden>
            <p class="welcome-title">"Your first connection is made"</p>
            <p>"Linkwell keeps it alive from here, and tells you when it needs you."</p>
        </div>
    }
}

/// What was begun here or in another browser.
#[component]
fn InProgress(begun: Vec<Begun>) -> impl IntoView {
    let count = begun.len();
    let rows = begun
        .into_iter()
        .map(|Begun { provider, link, at }| {
            let name = provider.name.clone();
            view! {
                <li class="row" data-layout="simple">
                    <BrandPlate provider/>
                    <div class="row-main">
                        <p class="row-title"><a class="row-link" href=format!("{link}#wizard")>{name}</a></p>
                        <p class="fact">"Waits for your answers since "{at.text}</p>
                    </div>
                    <span class="row-go"><Icon name="chevron-right"/></span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="rows-section" aria-labelledby="in-progress">
            <h2 id="in-progress">"In progress "<span class="count">{count}</span></h2>
            <ul class="rows">{rows}</ul>
        </section>
    }
}

#[component]
fn Search(query: String) -> impl IntoView {
    view! {
        <form id=market::FIND role="search" method="get" action=paths::HUB class="search">
            <label class="visually-hidden" for=market::SEARCH>"Search apps and accounts"</label>
            <Icon name="search"/>
            <input
                id=market::SEARCH
                type="search"
                name="q"
                autocomplete="off"
                maxlength="100"
                placeholder="Search apps and accounts"
                value=query
            />
            <button class="btn" data-kind="quiet">"Search"</button>
        </form>
    }
}

/// What can be connected.
#[component]
fn Marketplace(market: Market, filter: Filter, may_manage: bool) -> impl IntoView {
    let Market {
        cards,
        shelves,
        any_api,
        ..
    } = market;
    let total = cards.len();
    let found = cards.iter().filter(|card| card.shown).count();
    let unsearched = filter.is_empty();
    let asked = match found {
        0 => filter.q.clone(),
        _ => String::new(),
    };
    view! {
        <section class="rows-section" id=market::SECTION aria-labelledby=market::HEADING>
            <h2 id=market::HEADING tabindex="-1">
                {words::section(Section::Available)}
                " "
                <span class="count">{total}</span>
            </h2>
            <Filters filter=filter.clone() shelves=shelves.clone()/>
            <p class="found">
                <span role="status" id=market::FOUND>{words::found(&filter, found, total)}</span>
                <a href=paths::HUB id=market::START_OVER hidden=unsearched && !filter.all>
                    "Start over"
                </a>
            </p>
            <Cards cards shelves=shelves.clone() may_manage/>
            <Nothing any_api title=words::nothing(&filter) hidden={found > 0}/>
            <a
                class="btn"
                data-kind="plain"
                data-wide="true"
                id=market::SHOW_ALL
                href="/?show=all#available"
                hidden=filter.all || !unsearched
            >
                {format!("Show all {total} apps")}
            </a>
            <Shelves shelves hidden=!unsearched/>
            <Wish asked/>
        </section>
    }
}

/// Category, region and kind of sign-in. They belong to the form of the search:
/// without the script, its button sends them along.
#[component]
fn Filters(filter: Filter, shelves: Vec<Shelf>) -> impl IntoView {
    let shelves: Vec<_> = shelves
        .into_iter()
        .map(|Shelf { key, label, count }| (key, format!("{label} ({count})")))
        .collect();
    let pairs = |pairs: &[(&str, &str)]| -> Vec<_> {
        let owned = |(key, label): &(&str, &str)| ((*key).to_owned(), (*label).to_owned());
        pairs.iter().map(owned).collect()
    };
    let choices = filter.asked().into_iter().filter_map(|(name, chosen)| {
        let (label, any, options) = match name {
            "category" => ("Category", "All categories", shelves.clone()),
            "region" => ("Region", "All regions", pairs(&words::REGIONS)),
            "sign-in" => ("Signing in", "Any sign-in", pairs(&words::SIGN_INS)),
            _ => return None,
        };
        let options = [(String::new(), any.to_owned())]
            .into_iter()
            .chain(options)
            .map(|(key, label)| {
                let selected = key == chosen;
                view! { <option value=key selected=selected>{label}</option> }
            })
            .collect_view();
        Some(view! {
            <select
                class="choose"
                id=name
                name=name
                form=market::FIND
                aria-label=label
                autocomplete="off"
            >
                {options}
            </select>
        })
    });
    view! { <div class="filters">{choices.collect_view()}</div> }
}

#[component]
fn Cards(cards: Vec<Card>, shelves: Vec<Shelf>, may_manage: bool) -> impl IntoView {
    let label = |tags: &str| {
        let category = tags.split(' ').next().unwrap_or_default();
        let shelf = shelves.iter().find(|shelf| shelf.key == category);
        shelf.map(|shelf| shelf.label.clone()).unwrap_or_default()
    };
    let cards = cards
        .into_iter()
        .map(|card| {
            let shelf = label(&card.tags);
            view! { <CardItem card shelf may_manage/> }
        })
        .collect_view();
    view! { <ul class="cards" id=market::CARDS>{cards}</ul> }
}

#[component]
fn CardItem(card: Card, shelf: String, may_manage: bool) -> impl IntoView {
    let Card {
        offer,
        place,
        shown,
        tags,
        aliases,
    } = card;
    let (provider, summary) = (offer.provider.clone(), offer.summary.clone());
    let link = paths::connect(&provider.id);
    let live = may_manage && offer.start == Start::Now;
    let foot = match live {
        true => {
            let label = label(&offer, may_manage).unwrap_or_default().to_owned();
            Either::Left(view! {
                <OfferFoot provider=offer.provider takes=offer.takes label attempt=offer.attempt/>
            })
        }
        false => Either::Right(view! { <FootAtRest offer may_manage/> }),
    };
    view! {
        <li
            class="offer"
            id=format!("p-{}", provider.id)
            data-place=place
            data-tags=tags
            data-shelf=shelf
            data-find=aliases
            data-live=live.then_some("true")
            hidden=!shown
        >
            <BrandPlate provider=provider.clone()/>
            <div class="offer-words">
                <p><a class="offer-link" href=link>{provider.name}</a></p>
                <p class="offer-summary">{summary}</p>
            </div>
            <div class="offer-foot">{foot}</div>
        </li>
    }
}

/// What the button of a card says, where there is one.
fn label(offer: &Offer, may_manage: bool) -> Option<&'static str> {
    match offer.start {
        _ if !may_manage => None,
        Start::Now | Start::AfterDetails if offer.again => Some("Add another"),
        Start::Now | Start::AfterDetails => Some("Connect"),
        Start::SetUp => Some("Set up"),
        Start::AskAdmin | Start::NotHere => None,
    }
}

/// The foot of a card on which nothing happens: its button is a link.
#[component]
fn FootAtRest(offer: Offer, may_manage: bool) -> impl IntoView {
    let button = label(&offer, may_manage);
    let takes = match offer.start {
        Start::AskAdmin => "Not set up yet. An admin can do that.".to_owned(),
        _ => offer.takes,
    };
    let Provider { id, name, .. } = offer.provider;
    view! {
        <p class="offer-line">{takes}</p>
        {button.map(|label| view! {
            <a class="btn" data-kind="plain" href=paths::connect(&id)>
                {label}
                <span class="visually-hidden">" "{name}</span>
            </a>
        })}
    }
}

/// What stands in place of an empty list.
#[component]
fn Nothing(any_api: Option<Provider>, title: String, hidden: bool) -> impl IntoView {
    let lead = match any_api.is_some() {
        true => "Try another word. A service with an API of its own can be connected all the same:",
        false => "Try another word, or a category such as payments.",
    };
    let any_api = any_api.map(|provider| {
        view! {
            <a class="btn" data-kind="plain" href=paths::connect(&provider.id)>
                {format!("Connect {}", provider.name)}
            </a>
        }
    });
    view! {
        <div class="empty" id=market::NOTHING hidden=hidden>
            <p class="empty-title" id=market::NOTHING_TITLE>{title}</p>
            <p>{lead}</p>
            {any_api}
        </div>
    }
}

/// The way in for those who do not know what to type.
#[component]
fn Shelves(shelves: Vec<Shelf>, hidden: bool) -> impl IntoView {
    let links = shelves
        .into_iter()
        .map(|Shelf { key, label, count }| {
            let address = format!("/?category={key}#available");
            view! {
                <li>
                    <a class="shelf" href=address data-category=key>
                        {label}
                        " "
                        <span class="count">{count}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <nav class="shelves" id=market::SHELVES aria-labelledby="by-category" hidden=hidden>
            <h3 id="by-category">"Browse by category"</h3>
            <ul>{links}</ul>
        </nav>
    }
}

#[component]
fn Wish(asked: String) -> impl IntoView {
    view! {
        <form class="inline-form wish" method="post" action="/api/wish">
            <Field
                name=market::WISH
                label="Tell us what you miss"
                help="Your admins see it in their settings."
                value=asked
            />
            <button class="btn" data-kind="plain">"Send"</button>
        </form>
    }
}
