//! How attempts ended: to connect, repair, renew, check, clear and run.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer_null, boolean_null, integer, string_len, string_len_null,
        timestamp_with_time_zone, uuid,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("attempt")
            // A run's own id, or one of its own.
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(timestamp_with_time_zone("at"))
            .col(string_len("provider", 64))
            .col(string_len("kind", 16))
            .col(string_len("auth_mode", 24))
            .col(string_len_null("failure_code", 40))
            .col(string_len_null("failure_detail", 100))
            .col(string_len_null("recovery", 16))
            .col(boolean_null("recovered"))
            .col(integer("attempts"))
            .col(big_integer_null("time_to_success_ms"))
            .col(big_integer_null("time_to_detect_ms"))
            .to_owned();
        manager.create_table(table).await?;
        let by_tenant = Index::create()
            .name("attempt_tenant")
            .table("attempt")
            .col("tenant_id")
            .col("at")
            .to_owned();
        manager.create_index(by_tenant).await?;
        let by_age = Index::create()
            .name("attempt_at")
            .table("attempt")
            .col("at")
            .to_owned();
        manager.create_index(by_age).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("attempt").to_owned();
        manager.drop_table(table).await
    }
}
