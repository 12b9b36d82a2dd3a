//! The certificate that ends first of those a connection, or a provider app,
//! stands on.

use sea_orm_migration::{prelude::*, schema::json_binary_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["connection", "provider_app"] {
            let table = Table::alter()
                .table(table)
                .add_column(json_binary_null("certificate"))
                .to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["provider_app", "connection"] {
            let table = Table::alter()
                .table(table)
                .drop_column("certificate")
                .to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
