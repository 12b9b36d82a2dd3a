//! Backup and restore, with the program itself: what was there comes back, and
//! what must not happen does not.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use clap::Parser;
use hub::{
    people::Member,
    secret::Secret,
    store::{Store, TenantId, WebhookId, data_key, webhook},
    tell::NewWebhook,
    vault::Place,
};
use sea_orm::{ConnectionTrait, Database, DatabaseBackend, EntityTrait, Statement};

/// A data directory that is removed in the end.
struct Data(PathBuf);

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Data {
    fn new(name: &str) -> Self {
        let id = hub::store::ConnectionId::new();
        let path = std::env::temp_dir().join(format!("linkwell-backup-{name}-{id}"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        self.run_with(&[], arguments, input)
    }

    fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_linkwell"))
            .args(arguments)
            .env_clear()
            .env("LINKWELL_DATA", self.file("data"))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that asks for nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn add(&self, email: &str) {
        let arguments = [
            "user", "create", "--tenant", "T", "--name", "N", "--email", email,
        ];
        let done = self.run(&arguments, "a long enough secret");
        assert!(done.status.success(), "{}", said(&done));
    }

    fn backup(&self, to: &Path) -> Output {
        self.run(&["backup", to.to_str().unwrap()], "")
    }

    fn restore(&self, from: &Path) -> Output {
        self.run(&["restore", from.to_str().unwrap()], "")
    }

    async fn people(&self) -> Vec<String> {
        let url = format!("sqlite://{}", self.file("data/linkwell.db").display());
        let db = Database::connect(url).await.unwrap();
        let question = "SELECT email FROM person ORDER BY email";
        let question = Statement::from_string(DatabaseBackend::Sqlite, question);
        let rows = db.query_all_raw(question).await.unwrap();
        let people = rows.iter().map(|row| row.try_get_by_index(0).unwrap());
        let people = people.collect();
        db.close().await.unwrap();
        people
    }
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn what_was_there_comes_back() {
    let data = Data::new("round");
    data.add("ana@example.com");
    let file = data.file("monday.db");
    let made = data.backup(&file);
    assert!(made.status.success(), "{}", said(&made));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = data.backup(&file);
    assert!(!again.status.success() && said(&again).contains("replaces no file"));

    data.add("bo@example.com");
    let restored = data.restore(&file);
    assert!(restored.status.success(), "{}", said(&restored));
    // What was taken away since is back, which nobody would think of.
    assert!(
        said(&restored).contains("API keys that were revoked"),
        "{}",
        said(&restored)
    );
    assert_eq!(data.people().await, ["ana@example.com"]);
    // What was there is kept, and can be put back as well.
    let kept = std::fs::read_dir(data.file("data")).unwrap();
    let kept = kept.map(|item| item.unwrap().path());
    let kept = kept.filter(|path| path.to_string_lossy().contains("before-restore"));
    let kept: Vec<_> = kept
        .filter(|path| path.extension().unwrap() == "db")
        .collect();
    let back = data.restore(&kept[0]);
    assert!(back.status.success(), "{}", said(&back));
    assert_eq!(data.people().await, ["ana@example.com", "bo@example.com"]);
}

#[tokio::test]
async fn what_cannot_be_opened_replaces_nothing() {
    let data = Data::new("wrong");
    data.add("ana@example.com");
    let junk = data.file("junk.db");
    std::fs::write(&junk, b"not a database, whatever its name says").unwrap();
    let mut cut = data.file("whole.db");
    assert!(data.backup(&cut).status.success());
    let whole = std::fs::read(&cut).unwrap();
    cut = data.file("cut.db");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let empty = data.file("empty.db");
    std::fs::write(&empty, b"").unwrap();
    for file in [&junk, &cut, &empty, &data.file("nothing.db")] {
        let refused = data.restore(file);
        assert!(!refused.status.success(), "{}", file.display());
        assert!(!said(&refused).contains("panicked"), "{}", said(&refused));
        assert_eq!(data.people().await, ["ana@example.com"]);
    }

    // The backup of another hub: its key is not here.
    let other = Data::new("other");
    other.add("eve@example.com");
    let theirs = other.file("theirs.db");
    assert!(other.backup(&theirs).status.success());
    seal_something(&other).await;
    let sealed = other.file("sealed.db");
    assert!(other.backup(&sealed).status.success());
    let refused = data.restore(&sealed);
    assert!(said(&refused).contains("master key"), "{}", said(&refused));
    assert_eq!(data.people().await, ["ana@example.com"]);
    let left = std::fs::read_dir(data.file("data")).unwrap();
    let left = left.map(|item| item.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.contains("restoring")));
}

/// Has the hub of a data directory make a data key.
async fn seal_something(data: &Data) {
    use hub::{
        clock::Clock,
        vault::{MasterKey, Vault},
    };
    let url = format!("sqlite://{}", data.file("data/linkwell.db").display());
    let store = Store::open(&url).await.unwrap();
    let key = MasterKey::from_file(&data.file("data/master.key")).unwrap();
    let vault = Vault::new(store, Clock::system(), std::sync::Arc::new(key));
    let place = Place {
        tenant: hub::store::TenantId::HUB,
        subject: Default::default(),
        field: "test".into(),
        version: 1,
    };
    vault.seal(place, &Secret::new("x")).await.unwrap();
}

#[tokio::test]
async fn nothing_is_restored_under_a_running_hub() {
    let data = Data::new("running");
    data.add("ana@example.com");
    let file = data.file("backup.db");
    assert!(data.backup(&file).status.success());
    // What a running hub holds.
    let spool = hub::keep::spool::Spool::open(&data.file("data/spool")).unwrap();
    let refused = data.restore(&file);
    assert!(said(&refused).contains("is running"), "{}", said(&refused));
    drop(spool);
    let restored = data.restore(&file);
    assert!(restored.status.success(), "{}", said(&restored));
}

#[tokio::test]
async fn row_60_the_program_names_the_first_entry_that_was_changed() {
    let data = Data::new("audit");
    data.add("ana@example.com");
    let file = data.file("backup.db");
    assert!(data.backup(&file).status.success());
    data.add("bo@example.com");
    // A restore says so, and the ledgers go on from there.
    assert!(data.restore(&file).status.success());
    data.add("kim@example.com");
    let whole = data.run(&["audit", "verify"], "");
    assert!(whole.status.success(), "{}", said(&whole));
    assert!(
        said(&whole).contains("T: 4 entries, all as written"),
        "{}",
        said(&whole)
    );
    let url = format!("sqlite://{}", data.file("data/linkwell.db").display());
    let db = Database::connect(url).await.unwrap();
    let edit = "UPDATE audit_entry SET detail = 'owner' WHERE seq = 4 AND deed = 'member.added'";
    db.execute_unprepared(edit).await.unwrap();
    db.close().await.unwrap();
    let broken = data.run(&["audit", "verify", "--tenant", "T"], "");
    assert!(!broken.status.success());
    assert!(
        said(&broken).contains("T: entry 4 was changed."),
        "{}",
        said(&broken)
    );
}

/// Everything the program does, on a data directory.
async fn hub_of(data: &Data) -> hub::Hub {
    let arguments = ["test", "--data", data.file("data").to_str().unwrap()].map(String::from);
    let place = Only::parse_from(arguments).place;
    let application = linkwell::application::assemble(
        &place,
        linkwell::application::open_catalog(None).unwrap(),
        "http://127.0.0.1:3000/".parse().unwrap(),
        Default::default(),
        Default::default(),
        Default::default(),
    );
    application.await.unwrap().hub
}

#[derive(clap::Parser)]
struct Only {
    #[command(flatten)]
    place: linkwell::config::Place,
}

/// Somebody with a secret that is sealed.
async fn with_secret(hub: &hub::Hub, tenant: &str, email: &str) -> Member {
    let password = Secret::new("a long enough secret");
    let member = hub.create_user(tenant, email, "N", password).await.unwrap();
    let new = NewWebhook {
        url: "https://example.com/hooks",
        kinds: &[],
    };
    hub.add_webhook(&member, new).await.unwrap();
    member
}

/// The sealed secret of each webhook, with whose it is.
async fn sealed(url: &str) -> Vec<(TenantId, WebhookId, String)> {
    let store = Store::open(url).await.unwrap();
    let rows = webhook::Entity::find().all(store.db()).await.unwrap();
    rows.into_iter()
        .map(|row| (row.tenant_id, row.id, row.secret_sealed))
        .collect()
}

fn holds(file: &Path, text: &str) -> bool {
    let bytes = std::fs::read(file).unwrap();
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn row_60_newer_keys_open_nothing_of_who_was_deleted_since() {
    let data = Data::new("keys");
    let hub = hub_of(&data).await;
    let ana = with_secret(&hub, "T", "ana@example.com").await;
    let bo = with_secret(&hub, "U", "bo@example.com").await;
    let wrapped = data_key::Entity::find().all(hub.store.db()).await.unwrap();
    assert!(wrapped.len() >= 2);
    let old = data.file("old.db");
    let made = data.backup(&old);
    assert!(made.status.success(), "{}", said(&made));
    // Neither file holds what the other has.
    for key in &wrapped {
        assert!(!holds(&old, &key.wrapped), "a key is in the data");
        assert!(holds(&data.file("old.keys"), &key.wrapped));
    }
    assert!(!holds(&data.file("old.keys"), "example.com"));
    assert!(std::fs::metadata(data.file("old.keys")).unwrap().len() < 10_000);

    hub.delete_tenant(&bo, "U").await.unwrap();
    drop(hub);
    let new = data.file("new.db");
    assert!(data.backup(&new).status.success());
    // On another machine: nothing says there what was deleted.
    std::fs::remove_dir_all(data.file("data/audit")).unwrap();

    let new_keys = data.file("new.keys");
    let (old_text, keys_text) = (old.to_str().unwrap(), new_keys.to_str().unwrap());
    let restored = data.run(&["restore", old_text, "--keys", keys_text], "");
    assert!(restored.status.success(), "{}", said(&restored));
    let hub = hub_of(&data).await;
    // With the old data itself at hand, the vault of today opens Ana's alone.
    for (tenant, subject, sealed) in sealed(&format!("sqlite://{}", old.display())).await {
        let place = Place {
            tenant,
            subject: subject.0,
            field: "webhook".into(),
            version: 1,
        };
        let opened = hub.vault.open(place, &sealed).await;
        assert_eq!(
            opened.is_ok(),
            tenant == ana.tenant(),
            "{opened:?}",
            opened = opened.err()
        );
    }
    assert_eq!(data.people().await, ["ana@example.com"]);
    let keys = data_key::Entity::find().all(hub.store.db()).await.unwrap();
    assert!(keys.iter().all(|key| key.tenant_id != bo.tenant()));
    assert!(hub.tenant_named("U").await.is_err());
    // Ana's works on.
    let row = hub.webhooks(&ana).await.unwrap().remove(0);
    hub.rotate_webhook_secret(&ana, row.webhook.id)
        .await
        .unwrap();
    let whole = data.run(&["audit", "verify"], "");
    assert!(whole.status.success(), "{}", said(&whole));
    assert!(said(&whole).contains("T: "), "{}", said(&whole));
}

#[tokio::test]
async fn data_and_keys_have_to_belong_together() {
    let data = Data::new("pairs");
    let hub = hub_of(&data).await;
    with_secret(&hub, "T", "ana@example.com").await;
    let first = data.file("first.db");
    assert!(data.backup(&first).status.success());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(data.file("first.keys")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }
    with_secret(&hub, "U", "bo@example.com").await;
    drop(hub);
    let second = data.file("second.db");
    assert!(data.backup(&second).status.success());
    let other = Data::new("others");
    with_secret(&hub_of(&other).await, "V", "eve@example.com").await;
    let theirs = other.file("theirs.db");
    assert!(other.backup(&theirs).status.success());
    let junk = data.file("junk.keys");
    std::fs::write(&junk, b"{}").unwrap();

    let with = |file: &Path, keys: &Path| {
        let (file, keys) = (file.to_str().unwrap(), keys.to_str().unwrap());
        data.run(&["restore", file, "--keys", keys], "")
    };
    for (keys, words) in [
        (
            data.file("none.keys"),
            "with the keys that were made with it",
        ),
        (junk, "no keys of Linkwell"),
        (second.clone(), "no keys of Linkwell"),
        (other.file("theirs.keys"), "of another hub"),
        (data.file("first.keys"), "are older than"),
    ] {
        let refused = with(&second, &keys);
        assert!(!refused.status.success());
        assert!(said(&refused).contains(words), "{}", said(&refused));
        assert_eq!(data.people().await, ["ana@example.com", "bo@example.com"]);
    }
    // A file that is there is not written over, and half a backup is none.
    let third = data.file("third.db");
    std::fs::write(data.file("third.keys"), b"mine").unwrap();
    let refused = data.backup(&third);
    assert!(
        said(&refused).contains("replaces no file"),
        "{}",
        said(&refused)
    );
    assert!(!third.exists());
    // Newer keys are fine.
    let done = with(&first, &data.file("second.keys"));
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(data.people().await, ["ana@example.com"]);
    assert!(data.run(&["audit", "verify"], "").status.success());
}

#[tokio::test]
async fn row_60_whose_keys_are_missing_is_not_deleted_unasked() {
    let data = Data::new("keyless");
    let hub = hub_of(&data).await;
    with_secret(&hub, "T", "ana@example.com").await;
    let bo = with_secret(&hub, "U", "bo@example.com").await;
    let kept = data_key::Entity::find().all(hub.store.db()).await.unwrap();
    let theirs = kept.into_iter().find(|key| key.tenant_id == bo.tenant());
    let theirs = theirs.expect("a key");
    let key = || data_key::Entity::delete_by_id(theirs.id);
    // An older file of keys has none of theirs.
    key().exec(hub.store.db()).await.unwrap();
    drop(hub);
    let refused = data.run(&["audit", "restored"], "");
    assert!(!refused.status.success());
    assert!(said(&refused).contains("no data key"), "{}", said(&refused));
    assert!(said(&refused).contains(": U;"), "{}", said(&refused));
    assert_eq!(data.people().await, ["ana@example.com", "bo@example.com"]);
    // Unless the operator says so. It is no deletion all the same.
    let done = data.run(&["audit", "restored", "--delete-keyless"], "");
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(data.people().await, ["ana@example.com"]);
    let noted = std::fs::read_to_string(data.file("data/audit/deletions.jsonl"));
    assert_eq!(noted.unwrap_or_default(), "");
    let whole = data.run(&["audit", "verify"], "");
    assert!(whole.status.success(), "{}", said(&whole));
}

#[test]
fn what_only_looks_makes_nothing() {
    let data = Data::new("looks");
    for audit in [
        &["audit", "verify"][..],
        &["audit", "key"],
        &["audit", "restored"],
    ] {
        let refused = data.run(audit, "");
        assert!(!refused.status.success(), "{audit:?}");
        let words = said(&refused);
        assert!(words.contains("there is no database in"), "{words}");
        assert!(!data.file("data").exists(), "{audit:?}");
    }
    let checked = data.run(&["check"], "");
    let words = said(&checked);
    assert!(checked.status.success(), "{words}");
    assert!(words.contains("Catalog: "), "{words}");
    assert!(words.contains("Database: none yet in "), "{words}");
    assert!(words.contains("Master key: none yet in "), "{words}");
    assert!(!data.file("data").exists());

    // What is there is looked at all the same.
    std::fs::create_dir(data.file("data")).unwrap();
    std::fs::write(data.file("data/master.key"), "no key").unwrap();
    let refused = data.run(&["check"], "");
    assert!(!refused.status.success());
    let words = said(&refused);
    assert!(words.contains("does not hold a master key"), "{words}");
    std::fs::remove_file(data.file("data/master.key")).unwrap();

    // A database without a key.
    assert!(data.run(&["migrate"], "").status.success());
    let key = data.file("data/master.key");
    for audit in [
        &["audit", "verify"][..],
        &["audit", "key"],
        &["audit", "restored"],
    ] {
        let refused = data.run(audit, "");
        assert!(!refused.status.success(), "{audit:?}");
        let words = said(&refused);
        assert!(words.contains("master.key is missing"), "{words}");
    }
    let checked = data.run(&["check"], "");
    let words = said(&checked);
    assert!(checked.status.success(), "{words}");
    assert!(words.contains("Database: up to date."), "{words}");
    assert!(words.contains("Master key: none yet in "), "{words}");
    assert!(!key.exists());
    assert!(!data.file("data/audit").exists());

    // With something sealed, the key that is gone is missed.
    data.add("ana@example.com");
    let checked = data.run(&["check"], "");
    let words = said(&checked);
    assert!(checked.status.success(), "{words}");
    assert!(words.contains("Master key: opens"), "{words}");
    std::fs::remove_file(&key).unwrap();
    let refused = data.run(&["check"], "");
    assert!(!refused.status.success());
    let words = said(&refused);
    assert!(words.contains("master.key is missing"), "{words}");
    assert!(!key.exists());
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let data = Data::new("modes");
    let directory = data.file("data");
    std::fs::create_dir(&directory).unwrap();
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&directory, 0o755);
    data.add("ana@example.com");
    // What an earlier version made.
    for made_before in [false, true] {
        if made_before {
            set(&data.file("data/linkwell.db"), 0o644);
            assert!(data.run(&["migrate"], "").status.success());
        }
        let mut files = vec![directory.clone()];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                let inside = std::fs::read_dir(&path).unwrap();
                files.extend(inside.map(|item| item.unwrap().path()));
                continue;
            }
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    let data = Data::new("words");
    data.add("ana@example.com");
    let same = data.file("x.keys");
    let nowhere = data.file("nothere.db");
    let (same, nowhere) = (same.to_str().unwrap(), nowhere.to_str().unwrap());
    let unread = format!("{nowhere} cannot be read");
    for (arguments, words) in [
        (&["restore", nowhere][..], &*unread),
        (&["backup", same][..], "give the keys another name"),
        (
            &["audit", "verify", "--tenant", "Nope"][..],
            "there is no organisation called Nope",
        ),
        (
            &["healthcheck", "--listen", "127.0.0.1:1"][..],
            "no hub answers at 127.0.0.1:1: ",
        ),
        (
            &["check", "--outbound-proxy", "ftp://proxy.example.com"][..],
            "http:// or https://",
        ),
        (
            &["check", "--mail-from", "hub@example.com"][..],
            "--smtp-url",
        ),
    ] {
        let refused = data.run(arguments, "");
        assert!(!refused.status.success(), "{arguments:?}");
        assert!(said(&refused).contains(words), "{}", said(&refused));
    }
    assert!(!Path::new(same).exists());

    let mistyped = "LINKWELL_PROVIDER_GOGLE_CLIENT_ID";
    let variables = [
        (mistyped, "id"),
        ("LINKWELL_PROVIDER_GOOGLE_CLIENT_ID", "id"),
    ];
    let checked = data.run_with(&variables, &["check"], "");
    let words = said(&checked);
    assert!(checked.status.success(), "{words}");
    let unused = format!("{mistyped}: not used");
    assert!(words.contains(&unused), "{words}");
    assert_eq!(words.matches("not used").count(), 1, "{words}");
}
