//! Guards the rows of tenants, on PostgreSQL.

use sea_orm_migration::prelude::*;

use crate::row_security::{guard, guard_by_connection, unguard};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The tables with a column that names their tenant.
const OF_TENANTS: [&str; 29] = [
    "alarm",
    "api_key",
    "attempt",
    "audit_chain",
    "audit_entry",
    "audit_personal",
    "connect_link",
    "connection",
    "credential",
    "data_key",
    "deletion",
    "delivery",
    "draft",
    "event",
    "flow",
    "flow_outcome",
    "idempotent_request",
    "mail",
    "mail_choice",
    "member",
    "notice",
    "provider_app",
    "run",
    "switched_off",
    "sync_run",
    "token_read",
    "watcher",
    "webhook",
    "wish",
];
/// The others whose rows belong to one, by their connection.
const OF_CONNECTIONS: [&str; 2] = ["provider_fault", "refresh_attempt"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        guard(manager, "tenant", "id").await?;
        for table in OF_TENANTS {
            guard(manager, table, "tenant_id").await?;
        }
        for table in OF_CONNECTIONS {
            guard_by_connection(manager, table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in OF_TENANTS.iter().chain(&OF_CONNECTIONS) {
            unguard(manager, table).await?;
        }
        unguard(manager, "tenant").await
    }
}
