//! The OpenAPI document as the rule: a request under `/api/v1` is let through only if the document has its path, its
//! method and every one of its query parameters.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use poem::{
    Request,
    http::{Method, StatusCode, header},
};
use serde_json::Value;

use super::problem::{Problem, Raised, kind, kind_of};

/// The operations of a path by method.
type Methods = BTreeMap<String, Operation>;

/// An operation as far as requests are held against it.
struct Operation {
    id: String,
    /// The names of its query parameters.
    parameters: Vec<String>,
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
        let operation = |operation: &Value| -> Operation {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names = parameters.filter(|parameter| parameter["in"] == "query");
            Operation {
                id: operation["operationId"].as_str().unwrap_or_default().to_owned(),
                parameters: names
                    .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
                    .collect(),
            }
        };
        let paths = paths.iter().map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            let methods = methods
                .map(|(method, found)| (method.to_ascii_uppercase(), operation(found)))
                .collect();
            (path.split('/').map(str::to_owned).collect(), methods)
        });
        Ok(Contract { paths: paths.collect() })
    }

    /// The operations at a path.
    fn at(&self, path: &str) -> Option<&Methods> {
        let segments: Vec<&str> = path.split('/').collect();
        let fits = |template: &[String]| {
            template.len() == segments.len()
                && template
                    .iter()
                    .zip(&segments)
                    .all(|(known, found)| known.starts_with('{') || known == found)
        };
        let found = self.paths.iter().find(|(template, _)| fits(template));
        found.map(|(_, methods)| methods)
    }

    /// The operation that a request asks for, where there is one.
    pub(super) fn operation_id(&self, request: &Request) -> Option<&str> {
        let operation = self.at(request.uri().path())?.get(method_of(request))?;
        Some(&operation.id)
    }

    /// Whether the request keeps to the document.
    ///
    /// # Errors
    /// 404, 405 or 400, as a problem.
    pub(super) fn check(&self, request: &Request) -> poem::Result<()> {
        let path = request.uri().path();
        let Some(methods) = self.at(path) else {
            return Err(Raised(Problem::new(
                kind_of(StatusCode::NOT_FOUND),
                format!("there is nothing at `{path}`; /docs lists every path"),
            ))
            .into());
        };
        let Some(Operation { parameters: known, .. }) = methods.get(method_of(request)) else {
            let allow = methods.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let detail = format!("`{path}` takes {allow}, not {}", request.method());
            let mut response = Problem::new(kind_of(status), detail).response(status);
            if let Ok(allow) = allow.parse() {
                response.headers_mut().insert(header::ALLOW, allow);
            }
            return Err(poem::Error::from_response(response));
        };
        let given = request.params::<Vec<(String, String)>>()?;
        for (position, (name, _)) in given.iter().enumerate() {
            if !known.contains(name) {
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    format!("`{}`", known.join("`, `"))
                };
                let detail = format!("`{name}` is not a query parameter of `{path}`; known: {known}");
                return Err(Raised(Problem::new(kind("unknown-parameter"), detail)).into());
            }
            if given[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(Raised(Problem::new(kind("bad-request"), format!("`{name}` is given twice"))).into());
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
