//! Readings of connections on a schedule: those that are to come, and how those
//! ended that were.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, integer, integer_null, json_binary_null, string_len, string_len_null,
        timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sync_run")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("connection_id"))
            // The connection again until it has ended: unique, so that one
            // connection has one run to come or under way at most.
            .col(uuid_null("open_for").unique_key())
            .col(string_len("cause", 16))
            .col(timestamp_with_time_zone("due_at"))
            .col(timestamp_with_time_zone_null("paused_at"))
            .col(timestamp_with_time_zone_null("started_at"))
            .col(timestamp_with_time_zone_null("finished_at"))
            .col(integer("tries"))
            .col(string_len_null("outcome", 16))
            .col(integer_null("row_count"))
            .col(integer_null("column_count"))
            .col(json_binary_null("failure"))
            .col(uuid_null("lease_owner"))
            .col(timestamp_with_time_zone_null("lease_until"))
            .col(big_integer("fence"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(table).await?;
        let due = Index::create()
            .name("sync_run_due")
            .table("sync_run")
            .col("outcome")
            .col("due_at")
            .to_owned();
        manager.create_index(due).await?;
        let by_connection = Index::create()
            .name("sync_run_connection")
            .table("sync_run")
            .col("connection_id")
            .col("id")
            .to_owned();
        manager.create_index(by_connection).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("sync_run").to_owned();
        manager.drop_table(table).await
    }
}
