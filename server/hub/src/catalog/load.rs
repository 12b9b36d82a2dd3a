//! From the text of files to complete providers.

use std::collections::BTreeMap;

use super::{
    check::check, entry::Entry, oauth::Refresh, problem::Problem, provider::Provider, rank::Words,
};

/// One catalog file.
#[derive(Clone)]
pub(crate) struct Source {
    /// Its name, as problems show it.
    pub file: String,
    pub text: String,
}

impl Source {
    pub fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The file's name without directory and `.toml`.
    pub fn id(&self) -> &str {
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        name.strip_suffix(".toml").unwrap_or(name)
    }

    fn parse(&self) -> Result<Entry, Problem> {
        toml::from_str(&self.text).map_err(|error| {
            let message = error.message().replace('\n', " ");
            match error.span() {
                Some(span) => Problem::at(&self.file, &self.text, span.start, message),
                None => Problem::whole(&self.file, message),
            }
        })
    }
}

/// Reads and checks all files and puts the providers together, sorted by name.
///
/// # Errors
/// Everything that is wrong, in the order of the files.
pub(crate) fn assemble(sources: &BTreeMap<String, Source>) -> Result<Vec<Provider>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut entries = BTreeMap::new();
    for (id, source) in sources {
        match source.parse() {
            Ok(entry) => {
                entries.insert(id.as_str(), entry);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let mut providers = Vec::new();
    for (&id, entry) in &entries {
        let source = &sources[id];
        let shared_id = entry
            .provider
            .as_ref()
            .and_then(|about| about.app.as_deref());
        let shared = match shared_id {
            None => None,
            // A shared file that could not be read has its own problem already.
            Some(app) if !entries.contains_key(app) && sources.contains_key(app) => continue,
            Some(app) => match entries.get(app).filter(|shared| shared.provider.is_none()) {
                Some(shared) => Some(shared),
                None => {
                    let message =
                        format!("there is no file `{app}.toml` that describes a shared app");
                    problems.push(Problem::find(source, &format!("\"{app}\""), message));
                    continue;
                }
            },
        };
        problems.extend(check(source, entry, shared));
        if problems.is_empty() {
            providers.extend(provider(id, shared_id, entry, shared));
        }
    }
    if problems.is_empty() {
        providers.sort_by_key(|provider| provider.name().to_lowercase());
        Ok(providers)
    } else {
        Err(problems)
    }
}

/// Puts a checked entry on top of the app it shares; `None` for a shared app itself.
fn provider(
    id: &str,
    shared_id: Option<&str>,
    own: &Entry,
    shared: Option<&Entry>,
) -> Option<Provider> {
    /// The first of the two files that has the table.
    fn first<T: Clone>(
        own: &Entry,
        shared: Option<&Entry>,
        table: impl Fn(&Entry) -> &Option<T>,
    ) -> Option<T> {
        table(own)
            .clone()
            .or_else(|| shared.and_then(|shared| table(shared).clone()))
    }
    let oauth = first(own, shared, |entry| &entry.oauth);
    let mut errors = own.errors.clone();
    let mut variables = own.variables.clone();
    if let Some(shared) = shared {
        errors.extend(&shared.errors);
        variables.extend(shared.variables.iter().cloned());
    }
    let about = own.provider.clone()?;
    let aliases: Vec<String> = about.aliases.iter().map(|a| a.to_lowercase()).collect();
    let words = Words::new(
        &about.name.to_lowercase(),
        aliases.iter().map(String::as_str),
        &about.category.label().to_lowercase(),
        id,
        &about.summary.to_lowercase(),
    );
    Some(Provider {
        id: id.to_owned(),
        app_id: shared_id.unwrap_or(id).to_owned(),
        about,
        words,
        brand: own.brand.clone()?,
        kind: first(own, shared, |entry| &entry.auth)?.kind,
        setup: first(own, shared, |entry| &entry.app),
        variables,
        refresh: oauth
            .as_ref()
            .map_or_else(Refresh::none, |oauth| oauth.refresh.clone()),
        answer: oauth
            .as_ref()
            .map(|oauth| oauth.answer.clone())
            .unwrap_or_default(),
        oauth: oauth.map(Box::new),
        fields: own.fields.clone(),
        service: own.service.clone(),
        api: first(own, shared, |entry| &entry.api).unwrap_or_default(),
        identity: first(own, shared, |entry| &entry.identity)?,
        probe: first(own, shared, |entry| &entry.probe),
        care: first(own, shared, |entry| &entry.check).unwrap_or_default(),
        tenants: first(own, shared, |entry| &entry.tenants),
        push: first(own, shared, |entry| &entry.push),
        scopes: own.scopes.clone(),
        errors,
    })
}

impl Problem {
    /// A problem at the first place where `needle` stands in a file.
    pub(super) fn find(source: &Source, needle: &str, message: impl Into<String>) -> Self {
        match source.text.find(needle) {
            Some(offset) => Self::at(&source.file, &source.text, offset, message),
            None => Self::whole(&source.file, message),
        }
    }
}
