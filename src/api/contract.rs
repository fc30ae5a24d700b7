//! The OpenAPI document as the rule: a request under `/api/v1` is let through only if the document has its path, its
//! method and every one of its query parameters.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use percent_encoding::percent_decode_str;
use poem::{
    Request,
    http::{Method, StatusCode, header},
};
use regex::Regex;
use serde_json::Value;
use uuid::Uuid;

use super::{
    document::FORM,
    problem::{Problem, Raised, kind, kind_of},
};

/// The operations of a path by method.
type Methods = BTreeMap<String, Operation>;

/// An operation as far as requests are held against it.
struct Operation {
    id: String,
    /// Those in its path.
    of_path: Vec<Parameter>,
    /// Those in its query.
    parameters: Vec<Parameter>,
}

/// A parameter and what its text has to be like.
struct Parameter {
    name: String,
    kind: Kind,
    pattern: Option<Regex>,
    /// The texts that it may be; any where there are none.
    words: Vec<String>,
    /// The least and the greatest that a number may be.
    range: (Option<f64>, Option<f64>),
    example: String,
}

/// What a parameter of a path is.
enum Kind {
    Text,
    Integer,
    Uuid,
}

impl Parameter {
    fn of(described: &Value, document: &Value) -> Result<Self> {
        let schema = resolved(&described["schema"], document);
        let pattern = schema["pattern"].as_str().map(Regex::new).transpose();
        let words = schema["enum"].as_array().into_iter().flatten();
        Ok(Parameter {
            name: described["name"].as_str().unwrap_or_default().to_owned(),
            kind: match (schema["type"].as_str(), schema["format"].as_str()) {
                (Some("integer"), _) => Kind::Integer,
                (_, Some("uuid")) => Kind::Uuid,
                _ => Kind::Text,
            },
            pattern: pattern.context("a parameter of the OpenAPI document has a pattern that is none")?,
            words: words.filter_map(|word| word.as_str().map(str::to_owned)).collect(),
            range: (schema["minimum"].as_f64(), schema["maximum"].as_f64()),
            example: ["example", FORM]
                .iter()
                .find_map(|name| described[*name].as_str())
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// What is wrong with a text, if anything.
    fn refuse(&self, text: &str) -> Option<String> {
        let Parameter { name, example, .. } = self;
        if !self.words.is_empty() && !self.words.iter().any(|word| word == text) {
            return Some(format!("`{name}` is one of `{}`", self.words.join("`, `")));
        }
        if let (Ok(number), (Some(least), Some(greatest))) = (text.parse::<f64>(), self.range)
            && !(least..=greatest).contains(&number)
        {
            return Some(format!("`{name}` is a number from {least} to {greatest}"));
        }
        let is_kind = match self.kind {
            Kind::Text => true,
            Kind::Integer => text.parse::<i64>().is_ok(),
            Kind::Uuid => text.parse::<Uuid>().is_ok(),
        };
        let fits = is_kind && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
        (!fits).then(|| match example.as_str() {
            "" => format!("`{name}` is not in its form; /docs shows it"),
            example => format!("`{name}` is not in its form: expected one such as `{example}`"),
        })
    }
}

/// A schema, where it is one that has a name of its own.
fn resolved<'d>(schema: &'d Value, document: &'d Value) -> &'d Value {
    let named = schema.get("$ref").or_else(|| schema["allOf"][0].get("$ref"));
    let pointer = named.and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

/// Operations by path, as the document has them.
pub(super) struct Contract {
    paths: Vec<(Vec<String>, Methods)>,
}

impl Contract {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is no OpenAPI document.
    pub(super) fn of(document: &Value) -> Result<Self> {
        let paths = document["paths"]
            .as_object()
            .context("the OpenAPI document has no `paths`")?;
        let operation = |operation: &Value| -> Result<Operation> {
            let all = operation["parameters"].as_array();
            let those_in = |place: &str| -> Result<Vec<Parameter>> {
                let all = all.into_iter().flatten();
                all.filter(|parameter| parameter["in"] == place)
                    .map(|parameter| Parameter::of(parameter, document))
                    .collect()
            };
            Ok(Operation {
                id: operation["operationId"].as_str().unwrap_or_default().to_owned(),
                of_path: those_in("path")?,
                parameters: those_in("query")?,
            })
        };
        let paths = paths.iter().map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            let methods = methods.map(|(method, found)| Ok((method.to_ascii_uppercase(), operation(found)?)));
            Ok((
                path.split('/').map(str::to_owned).collect(),
                methods.collect::<Result<_>>()?,
            ))
        });
        let mut paths: Vec<(Vec<String>, Methods)> = paths.collect::<Result<_>>()?;
        // A word before what may be any: `/rejected/replay` before `/rejected/{partition}`.
        paths.sort_by_key(|(path, _)| path.iter().filter(|part| part.starts_with('{')).count());
        Ok(Contract { paths })
    }

    /// The operations at a path, whose parts those of the path fill in.
    fn at(&self, path: &str) -> Option<(&[String], &Methods)> {
        let segments: Vec<&str> = path.split('/').collect();
        let fits = |template: &[String]| {
            template.len() == segments.len()
                && template
                    .iter()
                    .zip(&segments)
                    .all(|(known, found)| known.starts_with('{') || known == found)
        };
        let found = self.paths.iter().find(|(template, _)| fits(template));
        found.map(|(template, methods)| (template.as_slice(), methods))
    }

    /// The operation that a request asks for, where there is one.
    pub(super) fn operation_id(&self, request: &Request) -> Option<&str> {
        let operation = self.at(request.uri().path())?.1.get(method_of(request))?;
        Some(&operation.id)
    }

    /// Whether the request keeps to the document.
    ///
    /// # Errors
    /// 404, 405 or 400, as a problem.
    pub(super) fn check(&self, request: &Request) -> poem::Result<()> {
        let path = request.uri().path();
        let Some((template, methods)) = self.at(path) else {
            return Err(Raised(Problem::new(
                kind_of(StatusCode::NOT_FOUND),
                format!("there is nothing at `{path}`; /docs lists every path"),
            ))
            .into());
        };
        let Some(operation) = methods.get(method_of(request)) else {
            let allow = methods.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let detail = format!("`{path}` takes {allow}, not {}", request.method());
            let mut response = Problem::new(kind_of(status), detail).response(status);
            if let Ok(allow) = allow.parse() {
                response.headers_mut().insert(header::ALLOW, allow);
            }
            return Err(poem::Error::from_response(response));
        };
        for (part, text) in template.iter().zip(path.split('/')) {
            let named = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            let parameter = named.and_then(|name| operation.of_path.iter().find(|known| known.name == name));
            let text = percent_decode_str(text).decode_utf8_lossy();
            if let Some(detail) = parameter.and_then(|parameter| parameter.refuse(&text)) {
                return Err(Raised(Problem::new(kind("bad-request"), detail)).into());
            }
        }
        let known = &operation.parameters;
        let given = request.params::<Vec<(String, String)>>()?;
        for (position, (name, text)) in given.iter().enumerate() {
            let Some(parameter) = known.iter().find(|known| known.name == *name) else {
                let names: Vec<_> = known.iter().map(|known| known.name.as_str()).collect();
                let known = if names.is_empty() {
                    "none".to_owned()
                } else {
                    format!("`{}`", names.join("`, `"))
                };
                let detail = format!("`{name}` is not a query parameter of `{path}`; known: {known}");
                return Err(Raised(Problem::new(kind("unknown-parameter"), detail)).into());
            };
            if given[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(Raised(Problem::new(kind("bad-request"), format!("`{name}` is given twice"))).into());
            }
            if let Some(detail) = parameter.refuse(text) {
                return Err(Raised(Problem::new(kind("bad-request"), detail)).into());
            }
        }
        Ok(())
    }
}

/// The method under which the document has what a request asks for.
fn method_of(request: &Request) -> &str {
    if request.method() == Method::HEAD {
        "GET"
    } else {
        request.method().as_str()
    }
}
