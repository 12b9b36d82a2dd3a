//! A person in a tenant, with a role.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, FromQueryResult, JoinType, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
};
use serde::{Deserialize, Serialize};

use super::{PersonId, TenantId, person, tenant};

/// What a member may do, from most to least.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, and cannot be removed while the last one.
    #[sea_orm(string_value = "owner")]
    Owner,
    /// Everything but the tenant itself.
    #[sea_orm(string_value = "admin")]
    Admin,
    /// Connects, repairs and disconnects accounts.
    #[sea_orm(string_value = "member")]
    Member,
    /// Looks.
    #[sea_orm(string_value = "viewer")]
    Viewer,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub person_id: PersonId,
    pub role: Role,
    pub created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A membership with what is known of its person and its tenant.
#[derive(Clone, PartialEq, Eq, FromQueryResult)]
#[expect(missing_docs, reason = "columns; the tables describe them")]
pub struct Membership {
    pub tenant_id: TenantId,
    pub tenant_name: String,
    pub person_id: PersonId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub password_hash: String,
    pub session_epoch: i32,
}

/// A person's membership of one tenant.
pub async fn membership(
    db: &impl ConnectionTrait,
    person: PersonId,
    tenant: TenantId,
) -> Result<Option<Membership>, DbErr> {
    joined()
        .filter(Column::PersonId.eq(person))
        .filter(Column::TenantId.eq(tenant))
        .into_model()
        .one(db)
        .await
}

/// The oldest membership of the person with that e-mail address in lower case.
pub async fn first_membership(
    db: &impl ConnectionTrait,
    email: &str,
) -> Result<Option<Membership>, DbErr> {
    joined()
        .filter(person::Column::Email.eq(email))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::TenantId)
        .into_model()
        .one(db)
        .await
}

fn joined() -> Select<Entity> {
    let to_person = Entity::belongs_to(person::Entity)
        .from(Column::PersonId)
        .to(person::Column::Id);
    let to_tenant = Entity::belongs_to(tenant::Entity)
        .from(Column::TenantId)
        .to(tenant::Column::Id);
    Entity::find()
        .join(JoinType::InnerJoin, to_person.into())
        .join(JoinType::InnerJoin, to_tenant.into())
        .select_only()
        .columns([Column::TenantId, Column::PersonId, Column::Role])
        .columns([
            person::Column::Name,
            person::Column::Email,
            person::Column::PasswordHash,
            person::Column::SessionEpoch,
        ])
        .column_as(tenant::Column::Name, "tenant_name")
}

/// Everybody in the tenant, by name.
pub async fn all(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Vec<Membership>, DbErr> {
    joined()
        .filter(Column::TenantId.eq(tenant))
        .order_by_asc(person::Column::Name)
        .into_model::<Membership>()
        .all(db)
        .await
}

/// Who is in the tenant: person, name and role, by name.
pub async fn names(
    db: &impl ConnectionTrait,
    tenant: TenantId,
) -> Result<Vec<(PersonId, String, Role)>, DbErr> {
    let rows = all(db, tenant).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.person_id, row.name, row.role))
        .collect())
}

/// Whether the person is in any tenant.
pub async fn anywhere(db: &impl ConnectionTrait, person: PersonId) -> Result<bool, DbErr> {
    Entity::find()
        .filter(Column::PersonId.eq(person))
        .exists(db)
        .await
}

/// The tenants a person is in, with when they came into each.
pub async fn tenants_of(
    db: &impl ConnectionTrait,
    person: PersonId,
) -> Result<BTreeMap<TenantId, DateTime<Utc>>, DbErr> {
    let rows = Entity::find()
        .filter(Column::PersonId.eq(person))
        .all(db)
        .await?;
    let joined = rows.into_iter().map(|row| (row.tenant_id, row.created_at));
    Ok(joined.collect())
}

/// Whether the tenant would have no owner without this person.
pub async fn is_last_owner(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
) -> Result<bool, DbErr> {
    let owners = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Role.eq(Role::Owner))
        .all(db)
        .await?;
    Ok(owners.iter().all(|row| row.person_id == person) && !owners.is_empty())
}

/// Whether somebody owns the tenant.
pub async fn has_owner(db: &impl ConnectionTrait, tenant: TenantId) -> Result<bool, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Role.eq(Role::Owner))
        .exists(db)
        .await
}

/// Gives a member another role.
pub async fn set_role(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
    role: Role,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Role, Expr::value(role))
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(person))
        .exec(db)
        .await
        .map(|_| ())
}

/// Takes a person out of a tenant.
pub async fn remove(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
) -> Result<(), DbErr> {
    Entity::delete_by_id((tenant, person))
        .exec(db)
        .await
        .map(|_| ())
}

/// Puts a person into a tenant.
pub async fn insert(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
    role: Role,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::insert(ActiveModel {
        tenant_id: Set(tenant),
        person_id: Set(person),
        role: Set(role),
        created_at: Set(now),
    })
    .exec_without_returning(db)
    .await
    .map(|_| ())
}
