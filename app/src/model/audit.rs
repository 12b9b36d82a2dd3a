//! The audit log, as admins read it.

use super::Moment;

/// A page of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// What was asked for.
    pub filter: AuditFilter,
    /// Who can be chosen, each with a value and a name.
    pub who: Vec<(String, String)>,
    /// What can be chosen.
    pub what: Vec<(String, String)>,
    /// Which connections can be chosen.
    pub about: Vec<(String, String)>,
    /// What was found, newest first.
    pub lines: Vec<AuditLine>,
    /// The address of the next older page.
    pub older: Option<String>,
    /// How far everything was recomputed.
    pub checked: AuditChecked,
}

/// What is looked for, as it stands in the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// `person:<id>`, `key:<id>` or a kind of actor.
    pub who: String,
    /// How the deed begins: `connection.`.
    pub what: String,
    /// The id of a connection.
    pub about: String,
    /// The first day: `2026-11-21`.
    pub from: String,
    /// The last day.
    pub to: String,
    /// Only entries with a smaller number.
    pub before: String,
}

impl AuditFilter {
    /// Every part with its name, those that say nothing left out.
    pub fn pairs(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("who", &*self.who),
            ("what", &*self.what),
            ("about", &*self.about),
            ("from", &*self.from),
            ("to", &*self.to),
        ];
        all.into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number.
    pub seq: i64,
    /// When it was.
    pub at: Moment,
    /// Who did it.
    pub who: String,
    /// What was done.
    pub what: String,
    /// To what, when it is named.
    pub about: Option<String>,
    /// A word about it.
    pub detail: Option<String>,
    /// `done`, `denied` or `failed`.
    pub outcome: String,
    /// Where it came from.
    pub address: Option<String>,
}

/// How far everything was recomputed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditChecked {
    /// Not yet.
    NotYet,
    /// Up to this entry, at that time.
    UpTo(i64, Moment),
    /// This entry is not what was written.
    Broken(i64),
    /// Not since that time, though it should have been.
    Late(Moment),
}
