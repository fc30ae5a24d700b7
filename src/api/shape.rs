//! The shape of an answer, whatever operation it is of: which of its fields (`fields`), and rows as CSV or Parquet where
//! `Accept` asks for them. What an operation's rows have is read from the document.

use std::{collections::HashMap, sync::Arc};

use anyhow::Context as _;
use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderValue, StatusCode, header},
};
use serde_json::{Map, Value};

use super::{ApiContext, contract::Contract, problem::Refusal};
use crate::store::table::ColumnType;

/// The media type of CSV.
pub(super) const CSV: &str = "text/csv";
/// The media type of Parquet.
pub(super) const PARQUET: &str = "application/vnd.apache.parquet";

/// What an operation answers with.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// A list, rather than one object.
    pub(super) is_list: bool,
    /// The fields of an item, or of the object.
    pub(super) columns: Vec<(String, ColumnType)>,
}

/// What every operation of the document answers with that answers with fields.
pub(super) fn rows_of(document: &Value) -> HashMap<String, Rows> {
    let rows = answers(document).filter_map(|(operation, schema)| {
        let (is_list, schema) = item_of(document, schema);
        let columns = fields(document, schema).into_iter();
        let columns: Vec<_> = columns.map(|(name, schema)| (name.clone(), type_of(schema))).collect();
        (!columns.is_empty()).then(|| (operation.to_owned(), Rows { is_list, columns }))
    });
    rows.collect()
}

/// The names of the schemas whose fields can be chosen.
pub(super) fn schemas_of(document: &Value) -> Vec<String> {
    let schemas = answers(document).filter_map(|(_, schema)| name_of(item_of(document, schema).1));
    schemas.map(str::to_owned).collect()
}

/// What each operation that only looks answers with.
fn answers(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.filter_map(|(_, methods)| {
        let operation = methods.get("get")?;
        let content = operation["responses"]["200"]["content"].as_object()?;
        let (_, content) = content.iter().find(|(kind, _)| kind.starts_with("application/json"))?;
        Some((operation["operationId"].as_str()?, &content["schema"]))
    })
}

/// What an answer has several of, or else the answer.
fn item_of<'d>(document: &'d Value, schema: &'d Value) -> (bool, &'d Value) {
    let answered = fields(document, schema);
    let items = answered.into_iter().find(|(name, _)| *name == "items");
    items.map_or((false, schema), |(_, items)| (true, &items["items"]))
}

/// The name of the schema that is referred to.
pub(super) fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// The fields of a schema, those of its parts included.
fn fields<'d>(document: &'d Value, schema: &'d Value) -> Vec<(&'d String, &'d Value)> {
    if let Some(name) = name_of(schema) {
        return fields(document, &document["components"]["schemas"][name]);
    }
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let parts = parts.flat_map(|part| fields(document, part));
    parts
        .chain(schema["properties"].as_object().into_iter().flatten())
        .collect()
}

fn type_of(schema: &Value) -> ColumnType {
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("integer"), _) => ColumnType::Integer,
        (Some("number"), _) => ColumnType::Number,
        (Some("boolean"), _) => ColumnType::Boolean,
        (_, Some("date")) => ColumnType::Date,
        (_, Some("date-time")) => ColumnType::Instant,
        (_, Some("uuid")) => ColumnType::Uuid,
        _ => ColumnType::Text,
    }
}

/// How an answer is to be shaped; handlers find it in their request.
#[derive(Debug, Clone)]
pub(super) struct Shaped {
    format: Format,
    fields: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Parquet,
}

impl Shaped {
    /// Whether the answer is a file rather than JSON.
    pub(super) fn is_file(&self) -> bool {
        self.format != Format::Json
    }

    /// What a request asks of an operation's answer.
    fn asked(request: &Request, rows: &Rows) -> Result<Self, Refusal> {
        let query: Vec<(String, String)> = request.params().unwrap_or_default();
        let fields = query
            .into_iter()
            .find(|(name, _)| name == "fields")
            .map(|(_, fields)| fields);
        let fields: Option<Vec<String>> = fields.map(|fields| fields.split(',').map(str::to_owned).collect());
        let unknown = fields
            .iter()
            .flatten()
            .find(|field| rows.columns.iter().all(|(known, _)| known != *field));
        if let Some(unknown) = unknown {
            let known: Vec<_> = rows.columns.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Refusal::bad_request(format!(
                "`fields`: there is no `{unknown}` here; known: `{}`",
                known.join("`, `")
            )));
        }
        let format = if rows.is_list {
            format(request.header(header::ACCEPT))
        } else {
            Format::Json
        };
        Ok(Shaped { format, fields })
    }
}

/// The first format that is accepted, by the weight that the caller gave each.
fn format(accepted: Option<&str>) -> Format {
    let mut best = (0.0, Format::Json);
    for part in accepted.unwrap_or_default().split(',') {
        let mut words = part.split(';').map(str::trim);
        let format = match words.next().unwrap_or_default() {
            "application/json" | "*/*" | "application/*" => Format::Json,
            CSV | "text/*" => Format::Csv,
            PARQUET => Format::Parquet,
            _ => continue,
        };
        let weight = words
            .find_map(|word| word.strip_prefix("q=")?.parse::<f32>().ok())
            .unwrap_or(1.0);
        if weight > best.0 {
            best = (weight, format);
        }
    }
    best.1
}

/// Shapes the answers of the API.
pub(super) struct Shapes {
    pub(super) context: ApiContext,
    pub(super) contract: Arc<Contract>,
    pub(super) rows: Arc<HashMap<String, Rows>>,
}

impl<E: Endpoint> Middleware<E> for Shapes {
    type Output = ShapesEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        ShapesEndpoint {
            inner,
            context: self.context.clone(),
            contract: Arc::clone(&self.contract),
            rows: Arc::clone(&self.rows),
        }
    }
}

/// See [`Shapes`].
pub(super) struct ShapesEndpoint<E> {
    inner: E,
    context: ApiContext,
    contract: Arc<Contract>,
    rows: Arc<HashMap<String, Rows>>,
}

impl<E: Endpoint> Endpoint for ShapesEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let operation = self.contract.operation_id(&request).unwrap_or_default();
        let Some(rows) = self.rows.get(operation) else {
            return Ok(self.inner.call(request).await?.into_response());
        };
        let shaped = Shaped::asked(&request, rows)?;
        let uri = request.uri().clone();
        request.extensions_mut().insert(shaped.clone());
        let mut response = self.inner.call(request).await?.into_response();
        let is_plain = shaped.fields.is_none() && !shaped.is_file();
        if is_plain || response.status() != StatusCode::OK {
            return Ok(response);
        }
        let body = response.take_body().into_vec().await?;
        let mut answer: Value = serde_json::from_slice(&body)
            .context("an answer is no JSON")
            .map_err(|error| Refusal::internal(&error))?;
        let columns: Vec<_> = match &shaped.fields {
            None => rows.columns.clone(),
            Some(fields) => {
                let column = |field: &String| rows.columns.iter().find(|(name, _)| name == field).cloned();
                fields.iter().filter_map(column).collect()
            }
        };
        if !shaped.is_file() {
            cut(&mut answer, rows.is_list, &columns);
            response.set_body(answer.to_string());
            return Ok(response);
        }
        if let Some(next) = answer["next"].as_str().and_then(|next| link_to(&uri, next)) {
            response.headers_mut().insert(header::LINK, next);
        }
        let items = answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let (media_type, bytes) = match shaped.format {
            Format::Parquet => {
                let items = texts(items, &columns);
                (
                    PARQUET,
                    self.context.read(move |store| store.parquet(&columns, &items)).await?,
                )
            }
            _ => ("text/csv; charset=utf-8; header=present", csv(items, &columns)),
        };
        response.set_body(bytes);
        Ok(response.set_content_type(media_type))
    }
}

/// Leaves the fields that are wanted, in the order in which they are wanted.
fn cut(answer: &mut Value, is_list: bool, columns: &[(String, ColumnType)]) {
    let cut = |object: &mut Value| {
        if let Some(object) = object.as_object_mut() {
            let wanted = columns
                .iter()
                .filter_map(|(name, _)| Some((name.clone(), object.remove(name)?)));
            *object = wanted.collect::<Map<_, _>>();
        }
    };
    if is_list {
        answer["items"].as_array_mut().into_iter().flatten().for_each(cut);
    } else {
        cut(answer);
    }
}

/// Each item's values as text; none where there is no value.
fn texts(items: Vec<Value>, columns: &[(String, ColumnType)]) -> Vec<Vec<Option<String>>> {
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    items
        .iter()
        .map(|item| columns.iter().map(|(name, _)| text(item.get(name))).collect())
        .collect()
}

/// RFC 4180, with the names of the columns. A spreadsheet would compute a text that begins as a formula does, whoever wrote
/// it: an apostrophe in front has it shown.
fn csv(items: Vec<Value>, columns: &[(String, ColumnType)]) -> Vec<u8> {
    let quoted = |(text, kind): (String, ColumnType)| {
        let text = if kind == ColumnType::Text && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            format!("'{text}")
        } else {
            text
        };
        if text.contains(['"', ',', '\r', '\n']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let names = columns.iter().map(|(name, _)| Some(name.clone())).collect();
    let mut text = String::new();
    for row in std::iter::once(names).chain(texts(items, columns)) {
        let row: Vec<String> = row
            .into_iter()
            .zip(columns)
            .map(|(value, (_, kind))| value.map(|value| quoted((value, *kind))).unwrap_or_default())
            .collect();
        text.push_str(&row.join(","));
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// Where the next page is, as a link (RFC 8288).
fn link_to(uri: &poem::http::Uri, next: &str) -> Option<HeaderValue> {
    let others = uri.query().into_iter().flat_map(|query| query.split('&'));
    let others = others.filter(|pair| !pair.starts_with("cursor=") && !pair.is_empty());
    let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
    let query: Vec<String> = others.map(str::to_owned).chain([format!("cursor={next}")]).collect();
    HeaderValue::from_str(&format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_that_is_accepted_most_is_taken_and_json_where_none_is() {
        for (accepted, wanted) in [
            (None, Format::Json),
            (Some("*/*"), Format::Json),
            (Some("text/csv"), Format::Csv),
            (Some("text/csv;q=0.5, application/json"), Format::Json),
            (Some("application/json;q=0.1,text/csv;q=0.2"), Format::Csv),
            (Some("application/vnd.apache.parquet, */*;q=0.1"), Format::Parquet),
            (Some("image/png"), Format::Json),
        ] {
            assert_eq!(format(accepted), wanted, "{accepted:?}");
        }
    }

    #[test]
    fn what_would_break_a_line_of_csv_is_quoted() {
        let columns = [
            ("a".to_owned(), ColumnType::Text),
            ("b".to_owned(), ColumnType::Integer),
        ];
        let items = vec![
            serde_json::json!({"a": "x, \"y\"\nz", "b": 1}),
            serde_json::json!({"a": null, "b": 2}),
        ];
        let text = String::from_utf8(csv(items, &columns)).unwrap();
        assert_eq!(text, "a,b\r\n\"x, \"\"y\"\"\nz\",1\r\n,2\r\n");
    }

    #[test]
    fn what_a_spreadsheet_would_compute_is_text_and_a_number_stays_one() {
        let columns = [
            ("a".to_owned(), ColumnType::Text),
            ("b".to_owned(), ColumnType::Integer),
        ];
        let items = vec![serde_json::json!({"a": "=HYPERLINK(\"x\")", "b": -1})];
        let text = String::from_utf8(csv(items, &columns)).unwrap();
        assert_eq!(text, "a,b\r\n\"'=HYPERLINK(\"\"x\"\")\",-1\r\n");
    }
}
