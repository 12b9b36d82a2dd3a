//! `/v1/catalog`: what can be connected, for host applications and for
//! `linkwell catalog list --json`.

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use hub::{
    Hub,
    catalog::{
        AuthKind, Category, Confidence, Incremental, Provider, RefreshMode, SignIn, oauth::Rotates,
        value::Span,
    },
    people::{Host, Scope},
    secret::digest,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::problem::{self, Answer, Problem};

/// How many entries one answer has where nobody says.
const PAGE: usize = 100;
/// How many it has at the most.
const LARGEST_PAGE: usize = 500;

/// The two routes.
pub fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(entry))
}

/// A line of the list.
#[derive(Serialize, ToSchema)]
#[schema(as = CatalogLine)]
pub struct Line<'a> {
    id: &'a str,
    name: &'a str,
    category: &'static str,
    regions: &'a [String],
    aliases: &'a [String],
    summary: &'a str,
    /// How one signs in: the kind of its entry.
    auth: &'static str,
    /// What that takes: `one_click`, `key`, `database` or `browser`.
    sign_in: &'static str,
    /// How long connecting usually takes, in seconds.
    usually_takes_s: Option<i64>,
    /// The provider app it needs; none where there is nothing to register.
    app: Option<&'a str>,
    confidence: &'static str,
}

/// An entry, whole. There are no secrets in the catalog.
#[derive(Serialize, ToSchema)]
struct CatalogEntry<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    icon: &'a str,
    colour: &'a str,
    we_will: Vec<&'a str>,
    we_will_not: &'a [String],
    scopes: Vec<ScopeLine<'a>>,
    variables: Vec<Question<'a>>,
    fields: Vec<FieldLine<'a>>,
    token: Option<TokenLife>,
    /// Whether disconnecting ends the access at the provider by itself.
    revoked_by_call: bool,
    remove_url: &'a str,
    /// How the provider tells that our access has ended.
    push_signal: Option<&'a str>,
    setup: Option<SetupLines<'a>>,
    api_base: Option<&'a str>,
    checked: String,
    sources: &'a [String],
}

#[derive(Serialize, ToSchema)]
struct ScopeLine<'a> {
    name: &'a str,
    meaning: &'a str,
    benefit: &'a str,
    default: bool,
    technical: bool,
}

#[derive(Serialize, ToSchema)]
struct Question<'a> {
    name: &'a str,
    label: &'a str,
    placeholder: &'a str,
    help: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<(&'a str, &'a str)>,
}

#[derive(Serialize, ToSchema)]
struct FieldLine<'a> {
    name: &'a str,
    label: &'a str,
    why: &'a str,
    steps: &'a [String],
    link: Option<&'a str>,
    example: &'a str,
    secret: bool,
    optional: bool,
}

/// What is known of the life of tokens. Durations are in seconds; `unknown`
/// and `endless` are words.
#[derive(Serialize, ToSchema)]
struct TokenLife {
    refresh: &'static str,
    lifetime: String,
    refresh_lifetime: Option<String>,
    refresh_absolute: bool,
    rotates: &'static str,
    incremental: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct SetupLines<'a> {
    name: &'a str,
    register_url: Option<&'a str>,
    docs_url: Option<&'a str>,
    redirect_rules: &'a str,
    review: &'a str,
    steps: &'a [String],
}

/// A line of the list.
pub fn line(provider: &Provider) -> Line<'_> {
    let about = &provider.about;
    Line {
        id: &provider.id,
        name: provider.name(),
        category: about.category.label(),
        regions: &about.regions,
        aliases: &about.aliases,
        summary: &about.summary,
        auth: provider.kind.as_str(),
        sign_in: sign_in(provider.sign_in()),
        usually_takes_s: about.usually_takes.map(|takes| takes.num_seconds()),
        app: provider.setup.as_ref().map(|_| provider.app_id.as_str()),
        confidence: match about.confidence {
            Confidence::High => "high",
            Confidence::Medium => "medium",
            Confidence::Low => "low",
        },
    }
}

fn sign_in(how: SignIn) -> &'static str {
    match how {
        SignIn::OneClick => "one_click",
        SignIn::Key => "key",
        SignIn::Database => "database",
        SignIn::Browser => "browser",
    }
}

fn whole(provider: &Provider) -> CatalogEntry<'_> {
    let about = &provider.about;
    let asked = provider.scopes.iter().filter(|scope| scope.default);
    let from_scopes = asked.map(|scope| scope.meaning.as_str());
    CatalogEntry {
        line: line(provider),
        icon: &provider.brand.icon,
        colour: provider.brand.colour.as_str(),
        we_will: from_scopes
            .chain(about.we_will.iter().map(String::as_str))
            .collect(),
        we_will_not: &about.we_will_not,
        scopes: provider
            .scopes
            .iter()
            .map(|scope| ScopeLine {
                name: &scope.name,
                meaning: &scope.meaning,
                benefit: &scope.benefit,
                default: scope.default,
                technical: scope.technical,
            })
            .collect(),
        variables: provider
            .questions()
            .map(|question| Question {
                name: &question.name,
                label: &question.label,
                placeholder: &question.placeholder,
                help: &question.help,
                default: question.default.as_deref(),
                choices: question
                    .choices
                    .iter()
                    .map(|choice| (choice.value.as_str(), choice.label.as_str()))
                    .collect(),
            })
            .collect(),
        fields: provider
            .fields
            .iter()
            .map(|field| FieldLine {
                name: &field.name,
                label: &field.label,
                why: &field.why,
                steps: &field.steps,
                link: field.link.as_ref().map(|link| link.template().source()),
                example: &field.example,
                secret: field.secret,
                optional: field.optional,
            })
            .collect(),
        token: provider.oauth.as_ref().map(|_| token(provider)),
        revoked_by_call: provider.is_revoked_by_call(),
        remove_url: about.remove_url.template().source(),
        push_signal: provider.push.as_ref().map(|push| push.signal.as_str()),
        setup: provider.setup.as_ref().map(|setup| SetupLines {
            name: &setup.name,
            register_url: setup.register_url.as_ref().map(|link| link.as_str()),
            docs_url: setup.docs_url.as_ref().map(|link| link.as_str()),
            redirect_rules: &setup.redirect_rules,
            review: &setup.review,
            steps: &setup.steps,
        }),
        api_base: provider
            .api
            .base
            .as_ref()
            .map(|base| base.template().source()),
        checked: about.checked.to_string(),
        sources: &about.sources,
    }
}

fn token(provider: &Provider) -> TokenLife {
    let span = |span: Span| match span {
        Span::Lasts(span) => span.num_seconds().to_string(),
        Span::Endless => "endless".to_owned(),
        Span::Unknown => "unknown".to_owned(),
    };
    let refresh = &provider.refresh;
    TokenLife {
        refresh: match refresh.mode {
            RefreshMode::RefreshToken => "refresh_token",
            RefreshMode::Exchange => "exchange",
            RefreshMode::Mint => "mint",
            RefreshMode::None => "none",
        },
        lifetime: span(refresh.token_lifetime),
        refresh_lifetime: refresh.refresh_lifetime.map(span),
        refresh_absolute: refresh.refresh_absolute,
        rotates: match refresh.rotation.rotates {
            Rotates::Always => "always",
            Rotates::Sometimes => "sometimes",
            Rotates::Never => "never",
            Rotates::Unknown => "unknown",
        },
        incremental: provider
            .authorize()
            .map(|authorize| match authorize.incremental {
                Incremental::Merge => "merge",
                Incremental::Replace => "replace",
                Incremental::Unknown => "unknown",
            }),
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Words to search by.
    #[serde(default)]
    q: String,
    /// A category's word, as in provider files.
    #[param(value_type = Option<String>)]
    category: Option<Category>,
    /// `global`, `eu` or a country; whatever serves it, as global ones do.
    region: Option<String>,
    /// `one_click`, `key`, `database` or `browser`.
    sign_in: Option<String>,
    /// A kind of entry: `oauth2`, `api_key` …
    #[param(value_type = Option<String>)]
    auth: Option<AuthKind>,
    limit: Option<usize>,
    /// The last id of the page before.
    after: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct CatalogList<'a> {
    data: Vec<Line<'a>>,
    /// How many answer to the filters, on all pages together.
    total: usize,
    /// What to ask as `after` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

/// List and search what can be connected
#[utoipa::path(
    get, path = "/", tag = "catalog", operation_id = "list_catalog",
    params(Asked),
    responses(
        (status = 200, description = "A page of entries, the likeliest first", body = CatalogList),
        (status = 304, description = "Nothing has changed since the answer that `If-None-Match` names"),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 422, response = problem::Invalid),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["catalog:read"])),
)]
async fn list(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Answer<Response> {
    host.may(Scope::CatalogRead)?;
    let Query(asked) = asked.map_err(|error| Problem::unreadable_query(&error))?;
    let found = match asked.q.trim() {
        "" => hub.catalog.iter().collect(),
        q => hub.catalog.search(q),
    };
    let fits = |provider: &&Provider| {
        asked
            .category
            .is_none_or(|category| provider.about.category == category)
            && asked
                .region
                .as_deref()
                .is_none_or(|region| provider.serves(region))
            && asked.auth.is_none_or(|auth| provider.kind == auth)
            && asked
                .sign_in
                .as_deref()
                .is_none_or(|how| sign_in(provider.sign_in()) == how)
    };
    let found: Vec<&Provider> = found.into_iter().filter(fits).collect();
    let from = match &asked.after {
        None => 0,
        Some(after) => match found.iter().position(|provider| provider.id == *after) {
            Some(at) => at + 1,
            None => return Err(Problem::unreadable("after names no entry of this list")),
        },
    };
    let limit = asked.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let page = &found[from..found.len().min(from + limit)];
    let is_last = from + page.len() == found.len();
    let answer = CatalogList {
        data: page.iter().map(|provider| line(provider)).collect(),
        total: found.len(),
        next: page
            .last()
            .filter(|_| !is_last)
            .map(|provider| provider.id.as_str()),
    };
    Ok(unless_known(&headers, &answer))
}

/// See one entry whole: what it asks for, what it will do, how its tokens live
#[utoipa::path(
    get, path = "/{id}", tag = "catalog", operation_id = "get_catalog_entry",
    params(("id" = String, Path, description = "The provider's id")),
    responses(
        (status = 200, description = "The entry", body = CatalogEntry),
        (status = 304, description = "Nothing has changed since the answer that `If-None-Match` names"),
        (status = 401, response = problem::Unauthenticated),
        (status = 403, response = problem::Forbidden),
        (status = 404, response = problem::NotFound),
        (status = 429, response = problem::Throttled),
    ),
    security(("key" = ["catalog:read"])),
)]
async fn entry(
    State(hub): State<Hub>,
    Extension(host): Extension<Host>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    host.may(Scope::CatalogRead)?;
    let provider = hub.catalog.get(&id).ok_or_else(Problem::not_found)?;
    Ok(unless_known(&headers, &whole(provider)))
}

/// The answer with its tag, or only the word that it has not changed.
fn unless_known(headers: &HeaderMap, answer: &impl Serialize) -> Response {
    let body = serde_json::to_string(answer).expect("plain data is always JSON");
    let tag: String = digest(&body)[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let mut tags = value
                .split(',')
                .map(|tag| tag.trim().trim_start_matches("W/"));
            tags.any(|known| known == tag || known == "*")
        });
    let caching = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "private, no-cache".into()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let json = (header::CONTENT_TYPE, "application/json");
    (caching, [json], body).into_response()
}
