//! Links with which a host application lets its own people connect an account,
//! and the origins a key may send them back to.

use sea_orm_migration::{
    prelude::*,
    schema::{
        binary, binary_null, string_null, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("connect_link")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("api_key_id"))
            .col(binary("secret_hash").unique_key())
            .col(text("providers"))
            .col(uuid_null("connection_id"))
            .col(text_null("return_to"))
            .col(string_null("reference"))
            // The one browser it was opened in.
            .col(binary_null("browser_hash").unique_key())
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .col(timestamp_with_time_zone_null("opened_at"))
            .col(timestamp_with_time_zone_null("used_at"))
            .col(uuid_null("result_connection_id"))
            .to_owned();
        manager.create_table(table).await?;
        let oldest = Index::create()
            .name("connect_link_expires_at")
            .table("connect_link")
            .col("expires_at")
            .to_owned();
        manager.create_index(oldest).await?;
        for (table, column) in [
            ("flow", uuid_null("link_id")),
            ("draft", uuid_null("link_id")),
            ("api_key", text("return_origins").default("").to_owned()),
        ] {
            let table = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("api_key", "return_origins"),
            ("draft", "link_id"),
            ("flow", "link_id"),
        ] {
            let table = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        let table = Table::drop().table("connect_link").to_owned();
        manager.drop_table(table).await
    }
}
