//! What a provider gives an operator besides the client id and secret: eBay's
//! RuName, the slug of a GitHub App.

use sea_orm_migration::{prelude::*, schema::json_binary};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter()
            .table("provider_app")
            .add_column(json_binary("settings").default("{}"))
            .to_owned();
        manager.alter_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter()
            .table("provider_app")
            .drop_column("settings")
            .to_owned();
        manager.alter_table(table).await
    }
}
