//! The API described: for programs at `/v1/openapi.json`, for people at
//! `/v1/docs`. Both are made from the routes.

use std::sync::Arc;

use axum::{
    Json, Router,
    http::header,
    response::{Html, IntoResponse},
    routing::get,
};
use hub::{Hub, people::Scope};
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;
use utoipa::openapi::{
    InfoBuilder, OpenApi, OpenApiBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

use crate::{assets, http::problem};

const ABOUT: &str = "Linkwell keeps the accounts of an organisation connected and lends working \
    tokens to its software. Send an API key, or a token made from one, as \
    `Authorization: Bearer lw_…`. Errors are `application/problem+json`. Requests that make \
    something may carry an `Idempotency-Key`: sent twice within a day, they are done once. How \
    many calls are left is in `RateLimit`. Every address below `/v1/connections` is also there \
    below `/v1/connectors`.";

/// The document without its routes.
pub fn introduction() -> OpenApi {
    let keys = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(format!(
            "An API key or a token made from one. Scopes: {}",
            Scope::ALL.map(Scope::as_str).join(", ")
        )))
        .build();
    let mut components = problem::components();
    components
        .security_schemes
        .insert("key".to_owned(), SecurityScheme::Http(keys));
    let tag = |name: &str, about: &str| {
        TagBuilder::new()
            .name(name)
            .description(Some(about))
            .build()
    };
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Linkwell")
                .version("1")
                .description(Some(ABOUT))
                .build(),
        )
        .tags(Some([
            tag("connections", "Accounts that are linked"),
            tag("runs", "What automations do with connections"),
            tag("events", "What happened"),
            tag("links", "Links with which your own people connect"),
            tag("catalog", "What can be linked"),
            tag("tokens", "Short-lived tokens for this API"),
        ]))
        .components(Some(components))
        .build()
}

/// Where the document and its page are.
pub fn router(document: OpenApi) -> Router<Hub> {
    let document = serde_json::to_value(document).expect("plain data is always JSON");
    let page: Arc<str> = page(&document).into_string().into();
    let document = Arc::new(document);
    Router::new()
        .route(
            "/v1/openapi.json",
            get(async move || Json(document.as_ref().clone()).into_response()),
        )
        .route(
            "/v1/docs",
            get(async move || {
                let page = Html(page.to_string());
                ([(header::CACHE_CONTROL, "no-store")], page).into_response()
            }),
        )
}

fn page(document: &Value) -> Markup {
    let manifest = assets::manifest();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "API · Linkwell" }
                link rel="icon" href=(manifest.favicon());
                link rel="stylesheet" href=(manifest.css());
            }
            body {
                main class="stack" {
                    h1 { "The API" }
                    @for sentence in text(&document["info"]["description"]).split(". ") {
                        p { (code(sentence.trim_end_matches('.'))) "." }
                    }
                    p { a href="/v1/openapi.json" { "The same for programs (OpenAPI 3.1)" } }
                    nav aria-label="Operations" {
                        ul {
                            @for (method, path, operation) in operations(document) {
                                li {
                                    a href={ "#" (text(&operation["operationId"])) } {
                                        (method) " " (path)
                                    }
                                }
                            }
                        }
                    }
                    @for (method, path, operation) in operations(document) {
                        (section(document, &method, path, operation))
                    }
                }
            }
        }
    }
}

fn section(document: &Value, method: &str, path: &str, operation: &Value) -> Markup {
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<_> = parameters.collect();
    html! {
        section class="card" id=(text(&operation["operationId"])) {
            h2 { (text(&operation["summary"])) }
            p { code { (method) " " (path) } }
            @if !operation["description"].is_null() { p { (code(text(&operation["description"]))) } }
            @if let Some(scope) = operation.pointer("/security/0/key/0") {
                p { "Scope: " code { (text(scope)) } }
            }
            @if !parameters.is_empty() {
                h3 { "Parameters" }
                dl {
                    @for parameter in parameters {
                        dt { code { (text(&parameter["name"])) } " in " (text(&parameter["in"])) }
                        dd { (code(text(&parameter["description"]))) }
                    }
                }
            }
            @if !body.is_null() { h3 { "Body" } (schema(document, body)) }
            h3 { "Answers" }
            dl {
                @for (status, answer) in members(&operation["responses"]) {
                    @let answer = resolved(document, answer);
                    @let kind = answer["content"].as_object().and_then(|kinds| kinds.values().next());
                    dt { (status) }
                    dd {
                        (code(text(&answer["description"])))
                        @if let (Some(kind), true) = (kind, status.starts_with('2')) {
                            (schema(document, &kind["schema"]))
                        }
                    }
                }
            }
        }
    }
}

/// The members of an object, and an example where there is one.
fn schema(document: &Value, schema: &Value) -> Markup {
    let schema = [schema, &schema["oneOf"][1]]
        .into_iter()
        .find(|schema| schema["$ref"].is_string())
        .unwrap_or(schema);
    let schema = resolved(document, schema);
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let parts = parts.map(|part| resolved(document, part));
    let members: Vec<_> = std::iter::once(schema)
        .chain(parts)
        .flat_map(|part| members(&part["properties"]))
        .collect();
    html! {
        dl {
            @for (name, member) in members {
                dt { code { (name) } }
                dd { (code(text(&resolved(document, member)["description"]))) }
            }
        }
        @if !schema["example"].is_null() {
            pre tabindex="0" { code { (serde_json::to_string_pretty(&schema["example"]).unwrap_or_default()) } }
        }
    }
}

/// Method, path and description of every operation, in the document's order.
fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    members(&document["paths"])
        .flat_map(|(path, methods)| {
            members(methods)
                .map(move |(method, operation)| (method.to_uppercase(), path, operation))
        })
        .collect()
}

fn members(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = object.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), value))
}

/// What a reference stands for.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix('#'));
    target
        .and_then(|path| document.pointer(path))
        .unwrap_or(value)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Text in which what stands between backquotes is code.
fn code(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
