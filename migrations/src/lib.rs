//! The database's history. A migration that has landed is never edited; names
//! are spelled as literals so that entities may change without touching it.

pub use sea_orm_migration::prelude::*;

mod m20261120_000001_spine;
mod m20261121_000001_app_settings;
mod m20261121_000002_push_message;
mod m20261121_000003_wish;
mod m20261121_000004_flow_outcome;
mod m20261121_000005_draft;
mod m20261121_100001_connection_settings;
mod m20261121_100002_signing_key;
mod m20261121_100003_idempotent_request;
mod m20261121_200001_connect_link;
mod m20261121_200001_webhook;
mod m20261121_200002_sync_run;
mod m20261121_300001_trial;
mod m20261122_100001_health;
mod m20261122_100002_provider_trouble;
mod m20261122_200001_notices;
mod m20261122_300001_ledger;
mod m20261122_400001_run;
mod m20261122_400002_attempt;
mod m20261123_100001_row_security;
mod m20261123_200001_erased_person;
mod m20261123_300001_certificate;
pub mod row_security;

/// Every migration, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_spine::Migration),
            Box::new(m20261121_000001_app_settings::Migration),
            Box::new(m20261121_000002_push_message::Migration),
            Box::new(m20261121_000003_wish::Migration),
            Box::new(m20261121_000004_flow_outcome::Migration),
            Box::new(m20261121_000005_draft::Migration),
            Box::new(m20261121_100001_connection_settings::Migration),
            Box::new(m20261121_100002_signing_key::Migration),
            Box::new(m20261121_100003_idempotent_request::Migration),
            Box::new(m20261121_200001_webhook::Migration),
            Box::new(m20261121_200001_connect_link::Migration),
            Box::new(m20261121_200002_sync_run::Migration),
            Box::new(m20261121_300001_trial::Migration),
            Box::new(m20261122_100001_health::Migration),
            Box::new(m20261122_100002_provider_trouble::Migration),
            Box::new(m20261122_200001_notices::Migration),
            Box::new(m20261122_300001_ledger::Migration),
            Box::new(m20261122_400001_run::Migration),
            Box::new(m20261122_400002_attempt::Migration),
            Box::new(m20261123_100001_row_security::Migration),
            Box::new(m20261123_200001_erased_person::Migration),
            Box::new(m20261123_300001_certificate::Migration),
        ]
    }
}
