//! Writing a table's `.hyper`, whole or only the days that have come, and what opens on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::Path,
    str::FromStr,
};

use chrono::NaiveDate;

use super::{HyperError, Server};
use crate::extract::{
    quoted,
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
    /// Writes `<table>.hyper` and `<table>.tdsx` into `folder` from the Parquet files of its days, both put into their places when
    /// they are whole. Days that have come are added to the file that is there. It is written anew where a day of it is in
    /// `changed`, has another number of rows than its file, or has no file any more: what is deleted from a `.hyper`
    /// stays readable within.
    ///
    /// # Errors
    /// hyperd refuses; the folder cannot be written to.
    pub fn write_days(
        &mut self,
        table: &Table,
        days: &[DayFile],
        changed: &[NaiveDate],
        folder: &Path,
    ) -> Result<(), HyperError> {
        let path = folder.join(format!("{}.hyper", tableau::stem(table)));
        self.write(table, &path, |server, aside| {
            if path.exists() {
                fs::copy(&path, aside).map_err(io_error(&format!("copy `{}`", path.display())))?;
            }
            let held = server.held(table, aside)?;
            let mut stay = BTreeSet::new();
            for file in days.iter().filter(|file| !changed.contains(&file.day)) {
                if let Some(rows) = held.get(&file.day)
                    && *rows == server.count(&file.path)?
                {
                    stay.insert(file.day);
                }
            }
            if stay.len() < held.len() || stay.is_empty() {
                stay.clear();
                server.create(table, aside)?;
            }
            server.with(aside, |server| {
                days.iter()
                    .filter(|file| !stay.contains(&file.day))
                    .try_for_each(|file| server.add(table, &file.path))
            })
        })
    }

    /// Writes `<table>.hyper` and `<table>.tdsx` into `folder` from one Parquet file with all rows, both put into their places when
    /// they are whole.
    ///
    /// # Errors
    /// hyperd refuses; the folder cannot be written to.
    pub fn write_whole(&mut self, table: &Table, parquet: &Path, folder: &Path) -> Result<(), HyperError> {
        let path = folder.join(format!("{}.hyper", tableau::stem(table)));
        self.write(table, &path, |server, aside| {
            server.create(table, aside)?;
            server.with(aside, |server| server.add(table, parquet))
        })
    }

    /// Writes the workbooks over `rides.hyper` of `folder`, with all of its rides; nothing where it has none.
    ///
    /// # Errors
    /// There is no such file; hyperd refuses; the folder cannot be written to.
    pub fn write_workbooks(&mut self, rides: &Table, folder: &Path) -> Result<(), HyperError> {
        let path = folder.join(format!("{}.hyper", tableau::stem(rides)));
        let Some(contents) = self.with(&path, |server| server.contents(rides))? else {
            return Ok(());
        };
        tableau::write_workbooks_over(rides, &contents, &path, folder)
            .map_err(io_error(&format!("write the workbooks over `{}`", path.display())))
    }

    /// Has `make` write the table's file aside, and puts that and its data source into place.
    fn write(
        &mut self,
        table: &Table,
        path: &Path,
        make: impl FnOnce(&mut Server, &Path) -> Result<(), HyperError>,
    ) -> Result<(), HyperError> {
        let folder = path.parent().unwrap_or(path);
        let aside = tempfile::Builder::new()
            .prefix(".hyper")
            .tempdir_in(folder)
            .map_err(io_error(&format!("make a folder in `{}`", folder.display())))?;
        let made = aside.path().join("made.hyper");
        make(self, &made)?;
        File::open(&made)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&made, path))
            .map_err(io_error(&format!("write `{}`", path.display())))?;
        tableau::write_source(table, path, folder)
            .map_err(io_error(&format!("write the data source of `{}`", path.display())))
    }

    /// How many rows the file has of each day; none where there is no file, or one with other columns.
    fn held(&mut self, table: &Table, path: &Path) -> Result<BTreeMap<NaiveDate, u64>, HyperError> {
        if !path.exists() {
            return Ok(BTreeMap::new());
        }
        self.with(path, |server| {
            if !server.has_columns(table)? {
                return Ok(BTreeMap::new());
            }
            let rows = server.rows(
                &format!("count the rows of each day of `{}`", table.name),
                &format!("select {DAY}, count(*) from {ROWS} group by {DAY}"),
            )?;
            Ok(rows
                .iter()
                .filter_map(|row| Some((parsed(row.first()?)?, parsed(row.get(1)?)?)))
                .collect())
        })
    }

    /// Whether the open file has the table's columns, of their types and in their order.
    fn has_columns(&mut self, table: &Table) -> Result<bool, HyperError> {
        let found = self.rows(
            &format!("read the columns of `{}`", table.name),
            &format!(
                "select attname, format_type(atttypid, atttypmod) from \"{DATABASE}\".pg_catalog.pg_attribute a \
                 join \"{DATABASE}\".pg_catalog.pg_class c on c.oid = a.attrelid \
                 where c.relname = 'Extract' and a.attnum > 0 order by a.attnum"
            ),
        )?;
        let expected = table
            .columns
            .iter()
            .map(|column| vec![Some(column.name.clone()), Some(sql_type(column.kind).to_owned())]);
        Ok(found.into_iter().eq(expected))
    }

    /// A new file with the table's columns and no rows.
    fn create(&mut self, table: &Table, path: &Path) -> Result<(), HyperError> {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("{} {}", quoted(&column.name, '"'), sql_type(column.kind)))
            .collect();
        if path.exists() {
            fs::remove_file(path).map_err(io_error(&format!("remove `{}`", path.display())))?;
        }
        let doing = format!("create `{}`", path.display());
        self.run(&doing, &format!("create database {} with version 2", quoted_path(path)))?;
        self.with(path, |server| {
            server.run(&doing, &format!("create schema \"{DATABASE}\".\"Extract\""))?;
            server.run(&doing, &format!("create table {ROWS} ({})", columns.join(", ")))
        })
    }

    /// Does something with the file open.
    pub(super) fn with<T>(
        &mut self,
        path: &Path,
        work: impl FnOnce(&mut Server) -> Result<T, HyperError>,
    ) -> Result<T, HyperError> {
        self.run(
            &format!("open `{}`", path.display()),
            &format!("attach database {} as \"{DATABASE}\"", quoted_path(path)),
        )?;
        let done = work(self);
        let closed = self.run(
            &format!("close `{}`", path.display()),
            &format!("detach database \"{DATABASE}\""),
        );
        // Where both failed, the first says why.
        let done = done?;
        closed.map(|()| done)
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
            .map(|column| format!("cast({} as {})", quoted(&column.name, '"'), sql_type(column.kind)))
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

    /// What the rows are, in numbers; none where there are none.
    fn contents(&mut self, table: &Table) -> Result<Option<Contents>, HyperError> {
        let numbers: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| matches!(column.kind, Kind::Integer | Kind::Number))
            .collect();
        let ends: String = numbers
            .iter()
            .map(|column| format!(", min({0}), max({0})", quoted(&column.name, '"')))
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
    format!("external({}, format => 'parquet')", quoted(&absolute(parquet), '\''))
}

fn quoted_path(path: &Path) -> String {
    quoted(&absolute(path), '"')
}

/// hyperd runs in a folder of its own.
fn absolute(path: &Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .display()
        .to_string()
}
