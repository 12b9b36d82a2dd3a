//! The document of the API says what the router does, no more and no less, and
//! its examples run.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    gate::served,
    harness::{HostApp, World},
};

async fn document(world: &World) -> Value {
    let answer = world.browser().get("/v1/openapi.json").await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

/// Method, address and description of every operation.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, one)| (method.to_uppercase(), path.clone(), one))
        })
        .collect()
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let world = World::new().await;
    let document = document(&world).await;
    assert_eq!(document["openapi"], "3.1.0");
    let described: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    let all: BTreeSet<_> = served(&world)
        .into_iter()
        .filter(|(_, path)| path.starts_with("/v1/") || path.starts_with("/.well-known/"))
        .collect();
    let undescribed = ["/v1/openapi.json", "/v1/docs", "/v1/{*rest}"];
    let (older, expected): (BTreeSet<_>, BTreeSet<_>) = all
        .into_iter()
        .filter(|(_, path)| !undescribed.contains(&path.as_str()))
        .partition(|(_, path)| path.starts_with("/v1/connectors"));
    assert_eq!(described, expected);
    let newer: BTreeSet<_> = older
        .into_iter()
        .map(|(method, path)| (method, path.replacen("connectors", "connections", 1)))
        .collect();
    let connections = expected
        .into_iter()
        .filter(|(_, path)| path.starts_with("/v1/connections"));
    assert_eq!(
        newer,
        connections.collect(),
        "the older name leads to the same routes"
    );
}

/// Every reference of the document, wherever it stands.
fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(target) if name == "$ref" => found.push(target),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_whole() {
    let world = World::new().await;
    let document = document(&world).await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50, "{} references", found.len());
    for target in found {
        let target = target.strip_prefix('#').expect("within the document");
        assert!(document.pointer(target).is_some(), "{target}");
    }
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name), "{name} is there once");
        assert!(operation["summary"].is_string(), "{name}");
        let answers = operation["responses"].as_object().expect("answers");
        for parameter in path
            .split('{')
            .skip(1)
            .map(|rest| rest.split('}').next().unwrap())
        {
            let all = operation["parameters"].as_array().expect("parameters");
            assert!(
                all.iter()
                    .any(|one| one["name"] == parameter && one["in"] == "path")
            );
            assert!(answers.contains_key("404"), "{name}");
        }
        if path.starts_with("/v1/") {
            assert!(operation["security"][0]["key"].is_array(), "{name}");
            for status in ["401", "403", "429"] {
                assert!(answers.contains_key(status), "{name} {status}");
            }
        }
        if !operation["requestBody"].is_null() {
            for status in ["400", "413", "415", "422"] {
                assert!(answers.contains_key(status), "{method} {path} {status}");
            }
        }
    }
}

/// The example of a request's body, if there is one.
fn example<'d>(document: &'d Value, operation: &'d Value) -> Option<&'d Value> {
    let schema = operation.pointer("/requestBody/content/application~1json/schema")?;
    let mut found = Vec::new();
    references(schema, &mut found);
    let schema = document.pointer(found.first()?.strip_prefix('#')?)?;
    schema.get("example")
}

async fn try_out(host: &HostApp, id: &str, method: &str, path: &str, body: Option<&Value>) -> u16 {
    let is_provider = path.starts_with("/v1/catalog") || path.starts_with("/v1/providers");
    let id = match is_provider {
        true => "github",
        false => id,
    };
    let request = host.request(method, &path.replace("{id}", id));
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn examples_run_and_answers_are_described() {
    let world = World::new().await;
    let document = document(&world).await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await.to_string();
    let mut nobody = world.any_host().await;
    nobody.key = "lw_nobody".into();
    let powerless = world.host(&[hub::people::Scope::CatalogRead]).await;
    let mut examples = 0;
    let mut operations = operations(&document);
    // What is deleted is deleted last.
    operations.sort_by_key(|(method, ..)| method == "DELETE");
    for (method, path, operation) in operations {
        let example = example(&document, operation);
        let answers = operation["responses"].as_object().unwrap();
        for caller in [&nobody, &powerless, &host] {
            let status = try_out(caller, &id, &method, &path, example).await;
            assert!(
                answers.contains_key(&status.to_string()),
                "{method} {path}: {status}"
            );
        }
        if example.is_some() {
            examples += 1;
        }
    }
    assert!(examples >= 3, "{examples} examples");
    // The examples are accepted, not only answered.
    for (method, path, status) in [
        ("POST", "/v1/connections", 201),
        ("PATCH", "/v1/connections/{id}", 200),
        ("POST", "/v1/tokens", 200),
    ] {
        let fresh = World::new().await;
        let host = fresh.any_host().await;
        let id = fresh.import_living(&host).await.to_string();
        let operation = &document["paths"][path][method.to_lowercase()];
        let body = example(&document, operation).expect("an example");
        assert_eq!(
            try_out(&host, &id, method, path, Some(body)).await,
            status,
            "{path}"
        );
    }
}

#[tokio::test]
async fn people_can_read_it_without_a_script() {
    let world = World::new().await;
    let document = document(&world).await;
    let answer = world.browser().get("/v1/docs").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none'"));
    let page = answer.text().await.unwrap();
    assert!(!page.contains("<script") && !page.contains("style=\""));
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
        assert!(
            page.contains(&format!("<code>{method} {path}</code>")),
            "{path}"
        );
    }
    for asset in ["link rel=\"stylesheet\" href=\""] {
        let href = page
            .split(asset)
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap();
        assert_eq!(world.browser().get(href).await.status(), StatusCode::OK);
    }
}
