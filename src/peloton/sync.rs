//! One account, read from where it was left.
//!
//! 1. Who is it? A token of somebody else's must not fill a rider's history.
//! 2. The list, newest first, until a page has nothing that is unknown and all of it lies a week before the newest workout
//!    that was known: what was uploaded late or corrected since is seen. A list that changes while it is read is read anew.
//! 3. Of a workout that is unknown, younger than a day, or without its course: its details, and its course. What is fetched
//!    of one that is younger is not all yet: it is fetched once more. One that is not answered holds up no other; the next
//!    run asks for it again.
//! 4. What was known and is not listed any more: whether it is still there. Only if the list was whole, it is not there, and
//!    one that is listed is, it was deleted: a service that denies everything deletes nothing.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{
    Rejected, Unsaid,
    api::{Instructors, workout},
    client::{ApiError, Client},
    graph::graph,
    peloton_id, time,
};
use crate::domain::workout::{Figure, KnownWorkout, Progress, Workout, graph::Sample};

/// Workouts may be uploaded or corrected so long after they began.
const OVERLAP: TimeDelta = TimeDelta::days(7);

/// Places on boards and records move for so long, and courses come in.
const YOUNG: TimeDelta = TimeDelta::days(1);

/// Peloton lists no more at a time.
const PAGE: usize = 100;

/// When so many workouts after each other are not answered, nothing is.
const MOST_UNANSWERED: usize = 5;

/// A list that changes again and again is left to the next run.
const MOST_BEGINNINGS: u32 = 3;

/// Courses are on steps of so many seconds.
pub(super) const STEP_SECONDS: i32 = 5;

/// What is known of an account.
#[derive(Debug)]
pub struct Account<'a> {
    /// Whose it is, and their zone where nothing says it.
    pub unsaid: Unsaid<'a>,
    /// How far it was read.
    pub progress: Option<&'a Progress>,
    /// What is stored of it, by id.
    pub known: &'a HashMap<String, KnownWorkout>,
    /// The ids of what is stored as another rider's, which stays theirs.
    pub of_others: &'a HashSet<String>,
}

impl Account<'_> {
    /// Up to when it was read. One in the future is none: what began since would be missed until then.
    fn watermark(&self) -> Option<DateTime<Utc>> {
        let watermark = self.progress.map(|progress| progress.watermark);
        watermark.filter(|watermark| *watermark <= self.unsaid.now)
    }

    /// Workouts from here on are news.
    #[must_use]
    pub fn news_from(&self) -> DateTime<Utc> {
        self.watermark().unwrap_or(self.unsaid.now) - OVERLAP
    }
}

/// A workout, and its course where that was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// The workout.
    pub workout: Workout,
    /// Its course.
    pub course: Option<Vec<Sample>>,
}

/// What a run came to, besides what was fetched.
#[derive(Debug)]
pub struct Synced {
    /// How far the account is read now; none where it never had a workout.
    pub progress: Option<Progress>,
    /// Known workouts that are there no longer.
    pub gone: Vec<String>,
    /// How many of those that were listed are another rider's here.
    pub of_others: usize,
    /// Workouts that could not be understood.
    pub rejected: Vec<Rejected>,
    /// Workouts that were not answered, or not all of them. The account is read up to the oldest of these.
    pub unanswered: Vec<Rejected>,
}

/// Reads an account; `keep` is handed each workout when it was fetched.
///
/// # Errors
/// When Peloton cannot be asked, the token is somebody else's, or `keep` fails. What was kept stays, and the next run goes on.
pub fn sync(client: &mut Client<'_>, account: &Account<'_>, keep: impl FnMut(Fetched) -> Result<()>) -> Result<Synced> {
    client.check_token(account.unsaid.now)?;
    let me = client.get("/api/me", "the account")?;
    let user_id = me
        .get("id")
        .and_then(Value::as_str)
        .and_then(|id| peloton_id(id).ok())
        .context("Peloton does not say whose the token is")?;
    if account
        .progress
        .is_some_and(|progress| progress.peloton_user_id != user_id)
    {
        bail!("the token is of another account than the one that was read before: look which rider has which token");
    }
    let mut reading = Reading {
        client,
        account,
        keep,
        seen: HashMap::new(),
        is_whole: false,
        instructors: None,
        has_all_instructors: false,
        rejected: Vec::new(),
        unanswered: Vec::new(),
        unanswered_in_a_row: 0,
        oldest_unanswered: None,
    };
    reading.list(user_id)?;
    let gone = reading.gone()?;
    let newest = reading
        .seen
        .values()
        .copied()
        .filter(|start| *start <= account.unsaid.now)
        .chain(account.watermark())
        .max();
    let newest = newest.map(|newest| reading.oldest_unanswered.map_or(newest, |oldest| oldest.min(newest)));
    Ok(Synced {
        progress: newest.map(|watermark| Progress {
            peloton_user_id: user_id.to_owned(),
            watermark,
        }),
        gone,
        of_others: reading.seen.keys().filter(|id| account.of_others.contains(*id)).count(),
        rejected: reading.rejected,
        unanswered: reading.unanswered,
    })
}

struct Reading<'r, 'c, K> {
    client: &'r mut Client<'c>,
    account: &'r Account<'r>,
    keep: K,
    /// What was listed, with its start.
    seen: HashMap<String, DateTime<Utc>>,
    /// Nothing is missing in the list, as far as it was read.
    is_whole: bool,
    /// Fetched when first one is needed.
    instructors: Option<Instructors>,
    /// Whether all of them were answered.
    has_all_instructors: bool,
    rejected: Vec<Rejected>,
    unanswered: Vec<Rejected>,
    unanswered_in_a_row: usize,
    oldest_unanswered: Option<DateTime<Utc>>,
}

impl<K: FnMut(Fetched) -> Result<()>> Reading<'_, '_, K> {
    /// Goes through the list as far as there may be something new.
    fn list(&mut self, user_id: &str) -> Result<()> {
        for _ in 0..MOST_BEGINNINGS {
            if self.pages(user_id)? {
                return Ok(());
            }
            tracing::info!("the list of workouts has changed while it was read; it is read anew");
        }
        bail!("the list of workouts keeps changing; the next run goes on")
    }

    /// Goes through the pages; false where the list has changed meanwhile.
    fn pages(&mut self, user_id: &str) -> Result<bool> {
        let mut first_total = None;
        let mut listed = 0;
        self.is_whole = true;
        for page in 0.. {
            let path = format!(
                "/api/user/{user_id}/workouts?limit={PAGE}&page={page}&sort_by=-created&joins=ride,ride.instructor"
            );
            let answer = self.client.get(&path, "the list of workouts")?;
            let total = answer.get("total").and_then(Value::as_u64);
            if *first_total.get_or_insert(total) != total {
                return Ok(false);
            }
            let items = answer
                .get("data")
                .and_then(Value::as_array)
                .context("Peloton's list of workouts is none")?;
            listed += items.len();
            let mut is_old = true;
            for item in items {
                is_old &= self.item(item)?;
            }
            let is_last = answer.get("show_next") == Some(&Value::Bool(false))
                || answer
                    .get("page_count")
                    .and_then(Value::as_u64)
                    .is_some_and(|count| page + 1 >= count);
            let number = |key: &str| {
                answer
                    .get(key)
                    .and_then(Value::as_u64)
                    .and_then(|n| usize::try_from(n).ok())
            };
            let is_end = items.is_empty() || is_last;
            self.is_whole &= if is_end {
                number("total") == Some(listed)
            } else {
                number("limit") == Some(items.len())
            };
            if is_end || is_old {
                break;
            }
        }
        Ok(true)
    }

    /// Takes one item of the list; true where it is known, and a week older than what was known.
    fn item(&mut self, item: &Value) -> Result<bool> {
        let id = item.get("id").and_then(Value::as_str);
        let id = match id.ok_or("it has no `id`".to_owned()).and_then(peloton_id) {
            Ok(id) => id,
            Err(reason) => {
                self.is_whole = false;
                self.reject("an item of the list", &reason);
                return Ok(false);
            }
        };
        let known = self.account.known.get(id);
        let start = item
            .get("start_time")
            .or_else(|| item.get("created_at"))
            .and_then(Value::as_i64);
        let start = start.and_then(time::unix);
        let is_complete = item
            .get("status")
            .and_then(Value::as_str)
            .is_none_or(|status| status == "COMPLETE");
        if !is_complete {
            return Ok(false);
        }
        let Some(start) = start else {
            self.reject(&format!("workout {id}"), "it has no `start_time` that is a time");
            return Ok(false);
        };
        let is_first_sight = self.seen.insert(id.to_owned(), start).is_none();
        let is_of_another = self.account.of_others.contains(id);
        if is_first_sight && !is_of_another && !known.is_some_and(|known| known.is_deleted) {
            self.take(id, item, start, known)?;
        }
        let before = self.account.watermark().map(|watermark| watermark - OVERLAP);
        Ok((known.is_some() || is_of_another) && before.is_some_and(|before| start < before))
    }

    fn take(&mut self, id: &str, item: &Value, start: DateTime<Utc>, known: Option<&KnownWorkout>) -> Result<()> {
        let is_young = self.account.unsaid.now - start < YOUNG;
        let has_course = known.is_some_and(|known| known.has_graph);
        let mut whole = item.clone();
        let mut is_there = false;
        if is_young || !has_course {
            match self.details(id, start)? {
                Answer::Is(Value::Object(detail)) => {
                    is_there = true;
                    if let Some(whole) = whole.as_object_mut() {
                        whole.extend(detail.into_iter().filter(|(_, value)| !value.is_null()));
                    }
                }
                Answer::Is(_) | Answer::NotThere => {}
                Answer::NotYet => return Ok(()),
            }
        }
        let is_named = self.learn_instructor(&whole, id, start)?;
        let mut workout = match workout(
            &whole,
            &self.account.unsaid,
            self.instructors.as_ref().unwrap_or(&Instructors::new()),
        ) {
            Ok(workout) => workout,
            Err(reason) => {
                self.reject(&format!("workout {id}"), &reason);
                return Ok(());
            }
        };
        let mut course = None;
        if is_young || !has_course {
            let path = format!("/api/workout/{id}/performance_graph?every_n={STEP_SECONDS}");
            match self.ask(&path, "the course of a workout", id, start)? {
                Answer::Is(answer) => match graph(&answer, STEP_SECONDS) {
                    Ok(graph) => {
                        graph.tell(&mut workout.figures);
                        for reason in graph.left_out() {
                            self.reject(&format!("a part of the course of workout {id}"), &reason);
                        }
                        course = Some(graph.samples);
                    }
                    Err(reason) => self.reject(&format!("the course of workout {id}"), &reason),
                },
                // That a workout has none is known too.
                Answer::NotThere if is_there => workout.figures.set(Figure::GraphCoverage, Some(0.0)),
                Answer::NotThere | Answer::NotYet => {}
            }
        }
        if is_young || !is_named {
            // More of it may come in: whoever has a coverage is not asked for theirs again.
            workout.figures.set(Figure::GraphCoverage, None);
        }
        (self.keep)(Fetched { workout, course })
    }

    /// Asks for something of a workout, which the run can go on without.
    fn ask(&mut self, path: &str, wanted: &'static str, id: &str, start: DateTime<Utc>) -> Result<Answer> {
        match self.client.get(path, wanted) {
            Ok(answer) => {
                self.unanswered_in_a_row = 0;
                Ok(Answer::Is(answer))
            }
            Err(ApiError::NotFound(_)) => {
                self.unanswered_in_a_row = 0;
                Ok(Answer::NotThere)
            }
            Err(ApiError::Unanswered(why)) => {
                self.unanswered_in_a_row += 1;
                if self.unanswered_in_a_row >= MOST_UNANSWERED {
                    bail!("{MOST_UNANSWERED} times in a row there was no answer; the last time: {why}");
                }
                self.oldest_unanswered = Some(self.oldest_unanswered.map_or(start, |oldest| oldest.min(start)));
                self.unanswered.push(Rejected {
                    place: format!("workout {id}"),
                    reason: why,
                });
                Ok(Answer::NotYet)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Fetches the names of instructors once, when a class has nothing but an id. Whether nothing is left to ask for the name
    /// of this workout's.
    fn learn_instructor(&mut self, item: &Value, id: &str, start: DateTime<Utc>) -> Result<bool> {
        let Some(ride) = item.get("ride") else { return Ok(true) };
        let is_named = ride.pointer("/instructor/name").is_some_and(Value::is_string);
        let Some(instructor) = ride.get("instructor_id").and_then(Value::as_str).filter(|_| !is_named) else {
            return Ok(true);
        };
        if self.instructors.is_none() {
            self.fetch_instructors(id, start)?;
        }
        let is_known = self
            .instructors
            .as_ref()
            .is_some_and(|names| names.contains_key(instructor));
        if is_known || self.has_all_instructors {
            return Ok(true);
        }
        self.oldest_unanswered = Some(self.oldest_unanswered.map_or(start, |oldest| oldest.min(start)));
        Ok(false)
    }

    /// Fetches the names of instructors, as far as they are answered: `id` is the workout that needs one.
    fn fetch_instructors(&mut self, id: &str, start: DateTime<Utc>) -> Result<()> {
        let mut names = Instructors::new();
        self.has_all_instructors = true;
        for page in 0.. {
            let path = format!("/api/instructor?limit={PAGE}&page={page}");
            let answer = match self.ask(&path, "the names of instructors", id, start)? {
                Answer::Is(answer) => answer,
                Answer::NotThere => break,
                Answer::NotYet => {
                    self.has_all_instructors = false;
                    break;
                }
            };
            let items = answer
                .get("data")
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            let text = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
            let before = names.len();
            names.extend(
                items
                    .iter()
                    .filter_map(|item| Some((text(item, "id")?, text(item, "name")?))),
            );
            let is_last = answer
                .get("page_count")
                .and_then(Value::as_u64)
                .is_some_and(|count| page + 1 >= count);
            if is_last || names.len() == before {
                break;
            }
        }
        self.instructors = Some(names);
        Ok(())
    }

    /// The known workouts of the time that was listed which are there no longer.
    fn gone(&mut self) -> Result<Vec<String>> {
        let newest = self.seen.iter().max_by_key(|(_, start)| **start);
        let oldest = self.seen.values().min().copied();
        let Some((oldest, (witness, start))) = oldest.zip(newest).filter(|_| self.is_whole) else {
            return Ok(Vec::new());
        };
        let (witness, start) = (witness.clone(), *start);
        let is_missing = |(id, known): &(&String, &KnownWorkout)| {
            !known.is_deleted && known.started_at > oldest && !self.seen.contains_key(*id)
        };
        let mut missing: Vec<&String> = self.account.known.iter().filter(is_missing).map(|(id, _)| id).collect();
        missing.sort();
        let mut gone = Vec::new();
        for id in missing {
            if let Answer::NotThere = self.details(id, self.account.known[id].started_at)? {
                gone.push(id.clone());
            }
        }
        if !gone.is_empty() && !matches!(self.details(&witness, start)?, Answer::Is(_)) {
            tracing::warn!("Peloton denies the workouts that it lists: none is taken for deleted");
            gone.clear();
        }
        Ok(gone)
    }

    fn details(&mut self, id: &str, start: DateTime<Utc>) -> Result<Answer> {
        let path = format!("/api/workout/{id}?joins=ride,ride.instructor");
        self.ask(&path, "the details of a workout", id, start)
    }

    /// Notes what cannot be understood, once: a list that is read anew has it again.
    fn reject(&mut self, place: &str, reason: &str) {
        let rejected = Rejected {
            place: place.to_owned(),
            reason: reason.to_owned(),
        };
        if !self.rejected.contains(&rejected) {
            self.rejected.push(rejected);
        }
    }
}

/// What became of a question that the run can go on without.
enum Answer {
    Is(Value),
    NotThere,
    /// The next run asks again.
    NotYet,
}
