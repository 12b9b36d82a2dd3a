//! Tenants and their people, provider apps, connections with their sealed
//! credentials, flows, refresh attempts, events and token reads.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// SQLite runs a migration outside a transaction unless it says otherwise.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            people(),
            tenants(),
            vault(),
            connections(),
            flows(),
            record(),
        ]
        .into_iter()
        .flatten()
        {
            manager.create_table(table).await?;
        }
        for index in [
            Index::create()
                .name("idx_connection_account")
                .table("connection")
                .col("tenant_id")
                .col("provider")
                .col("external_id")
                .unique()
                .to_owned(),
            Index::create()
                .name("idx_credential_due")
                .table("credential")
                .col("next_refresh_at")
                .to_owned(),
            Index::create()
                .name("idx_refresh_attempt_credential")
                .table("refresh_attempt")
                .col("connection_id")
                .col("slot")
                .col("phase")
                .to_owned(),
            Index::create()
                .name("idx_flow_person")
                .table("flow")
                .col("person_id")
                .col("handle")
                .to_owned(),
            Index::create()
                .name("idx_event_connection")
                .table("event")
                .col("connection_id")
                .col("seq")
                .to_owned(),
            Index::create()
                .name("idx_token_read_connection")
                .table("token_read")
                .col("connection_id")
                .col("at")
                .to_owned(),
            Index::create()
                .name("idx_session_expires")
                .table("session")
                .col("expires_at")
                .to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).to_owned()
}

fn at(name: &'static str) -> ColumnDef {
    timestamp_with_time_zone(name)
}

fn at_null(name: &'static str) -> ColumnDef {
    timestamp_with_time_zone_null(name)
}

fn people() -> Vec<TableCreateStatement> {
    vec![
        table("person")
            .col(uuid("id").primary_key())
            .col(string("email").unique_key())
            .col(string("name"))
            .col(string("password_hash"))
            // Raised to end every session of the person at once.
            .col(integer("session_epoch"))
            .col(at("created_at"))
            .to_owned(),
        table("session")
            .col(binary("id_hash").primary_key())
            .col(text("data"))
            .col(big_integer("expires_at"))
            .to_owned(),
    ]
}

fn tenants() -> Vec<TableCreateStatement> {
    vec![
        table("tenant")
            .col(uuid("id").primary_key())
            .col(string("name").unique_key())
            .col(big_integer("event_seq"))
            .col(at("created_at"))
            .to_owned(),
        table("member")
            .col(uuid("tenant_id"))
            .col(uuid("person_id"))
            .col(string_len("role", 16))
            .col(at("created_at"))
            .primary_key(Index::create().col("tenant_id").col("person_id"))
            .to_owned(),
        table("api_key")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(string("name"))
            .col(binary("secret_hash").unique_key())
            .col(string_len("hint", 8))
            .col(string("scopes"))
            .col(uuid_null("created_by"))
            .col(at("created_at"))
            .col(at_null("last_used_at"))
            .col(at_null("revoked_at"))
            .to_owned(),
        table("provider_app")
            .col(uuid("tenant_id"))
            .col(string("app"))
            .col(string("client_id"))
            .col(text("client_secret_sealed"))
            .col(integer("version"))
            .col(at("updated_at"))
            .primary_key(Index::create().col("tenant_id").col("app"))
            .to_owned(),
    ]
}

fn vault() -> Vec<TableCreateStatement> {
    vec![
        table("data_key")
            .col(uuid("id").primary_key())
            // The nil UUID is the hub itself.
            .col(uuid("tenant_id"))
            .col(string("wrapper"))
            .col(text("wrapped"))
            .col(at("created_at"))
            .to_owned(),
    ]
}

fn connections() -> Vec<TableCreateStatement> {
    vec![
        table("connection")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(string("provider"))
            .col(string_null("external_id"))
            .col(string("account_label"))
            .col(string_null("display_name"))
            .col(json_binary("variables"))
            .col(text("scopes_asked"))
            .col(text_null("scopes_granted"))
            .col(uuid_null("created_by"))
            .col(at("created_at"))
            .col(at_null("last_ok_at"))
            .col(json_binary_null("failure"))
            .col(at_null("failed_at"))
            .col(at_null("disconnected_at"))
            .col(string_null("revocation"))
            .to_owned(),
        table("credential")
            .col(uuid("connection_id"))
            .col(string_len("slot", 16))
            .col(uuid("tenant_id"))
            .col(text("access_sealed"))
            .col(text_null("refresh_sealed"))
            .col(text_null("previous_refresh_sealed"))
            .col(string("token_type"))
            .col(at("obtained_at"))
            .col(at_null("expires_at"))
            .col(at_null("refresh_expires_at"))
            .col(big_integer("version"))
            .col(at_null("next_refresh_at"))
            .col(uuid_null("lease_owner"))
            .col(at_null("lease_until"))
            .col(big_integer("fence"))
            .col(integer("failures"))
            .col(json_binary_null("failure"))
            .col(at_null("failed_at"))
            .primary_key(Index::create().col("connection_id").col("slot"))
            .to_owned(),
        table("refresh_attempt")
            .col(uuid("id").primary_key())
            .col(uuid("connection_id"))
            .col(string_len("slot", 16))
            .col(big_integer("fence"))
            .col(big_integer("version"))
            .col(binary("fingerprint"))
            .col(uuid("node_id"))
            .col(string_len("phase", 16))
            .col(string_null("outcome"))
            .col(at("started_at"))
            .col(at_null("finished_at"))
            .to_owned(),
        // One row per data directory: who may hold an unsaved answer in its spool.
        table("node")
            .col(uuid("id").primary_key())
            .col(at("spool_empty_at"))
            .to_owned(),
    ]
}

fn flows() -> Vec<TableCreateStatement> {
    vec![
        table("flow")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("person_id"))
            .col(binary("session_hash"))
            .col(string("provider"))
            .col(string_null("handle"))
            .col(uuid_null("connection_id"))
            .col(binary("state_hash").unique_key())
            .col(binary_null("verifier_hash"))
            .col(json_binary("variables"))
            .col(text("scopes"))
            .col(string("redirect_uri"))
            .col(boolean("popup"))
            .col(at("created_at"))
            .col(at("expires_at"))
            .col(at_null("consumed_at"))
            .col(string_len("status", 16))
            .col(uuid_null("result_connection_id"))
            .col(json_binary_null("failure"))
            // What waits for the person's answer when another account signed in.
            .col(text_null("held_sealed"))
            .to_owned(),
    ]
}

fn record() -> Vec<TableCreateStatement> {
    vec![
        table("event")
            .col(uuid("tenant_id"))
            .col(big_integer("seq"))
            .col(uuid("id"))
            .col(string("kind"))
            .col(uuid_null("connection_id"))
            .col(uuid_null("person_id"))
            .col(json_binary("data"))
            .col(at("at"))
            .primary_key(Index::create().col("tenant_id").col("seq"))
            .to_owned(),
        table("token_read")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("api_key_id"))
            .col(uuid("connection_id"))
            .col(at("at"))
            .to_owned(),
    ]
}
