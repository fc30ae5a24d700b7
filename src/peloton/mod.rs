//! Workouts from Peloton: the files that its members can download, those of an older system of ours, and its API. What is
//! read becomes [`Workout`]s; where they are kept is the store's and the jobs' business.

mod api;
pub mod client;
mod columns;
mod csv;
mod graph;
pub mod sync;
mod time;
pub mod token;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::workout::{
    Figure, Workout,
    graph::{Graph, Sample},
};

/// What a file does not say of itself.
#[derive(Debug, Clone, Copy)]
pub struct Unsaid<'a> {
    /// Whose workouts they are, where the file does not say.
    pub rider_name: Option<&'a str>,
    /// The rider's zone: it wins over the letters of an export.
    pub timezone: Option<Tz>,
    /// The zone where nothing names one.
    pub fallback: Tz,
    /// The present: no workout begins after it.
    pub now: DateTime<Utc>,
}

/// What a file told.
#[derive(Debug, Default)]
pub struct Told {
    /// The workouts, in the file's order.
    pub workouts: Vec<Workout>,
    /// Courses that stand beside their workouts, or in a file of their own.
    pub courses: Vec<Course>,
    /// What could not be taken in.
    pub rejected: Vec<Rejected>,
    /// What else is to be known of the file, a line each.
    pub remarks: Vec<String>,
}

/// The course of a workout.
#[derive(Debug)]
pub struct Course {
    /// Where it is, for people.
    place: String,
    /// Whose course it is, by the id at Peloton.
    peloton_workout_id: String,
    graph: Graph,
}

/// A row that could not be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Where it is, for people: `line 7`, `item 3`.
    pub place: String,
    /// Why.
    pub reason: String,
}

/// A file that cannot be taken in as a whole: it is none of those that are known, or does not say whose it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownFile(String);

impl Told {
    /// Makes each course one more thing that is told of its workout, which is in the file or `stored`, by ids at Peloton.
    /// Answers the samples by these. A course that was fetched as a whole stays as it is: a saved one may be coarser.
    pub fn join_courses(&mut self, stored: &HashMap<String, Workout>) -> HashMap<String, Vec<Sample>> {
        let mut samples = HashMap::new();
        for course in std::mem::take(&mut self.courses) {
            let id = course.peloton_workout_id;
            let in_file = self
                .workouts
                .iter()
                .find(|workout| workout.peloton_workout_id.as_ref() == Some(&id));
            let Some(mut workout) = in_file.or(stored.get(&id)).cloned() else {
                let reason = format!(
                    "it is the course of the workout `{id}`, of which nothing is stored under this rider's name: take in the \
                     workout first"
                );
                self.take(course.place, Err(reason));
                continue;
            };
            let is_fetched = |workout: &Workout| workout.figures.get(Figure::GraphCoverage).is_some();
            if !stored.get(&id).is_some_and(is_fetched) {
                let place = &course.place;
                let left_out = course.graph.left_out();
                self.remarks
                    .extend(left_out.map(|values| format!("{place}: left out are {values}")));
                course.graph.tell(&mut workout.figures);
                // Whoever has a coverage is not asked for theirs again.
                workout.figures.set(Figure::GraphCoverage, None);
                samples.insert(id, course.graph.samples);
            }
            self.workouts.push(workout);
        }
        samples
    }

    fn take(&mut self, place: String, row: Result<Workout, String>) {
        match row {
            Ok(workout) => self.workouts.push(workout),
            Err(reason) => self.rejected.push(Rejected { place, reason }),
        }
    }
}

/// Reads a whole file, whichever of them it is: an export, the older system's, or saved answers of the API, as one JSON
/// document or one a line.
///
/// # Errors
/// When it is none of them. A row that cannot be understood is in the answer.
pub fn read(bytes: &[u8], unsaid: &Unsaid<'_>) -> Result<Told, UnknownFile> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err(UnknownFile("it is empty".to_owned())),
        Some(_) if [b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| bytes.starts_with(*mark)) => {
            Err(UnknownFile("it is UTF-16; save it as UTF-8".to_owned()))
        }
        Some(b'{' | b'[') => api::read(bytes, unsaid),
        Some(_) => csv::read(bytes, unsaid),
    }
}

/// What files without a name in them lack.
const NO_RIDER: &str = "whose it is is not said; name the rider with --rider";

/// No id at Peloton is longer; its own have 32 characters.
const LONGEST_ID: usize = 64;

/// An id at Peloton. It goes into addresses, files and tables, and so is what an id can be.
fn peloton_id(text: &str) -> Result<&str, String> {
    let is_of_ids = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !(1..=LONGEST_ID).contains(&text.len()) || !text.chars().all(is_of_ids) {
        return Err(format!(
            "`{text}` is no id: 1 to {LONGEST_ID} letters, digits, `-` or `_`"
        ));
    }
    Ok(text)
}

const METRES_PER_MILE: f64 = 1609.344;

#[cfg(test)]
mod tests;
