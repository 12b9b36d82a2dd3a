//! The half of a backup that opens the other: the data keys, each wrapped by the
//! master key, in a small file of their own.
//!
//! Keys are kept for a shorter time than data. Who was deleted is in no newer
//! file of keys, and so an old backup of data opens nothing of them.

use std::{collections::BTreeSet, io::Write, path::Path};

use chrono::{DateTime, Utc};
use hub::store::{DataKeyId, Store, data_key};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement, TransactionTrait,
    sea_query::Expr,
};
use serde::{Deserialize, Serialize};

use super::{BackupError, private_file, unwritable};
use crate::application::StartError;

/// Where a backup of data says when it was made. No database that is in use has
/// this table.
const MOMENT: &str = "backup_moment";
/// What a file of keys says that it is.
const KIND: &str = "linkwell keys 1";

/// The keys of one moment.
#[derive(Serialize, Deserialize)]
pub struct Keys {
    kind: String,
    made_at: DateTime<Utc>,
    keys: Vec<data_key::Model>,
}

impl Keys {
    /// Takes the keys out of a copy of the database. What is left of them there
    /// is which keys there were.
    pub async fn take(copy: &Store, made_at: DateTime<Utc>) -> Result<Self, StartError> {
        let db = copy.db();
        let keys = data_key::Entity::find().all(db).await?;
        // What is overwritten must not stay in pages that are free now.
        db.execute_unprepared("PRAGMA secure_delete = ON").await?;
        data_key::Entity::update_many()
            .col_expr(data_key::Column::Wrapped, Expr::value(""))
            .exec(db)
            .await?;
        let table = format!("CREATE TABLE {MOMENT} (made_at TEXT NOT NULL)");
        db.execute_unprepared(&table).await?;
        db.execute_raw(Statement::from_sql_and_values(
            db.get_database_backend(),
            format!("INSERT INTO {MOMENT} VALUES (?)"),
            [made_at.to_rfc3339().into()],
        ))
        .await?;
        db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
            .await?;
        db.execute_unprepared("VACUUM").await?;
        db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
            .await?;
        Ok(Self {
            kind: KIND.to_owned(),
            made_at,
            keys,
        })
    }

    /// Writes them into a new file that nobody else may read.
    pub fn write(&self, file: &Path) -> Result<(), StartError> {
        let text = serde_json::to_vec(self).map_err(|error| unwritable(file, error.into()))?;
        private_file(file)
            .and_then(|()| {
                let mut file = std::fs::OpenOptions::new().write(true).open(file)?;
                file.write_all(&text)?;
                file.sync_all()
            })
            .map_err(|error| unwritable(file, error))
    }

    fn read(file: &Path) -> Result<Self, BackupError> {
        let text = std::fs::read(file).map_err(|_| BackupError::NoKeys(file.to_owned()))?;
        match serde_json::from_slice::<Self>(&text) {
            Ok(keys) if keys.kind == KIND => Ok(keys),
            _ => Err(BackupError::NotKeys(file.to_owned())),
        }
    }
}

/// Puts the keys of `file` into a copy of the data whose own were taken out. A
/// database that was set aside by a restore has its own still, and needs none.
pub async fn put_back(copy: &Store, data: &Path, file: &Path) -> Result<(), StartError> {
    let db = copy.db();
    let backend = db.get_database_backend();
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?";
    let table = Statement::from_sql_and_values(backend, table, [MOMENT.into()]);
    if db.query_one_raw(table).await?.is_none() {
        return Ok(());
    }
    let moment = Statement::from_string(backend, format!("SELECT made_at FROM {MOMENT}"));
    let moment = db.query_one_raw(moment).await?;
    let moment: Option<String> = moment.map(|row| row.try_get_by_index(0)).transpose()?;
    let moment = moment.and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
    let moment = moment
        .ok_or_else(|| BackupError::Damaged(data.to_owned(), "it does not say its time".into()))?;

    let keys = Keys::read(file)?;
    let theirs = data_key::Entity::find().all(db).await?;
    let known: BTreeSet<DataKeyId> = theirs.iter().map(|key| key.id).collect();
    let is_of_this_hub = known.is_empty() || keys.keys.iter().any(|key| known.contains(&key.id));
    if !is_of_this_hub {
        return Err(BackupError::OtherKeys(file.to_owned(), data.to_owned()).into());
    }
    // A key that was made in between would be missing, as if it were deleted.
    if keys.made_at < moment {
        return Err(BackupError::OlderKeys(file.to_owned(), data.to_owned()).into());
    }
    let transaction = db.begin().await?;
    for key in keys.keys.into_iter().filter(|key| known.contains(&key.id)) {
        data_key::Entity::update_many()
            .col_expr(data_key::Column::Wrapped, Expr::value(key.wrapped))
            .col_expr(data_key::Column::Wrapper, Expr::value(key.wrapper))
            .filter(data_key::Column::Id.eq(key.id))
            .exec(&transaction)
            .await?;
    }
    // Destroyed since.
    data_key::Entity::delete_many()
        .filter(data_key::Column::Wrapped.eq(""))
        .exec(&transaction)
        .await?;
    transaction
        .execute_unprepared(&format!("DROP TABLE {MOMENT}"))
        .await?;
    Ok(transaction.commit().await?)
}
