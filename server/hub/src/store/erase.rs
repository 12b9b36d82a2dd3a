//! Deleting all that belongs to somebody. What belongs to a connection, a
//! person or a tenant is every row that has its id in a column of that name:
//! the database itself is asked which tables those are, so that no table can be
//! forgotten here.
//!
//! A person's own rows have their id in a column that is never empty. Where it
//! may be empty, the row is somebody else's and only says who did it: it stays,
//! and says it no more.

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

/// The columns that say whose a row is, or who did it.
const PEOPLE: [&str; 5] = [
    "person_id",
    "subject_id",
    "by_person_id",
    "created_by",
    // Of requests: a person, or a key, whose ids are never the same.
    "caller_id",
];
/// A link is somebody's by whom it was mailed to, though it may be nobody's.
const LINK: &str = "connect_link";

/// Each table with its columns, and whether each may be empty.
type Tables = BTreeMap<String, BTreeMap<String, bool>>;

/// Locks what erasing a tenant touches, in the order in which saves do: credentials,
/// connections, the tenant with its events, and its ledger last. Without it, each would
/// wait for the other in a circle. SQLite has one writer as it is.
pub async fn lock_tenant(db: &impl ConnectionTrait, id: TenantId) -> Result<(), DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for (table, column) in [
        ("credential", "tenant_id"),
        ("connection", "tenant_id"),
        ("tenant", "id"),
        ("audit_chain", "tenant_id"),
    ] {
        let mut lock = Query::select();
        lock.column(Alias::new(column))
            .from(Alias::new(table))
            .and_where(Expr::col(Alias::new(column)).eq(id.0))
            .lock_exclusive();
        db.query_all(&lock).await?;
    }
    Ok(())
}

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

/// Deletes every row of a person, and their name for what others own. In the
/// ledgers they are wiped by who says there how much that was.
pub async fn person(db: &impl ConnectionTrait, id: PersonId) -> Result<(), DbErr> {
    let mut tables = tables(db).await?;
    tables.retain(|table, _| !table.starts_with(LEDGER));
    people(db, &tables, id, &|_| Some(Condition::all())).await?;
    sessions(db, id.0).await?;
    tables.retain(|table, _| table == "person");
    rows(db, &tables, &["id"], id.0).await
}

/// The same of what one tenant knows of a person.
pub async fn person_of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    id: PersonId,
) -> Result<(), DbErr> {
    let mut tables = tables(db).await?;
    tables.retain(|table, _| !table.starts_with(LEDGER));
    let of_tenant = |has: &BTreeMap<String, bool>| {
        let column = |name: &'static str| Expr::col(Alias::new(name));
        if has.contains_key("tenant_id") {
            return Some(Condition::all().add(column("tenant_id").eq(tenant.0)));
        }
        let connections = Query::select()
            .column(Alias::new("id"))
            .from(Alias::new("connection"))
            .and_where(column("tenant_id").eq(tenant.0))
            .to_owned();
        has.contains_key("connection_id")
            .then(|| Condition::all().add(column("connection_id").in_subquery(connections)))
    };
    people(db, &tables, id, &of_tenant).await
}

/// Deletes and empties what tells of a person, in the rows that `within` leaves
/// of a table with these columns.
async fn people(
    db: &impl ConnectionTrait,
    tables: &Tables,
    id: PersonId,
    within: &(dyn Fn(&BTreeMap<String, bool>) -> Option<Condition> + Sync),
) -> Result<(), DbErr> {
    for (table, has) in tables {
        let Some(within) = within(has) else {
            continue;
        };
        let mut own = Condition::any();
        for column in PEOPLE {
            let Some(may_be_empty) = has.get(column) else {
                continue;
            };
            let named = Expr::col(Alias::new(column)).eq(id.0);
            if !may_be_empty || table == LINK {
                own = own.add(named);
                continue;
            }
            let mut blank = Query::update();
            blank
                .table(Alias::new(table.as_str()))
                .value(Alias::new(column), Option::<Uuid>::None)
                .cond_where(within.clone().add(named));
            db.execute(&blank).await?;
        }
        if !own.is_empty() {
            delete(db, table, has, within.add(own)).await?;
        }
    }
    Ok(())
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
        for column in columns.iter().filter(|it| has.contains_key(**it)) {
            theirs = theirs.add(Expr::col(Alias::new(*column)).eq(id));
        }
        if theirs.is_empty() {
            continue;
        }
        delete(db, table, has, theirs).await?;
    }
    Ok(())
}

async fn delete(
    db: &impl ConnectionTrait,
    table: &str,
    has: &BTreeMap<String, bool>,
    theirs: Condition,
) -> Result<(), DbErr> {
    let sealed: Vec<&String> = has.keys().filter(|it| it.ends_with(SEALED)).collect();
    if !sealed.is_empty() {
        let mut blank = Query::update();
        blank.table(Alias::new(table));
        for column in sealed {
            blank.value(Alias::new(column.as_str()), "");
        }
        db.execute(blank.cond_where(theirs.clone())).await?;
    }
    let mut delete = Query::delete();
    delete.from_table(Alias::new(table));
    db.execute(delete.cond_where(theirs)).await.map(|_| ())
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
            "SELECT table_name::text, column_name::text, is_nullable::text FROM information_schema.columns \
             WHERE table_schema = current_schema()"
        }
        _ => {
            "SELECT m.name, c.name, CASE c.\"notnull\" WHEN 0 THEN 'YES' ELSE 'NO' END FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
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
        let may_be_empty: String = row.try_get_by_index(2)?;
        if table != KEPT {
            let has = tables.entry(table).or_default();
            has.insert(column, may_be_empty == "YES");
        }
    }
    Ok(tables)
}
