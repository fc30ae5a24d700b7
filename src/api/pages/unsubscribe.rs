//! Where a mail's reader unsubscribes, and takes that back. The token in the address is the leave to do so: it came in the
//! reader's own mail. Opening the page changes nothing, since programs that look through mails open every link.

use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::json;

use super::{super::ApiContext, Page, show};
use crate::store::{self, Store, mail_reader};

/// What the page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Whether they mean it.
    Asked,
    /// No more mails are sent.
    Unsubscribed,
    /// They are sent again.
    Resubscribed,
    /// The link is nobody's.
    Unknown,
}

/// Asks whether they mean it.
#[handler]
pub(in crate::api) async fn unsubscribe_page(
    context: Data<&ApiContext>,
    token: Path<String>,
) -> poem::Result<Response> {
    let reader = {
        let token = token.0.clone();
        context
            .read(move |store| mail_reader::find(&*store.connection()?, &token))
            .await?
    };
    let said = match reader {
        None => Said::Unknown,
        Some(reader) if reader.unsubscribed_at.is_some() => Said::Unsubscribed,
        Some(_) => Said::Asked,
    };
    answer(&context, said, &token)
}

/// Does it: for the button of that page, and for a mail program's own (RFC 8058), whatever body either sends.
#[handler]
pub(in crate::api) async fn stop_notices(context: Data<&ApiContext>, token: Path<String>) -> poem::Result<Response> {
    let now = context.clock.now();
    change(&context, token.0, Said::Unsubscribed, move |store, address| {
        mail_reader::unsubscribe(&*store.connection()?, address, now)
    })
    .await
}

/// Takes it back.
#[handler]
pub(in crate::api) async fn resume_notices(context: Data<&ApiContext>, token: Path<String>) -> poem::Result<Response> {
    change(&context, token.0, Said::Resubscribed, |store, address| {
        mail_reader::resubscribe(&*store.connection()?, address)
    })
    .await
}

async fn change(
    context: &ApiContext,
    token: String,
    done: Said,
    change: impl FnOnce(&Store, &str) -> store::Result<bool> + Send + 'static,
) -> poem::Result<Response> {
    let of = token.clone();
    let is_known = context
        .read(move |store| {
            let Some(reader) = mail_reader::find(&*store.connection()?, &of)? else {
                return Ok(false);
            };
            // Asked for twice, it is so all the same.
            change(store, &reader.address)?;
            Ok(true)
        })
        .await?;
    answer(context, if is_known { done } else { Said::Unknown }, &token)
}

fn answer(context: &ApiContext, said: Said, token: &str) -> poem::Result<Response> {
    let mut response = show(context, &page(said, token))?;
    if said == Said::Unknown {
        response.set_status(StatusCode::NOT_FOUND);
    }
    Ok(response)
}

pub(super) fn page(said: Said, token: &str) -> Page {
    let said = match said {
        Said::Asked => "asked",
        Said::Unsubscribed => "unsubscribed",
        Said::Resubscribed => "resubscribed",
        Said::Unknown => "unknown",
    };
    Page {
        template: "web/unsubscribe.html",
        values: json!({ "said": said, "token": token }),
    }
}
