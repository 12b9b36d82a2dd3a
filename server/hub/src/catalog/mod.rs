//! Providers as data: one TOML file each, in `server/hub/catalog`, carried
//! inside the program and checked when it is built, when it starts and by
//! `linkwell catalog check`.
//!
//! Code hooks: the ways of signing calls, [`entry::SigningScheme`], one so far;
//! an entry names the one it needs (TikTok Shop). Whatever else a provider does
//! differently is a field of [`entry`], [`oauth`] or [`push`].

mod check;
mod check_push;
mod embedded;
pub mod entry;
pub mod errors;
pub mod keys;
mod load;
pub mod oauth;
mod place;
mod problem;
mod provider;
pub mod push;
mod rank;
pub mod template;
pub mod value;

use std::{collections::BTreeMap, path::Path, sync::Arc};

pub use entry::{AuthKind, Category, Confidence, NotMatching, Origin, Scope, Variable};
pub use errors::{Meaning, Place};
pub use oauth::{Incremental, RefreshMode};
pub use problem::Problem;
pub use provider::{Provider, SignIn};
pub use template::{MissingVariable, Template, Variables};

use load::{Source, assemble};

/// All providers. Cheap to clone.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    sources: BTreeMap<String, Source>,
    /// Sorted by name.
    providers: Vec<Provider>,
    globals: Variables,
}

impl Catalog {
    /// The files carried inside the program.
    ///
    /// # Errors
    /// Everything that is wrong with them; a program that was built has none.
    pub fn embedded() -> Result<Self, Vec<Problem>> {
        let files = embedded::FILES
            .iter()
            .map(|(name, text)| Source::new(name, text));
        Self::from_sources(files, Variables::new())
    }

    fn from_sources(
        files: impl IntoIterator<Item = Source>,
        globals: Variables,
    ) -> Result<Self, Vec<Problem>> {
        let sources: BTreeMap<_, _> = files
            .into_iter()
            .map(|source| (source.id().to_owned(), source))
            .collect();
        let mut inner = Inner {
            providers: assemble(&sources)?,
            sources,
            globals,
        };
        inner.apply_globals();
        Ok(Self(Arc::new(inner)))
    }

    /// Adds the `.toml` files of a directory; one with the name of an existing
    /// file takes its place.
    ///
    /// # Errors
    /// What is wrong with the directory or the files in it.
    pub fn with_directory(self, directory: &Path) -> Result<Self, Vec<Problem>> {
        let unreadable = |path: &Path, error: std::io::Error| {
            vec![Problem::whole(
                &path.display().to_string(),
                error.to_string(),
            )]
        };
        let mut sources = self.0.sources.clone();
        let listing = std::fs::read_dir(directory).map_err(|e| unreadable(directory, e))?;
        for item in listing {
            let path = item.map_err(|e| unreadable(directory, e))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
                let source = Source::new(&path.display().to_string(), &text);
                sources.insert(source.id().to_owned(), source);
            }
        }
        Self::from_sources(sources.into_values(), self.0.globals.clone())
    }

    /// Gives a value to variables that are `from = "hub"`: `sandbox_origin`.
    /// Providers that wait for a value are not offered until it is given.
    pub fn with_global(mut self, name: &str, value: &str) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.globals.insert(name.to_owned(), value.to_owned());
        inner.apply_globals();
        self
    }

    /// The provider called `id`, if it is offered.
    pub fn get(&self, id: &str) -> Option<&Provider> {
        self.iter().find(|provider| provider.id == id)
    }

    /// What a provider is called on screen: its id where it has no entry.
    pub fn name_of<'a>(&'a self, id: &'a str) -> &'a str {
        self.get(id).map_or(id, Provider::name)
    }

    /// What scopes of a provider allow, in words.
    pub fn meanings(&self, id: &str, scopes: &[String]) -> Vec<String> {
        let entry = self.get(id);
        let meaning = |scope: &String| {
            let known = entry.and_then(|entry| entry.scope(scope));
            known.map_or(scope, |known| &known.meaning).clone()
        };
        scopes.iter().map(meaning).collect()
    }

    /// Every provider there is an entry for, offered here or not, sorted by name.
    pub fn all(&self) -> impl Iterator<Item = &Provider> {
        self.0.providers.iter()
    }

    /// The providers offered, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0
            .providers
            .iter()
            .filter(|provider| provider.is_offered())
    }

    /// The offered providers that answer to `query` by name, alias, category,
    /// id or summary, in any case; the best first.
    pub fn search(&self, query: &str) -> Vec<&Provider> {
        let query = query.trim().to_lowercase();
        let ranked = self.iter().filter_map(|p| Some((p.answers_to(&query)?, p)));
        let mut found: Vec<_> = ranked.collect();
        // What cannot be connected yet comes last among equals.
        found.sort_by_key(|(rank, provider)| (*rank, provider.sign_in() == SignIn::Browser));
        found.into_iter().map(|(_, provider)| provider).collect()
    }

    /// The provider apps an operator may register, by id: each with the
    /// products that share it.
    pub fn apps(&self) -> BTreeMap<&str, Vec<&Provider>> {
        let mut apps = BTreeMap::<_, Vec<_>>::new();
        let registered = self.iter().filter(|provider| provider.setup.is_some());
        for provider in registered {
            apps.entry(provider.app_id.as_str())
                .or_default()
                .push(provider);
        }
        apps
    }
}

impl Inner {
    fn apply_globals(&mut self) {
        let variables = self.providers.iter_mut().flat_map(|p| &mut p.variables);
        for variable in variables.filter(|variable| variable.from == Origin::Hub) {
            if let Some(value) = self.globals.get(&variable.name) {
                variable.default = Some(value.clone());
            }
        }
    }
}
