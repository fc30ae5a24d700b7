//! Every heart rate of a day's rides, ride by ride, without holding them all.

use chrono::{DateTime, NaiveDate};
use duckdb::arrow::{
    array::{Array, AsArray},
    datatypes::{Int32Type, Int64Type},
};

use super::{Doing, Result, Store, StoreError};
use crate::domain::rider::{Gender, age_at};

/// What [`Store::heart_rates`] tells: a ride, then its readings in order, then the next ride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeartRates {
    /// A ride begins.
    Ride {
        /// Its rider.
        rider_id: i64,
        /// The rider's age at its start.
        age: Option<i32>,
        /// The rider's gender.
        gender: Gender,
    },
    /// A second of it.
    Reading {
        /// The bike's own counter.
        second: i32,
        /// None without contact, and where the line was lost.
        heart_rate_bpm: Option<i32>,
        /// There was no contact.
        is_dropout: bool,
    },
}

impl Store {
    /// Tells every heart rate of the rides that ended in `day` and whose riders are known. Answers how many rides.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn heart_rates(&self, day: NaiveDate, mut each: impl FnMut(HeartRates)) -> Result<usize> {
        let connection = self.connection()?;
        let doing = || format!("cannot read the heart rates of {day}");
        // One transaction: rides and readings are of the same moment. It ends with the lease.
        connection.execute_batch("begin").doing(doing)?;
        let mut statement = connection
            .prepare(include_str!("sql/heart_rate_rides.sql"))
            .doing(doing)?;
        let rides: Vec<HeartRates> = statement
            .query_map([day.to_string()], |row| {
                let started_at = DateTime::from_timestamp_micros(row.get(1)?).unwrap_or_default();
                let born: Option<String> = row.get(2)?;
                let born: Option<NaiveDate> = born.and_then(|born| born.parse().ok());
                Ok(HeartRates::Ride {
                    rider_id: row.get(0)?,
                    age: born.and_then(|born| age_at(born, started_at)),
                    gender: Gender::parse(row.get::<_, Option<String>>(3)?.as_deref()),
                })
            })
            .and_then(Iterator::collect)
            .doing(doing)?;
        let mut statement = connection
            .prepare(include_str!("sql/heart_rate_readings.sql"))
            .doing(doing)?;
        let odd = || StoreError::Inconsistent(format!("{}: the columns are not what was asked for", doing()));
        let mut ride = None;
        for batch in statement.stream_arrow([day.to_string()]).doing(doing)? {
            let place = batch.column(0).as_primitive_opt::<Int64Type>().ok_or_else(odd)?;
            let second = batch.column(1).as_primitive_opt::<Int32Type>().ok_or_else(odd)?;
            let bpm = batch.column(2).as_primitive_opt::<Int32Type>().ok_or_else(odd)?;
            let is_dropout = batch.column(3).as_boolean_opt().ok_or_else(odd)?;
            for row in 0..batch.num_rows() {
                if ride.replace(place.value(row)) != Some(place.value(row)) {
                    let begun = usize::try_from(place.value(row)).ok();
                    each(*begun.and_then(|place| rides.get(place)).ok_or_else(odd)?);
                }
                each(HeartRates::Reading {
                    second: second.value(row),
                    heart_rate_bpm: bpm.is_valid(row).then(|| bpm.value(row)),
                    is_dropout: is_dropout.value(row),
                });
            }
        }
        Ok(rides.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{open, ride};

    #[test]
    fn a_day_is_told_ride_by_ride_from_the_buffer_and_from_history() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let day = "2026-01-05".parse().unwrap();
        ride(&store, "2026-01-05T09:00:00Z", 3);
        ride(&store, "2026-01-05T10:00:00Z", 2);
        ride(&store, "2026-01-06T10:00:00Z", 2);
        let told = || {
            let mut told = Vec::new();
            assert_eq!(store.heart_rates(day, |what| told.push(what)).unwrap(), 2);
            told
        };
        let begins = HeartRates::Ride {
            rider_id: 7,
            age: None,
            gender: Gender::Male,
        };
        let reading = |second| HeartRates::Reading {
            second,
            heart_rate_bpm: Some(100 + second),
            is_dropout: false,
        };
        let expected = [
            begins,
            reading(1),
            reading(2),
            reading(3),
            begins,
            reading(1),
            reading(2),
        ];
        assert_eq!(told(), expected);
        store.seal(day).unwrap();
        store.prune(day).unwrap();
        assert_eq!(told(), expected);
    }
}
