//! PostgreSQL's own guard over rows of tenants: whoever has not said for whom
//! they work sees none and writes none, however a query is written.
//!
//! They say it in the setting `linkwell.tenant`: the ids of tenants with commas
//! between them, or `every`. SQLite has no such guard.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Whom the work at hand is for; read once per statement.
const REACH: &str = "(SELECT string_to_array(current_setting('linkwell.tenant', true), ','))";

/// Guards a table by the column that names its tenant. Every migration that makes
/// such a table calls this.
///
/// # Errors
/// When the database refuses.
pub async fn guard(manager: &SchemaManager<'_>, table: &str, column: &str) -> Result<(), DbErr> {
    let theirs = format!("{REACH} && ARRAY['every', {column}::text]");
    guard_by(manager, table, &theirs).await
}

/// Guards a table whose rows belong to a connection, and by it to a tenant.
///
/// # Errors
/// When the database refuses.
pub async fn guard_by_connection(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    // What can be seen of the other table is guarded there.
    let theirs = format!(
        "{REACH} && ARRAY['every'] \
         OR EXISTS (SELECT FROM connection WHERE connection.id = {table}.connection_id)"
    );
    guard_by(manager, table, &theirs).await
}

async fn guard_by(manager: &SchemaManager<'_>, table: &str, theirs: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    // Forced: the tables belong to the hub's own role.
    manager
        .get_connection()
        .execute_unprepared(&format!(
            "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; \
             ALTER TABLE {table} FORCE ROW LEVEL SECURITY; \
             CREATE POLICY linkwell_tenant ON {table} USING ({theirs}) WITH CHECK ({theirs})"
        ))
        .await
        .map(|_| ())
}

/// Takes the guard off a table.
///
/// # Errors
/// When the database refuses.
pub async fn unguard(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    manager
        .get_connection()
        .execute_unprepared(&format!(
            "DROP POLICY linkwell_tenant ON {table}; \
             ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; \
             ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
        ))
        .await
        .map(|_| ())
}
