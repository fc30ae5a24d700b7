//! Days, leaderboards and towns.

use poem::web::Data;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
};

use super::{
    ApiContext, Tag,
    access::Caller,
    default_limit,
    page::{
        CITY_ORDERS, Gender, cut, from_hex, hex, parse_ages, parse_cursor, parse_days, parse_figure_and, parse_sort,
        parse_towns,
    },
    problem::Refusal,
    rides::{Days as Span, page},
    schema::{City, CityList, Measure, Place, PlaceList, RideList},
};
use crate::store::query::{self, BoardFilter, CityOrder, RideFilter, RiderFilter};

/// The operations on days and what is counted over them.
pub(super) struct Days {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Reports")]
impl Days {
    /// List a day's rides
    ///
    /// Rides that ended in a business day, or in the days of a month or a year, newest first; an empty day is an empty list.
    /// What is under way belongs to no day yet: see `/live`.
    #[oai(path = "/daily", method = "get", operation_id = "list_daily_rides")]
    async fn daily(
        &self,
        /// The business day: `2022-07-07`, or `07-07-2022`; a month, `2022-07`, or a year. Today when left out.
        date: Query<Option<String>>,
        /// What to sort by; `-` before it is the largest first. What has no such figure comes last.
        sort: Query<Option<String>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before, of the same order.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RideList>, Refusal> {
        let today = || Ok((self.context.today(), self.context.today()));
        let (first, last) = date.0.as_deref().map_or_else(today, |text| parse_days("date", text))?;
        let days = Span {
            first: Some(first),
            last: Some(last),
        };
        page(&self.context, days.filter(), sort.0.as_deref(), limit.0, cursor.0)
            .await
            .map(Json)
    }

    /// Get the leaderboard
    ///
    /// The best riders by one measure over the rides that have ended. Equal figures share a rank.
    #[oai(path = "/leaderboard", method = "get", operation_id = "get_leaderboard")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
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
        /// Only riders who live in this town, in any case, or in one of several, parted by commas.
        city: Query<Option<String>>,
        /// Only riders of this gender.
        gender: Query<Option<Gender>>,
        /// Only rides of riders who were so old then: `25-34`, `30`, `65-`, `-17`.
        age: Query<Option<String>>,
        /// Only figures as great as this, or greater; ranks are those among the rest.
        min: Query<Option<f64>>,
        /// Only figures as small as this, or smaller.
        max: Query<Option<f64>>,
        /// Most places in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<PlaceList>, Refusal> {
        let days = Span::of(None, from.0.as_deref(), to.0.as_deref())?;
        let offset: u32 = cursor.0.as_deref().map_or(Ok(0), parse_cursor)?;
        let filter = BoardFilter {
            first_day: days.first,
            last_day: days.last,
            riders: RiderFilter {
                towns: parse_towns(city.0.as_deref()),
                gender: gender.0.map(Into::into),
                ages: age.0.as_deref().map(parse_ages).transpose()?,
            },
            min: min.0,
            max: max.0,
            offset,
        };
        if [min.0, max.0].into_iter().flatten().any(|bound| !bound.is_finite()) {
            return Err(Refusal::unsuitable("`min` and `max` are numbers that are finite"));
        }
        if min.0.zip(max.0).is_some_and(|(min, max)| min > max) {
            return Err(Refusal::unsuitable(
                "`min` is greater than `max`: nothing is between them",
            ));
        }
        let (measure, unit) = measure.0.ranked_and_unit();
        let limit = limit.0;
        let mut places = self
            .context
            .read(move |store| query::leaderboard(store, measure, &filter, limit + 1))
            .await?;
        let next = cut(&mut places, limit).map(|_| offset.saturating_add(limit).to_string());
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
            next,
        }))
    }

    /// List cities
    ///
    /// The towns that riders live in, those with most rides first unless `sort` says otherwise.
    #[oai(path = "/cities", method = "get", operation_id = "list_cities")]
    async fn cities(
        &self,
        /// What to sort by; `-` before it is the largest first.
        sort: Query<Option<String>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before, of the same order.
        cursor: Query<Option<String>>,
    ) -> Result<Json<CityList>, Refusal> {
        let order = parse_sort(sort.0.as_deref(), &CITY_ORDERS, (CityOrder::Rides, false));
        let after = match cursor.0.as_deref().map(parse_figure_and::<String>).transpose()? {
            None => None,
            Some((figure, name)) => Some((figure, from_hex(&name)?)),
        };
        let limit = limit.0;
        let mut cities = self
            .context
            .read(move |store| query::cities(store, order, after, limit + 1))
            .await?;
        let figure = |city: &query::City| match order.0 {
            CityOrder::Rides => city.rides,
            CityOrder::Riders => city.riders,
        };
        let next = cut(&mut cities, limit).map(|last| format!("{}_{}", figure(last), hex(&last.name)));
        Ok(Json(CityList {
            items: cities.into_iter().map(City::from).collect(),
            next,
        }))
    }

    /// List the rides of a city's riders
    ///
    /// Newest first unless `sort` says otherwise; a town that nobody lives in has none.
    #[oai(path = "/cities/:city/rides", method = "get", operation_id = "list_city_rides")]
    async fn city_rides(
        &self,
        /// The town, in any case.
        city: Path<String>,
        /// Only rides that ended in this business day or later.
        from: Query<Option<String>>,
        /// Only rides that ended in this business day or before.
        to: Query<Option<String>>,
        /// What to sort by; `-` before it is the largest first. What has no such figure comes last.
        sort: Query<Option<String>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before, of the same order.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RideList>, Refusal> {
        let filter = RideFilter {
            riders: RiderFilter {
                towns: vec![city.0],
                ..RiderFilter::default()
            },
            ..Span::of(None, from.0.as_deref(), to.0.as_deref())?.filter()
        };
        page(&self.context, filter, sort.0.as_deref(), limit.0, cursor.0)
            .await
            .map(Json)
    }
}

fn most_rides() -> Measure {
    Measure::Rides
}
