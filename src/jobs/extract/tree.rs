//! One folder of extracts, with personal columns or without.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Counts, Order, Progress, Which, announcement::Announcement, describe::described, found, workbooks::Workbooks,
};
use crate::{
    config::schedule::Kind,
    domain::artifact::{sha256_hex, sha256_hex_of},
    extract::{
        dictionary::{Dictionary, README, SCHEMA, VIEWS},
        glossary,
        manifest::{File, Manifest},
        place::Place,
        table::Table,
    },
    jobs::sql_files,
    store::{
        Store, StoreError,
        extract::{Columns, ExtractTable, Extracting, Rows, Worker},
    },
};

/// Counted up where files are made otherwise of the same rows.
const FORMAT: u32 = 4;
/// Days that are written at once, as each takes memory.
const MAX_WORKERS: usize = 4;
/// What was written is written down this often, so that an extract that is cut short is gone on with.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// A folder of extracts that is written.
pub(super) struct Tree<'t> {
    store: &'t Store,
    order: Order<'t>,
    place: &'t Place,
    is_personal: bool,
}

/// A CSV file and the same as Parquet.
struct Piece<'p> {
    table: &'p ExtractTable,
    day: Option<NaiveDate>,
    /// Their path without the ending.
    stem: String,
    /// What they are made of, or its beginning where the rest is known once the rows are.
    version: String,
    /// They are written whatever they were made of.
    is_wanted_anyhow: bool,
}

/// What changes while pieces are written.
struct Changing<'c> {
    announcement: &'c Announcement<'c>,
    /// What is there.
    manifest: &'c mut Manifest,
    /// What may be another file by now.
    in_doubt: &'c mut BTreeSet<String>,
}

/// What became of a piece: nothing, or files by their paths; or why its rows cannot be written.
type Done = Result<Option<[(String, File); 2]>, StoreError>;

impl<'t> Tree<'t> {
    pub(super) fn new(store: &'t Store, order: Order<'t>, place: &'t Place, is_personal: bool) -> Self {
        Tree {
            store,
            order,
            place,
            is_personal,
        }
    }

    /// Writes what is to be written.
    pub(super) fn write(&self, progress: Progress<'_>) -> Result<Counts> {
        let runtime = self.order.runtime;
        let mut manifest = found::of_store(self.store, self.place, runtime)?;
        let sealed = self.store.sealed_versions()?;
        if let Which::Day(day) = self.order.which
            && !sealed.contains_key(&day)
        {
            bail!(
                "{day} is not sealed, so there is nothing of it that would last; once it is over, `deloton run extract --day {day}` \
                 seals it first"
            );
        }
        let personal: Vec<&str> = glossary::personal_names().collect();
        let extracting = self.store.begin_extract(Columns {
            timezone: self.order.schedule.day.timezone,
            personal: &personal,
            include_personal: self.is_personal,
        })?;
        // Of a table that nothing makes any more the database keeps what was made.
        let with_sql = sql_files::names(self.order.jobs_dir)?;
        let mut tables = extracting.tables().to_vec();
        tables.retain(|table| !table.is_daily_table || with_sql.contains(&table.name));
        let described: Vec<Table> = tables
            .iter()
            .map(|table| described(table, self.order.jobs_dir))
            .collect();
        let pieces = self.pieces(&extracting, &tables, &described, &sealed)?;

        let mut counts = Counts::default();
        let aside = self.place.begin()?;
        let workbooks = Workbooks {
            place: self.place,
            tables: &described,
            hyperd: self.order.hyperd,
            runtime,
            cancel: self.order.cancel,
            aside: aside.join("tableau"),
        };
        let books = workbooks.paths();
        let wanted = pieces.iter().flat_map(Piece::paths).chain(books.clone()).collect();
        let others = others(&manifest, &wanted);
        let (mut due, unchanged): (Vec<_>, Vec<_>) =
            pieces.into_iter().partition(|piece| self.is_due(piece, &manifest));
        // A million riders take longer than a day of rides; they are not what everybody waits for in the end.
        due.sort_by_key(|piece| piece.table.rows == Rows::ByDay);
        counts.unchanged += 2 * unchanged.len() as u64;
        let days: BTreeSet<NaiveDate> = due.iter().filter_map(|piece| piece.day).collect();
        if !days.is_empty() {
            extracting.stage(&days.into_iter().collect::<Vec<_>>())?;
        }
        let words = [README, SCHEMA, VIEWS].map(str::to_owned);
        let mut in_doubt: BTreeSet<String> = due.iter().flat_map(Piece::paths).chain(books).chain(words).collect();
        in_doubt.extend(others.iter().cloned());
        found::refuse_strangers(&manifest, &in_doubt, self.place, runtime).inspect_err(|_| self.place.end())?;
        let announcement = Announcement::new(self.place, runtime, &manifest, &in_doubt);
        let written = self.delete(&others, &announcement, &mut manifest).and_then(|deleted| {
            counts.deleted += deleted;
            let changing = Changing {
                announcement: &announcement,
                manifest: &mut manifest,
                in_doubt: &mut in_doubt,
            };
            counts.add(self.write_pieces(&extracting, &due, &aside, changing, progress)?);
            // Whoever waits for the database does not wait for the workbooks.
            drop(extracting);
            let books = workbooks.write(&mut manifest, &announcement)?;
            counts.add(books);
            counts.written += self.write_dictionary(&described, &mut manifest, &announcement)?;
            in_doubt.clear();
            Ok(())
        });
        let replaced = announcement.replace(&manifest.doubting(&in_doubt));
        self.place.end();
        written.and(replaced).map(|()| counts)
    }

    /// All files that there are to be.
    fn pieces<'p>(
        &self,
        extracting: &Extracting,
        tables: &'p [ExtractTable],
        described: &[Table],
        sealed: &BTreeMap<NaiveDate, String>,
    ) -> Result<Vec<Piece<'p>>> {
        let mut pieces = Vec::new();
        let key = sha256_hex([self.store.pseudonyms().key_of("extracts").as_bytes()]);
        for (table, words) in tables.iter().zip(described) {
            let layout = format!(
                "{FORMAT} {key} {} {:?}",
                self.order.schedule.day.timezone, table.columns
            );
            let layout = &sha256_hex([layout.as_bytes()])[..16];
            if table.rows != Rows::ByDay {
                pieces.push(Piece {
                    table,
                    day: None,
                    stem: words.stem(None),
                    version: layout.to_owned(),
                    is_wanted_anyhow: self.order.which == Which::All,
                });
                continue;
            }
            let made = self.made(table)?;
            for day in extracting.days_of(table)? {
                let sealing = sealed.get(&day).map_or("", String::as_str);
                let made_at = made.get(&day).map_or(0, DateTime::timestamp_micros);
                let version = format!("{layout} {sealing} {made_at}");
                pieces.push(Piece {
                    table,
                    day: Some(day),
                    stem: words.stem(Some(day)),
                    version: sha256_hex([version.as_bytes()]),
                    is_wanted_anyhow: match self.order.which {
                        Which::Changed => false,
                        Which::Day(wanted) => wanted == day,
                        Which::All => true,
                    },
                });
            }
        }
        Ok(pieces)
    }

    /// When the days of a daily table were made last.
    fn made(&self, table: &ExtractTable) -> Result<BTreeMap<NaiveDate, DateTime<Utc>>> {
        if !table.is_daily_table {
            return Ok(BTreeMap::new());
        }
        let makes = |job: &str| {
            self.order.schedule.job(job).is_some_and(|job| match &job.kind {
                Kind::Transform { sql } => *sql == table.name,
                _ => false,
            })
        };
        let runs = self.store.last_runs()?.into_iter();
        let made = runs
            .filter(|run| makes(&run.job))
            .filter_map(|run| Some((run.window.day()?, run.done_started_at?)));
        Ok(made.collect())
    }

    /// Deletes files; answers how many of them there were.
    fn delete(&self, paths: &[String], announcement: &Announcement<'_>, manifest: &mut Manifest) -> Result<u64> {
        let mut deleted = 0;
        for path in paths {
            announcement.make()?;
            self.order.runtime.block_on(self.place.delete(path))?;
            let was = manifest.files.remove(path);
            deleted += u64::from(was.is_some());
        }
        Ok(deleted)
    }

    /// Whether it is to be looked at: of one whose version goes by its rows, that is known later.
    fn is_due(&self, piece: &Piece<'_>, manifest: &Manifest) -> bool {
        piece.is_wanted_anyhow
            || piece.table.rows != Rows::ByDay
            || !piece.paths().iter().all(|path| manifest.has(path, &piece.version))
    }

    /// Writes pieces, several at a time.
    fn write_pieces(
        &self,
        extracting: &Extracting,
        due: &[Piece<'_>],
        aside: &Path,
        changing: Changing<'_>,
        progress: Progress<'_>,
    ) -> Result<Counts> {
        // One waits for the disk while the others compute.
        let workers = (thread::available_parallelism().map_or(1, NonZero::get) + 1).min(MAX_WORKERS);
        let days = due.iter().filter(|piece| piece.table.rows == Rows::ByDay).count();
        let _threads = (days > workers)
            .then(|| extracting.give_each_worker_a_thread())
            .transpose()?;
        let (queue, is_over) = (Mutex::new(due.iter()), AtomicBool::new(false));
        let (known, announcement) = (changing.manifest.clone(), changing.announcement);
        thread::scope(|scope| {
            let (done, results) = mpsc::channel();
            for number in 0..workers.min(due.len()) {
                let (done, queue, is_over, known) = (done.clone(), &queue, &is_over, &known);
                let aside = aside.join(number.to_string());
                scope.spawn(move || {
                    let work = || -> Result<()> {
                        let worker = extracting.worker()?;
                        while !is_over.load(Ordering::Relaxed) {
                            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                            let Some(piece) = next else { break };
                            self.order.cancel.check()?;
                            let written =
                                match self.write_piece(extracting, &worker, piece, &aside, known, announcement) {
                                    Ok(written) => Ok(written),
                                    Err(error) => {
                                        self.order.cancel.check()?;
                                        Err(of_table(error)?)
                                    }
                                };
                            done.send(Ok((piece, written))).ok();
                        }
                        Ok(())
                    };
                    if let Err(error) = work() {
                        done.send(Err(error)).ok();
                    }
                });
            }
            drop(done);
            let collected = self.collect(results, due.len() as u64, changing, progress);
            is_over.store(true, Ordering::Relaxed);
            collected
        })
    }

    /// Notes what was written, until all of it is or something has failed.
    fn collect<'p>(
        &self,
        results: mpsc::Receiver<Result<(&'p Piece<'p>, Done)>>,
        all: u64,
        changing: Changing<'_>,
        progress: Progress<'_>,
    ) -> Result<Counts> {
        let Changing {
            announcement,
            manifest,
            in_doubt,
        } = changing;
        let (mut counts, mut looked_at, mut saved) = (Counts::default(), 0, Instant::now());
        for result in results {
            let (piece, done) = result?;
            match done {
                Ok(Some(files)) => {
                    counts.written += 2;
                    counts.rows += files[0].1.rows.unwrap_or(0);
                    manifest.files.extend(files);
                }
                Ok(None) => counts.unchanged += 2,
                Err(error) => {
                    // Somebody may have been erased from its rows since.
                    let mut outdated = piece.paths().to_vec();
                    outdated.retain(|path| !manifest.has(path, &piece.version));
                    counts.deleted += self.delete(&outdated, announcement, manifest)?;
                    counts.left_out.add(&piece.table.name, error);
                }
            }
            for path in piece.paths() {
                in_doubt.remove(&path);
            }
            looked_at += 1;
            progress(looked_at, all, &piece.stem)?;
            if saved.elapsed() >= SAVE_EVERY {
                announcement.replace(&manifest.doubting(in_doubt))?;
                saved = Instant::now();
            }
        }
        Ok(counts)
    }

    /// Writes a piece, unless its rows turn out to be those that are there.
    fn write_piece(
        &self,
        extracting: &Extracting,
        worker: &Worker,
        piece: &Piece<'_>,
        aside: &Path,
        known: &Manifest,
        announcement: &Announcement<'_>,
    ) -> Result<Option<[(String, File); 2]>> {
        extracting.gather(worker, piece.table, piece.day)?;
        let mut version = piece.version.clone();
        let paths = piece.paths();
        if piece.table.rows != Rows::ByDay {
            version = format!("{version} {}", worker.fingerprint()?);
            if !piece.is_wanted_anyhow && paths.iter().all(|path| known.has(path, &version)) {
                return Ok(None);
            }
        }
        let asides = ["csv", "parquet"].map(|ending| aside.with_extension(ending));
        let rows = worker.write(piece.table, &asides[0], &asides[1])?;
        announcement.make()?;
        let put = |path: String, from: &Path| -> Result<(String, File)> {
            let read = || -> std::io::Result<(u64, String)> {
                let file = std::fs::File::open(from)?;
                Ok((file.metadata()?.len(), sha256_hex_of(file)?))
            };
            let (size_bytes, sha256) = read().with_context(|| format!("cannot read back `{}`", from.display()))?;
            self.order.runtime.block_on(self.place.put(&path, from))?;
            let file = File {
                version: version.clone(),
                sha256,
                size_bytes,
                rows: Some(rows),
                made_of: BTreeMap::new(),
            };
            Ok((path, file))
        };
        let [csv, parquet] = paths;
        Ok(Some([put(csv, &asides[0])?, put(parquet, &asides[1])?]))
    }

    /// Writes what is said of the tables, after these; answers how many files were others.
    fn write_dictionary(
        &self,
        described: &[Table],
        manifest: &mut Manifest,
        announcement: &Announcement<'_>,
    ) -> Result<u64> {
        let dictionary = Dictionary {
            tables: described,
            timezone: self.order.schedule.day.timezone.name(),
            has_personal: self.is_personal,
        };
        let has_files = |table: &Table| {
            let stem = table.stem(None);
            let folder = format!("{stem}/");
            let is_of_table = |path: &String| path.starts_with(&folder) || *path == format!("{stem}.parquet");
            manifest.files.keys().any(is_of_table)
        };
        let texts = [
            (VIEWS, dictionary.views(&self.place.file_prefix(), has_files)),
            (SCHEMA, dictionary.schema()),
            (README, dictionary.readme()),
        ];
        let mut written = 0;
        for (path, text) in texts {
            let sha256 = sha256_hex([text.as_bytes()]);
            if !manifest.has(path, &sha256) {
                announcement.make()?;
                self.order.runtime.block_on(self.place.write(path, text.as_bytes()))?;
                let file = File {
                    version: sha256.clone(),
                    sha256,
                    size_bytes: text.len() as u64,
                    ..File::default()
                };
                manifest.files.insert(path.to_owned(), file);
                written += 1;
            }
        }
        Ok(written)
    }
}

/// What is not to be there any more.
fn others(manifest: &Manifest, wanted: &BTreeSet<String>) -> Vec<String> {
    let is_ours = |path: &str| [README, SCHEMA, VIEWS].contains(&path) || wanted.contains(path);
    manifest.files.keys().filter(|path| !is_ours(path)).cloned().collect()
}

/// The error, if it is one of a table's own rows, with which others have nothing to do. What may befall any of them leaves files as
/// they were.
fn of_table(error: anyhow::Error) -> Result<StoreError> {
    let error: StoreError = error.downcast()?;
    if error.is_of_statement() {
        Ok(error)
    } else {
        Err(error.into())
    }
}

impl Piece<'_> {
    /// The CSV file and the Parquet file.
    fn paths(&self) -> [String; 2] {
        ["csv", "parquet"].map(|ending| format!("{}.{ending}", self.stem))
    }
}
