//! Members and the organisation, as the settings show them.

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The person's id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// `owner`, `admin`, `member` or `viewer`.
    pub role: &'static str,
    /// Whether it is who is looking.
    pub is_you: bool,
    /// The roles they may be given; empty when they may not be changed.
    pub choices: Vec<&'static str>,
    /// Why they may not be changed.
    pub fixed: Option<&'static str>,
}

/// What an owner takes along or deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationPage {
    /// Its name.
    pub name: String,
    /// How many connections it has that are not ended.
    pub connections: usize,
    /// How many people are in it.
    pub people: usize,
}
