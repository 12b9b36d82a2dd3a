//! Providers in trouble as a whole, as every page says it.

use hub::{
    Hub, Result,
    failure::{Failure, FailureCode},
    keep::health::PROVIDER_TROUBLE,
    people::Member,
    prompt::{self, During, Subject},
};

use crate::site::Trouble;

/// Those that concern a member.
///
/// # Errors
/// When the database cannot be read.
pub async fn troubles(hub: &Hub, member: &Member) -> Result<Vec<Trouble>> {
    let mut lines = Vec::new();
    for (provider, connection) in hub.providers_in_trouble(member).await? {
        let failure = Failure::inferred(FailureCode::ProviderLimitedOrDown, PROVIDER_TROUBLE);
        let name = super::provider(hub, &provider).name;
        let subject = Subject {
            provider_name: &name,
            account: None,
            at: hub.clock.now(),
            during: During::Keeping,
            missing: &[],
            is_operators_app: false,
        };
        let words = prompt::Prompt::of(&failure, &subject);
        lines.push(Trouble {
            watching: hub.waits_for(member, connection).await?,
            connection: connection.to_string(),
            what: words.what,
            why: words.why,
            provider: name,
        });
    }
    Ok(lines)
}
