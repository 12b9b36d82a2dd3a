//! How much of a provider app's budget of calls is used up, by every process.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "provider_pace")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: String,
    /// Until when its calls are spoken for.
    pub free_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is used up of an app's budget; none when it was never called.
pub async fn of(db: &impl ConnectionTrait, app: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(app.to_owned()).one(db).await
}

/// Writes what is used up now, if nobody has used more since `before` was read.
pub async fn raise(
    db: &impl ConnectionTrait,
    app: &str,
    before: Option<&Model>,
    free_at: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let Some(before) = before else {
        let row = ActiveModel {
            app_id: Set(app.to_owned()),
            free_at: Set(free_at),
        };
        let added = Entity::insert(row)
            .on_conflict_do_nothing_on([Column::AppId])
            .exec_without_returning(db)
            .await?;
        return Ok(matches!(added, sea_orm::TryInsertResult::Inserted(1)));
    };
    let raised = Entity::update_many()
        .col_expr(Column::FreeAt, Expr::value(free_at))
        .filter(Column::AppId.eq(app))
        .filter(Column::FreeAt.eq(before.free_at))
        .exec(db)
        .await?;
    Ok(raised.rows_affected == 1)
}
