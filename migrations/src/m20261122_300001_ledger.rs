//! The audit ledger: a chain of entries per tenant, who the entries are about,
//! and what was deleted and must stay so.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, binary, binary_null, string_len, string_len_null, text,
        text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let chain = Table::create()
            .table("audit_chain")
            // The nil UUID is the hub itself.
            .col(uuid("tenant_id").primary_key())
            .col(text("key_sealed"))
            .col(big_integer("seq"))
            .col(binary("hash"))
            .col(big_integer("checked_seq"))
            .col(timestamp_with_time_zone_null("checked_at"))
            .col(big_integer_null("broken_seq"))
            .to_owned();
        manager.create_table(chain).await?;

        let entry = Table::create()
            .table("audit_entry")
            .col(uuid("tenant_id"))
            .col(big_integer("seq"))
            .col(big_integer("at_us"))
            .col(string_len("actor", 16))
            .col(uuid_null("actor_id"))
            .col(string_len("deed", 48))
            .col(string_len_null("target", 16))
            .col(string_len_null("target_id", 64))
            .col(string_len("outcome", 16))
            .col(text_null("detail"))
            .col(binary_null("personal"))
            .col(binary("prev_hash"))
            .col(binary("hash"))
            .primary_key(Index::create().col("tenant_id").col("seq"))
            .to_owned();
        manager.create_table(entry).await?;
        let of_target = Index::create()
            .name("audit_entry_target")
            .table("audit_entry")
            .col("tenant_id")
            .col("target_id")
            .col("seq")
            .to_owned();
        manager.create_index(of_target).await?;

        let personal = Table::create()
            .table("audit_personal")
            .col(uuid("tenant_id"))
            .col(big_integer("seq"))
            .col(binary("salt"))
            .col(uuid_null("person_id"))
            .col(uuid_null("subject_id"))
            .col(string_len_null("address", 48))
            .col(binary_null("agent"))
            .primary_key(Index::create().col("tenant_id").col("seq"))
            .to_owned();
        manager.create_table(personal).await?;
        let of_person = Index::create()
            .name("audit_personal_person")
            .table("audit_personal")
            .col("person_id")
            .col("tenant_id")
            .to_owned();
        manager.create_index(of_person).await?;

        let deletion = Table::create()
            .table("deletion")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid_null("connection_id"))
            .col(timestamp_with_time_zone("at"))
            .to_owned();
        manager.create_table(deletion).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["deletion", "audit_personal", "audit_entry", "audit_chain"] {
            let table = Table::drop().table(table).to_owned();
            manager.drop_table(table).await?;
        }
        Ok(())
    }
}
