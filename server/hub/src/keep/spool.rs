//! Renewed tokens that the database could not take: sealed, one JSON line
//! each, flushed to disk before anything else happens, and written to the
//! database as soon as it answers again. Where the disk takes nothing either, they
//! are held in memory: the provider has ended the old ones already.
//!
//! Each process owns one file of the directory by a lock on it. A process that
//! starts also adopts the files of those that died.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Seek, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::store::{ConnectionId, NodeId, TenantId};

/// One renewed credential, sealed for the version it will have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns of the credential")]
pub struct Entry {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub slot: String,
    /// The version it replaces.
    pub version: i64,
    pub access_sealed: String,
    pub refresh_sealed: Option<String>,
    pub previous_refresh_sealed: Option<String>,
    pub token_type: String,
    pub obtained_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub refresh_expires_at: Option<DateTime<Utc>>,
    pub next_refresh_at: Option<DateTime<Utc>>,
}

/// The spool of this process.
pub struct Spool {
    files: Mutex<Vec<Owned>>,
    /// What neither the database nor the disk has taken yet.
    held: Mutex<Vec<Entry>>,
}

struct Owned {
    node: NodeId,
    /// Locked as long as it is open.
    file: File,
    path: PathBuf,
}

const ENDING: &str = "spool";

impl Spool {
    /// Takes a file of `directory` for this process, and those nobody holds.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut owned = Vec::new();
        for item in fs::read_dir(directory)? {
            let path = item?.path();
            if path.extension().is_some_and(|ending| ending == ENDING)
                && let Some(mine) = Owned::take(path)?
            {
                owned.push(mine);
            }
        }
        if owned.is_empty() {
            let path = directory.join(format!("{}.{ENDING}", NodeId::new()));
            owned.extend(Owned::take(path)?);
        }
        if owned.is_empty() {
            return Err(io::Error::other("no spool file could be locked"));
        }
        Ok(Self {
            files: Mutex::new(owned),
            held: Mutex::default(),
        })
    }

    /// The same, when no other process has the data directory: while this is
    /// held, no hub works on it.
    pub fn alone(directory: &Path) -> io::Result<Option<Self>> {
        let spool = Self::open(directory)?;
        let mine = |path: &Path| spool.files().iter().any(|owned| owned.path == *path);
        for item in fs::read_dir(directory)? {
            let path = item?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) && !mine(&path) {
                return Ok(None);
            }
        }
        Ok(Some(spool))
    }

    /// The node in whose name this process sends.
    pub fn node(&self) -> NodeId {
        self.files()[0].node
    }

    /// Every node whose spool this process holds: its own, and those adopted.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.files().iter().map(|owned| owned.node).collect()
    }

    /// Keeps an entry: on disk, or in memory where the disk takes nothing.
    pub fn keep(&self, entry: &Entry) {
        if let Err(error) = self.append(entry) {
            tracing::error!(
                connection.id = %entry.connection, %error,
                "neither the database nor the disk takes a renewed token: it is held in memory, \
                 and lost if this process ends before there is room"
            );
            self.held().push(entry.clone());
        }
    }

    /// Adds an entry; it is on disk when this returns.
    fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let files = self.files();
        let mut file = &files[0].file;
        let end = file.seek(io::SeekFrom::End(0))?;
        let written = file.write_all(&line).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half a line would spoil the next one.
            file.set_len(end)?;
        }
        written
    }

    /// Proves that the disk takes what may have to wait.
    pub fn prove(&self) -> io::Result<()> {
        /// What a few entries are at most.
        const SOME: [u8; 16 * 1024] = [0; 16 * 1024];
        let path = self.files()[0].path.with_extension("probe");
        let proven = File::create(&path).and_then(|mut file| {
            file.write_all(&SOME)?;
            file.sync_all()
        });
        let _ = fs::remove_file(&path);
        proven
    }

    /// Everything that waits, oldest first within each file. A line cut short
    /// by a crash is skipped: its write was never reported as done.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = read_all(&self.files())?;
        entries.extend(self.held().iter().cloned());
        Ok(entries)
    }

    /// Empties the spool if `done` is all it holds. Entries are never cut out
    /// one by one: writing one to the database twice changes nothing, and a
    /// file that is rewritten could be lost half-way.
    pub fn clear(&self, done: &[Entry]) -> io::Result<()> {
        self.held().retain(|entry| !done.contains(entry));
        let files = self.files();
        if read_all(&files)?.iter().any(|entry| !done.contains(entry)) {
            return Ok(());
        }
        for owned in files.iter() {
            owned.file.set_len(0)?;
            owned.file.sync_all()?;
        }
        Ok(())
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        let is_empty = |owned: &Owned| owned.file.metadata().is_ok_and(|meta| meta.len() == 0);
        self.held().is_empty() && self.files().iter().all(is_empty)
    }

    fn held(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, Vec<Owned>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_all(files: &[Owned]) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for owned in files {
        let mut file = &owned.file;
        file.rewind()?;
        for line in BufReader::new(file).lines() {
            match serde_json::from_str(&line?) {
                Ok(entry) => entries.push(entry),
                Err(_) => tracing::warn!(
                    spool.file = %owned.path.display(),
                    "a spool line is incomplete and was skipped"
                ),
            }
        }
    }
    Ok(entries)
}

impl Owned {
    /// Opens and locks a file; none when another process holds it.
    fn take(path: PathBuf) -> io::Result<Option<Self>> {
        let Some(node) = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| stem.parse().ok())
        else {
            return Ok(None);
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { node, file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
