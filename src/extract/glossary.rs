//! What a column's name means, wherever it is.

/// What is said of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The column.
    pub name: &'static str,
    /// Its unit, where it is a quantity.
    pub unit: Option<&'static str>,
    /// What people call it.
    pub caption: &'static str,
    /// What a value says.
    pub meaning: &'static str,
    /// Whether it tells of a person.
    pub is_personal: bool,
}

/// What is said of the column `name`; of one of a table of somebody's own making, nothing.
#[must_use]
pub fn of(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

/// The names of columns that tell of a person.
pub fn personal_names() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().filter(|entry| entry.is_personal).map(|entry| entry.name)
}

/// Words of columns' names that hint at a person, or at an id by which somebody is found.
const HINTS: [&str; 14] = [
    "name", "forename", "surname", "email", "mail", "address", "street", "postcode", "birth", "dob", "phone", "rider",
    "user", "serial",
];

/// Whether a column that the glossary does not know may tell of a person, by its name: it is in the extracts as it is.
#[must_use]
pub fn hints_at_person(name: &str) -> bool {
    let name = name.to_lowercase();
    of(&name).is_none()
        && name
            .split(|letter: char| !letter.is_alphabetic())
            .any(|word| HINTS.contains(&word))
}

/// What a column means of a table whose rows add rides up, where that is another thing than of a single one.
#[must_use]
pub fn of_sums(name: &str) -> Option<&'static str> {
    SUMS.iter()
        .find(|(column, _)| *column == name)
        .map(|(_, meaning)| *meaning)
}

const OVER_RIDES: &str = "Mean over the rides that have it, each counting once";
const OF_RIDES: &str = "Highest of the rides";

const SUMS: [(&str, &str); 13] = [
    ("business_day", "The company's day in which the rides ended"),
    (
        "age_band",
        "The riders' age when their first ride of the day began, in the report's bands, which `rides` and `riders` do not have: under 18, 18–24, \
         25–34, 35–44, 45–54, 55–64, 65+ or unknown",
    ),
    ("duration_seconds", "Length of the rides, added up"),
    ("energy_kilojoules", "Work done in the rides, added up"),
    ("dropout_seconds", "Seconds in which sensors had no contact, added up"),
    ("power_watts_mean", OVER_RIDES),
    ("power_watts_max", OF_RIDES),
    ("heart_rate_bpm_mean", OVER_RIDES),
    ("heart_rate_bpm_max", OF_RIDES),
    ("cadence_rpm_mean", OVER_RIDES),
    ("cadence_rpm_max", OF_RIDES),
    ("resistance_mean", OVER_RIDES),
    ("resistance_max", OF_RIDES),
];

/// What a row is of a table that is not made by somebody's SQL.
#[must_use]
pub fn grain_of(table: &str) -> Option<&'static str> {
    GRAINS.iter().find(|(name, _)| *name == table).map(|(_, grain)| *grain)
}

const GRAINS: [(&str, &str); 6] = [
    (
        "rides",
        "One row a ride of a sealed day, with what was known of its rider when it began.",
    ),
    (
        "readings_per_minute",
        "One row a ride of a sealed day and minute in which there is a reading.",
    ),
    (
        "riders",
        "One row a rider, as the newest ride described them, with what their rides of sealed days add up to.",
    ),
    ("workouts", "One row a workout at Peloton."),
    (
        "daily/rides",
        "One row a ride that is over and not in `rides` yet, as its day is not sealed: what it says may change.",
    ),
    (
        "daily/readings_per_minute",
        "One row a minute of the rides that are over and not in `rides` yet, as their day is not sealed.",
    ),
];

const fn plain(name: &'static str, caption: &'static str, meaning: &'static str) -> Entry {
    Entry {
        name,
        unit: None,
        caption,
        meaning,
        is_personal: false,
    }
}

const fn quantity(name: &'static str, unit: &'static str, caption: &'static str, meaning: &'static str) -> Entry {
    Entry {
        name,
        unit: Some(unit),
        caption,
        meaning,
        is_personal: false,
    }
}

const fn personal(name: &'static str, caption: &'static str, meaning: &'static str) -> Entry {
    Entry {
        name,
        unit: None,
        caption,
        meaning,
        is_personal: true,
    }
}

/// Every column of the tables that are shipped.
pub const ENTRIES: &[Entry] = &[
    plain(
        "ride",
        "Ride",
        "The ride: a pseudonym, the same in every table and at every extract",
    ),
    plain(
        "rider",
        "Rider",
        "The rider: a pseudonym, the same in every table and at every extract; empty where no rider is known",
    ),
    plain("bike", "Bike", "The bike: a pseudonym, the same at every extract"),
    plain(
        "business_day",
        "Business day",
        "The company's day in which the ride ended",
    ),
    plain("started_at", "Started at", "When the ride began, UTC"),
    plain("ended_at", "Ended at", "When the last reading was taken, UTC"),
    plain(
        "started_local",
        "Started at, local time",
        "When the ride began, in the company's time zone",
    ),
    plain(
        "hour_of_day",
        "Hour of day",
        "The hour in which the ride began, 0–23, in the company's time zone",
    ),
    plain(
        "weekday",
        "Weekday",
        "The weekday on which the ride began, 1 Monday to 7 Sunday, in the company's time zone",
    ),
    plain(
        "gender",
        "Gender",
        "As the rider's account says: female, male, other or unknown",
    ),
    plain(
        "age_band",
        "Age",
        "The rider's age when the ride, or their newest one, began: < 18, 18–24, 25–34, 35–44, 45–54, 55+ or unknown",
    ),
    plain("city", "Town", "The town of the rider's address"),
    plain(
        "postcode_area",
        "Postcode area",
        "The letters that the rider's postcode begins with",
    ),
    plain("source", "Channel", "How the rider came to the company"),
    plain("end_reason", "End", "What ended the ride: marker, next_ride or idle"),
    plain(
        "is_partial",
        "Is partial",
        "Whether the ride's beginning was not received",
    ),
    quantity("duration_seconds", "s", "Duration", "The largest second of the ride"),
    quantity(
        "reading_count",
        "readings",
        "Readings",
        "Seconds of which there is a reading",
    ),
    quantity(
        "energy_kilojoules",
        "kJ",
        "Energy",
        "Work done: the sum of watts over seconds, / 1000",
    ),
    quantity(
        "power_watts_mean",
        "W",
        "Mean power",
        "Mean over the readings that have it",
    ),
    quantity("power_watts_max", "W", "Highest power", "Highest of the readings"),
    quantity(
        "heart_rate_bpm_mean",
        "bpm",
        "Mean heart rate",
        "Mean over the readings with contact",
    ),
    quantity(
        "heart_rate_bpm_min",
        "bpm",
        "Lowest heart rate",
        "Lowest of the readings with contact",
    ),
    quantity(
        "heart_rate_bpm_max",
        "bpm",
        "Highest heart rate",
        "Highest of the readings with contact",
    ),
    quantity(
        "dropout_seconds",
        "s",
        "Without contact",
        "Seconds in which the heart-rate sensor had no contact",
    ),
    quantity(
        "cadence_rpm_mean",
        "rpm",
        "Mean cadence",
        "Mean over the readings that have it",
    ),
    quantity("cadence_rpm_max", "rpm", "Highest cadence", "Highest of the readings"),
    quantity(
        "resistance_mean",
        "bike units",
        "Mean resistance",
        "Mean over the readings that have it, in the bike's own units",
    ),
    quantity(
        "resistance_max",
        "bike units",
        "Highest resistance",
        "Highest of the readings, in the bike's own units",
    ),
    quantity(
        "flagged_readings",
        "readings",
        "Flagged readings",
        "Readings with a value that is implausible; they count in all figures",
    ),
    quantity(
        "alert_count",
        "alerts",
        "Heart-rate alerts",
        "Heart-rate alerts raised in the ride",
    ),
    personal("ride_id", "Ride id", "The ride's number in the API"),
    personal("rider_id", "Rider id", "The rider's number in the API"),
    personal("bike_serial", "Bike serial", "The bike's serial number"),
    personal("name", "Name", "The rider's name"),
    personal("email_address", "E-mail", "The rider's e-mail address"),
    personal("address", "Address", "The rider's address"),
    personal("postcode", "Postcode", "The rider's postcode"),
    personal("date_of_birth", "Date of birth", "The rider's date of birth"),
    Entry {
        name: "age_years",
        unit: Some("years"),
        caption: "Age in years",
        meaning: "The rider's age when the ride began",
        is_personal: true,
    },
    Entry {
        name: "height_cm",
        unit: Some("cm"),
        caption: "Height",
        meaning: "The rider's height",
        is_personal: true,
    },
    Entry {
        name: "weight_kg",
        unit: Some("kg"),
        caption: "Weight",
        meaning: "The rider's weight",
        is_personal: true,
    },
    quantity("minute", "min", "Minute", "The minute of the ride, from 0"),
    plain(
        "first_ride_at",
        "First ride",
        "When the first ride of a sealed day began, UTC",
    ),
    plain(
        "last_ride_at",
        "Last ride",
        "When the last ride of a sealed day began, UTC",
    ),
    quantity("rides", "rides", "Rides", "How many rides"),
    quantity("riders", "riders", "Riders", "How many riders, each counted once"),
    quantity(
        "new_riders",
        "riders",
        "New riders",
        "How many riders rode for the first time",
    ),
    quantity(
        "longest_ride_seconds",
        "s",
        "Longest ride",
        "Length of the longest of the rides",
    ),
    quantity(
        "power_watts_median",
        "W",
        "Median power",
        "Median of the rides' mean power",
    ),
    quantity(
        "heart_rate_bpm_median",
        "bpm",
        "Median heart rate",
        "Median of the rides' mean heart rate",
    ),
    quantity(
        "rides_with_power",
        "rides",
        "Rides with power",
        "How many of the rides have a mean power: what that counts when days are added up",
    ),
    quantity(
        "rides_with_heart_rate",
        "rides",
        "Rides with heart rate",
        "How many of the rides have a mean heart rate: what that counts when days are added up",
    ),
    quantity(
        "rides_with_cadence",
        "rides",
        "Rides with cadence",
        "How many of the rides have a mean cadence: what that counts when days are added up",
    ),
    quantity(
        "rides_with_resistance",
        "rides",
        "Rides with resistance",
        "How many of the rides have a mean resistance: what that counts when days are added up",
    ),
    plain(
        "channel",
        "Channel",
        "How the riders came to the company; unknown where that is not known",
    ),
    quantity(
        "heart_rate_bpm_from",
        "bpm",
        "Heart rate from",
        "Where the bin of mean heart rates begins; it is 5 bpm wide",
    ),
    plain(
        "heart_rate_zone",
        "Heart-rate zone",
        "z1 to z5, or unknown where the rider's age is not known",
    ),
    quantity(
        "power_watts_from",
        "W",
        "Power from",
        "Where the bin of mean power begins; it is 20 W wide",
    ),
    plain("starts_at", "Hour", "When the hour begins, UTC"),
    quantity(
        "rides_begun_00_14",
        "rides",
        "Rides begun :00–:14",
        "How many of the rides began in minutes 00 to 14 of the hour",
    ),
    quantity(
        "rides_begun_15_29",
        "rides",
        "Rides begun :15–:29",
        "How many of the rides began in minutes 15 to 29 of the hour",
    ),
    quantity(
        "rides_begun_30_44",
        "rides",
        "Rides begun :30–:44",
        "How many of the rides began in minutes 30 to 44 of the hour",
    ),
    quantity(
        "rides_begun_45_59",
        "rides",
        "Rides begun :45–:59",
        "How many of the rides began in minutes 45 to 59 of the hour",
    ),
    quantity(
        "readings",
        "readings",
        "Readings",
        "How many seconds of rides there are readings of",
    ),
    quantity(
        "missing_seconds",
        "s",
        "Missing seconds",
        "Seconds of the bikes' own counters of which nothing arrived",
    ),
    quantity(
        "partial_rides",
        "rides",
        "Partial rides",
        "How many of the rides were received without their beginning",
    ),
    quantity(
        "idle_rides",
        "rides",
        "Idle rides",
        "How many of the rides ended without a marker",
    ),
    quantity(
        "alerts",
        "alerts",
        "Heart-rate alerts",
        "How many heart-rate alerts were raised",
    ),
    plain(
        "workout",
        "Workout",
        "The workout at Peloton: a pseudonym, the same at every extract",
    ),
    plain(
        "workout_rider",
        "Rider",
        "The rider of the workout: a pseudonym made of the name they have there; it is not that of their rides here",
    ),
    plain(
        "workout_source",
        "Source",
        "Which source tells of the workout: export, api or older_system",
    ),
    plain(
        "start_precision",
        "Precision of the start",
        "How exactly the start is known: wall_clock, minute or second",
    ),
    plain(
        "discipline",
        "Discipline",
        "Peloton's own word: cycling, running, yoga and others",
    ),
    plain(
        "workout_kind",
        "Kind",
        "class, scenic, freestyle, just_ride, lanebreak, time_goal or entertainment",
    ),
    plain("class_type", "Class type", "What Peloton calls this type of class"),
    plain("title", "Title", "What the class or the workout is called"),
    plain("instructor", "Instructor", "Who gave the class"),
    quantity("class_seconds", "s", "Class length", "How long the class is"),
    quantity("ridden_seconds", "s", "Time", "How long the workout took"),
    plain("is_live", "Is live", "Whether it was taken while it was given"),
    plain("class_aired_at", "Class given at", "When the class was given, UTC"),
    plain(
        "is_personal_record",
        "Is a record",
        "Whether it was the rider's best at Peloton by then",
    ),
    plain("leaderboard_rank", "Rank", "The place on the class's leaderboard"),
    quantity(
        "leaderboard_riders",
        "riders",
        "Riders on the leaderboard",
        "How many were on the class's leaderboard",
    ),
    quantity(
        "total_output_kilojoules",
        "kJ",
        "Total output",
        "Work done, as Peloton tells it",
    ),
    quantity(
        "resistance_percent_mean",
        "%",
        "Mean resistance",
        "In Peloton's own measure: not that of the bikes here",
    ),
    quantity(
        "speed_metres_per_second_mean",
        "m/s",
        "Mean speed",
        "As Peloton tells it",
    ),
    quantity("distance_metres", "m", "Distance", "As Peloton tells it"),
    quantity(
        "energy_kilocalories",
        "kcal",
        "Calories",
        "Energy that the rider spent, as Peloton estimates it",
    ),
    quantity("incline_percent_mean", "%", "Mean incline", "Of a treadmill"),
    quantity(
        "pace_seconds_per_kilometre_mean",
        "s/km",
        "Mean pace",
        "Of a run or a walk",
    ),
    quantity("effort_points", "points", "Effort points", "Peloton's strive score"),
    quantity(
        "ftp_watts",
        "W",
        "FTP",
        "The functional threshold power that Peloton goes by",
    ),
    quantity(
        "graph_coverage",
        "of 1",
        "Coverage",
        "How much of the workout its course has readings of",
    ),
    personal("workout_id", "Workout id", "The workout's id in the API"),
    personal("rider_name", "Name", "The rider's name"),
    personal("forename", "First name", "The rider's first name"),
    personal("surname", "Last name", "The rider's last name"),
    personal("street", "Street", "House and street of the rider's address"),
];
