//! One human being.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, DbBackend, ExprTrait, entity::prelude::*};

use super::PersonId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "person")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PersonId,
    /// Lower case, as it is compared.
    #[sea_orm(unique)]
    pub email: String,
    pub name: String,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// Raised to end every session of the person at once.
    pub session_epoch: i32,
    pub created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The person with that e-mail address in lower case.
pub async fn by_email(db: &impl ConnectionTrait, email: &str) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Email.eq(email)).one(db).await
}

/// Whether anybody has an account.
pub async fn any(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    Entity::find().exists(db).await
}

/// Lets one transaction at a time decide on what people there are. SQLite has
/// a single writer as it is.
pub async fn lock_table(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres {
        db.execute_unprepared("LOCK TABLE person IN SHARE ROW EXCLUSIVE MODE")
            .await?;
    }
    Ok(())
}

/// Adds a person; `email` is in lower case, `password_hash` in PHC form.
pub async fn insert(
    db: &impl ConnectionTrait,
    email: &str,
    name: &str,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<PersonId, DbErr> {
    let id = PersonId::new();
    Entity::insert(ActiveModel {
        id: Set(id),
        email: Set(email.to_owned()),
        name: Set(name.to_owned()),
        password_hash: Set(password_hash.to_owned()),
        session_epoch: Set(0),
        created_at: Set(now),
    })
    .exec_without_returning(db)
    .await?;
    Ok(id)
}

/// Stores the same password in another form, unless it was changed meanwhile.
pub async fn replace_hash(
    db: &impl ConnectionTrait,
    id: PersonId,
    old: &str,
    new: &str,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(new))
        .filter(Column::Id.eq(id))
        .filter(Column::PasswordHash.eq(old))
        .exec(db)
        .await
        .map(|_| ())
}

/// Stores another password and ends every session. False when the password
/// was not `old` any more.
pub async fn change_password(
    db: &impl ConnectionTrait,
    id: PersonId,
    old: &str,
    new: &str,
) -> Result<bool, DbErr> {
    let changed = Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(new))
        .col_expr(Column::SessionEpoch, Expr::col(Column::SessionEpoch).add(1))
        .filter(Column::Id.eq(id))
        .filter(Column::PasswordHash.eq(old))
        .exec(db)
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Stores another name and e-mail address (in lower case).
pub async fn change_profile(
    db: &impl ConnectionTrait,
    id: PersonId,
    name: &str,
    email: &str,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Name, Expr::value(name))
        .col_expr(Column::Email, Expr::value(email))
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}

/// Ends every session of a person.
pub async fn raise_epoch(db: &impl ConnectionTrait, id: PersonId) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::SessionEpoch, Expr::col(Column::SessionEpoch).add(1))
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}
