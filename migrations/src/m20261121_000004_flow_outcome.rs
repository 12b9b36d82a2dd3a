//! How flows ended, kept longer than the flows: how long signing in takes, and
//! how often it works.

use sea_orm_migration::{
    prelude::*,
    schema::{boolean, string_len, string_len_null, timestamp_with_time_zone, uuid},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("flow_outcome")
            .col(uuid("flow_id").primary_key())
            .col(uuid("tenant_id"))
            .col(string_len("provider", 64))
            .col(boolean("is_repair"))
            .col(timestamp_with_time_zone("began_at"))
            .col(timestamp_with_time_zone("ended_at"))
            .col(string_len("status", 16))
            .col(string_len_null("failure_code", 40))
            .to_owned();
        manager.create_table(table).await?;
        let newest = Index::create()
            .name("flow_outcome_ended_at")
            .table("flow_outcome")
            .col("ended_at")
            .to_owned();
        manager.create_index(newest).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("flow_outcome").to_owned();
        manager.drop_table(table).await
    }
}
