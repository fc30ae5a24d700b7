//! What was erased, and erasing on a caller's wish.

use std::sync::Arc;

use anyhow::Context;
use poem_openapi::{OpenApi, param::Query, payload::Json};
use uuid::Uuid;

use super::{
    ApiContext, Tag,
    access::Caller,
    default_limit,
    page::{cut, parse_cursor},
    problem::Refusal,
    schema::{Erasure, ErasureList},
};
use crate::domain::erasure::Subject;

/// The operations on what was erased.
pub(super) struct Erasures {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Operations")]
impl Erasures {
    /// List erasures
    ///
    /// What was erased, by whom and when, the newest first, and whether anything of it is left.
    #[oai(path = "/erasures", method = "get", operation_id = "list_erasures")]
    async fn list(
        &self,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ErasureList>, Refusal> {
        let after: Option<Uuid> = cursor.0.as_deref().map(parse_cursor).transpose()?;
        let mut erasures = self.context.read(|store| store.erasures()).await?;
        if let Some(after) = after {
            let place = erasures.iter().position(|erasure| erasure.erasure_id == after);
            erasures.drain(..place.map_or(erasures.len(), |place| place + 1));
        }
        let next = cut(&mut erasures, limit.0).map(|last| last.erasure_id.to_string());
        Ok(Json(ErasureList {
            items: erasures.into_iter().map(Erasure::from).collect(),
            next,
        }))
    }
}

/// Erases `subject` by the caller's wish, however long that takes: one who goes away changes nothing.
pub(super) async fn erase(context: &ApiContext, subject: Subject, caller: &Caller) -> Result<Json<Erasure>, Refusal> {
    let erase = Arc::clone(&context.erase);
    let asked_by = caller.key_id.clone().unwrap_or_else(|| "loopback".to_owned());
    let erased = tokio::task::spawn_blocking(move || erase(subject, &asked_by)).await;
    let erasure = erased
        .context("an erasure did not come to its end")
        .and_then(|erased| erased)
        .map_err(|error| Refusal::internal(&error))?;
    let erasure = erasure.ok_or_else(|| Refusal::not_found(format!("there is no {subject}")))?;
    Ok(Json(erasure.into()))
}
