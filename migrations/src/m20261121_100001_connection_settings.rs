//! What the host application chose for a connection: how often it is read, and
//! how its columns are called there.

use sea_orm_migration::{
    prelude::*,
    schema::{json_binary, string_len},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            string_len("sync_frequency", 16)
                .default("manual")
                .to_owned(),
            json_binary("mapping").default("{}").to_owned(),
        ] {
            // SQLite adds one column at a time.
            let table = Table::alter()
                .table("connection")
                .add_column(column)
                .to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["mapping", "sync_frequency"] {
            let table = Table::alter()
                .table("connection")
                .drop_column(column)
                .to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
