//! The dictionary's words for the tables that the store has.

use std::path::Path;

use crate::{
    extract::{
        glossary,
        table::{Column, Kind, Spread, Table},
    },
    jobs::sql_files,
    store::{
        extract::{ExtractTable, Rows},
        table::ColumnType,
    },
};

/// The table as it is told of.
pub(super) fn described(table: &ExtractTable, jobs_dir: Option<&Path>) -> Table {
    let sql = format!("jobs/{}.sql", table.name);
    let grain = match glossary::grain_of(&table.name) {
        Some(grain) => grain.to_owned(),
        None => sql_files::load(jobs_dir, &table.name)
            .ok()
            .and_then(|file| grain_of(file.text()))
            .unwrap_or_else(|| format!("As `{sql}` makes them.")),
    };
    let is_of_a_ride = table.columns.iter().any(|(name, _)| name == "ride");
    let column = |(name, column_type): &(String, ColumnType)| {
        let mut column = Column::new(name, kind(*column_type));
        // The bands of a rider's age are those of rides.
        let adds_rides_up = table.is_daily_table && !is_of_a_ride || table.name == "riders" && name != "age_band";
        if adds_rides_up && let Some(meaning) = glossary::of_sums(name) {
            column.meaning = meaning.to_owned();
        }
        if table.name == "workouts" && name == "started_local" {
            "When the workout began, by its rider's clock".clone_into(&mut column.meaning);
        }
        if column.meaning.is_empty() {
            column.meaning = format!("As `{sql}` makes it.");
        }
        column
    };
    Table {
        name: table.name.clone(),
        grain,
        spread: match table.rows {
            Rows::ByDay => Spread::ByDay,
            Rows::Whole | Rows::Unsealed => Spread::Whole,
        },
        columns: table.columns.iter().map(column).collect(),
    }
}

fn kind(column: ColumnType) -> Kind {
    match column {
        ColumnType::Text | ColumnType::Uuid => Kind::Text,
        ColumnType::Integer => Kind::Integer,
        ColumnType::Number => Kind::Number,
        ColumnType::Boolean => Kind::Boolean,
        ColumnType::Date => Kind::Date,
        ColumnType::Instant => Kind::Instant,
    }
}

/// What the comment at the beginning of a daily table's SQL says after `Grain:`, to the end of the sentence.
fn grain_of(sql: &str) -> Option<String> {
    let comment: Vec<&str> = sql
        .lines()
        .map_while(|line| line.strip_prefix("--"))
        .map(str::trim)
        .collect();
    let comment = comment.join(" ");
    let (_, grain) = comment.split_once("Grain: ")?;
    let end = grain.find(". ").map_or(grain.len(), |end| end + 1);
    let mut letters = grain[..end].chars();
    let first = letters.next()?;
    Some(first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grain_is_the_sentence_that_the_sql_has_for_it() {
        let sql = "-- The day's rides by age.\n-- Grain: one row per business day and age\n-- band. Others are left out.\n\
                   -- Units: seconds.\nselect 1";
        let grain = "One row per business day and age band.";
        assert_eq!(grain_of(sql).as_deref(), Some(grain));
        assert_eq!(grain_of("-- Mine.\nselect 1"), None);
    }

    #[test]
    fn every_shipped_daily_table_says_what_a_row_of_it_is() {
        for name in sql_files::names(None).unwrap() {
            let file = sql_files::load(None, &name).unwrap();
            assert!(
                grain_of(file.text()).is_some_and(|grain| grain.ends_with('.')),
                "{name}"
            );
        }
    }
}
