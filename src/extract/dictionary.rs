//! What the tables of the extracts are, for those who open them: a page, the same for programs, and views for SQL.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    quoted,
    table::{Column, Spread, Table},
};

/// The page's name.
pub const README: &str = "README.md";
/// The name of what programs read.
pub const SCHEMA: &str = "schema.json";
/// The name of the script that makes views.
pub const VIEWS: &str = "views.sql";

/// What the dictionary is of.
#[derive(Debug, Clone, Copy)]
pub struct Dictionary<'t> {
    /// The tables, in the order in which they are shown.
    pub tables: &'t [Table],
    /// The zone of local times.
    pub timezone: &'t str,
    /// Whether there are personal columns among theirs.
    pub has_personal: bool,
}

const INTRODUCTION: &str = "\
Each table is there twice: as CSV, and as Parquet with the same columns and their types. A table of many rows has a file a
business day, `date=2026-01-05.csv`; a day that is made again replaces its file. All others are one file that is replaced as a
whole. A reader sees a file as it was or as it is, and never half of it.

- CSV is UTF-8 without a mark of that at its beginning, with a line of names, commas and RFC 4180's quotes. Days are
  `2026-01-05`, instants `2026-01-05 18:04:09.5`, in UTC unless the column says otherwise; what is not known is empty.
- In CSV a text that begins with `=`, `+`, `-`, `@`, a tab or the end of a line has an apostrophe before it, so that no
  spreadsheet takes it for a formula. In Parquet it is as it was.
- Figures of rides and minutes have three decimals in CSV, and all in Parquet.
- Rides, riders and bikes have pseudonyms. They are the same in every table and at every extract, and without a key that only
  the program has nobody can work them out. They are no names, but what is said of a rider may still tell who it is: keep the
  files to those who need them.
- `manifest.json` names every file with its length and SHA-256; one that is being replaced or deleted it names without them,
  until that is done.
- `duckdb -init views.sql`, started in this folder, has all tables as views: sealed days in the schema `historical`, rides of
  days that are not sealed yet in `daily`.
";

const PERSONAL: &str = "\
**The files in this folder have names, addresses and birth dates in them.** They are there because somebody asked for personal
columns, and the next extract without them deletes this folder.

";

impl Dictionary<'_> {
    /// The page.
    #[must_use]
    pub fn readme(&self) -> String {
        let mut text = "# Extracts\n\n".to_owned();
        if self.has_personal {
            text.push_str(PERSONAL);
        }
        text.push_str(INTRODUCTION);
        let written = |text: &mut String| -> std::fmt::Result {
            writeln!(text, "- Local times are of {}.", self.timezone)?;
            for table in self.tables {
                let (schema, view) = table.view();
                writeln!(text, "\n## {schema}.{view}\n\n{}\n", table.grain)?;
                writeln!(text, "`{}`, `{}`\n", table.pattern("csv"), table.pattern("parquet"))?;
                writeln!(text, "| column | type | unit | meaning |\n| --- | --- | --- | --- |")?;
                for column in &table.columns {
                    let personal = if column.is_personal { "**Personal.** " } else { "" };
                    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
                    writeln!(
                        text,
                        "| `{}` | {} | {} | {personal}{} |",
                        column.name,
                        column.kind.name(),
                        column.unit.unwrap_or_default(),
                        cell(&column.meaning)
                    )?;
                }
            }
            Ok(())
        };
        written(&mut text).expect("memory can be written");
        text
    }

    /// The same for programs.
    #[must_use]
    pub fn schema(&self) -> String {
        let column = |column: &Column| {
            json!({
                "name": column.name,
                "type": column.kind.name(),
                "unit": column.unit,
                "caption": column.caption,
                "meaning": column.meaning,
                "personal": column.is_personal,
            })
        };
        let table = |table: &Table| {
            let (schema, view) = table.view();
            json!({
                "name": table.name,
                "view": format!("{schema}.{view}"),
                "grain": table.grain,
                "by_day": table.spread == Spread::ByDay,
                "csv": table.pattern("csv"),
                "parquet": table.pattern("parquet"),
                "columns": table.columns.iter().map(column).collect::<Vec<Value>>(),
            })
        };
        let schema = json!({
            "timezone": self.timezone,
            "personal": self.has_personal,
            "tables": self.tables.iter().map(table).collect::<Vec<Value>>(),
        });
        format!("{schema:#}\n")
    }

    /// A script of DuckDB's with a view a table, each over the files that `has_files` says are there; `prefix` is what their
    /// names begin with.
    #[must_use]
    pub fn views(&self, prefix: &str, has_files: impl Fn(&Table) -> bool) -> String {
        let mut text = "-- Every table as a view. For DuckDB, started in the folder that this file is in:\n\
                        --     duckdb -init views.sql\n\
                        create schema if not exists historical;\n\
                        create schema if not exists daily;\n"
            .to_owned();
        let written = |text: &mut String| -> std::fmt::Result {
            for table in self.tables {
                let (schema, view) = table.view();
                let name = format!("{schema}.{}", quoted(view, '"'));
                writeln!(text, "\ncreate or replace view {name} as")?;
                if has_files(table) {
                    let files = format!("{prefix}{}", table.pattern("parquet"));
                    writeln!(
                        text,
                        "select * from read_parquet({}, union_by_name = true, hive_partitioning = false);",
                        quoted(&files, '\'')
                    )?;
                } else {
                    let nothing =
                        |column: &Column| format!("null::{} as {}", column.kind.sql(), quoted(&column.name, '"'));
                    let columns: Vec<_> = table.columns.iter().map(nothing).collect();
                    writeln!(text, "select {} where false;", columns.join(", "))?;
                }
                writeln!(text, "comment on view {name} is {};", quoted(&table.grain, '\''))?;
                for column in table.columns.iter().filter(|column| !column.meaning.is_empty()) {
                    let unit = column.unit.map_or_else(String::new, |unit| format!(" ({unit})"));
                    writeln!(
                        text,
                        "comment on column {name}.{} is {};",
                        quoted(&column.name, '"'),
                        quoted(&format!("{}{unit}", column.meaning), '\'')
                    )?;
                }
            }
            Ok(())
        };
        written(&mut text).expect("memory can be written");
        text
    }
}
