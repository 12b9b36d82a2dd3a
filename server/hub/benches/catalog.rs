//! What reading and searching the catalog costs.
//!
//! Reading is measured against a bare parse of the same files by the same
//! library, in turns, so that whatever else the machine does falls on both.

use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use hub::catalog::Catalog;

/// Rounds of each; the fastest one counts.
const ROUNDS: usize = 21;
/// How many providers are searched.
const SEARCHED: usize = 1_000;
/// What the product promises.
const LOAD: Duration = Duration::from_millis(50);
const SEARCH: Duration = Duration::from_millis(5);
/// Short and long, found in names, aliases, shelves, sentences and nowhere.
const QUERIES: [&str; 8] = [
    "e",
    "ig",
    "goo",
    "shopify",
    "bookkeeping",
    "google books",
    "see your invoices",
    "zzzzzz",
];

fn main() {
    let files = shipped();
    let (mut load, mut parse) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        load.push(time(|| {
            Catalog::embedded().expect("a program that was built has no mistakes")
        }));
        parse.push(time(|| {
            for (_, text) in &files {
                black_box(toml::from_str::<toml::Table>(text).expect("TOML"));
            }
        }));
    }
    let (load, parse) = (fastest(load), fastest(parse));
    println!("{} files read and checked: {load:.1?}", files.len());
    println!("the same files parsed:    {parse:.1?}");
    println!(
        "ratio:                    {:.2}",
        load.as_secs_f64() / parse.as_secs_f64()
    );

    let catalog = enlarged(&files);
    let slowest = QUERIES.map(|query| {
        let rounds = (0..ROUNDS).map(|_| time(|| catalog.search(query).len()));
        let took = fastest(rounds.collect());
        let found = catalog.search(query).len();
        println!("{SEARCHED} entries searched for {query:?}, {found} found: {took:.1?}");
        took
    });
    let slowest = slowest.into_iter().max().expect("queries");
    assert!(load <= LOAD, "reading took {load:?}, promised are {LOAD:?}");
    assert!(
        slowest <= SEARCH,
        "a search took {slowest:?}, promised are {SEARCH:?}"
    );
}

/// The files as they are shipped, by name.
fn shipped() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog");
    let listing = fs::read_dir(directory).expect("the catalog");
    let paths = listing.map(|item| item.expect("a file").path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read_to_string(path).expect("text"))
        })
        .collect()
}

/// The catalog with as many entries as are to be searched: the shipped ones over
/// and over, under other names.
fn enlarged(files: &[(String, String)]) -> Catalog {
    let catalog = Catalog::embedded().expect("a program that was built has no mistakes");
    let directory = std::env::temp_dir().join(format!("linkwell-catalog-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    let providers = files.iter().filter(|(_, text)| text.contains("[provider]"));
    let missing = SEARCHED - catalog.iter().count();
    for (number, (name, text)) in providers.cycle().take(missing).enumerate() {
        let text = text.replacen("name = \"", &format!("name = \"N{number} "), 1);
        fs::write(directory.join(format!("{name}-{number}.toml")), text).expect("a file");
    }
    let catalog = catalog.with_directory(&directory);
    fs::remove_dir_all(&directory).expect("our own directory");
    catalog.expect("copies of what is right")
}

fn time<T>(what: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    black_box(what());
    begun.elapsed()
}

/// What the work itself costs: whatever else the machine does only adds to it.
fn fastest(times: Vec<Duration>) -> Duration {
    times.into_iter().min().expect("rounds")
}
