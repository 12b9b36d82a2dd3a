//! Requests that carried an idempotency key, with what they were answered.

use sea_orm_migration::{
    prelude::*,
    schema::{binary, small_integer_null, text, text_null, timestamp_with_time_zone, uuid},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("idempotent_request")
            .col(uuid("tenant_id"))
            // The API key, or the person.
            .col(uuid("caller_id"))
            .col(binary("key_hash"))
            // Sealed, for a password can be guessed from the digest of a request.
            .col(text("request_sealed"))
            .col(small_integer_null("status"))
            .col(text_null("answer_sealed"))
            .col(timestamp_with_time_zone("started_at"))
            .primary_key(
                Index::create()
                    .col("tenant_id")
                    .col("caller_id")
                    .col("key_hash"),
            )
            .to_owned();
        manager.create_table(table).await?;
        let oldest = Index::create()
            .name("idempotent_request_started_at")
            .table("idempotent_request")
            .col("started_at")
            .to_owned();
        manager.create_index(oldest).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("idempotent_request").to_owned();
        manager.drop_table(table).await
    }
}
