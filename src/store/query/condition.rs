//! What rows of a list have to be: conditions put together of fixed texts, each with its value bound. A condition that is not
//! asked for is not in the statement, so that nothing is read for it.

use chrono::{DateTime, Months, NaiveDate, TimeDelta, Utc};
use duckdb::ToSql;

use crate::domain::rider::Gender;

/// Ages in whole years, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// The youngest.
    pub from: i32,
    /// The oldest.
    pub to: i32,
}

impl Ages {
    /// When those were born, at most, who were so old at some time from the first instant to the last.
    pub(super) fn born(self, first: DateTime<Utc>, last: DateTime<Utc>) -> (Option<NaiveDate>, Option<NaiveDate>) {
        // In years without a 29 February somebody may be a day younger or older than one would think.
        let (day, months) = (TimeDelta::days(2), |years: i32| Months::new(12 * years.unsigned_abs()));
        let after = first.date_naive().checked_sub_months(months(self.to + 1));
        let before = last.date_naive().checked_sub_months(months(self.from));
        (
            after.and_then(|after| after.checked_sub_signed(day)),
            before.and_then(|before| before.checked_add_signed(day)),
        )
    }
}

/// Whose rows. The default is everybody's.
#[derive(Debug, Clone, Default)]
pub struct RiderFilter {
    /// Only of riders who live in one of these towns, in any case.
    pub towns: Vec<String>,
    /// Only of that gender.
    pub gender: Option<Gender>,
    /// Only of those ages: of rides, at their start.
    pub ages: Option<Ages>,
}

impl RiderFilter {
    /// Whether nobody is left out.
    pub(super) fn is_everybody(&self) -> bool {
        self.towns.is_empty() && self.gender.is_none() && self.ages.is_none()
    }
}

/// The conditions of one statement and what is bound in them.
#[derive(Default)]
pub(super) struct Conditions {
    sql: String,
    values: Vec<(&'static str, Box<dyn ToSql>)>,
    /// Some are about the rows' riders.
    are_of_riders: bool,
}

impl Conditions {
    /// Rows have to be so, where there is a value: `condition` has it as `$name`.
    pub(super) fn when<T: ToSql + 'static>(
        &mut self,
        value: Option<T>,
        name: &'static str,
        condition: &str,
    ) -> &mut Self {
        if let Some(value) = value {
            self.sql.push_str(" and ");
            self.sql.push_str(condition);
            self.values.push((name, Box::new(value)));
        }
        self
    }

    /// Rows have to be of such riders; `at` is the instant of ages.
    pub(super) fn of_riders(&mut self, filter: &RiderFilter, at: &str) -> &mut Self {
        let towns = (!filter.towns.is_empty()).then(|| filter.towns.join(",").to_lowercase());
        self.are_of_riders |= !filter.is_everybody();
        self.when(
            towns,
            "towns",
            "list_contains(string_split($towns, ','), lower(whose.town))",
        )
        .when(
            filter.gender.and_then(stored),
            "gender",
            "trim(lower(whose.gender)) = $gender",
        );
        if let Some(ages) = filter.ages {
            let age = age_at(at);
            self.when(Some(ages.from), "age_from", &format!("{age} >= $age_from"))
                .when(Some(ages.to), "age_to", &format!("{age} <= $age_to"));
        }
        match filter.gender {
            Some(Gender::Unknown) => self
                .sql
                .push_str(" and coalesce(trim(lower(whose.gender)), '') in ('', 'unknown')"),
            Some(Gender::Other) => self
                .sql
                .push_str(" and coalesce(trim(lower(whose.gender)), '') not in ('', 'unknown', 'female', 'male')"),
            _ => {}
        }
        self
    }

    /// The statement with the conditions where it says `true /* conditions */`, and with their riders where it says that rows
    /// of `table` have such.
    pub(super) fn put_into(&self, sql: &str, table: &str) -> String {
        let riders = if self.are_of_riders {
            format!("inner join rider as whose on whose.rider_id = {table}.rider_id")
        } else {
            String::new()
        };
        sql.replace("true /* conditions */", &format!("true{}", self.sql))
            .replace("/* riders */", &riders)
    }

    /// What is bound, with `more`.
    pub(super) fn bound<'v>(&'v self, more: &[(&'static str, &'v dyn ToSql)]) -> Vec<(&'static str, &'v dyn ToSql)> {
        let values = self.values.iter().map(|(name, value)| (*name, value.as_ref()));
        values.chain(more.iter().copied()).collect()
    }
}

/// The day a ride began, UTC. A time without a zone is taken apart much faster than one with it.
pub(super) const STARTED_ON: &str = "make_timestamp(epoch_us(ride.started_at))::date";

/// The gender as headers spell it, where there is one spelling.
fn stored(gender: Gender) -> Option<&'static str> {
    matches!(gender, Gender::Female | Gender::Male).then(|| gender.name())
}

/// The rider's age at an instant, in whole years: as everywhere, by calendar dates in UTC.
fn age_at(at: &str) -> String {
    format!(
        "(year({at}) - year(whose.date_of_birth)
          - (month({at}) * 100 + day({at}) < month(whose.date_of_birth) * 100 + day(whose.date_of_birth))::integer)"
    )
}
