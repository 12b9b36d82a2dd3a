//! What one person wants to be mailed about one tenant, and how soon.

use sea_orm::{IntoActiveModel, Iterable, entity::prelude::*, sea_query::OnConflict};
use serde::{Deserialize, Serialize};

use super::{PersonId, TenantId};

/// How soon somebody is mailed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// When it has lasted a quarter of an hour.
    #[default]
    #[sea_orm(string_value = "at_once")]
    AtOnce,
    /// In the mail of the morning.
    #[sea_orm(string_value = "digest")]
    Digest,
    /// Never.
    #[sea_orm(string_value = "none")]
    None,
}

impl Pace {
    /// As it is stored and posted: `at_once`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtOnce => "at_once",
            Self::Digest => "digest",
            Self::None => "none",
        }
    }

    /// Read from that word.
    pub fn read(word: &str) -> Option<Self> {
        Self::iter().find(|one| one.as_str() == word)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_choice")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub person_id: PersonId,
    pub pace: Pace,
    /// The topics they want no mail about, space-separated.
    #[sea_orm(column_type = "Text")]
    pub without: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a person chose; everything at once where they chose nothing.
pub async fn of(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
) -> Result<Model, DbErr> {
    let row = Entity::find_by_id((tenant, person)).one(db).await?;
    Ok(row.unwrap_or(Model {
        tenant_id: tenant,
        person_id: person,
        pace: Pace::default(),
        without: String::new(),
    }))
}

/// Writes what a person chose.
pub async fn save(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .on_conflict(
            OnConflict::columns([Column::TenantId, Column::PersonId])
                .update_columns([Column::Pace, Column::Without])
                .to_owned(),
        )
        .exec_without_returning(db)
        .await
        .map(|_| ())
}
