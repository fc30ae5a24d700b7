//! Lines that were set aside, and what becomes of those that can be read by now.

use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
};

use super::{
    ApiContext, Tag, default_limit,
    page::{cut, parse_cursor},
    problem::Refusal,
    schema::{RejectedLine, RejectedLineList, RejectedText, RejectedTextList, Replayed},
};
use crate::store::rejected::{Rejected, RejectedFilter};

/// The operations on rejected lines.
pub(super) struct RejectedLines {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Operations")]
impl RejectedLines {
    /// List rejected lines
    ///
    /// Newest first, each with the reason, none with its text, which may be personal.
    #[oai(path = "/rejected", method = "get", operation_id = "list_rejected")]
    async fn list(
        &self,
        /// Only those of this topic or file.
        topic: Query<Option<String>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RejectedLineList>, Refusal> {
        let (topic, limit) = (topic.0, limit.0);
        let before = cursor.0.as_deref().map(parse_place).transpose()?;
        let filter = RejectedFilter { topic, before };
        let mut lines = self
            .context
            .read(move |store| store.rejected(&filter, limit + 1))
            .await?;
        let next = cut(&mut lines, limit).map(place_of);
        Ok(Json(RejectedLineList {
            items: lines.into_iter().map(RejectedLine::from).collect(),
            next,
        }))
    }

    /// Get a rejected line
    ///
    /// With its text. Of several topics and files each may have one at that place, so this is a list.
    #[oai(path = "/rejected/:partition/:offset", method = "get", operation_id = "get_rejected")]
    async fn show(
        &self,
        /// Its partition; 0 in a file.
        partition: Path<i32>,
        /// Its offset; in a file the lines before it.
        offset: Path<i64>,
    ) -> Result<Json<RejectedTextList>, Refusal> {
        let (partition, offset) = (partition.0, offset.0);
        let lines = self
            .context
            .read(move |store| store.rejected_at(partition, offset))
            .await?;
        if lines.is_empty() {
            return Err(Refusal::not_found(format!(
                "no line of partition {partition} was set aside at offset {offset}"
            )));
        }
        let text = |(line, raw): (Rejected, Vec<u8>)| RejectedText {
            line: line.into(),
            text: String::from_utf8_lossy(&raw).into_owned(),
        };
        Ok(Json(RejectedTextList {
            items: lines.into_iter().map(text).collect(),
            next: None,
        }))
    }

    /// Replay rejected lines
    ///
    /// Reads them once more, after an upgrade or a changed setting, and puts those that can be read by now where they
    /// belong. Days that were sealed and have changed are sealed again by the schedule. Doing it again changes nothing.
    #[oai(path = "/rejected/replay", method = "post", operation_id = "replay_rejected")]
    async fn replay(
        &self,
        /// Only those of this topic or file.
        topic: Query<Option<String>>,
    ) -> Result<Json<Replayed>, Refusal> {
        let (replay, topic) = (std::sync::Arc::clone(&self.context.replay), topic.0);
        let replayed = self.context.read(move |_| replay(topic.as_deref())).await?;
        Ok(Json(replayed.into()))
    }
}

fn place_of(line: &Rejected) -> String {
    format!(
        "{}_{}_{}",
        line.received_at.timestamp_micros(),
        line.partition,
        line.offset
    )
}

fn parse_place(cursor: &str) -> Result<(i64, i32, i64), Refusal> {
    let mut parts = cursor.splitn(3, '_');
    let mut part = || parts.next().unwrap_or_default();
    Ok((parse_cursor(part())?, parse_cursor(part())?, parse_cursor(part())?))
}
