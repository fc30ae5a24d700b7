//! Days, leaderboards, towns and published reports.

use chrono::NaiveDate;
use poem::web::Data;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
};

use super::{
    ApiContext, Tag,
    access::Caller,
    assets, default_limit,
    problem::Refusal,
    rides::{cut, page},
    schema::{City, CityList, Measure, Place, PlaceList, Report, ReportList, RideList},
};
use crate::store::query::{self, RideFilter, ledger};

/// The operations on days and what is counted over them.
pub(super) struct Days {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Reports")]
impl Days {
    /// List a day's rides
    ///
    /// Rides that ended in a business day, newest first; an empty day is an empty list. What is under way belongs to no
    /// day yet: see `/live`.
    #[oai(path = "/daily", method = "get", operation_id = "list_daily_rides")]
    async fn daily(
        &self,
        /// The business day: `2022-07-07`, or `07-07-2022`. Today when left out.
        date: Query<Option<String>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RideList>, Refusal> {
        let day = date
            .0
            .as_deref()
            .map_or_else(|| Ok(self.context.today()), |text| parse_day("date", text))?;
        let filter = RideFilter {
            day: Some(day),
            ..RideFilter::default()
        };
        page(&self.context, filter, limit.0, cursor.0).await.map(Json)
    }

    /// Get the leaderboard
    ///
    /// The best riders by one measure over the rides that have ended. Equal figures share a rank.
    #[oai(path = "/leaderboard", method = "get", operation_id = "get_leaderboard")]
    async fn leaderboard(
        &self,
        caller: Data<&Caller>,
        /// What riders are ranked by.
        #[oai(default = "most_rides")]
        measure: Query<Measure>,
        /// First business day that counts; all of history when left out.
        from: Query<Option<String>>,
        /// Last business day that counts.
        to: Query<Option<String>>,
        /// Most places in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
    ) -> Result<Json<PlaceList>, Refusal> {
        let from = from.0.as_deref().map(|text| parse_day("from", text)).transpose()?;
        let to = to.0.as_deref().map(|text| parse_day("to", text)).transpose()?;
        let (measure, unit) = measure.0.name_and_unit();
        let limit = limit.0;
        let places = self
            .context
            .read(move |store| query::leaderboard(store, measure, from, to, limit))
            .await?;
        let items = places.into_iter().map(|place| Place {
            rank: place.rank,
            pseudonym: self.context.store.pseudonyms().of(place.rider_id),
            rider_id: Some(place.rider_id).filter(|_| caller.sees_numbers()),
            name: place.name.filter(|_| caller.sees_persons()),
            value: place.value,
            unit: unit.to_owned(),
            rides: place.rides,
        });
        Ok(Json(PlaceList {
            items: items.collect(),
            next: None,
        }))
    }

    /// List cities
    ///
    /// The towns that riders live in, those with most rides first.
    #[oai(path = "/cities", method = "get", operation_id = "list_cities")]
    async fn cities(
        &self,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
    ) -> Result<Json<CityList>, Refusal> {
        let limit = limit.0;
        let cities = self.context.read(move |store| query::cities(store, limit)).await?;
        Ok(Json(CityList {
            items: cities.into_iter().map(City::from).collect(),
            next: None,
        }))
    }

    /// List the rides of a city's riders
    ///
    /// Newest first; a town that nobody lives in has none.
    #[oai(path = "/cities/:city/rides", method = "get", operation_id = "list_city_rides")]
    async fn city_rides(
        &self,
        /// The town, in any case.
        city: Path<String>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RideList>, Refusal> {
        let filter = RideFilter {
            town: Some(city.0),
            ..RideFilter::default()
        };
        page(&self.context, filter, limit.0, cursor.0).await.map(Json)
    }

    /// List reports
    ///
    /// Finished days, newest first, with the addresses of what is published of them.
    #[oai(path = "/reports", method = "get", operation_id = "list_reports")]
    async fn reports(
        &self,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ReportList>, Refusal> {
        let before = cursor.0.as_deref().map(|text| parse_day("cursor", text)).transpose()?;
        let (context, limit) = (self.context.clone(), limit.0);
        let (days, next) = self
            .context
            .read(move |store| {
                let mut days = ledger::sealed_days(store, before, limit + 1)?;
                let next = cut(&mut days, limit).map(|last| last.day.to_string());
                let days = days.into_iter().map(|day| Report {
                    links: assets::published(&context, day.day),
                    day: day.day,
                    rides: day.ride_count,
                    readings: day.reading_count,
                    sealed_at: day.sealed_at,
                    seal_count: day.seal_count,
                });
                Ok((days.collect(), next))
            })
            .await?;
        Ok(Json(ReportList { items: days, next }))
    }
}

fn most_rides() -> Measure {
    Measure::Rides
}

/// A day as ISO 8601 or as the older systems wrote it, day first.
pub(super) fn parse_day(name: &str, text: &str) -> Result<NaiveDate, Refusal> {
    let format = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => "%Y-%m-%d",
        _ => "%d-%m-%Y",
    };
    let day = (text.len() == 10)
        .then(|| NaiveDate::parse_from_str(text, format).ok())
        .flatten();
    day.ok_or_else(|| {
        Refusal::bad_request(format!(
            "`{name}` is not a day: expected one such as `2022-07-07` or `07-07-2022`"
        ))
    })
}
