//! Fetches new workouts from Peloton.
//!
//! 1. Account after account: what is new, corrected or deleted there. One that cannot be read holds up no other.
//! 2. The daily file of each day that this, or a deletion here, has touched.

use anyhow::{Result, bail};
use chrono_tz::Tz;
use tokio::runtime::Handle;

use crate::{
    config::schedule::PelotonAccount,
    domain::{cancel::Cancel, run::JobStatus, workout::Failure},
    export::Exporter,
    peloton::{
        Unsaid,
        client::{ApiError, Client, Pace},
        sync::{Account, Fetched, sync},
        token::Token,
    },
    store::{Store, StoreError, workout::TakenIn},
};

/// Where and how the API is asked.
#[derive(Debug, Clone, Copy)]
pub struct Api<'a> {
    /// Its address.
    pub url: &'a str,
    /// How fast.
    pub pace: Pace,
    /// What calls wait on.
    pub runtime: &'a Handle,
    /// Whether it is still wanted.
    pub cancel: &'a Cancel,
}

/// Reads every account.
///
/// # Errors
/// When an account could not be read, saying why; all others were. When the store cannot be read or written, or the run was
/// cancelled.
pub fn run(
    store: &Store,
    exporter: &Exporter,
    accounts: &[PelotonAccount],
    fallback: Tz,
    api: Api<'_>,
) -> Result<JobStatus> {
    let (mut total, mut reasons) = (TakenIn::default(), Vec::new());
    // Runs are mailed and logged, and names are not for everybody who reads these.
    for (number, account) in (1..).zip(accounts) {
        api.cancel.check()?;
        let rider_name = account.rider_name.as_str();
        let failure = match store.peloton_failure(rider_name)? {
            Some(failure) if failure.not_before.is_some_and(|at| at > store.clock().now()) => Some(failure),
            _ => failure_of(store, read(store, account, fallback, api, &mut total))?,
        };
        store.set_peloton_failure(rider_name, failure.as_ref())?;
        if let Some(failure) = failure {
            reasons.push(format!(
                "of account {number} not all workouts were fetched: {}",
                failure.reason
            ));
        }
    }
    let files = match write_files(store, exporter, api.runtime, api.cancel) {
        Ok(files) => files,
        Err(error) => {
            reasons.push(format!("{error:#}"));
            0
        }
    };
    if !reasons.is_empty() {
        bail!("{}", reasons.join("; "));
    }
    if total.new + total.changed + total.deleted + files == 0 {
        return Ok(JobStatus::idle());
    }
    Ok(JobStatus::done()
        .count("workouts_new", total.new)
        .count("workouts_changed", total.changed)
        .count("workouts_deleted", total.deleted)
        .count("files_written", files))
}

/// Why an account could not be read, for those who look later. A run that was cancelled or a store that is broken is no
/// matter of the account's.
fn failure_of(store: &Store, read: Result<()>) -> Result<Option<Failure>> {
    let Err(error) = read else { return Ok(None) };
    let of_api = error.downcast_ref::<ApiError>();
    if matches!(of_api, Some(ApiError::Cancelled(_))) || error.is::<StoreError>() {
        return Err(error);
    }
    Ok(Some(Failure {
        failed_at: store.clock().now(),
        reason: format!("{error:#}"),
        needs_a_person: matches!(of_api, Some(ApiError::Token(_))),
        not_before: match of_api {
            Some(ApiError::TooSoon { not_before, .. }) => Some(*not_before),
            _ => None,
        },
    }))
}

/// Writes the daily files that are to be written; answers how many.
///
/// # Errors
/// When one cannot be written; it is tried again by the next run.
pub fn write_files(store: &Store, exporter: &Exporter, runtime: &Handle, cancel: &Cancel) -> Result<u64> {
    store.write_workout_files(|day, workouts| {
        cancel.check()?;
        runtime.block_on(exporter.write_workouts(day, workouts))?;
        Ok(())
    })
}

fn read(store: &Store, account: &PelotonAccount, fallback: Tz, api: Api<'_>, total: &mut TakenIn) -> Result<()> {
    let rider_name = account.rider_name.as_str();
    let token = Token::read(account).map_err(ApiError::Token)?;
    let known = store.known_workouts(rider_name)?;
    let of_others = store.workouts_of_others(rider_name)?;
    let progress = store.peloton_progress(rider_name)?;
    let state = Account {
        unsaid: Unsaid {
            rider_name: Some(rider_name),
            timezone: None,
            fallback,
            now: store.clock().now(),
        },
        progress: progress.as_ref(),
        known: &known,
        of_others: &of_others,
    };
    // All that an account ever had is no news for those who take the files.
    let files_from = state.news_from();
    let mut client = Client::new(api.url, token, api.pace, store.clock(), api.runtime, api.cancel);
    let synced = sync(&mut client, &state, |fetched| {
        let Fetched { workout, course } = fetched;
        let courses = workout.peloton_workout_id.clone().zip(course).into_iter().collect();
        let taken = store.take_in_workouts(&[workout], &courses, Some(files_from))?;
        total.new += taken.new;
        total.changed += taken.changed;
        Ok(())
    })?;
    if synced.of_others > 0 {
        tracing::warn!(
            "{} workouts at Peloton are stored as another rider's and left out",
            synced.of_others
        );
    }
    for rejected in &synced.rejected {
        tracing::warn!("{} at Peloton was left out: {}", rejected.place, rejected.reason);
    }
    for id in &synced.gone {
        if let Some(known) = known.get(id) {
            store.delete_workout(known.workout_id, true)?;
            total.deleted += 1;
        }
    }
    if let Some(now) = synced.progress.filter(|now| progress.as_ref() != Some(now)) {
        store.set_peloton_progress(rider_name, &now)?;
    }
    if !synced.unanswered.is_empty() {
        let named: Vec<String> = synced
            .unanswered
            .iter()
            .map(|one| format!("{}: {}", one.place, one.reason))
            .collect();
        bail!("all but what was not answered: {}", named.join("; "));
    }
    Ok(())
}

#[cfg(test)]
#[path = "peloton_tests.rs"]
mod tests;
