//! What people missed in the catalog, for whoever runs the hub.

use sea_orm_migration::{
    prelude::*,
    schema::{string_len, timestamp_with_time_zone, uuid},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("wish")
            .col(uuid("tenant_id"))
            .col(uuid("person_id"))
            .col(string_len("text", 200))
            .col(timestamp_with_time_zone("at"))
            .primary_key(
                Index::create()
                    .col("tenant_id")
                    .col("person_id")
                    .col("text"),
            )
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("wish").to_owned();
        manager.drop_table(table).await
    }
}
