//! Providers that fail for many connections at once, and how fast each may be
//! called.

use sea_orm_migration::{
    prelude::*,
    schema::{string_len, timestamp_with_time_zone, uuid},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let fault = Table::create()
            .table("provider_fault")
            .col(string_len("provider", 128))
            .col(uuid("connection_id"))
            .col(timestamp_with_time_zone("at"))
            .primary_key(Index::create().col("provider").col("connection_id"))
            .to_owned();
        manager.create_table(fault).await?;
        let recent = Index::create()
            .name("provider_fault_recent")
            .table("provider_fault")
            .col("provider")
            .col("at")
            .to_owned();
        manager.create_index(recent).await?;
        let trouble = Table::create()
            .table("provider_trouble")
            .col(string_len("provider", 128).primary_key())
            .col(timestamp_with_time_zone("since"))
            .col(timestamp_with_time_zone("next_try_at"))
            .to_owned();
        manager.create_table(trouble).await?;
        let pace = Table::create()
            .table("provider_pace")
            .col(string_len("app_id", 128).primary_key())
            .col(timestamp_with_time_zone("free_at"))
            .to_owned();
        manager.create_table(pace).await?;
        // How many connections of a provider worked a moment ago.
        let working = Index::create()
            .name("connection_working")
            .table("connection")
            .col("provider")
            .col("last_ok_at")
            .to_owned();
        manager.create_index(working).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let working = Index::drop()
            .name("connection_working")
            .table("connection")
            .to_owned();
        manager.drop_index(working).await?;
        for table in ["provider_pace", "provider_trouble", "provider_fault"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
