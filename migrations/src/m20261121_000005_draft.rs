//! What a person has entered so far of a connection that takes several answers.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, json_binary, json_binary_null, string_len, string_len_null, text_null,
        timestamp_with_time_zone, uuid, uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("draft")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("person_id"))
            .col(string_len("provider", 64))
            .col(uuid_null("connection_id"))
            .col(string_len("stage", 16))
            .col(string_len_null("asking", 80))
            .col(string_len("skin", 8))
            .col(json_binary("answers"))
            .col(text_null("secrets_sealed"))
            .col(big_integer("version"))
            .col(json_binary("talk"))
            .col(json_binary_null("failure"))
            .col(timestamp_with_time_zone("updated_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .to_owned();
        manager.create_table(table).await?;
        let by_person = Index::create()
            .name("draft_person")
            .table("draft")
            .col("tenant_id")
            .col("person_id")
            .to_owned();
        manager.create_index(by_person).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("draft").to_owned();
        manager.drop_table(table).await
    }
}
