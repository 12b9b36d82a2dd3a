//! Every query on a table of tenants names the tenant, or is listed here with
//! the reason why it does not: row 37 of the security checks. Read from the
//! sources, so that no query can be added without either.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The background's own work, for all tenants alike; nobody asked for it and
/// nobody is answered.
const BACKGROUND: &str = "the background, for all tenants";
/// By the id of a connection that was looked up in the tenant before.
const CONNECTION: &str = "by a connection that the tenant was asked for";
/// By the id of a row that was looked up in the tenant before.
const ROW: &str = "by a row that the tenant was asked for";
/// By the digest of 256 random bits, which say whose it is.
const SECRET: &str = "by a secret that says whose it is";
/// By a person, in every tenant they are in.
const PERSON: &str = "about one person, wherever they are";
/// What the hub does for all tenants, said by a provider or an operator.
const HUB: &str = "the hub's own";

const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("connect/draft.rs", "test_draft", ROW),
    ("connect/end.rs", "finish_disconnects", BACKGROUND),
    ("connect/finish.rs", "cancel_flow", ROW),
    ("connect/handover.rs", "keep_brought", SECRET),
    ("connect/handover.rs", "waiting", SECRET),
    ("connect/prove.rs", "lead_on", ROW),
    ("keep/breaker.rs", "try_one", BACKGROUND),
    ("keep/breaker.rs", "wrong_with", BACKGROUND),
    ("record/attempt.rs", "write", BACKGROUND),
    ("record/deletion.rs", "keyless", HUB),
    ("record/meters.rs", "longest_due", HUB),
    ("store/alarm.rs", "escalate", BACKGROUND),
    ("store/alarm.rs", "forget", CONNECTION),
    ("store/alarm.rs", "sweep", BACKGROUND),
    ("store/alarm.rs", "unattended", BACKGROUND),
    ("store/alarm.rs", "withdraw", CONNECTION),
    ("store/api_key.rs", "shown", SECRET),
    ("store/attempt.rs", "sweep", BACKGROUND),
    ("store/audit_chain.rs", "all", BACKGROUND),
    ("store/audit_entry.rs", "last_silent", HUB),
    ("store/audit_personal.rs", "wipe_everywhere", PERSON),
    ("store/connect_link.rs", "bind", ROW),
    ("store/connect_link.rs", "end_of_alarm", ROW),
    ("store/connect_link.rs", "living", SECRET),
    ("store/connect_link.rs", "sweep", BACKGROUND),
    ("store/connect_link.rs", "use_up", ROW),
    ("store/connection.rs", "bring_failed_forward", BACKGROUND),
    ("store/connection.rs", "claim_check", BACKGROUND),
    ("store/connection.rs", "due", BACKGROUND),
    ("store/connection.rs", "next_to_try", BACKGROUND),
    ("store/connection.rs", "working", BACKGROUND),
    ("store/credential.rs", "bring_failed_forward", BACKGROUND),
    ("store/credential.rs", "bring_forward", BACKGROUND),
    ("store/credential.rs", "compare_and_swap", CONNECTION),
    ("store/credential.rs", "destroy", CONNECTION),
    ("store/credential.rs", "get", CONNECTION),
    ("store/credential.rs", "of_connection", CONNECTION),
    ("store/credential.rs", "of_providers", BACKGROUND),
    ("store/credential.rs", "release_leases", BACKGROUND),
    ("store/credential.rs", "take_lease", BACKGROUND),
    ("store/deletion.rs", "all", BACKGROUND),
    ("store/delivery.rs", "claim", BACKGROUND),
    ("store/delivery.rs", "forget_after", ROW),
    ("store/delivery.rs", "revive", ROW),
    ("store/delivery.rs", "sweep", BACKGROUND),
    ("store/delivery.rs", "waiting", BACKGROUND),
    ("store/draft.rs", "sweep", BACKGROUND),
    ("store/event.rs", "of_connection", CONNECTION),
    ("store/flow.rs", "consume", SECRET),
    ("store/flow.rs", "sweep", BACKGROUND),
    ("store/flow_outcome.rs", "newest_successes", HUB),
    ("store/flow_outcome.rs", "sweep", BACKGROUND),
    ("store/idempotent_request.rs", "get", ROW),
    ("store/idempotent_request.rs", "sweep", BACKGROUND),
    ("store/mail.rs", "claim", BACKGROUND),
    ("store/mail.rs", "drop_due", BACKGROUND),
    ("store/mail.rs", "due", BACKGROUND),
    ("store/mail.rs", "end", BACKGROUND),
    ("store/mail.rs", "retry", BACKGROUND),
    ("store/mail.rs", "sent", BACKGROUND),
    ("store/mail.rs", "sweep", BACKGROUND),
    ("store/mail.rs", "withdraw", ROW),
    ("store/mail.rs", "without_digest", BACKGROUND),
    ("store/member.rs", "anywhere", PERSON),
    ("store/member.rs", "tenants_of", PERSON),
    ("store/notice.rs", "asked", ROW),
    ("store/notice.rs", "called", BACKGROUND),
    ("store/notice.rs", "end", ROW),
    ("store/notice.rs", "is_called", ROW),
    ("store/notice.rs", "is_told", ROW),
    ("store/notice.rs", "open_alarms", BACKGROUND),
    ("store/provider_app.rs", "of_app", HUB),
    ("store/run.rs", "forget", CONNECTION),
    ("store/run.rs", "go", ROW),
    ("store/run.rs", "look_again", BACKGROUND),
    ("store/run.rs", "paused", CONNECTION),
    ("store/run.rs", "sweep", BACKGROUND),
    ("store/run.rs", "take_back", ROW),
    ("store/run.rs", "waiting_of", CONNECTION),
    ("store/run.rs", "wake", CONNECTION),
    ("store/sync_run.rs", "claim", BACKGROUND),
    ("store/sync_run.rs", "due", BACKGROUND),
    ("store/sync_run.rs", "forget", CONNECTION),
    ("store/sync_run.rs", "forget_open", CONNECTION),
    ("store/sync_run.rs", "forget_scheduled", CONNECTION),
    ("store/sync_run.rs", "last_end", CONNECTION),
    ("store/sync_run.rs", "open", CONNECTION),
    ("store/sync_run.rs", "page", CONNECTION),
    ("store/sync_run.rs", "pause", CONNECTION),
    ("store/sync_run.rs", "release_leases", BACKGROUND),
    ("store/sync_run.rs", "resume", CONNECTION),
    ("store/sync_run.rs", "settle", BACKGROUND),
    ("store/sync_run.rs", "sweep", BACKGROUND),
    ("store/watcher.rs", "take", CONNECTION),
    ("store/webhook.rs", "behind", BACKGROUND),
    ("store/webhook.rs", "refused", BACKGROUND),
    ("store/webhook.rs", "rest", BACKGROUND),
    ("store/webhook.rs", "told", BACKGROUND),
    ("store/webhook.rs", "took", BACKGROUND),
    ("store/webhook.rs", "wake", ROW),
    ("vault/mod.rs", "prove_master_key", HUB),
];

/// What begins a query.
const QUERIES: [&str; 5] = [
    "Entity::find(",
    "Entity::find_by_id(",
    "Entity::update_many(",
    "Entity::delete_many(",
    "Entity::delete_by_id(",
];

/// How a query names its tenant: as a condition, as the first part of a key, or
/// through a helper that does.
const NAMED: [&str; 6] = [
    "Column::TenantId",
    "find_by_id((tenant, ",
    "delete_by_id((tenant, ",
    "find_by_id(tenant)",
    "::owned(",
    "(owned(",
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for item in fs::read_dir(directory).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("tests.rs")
        {
            found.push(path);
        }
    }
}

/// Functions with their text, as rustfmt lays them out.
fn functions(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let inner = line.trim_start();
        let signature = ["pub(crate) ", "pub(super) ", "pub ", "async "]
            .iter()
            .fold(inner, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
        if let Some(rest) = signature.strip_prefix("fn ") {
            let indent = &line[..line.len() - inner.len()];
            let end = format!("{indent}}}");
            let last = (at..lines.len()).find(|at| lines[*at] == end).unwrap_or(at);
            let name = rest.split(['(', '<']).next().unwrap();
            found.push((name.to_owned(), lines[at..=last].join("\n")));
            at = last;
        }
        at += 1;
    }
    found
}

#[test]
fn row_37_every_query_on_a_table_of_tenants_names_the_tenant() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let texts: BTreeMap<String, String> = files
        .into_iter()
        .map(|file| {
            let name = file
                .strip_prefix(&root)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            (name, fs::read_to_string(file).unwrap())
        })
        .collect();
    // Tables without a tenant: people, sessions, the hub's own.
    let of_nobody: BTreeSet<String> = texts
        .iter()
        .filter(|(name, text)| {
            name.starts_with("store/")
                && text.contains("table_name")
                && !text.contains("pub tenant_id: TenantId")
        })
        .filter_map(|(name, _)| Some(name.strip_prefix("store/")?.strip_suffix(".rs")?.to_owned()))
        .collect();
    assert!(
        of_nobody.contains("person") && !of_nobody.contains("connection"),
        "{of_nobody:?}"
    );

    let mut unnamed = BTreeSet::new();
    let mut queries = 0;
    for (file, text) in &texts {
        let table = file
            .strip_prefix("store/")
            .and_then(|name| name.strip_suffix(".rs"));
        for (function, body) in functions(text) {
            let asks = QUERIES.iter().flat_map(|query| {
                body.match_indices(query).map(|(at, _)| {
                    let before =
                        body[..at].rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
                    let path = before.into_iter().next().unwrap_or_default();
                    match path.trim_end_matches("::").rsplit("::").next() {
                        Some(named) if !named.is_empty() => named.to_owned(),
                        _ => table.unwrap_or_default().to_owned(),
                    }
                })
            });
            let asks: Vec<String> = asks.filter(|table| !of_nobody.contains(table)).collect();
            queries += asks.len();
            if !asks.is_empty() && !NAMED.iter().any(|named| body.contains(named)) {
                unnamed.insert((file.clone(), function));
            }
        }
    }
    assert!(queries > 80, "{queries} queries");
    let listed: BTreeSet<(String, String)> = EXCEPTIONS
        .iter()
        .map(|(file, function, _)| ((*file).to_owned(), (*function).to_owned()))
        .collect();
    let new: Vec<_> = unnamed.difference(&listed).collect();
    assert!(new.is_empty(), "these name no tenant: {new:#?}");
    let gone: Vec<_> = listed.difference(&unnamed).collect();
    assert!(
        gone.is_empty(),
        "these are no exceptions any more: {gone:#?}"
    );
}
