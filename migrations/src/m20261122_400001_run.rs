//! Uses of connections by automations, and what tenants have switched off.

use sea_orm_migration::{
    prelude::*,
    schema::{
        binary_null, boolean, integer, json_binary_null, string_len, string_len_null, text,
        timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("run")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("connection_id"))
            .col(string_len("provider", 64))
            .col(uuid("api_key_id"))
            .col(string_len("action", 100))
            .col(boolean("writes"))
            .col(text("scopes_needed"))
            .col(string_len_null("correlation_id", 200))
            .col(binary_null("idempotency_hash"))
            .col(binary_null("request_hash"))
            .col(string_len("status", 16))
            .col(string_len_null("policy", 64))
            .col(json_binary_null("failure"))
            .col(integer("pauses"))
            .col(boolean("needed_person"))
            .col(timestamp_with_time_zone_null("look_at"))
            .col(integer("looks"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("paused_at"))
            .col(timestamp_with_time_zone_null("resumed_at"))
            .col(timestamp_with_time_zone_null("started_at"))
            .col(timestamp_with_time_zone_null("finished_at"))
            .to_owned();
        manager.create_table(table).await?;
        let index = |name: &str, columns: &[&'static str]| {
            let mut index = Index::create();
            index.name(name).table("run");
            for column in columns {
                index.col(*column);
            }
            index.to_owned()
        };
        // A request that is sent twice is one run; those without a key do not clash.
        let mut once = index("run_once", &["tenant_id", "api_key_id", "idempotency_hash"]);
        manager.create_index(once.unique().to_owned()).await?;
        for (name, columns) in [
            ("run_tenant", &["tenant_id", "id"][..]),
            ("run_connection", &["connection_id", "status"]),
            ("run_look", &["status", "look_at"]),
        ] {
            manager.create_index(index(name, columns)).await?;
        }
        let switches = Table::create()
            .table("switched_off")
            .col(uuid("tenant_id"))
            .col(string_len("what", 64))
            .col(uuid_null("person_id"))
            .col(timestamp_with_time_zone("at"))
            .primary_key(Index::create().col("tenant_id").col("what"))
            .to_owned();
        manager.create_table(switches).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["switched_off", "run"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
