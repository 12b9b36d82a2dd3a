//! Backups of the database inside: a copy that is whole although the hub goes
//! on working, and its way back.
//!
//! A backup is two files: the data, and the data keys. The master key is in
//! neither. Each alone opens nothing, and they are to be kept apart, the keys for
//! a shorter time.

mod keys;

use std::{
    io,
    path::{Path, PathBuf},
};

use hub::{
    clock::Clock,
    keep::spool::Spool,
    store::Store,
    vault::{MasterKeyError, Vault, VaultError},
};
use keys::Keys;
use migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement};

use crate::{
    application::{self, StartError},
    config::Place,
};

/// Why a backup was not made or not restored; nothing was changed then.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages are the documentation")]
pub enum BackupError {
    #[error("the database is PostgreSQL: use pg_dump and pg_restore, see docs/operating.md")]
    NotInside,
    #[error("there is no database in {0}")]
    Nothing(PathBuf),
    #[error("{0} is there already; a backup replaces no file")]
    Taken(PathBuf),
    #[error(
        "{0} cannot be the file of the data and that of the keys: give the keys another name, see --keys"
    )]
    SameFile(PathBuf),
    #[error("{0} is no backup of Linkwell, or it is damaged: {1}")]
    Damaged(PathBuf, String),
    #[error("{0} was made by a newer Linkwell; restore it with that one")]
    Newer(PathBuf),
    #[error("the master key does not open {0}; restore the key that belongs to it first")]
    OtherKey(PathBuf),
    #[error(
        "{0} cannot be read: a backup is restored with the keys that were made with it or later, see --keys"
    )]
    NoKeys(PathBuf),
    #[error("{0} holds no keys of Linkwell, or it is damaged")]
    NotKeys(PathBuf),
    #[error("the keys in {0} are of another hub than {1}")]
    OtherKeys(PathBuf, PathBuf),
    #[error("the keys in {0} are older than {1}: use those that were made with it or later")]
    OlderKeys(PathBuf, PathBuf),
    #[error("a hub is running on {0}; stop it first")]
    Running(PathBuf),
    #[error("{path} cannot be read: {error}")]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{path} cannot be written: {error}")]
    File { path: PathBuf, error: io::Error },
}

/// What restoring did.
pub struct Restored {
    /// Where the database is that was there before.
    pub before: Option<PathBuf>,
}

/// The file of keys that belongs to a backup when none is named: `monday.keys`
/// beside `monday.db`.
pub fn keys_of(file: &Path) -> PathBuf {
    file.with_extension("keys")
}

/// Copies the database into `file` and its data keys into `keys`, which must not
/// be there. The copy is of one moment, and is read once more before this
/// returns.
///
/// # Errors
/// [`BackupError`] in a [`StartError`].
pub async fn write(place: &Place, file: &Path, keys: &Path) -> Result<(), StartError> {
    let database = inside(place)?;
    if !database.exists() {
        return Err(BackupError::Nothing(place.data.clone()).into());
    }
    if file == keys {
        return Err(BackupError::SameFile(file.to_owned()).into());
    }
    if let Some(taken) = [file, keys].into_iter().find(|path| path.exists()) {
        return Err(BackupError::Taken(taken.to_owned()).into());
    }
    // Nobody else may read it, and a link that waits there is not followed.
    private_file(file).map_err(|error| unwritable(file, error))?;
    let written = async {
        let store = Store::open(&place.database_url()).await?;
        let made_at = Clock::system().now();
        let into = Statement::from_sql_and_values(
            DatabaseBackend::Sqlite,
            "VACUUM INTO ?",
            [file.to_string_lossy().into_owned().into()],
        );
        store.db().execute_raw(into).await?;
        let copy = sound(file).await?;
        let taken = Keys::take(&copy, made_at).await?;
        close(copy).await?;
        close(sound(file).await?).await?;
        taken.write(keys)
    };
    let written: Result<(), StartError> = written.await;
    if written.is_err() {
        forget(file);
        forget(keys);
    }
    written
}

/// Puts a backup in the place of the database, opened by `keys`. The one before
/// is kept beside it.
///
/// # Errors
/// [`BackupError`] in a [`StartError`]; the database is as it was.
pub async fn restore(place: &Place, file: &Path, keys: &Path) -> Result<Restored, StartError> {
    let database = inside(place)?;
    std::fs::File::open(file).map_err(|error| BackupError::Unreadable {
        path: file.to_owned(),
        error,
    })?;
    application::create_private_directory(&place.data)?;
    let spool = place.data.join("spool");
    // Held until the end: a hub that starts meanwhile waits for nothing, but
    // another restore does.
    let alone = Spool::alone(&spool).map_err(|error| unwritable(&spool, error))?;
    let Some(_alone) = alone else {
        return Err(BackupError::Running(place.data.clone()).into());
    };
    // Everything is tried on a copy; the last step is a rename.
    let copy = place.data.join("restoring.db");
    let _ = std::fs::remove_file(&copy);
    private_file(&copy).map_err(|error| unwritable(&copy, error))?;
    if let Err(error) = std::fs::copy(file, &copy) {
        forget(&copy);
        return Err(unwritable(&copy, error));
    }
    // A copy may be read by whom its source may be read by.
    application::keep_private(&copy);
    if let Err(error) = prove(place, file, keys, &copy).await {
        forget(&copy);
        return Err(error);
    }
    let before = match database.exists() {
        false => None,
        true => {
            let moment = Clock::system().now().format("%Y%m%dT%H%M%SZ");
            let kept = place.data.join(format!("before-restore-{moment}.db"));
            // What is still in the log belongs into it.
            let store = Store::open(&place.database_url()).await?;
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            store.db().execute_unprepared(checkpoint).await?;
            drop(store);
            std::fs::rename(&database, &kept).map_err(|error| unwritable(&kept, error))?;
            Some(kept)
        }
    };
    forget(&database);
    std::fs::rename(&copy, &database).map_err(|error| unwritable(&database, error))?;
    Ok(Restored { before })
}

/// Whether the copy is whole, ours, not of the future, and opened by our key.
async fn prove(place: &Place, file: &Path, keys: &Path, copy: &Path) -> Result<(), StartError> {
    let store = sound(copy).await.map_err(|error| match error {
        // It is the person's file that is wrong, not the copy.
        StartError::Backup(BackupError::Damaged(_, why)) => {
            BackupError::Damaged(file.to_owned(), why).into()
        }
        error => error,
    })?;
    let known: Vec<String> = Migrator::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    let applied = "SELECT version FROM seaql_migrations";
    let applied = Statement::from_string(DatabaseBackend::Sqlite, applied);
    for row in store.db().query_all_raw(applied).await? {
        let version: String = row.try_get_by_index(0)?;
        if !known.contains(&version) {
            return Err(BackupError::Newer(file.to_owned()).into());
        }
    }
    keys::put_back(&store, file, keys).await?;
    application::migrate(&store).await?;
    let other_key = || StartError::Backup(BackupError::OtherKey(file.to_owned()));
    let wrapper = place.master_key(false).map_err(|error| match error {
        MasterKeyError::Missing(_) => other_key(),
        error => error.into(),
    })?;
    let vault = Vault::new(store.clone(), Clock::system(), std::sync::Arc::new(wrapper));
    match vault.prove_master_key().await {
        Err(VaultError::WrongMasterKey) => return Err(other_key()),
        proven => proven?,
    }
    // One file: what is in its log goes in.
    store
        .db()
        .execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
        .await?;
    Ok(())
}

/// Closes a copy: who is last puts its log into the file, and takes it away.
async fn close(store: Store) -> Result<(), StartError> {
    Ok(store.db().clone().close().await?)
}

/// Opens a copy and reads it through.
async fn sound(file: &Path) -> Result<Store, StartError> {
    let damaged = |why: String| StartError::Backup(BackupError::Damaged(file.to_owned(), why));
    let of_file = |error: DbErr| damaged(error.to_string());
    let store = Store::open(&format!("sqlite://{}", file.display()))
        .await
        .map_err(of_file)?;
    let ask = async |question: &str| {
        let question = Statement::from_string(DatabaseBackend::Sqlite, question);
        let row = store.db().query_one_raw(question).await.map_err(of_file)?;
        let text = row.map(|row| row.try_get_by_index::<String>(0));
        text.transpose().map_err(of_file)
    };
    match ask("PRAGMA integrity_check").await? {
        Some(fine) if fine == "ok" => {}
        other => return Err(damaged(other.unwrap_or_default())),
    }
    let tenants = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'tenant'";
    match ask(tenants).await? {
        Some(_) => Ok(store),
        None => Err(damaged("it has other tables".into())),
    }
}

/// Whether the database that `place` names is there, as far as that is seen without
/// asking it: opening one makes it.
pub(crate) fn is_there(place: &Place) -> bool {
    inside(place).map_or(true, |database| database.exists())
}

/// The file of the database inside.
fn inside(place: &Place) -> Result<PathBuf, BackupError> {
    match place.database {
        Some(_) => Err(BackupError::NotInside),
        None => Ok(place.data.join("linkwell.db")),
    }
}

/// Takes a database away with its log.
fn forget(database: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut path = database.as_os_str().to_owned();
        path.push(ending);
        let _ = std::fs::remove_file(PathBuf::from(path));
    }
}

/// Makes an empty file that nobody but its owner may read.
pub(crate) fn private_file(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

fn unwritable(path: &Path, error: io::Error) -> StartError {
    BackupError::File {
        path: path.to_owned(),
        error,
    }
    .into()
}
