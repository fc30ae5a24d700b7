//! Packages: a document and the rows that it shows in one file, put into its place when it is whole.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Seek, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use csv::{ByteRecord, Reader};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{DayFile, source};
use crate::extract::table::{Kind, Table};

/// What the rows of a workbook are, in numbers.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::extract) struct Contents {
    /// How many rides there are.
    pub(in crate::extract) rides: u64,
    /// The first and the last business day.
    pub(in crate::extract) days: (NaiveDate, NaiveDate),
    /// Whether no earlier day was left out.
    pub(in crate::extract) is_all: bool,
    /// The least and the largest value of each column of numbers that has one.
    pub(in crate::extract) ranges: BTreeMap<String, (f64, f64)>,
}

impl Contents {
    /// The least and the largest value of the column; 0 and 0 where no ride has one.
    pub(super) fn range(&self, column: &str) -> (f64, f64) {
        self.ranges.get(column).copied().unwrap_or_default()
    }
}

/// What is in the files of `days`, which are in order; none where there are none.
///
/// # Errors
/// A file that cannot be read, or whose headings are not the table's columns.
pub(super) fn contents(table: &Table, days: &[DayFile], is_all: bool) -> io::Result<Option<Contents>> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Ok(None);
    };
    let mut ranges = BTreeMap::new();
    let mut rides = 0;
    for file in days {
        rides += survey(table, &file.path, &mut ranges)?;
    }
    Ok(Some(Contents {
        rides,
        days: (first.day, last.day),
        is_all,
        ranges,
    }))
}

/// How many rows the CSV has; widens `ranges` by the numbers in it.
fn survey(table: &Table, path: &Path, ranges: &mut BTreeMap<String, (f64, f64)>) -> io::Result<u64> {
    let wrong = |what: String| io::Error::other(format!("`{}`: {what}", path.display()));
    let mut reader = Reader::from_path(path).map_err(|error| wrong(error.to_string()))?;
    let headings = reader.byte_headers().map_err(|error| wrong(error.to_string()))?;
    if !headings
        .iter()
        .eq(table.columns.iter().map(|column| column.name.as_bytes()))
    {
        return Err(wrong(format!("its headings are not the columns of `{}`", table.name)));
    }
    let numbers: Vec<usize> = (0..table.columns.len())
        .filter(|index| matches!(table.columns[*index].kind, Kind::Integer | Kind::Number))
        .collect();
    let mut found: Vec<Option<(f64, f64)>> = vec![None; table.columns.len()];
    let mut record = ByteRecord::new();
    let mut rows = 0;
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| wrong(error.to_string()))?
    {
        rows += 1;
        for &index in &numbers {
            let value = record.get(index).and_then(|field| std::str::from_utf8(field).ok());
            if let Some(value) = value.and_then(|text| text.parse::<f64>().ok()) {
                let range = found[index].get_or_insert((value, value));
                *range = (range.0.min(value), range.1.max(value));
            }
        }
    }
    for (column, range) in table.columns.iter().zip(found) {
        if let Some((least, most)) = range {
            let whole = ranges.entry(column.name.clone()).or_insert((least, most));
            *whole = (whole.0.min(least), whole.1.max(most));
        }
    }
    Ok(rows)
}

/// The rows of a package.
pub(super) enum Packed {
    /// Compressed, once for all packages with them.
    Compressed(ZipArchive<File>),
    /// A file that is compressed in itself, and what it is called in packages.
    AsIs(PathBuf, String),
}

impl Packed {
    /// Those of the CSV files, one after the other, as one file `name`.
    ///
    /// # Errors
    /// A file that cannot be read, or no room for the temporary one.
    pub(super) fn csv(name: &str, files: &[DayFile]) -> io::Result<Packed> {
        let sizes = files.iter().map(|file| Ok(fs::metadata(&file.path)?.len()));
        let size = sizes.sum::<io::Result<u64>>()?;
        let mut writer = ZipWriter::new(BufWriter::new(tempfile::tempfile()?));
        writer.start_file(within(name), options(CompressionMethod::Deflated, size))?;
        for (index, file) in files.iter().enumerate() {
            let mut reader = BufReader::new(File::open(&file.path)?);
            if index > 0 {
                reader.skip_until(b'\n')?;
            }
            io::copy(&mut reader, &mut writer)?;
        }
        let mut file = writer.finish()?.into_inner()?;
        file.rewind()?;
        Ok(Packed::Compressed(ZipArchive::new(file)?))
    }

    fn add_to(&mut self, writer: &mut ZipWriter<BufWriter<&mut File>>) -> io::Result<()> {
        match self {
            Packed::Compressed(archive) => writer.raw_copy_file(archive.by_index_raw(0)?)?,
            Packed::AsIs(path, name) => {
                let mut file = File::open(path)?;
                writer.start_file(within(name), options(CompressionMethod::Stored, file.metadata()?.len()))?;
                io::copy(&mut file, writer)?;
            }
        }
        Ok(())
    }
}

fn within(name: &str) -> String {
    format!("{}/{name}", source::FOLDER)
}

/// Writes the package `<name>.<ending>x` into `folder`: the document `<name>.<ending>` and the rows. It is put into its place when
/// it is whole.
///
/// # Errors
/// The rows cannot be read, or the folder cannot be written to.
pub(super) fn write(name: &str, ending: &str, document: &[u8], rows: &mut Packed, folder: &Path) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    // What any new file has: the umask decides.
    builder.prefix(".").permissions(fs::Permissions::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    let mut writer = ZipWriter::new(BufWriter::new(file.as_file_mut()));
    writer.start_file(
        format!("{name}.{ending}"),
        options(CompressionMethod::Deflated, document.len() as u64),
    )?;
    writer.write_all(document)?;
    rows.add_to(&mut writer)?;
    writer.finish()?.flush()?;
    file.as_file().sync_all()?;
    file.persist(folder.join(format!("{name}.{ending}x")))?;
    Ok(())
}

/// The same bytes at every writing: no time of day. Higher levels take three times as long for two hundredths of the size.
fn options(method: CompressionMethod, size: u64) -> SimpleFileOptions {
    let level = (method == CompressionMethod::Deflated).then_some(1);
    SimpleFileOptions::default()
        .compression_method(method)
        .compression_level(level)
        .large_file(size >= u64::from(u32::MAX))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644)
}
