//! Daily tables: `historical.<name>`, filled for one business day at a time by the SELECT of that name.

use chrono::NaiveDate;
use duckdb::{Connection, types::Value};

use super::{
    Doing, Store, StoreError,
    sql_file::{SqlFile, SqlFileError},
};

/// Why a daily table could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum DailyTableError {
    /// The SELECT is wrong, or fails on the day's rows.
    #[error(transparent)]
    Sql(#[from] SqlFileError),
    /// See [`ChangedType`].
    #[error(transparent)]
    ChangedType(Box<ChangedType>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A column of a table has rows of another type than its SELECT gives now.
#[derive(Debug, thiserror::Error)]
#[error(
    "`historical.{table}` has {from} in `{column}`, but `{path}` now gives {to}; convert the table with `deloton \
     backfill {table} --from {first} --to {last}`, or give the new column another name"
)]
pub struct ChangedType {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Its type in the table.
    pub from: String,
    /// Its type in the SELECT.
    pub to: String,
    /// The file with the SELECT.
    pub path: String,
    /// The first day in the table.
    pub first: NaiveDate,
    /// The last day in the table.
    pub last: NaiveDate,
}

/// What to do where the SELECT gives a column another type than the table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedTypes {
    /// Fail, naming the backfill that would convert the table.
    Refuse,
    /// Convert the column. Values of other days that have no such form become null until those days are run again;
    /// that is why only a backfill does it.
    Convert,
}

/// A column the table has to have.
struct Column {
    name: String,
    /// Its type as the database spells it.
    data_type: String,
    /// Where its values come from: a column of the SELECT, or the day itself.
    value: String,
}

/// Prepares the SELECT of `file` without running it; the names of the columns that its table has.
///
/// # Errors
/// [`DailyTableError::Sql`] with the file's line where the database does not understand it.
pub fn check(store: &Store, file: &SqlFile) -> Result<Vec<String>, DailyTableError> {
    let connection = store.connection()?;
    let columns = columns_of_select(&connection, file, NaiveDate::default())?;
    Ok(columns.into_iter().map(|column| column.name).collect())
}

/// Runs the SELECT of `file` for `day` and replaces that day's rows of `historical.<name>`, in one transaction.
/// Returns how many rows the day has now. The table is made by the first run; a column that the SELECT gained is null
/// for older days, one that it lost stays and is null from now on.
///
/// # Errors
/// See [`DailyTableError`]; the table is as it was before.
pub fn materialise(
    store: &Store,
    file: &SqlFile,
    day: NaiveDate,
    changed_types: ChangedTypes,
) -> Result<u64, DailyTableError> {
    let connection = store.connection()?;
    let columns = columns_of_select(&connection, file, day)?;
    let doing = |what: &str| format!("failed to {what} `historical.{}` for {day}", file.name());
    connection.execute_batch("begin").doing(|| doing("begin filling"))?;
    let filled =
        reshape(&connection, file, &columns, changed_types).and_then(|()| replace(&connection, file, &columns, day));
    match filled {
        Ok(rows) => connection
            .execute_batch("commit")
            .doing(|| doing("commit"))
            .map(|()| rows)
            .map_err(Into::into),
        Err(error) => {
            connection.execute_batch("rollback").doing(|| doing("roll back"))?;
            Err(error)
        }
    }
}

/// The columns the table has to have, `business_day` first unless the SELECT gives it.
fn columns_of_select(connection: &Connection, file: &SqlFile, day: NaiveDate) -> Result<Vec<Column>, DailyTableError> {
    let describe = format!("describe select * from ({}\n) as row_of_day", file.select());
    let columns = || -> duckdb::Result<Vec<Column>> {
        let mut statement = connection.prepare(&describe)?;
        let column = |name: String, data_type| Column {
            value: quote(&name),
            name,
            data_type,
        };
        statement
            .query_map([date(day)], |row| Ok(column(row.get(0)?, row.get(1)?)))?
            .collect()
    };
    let mut columns = columns().map_err(|error| file.error(&error.to_string()))?;
    match columns.iter().find(|column| column.name == "business_day") {
        Some(Column { data_type, .. }) if data_type == "DATE" => {}
        Some(Column { data_type, .. }) => {
            return Err(file
                .error(&format!("`business_day` is {data_type}, it must be DATE"))
                .into());
        }
        None => columns.insert(
            0,
            Column {
                name: "business_day".to_owned(),
                data_type: "DATE".to_owned(),
                value: "$day".to_owned(),
            },
        ),
    }
    Ok(columns)
}

/// Makes the table, or gives it the columns it lacks.
fn reshape(
    connection: &Connection,
    file: &SqlFile,
    columns: &[Column],
    changed_types: ChangedTypes,
) -> Result<(), DailyTableError> {
    let table = table_name(file);
    let existing = columns_of_table(connection, file)?;
    let run = |sql: String| {
        connection
            .execute_batch(&sql)
            .doing(|| format!("failed to give {table} the columns of `{}`", file.path()))
    };
    if existing.is_empty() {
        let definition = |column: &Column| format!("{} {}", quote(&column.name), column.data_type);
        let definitions: Vec<_> = columns.iter().map(definition).collect();
        return Ok(run(format!("create table {table} ({})", definitions.join(", ")))?);
    }
    for Column { name, data_type, .. } in columns {
        let column = quote(name);
        match existing
            .iter()
            .find(|(existing, _)| existing.eq_ignore_ascii_case(name))
        {
            None => run(format!("alter table {table} add column {column} {data_type}"))?,
            Some((_, found)) if found == data_type => {}
            Some((_, found)) => match (changed_types, days_of_table(connection, file)?) {
                (ChangedTypes::Refuse, Some((first, last))) => {
                    return Err(DailyTableError::ChangedType(Box::new(ChangedType {
                        table: file.name().to_owned(),
                        column: name.clone(),
                        from: found.clone(),
                        to: data_type.clone(),
                        path: file.path().to_owned(),
                        first,
                        last,
                    })));
                }
                _ => run(format!(
                    "alter table {table} alter column {column} type {data_type} using try_cast({column} as {data_type})"
                ))?,
            },
        }
    }
    Ok(())
}

/// Names and types of the table's columns; none where there is no table yet.
fn columns_of_table(connection: &Connection, file: &SqlFile) -> Result<Vec<(String, String)>, StoreError> {
    let columns = || -> duckdb::Result<Vec<_>> {
        let mut statement = connection.prepare(include_str!("sql/daily_table_columns.sql"))?;
        statement
            .query_map([file.name()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    };
    columns().doing(|| format!("failed to read the columns of `historical.{}`", file.name()))
}

/// The first and the last day in the table.
fn days_of_table(connection: &Connection, file: &SqlFile) -> Result<Option<(NaiveDate, NaiveDate)>, StoreError> {
    let table = table_name(file);
    let (first, last): (Option<i32>, Option<i32>) = connection
        .query_row(
            &format!("select min(business_day), max(business_day) from {table}"),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .doing(|| format!("failed to read the days of {table}"))?;
    Ok(first
        .and_then(NaiveDate::from_epoch_days)
        .zip(last.and_then(NaiveDate::from_epoch_days)))
}

fn replace(
    connection: &Connection,
    file: &SqlFile,
    columns: &[Column],
    day: NaiveDate,
) -> Result<u64, DailyTableError> {
    let table = table_name(file);
    connection
        .execute(&format!("delete from {table} where business_day = ?"), [date(day)])
        .doing(|| format!("failed to clear {table} of {day}"))?;
    let list = |of: fn(&Column) -> String| columns.iter().map(of).collect::<Vec<_>>().join(", ");
    let insert = format!(
        "insert into {table} ({}) select {} from ({}\n) as row_of_day",
        list(|column| quote(&column.name)),
        list(|column| column.value.clone()),
        file.select()
    );
    let inserted = connection
        .execute(&insert, [date(day)])
        .map_err(|error| file.error(&error.to_string()))?;
    let of_the_day: usize = connection
        .query_row(
            &format!("select count(*) from {table} where business_day = ?"),
            [date(day)],
            |row| row.get(0),
        )
        .doing(|| format!("failed to count {table} of {day}"))?;
    if of_the_day != inserted {
        let others = inserted - of_the_day;
        return Err(file
            .error(&format!(
                "run for {day}, it gives rows of another `business_day` ({others})"
            ))
            .into());
    }
    Ok(inserted as u64)
}

fn table_name(file: &SqlFile) -> String {
    format!("historical.{}", quote(file.name()))
}

/// An identifier as SQL: in quotes, its own quotes doubled.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A day as the database binds it.
pub(super) fn date(day: NaiveDate) -> Value {
    Value::Date32(day.to_epoch_days())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    struct Fixture {
        store: Store,
        _folder: tempfile::TempDir,
    }

    impl Fixture {
        /// A store whose view `ride` has two rides on 2026-01-02 and one on 2026-01-03.
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path(), Clock::Fixed("2026-01-05T06:00:00Z".parse().unwrap())).unwrap();
            let fixture = Fixture { store, _folder: folder };
            fixture.execute(
                "create or replace view ride as select * from (values (date '2026-01-02', 10), (date '2026-01-02', 20), \
                 (date '2026-01-03', 40)) as t(business_day, watts)",
            );
            fixture
        }

        fn execute(&self, sql: &str) {
            self.store.connection().unwrap().execute_batch(sql).unwrap();
        }

        fn run(&self, select: &str, day: &str) -> Result<u64, String> {
            self.run_changing(select, day, ChangedTypes::Refuse)
        }

        fn run_changing(&self, select: &str, day: &str, changed_types: ChangedTypes) -> Result<u64, String> {
            let file = SqlFile::new("daily_x", "jobs/daily_x.sql", select).unwrap();
            materialise(&self.store, &file, day.parse().unwrap(), changed_types).map_err(|error| error.to_string())
        }

        /// The table, one `a|b|c` per row.
        fn rows(&self) -> Vec<String> {
            let connection = self.store.connection().unwrap();
            let names: Vec<String> = columns_of_table(&connection, &file("select :day"))
                .unwrap()
                .into_iter()
                .map(|c| c.0)
                .collect();
            let fields: Vec<_> = names
                .iter()
                .map(|name| format!("coalesce(cast({name} as varchar), '-')"))
                .collect();
            let sql = format!(
                "select concat_ws('|', {}) from historical.daily_x order by 1",
                fields.join(", ")
            );
            let mut statement = connection.prepare(&sql).unwrap();
            let rows = statement
                .query_map([], |row| row.get(0))
                .unwrap()
                .collect::<duckdb::Result<_>>()
                .unwrap();
            std::iter::once(names.join("|")).chain::<Vec<String>>(rows).collect()
        }
    }

    fn file(select: &str) -> SqlFile {
        SqlFile::new("daily_x", "jobs/daily_x.sql", select).unwrap()
    }

    const TOTALS: &str = "-- Rides of :day.\nselect count(*) as rides from ride where business_day = :day;\n";

    #[test]
    fn a_day_is_replaced_and_other_days_are_left_alone() {
        let fixture = Fixture::new();
        assert_eq!(fixture.run(TOTALS, "2026-01-02"), Ok(1));
        assert_eq!(fixture.run(TOTALS, "2026-01-03"), Ok(1));
        let first = fixture.rows();
        assert_eq!(first, ["business_day|rides", "2026-01-02|2", "2026-01-03|1"]);
        assert_eq!(fixture.run(TOTALS, "2026-01-02"), Ok(1));
        assert_eq!(fixture.rows(), first);
        let none = "select watts from ride where business_day = :day and watts > 99";
        assert_eq!(
            fixture.run(&none.replace("watts from", "count(*) as rides from"), "2026-01-03"),
            Ok(1)
        );
        assert_eq!(fixture.rows()[2], "2026-01-03|0");
    }

    #[test]
    fn an_empty_day_leaves_no_rows_of_an_earlier_run() {
        let fixture = Fixture::new();
        let select = "select watts from ride where business_day = :day";
        assert_eq!(fixture.run(select, "2026-01-02"), Ok(2));
        fixture
            .execute("create or replace view ride as select date '2026-01-02' as business_day, 1 as watts where false");
        assert_eq!(fixture.run(select, "2026-01-02"), Ok(0));
        assert_eq!(fixture.rows(), ["business_day|watts"]);
    }

    #[test]
    fn a_gained_column_is_null_for_older_days_and_a_lost_one_from_now_on() {
        let fixture = Fixture::new();
        fixture.run(TOTALS, "2026-01-02").unwrap();
        let select = "select 'x' as \"a \"\"b\", sum(watts)::double as watts from ride where business_day = :day";
        fixture
            .run(&select.replace("\"a \"\"b\"", "note"), "2026-01-03")
            .unwrap();
        assert_eq!(
            fixture.rows(),
            [
                "business_day|rides|note|watts",
                "2026-01-02|2|-|-",
                "2026-01-03|-|x|40.0"
            ]
        );
        assert_eq!(fixture.run(select, "2026-01-03"), Ok(1), "any column name is quoted");
    }

    #[test]
    fn a_changed_type_names_the_backfill_and_the_backfill_converts() {
        let fixture = Fixture::new();
        fixture.run(TOTALS, "2026-01-02").unwrap();
        fixture.run(TOTALS, "2026-01-03").unwrap();
        let before = fixture.rows();
        let text = "select cast(count(*) as varchar) || ' rides' as rides from ride where business_day = :day";
        assert_eq!(
            fixture.run(text, "2026-01-03").unwrap_err(),
            "`historical.daily_x` has BIGINT in `rides`, but `jobs/daily_x.sql` now gives VARCHAR; convert the table with \
             `deloton backfill daily_x --from 2026-01-02 --to 2026-01-03`, or give the new column another name"
        );
        assert_eq!(fixture.rows(), before);
        fixture.run_changing(text, "2026-01-02", ChangedTypes::Convert).unwrap();
        fixture.run_changing(text, "2026-01-03", ChangedTypes::Convert).unwrap();
        assert_eq!(
            fixture.rows(),
            ["business_day|rides", "2026-01-02|2 rides", "2026-01-03|1 rides"]
        );
        fixture
            .run_changing(TOTALS, "2026-01-03", ChangedTypes::Convert)
            .unwrap();
        assert_eq!(fixture.rows(), ["business_day|rides", "2026-01-02|-", "2026-01-03|1"]);
    }

    #[test]
    fn a_select_may_give_the_day_itself_but_no_other() {
        let fixture = Fixture::new();
        let select = "select watts, business_day from ride where business_day = :day";
        assert_eq!(fixture.run(select, "2026-01-02"), Ok(2));
        assert_eq!(fixture.rows(), ["watts|business_day", "10|2026-01-02", "20|2026-01-02"]);
        let all = "select watts, business_day from ride where business_day >= :day";
        assert_eq!(
            fixture.run(all, "2026-01-02").unwrap_err(),
            "jobs/daily_x.sql:1: run for 2026-01-02, it gives rows of another `business_day` (1)"
        );
        assert_eq!(fixture.rows().len(), 3);
        let text = "select '1' as business_day from ride where business_day = :day";
        assert_eq!(
            fixture.run(text, "2026-01-02").unwrap_err(),
            "jobs/daily_x.sql:1: `business_day` is VARCHAR, it must be DATE"
        );
    }

    #[test]
    fn broken_sql_is_named_with_its_line_and_touches_nothing() {
        let fixture = Fixture::new();
        fixture.run(TOTALS, "2026-01-02").unwrap();
        let before = fixture.rows();
        let cases = [
            (
                "-- a\nselect\n    watt\nfrom ride\nwhere business_day = :day",
                "jobs/daily_x.sql:3: Binder Error: ",
            ),
            (
                "select 1 from ride\nwhere business_day = :day\ngroup bi 1",
                "jobs/daily_x.sql:3: Parser Error: ",
            ),
            (
                "select 1 as a\nfrom rides where business_day = :day",
                "jobs/daily_x.sql:2: Catalog Error: ",
            ),
            (
                "select\n  cast('a' || watts as integer) as a\nfrom ride where business_day = :day",
                "jobs/daily_x.sql:2: Conversion Error: Could not convert string 'a10' to INT32",
            ),
        ];
        for (select, message) in cases {
            let error = fixture.run(select, "2026-01-02").unwrap_err();
            assert!(error.starts_with(message), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        assert_eq!(fixture.rows(), before);
    }

    #[test]
    fn a_check_prepares_and_makes_nothing() {
        let fixture = Fixture::new();
        check(&fixture.store, &file(TOTALS)).unwrap();
        let error = check(&fixture.store, &file("select watt from ride where business_day = :day")).unwrap_err();
        assert!(
            error.to_string().starts_with("jobs/daily_x.sql:1: Binder Error: "),
            "{error}"
        );
        assert!(
            columns_of_table(&fixture.store.connection().unwrap(), &file(TOTALS))
                .unwrap()
                .is_empty()
        );
    }
}
