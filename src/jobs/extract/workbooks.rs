//! What Tableau opens: workbooks over the rides, and the tables in its own format where there is a `hyperd` to write it. Only what
//! was made of other files than these are now is made again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use tokio::runtime::Handle;

use super::{Counts, announcement::Announcement};
use crate::{
    domain::{
        artifact::{sha256_hex, sha256_hex_of},
        cancel::Cancel,
    },
    extract::{
        hyper::{HyperError, Hyperd, NotStarted, Server},
        manifest::{File, Manifest},
        place::Place,
        table::{Spread, Table},
        tableau::{self, DayFile},
    },
};

/// Counted up where workbooks are made otherwise of the same files.
const FORMAT: u32 = 1;
/// How many rides a workbook holds at most: the newest days that fit. They are packed anew with each day, and of millions in a CSV
/// Tableau takes minutes to open.
const MOST_RIDES: u64 = 250_000;
const WORKBOOKS: [&str; 2] = ["tableau/deloton-leaderboards.twbx", "tableau/deloton-rides.twbx"];

/// What Tableau opens, of one folder of extracts.
pub(super) struct Workbooks<'w> {
    /// Where the tables are, and where these go.
    pub(super) place: &'w Place,
    pub(super) tables: &'w [Table],
    /// Writes Tableau's own format.
    pub(super) hyperd: Option<&'w Hyperd>,
    pub(super) runtime: &'w Handle,
    /// Whether it is still wanted.
    pub(super) cancel: &'w Cancel,
    /// A folder for what is not in its place yet.
    pub(super) aside: PathBuf,
}

/// What became of starting `hyperd`, if that was tried.
type Started = Option<Result<Server, NotStarted>>;

/// A table's file: of which day, where, and its bytes' hash.
struct Source<'s> {
    day: Option<NaiveDate>,
    path: &'s String,
    sha256: &'s String,
    rows: u64,
}

impl Workbooks<'_> {
    /// The files that there are to be.
    pub(super) fn paths(&self) -> Vec<String> {
        let of_tables = self.in_hyper().flat_map(hyper_paths);
        WORKBOOKS.map(str::to_owned).into_iter().chain(of_tables).collect()
    }

    /// Tables that are written in Tableau's own format, which takes files that are here.
    fn in_hyper(&self) -> impl Iterator<Item = &Table> {
        let can = self.hyperd.is_some() && self.place.local("").is_some();
        self.tables
            .iter()
            .filter(move |table| can && table.view().0 == "historical")
    }

    /// Writes what was made of something else. What `hyperd` cannot write is left out, and the workbooks have rides in them then.
    pub(super) fn write(&self, manifest: &mut Manifest, announcement: &Announcement<'_>) -> Result<Counts> {
        fs::create_dir_all(&self.aside).with_context(|| format!("cannot make `{}`", self.aside.display()))?;
        let (mut server, mut counts) = (None, Counts::default());
        for table in self.in_hyper() {
            self.cancel.check()?;
            // It was left out: a file without rows would be taken for all that there are.
            if table.spread == Spread::Whole && sources(table, manifest, "parquet").is_empty() {
                counts.deleted += self.delete_hyper(table, manifest, announcement)?;
                continue;
            }
            match self.write_hyper(table, manifest, announcement, &mut server) {
                Ok(written) => counts.written += written,
                Err(error) => {
                    counts.leave_out(&hyper_paths(table)[0], error)?;
                    counts.deleted += self.delete_hyper(table, manifest, announcement)?;
                }
            }
        }
        self.cancel.check()?;
        let Some(rides) = self.tables.iter().find(|table| table.name == "rides") else {
            return Ok(counts);
        };
        if manifest.files.contains_key(&hyper_paths(rides)[0]) {
            match self.write_workbooks(rides, manifest, announcement, Some(&mut server)) {
                Ok(written) => counts.written += written,
                Err(error) => {
                    counts.leave_out(WORKBOOKS[0], error)?;
                    counts.written += self.write_workbooks(rides, manifest, announcement, None)?;
                }
            }
        } else {
            counts.written += self.write_workbooks(rides, manifest, announcement, None)?;
        }
        Ok(counts)
    }

    /// Deletes what there is of a table in Tableau's own format; answers how many files that was.
    fn delete_hyper(&self, table: &Table, manifest: &mut Manifest, announcement: &Announcement<'_>) -> Result<u64> {
        let mut deleted = 0;
        for path in hyper_paths(table) {
            announcement.make()?;
            self.runtime.block_on(self.place.delete(&path))?;
            deleted += u64::from(manifest.files.remove(&path).is_some());
        }
        Ok(deleted)
    }

    fn write_hyper(
        &self,
        table: &Table,
        manifest: &mut Manifest,
        announcement: &Announcement<'_>,
        server: &mut Started,
    ) -> Result<u64> {
        let sources = sources(table, manifest, "parquet");
        let made_of: BTreeMap<String, String> = sources
            .iter()
            .map(|source| (source.path.clone(), source.sha256.clone()))
            .collect();
        let version = version("hyper", table, &sources);
        let [hyper, source] = hyper_paths(table);
        if manifest.has(&hyper, &version) && manifest.has(&source, &version) {
            return Ok(0);
        }
        let doing = || format!("cannot write `{hyper}`");
        let before = manifest.files.get(&hyper).map(|file| file.made_of.clone());
        let before = before.unwrap_or_default();
        let changed: Vec<NaiveDate> = sources
            .iter()
            .filter(|source| before.get(source.path) != Some(source.sha256))
            .filter_map(|source| source.day)
            .collect();
        let files: Vec<(Option<NaiveDate>, PathBuf)> = sources
            .iter()
            .filter_map(|source| Some((source.day, self.place.local(source.path)?)))
            .collect();
        // It begins with what is there, of which the days that did not change stay.
        let aside = self.aside.join(format!("{}.hyper", table.name));
        if let Some(there) = self.place.local(&hyper).filter(|there| there.exists()) {
            fs::hard_link(&there, &aside)
                .or_else(|_| fs::copy(&there, &aside).map(drop))
                .with_context(doing)?;
        }
        let readable = files.first().map(|(_, path)| fs::metadata(path)).transpose();
        let readable = readable.with_context(doing)?.map(|file| file.permissions());
        let server = self.started(server)?;
        match (table.spread, files.as_slice()) {
            (Spread::Whole, [(_, parquet)]) => server.write_whole(table, parquet, &self.aside)?,
            _ => {
                let day = |(day, path): (Option<NaiveDate>, PathBuf)| Some(DayFile { day: day?, path });
                let days: Vec<DayFile> = files.into_iter().filter_map(day).collect();
                server.write_days(table, &days, &changed, &self.aside)?;
            }
        }
        // hyperd keeps a file from others whom the umask lets read.
        if let Some(readable) = readable {
            fs::set_permissions(&aside, readable).with_context(doing)?;
        }
        announcement.make()?;
        for path in [hyper, source] {
            let file = self.put(&path, manifest, version.clone())?;
            file.made_of.clone_from(&made_of);
        }
        Ok(2)
    }

    /// Writes the workbooks: over the whole `.hyper` of the rides where there is one, else with the newest days in them.
    fn write_workbooks(
        &self,
        rides: &Table,
        manifest: &mut Manifest,
        announcement: &Announcement<'_>,
        over_hyper: Option<&mut Started>,
    ) -> Result<u64> {
        let ending = if over_hyper.is_some() { "parquet" } else { "csv" };
        let all = sources(rides, manifest, ending);
        let sources = if over_hyper.is_some() {
            &all
        } else {
            newest(&all, MOST_RIDES)
        };
        let is_all = sources.len() == all.len();
        let version = version(&format!("{ending} {is_all}"), rides, sources);
        if sources.is_empty() || WORKBOOKS.iter().all(|path| manifest.has(path, &version)) {
            return Ok(0);
        }
        if let Some(server) = over_hyper {
            let [hyper, _] = hyper_paths(rides);
            let aside = self.aside.join("rides.hyper");
            if let Some(there) = self.place.local(&hyper).filter(|_| !aside.exists()) {
                fs::hard_link(&there, &aside)
                    .or_else(|_| fs::copy(&there, &aside).map(drop))
                    .with_context(|| format!("cannot read `{hyper}`"))?;
            }
            self.started(server)?.write_workbooks(rides, &self.aside)?;
        } else {
            let here = |source: &Source<'_>| -> Result<DayFile> {
                Ok(DayFile {
                    day: source.day.unwrap_or_default(),
                    path: self.here(source.path)?,
                })
            };
            let days: Vec<DayFile> = sources.iter().map(here).collect::<Result<_>>()?;
            tableau::write_workbooks(rides, &days, is_all, &self.aside)
                .context("cannot write the workbooks for Tableau")?;
        }
        announcement.make()?;
        for path in WORKBOOKS {
            self.put(path, manifest, version.clone())?;
        }
        Ok(WORKBOOKS.len() as u64)
    }

    /// A file of a table as one of this machine.
    fn here(&self, path: &str) -> Result<PathBuf> {
        if let Some(here) = self.place.local(path) {
            return Ok(here);
        }
        let bytes = self.runtime.block_on(self.place.read(path))?;
        let bytes = bytes.with_context(|| format!("`{path}` is gone from `{}`", self.place.name()))?;
        let here = self.aside.join(path.replace('/', "-"));
        fs::write(&here, bytes).with_context(|| format!("cannot write `{}`", here.display()))?;
        Ok(here)
    }

    /// `hyperd`, which is started once, or was in vain; once more where it has died.
    fn started<'s>(&self, server: &'s mut Started) -> Result<&'s mut Server> {
        let hyperd = self.hyperd.context("there is no hyperd")?;
        if matches!(server, Some(Ok(started)) if started.is_gone()) {
            *server = None;
        }
        let started = server.get_or_insert_with(|| hyperd.start()).as_mut();
        started.map_err(|error| HyperError::from(error.clone()).into())
    }

    /// Puts a file that is aside, under the last part of its path, into its place.
    fn put<'m>(&self, path: &str, manifest: &'m mut Manifest, version: String) -> Result<&'m mut File> {
        let aside = self.aside.join(Path::new(path).file_name().unwrap_or_default());
        let read = || -> std::io::Result<(u64, String)> {
            let file = fs::File::open(&aside)?;
            Ok((file.metadata()?.len(), sha256_hex_of(file)?))
        };
        let (size_bytes, sha256) = read().with_context(|| format!("cannot read back `{}`", aside.display()))?;
        self.runtime.block_on(self.place.put(path, &aside))?;
        let file = manifest.files.entry(path.to_owned()).or_default();
        *file = File {
            version,
            sha256,
            size_bytes,
            ..File::default()
        };
        Ok(file)
    }
}

fn hyper_paths(table: &Table) -> [String; 2] {
    ["hyper", "tdsx"].map(|ending| format!("{}.{ending}", table.stem(None)))
}

/// What something is made of, in short.
fn version(of: &str, table: &Table, sources: &[Source<'_>]) -> String {
    let files: Vec<_> = sources.iter().map(|source| (source.path, source.sha256)).collect();
    sha256_hex([format!("{FORMAT} {of} {table:?} {files:?}").as_bytes()])
}

/// The newest of `sources` that have at most `most` rows together; at least one, unless there is none.
fn newest<'a, 's>(sources: &'a [Source<'s>], most: u64) -> &'a [Source<'s>] {
    let mut rows = 0;
    let fitting = sources.iter().rev().take_while(|source| {
        rows += source.rows;
        rows <= most
    });
    &sources[sources.len().saturating_sub(fitting.count().max(1))..]
}

/// The table's files, in the order of their days.
fn sources<'m>(table: &Table, manifest: &'m Manifest, ending: &str) -> Vec<Source<'m>> {
    let stem = table.stem(None);
    let day = |path: &str| -> Option<Option<NaiveDate>> {
        let rest = path.strip_prefix(&stem)?.strip_suffix(ending)?;
        match table.spread {
            Spread::Whole => (rest == ".").then_some(None),
            Spread::ByDay => Some(rest.strip_prefix("/date=")?.strip_suffix('.')?.parse().ok()),
        }
    };
    let source = |(path, file): (&'m String, &'m File)| {
        Some(Source {
            day: day(path)?,
            path,
            sha256: &file.sha256,
            rows: file.rows.unwrap_or(0),
        })
    };
    manifest.files.iter().filter_map(source).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workbook_has_the_newest_days_that_fit_and_at_least_the_last() {
        let (path, sha256) = (String::new(), String::new());
        let sources = [10, 10, 20].map(|rows| Source {
            day: None,
            path: &path,
            sha256: &sha256,
            rows,
        });
        let fitting = |most| newest(&sources, most).len();
        assert_eq!([5, 20, 29, 30, 40].map(fitting), [1, 1, 1, 2, 3]);
        assert!(newest(&[], 5).is_empty());
    }
}
