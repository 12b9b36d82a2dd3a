//! Messages of providers that were acted upon, so that none is believed twice.

use sea_orm_migration::{
    prelude::*,
    schema::{binary, timestamp_with_time_zone},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("push_message")
            .col(binary("id_hash").primary_key())
            .col(timestamp_with_time_zone("at"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("push_message").to_owned();
        manager.drop_table(table).await
    }
}
