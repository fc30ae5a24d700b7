//! The OpenAPI document: what the operations say of themselves, with what holds for all of them, and the page that shows it.

use poem::{Response, endpoint::make_sync};
use serde_json::{Map, Value, json};

use super::{
    access, described,
    page::{CITY_ORDERS, FORMS, RIDE_ORDERS, RIDER_ORDERS},
    session,
    shape::{self, CSV, PARQUET, Rows},
};

/// Requests and what a server on the shipped sample's days answers to them, by operation.
const EXAMPLES: &str = include_str!("../../openapi/examples.json");

/// The OpenAPI document, as `openapi/openapi.json` has it: the same bytes on every machine.
///
/// # Panics
/// When the operations make no document, which a test rules out.
#[must_use]
pub fn openapi_document() -> String {
    let mut document: Value = serde_json::from_str(&described().spec()).expect("poem-openapi writes JSON");
    tell_publisher(&mut document);
    for (_, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        tell_nulls(schema);
    }
    days_are_dates(&mut document);
    close_bodies(&mut document);
    let rows = shape::rows_of(&document);
    for schema in shape::schemas_of(&document) {
        loosen(&mut document["components"]["schemas"], &schema);
    }
    let examples: Map<String, Value> = serde_json::from_str(EXAMPLES).expect("a test reads the examples");
    for (path, method, operation) in operations(&mut document) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        tell_access(operation);
        tell_headers(method, operation);
        tell_forms(&id, operation);
        if let Some(example) = examples.get(&id) {
            tell_example(path, example, operation);
        }
        if let Some(rows) = rows.get(&id) {
            tell_shape(rows, operation);
        }
    }
    document["components"]["headers"] = headers();
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

/// Every operation of a document, by its path and method.
fn operations(document: &mut Value) -> impl Iterator<Item = (&str, &str, &mut Map<String, Value>)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object_mut().into_iter().flatten();
        methods
            .filter_map(move |(method, operation)| Some((path.as_str(), method.as_str(), operation.as_object_mut()?)))
    })
}

/// Takes back that an object has all of its fields: `fields` chooses among them.
fn loosen(schemas: &mut Value, schema: &str) {
    let Some(object) = schemas[schema].as_object_mut() else {
        return;
    };
    object.remove("required");
    let mut parts = Vec::new();
    for part in object
        .get_mut("allOf")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        part.as_object_mut().and_then(|part| part.remove("required"));
        parts.extend(shape::name_of(part).map(str::to_owned));
    }
    for part in parts {
        loosen(schemas, &part);
    }
}

/// Puts an example's request and answer where the document has places for them.
fn tell_example(path: &str, example: &Value, operation: &mut Map<String, Value>) {
    let asked = example["request"]["path"].as_str().unwrap_or_default();
    let (asked, query) = asked.split_once('?').unwrap_or((asked, ""));
    let of_path = path.split('/').zip(asked.split('/'));
    let of_path = of_path.filter_map(|(part, text)| Some((part.strip_prefix('{')?.strip_suffix('}')?, text)));
    let given: Vec<(&str, &str)> = of_path
        .chain(query.split('&').filter_map(|pair| pair.split_once('=')))
        .collect();
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let Some((_, text)) = given.iter().find(|(name, _)| parameter["name"] == *name) else {
            continue;
        };
        parameter["example"] = match parameter["schema"]["type"].as_str() {
            Some("integer" | "number") => serde_json::from_str(text).unwrap_or_default(),
            Some("array") => text.split(',').collect::<Vec<_>>().into(),
            _ => (*text).into(),
        };
    }
    let put = |content: Option<&mut Value>, example: &Value| {
        let media_types = content.and_then(Value::as_object_mut).into_iter().flatten();
        for (_, content) in media_types.filter(|(media_type, _)| media_type.contains("json")) {
            content["example"] = example.clone();
        }
    };
    if let Some(body) = example["request"].get("body") {
        put(
            operation
                .get_mut("requestBody")
                .and_then(|body| body.get_mut("content")),
            body,
        );
    }
    let status = example["status"].to_string();
    let answered = operation
        .get_mut("responses")
        .and_then(|responses| responses.get_mut(&status));
    put(
        answered.and_then(|answered| answered.get_mut("content")),
        &example["answer"],
    );
}

/// Says whose API it is, and where.
fn tell_publisher(document: &mut Value) {
    document["info"]["contact"] =
        json!({ "name": "Deloton", "url": "https://deloton.example", "email": "api@deloton.example" });
    document["info"]["license"] = json!({ "name": "MIT OR Apache-2.0", "url": "https://spdx.org/licenses/MIT.html" });
    document["servers"] = json!([{ "url": "/", "description": "The server that this document came from." }]);
}

/// What has no value is null: the fields that need not be given may be so.
fn tell_nulls(schema: &mut Value) {
    let parts = schema.get_mut("allOf").and_then(Value::as_array_mut);
    for part in parts.into_iter().flatten() {
        tell_nulls(part);
    }
    let required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, field) in fields.into_iter().flatten() {
        if required.iter().any(|required| required == name.as_str()) {
            continue;
        }
        if let Some(place) = field.get("$ref").cloned() {
            *field = json!({ "allOf": [{ "$ref": place }] });
        }
        if field.get("type").is_none() {
            field["type"] = "object".into();
        }
        field["nullable"] = true.into();
    }
}

/// What a body may not have: fields that are not known.
fn close_bodies(document: &mut Value) {
    let bodies = operations(document).filter_map(|(_, _, operation)| {
        let content = operation.get("requestBody")?["content"].as_object()?;
        let schemas = content
            .values()
            .filter_map(|content| shape::name_of(&content["schema"]));
        Some(schemas.map(str::to_owned).collect::<Vec<_>>())
    });
    for schema in bodies.flatten().collect::<Vec<_>>() {
        document["components"]["schemas"][schema]["additionalProperties"] = false.into();
    }
}

/// Days are dates as JSON Schema knows them.
fn days_are_dates(document: &mut Value) {
    match document {
        Value::Object(object) => {
            if object.get("format").is_some_and(|format| format == "naive-date") {
                object.insert("format".to_owned(), "date".into());
            }
            object.values_mut().for_each(days_are_dates);
        }
        Value::Array(values) => values.iter_mut().for_each(days_are_dates),
        _ => {}
    }
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
        (
            "400",
            "The request is not as this document has it; the detail names the parameter.",
        ),
        ("500", "Something went wrong on the server; its log has the cause."),
        ("503", "The answer took too long to find, or too much is asked at once."),
    ] {
        if operation["responses"].get(status).is_none() {
            operation["responses"][status] = problem(words);
        }
    }
    if operation.contains_key("requestBody") {
        operation["responses"]["413"] = problem("The request's body is larger than 1 MiB.");
        operation["responses"]["415"] = problem("The request's body is no JSON.");
    }
}

/// What stands in the headers of answers.
fn headers() -> Value {
    let text = |words: &str| json!({ "description": words, "schema": { "type": "string" } });
    json!({
        "ETag": text("Give it back as `If-None-Match`."),
        "X-Request-Id": text("The request's name in the server's log; the caller's own, where it gave one."),
        "RateLimit": text("What the key has left in its minute: `\"minute\";r=1187;t=42`."),
        "RateLimit-Policy": text("What the key has a minute: `\"minute\";q=1200;w=60`."),
        "Retry-After": { "description": "Seconds to wait before asking again.", "schema": { "type": "integer" } },
    })
}

/// Says which headers an operation's answers have, and that who has an answer already is told so.
fn tell_headers(method: &str, operation: &mut Map<String, Value>) {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    let is_read = method == "get";
    if is_read {
        let words = "What the `If-None-Match` of the request names is still so; there is no body.";
        responses.insert("304".to_owned(), json!({ "description": words }));
    }
    for (status, answer) in responses.iter_mut() {
        let named: &[&str] = match status.as_str() {
            "200" if is_read => &["ETag", "X-Request-Id", "RateLimit", "RateLimit-Policy"],
            "429" => &["X-Request-Id", "RateLimit", "RateLimit-Policy", "Retry-After"],
            "304" => &["ETag", "X-Request-Id"],
            _ => &["X-Request-Id"],
        };
        for name in named {
            answer["headers"][*name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
    }
    let mut sorted: Vec<_> = std::mem::take(responses).into_iter().collect();
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    responses.extend(sorted);
}

/// Where the document has a text such as a parameter may be.
pub(super) const FORM: &str = "x-form";

/// Says what the texts of parameters are like.
fn tell_forms(id: &str, operation: &mut Map<String, Value>) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        if name == "sort" {
            parameter["schema"]["enum"] = orders_of(id).into();
        }
        let is_text = parameter["schema"]["type"] == "string" && parameter["schema"].get("format").is_none();
        if let Some((_, pattern, example)) = FORMS.iter().find(|(form, ..)| is_text && *form == name) {
            parameter["schema"]["pattern"] = (*pattern).into();
            if !example.is_empty() {
                // Not as an example: pages that try an operation would fill in each, and not all go together.
                parameter[FORM] = (*example).into();
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
    let page = service.swagger_ui_html().replace(&service.spec(), document).replacen(
        "<head>",
        "<head><meta name=\"viewport\" content=\"width=device-width\">",
        1,
    );
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
        let id = |(_, _, operation): (&str, &str, &mut Map<String, Value>)| {
            operation["operationId"].as_str().unwrap().to_owned()
        };
        let described: BTreeSet<String> = operations(&mut document).map(id).collect();
        let known: BTreeSet<String> = access::OPERATIONS.iter().map(|(id, _)| (*id).to_owned()).collect();
        assert_eq!(described, known);
        let examples: Map<String, Value> = serde_json::from_str(EXAMPLES).unwrap();
        let shown: BTreeSet<String> = examples.into_iter().map(|(id, _)| id).collect();
        assert_eq!(described, shown, "and its example");
        assert_eq!(known.len(), access::OPERATIONS.len(), "each once");
    }
}
