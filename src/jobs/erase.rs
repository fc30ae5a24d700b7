//! Brings to its end what is being erased. Its rows went when it was asked for.
//!
//! 1. Delete its files: mails that left as such, and what was exported of single rides.
//! 2. Wait until the days it was in, and what is made of them, were made again.
//! 3. Delete what older editions of the site kept.
//! 4. Write the database's file anew, so that the bytes are gone too.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Handle;

use super::report;
use crate::{
    config::schedule::{JobConfig, Kind, Schedule},
    domain::erasure::{Erased, Erasure},
    export::Exporter,
    notify::Notifier,
    publish::Publisher,
    store::{
        Store,
        ledger::LastRun,
        report::{keep_mailed_report, mailed_report},
        rewrite::Rewritten,
    },
};

/// Files that are being deleted at once.
const PARALLEL: usize = 16;

/// Where there may be something of it outside the database.
#[derive(Clone, Copy)]
pub struct Places<'p> {
    /// Files of single rides.
    pub exporter: &'p Exporter,
    /// Mails that left as files.
    pub outbox: &'p Notifier,
    /// The site, which keeps its older editions.
    pub publisher: &'p Publisher,
    /// Waits for these.
    pub runtime: &'p Handle,
}

/// What was brought to its end.
#[derive(Debug, Default)]
pub struct Finished {
    /// Erasures of which nothing is left.
    pub erasures: Vec<Erasure>,
    /// Older editions of the site that were deleted.
    pub editions: u64,
    /// What writing the database's file anew came to.
    pub rewritten: Option<Rewritten>,
    /// How many are not at their end yet.
    pub left: usize,
}

/// Whether the database's file may be written anew, for which everybody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewriting {
    /// It may.
    Now,
    /// Not yet: it was written anew not long ago.
    Later,
}

/// Deletes the files of what is being erased, and ends what waits for nothing more, if the file may be written anew.
///
/// # Errors
/// When a file could not be deleted, the site not be reached or the database's file not be written anew; nothing is said to
/// be finished then, and the next call goes on.
pub fn finish(store: &Store, schedule: &Schedule, places: Places<'_>, rewriting: Rewriting) -> Result<Finished> {
    let mut finished = Finished::default();
    for mut erasure in store.unfinished_erasures()? {
        erasure.erased = delete_files(store, &erasure, places)?;
        finished.left += 1;
        if rewriting == Rewriting::Now && is_settled(store, schedule, &erasure)? {
            finished.erasures.push(erasure);
        }
    }
    if finished.erasures.is_empty() {
        return Ok(finished);
    }
    let days: BTreeSet<NaiveDate> = finished
        .erasures
        .iter()
        .flat_map(|erasure| erasure.days.clone())
        .collect();
    if !days.is_empty() {
        let target = places.publisher.target();
        finished.editions = places
            .runtime
            .block_on(places.publisher.forget_editions())
            .with_context(|| format!("cannot delete what older editions of `{target}` kept"))?;
    }
    days.into_iter().try_for_each(|day| measure_mails_anew(store, day))?;
    finished.rewritten = Some(store.rewrite()?);
    for erasure in &finished.erasures {
        store.finish_erasure(erasure)?;
        finished.left -= 1;
        tracing::info!("nothing is left of {}", erasure.subject);
    }
    Ok(finished)
}

/// What the mailed report of `day` said has what was erased in it: late rides are told of by what they add to the report that
/// was made since.
fn measure_mails_anew(store: &Store, day: NaiveDate) -> Result<()> {
    if mailed_report(store, day)?.is_some_and(|figures| figures.is_empty())
        && let Some(report) = report::read_report(&report::folder(store.data_dir()), day)?
    {
        keep_mailed_report(store, day, &report.figures())?;
    }
    Ok(())
}

/// Deletes the files of `erasure`; answers how much is erased by now. It is done until the end: one that was being written
/// when the rows went is there a moment later.
///
/// # Errors
/// When one cannot be deleted.
pub fn delete_files(store: &Store, erasure: &Erasure, places: Places<'_>) -> Result<Erased> {
    let doing = || format!("cannot delete the files of {}", erasure.subject);
    let mut erased = erasure.erased;
    let mails: HashSet<_> = erasure.files.mails.iter().copied().collect();
    let deleted = places.outbox.delete(&mails).with_context(doing)?;
    erased.mail_files += i64::try_from(deleted).unwrap_or(i64::MAX);
    let deleted: Vec<u64> = places
        .runtime
        .block_on(
            stream::iter(&erasure.files.rides)
                .map(|&(ride_id, day)| places.exporter.delete_files(ride_id, day))
                .buffer_unordered(PARALLEL)
                .try_collect(),
        )
        .with_context(doing)?;
    let ride_files: u64 = deleted.into_iter().sum();
    // A bucket does not say whether a file was there, however often it is asked.
    erased.ride_files = erased.ride_files.max(i64::try_from(ride_files).unwrap_or(i64::MAX));
    if erased != erasure.erased {
        store.count_erased(erasure.erasure_id, &erased)?;
    }
    Ok(erased)
}

/// Whether all that was ever made of the days it was in was made again since.
fn is_settled(store: &Store, schedule: &Schedule, erasure: &Erasure) -> Result<bool> {
    if erasure.days.is_empty() {
        return Ok(true);
    }
    if !store.late_days()?.is_disjoint(&erasure.days) {
        return Ok(false);
    }
    let is_of_these_days = |run: &LastRun| {
        schedule.job(&run.job).is_some_and(makes_days) && run.window.days().any(|day| erasure.days.contains(&day))
    };
    let is_older = |run: &LastRun| run.done_started_at.is_some_and(|at| at < erasure.erased_at);
    Ok(!store
        .last_runs()?
        .iter()
        .any(|run| is_of_these_days(run) && is_older(run)))
}

/// Whether what a job makes of a day has anything of its rides in it: tables, reports, the site. A mail that left is gone.
#[must_use]
pub fn makes_days(job: &JobConfig) -> bool {
    let is_such = matches!(
        job.kind,
        Kind::Compact | Kind::Transform { .. } | Kind::Report { .. } | Kind::Publish
    );
    is_such && job.enabled && !job.is_sub_day()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use chrono::{DateTime, Utc};
    use tokio::runtime::Runtime;

    use super::*;
    use crate::{
        domain::{
            artifact::Artifact,
            erasure::{IfAbsent, Subject},
            message::{Envelope, MessageKind},
        },
        export::Files,
        publish::NewEdition,
        store::fixture::{NOW, at, open, ride},
    };

    /// Writes down that `daily_totals` has done Monday.
    fn made_at(store: &Store, started_at: DateTime<Utc>) {
        let sql = format!(
            "insert into ops.job_run values (uuid(), 'daily_totals', '2026-01-05', 1, 'schedule', '{started_at}',
                '{started_at}', '{started_at}', 'succeeded', null, null)"
        );
        store.connection().unwrap().execute_batch(&sql).unwrap();
    }

    #[test]
    fn files_go_at_once_and_what_older_editions_kept_when_the_day_and_all_that_is_made_of_it_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let (store, runtime) = (open(&folder), Runtime::new().unwrap());
        let told = ride(&store, "2026-01-05T09:00:00Z", 30);
        let monday = "2026-01-05".parse().unwrap();
        store.seal(monday).unwrap();
        made_at(&store, at(NOW) - chrono::TimeDelta::hours(1));

        let outbox = Notifier::outbox(folder.path().join("outbox"));
        let topic = format!("{} high 1", told.id());
        let mail = |topic: &str| Envelope {
            message_id: MessageKind::HeartRateAlert.message_id(topic, "seven@x.example"),
            kind: MessageKind::HeartRateAlert,
            topic: topic.to_owned(),
            recipient: "seven@x.example".to_owned(),
            subject: "Your heart rate".to_owned(),
            content_hash: "hash".to_owned(),
            mime: b"words".to_vec(),
        };
        for mail in [mail(&topic), mail("another ride high 1")] {
            runtime.block_on(outbox.send(&mail, at(NOW))).unwrap();
            crate::store::outbox::enqueue(&store.connection().unwrap(), &mail, at(NOW)).unwrap();
        }
        let exports = folder.path().join("exports");
        let exported = exports.join(format!("rides/date=2026-01-05/{}/ride_info.csv", told.id()));
        fs::create_dir_all(exported.parent().unwrap()).unwrap();
        fs::write(&exported, "ride").unwrap();
        let publisher = Publisher::directory(folder.path().join("site"));
        for words in ["as it was", "as it is"] {
            let page = [Artifact::text("index.html", "text/html", words.to_owned()).into()];
            runtime
                .block_on(publisher.publish(&page, &NewEdition::unchecked(at(NOW))))
                .unwrap();
        }
        let exporter = Exporter {
            files: Files::Directory(exports),
            topic: None,
            webhook: None,
        };
        let places = Places {
            exporter: &exporter,
            outbox: &outbox,
            publisher: &publisher,
            runtime: runtime.handle(),
        };
        let schedule = Schedule::compiled_in().unwrap();
        let editions = || runtime.block_on(publisher.editions()).unwrap().newest_first.len();

        store
            .erase(Subject::Ride(told.id()), "the test", IfAbsent::Refuse)
            .unwrap()
            .unwrap();
        let first = finish(&store, &schedule, places, Rewriting::Now).unwrap();
        assert!(
            first.erasures.is_empty() && editions() == 2,
            "the day is still to be sealed again"
        );
        assert!(!exported.exists() && !exported.parent().unwrap().exists());
        let mails = fs::read_dir(folder.path().join("outbox/2026-01-10")).unwrap().count();
        assert_eq!(mails, 1, "the other one stays");

        store.seal(monday).unwrap();
        let second = finish(&store, &schedule, places, Rewriting::Now).unwrap();
        assert!(
            second.erasures.is_empty() && second.left == 1,
            "a table of the day is older than that"
        );
        made_at(&store, at(NOW) + chrono::TimeDelta::minutes(1));
        let later = finish(&store, &schedule, places, Rewriting::Later).unwrap();
        assert!(later.rewritten.is_none() && later.left == 1);
        let third = finish(&store, &schedule, places, Rewriting::Now).unwrap();
        assert_eq!((third.erasures.len(), third.editions, editions()), (1, 1, 1));
        assert!(third.rewritten.is_some());
        let erased = third.erasures[0].erased;
        assert_eq!((erased.messages, erased.mail_files, erased.ride_files), (1, 1, 1));
        let kept = fs::read_dir(folder.path().join("site/_objects")).map_or(0, Iterator::count);
        assert_eq!(kept, 0, "of the older edition nothing is left");
        assert!(store.unfinished_erasures().unwrap().is_empty());
        assert!(
            finish(&store, &schedule, places, Rewriting::Now)
                .unwrap()
                .rewritten
                .is_none(),
            "once is enough"
        );
    }
}
