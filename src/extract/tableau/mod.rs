//! Workbooks for Tableau that open on the rides: leaderboards, and what a company asks of its rides. A workbook is a package
//! (`.twbx`): the document and the rows that it shows, so that it opens anywhere, without a server and without a network.
//!
//! The document is written as Tableau 2026 itself saves one: in format 18.1, with the features that it uses by name. Its schema
//! also knows format 26.1, in which all features are implied; no Tableau saves that, and some refuse it.

mod field;
mod identity;
mod layout;
mod leaderboards;
mod look;
mod measures;
mod package;
mod rides;
mod sheet;
mod source;
#[cfg(test)]
pub(super) mod tests;
mod workbook;
mod xml;

use std::{
    io,
    path::{Path, PathBuf},
};

use chrono::NaiveDate;

pub(super) use self::package::Contents;
use self::{
    package::Packed,
    source::{DataSource, Rows},
    workbook::Workbook,
    xml::Element,
};
use super::table::Table;

/// The format of the documents.
const VERSION: &str = "18.1";
const USER_NAMESPACE: &str = "http://www.tableausoftware.com/xml/user";

/// A file with the rows of one business day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFile {
    /// The business day.
    pub day: NaiveDate,
    /// The file.
    pub path: PathBuf,
}

/// Writes `deloton-leaderboards.twbx` and `deloton-rides.twbx` into `folder`, each with the rides of `days`, which are in order;
/// nothing where there is no day. `is_all` says whether there are no earlier ones. The files of `days` are the CSV of the
/// table `rides`, with a line of headings, in the order of its columns. A workbook is put into its place when it is whole.
///
/// # Errors
/// A file that cannot be read or written, or is not the CSV of `rides`.
pub fn write_workbooks(rides: &Table, days: &[DayFile], is_all: bool, folder: &Path) -> io::Result<()> {
    let Some(contents) = package::contents(rides, days, is_all)? else {
        return Ok(());
    };
    let workbooks = workbooks(rides, Rows::Csv, &contents);
    let mut rows = Packed::csv(&workbooks[0].source.file(), days)?;
    write_all(&workbooks, &mut rows, folder)
}

/// The same over the `.hyper` file of the rides, with all of them.
///
/// # Errors
/// The file cannot be read, or the folder cannot be written to.
pub(super) fn write_workbooks_over(rides: &Table, contents: &Contents, hyper: &Path, folder: &Path) -> io::Result<()> {
    let workbooks = workbooks(rides, Rows::Hyper, contents);
    let mut rows = Packed::AsIs(hyper.to_owned(), workbooks[0].source.file());
    write_all(&workbooks, &mut rows, folder)
}

/// Writes `<table>.tdsx` into `folder`, a data source over the table's `.hyper` file: its fields with captions, folders and units.
///
/// # Errors
/// The file cannot be read, or the folder cannot be written to.
pub(super) fn write_source(table: &Table, hyper: &Path, folder: &Path) -> io::Result<()> {
    let source = DataSource::new(table, Rows::Hyper, Vec::new());
    let mut rows = Packed::AsIs(hyper.to_owned(), source.file());
    package::write(stem(table), "tds", &source.document().document()?, &mut rows, folder)
}

fn write_all(workbooks: &[Workbook], rows: &mut Packed, folder: &Path) -> io::Result<()> {
    workbooks
        .iter()
        .try_for_each(|workbook| package::write(workbook.name, "twb", &workbook.document()?, rows, folder))
}

fn workbooks(rides: &Table, rows: Rows, contents: &Contents) -> [Workbook; 2] {
    [
        leaderboards::workbook(rides, rows, contents),
        rides::workbook(rides, rows, contents),
    ]
}

/// What the table's files are called: `rides`, also of `daily/rides`, which has a folder of its own.
pub(super) fn stem(table: &Table) -> &str {
    table.name.rsplit('/').next().unwrap_or(&table.name)
}

/// What data sources use: the tables that they are of, and folders of fields.
const SOURCE_FEATURES: [&str; 3] = [
    "ObjectModelEncapsulateLegacy",
    "ObjectModelTableType",
    "SchemaViewerObjectModel",
];

/// What workbooks use besides.
const WORKBOOK_FEATURES: [&str; 8] = [
    "BasicButtonObject",
    "BasicButtonObjectTextSupport",
    "ExplainData_AuthorControls",
    "NavigationAction",
    "SetMembershipControl",
    "SheetIdentifierTracking",
    "SortTagCleanup",
    "WindowsPersistSimpleIdentifiers",
];

/// The features that a document uses: Tableau refuses elements of those that are not named.
fn manifest(features: impl IntoIterator<Item = &'static str>) -> Element {
    Element::new("document-format-change-manifest").children(features.into_iter().map(Element::new))
}
