//! What a person has entered so far of a connection that takes several answers:
//! a key, a login, an address. It is theirs alone, outlives their browser, and
//! ends with the connection or [`LIFETIME`] after the last answer. What came by a
//! link ends with the link.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{FromJsonQueryResult, QueryOrder, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::{
    ConnectLinkId, ConnectionId, DraftId, Owner, PersonId, TenantId, connection::Variables,
};
use crate::failure::Failure;

/// How long a draft is kept after its last answer.
pub const LIFETIME: TimeDelta = TimeDelta::days(7);

/// How far the conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Stage {
    /// What kind of sign-in this is, is being explained.
    #[sea_orm(string_value = "explaining")]
    Explaining,
    /// Answers are being given.
    #[sea_orm(string_value = "asking")]
    Asking,
}

/// How the same questions are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum Skin {
    /// One after the other.
    #[sea_orm(string_value = "chat")]
    Chat,
    /// All at once.
    #[sea_orm(string_value = "form")]
    Form,
}

/// What was said beside the answers. Never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct Talk(pub Vec<Line>);

/// One remark and what it was answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The question it was said at.
    pub at: String,
    /// What the person said.
    pub said: String,
    /// What they were told.
    pub told: String,
}

/// The lines of a test, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct Tested(pub Vec<TestLine>);

/// One line of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestLine {
    /// What was tested: `sign_in`.
    pub step: String,
    /// How it went.
    pub went: Went,
    /// What is worth knowing about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How a line of a test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Went {
    /// It works.
    Passed,
    /// It does not.
    Failed,
    /// An earlier line failed.
    NotReached,
    /// There was nothing to test.
    NotNeeded,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "draft")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DraftId,
    pub tenant_id: TenantId,
    /// Nobody's when a link is its owner.
    pub person_id: PersonId,
    pub provider: String,
    /// The connection that gets new keys; none makes a new one.
    pub connection_id: Option<ConnectionId>,
    pub stage: Stage,
    /// The question that was gone back to; else the first without an answer is
    /// the one.
    pub asking: Option<String>,
    pub skin: Skin,
    /// What is no secret, by the question's key.
    pub answers: Variables,
    /// The rest, together.
    #[sea_orm(column_type = "Text", nullable)]
    pub secrets_sealed: Option<String>,
    /// Counts what was sealed.
    pub version: i64,
    pub talk: Talk,
    /// How the last test ended, if not well.
    pub failure: Option<Failure>,
    /// Its lines.
    pub tested: Tested,
    pub updated_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// The link by which it was begun, if it was.
    pub link_id: Option<ConnectLinkId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Somebody's drafts, the newest first.
pub async fn owned(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    owner: Owner,
    now: DateTime<Utc>,
) -> Result<Vec<Model>, DbErr> {
    let by_link = match owner.link() {
        Some(link) => Column::LinkId.eq(link),
        None => Column::LinkId.is_null(),
    };
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(owner.person_id()))
        .filter(by_link)
        .filter(Column::ExpiresAt.gt(now))
        .order_by_desc(Column::UpdatedAt)
        .all(db)
        .await
}

/// Forgets drafts nobody came back to.
pub async fn sweep(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::ExpiresAt.lte(now))
        .exec(db)
        .await
        .map(|_| ())
}
