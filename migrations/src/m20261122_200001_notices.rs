//! Alarms of connections, who is told of them in the hub and by e-mail, and what
//! each person wants to be told. A link may be of an alarm instead of a key.

use sea_orm_migration::{
    prelude::*,
    schema::{
        integer, json_null, string, string_null, string_uniq, text, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let alarm = Table::create()
            .table("alarm")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("connection_id"))
            .col(string("cause"))
            // Connection and cause, until it has ended: there is one of each.
            .col(string_null("open_for").unique_key())
            .col(json_null("failure"))
            .col(timestamp_with_time_zone("raised_at"))
            .col(timestamp_with_time_zone_null("escalated_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .col(string_null("ending"))
            .to_owned();
        let notice = Table::create()
            .table("notice")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("person_id"))
            .col(uuid("alarm_id"))
            .col(string("reason"))
            .col(uuid_null("by_person_id"))
            .col(timestamp_with_time_zone("at"))
            .col(timestamp_with_time_zone_null("read_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .to_owned();
        let mail = Table::create()
            .table("mail")
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("person_id"))
            .col(uuid_null("alarm_id"))
            .col(string("kind"))
            .col(uuid_null("by_person_id"))
            // Says what it is, so that it is queued once.
            .col(string_uniq("once"))
            .col(string("state"))
            .col(timestamp_with_time_zone("due_at"))
            .col(integer("tries"))
            .col(timestamp_with_time_zone_null("first_try_at"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .col(string_null("problem"))
            .to_owned();
        let choice = Table::create()
            .table("mail_choice")
            .col(uuid("tenant_id"))
            .col(uuid("person_id"))
            .col(string("pace"))
            .col(text("without"))
            .primary_key(Index::create().col("tenant_id").col("person_id"))
            .to_owned();
        let watcher = Table::create()
            .table("watcher")
            .col(uuid("connection_id"))
            .col(uuid("person_id"))
            .col(uuid("tenant_id"))
            .col(timestamp_with_time_zone("at"))
            .primary_key(Index::create().col("connection_id").col("person_id"))
            .to_owned();
        for table in [alarm, notice, mail, choice, watcher] {
            manager.create_table(table).await?;
        }
        for (name, table, columns) in INDEXES.iter().copied() {
            let mut index = Index::create();
            index.name(name).table(table);
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index.to_owned()).await?;
        }
        let once = Index::create()
            .name("notice_once")
            .table("notice")
            .col("alarm_id")
            .col("person_id")
            .col("reason")
            .unique()
            .to_owned();
        manager.create_index(once).await?;
        for column in ["person_id", "alarm_id"] {
            let column = uuid_null(column);
            let table = Table::alter()
                .table("connect_link")
                .add_column(column)
                .to_owned();
            manager.alter_table(table).await?;
        }
        let of_alarm = Index::create()
            .name("connect_link_alarm")
            .table("connect_link")
            .col("alarm_id")
            .to_owned();
        manager.create_index(of_alarm).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop()
            .name("connect_link_alarm")
            .table("connect_link")
            .to_owned();
        manager.drop_index(index).await?;
        for column in ["alarm_id", "person_id"] {
            let table = Table::alter()
                .table("connect_link")
                .drop_column(column)
                .to_owned();
            manager.alter_table(table).await?;
        }
        for table in ["watcher", "mail_choice", "mail", "notice", "alarm"] {
            let table = Table::drop().table(table).to_owned();
            manager.drop_table(table).await?;
        }
        Ok(())
    }
}

const INDEXES: &[(&str, &str, &[&str])] = &[
    ("alarm_connection", "alarm", &["connection_id", "ended_at"]),
    ("alarm_tenant", "alarm", &["tenant_id", "ended_at"]),
    ("alarm_escalation", "alarm", &["escalated_at", "raised_at"]),
    (
        "notice_person",
        "notice",
        &["tenant_id", "person_id", "ended_at"],
    ),
    ("mail_due", "mail", &["state", "due_at"]),
    ("mail_alarm", "mail", &["alarm_id"]),
];
