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
    /// Makes each course one more thing that is told of its workout, which is in the file or `stored`, by ids at Peloton and
    /// with the samples that there are. Answers the samples by these. One that says no more than what there is changes nothing,
    /// nor does any where the course was fetched.
    pub fn join_courses(&mut self, stored: &HashMap<String, (Workout, usize)>) -> HashMap<String, Vec<Sample>> {
        let mut courses: HashMap<String, Vec<Sample>> = HashMap::new();
        for Course {
            place,
            peloton_workout_id: id,
            graph,
        } in std::mem::take(&mut self.courses)
        {
            let in_file = self
                .workouts
                .iter()
                .find(|workout| workout.peloton_workout_id.as_ref() == Some(&id));
            let known = stored.get(&id);
            let Some(mut workout) = in_file.or(known.map(|(workout, _)| workout)).cloned() else {
                let reason = format!(
                    "it is the course of the workout `{id}`, of which nothing is stored under this rider's name: take in the \
                     workout first; one that was deleted stays so"
                );
                self.take(place, Err(reason));
                continue;
            };
            let samples = known.map_or(0, |(_, samples)| *samples);
            let samples = courses.get(&id).map_or(samples, |course| course.len().max(samples));
            let is_fetched = known.is_some_and(|(workout, _)| {
                // That Peloton has none is a coverage of 0.
                workout
                    .figures
                    .get(Figure::GraphCoverage)
                    .is_some_and(|share| share > 0.0)
            });
            if !is_fetched && graph.samples.len() > samples {
                let left_out = graph.left_out();
                self.remarks
                    .extend(left_out.map(|values| format!("{place}: left out are {values}")));
                graph.tell(&mut workout.figures);
                // Whoever has a coverage is not asked for theirs again.
                workout.figures.set(Figure::GraphCoverage, None);
                courses.insert(id, graph.samples);
            }
            self.workouts.push(workout);
        }
        courses
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
