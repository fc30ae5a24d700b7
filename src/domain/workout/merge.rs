//! Which of the workouts that are told of is which that is stored, and what is known of it then.
//!
//! By its id at Peloton, where both have one. Else by rider, discipline, title and length, and when it began: in the same
//! minute; or a minute beside, as some clocks are read when a workout is made and others when it begins; or with the same
//! minutes on the rider's clock or an hour aside, where the zone was a few letters that may mean winter or summer. One
//! that was stored is only ever one of those that are told of at a time, and those that agree in what was measured find
//! each other first: two workouts of the same key stay two, in whatever order they come.

use std::collections::{HashMap, HashSet};

use chrono::{NaiveDate, TimeDelta};

use super::{Figure, Kind, Precision, Start, StoredWorkout, Workout, workout_id};

/// Workouts that began so far apart, at most, may be one whose clock was read twice.
const BESIDE: TimeDelta = TimeDelta::seconds(119);

/// Two accounts of the work done in one workout differ by no more: one of them is in whole kilojoules.
const SAME_OUTPUT: f64 = 1.01;

/// What became of a workout that was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It was not stored yet.
    New(usize),
    /// It was, and more or something else is known of it now.
    Changed(usize),
    /// It was, and nothing is new.
    Unchanged(usize),
    /// It was deleted, and stays so.
    Deleted,
}

/// A workout on the shelf.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The workout.
    pub stored: StoredWorkout,
    /// It was deleted: only what it takes to know it again is left.
    pub is_deleted: bool,
}

/// The workouts of one rider that are stored.
#[derive(Debug, Default)]
pub struct Shelf {
    kept: Vec<Kept>,
    by_day: HashMap<NaiveDate, Vec<usize>>,
    by_peloton_id: HashMap<String, usize>,
}

/// How sure it is that two workouts are one, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// The same minute and the same figures.
    Same,
    /// The same minute.
    SameMinute,
    /// Beside it, or the same but for the hour.
    Beside,
}

impl FromIterator<Kept> for Shelf {
    fn from_iter<I: IntoIterator<Item = Kept>>(all: I) -> Self {
        let mut shelf = Shelf::default();
        for kept in all {
            shelf.put(kept);
        }
        shelf
    }
}

impl Shelf {
    /// What stands at a place that [`Shelf::merge`] answered.
    #[must_use]
    pub fn at(&self, place: usize) -> &StoredWorkout {
        &self.kept[place].stored
    }

    /// Takes in workouts of the rider, and says of each what became of it.
    pub fn merge(&mut self, told: Vec<Workout>) -> Vec<Became> {
        let mut claimed = HashSet::new();
        let mut became: Vec<Option<Became>> = vec![None; told.len()];
        for (index, workout) in told.iter().enumerate() {
            if let Some(place) = self.of_peloton_id(workout) {
                claimed.insert(place);
                became[index] = Some(self.fold(place, workout));
            }
        }
        for likeness in [Likeness::Same, Likeness::SameMinute, Likeness::Beside] {
            for (workout, became) in told.iter().zip(&mut became).filter(|(_, became)| became.is_none()) {
                if let Some(place) = self.nearest(workout, likeness, &claimed) {
                    claimed.insert(place);
                    *became = Some(self.fold(place, workout));
                }
            }
        }
        let mut news: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        for (index, workout) in told.iter().enumerate() {
            if became[index].is_some() {
                continue;
            }
            let of_key = news.entry(key_of(workout)).or_default();
            // A line that was repeated in a file is no other workout.
            let twin = of_key
                .iter()
                .find(|(other, _)| told[*other] == *workout)
                .map(|(_, place)| *place);
            became[index] = Some(match self.of_peloton_id(workout).or(twin) {
                Some(place) => self.fold(place, workout),
                None => {
                    let place = self.add(workout.clone());
                    of_key.push((index, place));
                    Became::New(place)
                }
            });
        }
        became.into_iter().flatten().collect()
    }

    fn of_peloton_id(&self, workout: &Workout) -> Option<usize> {
        let id = workout.peloton_workout_id.as_ref()?;
        self.by_peloton_id.get(id).copied()
    }

    /// The stored workout that is nearest to `workout` of those that are as like as that.
    fn nearest(&self, workout: &Workout, likeness: Likeness, claimed: &HashSet<usize>) -> Option<usize> {
        let day = workout.start.at.date_naive();
        let days = [day.pred_opt(), Some(day), day.succ_opt()];
        let places = days
            .into_iter()
            .flatten()
            .filter_map(|day| self.by_day.get(&day))
            .flatten();
        places
            .filter(|place| !claimed.contains(place))
            .filter(|&&place| like(&self.kept[place].stored.workout, workout) == Some(likeness))
            .min_by_key(|&&place| (self.kept[place].stored.workout.start.at - workout.start.at).abs())
            .copied()
    }

    fn add(&mut self, workout: Workout) -> usize {
        let is_taken = |id| self.kept.iter().any(|kept| kept.stored.workout_id == id);
        let free = (0..)
            .map(|ordinal| workout_id(&workout, ordinal))
            .find(|id| !is_taken(*id));
        let workout_id = free.expect("there are more ordinals than workouts");
        let stored = StoredWorkout { workout_id, workout };
        self.put(Kept {
            stored,
            is_deleted: false,
        })
    }

    fn put(&mut self, kept: Kept) -> usize {
        let place = self.kept.len();
        let workout = &kept.stored.workout;
        self.by_day
            .entry(workout.start.at.date_naive())
            .or_default()
            .push(place);
        if let Some(id) = &workout.peloton_workout_id {
            self.by_peloton_id.insert(id.clone(), place);
        }
        self.kept.push(kept);
        place
    }

    /// Adds to a stored workout what is told of it.
    fn fold(&mut self, place: usize, told: &Workout) -> Became {
        let kept = &mut self.kept[place];
        if kept.is_deleted {
            return Became::Deleted;
        }
        let before = kept.stored.workout.clone();
        take_over(&mut kept.stored.workout, told);
        if let Some(id) = &told.peloton_workout_id {
            self.by_peloton_id.insert(id.clone(), place);
        }
        if kept.stored.workout == before {
            Became::Unchanged(place)
        } else {
            Became::Changed(place)
        }
    }
}

/// What two titles are compared by: an older system left apostrophes out.
pub(super) fn title_key(title: &str) -> String {
    let letters = title.chars().filter(|c| !matches!(c, '\'' | '’' | '‘'));
    letters
        .collect::<String>()
        .to_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn key_of(workout: &Workout) -> String {
    let title = workout.title.as_deref().map(title_key).unwrap_or_default();
    format!("{}\0{}\0{title}", minute(&workout.start), workout.discipline)
}

fn minute(start: &Start) -> i64 {
    start.at.timestamp().div_euclid(60)
}

/// How sure it is that both are the same workout; none where they are two.
fn like(stored: &Workout, told: &Workout) -> Option<Likeness> {
    let ids = stored.peloton_workout_id.as_ref().zip(told.peloton_workout_id.as_ref());
    if ids.is_some()
        || stored.discipline != told.discipline
        || !is_same_title(stored, told)
        || !is_same_length(stored, told)
    {
        return None;
    }
    if minute(&stored.start) == minute(&told.start) {
        return Some(if is_same_work(stored, told) {
            Likeness::Same
        } else {
            Likeness::SameMinute
        });
    }
    // One source reads one clock: for it, another minute is another workout.
    let may_differ = stored.source != told.source || stored.start.precision != told.start.precision;
    (may_differ && is_beside(&stored.start, &told.start) && is_same_work(stored, told)).then_some(Likeness::Beside)
}

fn is_same_title(one: &Workout, other: &Workout) -> bool {
    match (&one.title, &other.title) {
        // A level of the game goes by its own title, or by the game's.
        (Some(a), Some(b)) => title_key(a) == title_key(b) || one.kind == Kind::Lanebreak && one.kind == other.kind,
        _ => true,
    }
}

fn is_same_length(one: &Workout, other: &Workout) -> bool {
    match (one.class_seconds, other.class_seconds) {
        (Some(a), Some(b)) => (a - b).abs() < 60,
        _ => true,
    }
}

fn is_same_work(one: &Workout, other: &Workout) -> bool {
    let output = |workout: &Workout| workout.figures.get(Figure::TotalOutput);
    match (output(one), output(other)) {
        (Some(a), Some(b)) => (a - b).abs() <= SAME_OUTPUT,
        _ => true,
    }
}

fn is_beside(one: &Start, other: &Start) -> bool {
    let apart = (one.at - other.at).abs();
    if apart <= BESIDE {
        return true;
    }
    let is_guess = one.precision == Precision::WallClock || other.precision == Precision::WallClock;
    is_guess && ((one.local - other.local).abs() <= BESIDE || (apart - TimeDelta::hours(1)).abs() <= BESIDE)
}

/// What one that knows at least as much says holds; what the others say fills in what it leaves open.
fn take_over(stored: &mut Workout, told: &Workout) {
    let knows_better = told.source >= stored.source;
    if told.start.precision > stored.start.precision || told.start.precision == stored.start.precision && knows_better {
        stored.start.at = told.start.at;
        stored.start.precision = told.start.precision;
    }
    if knows_better {
        stored.start.local = told.start.local;
        stored.kind = told.kind;
    }
    choose(&mut stored.peloton_workout_id, &told.peloton_workout_id, knows_better);
    choose(&mut stored.class_type, &told.class_type, knows_better);
    choose(&mut stored.title, &told.title, knows_better);
    choose(&mut stored.instructor, &told.instructor, knows_better);
    choose(&mut stored.class_seconds, &told.class_seconds, knows_better);
    choose(&mut stored.ridden_seconds, &told.ridden_seconds, knows_better);
    choose(&mut stored.is_live, &told.is_live, knows_better);
    choose(&mut stored.class_aired_at, &told.class_aired_at, knows_better);
    choose(&mut stored.is_personal_record, &told.is_personal_record, knows_better);
    choose(&mut stored.leaderboard, &told.leaderboard, knows_better);
    for figure in Figure::ALL {
        let (mine, theirs) = (stored.figures.get(figure), told.figures.get(figure));
        let is_the_same = mine
            .zip(theirs)
            .is_some_and(|(a, b)| (a - b).abs() <= figure.tolerance());
        if !is_the_same && (mine.is_none() || knows_better && theirs.is_some()) {
            stored.figures.set(figure, theirs);
        }
    }
    stored.source = stored.source.max(told.source);
}

fn choose<T: Clone>(stored: &mut Option<T>, told: &Option<T>, knows_better: bool) {
    if told.is_some() && (knows_better || stored.is_none()) {
        stored.clone_from(told);
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
