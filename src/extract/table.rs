//! A table as analysts get it: what its rows are, and what each column holds.

use chrono::NaiveDate;

use super::glossary;

/// A table of the extracts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// `rides`: the name of its file or folder.
    pub name: String,
    /// What one row is, as a sentence.
    pub grain: String,
    /// How it is cut into files.
    pub spread: Spread,
    /// Its columns, in the order in which they are written.
    pub columns: Vec<Column>,
}

/// How a table is cut into files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// One file, replaced as a whole.
    Whole,
    /// A file a business day.
    ByDay,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// `power_watts_mean`.
    pub name: String,
    /// What a value is.
    pub kind: Kind,
    /// `W`; none of what is no quantity.
    pub unit: Option<&'static str>,
    /// `Mean power`: what people call it.
    pub caption: String,
    /// What a value says, as a sentence.
    pub meaning: String,
    /// Whether it is left out unless personal columns were asked for.
    pub is_personal: bool,
}

/// What the values of a column are. A value that is not known is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A day, `2026-01-05`.
    Date,
    /// An instant, UTC.
    Instant,
}

impl Column {
    /// The column of that name, described by the glossary.
    #[must_use]
    pub fn new(name: &str, kind: Kind) -> Self {
        let entry = glossary::of(name);
        Column {
            name: name.to_owned(),
            kind,
            unit: entry.and_then(|entry| entry.unit),
            caption: entry.map_or_else(|| name.replace('_', " "), |entry| entry.caption.to_owned()),
            meaning: entry.map_or_else(String::new, |entry| entry.meaning.to_owned()),
            is_personal: entry.is_some_and(|entry| entry.is_personal),
        }
    }
}

/// Folder of the tables' files in the extracts.
const FOLDER: &str = "tableau";

impl Table {
    /// Where its rows are, those of `day` where it is cut by the day, without the ending of the file's name.
    #[must_use]
    pub fn stem(&self, day: Option<NaiveDate>) -> String {
        match day.filter(|_| self.spread == Spread::ByDay) {
            Some(day) => format!("{FOLDER}/{}/date={day}", self.name),
            None => format!("{FOLDER}/{}", self.name),
        }
    }

    /// Where all its rows are, as a pattern of file names.
    #[must_use]
    pub fn pattern(&self, ending: &str) -> String {
        match self.spread {
            Spread::Whole => format!("{FOLDER}/{}.{ending}", self.name),
            Spread::ByDay => format!("{FOLDER}/{}/date=*.{ending}", self.name),
        }
    }

    /// The schema and the name of its view: of days that are not sealed yet there is a schema of its own.
    #[must_use]
    pub fn view(&self) -> (&'static str, &str) {
        match self.name.strip_prefix("daily/") {
            Some(name) => ("daily", name),
            None => ("historical", &self.name),
        }
    }
}

impl Kind {
    /// Its name in the dictionary.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::Instant => "instant",
        }
    }

    /// What DuckDB calls it.
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Kind::Text => "varchar",
            Kind::Integer => "bigint",
            Kind::Number => "double",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::Instant => "timestamp",
        }
    }
}
