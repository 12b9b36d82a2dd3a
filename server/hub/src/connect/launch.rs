//! A person who began at the provider and not here.

use crate::{
    Error, Result,
    catalog::{Variables, oauth::Delivery},
    dialect::read_launch,
    failure::{Failure, FailureCode},
    hub::Hub,
    people::{Action, Member},
};

impl Hub {
    /// Where somebody goes on whom a provider led to the address of `app`: the
    /// provider to connect, and what is answered already. A flow of our own
    /// begins there, with a state of ours.
    ///
    /// # Errors
    /// [`Error::NotFound`] where no provider begins; [`Error::Failed`] when the
    /// link is not the provider's.
    pub async fn launch(
        &self,
        member: &Member,
        app: &str,
        query: &[(String, String)],
    ) -> Result<(&str, Variables)> {
        member.may(Action::Connect)?;
        let launched = |oauth: &crate::catalog::oauth::OAuth| oauth.launch.is_some();
        let provider = self
            .catalog
            .iter()
            .find(|it| it.app_id == app && it.oauth.as_deref().is_some_and(launched))
            .ok_or(Error::NotFound)?;
        let app = self
            .provider_app(member.tenant(), provider)
            .await?
            .ok_or_else(|| Failure::told(FailureCode::AppConfigInvalid, "provider_app_missing"))?;
        match read_launch(provider, &app, query, self.clock.now()) {
            Ok(answers) => Ok((&provider.id, answers)),
            Err(failure) => {
                tracing::warn!(
                    security = true, provider = %provider.id, detail = %failure.detail,
                    "a link that should be the provider's was not believed"
                );
                Err(failure.into())
            }
        }
    }

    /// The parameter in which `app` brings its token behind the `#` of an
    /// address, where only a page can read it; none when it does not, or when
    /// the callback says something already.
    pub fn awaits_fragment(&self, app: &str, params: &[(String, String)]) -> Option<&str> {
        let provider = self.catalog.iter().find(|it| it.app_id == app)?;
        let entry = &provider.oauth.as_ref()?.callback;
        let is_told = |name: &String| params.iter().any(|(told, _)| told == name);
        let waits = provider.delivers() == Delivery::Fragment
            && !is_told(&entry.code)
            && !entry.errors.iter().any(is_told);
        waits.then_some(entry.code.as_str())
    }
}
