//! Finished days and their reports.

use chrono::NaiveDate;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
};

use super::{
    ApiContext, Tag, assets, default_limit,
    page::{cut, parse_cursor, parse_day},
    problem::Refusal,
    schema::{Report, ReportList},
};
use crate::store::{Doing, query::ledger};

/// The operations on reports.
pub(super) struct Reports {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Reports")]
impl Reports {
    /// List reports
    ///
    /// Finished days, newest first, with the addresses of what is published of them.
    #[oai(path = "/reports", method = "get", operation_id = "list_reports")]
    async fn list(
        &self,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ReportList>, Refusal> {
        let before: Option<NaiveDate> = cursor.0.as_deref().map(parse_cursor).transpose()?;
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

    /// Get a day's report
    ///
    /// Everything that its page, PDF and mail say, as figures: headlines with what they are compared with, and the table
    /// behind each chart. Nothing in it names a rider.
    #[oai(path = "/reports/:day", method = "get", operation_id = "get_report")]
    async fn report(
        &self,
        /// The business day: `2022-07-07`, or `07-07-2022`.
        day: Path<String>,
    ) -> Result<Json<serde_json::Value>, Refusal> {
        let day = parse_day("day", &day.0)?;
        let found = self
            .context
            .read(move |store| {
                let path = store.data_dir().join(format!("reports/{day}/report.json"));
                match std::fs::read(&path) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    found => found.doing(|| format!("cannot read `{}`", path.display())).map(Some),
                }
            })
            .await?;
        let report = found.and_then(|text| serde_json::from_slice(&text).ok()).map(Json);
        report.ok_or_else(|| Refusal::not_found(format!("there is no report of {day}; /api/v1/reports lists the days")))
    }
}
