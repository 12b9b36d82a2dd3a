//! Deleting all that belongs to somebody. What belongs to a connection, a
//! person or a tenant is every row that has its id in a column of that name:
//! the database itself is asked which tables those are, so that no table can be
//! forgotten here.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Alias, Condition, Expr, Query};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExprTrait, Statement};
use uuid::Uuid;

use super::{ConnectionId, PersonId, TenantId};

/// What tells of deletions outlives them.
const KEPT: &str = "deletion";
/// The ledger tells what was done to things and people that are no more; it
/// goes with its tenant.
const LEDGER: &str = "audit_";
/// The ending of columns that hold something sealed.
const SEALED: &str = "_sealed";

/// Each table with its columns.
type Tables = BTreeMap<String, Vec<String>>;

/// Deletes every row of a connection.
pub async fn connection(db: &impl ConnectionTrait, id: ConnectionId) -> Result<(), DbErr> {
    let mut tables = tables(db).await?;
    tables.retain(|table, _| !table.starts_with(LEDGER));
    let columns = ["connection_id", "result_connection_id"];
    rows(db, &tables, &columns, id.0).await?;
    tables.retain(|table, _| table == "connection");
    rows(db, &tables, &["id"], id.0).await
}

/// Deletes every row of a tenant.
pub async fn tenant(db: &impl ConnectionTrait, id: TenantId) -> Result<(), DbErr> {
    let mut tables = tables(db).await?;
    rows(db, &tables, &["tenant_id"], id.0).await?;
    sessions(db, id.0).await?;
    tables.retain(|table, _| table == "tenant");
    rows(db, &tables, &["id"], id.0).await
}

/// Deletes every row of a person. In the ledgers they are wiped.
pub async fn person(db: &impl ConnectionTrait, id: PersonId) -> Result<(), DbErr> {
    let mut tables = tables(db).await?;
    rows(db, &tables, &["person_id", "subject_id"], id.0).await?;
    sessions(db, id.0).await?;
    tables.retain(|table, _| table == "person");
    rows(db, &tables, &["id"], id.0).await
}

/// Overwrites what is sealed, then deletes: a page that the database keeps for
/// reuse holds nothing.
async fn rows(
    db: &impl ConnectionTrait,
    tables: &Tables,
    columns: &[&str],
    id: Uuid,
) -> Result<(), DbErr> {
    for (table, has) in tables {
        let mut theirs = Condition::any();
        for column in columns
            .iter()
            .filter(|it| has.iter().any(|has| has == **it))
        {
            theirs = theirs.add(Expr::col(Alias::new(*column)).eq(id));
        }
        if theirs.is_empty() {
            continue;
        }
        let sealed: Vec<&String> = has.iter().filter(|it| it.ends_with(SEALED)).collect();
        if !sealed.is_empty() {
            let mut blank = Query::update();
            blank.table(Alias::new(table.as_str()));
            for column in sealed {
                blank.value(Alias::new(column.as_str()), "");
            }
            db.execute(blank.cond_where(theirs.clone())).await?;
        }
        let mut delete = Query::delete();
        delete.from_table(Alias::new(table.as_str()));
        db.execute(delete.cond_where(theirs)).await?;
    }
    Ok(())
}

/// Sessions are found by their cookies alone; whose they are is in their data.
async fn sessions(db: &impl ConnectionTrait, id: Uuid) -> Result<(), DbErr> {
    let theirs = Expr::col(Alias::new("data")).like(format!("%{id}%"));
    let mut delete = Query::delete();
    delete.from_table(Alias::new("session")).and_where(theirs);
    db.execute(&delete).await.map(|_| ())
}

async fn tables(db: &impl ConnectionTrait) -> Result<Tables, DbErr> {
    let backend = db.get_database_backend();
    let columns = match backend {
        DbBackend::Postgres => {
            "SELECT table_name::text, column_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema()"
        }
        _ => {
            "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
             WHERE m.type = 'table'"
        }
    };
    let mut tables = Tables::new();
    for row in db
        .query_all_raw(Statement::from_string(backend, columns))
        .await?
    {
        let (table, column): (String, String) =
            (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        if table != KEPT {
            tables.entry(table).or_default().push(column);
        }
    }
    Ok(tables)
}
