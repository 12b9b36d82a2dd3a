//! How the last test of a draft went, line by line, and the environment that a
//! connection's key belongs to.

use sea_orm_migration::{
    prelude::*,
    schema::{json_binary, string_len_null},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tested = json_binary("tested").default("[]").to_owned();
        let draft = Table::alter().table("draft").add_column(tested).to_owned();
        manager.alter_table(draft).await?;
        let environment = string_len_null("environment", 40);
        let connection = Table::alter()
            .table("connection")
            .add_column(environment)
            .to_owned();
        manager.alter_table(connection).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [("connection", "environment"), ("draft", "tested")] {
            let table = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
