//! Which rows a table of the extracts has, as SQL that gathers them in `temp.extracted`.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::{Columns, ExtractTable, Rows, Worker, local_time::clocks};
use crate::store::{Doing, Result, daily_table::quote, table::ColumnType, views::quoted};

/// The days of rides that are over and not sealed.
pub(super) const UNSEALED_DAYS: &str =
    "select distinct business_day::varchar from ops.unsealed_ride where business_day is not null order by all";

/// Columns of daily tables in place of which there are pseudonyms: of what, and what the pseudonym's column is called.
const PSEUDONYMS: [(&str, &str); 3] = [("rider_id", "rider"), ("ride_id", "ride"), ("bike_serial", "bike")];

/// Where the rows of a sealed day are, and in place of it those of one that is not sealed. A ride that is in both, as it went on
/// after its day was sealed, is that of the sealed day until that is sealed again.
const IN_BUFFER: [(&str, &str); 2] = [
    (
        "historical.ride",
        "(select * from ops.unsealed_ride anti join ops.reopened_ride using (ride_id))",
    ),
    (
        "(select * from ops.lake_reading where date = :day::date)",
        "daily.reading",
    ),
];

/// The SELECT of a table.
#[derive(Debug, Clone)]
pub(super) struct Select {
    sql: String,
    /// The table that has its days.
    days_from: String,
}

impl Select {
    pub(super) fn of_all(&self) -> String {
        format!("create or replace temp table extracted as {}", self.sql)
    }

    pub(super) fn of_day(&self, day: NaiveDate, timezone: Tz) -> String {
        format!(
            "create or replace temp table extracted as {}",
            bound(&self.sql, day, timezone)
        )
    }

    /// A table for rows of the buffer.
    pub(super) fn none(&self) -> String {
        let rows = bound(&self.sql, NaiveDate::default(), Tz::UTC);
        format!("create or replace temp table extracted as select * from ({rows}) limit 0")
    }

    /// Adds the buffer's of a day to those that were gathered.
    pub(super) fn of_unsealed(&self, day: NaiveDate, timezone: Tz) -> String {
        let rows = IN_BUFFER.iter().fold(self.sql.clone(), |sql, (sealed, unsealed)| {
            sql.replace(sealed, unsealed)
        });
        format!("insert into temp.extracted {}", bound(&rows, day, timezone))
    }

    /// What reads its days.
    pub(super) fn days(&self) -> String {
        format!(
            "select distinct business_day::varchar from {} order by all",
            self.days_from
        )
    }
}

/// The SELECT for a day, by the company's clocks around it. What a table is made of cannot be a parameter of its view's files.
fn bound(sql: &str, day: NaiveDate, timezone: Tz) -> String {
    let clocks = clocks(timezone, day);
    let micros = |seconds: i32| (i64::from(seconds) * 1_000_000).to_string();
    sql.replace(":day", &quoted(&day.to_string()))
        .replace(":changes_at", &clocks.changes_at.timestamp_micros().to_string())
        .replace(":before", &micros(clocks.before))
        .replace(":after", &micros(clocks.after))
}

/// A SELECT with its personal columns, which wait in a comment, or without.
pub(super) fn with_personal(sql: &str, include_personal: bool) -> String {
    let (mut with, mut rest) = (String::new(), sql);
    while let Some((before, after)) = rest.split_once("/* personal:") {
        let (personal, after) = after.split_once("*/").unwrap_or((after, ""));
        with.push_str(before);
        if include_personal {
            with.push_str(personal);
        }
        rest = after;
    }
    with + rest
}

/// All tables, with the columns that the database says their rows have.
pub(super) fn tables(worker: &Worker, columns: &Columns<'_>) -> Result<Vec<ExtractTable>> {
    let own = |name: &str, sql: &str, rows: Rows| ExtractTable {
        name: name.to_owned(),
        rows,
        is_daily_table: false,
        columns: Vec::new(),
        select: Select {
            sql: with_personal(sql, columns.include_personal),
            days_from: "ops.sealed_day".to_owned(),
        },
    };
    let rides = include_str!("../sql/extract_rides.sql");
    let minutes = include_str!("../sql/extract_readings_per_minute.sql");
    let mut tables = vec![
        own("rides", rides, Rows::ByDay),
        own("readings_per_minute", minutes, Rows::ByDay),
        own("riders", include_str!("../sql/extract_riders.sql"), Rows::Whole),
        own("workouts", include_str!("../sql/extract_workouts.sql"), Rows::Whole),
        own("daily/rides", rides, Rows::Unsealed),
        own("daily/readings_per_minute", minutes, Rows::Unsealed),
    ];
    tables.extend(daily_tables(worker, columns)?);
    for table in &mut tables {
        worker.run(&table.select.none(), &table.name)?;
        let doing = || format!("cannot read the columns of `{}` for an extract", table.name);
        let mut described = worker.connection.prepare("describe temp.extracted").doing(doing)?;
        let rows = described
            .query_map([], |row| Ok((row.get(0)?, column_type(&row.get::<_, String>(1)?))))
            .doing(doing)?;
        table.columns = rows.collect::<duckdb::Result<_>>().doing(doing)?;
    }
    Ok(tables)
}

/// The tables that the SELECTs of `jobs/` make, or made: those that are there no longer are among them.
fn daily_tables(worker: &Worker, columns: &Columns<'_>) -> Result<Vec<ExtractTable>> {
    let doing = || "cannot read which daily tables there are".to_owned();
    let mut statement = worker
        .connection
        .prepare(include_str!("../sql/extract_daily_tables.sql"))
        .doing(doing)?;
    let mut rows = statement.query([]).doing(doing)?;
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    while let Some(row) = rows.next().doing(doing)? {
        let text = |column| row.get::<_, String>(column).doing(doing);
        let (table, column) = (text(0)?, (text(1)?, text(2)?));
        match found.last_mut().filter(|(name, _)| *name == table) {
            Some((_, columns)) => columns.push(column),
            None => found.push((table, vec![column])),
        }
    }
    Ok(found
        .into_iter()
        .map(|(name, of_table)| daily_table(name, &of_table, columns))
        .collect())
}

fn daily_table(name: String, of_table: &[(String, String)], columns: &Columns<'_>) -> ExtractTable {
    let has = |name: &str| of_table.iter().any(|(column, _)| column.eq_ignore_ascii_case(name));
    let is_by_day = has("rider_id") || has("ride_id");
    let (mut shown, mut personal) = (Vec::new(), Vec::new());
    for (column, data_type) in of_table {
        let pseudonym = |of: &str, called: &str| format!("extracting.pseudonym('{of}', {}) as {called}", quote(column));
        if let Some((_, of)) = PSEUDONYMS.iter().find(|(id, _)| column.eq_ignore_ascii_case(id))
            && !has(of)
        {
            shown.push(pseudonym(of, of));
        }
        let typed = match typed(data_type) {
            // What is no number is not known.
            "double" => format!("if(isfinite({0}::double), {0}::double, null) as {0}", quote(column)),
            of_type => format!("{}::{of_type} as {0}", quote(column)),
        };
        if columns.personal.iter().any(|name| column.eq_ignore_ascii_case(name)) {
            personal.push(typed);
        } else if data_type != "UUID" && data_type.contains("UUID") {
            // A list of rides has no pseudonym.
            personal.push(typed);
        } else if data_type == "UUID" && !columns.include_personal {
            // Only rides have such ids, whatever a table calls them.
            shown.push(pseudonym("ride", &quote(column)));
        } else if column_type(data_type) == ColumnType::Text && !columns.include_personal {
            shown.push(without_ids(&quote(column)));
        } else {
            shown.push(typed);
        }
    }
    if columns.include_personal {
        shown.append(&mut personal);
    }
    let table = format!("historical.{}", quote(&name));
    let (rows, of_day) = if is_by_day {
        (Rows::ByDay, "where business_day = :day::date")
    } else {
        (Rows::Whole, "")
    };
    ExtractTable {
        select: Select {
            sql: format!("select {} from {table} {of_day} order by all", shown.join(", ")),
            days_from: table,
        },
        name,
        rows,
        is_daily_table: true,
        columns: Vec::new(),
    }
}

/// A column of texts, lists or JSON: one that is the id of a ride has its pseudonym, and one with ids among other things is
/// empty.
fn without_ids(column: &str) -> String {
    let text = format!("{column}::varchar");
    let id = format!("if(length({text}) = 36, try_cast({text} as uuid), null)");
    format!(
        "case when {id} is not null then extracting.pseudonym('ride', {id})
            when not regexp_matches({text}, '[0-9a-f]{{8}}-([0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}', 'i') then {text} end as {column}"
    )
}

/// The type that a daily table's column is written as. `sum` makes whole numbers of a longer type than files and programs have:
/// decimals hold them exactly.
fn typed(data_type: &str) -> &'static str {
    match column_type(data_type) {
        ColumnType::Number if matches!(data_type, "HUGEINT" | "UBIGINT") => "decimal(38, 0)",
        ColumnType::Integer => "bigint",
        ColumnType::Number => "double",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
        ColumnType::Instant if data_type == "TIMESTAMP WITH TIME ZONE" => "timestamptz",
        ColumnType::Instant => "timestamp",
        ColumnType::Text | ColumnType::Uuid => "varchar",
    }
}

fn column_type(data_type: &str) -> ColumnType {
    match data_type {
        "TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT" | "UTINYINT" | "USMALLINT" | "UINTEGER" => ColumnType::Integer,
        "FLOAT" | "DOUBLE" | "HUGEINT" | "UBIGINT" => ColumnType::Number,
        decimal if decimal.starts_with("DECIMAL") => ColumnType::Number,
        "BOOLEAN" => ColumnType::Boolean,
        "DATE" => ColumnType::Date,
        instant if instant.starts_with("TIMESTAMP") => ColumnType::Instant,
        _ => ColumnType::Text,
    }
}

/// The rows that were gathered as CSV has them: instants in UTC and without a letter for it, which spreadsheets do not take,
/// texts that a spreadsheet would calculate with an apostrophe before them, and figures of rides and their minutes to a
/// thousandth, which takes a sixth off their files.
pub(super) fn as_text(table: &ExtractTable) -> String {
    let is_of_rides = table.rows != Rows::Whole && !table.is_daily_table;
    let value = |(name, column): &(String, ColumnType)| {
        let name = quote(name);
        match column {
            // = + - @, tab and the ends of lines.
            ColumnType::Text | ColumnType::Uuid => {
                format!("if(ascii({name}) in (61, 43, 45, 64, 9, 10, 13), '''' || {name}, {name}) as {name}")
            }
            ColumnType::Instant => format!("make_timestamp(epoch_us({name})) as {name}"),
            ColumnType::Number if is_of_rides => format!("{name}::decimal(18, 3) as {name}"),
            _ => name,
        }
    };
    let values: Vec<_> = table.columns.iter().map(value).collect();
    format!("select {} from temp.extracted", values.join(", "))
}
