//! Extracts for analysts: by the job, by hand, and again when something was erased.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;

use super::{App, Services};
use crate::{
    config::{
        schedule::{Kind, Schedule},
        settings::{Location, Settings},
    },
    domain::{
        cancel::{Cancel, Why},
        run::JobStatus,
    },
    extract::{
        hyper::{HyperError, Hyperd},
        place::Place,
    },
    jobs::{
        self,
        extract::{LeftOut, Order, Progress, Which},
    },
};

/// How often it is looked whether something was deleted.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a place is left alone that could not be written.
const PAUSE: Duration = Duration::from_secs(60);

/// What is to be extracted, and where to.
#[derive(Debug, Clone)]
pub struct Extract {
    /// Which files.
    pub which: Which,
    /// Where to; the place that the settings say, where this is none.
    pub to: Option<Location>,
    /// With personal columns, beside those that the schedule asks for.
    pub include_personal: bool,
}

impl App {
    /// Why there are no `.hyper` files, and what to install; none where there are.
    #[must_use]
    pub fn without_hyper(&self) -> Option<HyperError> {
        hyperd(&self.settings).err()
    }

    /// Writes extracts.
    ///
    /// # Errors
    /// When the place is not fit for them, or something cannot be read or written; what was written until then stays.
    pub fn extract(&self, extract: &Extract, progress: Progress<'_>) -> anyhow::Result<JobStatus> {
        self.services
            .extract(&self.schedule(), extract, &self.stopping, progress)
    }

    /// Takes what was deleted out of the extracts, if there are any.
    ///
    /// # Errors
    /// When they cannot be read or written, or [that is to end](Self::stop_extracting); the next extract does it then.
    pub fn extract_again(&self) -> anyhow::Result<()> {
        self.services.extract_again(&self.schedule(), &self.stopping)
    }

    /// Ends extracts that no job writes, and begins no other: the program is about to end.
    pub fn stop_extracting(&self) {
        self.stopping.raise(Why::Shutdown);
    }

    /// [`extract_again`](Self::extract_again), by whoever [keeps extracting](Self::keep_extracting_again).
    pub fn extract_again_soon(&self) {
        self.services.is_extract_due.store(true, Ordering::Relaxed);
    }

    /// Takes out of the extracts what [was deleted](Self::extract_again_soon), until [told to stop](Self::stop_extracting).
    pub fn keep_extracting_again(&self) {
        let is_due = &self.services.is_extract_due;
        let mut look_at = Instant::now();
        while !self.stopping.is_raised() {
            thread::sleep(LOOK_EVERY);
            if Instant::now() < look_at || !is_due.swap(false, Ordering::Relaxed) {
                continue;
            }
            if let Err(error) = self.extract_again() {
                tracing::warn!("what was deleted is in the extracts still: {error:#}; it is tried again");
                is_due.store(true, Ordering::Relaxed);
                look_at = Instant::now() + PAUSE;
            }
        }
        if is_due.load(Ordering::Relaxed) {
            tracing::warn!("what was deleted is in the extracts until the next one; `deloton extract` writes it");
        }
    }
}

impl Services {
    pub(super) fn extract(
        &self,
        schedule: &Schedule,
        extract: &Extract,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> anyhow::Result<JobStatus> {
        let to = extract.to.clone().unwrap_or_else(|| self.settings.extracts());
        if let Some(problem) = self.settings.extract_problem(&to) {
            bail!("{problem}");
        }
        let _turn = cancel.lock(&self.extracting)?;
        let place = self.place_of(&to);
        let hyperd = hyperd(&self.settings);
        match &hyperd {
            // Who names one does not want the files to go that it made.
            Err(HyperError::NotThere(program)) => bail!(HyperError::NotThere(program.clone())),
            // Into a bucket there are no such files with it either.
            Err(error) if matches!(to, Location::Directory(_)) => tracing::info!("{error}"),
            _ => {}
        }
        let order = Order {
            place: &place,
            which: extract.which,
            include_personal: extract.include_personal || includes_personal(schedule),
            schedule,
            hyperd: hyperd.as_ref().ok(),
            jobs_dir: self.jobs_dir.as_deref(),
            runtime: &self.runtime,
            cancel,
        };
        jobs::extract::run(&self.store.cancelled_by(cancel), order, progress)
    }

    /// Writes again what has changed in the extracts, if there are any.
    pub(super) fn extract_again(&self, schedule: &Schedule, cancel: &Cancel) -> anyhow::Result<()> {
        let place = self.place_of(&self.settings.extracts());
        if jobs::extract::is_extracted(&self.store, &place, &self.runtime)? {
            let changed = Extract {
                which: Which::Changed,
                to: None,
                include_personal: false,
            };
            match self.extract(schedule, &changed, cancel, &mut |_, _, _| Ok(())) {
                // What was deleted is in nothing that is left.
                Err(error) if error.is::<LeftOut>() => tracing::warn!("{error:#}"),
                extracted => drop(extracted?),
            }
        }
        Ok(())
    }

    fn place_of(&self, location: &Location) -> Place {
        let settings = &self.settings;
        self.runtime.block_on(Place::open(
            location,
            settings.aws_endpoint_url.as_deref(),
            &settings.data_dir,
        ))
    }
}

/// Whether the job's extracts have personal columns.
fn includes_personal(schedule: &Schedule) -> bool {
    schedule
        .jobs
        .iter()
        .any(|job| job.enabled && job.kind == (Kind::Extract { include_personal: true }))
}

/// What writes `.hyper` files.
fn hyperd(settings: &Settings) -> Result<Hyperd, HyperError> {
    Hyperd::find(settings.hyperd.as_deref(), &Settings::prefixes())
}
