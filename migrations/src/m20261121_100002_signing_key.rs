//! The keys that sign short-lived tokens.

use sea_orm_migration::{
    prelude::*,
    schema::{string_len, text, timestamp_with_time_zone, uuid},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("signing_key")
            .col(uuid("id").primary_key())
            .col(string_len("public_key", 64))
            .col(text("private_sealed"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("signing_key").to_owned();
        manager.drop_table(table).await
    }
}
