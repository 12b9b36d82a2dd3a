//! Members and the organisation.

use hub::{
    Error, Hub, Result,
    people::{Action, ListedMember, Member, Role},
};

use crate::model::{MemberRow, OrganisationPage};

const ROLES: [Role; 4] = [Role::Owner, Role::Admin, Role::Member, Role::Viewer];

/// Everybody in the organisation, and what may be done about them.
pub async fn members(hub: &Hub, member: &Member) -> Result<Vec<MemberRow>> {
    let all = hub.members(member).await?;
    let owners = all.iter().filter(|row| row.role == Role::Owner).count();
    let may_own = member.role() == Role::Owner;
    let row = |row: ListedMember| {
        let fixed = match row.role {
            Role::Owner if !may_own => Some("Only an owner can change this"),
            Role::Owner if owners == 1 => {
                Some("The only owner. To change it, make somebody else owner first")
            }
            _ => None,
        };
        let choices = ROLES
            .into_iter()
            .filter(|role| may_own || *role != Role::Owner);
        MemberRow {
            id: row.person.to_string(),
            name: row.name,
            email: row.email,
            role: row.role.as_str(),
            is_you: row.person == member.person(),
            choices: match fixed {
                Some(_) => Vec::new(),
                None => choices.map(Role::as_str).collect(),
            },
            fixed,
        }
    };
    Ok(all.into_iter().map(row).collect())
}

/// A member who may be given another role, or taken out.
pub async fn manageable_member(hub: &Hub, member: &Member, person: &str) -> Result<MemberRow> {
    member.may_once_proven(Action::ManageMembers)?;
    let mut all = members(hub, member).await?.into_iter();
    let row = all.find(|row| row.id == person);
    let row = row.ok_or(Error::NotFound)?;
    match row.fixed {
        // As pressing the button would be answered.
        Some(_) if member.role() != Role::Owner => Err(Error::Forbidden {
            needs: Role::Owner.as_str(),
        }),
        _ => Ok(row),
    }
}

/// How many API keys work that a person made.
pub async fn keys_made_by(hub: &Hub, member: &Member, person: &str) -> Result<usize> {
    let keys = hub.api_keys(member).await?.into_iter();
    let theirs = keys.filter(|key| key.created_by.is_some_and(|by| by.to_string() == person));
    Ok(theirs.count())
}

/// What an owner takes along or deletes.
pub async fn organisation(hub: &Hub, member: &Member) -> Result<OrganisationPage> {
    member.may(Action::ManageTenant)?;
    let connections = hub.connections(member).await?.into_iter();
    let living = connections.filter(|listed| listed.connection.disconnected_at.is_none());
    Ok(OrganisationPage {
        name: member.tenant_name().to_owned(),
        connections: living.count(),
        people: hub.members(member).await?.len(),
    })
}
