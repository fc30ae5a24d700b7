//! Peloton workouts.

use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use poem::{Request, web::Data};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use uuid::Uuid;

use super::{
    ApiContext, Tag,
    access::Caller,
    default_limit,
    page::{cut, parse_cursor},
    problem::Refusal,
    rides::Days,
    schema::{Workout, WorkoutKind, WorkoutList, WorkoutSample, WorkoutSampleList},
    shape::Shaped,
};
use crate::{
    domain::{
        access::Role,
        workout::{StoredWorkout, discipline},
    },
    store::{
        self, Store,
        query::{self, WorkoutFilter},
    },
};

/// More steps than any workout has.
const WHOLE_COURSE: u32 = 100_000;

/// The operations on workouts.
pub(super) struct Workouts {
    /// What they need.
    pub(super) context: ApiContext,
}

/// Nothing more is to be said.
#[derive(ApiResponse)]
pub(super) enum Deleted {
    /// The workout is gone, and comes back with no import.
    #[oai(status = 204)]
    Done,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Workouts")]
impl Workouts {
    /// List workouts
    ///
    /// Newest first. Follow `next` to see every workout exactly once.
    #[oai(path = "/workouts", method = "get", operation_id = "list_workouts")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        caller: Data<&Caller>,
        /// Only this rider's: a pseudonym, or for administrators a name, in any case.
        rider: Query<Option<String>>,
        /// Only of this discipline: `cycling`, `yoga`, `bike_bootcamp`, …
        discipline: Query<Option<String>>,
        /// Only of this kind.
        kind: Query<Option<WorkoutKind>>,
        /// Only classes of this instructor; neither case nor accents matter.
        instructor: Query<Option<String>>,
        /// Only classes of so many minutes.
        #[oai(validator(minimum(value = "0"), maximum(value = "1440")))]
        class_minutes: Query<Option<i32>>,
        /// Only those that began on this day of the rider's calendar or later.
        from: Query<Option<String>>,
        /// Only those that began on this day of the rider's calendar or before.
        to: Query<Option<String>>,
        /// Only those that have this in their title or their instructor's name; neither case nor accents matter.
        text: Query<Option<String>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<WorkoutList>, Refusal> {
        let days = Days::of(None, from.0.as_deref(), to.0.as_deref())?;
        let after = cursor.0.as_deref().map(parse_place).transpose()?;
        let filter = WorkoutFilter {
            discipline: discipline.0.as_deref().map(self::discipline),
            kind: kind.0.map(Into::into),
            instructor: instructor.0,
            class_minutes: class_minutes.0,
            first_day: days.first,
            last_day: days.last,
            text: text.0,
            after,
            ..WorkoutFilter::default()
        };
        let (role, limit) = (caller.role, limit.0);
        let pseudonyms = self.context.store.pseudonyms().clone();
        let mut workouts = self
            .context
            .read(move |store| {
                let mut filter = filter;
                if let Some(rider) = rider.0 {
                    let is_meant = |name: &String| {
                        pseudonyms.of_name(name) == rider
                            || role >= Role::Admin && name.to_lowercase() == rider.trim().to_lowercase()
                    };
                    filter.rider_names = Some(store.workout_riders()?.into_iter().filter(is_meant).collect());
                }
                query::workouts(store, &filter, Some(limit + 1))
            })
            .await?;
        let next = cut(&mut workouts, limit).map(|last| {
            let at = last.workout.start.at.to_rfc3339_opts(SecondsFormat::Micros, true);
            format!("{at}_{}", last.workout_id)
        });
        let pseudonyms = self.context.store.pseudonyms();
        let items = workouts
            .into_iter()
            .map(|workout| Workout::seen_by(workout, role, pseudonyms));
        Ok(Json(WorkoutList {
            items: items.collect(),
            next,
        }))
    }

    /// Get a workout
    ///
    /// As everybody who told of it together know it.
    #[oai(path = "/workouts/:workout_id", method = "get", operation_id = "get_workout")]
    async fn get(
        &self,
        caller: Data<&Caller>,
        /// The workout.
        workout_id: Path<Uuid>,
    ) -> Result<Json<Workout>, Refusal> {
        let workout = self
            .context
            .read(move |store| one(store, workout_id.0))
            .await?
            .ok_or_else(|| missing(workout_id.0))?;
        Ok(Json(Workout::seen_by(
            workout,
            caller.role,
            self.context.store.pseudonyms(),
        )))
    }

    /// List a workout's samples
    ///
    /// Its course in steps of 5 s, in order; steps in which nothing was measured are left out. Only what was fetched from
    /// Peloton itself has any. As CSV or Parquet it is the whole workout unless `limit` says less.
    #[oai(
        path = "/workouts/:workout_id/samples",
        method = "get",
        operation_id = "list_workout_samples"
    )]
    async fn samples(
        &self,
        request: &Request,
        /// The workout.
        workout_id: Path<Uuid>,
        /// Most items in the answer; 100 unless it is a file.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<WorkoutSampleList>, Refusal> {
        let workout_id = workout_id.0;
        let after = cursor.0.as_deref().map_or(Ok(i32::MIN), parse_cursor)?;
        let shaped = request.extensions().get::<Shaped>();
        let is_file = shaped.is_some_and(Shaped::is_file);
        let limit = limit.0.unwrap_or(if is_file { WHOLE_COURSE } else { default_limit() });
        let mut samples = self
            .context
            .read(move |store| {
                let is_there = one(store, workout_id)?.is_some();
                let samples = is_there.then(|| query::workout_samples(store, workout_id, after, Some(limit + 1)));
                samples.transpose()
            })
            .await?
            .ok_or_else(|| missing(workout_id))?;
        let next = cut(&mut samples, limit).map(|last| last.second.to_string());
        Ok(Json(WorkoutSampleList {
            items: samples.into_iter().map(WorkoutSample::from).collect(),
            next,
        }))
    }

    /// Delete a workout
    ///
    /// From its daily file too. It stays deleted, whatever is fetched or taken in later.
    #[oai(path = "/workouts/:workout_id", method = "delete", operation_id = "delete_workout")]
    async fn delete(
        &self,
        /// The workout.
        workout_id: Path<Uuid>,
    ) -> Result<Deleted, Refusal> {
        let workout_id = workout_id.0;
        let delete = Arc::clone(&self.context.delete_workout);
        let deleted = tokio::task::spawn_blocking(move || delete(workout_id)).await;
        let was_there = deleted
            .context("deleting a workout did not come to its end")
            .and_then(|deleted| deleted)
            .map_err(|error| Refusal::internal(&error))?;
        if was_there {
            Ok(Deleted::Done)
        } else {
            Err(missing(workout_id))
        }
    }
}

fn one(store: &Store, workout_id: Uuid) -> store::Result<Option<StoredWorkout>> {
    let filter = WorkoutFilter {
        workout_id: Some(workout_id),
        ..WorkoutFilter::default()
    };
    Ok(query::workouts(store, &filter, Some(1))?.into_iter().next())
}

fn missing(workout_id: Uuid) -> Refusal {
    Refusal::not_found(format!("there is no workout `{workout_id}`"))
}

/// The place of a workout in the list, as a cursor has it.
fn parse_place(cursor: &str) -> Result<(DateTime<Utc>, Uuid), Refusal> {
    let (at, workout_id) = cursor.split_once('_').unwrap_or((cursor, ""));
    Ok((parse_cursor(at)?, parse_cursor(workout_id)?))
}
