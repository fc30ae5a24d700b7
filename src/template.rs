//! Templates: compiled in, replaceable by a folder, with filters that write units, dates and changes the same way
//! everywhere.

pub mod assets;
pub mod format;
pub mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use rust_embed::Embed;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tera::{Context, ErrorKind, Kwargs, State, Tera, TeraResult, Value};

use crate::domain::report::{DailyReport, Headline};

#[derive(Embed)]
#[folder = "templates/"]
struct CompiledIn;

/// Why templates could not be loaded or rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A file of the folder that replaces the compiled-in templates could not be read.
    #[error("cannot read template `{}`", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A template is wrong: the file and the line, then what is wrong with it.
    #[error("template `{template}`, line {line}: {message}")]
    Line {
        /// Name below the templates folder.
        template: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Templates do not fit together, or what they were given does not fit them.
    #[error("templates: {0}")]
    Other(String),
}

impl From<tera::Error> for TemplateError {
    fn from(error: tera::Error) -> Self {
        match error.kind() {
            ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => TemplateError::Line {
                template: report.filename().to_owned(),
                line: report.span().start_line,
                message: report.message().to_owned(),
            },
            // Unknown filters and the like: Tera's own text names the file and the line of each.
            _ => TemplateError::Other(error.to_string()),
        }
    }
}

/// Every template of the program, parsed.
#[derive(Debug, Clone)]
pub struct Templates {
    tera: Tera,
}

impl Templates {
    /// The compiled-in templates, each replaced by the file of the same name below `folder` where there is one.
    ///
    /// # Errors
    /// A file that cannot be read; a template that does not parse, or that uses a filter, a block or a template that
    /// does not exist, naming the file and the line.
    pub fn load(folder: Option<&Path>) -> Result<Templates, TemplateError> {
        let mut sources: Vec<(String, String)> = CompiledIn::iter()
            .filter_map(|name| {
                let file = CompiledIn::get(&name)?;
                Some((name.into_owned(), String::from_utf8_lossy(&file.data).into_owned()))
            })
            .collect();
        if let Some(folder) = folder {
            let mut replaced = Vec::new();
            read_folder(folder, "", &mut replaced)?;
            sources.retain(|(name, _)| !replaced.iter().any(|(other, _)| other == name));
            sources.append(&mut replaced);
        }
        sources.sort();

        let mut tera = Tera::new();
        tera.autoescape_on([".html", ".xml", ".svg"]);
        register_filters(&mut tera);
        tera.add_raw_templates(sources)?;
        Ok(Templates { tera })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tera.get_template_names().count()
    }

    /// Renders template `name` (its path below the folder) with the fields of `values`.
    ///
    /// # Errors
    /// There is no such template, or it asks for something that `values` does not have; the file and the line.
    pub fn render(&self, name: &str, values: &impl Serialize) -> Result<String, TemplateError> {
        Ok(self.tera.render(name, &Context::from_serialize(values)?)?)
    }
}

/// Reads every file below `folder` as (name with `/`, text); hidden files are not templates.
fn read_folder(folder: &Path, prefix: &str, into: &mut Vec<(String, String)>) -> Result<(), TemplateError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| TemplateError::Unreadable { path, source }
    };
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            read_folder(&path, &format!("{name}/"), into)?;
        } else {
            into.push((name, fs::read_to_string(&path).map_err(unreadable(&path))?));
        }
    }
    Ok(())
}

/// The filters. A missing number (null) is written as a dash, never as zero.
fn register_filters(tera: &mut Tera) {
    number_filter(tera, "count", format::count);
    number_filter(tera, "compact", format::compact);
    number_filter(tera, "duration", format::duration);
    number_filter(tera, "energy", format::energy);
    number_filter(tera, "share", format::share);
    number_filter(tera, "watts", |value| format::with_unit(&format::count(value), "W"));
    number_filter(tera, "bpm", |value| format::with_unit(&format::count(value), "bpm"));
    number_filter(tera, "rpm", |value| format::with_unit(&format::count(value), "rpm"));
    tera.register_filter(
        "decimal",
        |value: Value, arguments: Kwargs, _: &State<'_>| -> TeraResult<String> {
            let places = arguments.get::<u8>("places")?.unwrap_or(1);
            number(&value).map(|value| value.map_or(format::NOTHING.to_owned(), |v| format::decimal(v, places.into())))
        },
    );
    tera.register_filter(
        "share_of",
        |value: Value, arguments: Kwargs, _: &State<'_>| -> TeraResult<String> {
            let whole = arguments.must_get::<Value>("whole")?;
            Ok(match (number(&value)?, number(&whole)?) {
                (Some(part), Some(whole)) => format::share_of(part, whole),
                _ => format::NOTHING.to_owned(),
            })
        },
    );

    date_filter(tera, "date_long", format::date_long);
    date_filter(tera, "date_medium", format::date_medium);
    date_filter(tera, "date_short", format::date_short);
    date_filter(tera, "weekday", format::weekday);
    date_filter(tera, "month", format::month);
    tera.register_filter(
        "clock",
        |value: Value, arguments: Kwargs, _: &State<'_>| -> TeraResult<String> {
            let zone: Tz = typed(&arguments.must_get::<Value>("timezone")?)?;
            Ok(format::clock(typed::<DateTime<Utc>>(&value)?, zone))
        },
    );

    // Of a headline of the daily report.
    headline_filter(tera, "label", |headline| words::label(headline.key).to_owned());
    headline_filter(tera, "figure", |headline| words::figure(headline.key, headline.value));
    headline_filter(tera, "figure_short", |headline| {
        words::figure_short(headline.key, headline.value)
    });
    tera.register_filter(
        "change",
        |value: Value, arguments: Kwargs, _: &State<'_>| -> TeraResult<String> {
            let name = arguments.must_get::<&str>("from")?;
            let base = words::Base::from_name(name).ok_or_else(|| {
                tera::Error::message(format!(
                    "no base `{name}`: expected day_before, week_before, seven_day_mean or usual"
                ))
            })?;
            let day: NaiveDate = typed(&arguments.must_get::<Value>("day")?)?;
            Ok(words::change(&typed::<Headline>(&value)?, base, day).unwrap_or_default())
        },
    );
    // Of the whole daily report: its sentences.
    tera.register_filter(
        "summary",
        |value: Value, _: Kwargs, _: &State<'_>| -> TeraResult<Value> {
            Value::try_from_serializable(&words::summary(&typed::<DailyReport>(&value)?))
        },
    );
}

fn number_filter(tera: &mut Tera, name: &'static str, write: fn(f64) -> String) {
    tera.register_filter(
        name,
        move |value: Value, _: Kwargs, _: &State<'_>| -> TeraResult<String> {
            Ok(number(&value)?.map_or(format::NOTHING.to_owned(), write))
        },
    );
}

fn date_filter(tera: &mut Tera, name: &'static str, write: fn(NaiveDate) -> String) {
    tera.register_filter(
        name,
        move |value: Value, _: Kwargs, _: &State<'_>| -> TeraResult<String> { Ok(write(typed::<NaiveDate>(&value)?)) },
    );
}

fn headline_filter(tera: &mut Tera, name: &'static str, write: fn(&Headline) -> String) {
    tera.register_filter(
        name,
        move |value: Value, _: Kwargs, _: &State<'_>| -> TeraResult<String> { Ok(write(&typed::<Headline>(&value)?)) },
    );
}

/// The value as a number; none for null. Text and an undefined name are mistakes of the template.
fn number(value: &Value) -> TeraResult<Option<f64>> {
    match value.as_f64() {
        None if !value.is_none() => Err(tera::Error::message(format!(
            "expected a number, found {}",
            value.name()
        ))),
        number => Ok(number),
    }
}

/// The value as the Rust type it was made from.
fn typed<T: DeserializeOwned>(value: &Value) -> TeraResult<T> {
    <T as Deserialize<'_>>::deserialize(value).map_err(tera::Error::message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(source: &str, values: serde_json::Value) -> Result<String, TemplateError> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("test")).unwrap();
        fs::write(folder.path().join("test/one.html"), source).unwrap();
        Templates::load(Some(folder.path()))?.render("test/one.html", &values)
    }

    #[test]
    fn what_came_from_outside_is_escaped_in_html() {
        let html = render("<p>{{ city }}</p>", json!({ "city": "<script>alert('x')</script>" })).unwrap();
        assert!(!html.contains("<script>"), "{html}");
    }

    #[test]
    fn numbers_are_written_with_their_units_and_missing_ones_as_a_dash() {
        let source =
            "{{ n | count }}|{{ n | watts }}|{{ none | watts }}|{{ 5040 | duration }}|{{ 1 | share_of(whole=3) }}";
        let text = render(source, json!({ "n": 3412, "none": null }))
            .unwrap()
            .replace(format::THIN, "_");
        assert_eq!(text, "3,412|3,412_W|–|1_h_24_min|33_%");
    }

    #[test]
    fn dates_and_clocks_are_local() {
        let source = "{{ day | date_long }}, {{ at | clock(timezone=zone) }}";
        let values = json!({ "day": "2025-07-04", "at": "2025-07-04T17:00:00Z", "zone": "Europe/London" });
        assert_eq!(render(source, values).unwrap(), "Friday 4 July 2025, 18:00");
    }

    #[test]
    fn a_mistake_is_reported_with_its_file_and_line() {
        for source in [
            "fine\n{% if %}",
            "fine\n{{ 1 | no_such_filter }}",
            "fine\n{{ missing }}",
            "fine\n{{ 'x' | watts }}",
        ] {
            let error = render(source, json!({})).unwrap_err().to_string();
            assert!(error.contains("test/one.html"), "{error}");
            assert!(error.contains("line 2") || error.contains(":2:"), "{error}");
        }
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let error = Templates::load(Some(Path::new("no-such-folder"))).unwrap_err();
        assert!(error.to_string().contains("no-such-folder"), "{error}");
    }
}
