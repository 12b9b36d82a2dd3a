//! A fact nobody may change: one entry of a tenant's audit ledger.
//!
//! Columns hold plain text and numbers on purpose: an entry that somebody
//! changed into something unknown must still be read, to be named.

use sea_orm::{
    Condition, IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*, sea_query::Query,
};
use uuid::Uuid;

use super::{PersonId, TenantId, audit_personal};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// Counted from 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// Microseconds since the epoch.
    pub at_us: i64,
    /// What kind of actor.
    pub actor: String,
    /// The key or the link; a person stands in [`audit_personal`].
    pub actor_id: Option<Uuid>,
    pub deed: String,
    /// What kind of thing it was done to, and which.
    pub target: Option<String>,
    pub target_id: Option<String>,
    pub outcome: String,
    /// A word of ours about it; never anybody's data.
    #[sea_orm(column_type = "Text", nullable)]
    pub detail: Option<String>,
    /// The digest of what stands about persons beside it.
    pub personal: Option<Vec<u8>>,
    pub prev_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those of this person, or about them.
    pub person: Option<PersonId>,
    /// Those of this kind of actor.
    pub actor: Option<String>,
    /// Those of this key or link.
    pub actor_id: Option<Uuid>,
    /// Those of deeds that begin like this.
    pub deed: Option<String>,
    /// Those about this thing.
    pub target_id: Option<String>,
    /// Those not before, in microseconds since the epoch.
    pub from_us: Option<i64>,
    /// Those before.
    pub to_us: Option<i64>,
    /// Those with a smaller number.
    pub before: Option<i64>,
}

/// Adds an entry.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The tenant's entry of that number.
pub async fn numbered(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    seq: i64,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((tenant, seq)).one(db).await
}

/// The things a tenant's entries of these deeds were done to, up to number `last`.
pub async fn targets(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    deeds: &[&str],
    last: i64,
) -> Result<Vec<String>, DbErr> {
    let targets: Vec<Option<String>> = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Deed.is_in(deeds.iter().copied()))
        .filter(Column::Seq.lte(last))
        .select_only()
        .column(Column::TargetId)
        .distinct()
        .into_tuple()
        .all(db)
        .await?;
    Ok(targets.into_iter().flatten().collect())
}

/// When an entry without a detail was last written of one of these deeds, to this
/// kind of thing, in any ledger.
pub async fn last_silent(
    db: &impl ConnectionTrait,
    deeds: &[&str],
    target: &str,
) -> Result<Option<i64>, DbErr> {
    let newest: Option<Option<i64>> = Entity::find()
        .filter(Column::Deed.is_in(deeds.iter().copied()))
        .filter(Column::Target.eq(target))
        .filter(Column::Detail.is_null())
        .select_only()
        .column_as(Column::AtUs.max(), "newest")
        .into_tuple()
        .one(db)
        .await?;
    Ok(newest.flatten())
}

/// The tenant's entries after number `after`, oldest first, at most `limit`.
pub async fn after(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    after: i64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Seq.gt(after))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(db)
        .await
}

/// The tenant's entries that are wanted, newest first, at most `limit`.
pub async fn wanted(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    wanted: &Wanted,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut found = Condition::all().add(Column::TenantId.eq(tenant));
    if let Some(person) = wanted.person {
        use audit_personal::Column as Personal;
        let theirs = Condition::any()
            .add(Personal::PersonId.eq(person))
            .add(Personal::SubjectId.eq(person));
        let theirs = Query::select()
            .column(Personal::Seq)
            .from(audit_personal::Entity)
            .and_where(Personal::TenantId.eq(tenant))
            .cond_where(theirs)
            .to_owned();
        found = found.add(Column::Seq.in_subquery(theirs));
    }
    if let Some(actor) = &wanted.actor {
        found = found.add(Column::Actor.eq(actor));
    }
    if let Some(id) = wanted.actor_id {
        found = found.add(Column::ActorId.eq(id));
    }
    if let Some(deed) = &wanted.deed {
        found = found.add(Column::Deed.starts_with(deed));
    }
    if let Some(target) = &wanted.target_id {
        found = found.add(Column::TargetId.eq(target));
    }
    if let Some(from) = wanted.from_us {
        found = found.add(Column::AtUs.gte(from));
    }
    if let Some(to) = wanted.to_us {
        found = found.add(Column::AtUs.lt(to));
    }
    if let Some(before) = wanted.before {
        found = found.add(Column::Seq.lt(before));
    }
    Entity::find()
        .filter(found)
        .order_by_desc(Column::Seq)
        .limit(limit)
        .all(db)
        .await
}
