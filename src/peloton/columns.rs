//! Which columns a CSV has, and which it is expected to have.

use std::collections::HashMap;

use super::UnknownFile;

/// The columns of the export, as [`name_and_unit`] has them.
pub(super) const EXPORT: [&str; 18] = [
    "workout timestamp",
    "live/on-demand",
    "instructor name",
    "length",
    "fitness discipline",
    "type",
    "title",
    "class timestamp",
    "total output",
    "avg. watts",
    "avg. resistance",
    "avg. cadence",
    "avg. speed",
    "distance",
    "calories burned",
    "avg. heartrate",
    "avg. incline",
    "avg. pace",
];

/// Those of the older system.
pub(super) const OLDER_SYSTEM: [&str; 8] = [
    "workout_id",
    "date",
    "class_title",
    "instructor",
    "class_type",
    "length_min",
    "total_output_kj",
    "rider_name",
];

/// Where which column is, by its name in small letters without its unit, and its unit.
pub(super) struct Columns(HashMap<String, (usize, String)>);

impl Columns {
    pub(super) fn of(header: &[String]) -> Result<Self, UnknownFile> {
        let mut columns = HashMap::new();
        for (place, text) in header.iter().enumerate() {
            let (name, unit) = name_and_unit(text);
            if columns.insert(name.clone(), (place, unit)).is_some() && !name.is_empty() {
                return Err(UnknownFile(format!(
                    "its first line has the column `{name}` twice; take one of them out"
                )));
            }
        }
        Ok(Columns(columns))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Where a column is.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.0.get(name).map(|(place, _)| *place)
    }

    /// The unit that a column's name says; empty where it says none.
    pub(super) fn unit(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |(_, unit)| unit)
    }

    /// What is another way than expected: figures of a column that is named otherwise would be missed by nobody.
    pub(super) fn surprises(&self, header: &[String], expected: &[&str]) -> Option<String> {
        let unknown: Vec<String> = header
            .iter()
            .map(|text| (name_and_unit(text).0, text))
            .filter(|(name, _)| !name.is_empty() && !expected.contains(&name.as_str()))
            .map(|(_, text)| format!("`{text}`"))
            .collect();
        let missing: Vec<String> = expected
            .iter()
            .filter(|name| !self.has(name))
            .map(|name| format!("`{name}`"))
            .collect();
        let parts = [
            ("columns that are not known, and left out", unknown),
            ("columns that are not there", missing),
        ];
        let told = parts.iter().filter(|(_, columns)| !columns.is_empty());
        let told: Vec<String> = told
            .map(|(what, columns)| format!("{what}: {}", columns.join(", ")))
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// A column's name in small letters without its unit, and its unit.
fn name_and_unit(text: &str) -> (String, String) {
    let text = text.to_lowercase();
    let (name, unit) = text.split_once('(').unwrap_or((&text, ""));
    (name.trim().to_owned(), unit.trim_end_matches(')').trim().to_owned())
}
