//! The list of everything that can be connected.

use hub::{
    Hub, Result,
    catalog::{Category, Provider as Entry, SignIn},
    connect::UsualTimes,
    people::{Action as Right, Member, ProviderAppSource, ProviderAppStatus},
    store::flow,
};

use super::{connect::entered, connection::hub_with, drawn, wizard::drafts};
use crate::{
    model::{Begun, Card, Connection, Filter, Market, Offer, Readiness, Shelf, Start, Status},
    words as say,
};

/// What a first visit is pointed to, in this order, as far as it is set up.
const SUGGESTED: [&str; 3] = ["sandbox", "shopify", "google-gmail"];

/// What stands in front while nothing is searched, behind what is ready in one
/// click: our choice of what shops use, one of each kind. It orders, and no
/// page says more about it.
const IN_FRONT: [&str; 16] = [
    "shopify",
    "google-gmail",
    "stripe",
    "quickbooks",
    "instagram",
    "xero",
    "meta-ads",
    "woocommerce",
    "paypal",
    "mailchimp",
    "tiktok",
    "slack",
    "hubspot",
    "google-drive",
    "square",
    "postgresql",
];

/// The first page: what is connected, what was begun, and what can be connected.
pub async fn hub_page(
    hub: &Hub,
    member: &Member,
    filter: &Filter,
) -> Result<(crate::model::Hub, Vec<Begun>, Market)> {
    let attempts = hub.flows_under_way(member).await?;
    let rows = hub_with(hub, member, &attempts).await?;
    let market = market(hub, member, filter, &rows.connections, &attempts).await?;
    Ok((rows, drafts(hub, member).await?, market))
}

/// Everything that can be connected, in the order in which `filter` wants it.
async fn market(
    hub: &Hub,
    member: &Member,
    filter: &Filter,
    linked: &[Connection],
    attempts: &[flow::Model],
) -> Result<Market> {
    let apps = hub.provider_apps(member).await?;
    let usual = hub.usual_times().await?;
    let may_set_up = member.role().may(Right::ManageProviderApps);
    let mut entries: Vec<(Start, &Entry)> = hub
        .catalog
        .iter()
        .map(|entry| (start(entry, &apps, may_set_up), entry))
        .collect();
    entries.sort_by_key(|(start, entry)| {
        let place = |ids: &[&str]| {
            ids.iter()
                .position(|id| *id == entry.id)
                .unwrap_or(usize::MAX)
        };
        let one_click = entry.sign_in() == SignIn::OneClick;
        let ready = one_click && matches!(start, Start::Now | Start::AfterDetails);
        let (first, front) = (place(&SUGGESTED), place(&IN_FRONT));
        // The sort is stable: names decide where nothing else does.
        (
            *start == Start::NotHere,
            !ready,
            if ready { first } else { 0 },
            front,
        )
    });
    let query = filter.q.trim().to_lowercase();
    let mut cards: Vec<(Option<u8>, Card)> = entries
        .into_iter()
        .enumerate()
        .map(|(place, (start, entry))| {
            let tags = tags(entry);
            let rank = match query.is_empty() {
                true => Some(0),
                false => entry.answers_to(&query),
            };
            let rank = rank.filter(|_| filter.shows(place, &tags));
            let card = Card {
                shown: rank.is_some(),
                place,
                tags,
                aliases: entry.about.aliases.join("|"),
                offer: Offer {
                    provider: drawn(entry),
                    summary: entry.about.summary.clone(),
                    takes: takes(entry, start, &usual),
                    start,
                    again: linked.iter().any(|row| {
                        row.provider.id == entry.id && row.status != Status::Disconnected
                    }),
                    attempt: attempts
                        .iter()
                        .find(|flow| flow.provider == entry.id && flow.connection_id.is_none())
                        .and_then(|flow| flow.handle.clone()),
                },
            };
            (rank, card)
        })
        .collect();
    // As the browser orders them: the best first, by their places among equals.
    cards.sort_by_key(|(rank, _)| rank.unwrap_or(u8::MAX));
    let cards = cards.into_iter().map(|(_, card)| card).collect();
    let shelf = |category: Category| Shelf {
        key: category.as_str().to_owned(),
        label: category.label().to_owned(),
        count: hub
            .catalog
            .iter()
            .filter(|entry| entry.about.category == category)
            .count(),
    };
    Ok(Market {
        cards,
        shelves: Category::ALL
            .into_iter()
            .map(shelf)
            .filter(|shelf| shelf.count > 0)
            .collect(),
        suggested: SUGGESTED
            .iter()
            .filter_map(|id| hub.catalog.get(id))
            .filter(|entry| is_set_up(&apps, entry))
            .take(2)
            .map(drawn)
            .collect(),
        any_api: hub.catalog.get("rest-api").map(drawn),
    })
}

/// Keeps only words that filters know.
pub fn known(filter: Filter) -> Filter {
    let of = |pairs: &[(&str, &str)], word: String| match pairs.iter().any(|(key, _)| *key == word)
    {
        true => word,
        false => String::new(),
    };
    let categories = Category::ALL.map(|category| (category.as_str(), ""));
    Filter {
        category: of(&categories, filter.category),
        region: of(&say::REGIONS, filter.region),
        sign_in: of(&say::SIGN_INS, filter.sign_in),
        ..filter
    }
}

fn start(entry: &Entry, apps: &[ProviderAppStatus], may_set_up: bool) -> Start {
    let asks = || entry.questions().any(|question| question.default.is_none());
    // A button must not lead to a page that has none.
    match entered(entry, None) {
        Some(Readiness::NotYet(_)) => Start::NotHere,
        Some(_) => Start::AfterDetails,
        None if is_set_up(apps, entry) => match asks() {
            true => Start::AfterDetails,
            false => Start::Now,
        },
        None if may_set_up => Start::SetUp,
        None => Start::AskAdmin,
    }
}

/// The key and the words of what signing in takes.
pub(super) fn sign_in(entry: &Entry) -> (&'static str, &'static str) {
    say::SIGN_INS[match entry.sign_in() {
        SignIn::OneClick => 0,
        SignIn::Key => 1,
        SignIn::Database => 2,
        SignIn::Browser => 3,
    }]
}

/// How long connecting takes: from what people needed here, else from its file.
pub(super) fn usually_takes(entry: &Entry, usual: &UsualTimes) -> Option<i64> {
    let known = usual.of(&entry.id).or(entry.about.usually_takes);
    known.map(|time| time.num_seconds())
}

fn takes(entry: &Entry, start: Start, usual: &UsualTimes) -> String {
    match (start, usually_takes(entry, usual)) {
        (Start::NotHere, _) => "Not available here yet".to_owned(),
        (_, Some(time)) => format!("{}, {}", sign_in(entry).1, say::about(time)),
        (_, None) => sign_in(entry).1.to_owned(),
    }
}

fn tags(entry: &Entry) -> String {
    let regions = match entry.serves("global") {
        true => "global".to_owned(),
        false => ["gb", "us", "eu"]
            .map(|region| if entry.serves(region) { region } else { "" })
            .join(" "),
    };
    format!(
        "{} {regions} {}",
        entry.about.category.as_str(),
        sign_in(entry).0
    )
}

pub(super) fn is_set_up(apps: &[ProviderAppStatus], entry: &Entry) -> bool {
    let registered = |status: &ProviderAppStatus| {
        status.app == entry.app_id && status.source != ProviderAppSource::Missing
    };
    // Where there is nothing to register, nothing is missing.
    entry.setup.is_none() || apps.iter().any(registered)
}
