//! Writing a table's `.hyper`, whole or only the days that changed, and what opens on it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use chrono::NaiveDate;

use super::{HyperError, Server};
use crate::extract::{
    table::{Column, Kind, Table},
    tableau::{self, Contents, DayFile},
};

/// What the file is attached as while it is written.
const DATABASE: &str = "written";
/// Where Tableau looks for the rows of an extract.
const ROWS: &str = r#""written"."Extract"."Extract""#;
/// The column that says which day's file a row is from.
const DAY: &str = "business_day";

impl Server {
    /// Writes `<table>.hyper` and `<table>.tdsx` into `folder` from the Parquet files of its days. The days of a file that is there
    /// already stay as they are, except those in `changed`, those that have another number of rows than their file, and
    /// those that have no file. Each is put into its place when it is whole. Gives their paths.
    ///
    /// # Errors
    /// hyperd refuses; the folder cannot be written to.
    pub fn write_days(
        &mut self,
        table: &Table,
        days: &[DayFile],
        changed: &[NaiveDate],
        folder: &Path,
    ) -> Result<Vec<PathBuf>, HyperError> {
        self.write(table, folder, true, |server| {
            let doing = format!("count the rows of each day of `{}`", table.name);
            let mut held: BTreeMap<NaiveDate, u64> = BTreeMap::new();
            for row in server.rows(&doing, &format!("select {DAY}, count(*) from {ROWS} group by {DAY}"))? {
                if let [day, count] = row.as_slice()
                    && let (Some(day), Some(count)) = (parsed(day), parsed(count))
                {
                    held.insert(day, count);
                }
            }
            for file in days {
                let held = held.remove(&file.day).unwrap_or(0);
                if held == server.count(&file.path)? && !changed.contains(&file.day) {
                    continue;
                }
                if held > 0 {
                    server.remove(table, file.day)?;
                }
                server.add(table, &file.path)?;
            }
            held.into_keys().try_for_each(|day| server.remove(table, day))
        })
    }

    /// Writes `<table>.hyper` and `<table>.tdsx` into `folder` from one Parquet file with all rows. Each is put into its place
    /// when it is whole. Gives their paths.
    ///
    /// # Errors
    /// hyperd refuses; the folder cannot be written to.
    pub fn write_whole(&mut self, table: &Table, parquet: &Path, folder: &Path) -> Result<Vec<PathBuf>, HyperError> {
        self.write(table, folder, false, |server| server.add(table, parquet))
    }

    /// Writes the workbooks over `rides.hyper` of `folder`, with all of its rides. Gives their paths; none where it has no ride.
    ///
    /// # Errors
    /// There is no such file; hyperd refuses; the folder cannot be written to.
    pub fn write_workbooks(&mut self, rides: &Table, folder: &Path) -> Result<Vec<PathBuf>, HyperError> {
        let path = folder.join(format!("{}.hyper", tableau::stem(rides)));
        self.attach(&path)?;
        let contents = self.contents(rides);
        self.detach(&path)?;
        let Some(contents) = contents? else {
            return Ok(Vec::new());
        };
        tableau::write_workbooks_over(rides, &contents, &path, folder)
            .map_err(io_error(&format!("write the workbooks over `{}`", path.display())))
    }

    /// Has `fill` change the table's rows and puts its file and data source into place. It starts from a copy of the file that is
    /// there where `keeps` says so and the columns are the same, and from an empty one otherwise.
    fn write(
        &mut self,
        table: &Table,
        folder: &Path,
        keeps: bool,
        fill: impl FnOnce(&mut Server) -> Result<(), HyperError>,
    ) -> Result<Vec<PathBuf>, HyperError> {
        let path = folder.join(format!("{}.hyper", tableau::stem(table)));
        let aside = tempfile::Builder::new()
            .prefix(".hyper")
            .tempdir_in(folder)
            .map_err(io_error(&format!("make a folder in `{}`", folder.display())))?;
        let copy = aside.path().join("copy.hyper");
        if keeps && path.exists() {
            fs::copy(&path, &copy).map_err(io_error(&format!("copy `{}`", path.display())))?;
        }
        if !copy.exists() || !self.has_columns(table, &copy)? {
            self.create(table, &copy)?;
        }
        self.attach(&copy)?;
        let filled = fill(self);
        self.detach(&copy)?;
        filled?;
        File::open(&copy)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&copy, &path))
            .map_err(io_error(&format!("write `{}`", path.display())))?;
        let source = tableau::write_source(table, &path, folder)
            .map_err(io_error(&format!("write the data source of `{}`", path.display())))?;
        Ok(vec![path, source])
    }

    /// Whether the file has the table's columns, of their types and in their order.
    fn has_columns(&mut self, table: &Table, path: &Path) -> Result<bool, HyperError> {
        self.attach(path)?;
        let found = self.rows(
            &format!("read the columns of `{}`", path.display()),
            &format!(
                "select attname, format_type(atttypid, atttypmod) from \"{DATABASE}\".pg_catalog.pg_attribute a \
                 join \"{DATABASE}\".pg_catalog.pg_class c on c.oid = a.attrelid \
                 where c.relname = 'Extract' and a.attnum > 0 order by a.attnum"
            ),
        );
        self.detach(path)?;
        let expected = table
            .columns
            .iter()
            .map(|column| vec![Some(column.name.clone()), Some(sql_type(column.kind).to_owned())]);
        Ok(found?.into_iter().eq(expected))
    }

    /// A new file with the table's columns and no rows.
    fn create(&mut self, table: &Table, path: &Path) -> Result<(), HyperError> {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("{} {}", quoted(&column.name), sql_type(column.kind)))
            .collect();
        if path.exists() {
            fs::remove_file(path).map_err(io_error(&format!("remove `{}`", path.display())))?;
        }
        let doing = format!("create `{}`", path.display());
        self.run(&doing, &format!("create database {} with version 2", quoted_path(path)))?;
        self.attach(path)?;
        self.run(&doing, &format!("create schema \"{DATABASE}\".\"Extract\""))?;
        self.run(&doing, &format!("create table {ROWS} ({})", columns.join(", ")))?;
        self.detach(path)
    }

    fn attach(&mut self, path: &Path) -> Result<(), HyperError> {
        self.run(
            &format!("open `{}`", path.display()),
            &format!("attach database {} as \"{DATABASE}\"", quoted_path(path)),
        )
    }

    fn detach(&mut self, path: &Path) -> Result<(), HyperError> {
        self.run(
            &format!("close `{}`", path.display()),
            &format!("detach database \"{DATABASE}\""),
        )
    }

    fn count(&mut self, parquet: &Path) -> Result<u64, HyperError> {
        let rows = self.rows(
            &format!("count the rows of `{}`", parquet.display()),
            &format!("select count(*) from {}", external(parquet)),
        )?;
        Ok(rows.first().and_then(|row| parsed(row.first()?)).unwrap_or(0))
    }

    fn add(&mut self, table: &Table, parquet: &Path) -> Result<(), HyperError> {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("cast({} as {})", quoted(&column.name), sql_type(column.kind)))
            .collect();
        self.run(
            &format!("take the rows of `{}`", parquet.display()),
            &format!(
                "insert into {ROWS} select {} from {}",
                columns.join(", "),
                external(parquet)
            ),
        )
    }

    fn remove(&mut self, table: &Table, day: NaiveDate) -> Result<(), HyperError> {
        self.run(
            &format!("remove {day} from `{}`", table.name),
            &format!("delete from {ROWS} where {DAY} = date '{day}'"),
        )
    }

    /// What the rows are, in numbers; none where there are none.
    fn contents(&mut self, table: &Table) -> Result<Option<Contents>, HyperError> {
        let numbers: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| matches!(column.kind, Kind::Integer | Kind::Number))
            .collect();
        let ends: String = numbers
            .iter()
            .map(|column| format!(", min({0}), max({0})", quoted(&column.name)))
            .collect();
        let rows = self.rows(
            &format!("look through `{}`", table.name),
            &format!("select count(*), min({DAY}), max({DAY}){ends} from {ROWS}"),
        )?;
        let Some([rides, first, last, ends @ ..]) = rows.first().map(Vec::as_slice) else {
            return Ok(None);
        };
        let days = (parsed(first), parsed(last));
        let (Some(rides), (Some(first), Some(last))) = (parsed(rides), days) else {
            return Ok(None);
        };
        let ranges = numbers
            .iter()
            .zip(ends.chunks_exact(2))
            .filter_map(|(column, ends)| Some((column.name.clone(), (parsed(&ends[0])?, parsed(&ends[1])?))))
            .collect();
        Ok(Some(Contents {
            rides,
            days: (first, last),
            is_all: true,
            ranges,
        }))
    }
}

fn parsed<T: FromStr>(value: &Option<String>) -> Option<T> {
    value.as_ref()?.parse().ok()
}

fn io_error(doing: &str) -> impl FnOnce(io::Error) -> HyperError {
    let doing = doing.to_owned();
    move |source| HyperError::Io { doing, source }
}

/// The type of a column's values, as hyperd calls it.
fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer => "bigint",
        Kind::Number => "double precision",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::Instant => "timestamp",
    }
}

fn external(parquet: &Path) -> String {
    format!(
        "external('{}', format => 'parquet')",
        absolute(parquet).replace('\'', "''")
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted_path(path: &Path) -> String {
    quoted(&absolute(path))
}

/// hyperd runs in a folder of its own.
fn absolute(path: &Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .display()
        .to_string()
}
