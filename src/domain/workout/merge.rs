//! Which of the workouts that are told of is which that is stored, and what is known of it then.
//!
//! By its id at Peloton, where both have one. Else by rider, discipline, title and length, and when it began: in the same
//! minute, on the rider's clock where the zone was a few letters; or a minute beside, as some clocks are read when a workout
//! is made and others when it begins; or an hour aside, where the letters may mean winter or summer. One that was stored is
//! only ever one of those that are told of at a time, and those that agree in what was measured find each other first: two
//! workouts of the same key stay two, in whatever order they come. Lines that are the same in all are one.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use uuid::Uuid;

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
    ids: HashSet<Uuid>,
    by_minute: HashMap<i64, Vec<usize>>,
    by_minute_of_clock: HashMap<i64, Vec<usize>>,
    by_peloton_id: HashMap<String, usize>,
}

/// How sure it is that two workouts are one, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// The same minute and the same figures.
    Same,
    /// The same minute, if only on the rider's clock.
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
        let firsts = firsts(&told);
        let is_twin = |index: usize| firsts[index] != index;
        let mut claimed = HashSet::new();
        let mut became: Vec<Option<Became>> = vec![None; told.len()];
        for (index, workout) in told.iter().enumerate().filter(|(index, _)| !is_twin(*index)) {
            if let Some(place) = self.of_peloton_id(workout) {
                claimed.insert(place);
                became[index] = Some(self.fold(place, workout));
            }
        }
        for likeness in [Likeness::Same, Likeness::SameMinute, Likeness::Beside] {
            for (index, workout) in told.iter().enumerate() {
                if is_twin(index) || became[index].is_some() {
                    continue;
                }
                if let Some(place) = self.nearest(workout, likeness, &claimed) {
                    claimed.insert(place);
                    became[index] = Some(self.fold(place, workout));
                }
            }
        }
        for (index, workout) in told.into_iter().enumerate() {
            if became[index].is_none() {
                became[index] = Some(match (became[firsts[index]], self.of_peloton_id(&workout)) {
                    (Some(Became::New(place) | Became::Changed(place)), _) => Became::Unchanged(place),
                    (Some(first), _) => first,
                    (None, Some(place)) => self.fold(place, &workout),
                    (None, None) => Became::New(self.add(workout)),
                });
            }
        }
        became.into_iter().flatten().collect()
    }

    fn of_peloton_id(&self, workout: &Workout) -> Option<usize> {
        let id = workout.peloton_workout_id.as_ref()?;
        self.by_peloton_id.get(id).copied()
    }

    /// The stored workout that is nearest to `workout` of those that are as like as that.
    fn nearest(&self, workout: &Workout, likeness: Likeness, claimed: &HashSet<usize>) -> Option<usize> {
        let beside = |minute: i64| minute - 2..=minute + 2;
        let minute = minute(&workout.start);
        let instants = [minute - 60, minute, minute + 60].into_iter().flat_map(beside);
        let clocks = beside(minute_of_clock(&workout.start));
        let places = instants
            .filter_map(|minute| self.by_minute.get(&minute))
            .chain(clocks.filter_map(|minute| self.by_minute_of_clock.get(&minute)))
            .flatten();
        places
            .filter(|place| !claimed.contains(place))
            .filter(|&&place| like(&self.kept[place].stored.workout, workout) == Some(likeness))
            .min_by_key(|&&place| {
                let kept = &self.kept[place];
                ((kept.stored.workout.start.at - workout.start.at).abs(), kept.is_deleted)
            })
            .copied()
    }

    fn add(&mut self, workout: Workout) -> usize {
        let free = (0..)
            .map(|ordinal| workout_id(&workout, ordinal))
            .find(|id| !self.ids.contains(id));
        let workout_id = free.expect("there are more ordinals than workouts");
        let stored = StoredWorkout { workout_id, workout };
        self.put(Kept {
            stored,
            is_deleted: false,
        })
    }

    fn put(&mut self, kept: Kept) -> usize {
        let place = self.kept.len();
        if let Some(id) = &kept.stored.workout.peloton_workout_id {
            self.by_peloton_id.insert(id.clone(), place);
        }
        self.ids.insert(kept.stored.workout_id);
        self.index(kept.stored.workout.start, place);
        self.kept.push(kept);
        place
    }

    fn index(&mut self, start: Start, place: usize) {
        self.by_minute.entry(minute(&start)).or_default().push(place);
        let of_clock = self.by_minute_of_clock.entry(minute_of_clock(&start));
        of_clock.or_default().push(place);
    }

    /// Adds to a stored workout what is told of it.
    fn fold(&mut self, place: usize, told: &Workout) -> Became {
        let kept = &mut self.kept[place];
        if kept.is_deleted {
            return Became::Deleted;
        }
        let before = kept.stored.workout.clone();
        take_over(&mut kept.stored.workout, told);
        let (is_changed, start) = (kept.stored.workout != before, kept.stored.workout.start);
        if let Some(id) = &told.peloton_workout_id {
            self.by_peloton_id.insert(id.clone(), place);
        }
        if !is_changed {
            return Became::Unchanged(place);
        }
        if start != before.start {
            self.index(start, place);
        }
        Became::Changed(place)
    }
}

/// Of each workout that is told of, the first one that is the same in all, which may be itself.
fn firsts(told: &[Workout]) -> Vec<usize> {
    let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
    let first_of = |(index, workout): (usize, &Workout)| {
        let of_key = by_key.entry(key_of(workout)).or_default();
        let first = of_key.iter().copied().find(|other| told[*other] == *workout);
        first.unwrap_or_else(|| {
            of_key.push(index);
            index
        })
    };
    told.iter().enumerate().map(first_of).collect()
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

/// The minute that the rider's clock showed.
fn minute_of_clock(start: &Start) -> i64 {
    start.local.and_utc().timestamp().div_euclid(60)
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
    let is_same_minute = minute(&stored.start) == minute(&told.start);
    if is_same_minute || is_guess(stored, told) && minute_of_clock(&stored.start) == minute_of_clock(&told.start) {
        return Some(if is_same_work(stored, told) {
            Likeness::Same
        } else {
            Likeness::SameMinute
        });
    }
    // One source reads one clock: for it, another minute is another workout.
    let may_differ = stored.source != told.source || stored.start.precision != told.start.precision;
    (may_differ && is_beside(stored, told) && is_same_work(stored, told)).then_some(Likeness::Beside)
}

/// Whether one of the instants is made of a wall clock and a guess at its zone.
fn is_guess(one: &Workout, other: &Workout) -> bool {
    [one, other]
        .iter()
        .any(|workout| workout.start.precision == Precision::WallClock)
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

fn is_beside(one: &Workout, other: &Workout) -> bool {
    let apart = (one.start.at - other.start.at).abs();
    let is_near = |apart: TimeDelta| apart.abs() <= BESIDE;
    is_near(apart)
        || is_guess(one, other)
            && (is_near(one.start.local - other.start.local) || is_near(apart - TimeDelta::hours(1)))
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
    let is_better_name = match (is_name(&stored.instructor), is_name(&told.instructor)) {
        (true, false) => false,
        (false, true) => true,
        _ => knows_better,
    };
    choose(&mut stored.instructor, &told.instructor, is_better_name);
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

/// Whether an instructor is known by a name. Where nobody told it, an id stands there: 32 hexadecimal digits.
fn is_name(instructor: &Option<String>) -> bool {
    let is_id = |text: &String| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    instructor.as_ref().is_some_and(|text| !is_id(text))
}

fn choose<T: Clone>(stored: &mut Option<T>, told: &Option<T>, knows_better: bool) {
    if told.is_some() && (knows_better || stored.is_none()) {
        stored.clone_from(told);
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
