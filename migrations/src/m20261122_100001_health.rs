//! When a connection is checked next, what was told of its trouble, and whether
//! a person lets it rest.

use sea_orm_migration::{
    prelude::*,
    schema::{integer, string_len_null, timestamp_with_time_zone_null},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            timestamp_with_time_zone_null("next_check_at"),
            timestamp_with_time_zone_null("asked_at"),
            integer("check_failures").default(0).to_owned(),
            string_len_null("alarm", 16),
            timestamp_with_time_zone_null("paused_at"),
        ] {
            // SQLite adds one column at a time.
            let table = Table::alter()
                .table("connection")
                .add_column(column)
                .to_owned();
            manager.alter_table(table).await?;
        }
        let due = Index::create()
            .name("connection_check_due")
            .table("connection")
            .col("next_check_at")
            .to_owned();
        manager.create_index(due).await?;
        // Nothing was checked by itself before: what is linked is due. What was
        // wrong has been told.
        let statements = [
            "UPDATE connection SET next_check_at = created_at WHERE disconnected_at IS NULL",
            "UPDATE connection SET alarm = 'action_required' WHERE disconnected_at IS NULL \
             AND (failure IS NOT NULL OR id IN \
             (SELECT connection_id FROM credential WHERE failure IS NOT NULL))",
        ];
        for statement in statements {
            manager
                .get_connection()
                .execute_unprepared(statement)
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let due = Index::drop()
            .name("connection_check_due")
            .table("connection")
            .to_owned();
        manager.drop_index(due).await?;
        for column in [
            "paused_at",
            "alarm",
            "check_failures",
            "asked_at",
            "next_check_at",
        ] {
            let table = Table::alter()
                .table("connection")
                .drop_column(column)
                .to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
