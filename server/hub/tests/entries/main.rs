//! Every entry of the catalog against a counterpart that answers as providers'
//! documentation says (`tests/facts/providers.toml`), not as the entry says: a
//! mistake in either shows.

mod asked;
mod bench;
mod facts;
mod key;
mod player;
mod proxy;
mod walk;

use hub::catalog::{AuthKind, Catalog, Provider};

use futures::future::join_all;

use bench::Bench;
use facts::{Fact, Facts};
use key::probe;
use walk::Walk;

/// How many entries are taken at a time.
const BENCHES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn every_oauth_entry_from_consent_to_revocation() {
    let (catalog, facts) = (catalog(), Facts::read());
    let entries = catalog.all().filter(|provider| provider.oauth.is_some());
    take(entries.collect(), &facts, async |bench, provider, fact| {
        let mut walk = Walk {
            bench,
            provider,
            fact,
            found: Vec::new(),
        };
        walk.take(&facts).await;
        walk.found
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_entry_through_its_probe() {
    let (catalog, facts) = (catalog(), Facts::read());
    let entries = catalog.all().filter(|provider| by_key(provider));
    take(entries.collect(), &facts, async |bench, provider, fact| {
        probe(bench, provider, fact, &facts).await
    })
    .await;
}

#[test]
fn every_entry_is_taken_or_needs_more_than_http() {
    let (catalog, facts) = (catalog(), Facts::read());
    for provider in catalog.all() {
        let is_taken = provider.oauth.is_some() || by_key(provider);
        let is_other = provider.service.is_some() || provider.kind == AuthKind::BrowserSession;
        assert!(is_taken != is_other, "{}", provider.id);
        assert_eq!(
            is_taken,
            facts.get(&provider.id).is_some(),
            "{}",
            provider.id
        );
    }
    for id in facts.ids() {
        assert!(
            catalog.all().any(|provider| provider.id == id),
            "{id} is no entry"
        );
    }
}

fn by_key(provider: &Provider) -> bool {
    provider.carries_fields()
        && provider.service.is_none()
        && provider.kind != AuthKind::BrowserSession
}

/// Takes every entry, some at a time, and tells everything that was found at the end.
async fn take(
    entries: Vec<&Provider>,
    facts: &Facts,
    one: impl AsyncFn(&Bench, &Provider, &Fact) -> Vec<String>,
) {
    let share = entries.len().div_ceil(BENCHES);
    let parts = entries.chunks(share).map(async |entries| {
        // Each bench has a stage of its own.
        let bench = Bench::start().await;
        let mut found = Vec::new();
        for provider in entries {
            let id = provider.id.as_str();
            let Some(fact) = facts.get(id) else {
                found.push(format!("{id}: nothing is known of it"));
                continue;
            };
            let of_it = one(&bench, provider, fact).await;
            found.extend(of_it.into_iter().map(|what| format!("{id}: {what}")));
        }
        (entries.len(), found)
    });
    let (taken, found): (Vec<_>, Vec<_>) = join_all(parts).await.into_iter().unzip();
    assert_eq!(taken.into_iter().sum::<usize>(), entries.len());
    let found = found.concat();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn catalog() -> Catalog {
    Catalog::embedded()
        .unwrap()
        .with_global("sandbox_origin", "https://sandbox.example")
}
