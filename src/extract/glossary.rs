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
        "The weekday of the business day, 1 Monday to 7 Sunday",
    ),
    plain(
        "gender",
        "Gender",
        "As the rider's account says: female, male, other or unknown",
    ),
    plain(
        "age_band",
        "Age",
        "The rider's age when the ride began: < 18, 18–24, 25–34, 35–44, 45–54, 55+ or unknown",
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
];
