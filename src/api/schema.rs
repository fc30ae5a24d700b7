//! The objects of the API. Numbers are numbers, times are RFC 3339 in UTC, units are in names; what has no value is
//! null.

mod alert;
mod best;
mod board;
mod erasure;
mod job;
mod rejected;
mod report;
mod ride;
mod rider;
mod status;
mod summary;
mod workout;

use poem_openapi::Object;

pub use alert::Alert;
pub use best::Best;
pub use board::{City, Measure, Place};
pub use erasure::{Erased, Erasure};
pub use job::{AskedJobRun, Job, JobRun, JobRunDetail, LogLine};
pub use rejected::{RejectedLine, RejectedText, Replayed};
pub use report::{Link, Report};
pub use ride::{Reading, Ride, RideDuration};
pub use rider::{Rider, RiderLimits, RiderLimitsUpdate};
pub use status::Status;
pub use summary::{ExpandedRide, RideSummary};
pub use workout::{Workout, WorkoutKind, WorkoutSample};

/// Declares `$list`, a page of `$item`s.
macro_rules! list {
    ($(#[$doc:meta] $list:ident of $item:ty;)*) => {$(
        #[$doc]
        #[derive(Debug, Clone, Object)]
        pub struct $list {
            /// The page's items.
            pub items: Vec<$item>,
            /// Give it as `cursor` to get the next page; null on the last one.
            pub next: Option<String>,
        }
    )*};
}

list! {
    /// A page of rides, newest first.
    RideList of Ride;
    /// A page of rides with every reading, newest first.
    ExpandedRideList of ExpandedRide;
    /// A page of readings, in order.
    ReadingList of Reading;
    /// A page of rides and how long they were, longest first.
    RideDurationList of RideDuration;
    /// A page of riders.
    RiderList of Rider;
    /// A rider's best figures, by their names.
    BestList of Best;
    /// Places, best first.
    PlaceList of Place;
    /// Towns, most rides first.
    CityList of City;
    /// A page of heart-rate alerts, newest first.
    AlertList of Alert;
    /// A page of days, newest first.
    ReportList of Report;
    /// A page of workouts, newest first.
    WorkoutList of Workout;
    /// A page of a workout's course, in order.
    WorkoutSampleList of WorkoutSample;
    /// The jobs, in the order of the schedule.
    JobList of Job;
    /// A page of runs, newest first.
    JobRunList of JobRun;
    /// A page of rejected lines, newest first.
    RejectedLineList of RejectedLine;
    /// Rejected lines with their texts.
    RejectedTextList of RejectedText;
    /// A page of erasures, newest first.
    ErasureList of Erasure;
}
