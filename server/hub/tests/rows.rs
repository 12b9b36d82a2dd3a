//! Every way in which providers are known to deviate has a test named after its
//! row, so that a row nobody proves is seen. What the rows say stands in the
//! tests themselves; a name such as `a17_…` or `final_or_transient_slack` ties
//! one to its row.

use std::{collections::BTreeSet, fs, path::Path};

/// Each table of deviations and its last row: authorize request, callback,
/// token request, token answer, refresh, and learning of revocation.
const ROWS: [(char, u32); 6] = [
    ('a', 37),
    ('b', 10),
    ('c', 21),
    ('d', 21),
    ('e', 18),
    ('f', 6),
];

/// The providers whose refusals are known to be final or transient, one by one.
const FATES: &str = "google microsoft meta shopify stripe quickbooks xero sage square hubspot \
    salesforce slack github atlassian zoho tiktok linkedin spotify dropbox zoom amazon_sp ebay \
    etsy airtable notion klaviyo zendesk x pinterest box";

/// The names of all tests against the engine and against the whole application.
fn tests() -> BTreeSet<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    for directory in ["tests/dialect", "../tests/suite"] {
        for file in fs::read_dir(here.join(directory)).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                names.extend(tests_in(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    names
}

/// Functions right behind a line that makes them tests: helpers do not count,
/// nor does a test that is switched off.
fn tests_in(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_test = |line: &str| line == "#[test]" || line.starts_with("#[tokio::test");
    let pairs = lines.windows(2).filter(|pair| is_test(pair[0]));
    pairs
        .filter_map(|pair| {
            let line = pair[1].strip_prefix("async ").unwrap_or(pair[1]);
            let name = line.strip_prefix("fn ")?.split('(').next()?;
            Some(name.to_owned())
        })
        .collect()
}

fn every_row_of(letter: char) {
    let (_, last) = ROWS.iter().find(|(known, _)| *known == letter).unwrap();
    let tests = tests();
    let missing: Vec<String> = (1..=*last)
        .map(|row| format!("{letter}{row}_"))
        .filter(|row| !tests.iter().any(|name| name.starts_with(row)))
        .collect();
    assert!(missing.is_empty(), "no test is named {missing:?}");
    let unknown: Vec<_> = tests
        .iter()
        .filter_map(|name| {
            let (row, _) = name.strip_prefix(letter)?.split_once('_')?;
            row.parse::<u32>()
                .ok()
                .filter(|row| !(1..=*last).contains(row))
        })
        .collect();
    assert!(unknown.is_empty(), "there are no rows {unknown:?}");
}

#[test]
fn every_row_about_the_authorize_request() {
    every_row_of('a');
}

#[test]
fn every_row_about_the_callback() {
    every_row_of('b');
}

#[test]
fn every_row_about_the_token_request() {
    every_row_of('c');
}

#[test]
fn every_row_about_the_token_answer() {
    every_row_of('d');
}

#[test]
fn every_row_about_refreshing() {
    every_row_of('e');
}

#[test]
fn every_row_about_revocation() {
    every_row_of('f');
}

#[test]
fn every_row_about_final_and_transient_refusals() {
    let tests = tests();
    let named = |fate: &&str| {
        let name = format!("final_or_transient_{fate}");
        tests
            .iter()
            .any(|test| *test == name || test.starts_with(&format!("{name}_")))
    };
    let missing: Vec<_> = FATES
        .split_whitespace()
        .filter(|fate| !named(fate))
        .collect();
    assert!(missing.is_empty(), "no test is named after {missing:?}");
}

#[test]
fn only_real_tests_count() {
    let text = "
        #[tokio::test]
        async fn a1_one() {}
        #[test]
        fn a2_two() {}
        async fn a3_helper() {}
        #[test]
        #[ignore]
        fn a4_switched_off() {}
        // fn a5_said_only()
    ";
    assert_eq!(tests_in(text), ["a1_one", "a2_two"]);
}
