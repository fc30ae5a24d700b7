//! The OpenAPI document: what the operations say of themselves, with what holds for all of them, and the page that shows it.

use poem::{Response, endpoint::make_sync};
use serde_json::{Map, Value, json};

use super::{
    access, described,
    page::{CITY_ORDERS, FORMS, RIDE_ORDERS, RIDER_ORDERS},
    session,
    shape::{self, CSV, PARQUET, Rows},
};

/// The OpenAPI document, as `openapi/openapi.json` has it: the same bytes on every machine.
///
/// # Panics
/// When the operations make no document, which a test rules out.
#[must_use]
pub fn openapi_document() -> String {
    let mut document: Value = serde_json::from_str(&described().spec()).expect("poem-openapi writes JSON");
    let rows = shape::rows_of(&document);
    for (_, operation) in operations(&mut document) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        tell_access(operation);
        tell_forms(&id, operation);
        if let Some(rows) = rows.get(&id) {
            tell_shape(rows, operation);
        }
    }
    document["components"]["securitySchemes"] = json!({
        "key": {
            "type": "http", "scheme": "bearer",
            "description": "A key that `deloton key new` printed, as `Authorization: Bearer KEY`. A server without keys \
                            is reached from its own machine alone, and asks for none.",
        },
        "session": {
            "type": "apiKey", "in": "cookie", "name": session::COOKIE,
            "description": "A browser that signed in at `/login`.",
        },
    });
    let mut text = serde_json::to_string_pretty(&document).expect("what was read as JSON is written as JSON");
    text.push('\n');
    text
}

/// Every operation of a document, by its path.
fn operations(document: &mut Value) -> impl Iterator<Item = (&String, &mut Map<String, Value>)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object_mut().into_iter().flatten();
        methods.filter_map(move |(_, operation)| Some((path as &String, operation.as_object_mut()?)))
    })
}

/// Says of an operation who may do it, and what those are told who may not.
fn tell_access(operation: &mut Map<String, Value>) {
    let role = access::least_role(operation["operationId"].as_str().unwrap_or_default());
    let words = operation.get("description").and_then(Value::as_str).unwrap_or_default();
    let words = format!("{words}\n\nLeast role: `{role}`.");
    operation.insert("description".to_owned(), words.trim_start().into());
    operation.insert("security".to_owned(), json!([{ "key": [] }, { "session": [] }]));
    let problem = |words: &str| {
        json!({
            "description": words,
            "content": {
                "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
            },
        })
    };
    for (status, words) in [
        ("401", "A key is needed, and none was given that is good."),
        ("403", "The key's role may not do this."),
        (
            "429",
            "The key has no requests left in this minute, or too many wrong keys came from this address.",
        ),
    ] {
        operation["responses"][status] = problem(words);
    }
}

/// Says what the texts of query parameters are like.
fn tell_forms(id: &str, operation: &mut Map<String, Value>) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters
        .into_iter()
        .flatten()
        .filter(|parameter| parameter["in"] == "query")
    {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        if name == "sort" {
            parameter["schema"]["enum"] = orders_of(id).into();
        }
        if let Some((_, pattern, example)) = FORMS.iter().find(|(form, ..)| *form == name) {
            parameter["schema"]["pattern"] = (*pattern).into();
            if !example.is_empty() {
                parameter["example"] = (*example).into();
            }
        }
    }
}

/// The texts by which an operation sorts.
fn orders_of(id: &str) -> Vec<String> {
    let both = |name: &str| [name.to_owned(), format!("-{name}")];
    match id {
        "list_cities" => CITY_ORDERS.iter().flat_map(|(name, _)| both(name)).collect(),
        "list_riders" => RIDER_ORDERS.iter().flat_map(|(name, _)| both(name)).collect(),
        _ => RIDE_ORDERS.iter().flat_map(|(name, _)| both(name)).collect(),
    }
}

/// Says which fields may be chosen, and the other forms in which rows are to be had.
fn tell_shape(rows: &Rows, operation: &mut Map<String, Value>) {
    let names: Vec<&str> = rows.columns.iter().map(|(name, _)| name.as_str()).collect();
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Some(parameters) = parameters.as_array_mut() {
        parameters.push(json!({
            "name": "fields", "in": "query", "required": false, "style": "form", "explode": false,
            "description": "Only these fields, parted by commas, in this order.",
            "schema": { "type": "array", "minItems": 1, "items": { "type": "string", "enum": names } },
        }));
    }
    if !rows.is_list {
        return;
    }
    let answer = &mut operation["responses"]["200"];
    answer["content"][CSV] = json!({ "schema": { "type": "string" } });
    answer["content"][PARQUET] = json!({ "schema": { "type": "string", "format": "binary" } });
    answer["headers"]["Link"] = json!({
        "description": "Of CSV and Parquet: where the next page is, as `<address>; rel=\"next\"`.",
        "schema": { "type": "string" },
    });
}

/// The page that shows the document and tries its operations. Everything it needs is in it.
pub(super) fn swagger_ui(document: &str) -> impl poem::Endpoint<Output = Response> + 'static {
    let service = described();
    let page = service.swagger_ui_html().replace(&service.spec(), document);
    make_sync(move |_| {
        Response::builder()
            .content_type("text/html; charset=utf-8")
            .body(page.clone())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_of_the_document_has_its_least_role_and_no_other() {
        let mut document: Value = serde_json::from_str(&openapi_document()).unwrap();
        let id =
            |(_, operation): (&String, &mut Map<String, Value>)| operation["operationId"].as_str().unwrap().to_owned();
        let described: BTreeSet<String> = operations(&mut document).map(id).collect();
        let known: BTreeSet<String> = access::OPERATIONS.iter().map(|(id, _)| (*id).to_owned()).collect();
        assert_eq!(described, known);
        assert_eq!(known.len(), access::OPERATIONS.len(), "each once");
    }
}
