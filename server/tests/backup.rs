//! Backup and restore, with the program itself: what was there comes back, and
//! what must not happen does not.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use sea_orm::{ConnectionTrait, Database, DatabaseBackend, Statement};

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
        let mut child = Command::new(env!("CARGO_BIN_EXE_linkwell"))
            .args(arguments)
            .env_clear()
            .env("LINKWELL_DATA", self.file("data"))
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
        secret::Secret,
        store::Store,
        vault::{MasterKey, Place, Vault},
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
