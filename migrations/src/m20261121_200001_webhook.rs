//! Where a tenant's systems are told of events, and what waits to be told.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, integer, integer_null, string_len, string_len_null, text, text_null,
        timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let webhook = Table::create()
            .table("webhook")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(text("url"))
            .col(text("kinds"))
            .col(text("secret_sealed"))
            .col(text_null("previous_sealed"))
            .col(timestamp_with_time_zone_null("previous_until"))
            .col(big_integer("version"))
            .col(big_integer("told_seq"))
            .col(integer("failures"))
            .col(timestamp_with_time_zone_null("paused_until"))
            .col(timestamp_with_time_zone_null("last_ok_at"))
            .col(string_len_null("problem", 64))
            .col(timestamp_with_time_zone_null("failed_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .col(uuid_null("created_by"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(webhook).await?;
        let by_tenant = Index::create()
            .name("webhook_tenant")
            .table("webhook")
            .col("tenant_id")
            .to_owned();
        manager.create_index(by_tenant).await?;

        let delivery = Table::create()
            .table("delivery")
            .col(uuid("webhook_id"))
            .col(big_integer("seq"))
            .col(uuid("tenant_id"))
            .col(uuid_null("connection_id"))
            .col(string_len("state", 16))
            .col(integer("tries"))
            .col(timestamp_with_time_zone("next_try_at"))
            .col(timestamp_with_time_zone_null("first_try_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .col(integer_null("status"))
            .col(string_len_null("problem", 64))
            .primary_key(Index::create().col("webhook_id").col("seq"))
            .to_owned();
        manager.create_table(delivery).await?;
        let due = Index::create()
            .name("delivery_due")
            .table("delivery")
            .col("state")
            .col("next_try_at")
            .to_owned();
        manager.create_index(due).await?;
        let in_order = Index::create()
            .name("delivery_order")
            .table("delivery")
            .col("webhook_id")
            .col("connection_id")
            .col("state")
            .col("seq")
            .to_owned();
        manager.create_index(in_order).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["delivery", "webhook"] {
            let table = Table::drop().table(table).to_owned();
            manager.drop_table(table).await?;
        }
        Ok(())
    }
}
