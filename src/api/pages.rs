//! The pages for people: what is going on, the live wall, the jobs, the outbox, and what a problem means. A handler
//! fetches what its page tells of; what makes the [`Page`] of it is given nothing else, so that `deloton check` can
//! render every page of a sample.

mod errors;
mod jobs;
mod login;
mod recent;
mod ride;
mod sample;
mod unsubscribe;

pub(super) use errors::ErrorPages;
pub(super) use jobs::{jobs_page, run_again, window_page};
pub(super) use login::{login_page, sign_in, sign_out};
pub(super) use recent::recent_page;
pub(super) use ride::{is_of_a_ride, ride_page, ride_seconds_csv, ride_seconds_json};
pub(super) use unsubscribe::{resume_notices, stop_notices, unsubscribe_page};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use mail_parser::{MessageParser, MimeHeaders};
use poem::{
    IntoResponse, Response, handler,
    http::{HeaderValue, StatusCode, header},
    web::{Data, Path},
};
use poem_openapi::types::ToJSON;
use serde_json::json;
use uuid::Uuid;

use super::{ApiContext, access::Caller, live, operations, problem, riding::RidingList, schema::Status};
use crate::{
    domain::{access::Role, day::DayRule, rider::Gender},
    store::query::ledger,
    template::{TemplateError, Templates},
};

/// Bikes in the table of the live page, which browsers without scripts show.
const BIKES: u32 = 200;
/// Mails on the outbox page.
const MAILS: u32 = 200;
/// Pages load what this server has and nothing else, and nobody frames them.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                           form-action 'self'; frame-ancestors 'none'";
/// A mail's HTML came through templates from data: it may show its own pictures and style, and do nothing.
const MAIL_POLICY: &str =
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'";

/// A page to be rendered.
struct Page {
    template: &'static str,
    values: serde_json::Value,
}

/// What is wrong with the pages' templates: each page is rendered from samples of what it tells of.
pub fn check(templates: &Templates) -> Vec<TemplateError> {
    let pages = sample::pages().into_iter();
    pages
        .filter_map(|page| templates.render(page.template, &page.values).err())
        .collect()
}

/// What is going on, as a picture of the flow.
#[handler]
pub(super) async fn landing_page(context: Data<&ApiContext>) -> poem::Result<Response> {
    let status = operations::status(&context).await?;
    let has_reports = context.site_directory.is_some() || context.site_url.is_some();
    show(
        &context,
        &landing(&status, &(context.troubles)(), has_reports, context.day_rule),
    )
}

fn landing(status: &Status, troubles: &[String], has_reports: bool, rule: DayRule) -> Page {
    let written = json!({
        "newest_reading": status.newest_reading_at.map(|at| moment(at, rule)),
        "published": status.published_at.map(|at| moment(at, rule)),
        "seconds_behind": status.newest_reading_at.map(|at| (status.now - at).num_seconds().max(0)),
    });
    Page {
        template: "web/landing.html",
        values: json!({
            "status": status.to_json(), "written": written, "troubles": troubles, "has_reports": has_reports,
        }),
    }
}

/// The wall of bikes being ridden.
#[handler]
pub(super) fn live_page(context: Data<&ApiContext>, caller: Data<&Caller>) -> poem::Result<Response> {
    let riding = live::riding(&context, &caller, BIKES, None);
    show(&context, &wall(&riding, context.live.riding(), caller.role))
}

fn wall(riding: &RidingList, count: usize, role: Role) -> Page {
    Page {
        template: "live/wall.html",
        values: json!({ "riding": riding.items.to_json(), "count": count, "has_ride_pages": role >= Role::Analyst }),
    }
}

/// The mails, newest first.
#[handler]
pub(super) async fn outbox_page(context: Data<&ApiContext>) -> poem::Result<Response> {
    let mails = context.read(|store| ledger::outbox(store, MAILS)).await?;
    show(&context, &outbox(&mails, context.day_rule))
}

fn outbox(mails: &[ledger::OutboxMessage], rule: DayRule) -> Page {
    let mails: Vec<_> = mails.iter().map(|mail| mail_values(mail, rule)).collect();
    Page {
        template: "web/outbox.html",
        values: json!({ "mails": mails, "limit": MAILS }),
    }
}

/// One mail: its envelope, and its body in a frame that can do nothing.
#[handler]
pub(super) async fn mail_page(context: Data<&ApiContext>, message_id: Path<String>) -> poem::Result<Response> {
    let Ok(id) = message_id.parse::<Uuid>() else {
        return Ok(StatusCode::NOT_FOUND.into());
    };
    let mails = context.read(|store| ledger::outbox(store, MAILS)).await?;
    let Some(mail) = mails.iter().find(|mail| mail.message_id == id) else {
        return Ok(StatusCode::NOT_FOUND.into());
    };
    show(&context, &one_mail(mail, context.day_rule))
}

fn one_mail(mail: &ledger::OutboxMessage, rule: DayRule) -> Page {
    Page {
        template: "web/mail.html",
        values: json!({ "mail": mail_values(mail, rule) }),
    }
}

/// The HTML body of a mail, its inline images included.
#[handler]
pub(super) async fn mail_body(context: Data<&ApiContext>, message_id: Path<String>) -> poem::Result<Response> {
    let Ok(id) = message_id.parse::<Uuid>() else {
        return Ok(StatusCode::NOT_FOUND.into());
    };
    let Some(payload) = context.read(move |store| ledger::outbox_payload(store, id)).await? else {
        return Ok(StatusCode::NOT_FOUND.into());
    };
    let html = html_body(&payload).unwrap_or_else(|| "<p>This mail has no body that can be shown.</p>".to_owned());
    Ok(html_response(html, MAIL_POLICY))
}

/// The HTML part of a mail with its `cid:` images put in their places. A text part alone is shown as text.
fn html_body(payload: &[u8]) -> Option<String> {
    let message = MessageParser::default().parse(payload)?;
    let mut html = message.body_html(0)?.into_owned();
    for part in message.attachments() {
        let (Some(id), Some(kind)) = (part.content_id(), part.content_type()) else {
            continue;
        };
        let media_type = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream"));
        if media_type.starts_with("image/") {
            html = html.replace(
                &format!("cid:{id}"),
                &format!("data:{media_type};base64,{}", base64(part.contents())),
            );
        }
    }
    Some(html)
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for position in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * position) & 63) as usize];
            text.push(if position <= group.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

fn mail_values(mail: &ledger::OutboxMessage, rule: DayRule) -> serde_json::Value {
    let (icon, class) = match mail.state.as_str() {
        "sent" => ("✓", "succeeded"),
        "dead" => ("!", "failed"),
        "unknown" => ("△", "unknown"),
        "discarded" => ("–", "abandoned"),
        _ => ("…", "running"),
    };
    json!({
        "message_id": mail.message_id, "kind": mail.kind.replace('_', " "), "topic": mail.topic,
        "recipient": mail.recipient, "state": mail.state, "icon": icon, "class": class, "subject": mail.subject,
        "created": moment(mail.created_at, rule), "attempts": mail.attempts,
        "settled": mail.settled_at.map(|at| moment(at, rule)), "detail": mail.detail,
    })
}

/// What a problem's `type` means and what to do about it.
#[handler]
pub(super) fn problem_page(context: Data<&ApiContext>, slug: Path<String>) -> poem::Result<Response> {
    let Some(kind) = problem::KINDS.into_iter().find(|kind| kind.slug == slug.0) else {
        return Ok(StatusCode::NOT_FOUND.into());
    };
    show(&context, &about(&kind, None))
}

/// A kind of problem, and what is wrong this time.
fn about(kind: &problem::Kind, detail: Option<&str>) -> Page {
    Page {
        template: "web/problem.html",
        values: json!({
            "title": kind.title, "status": kind.status, "advice": kind.advice, "detail": detail,
        }),
    }
}

/// In place of a site that nobody published yet.
pub(super) fn nothing_published(context: &ApiContext) -> poem::Result<Response> {
    let mut response = show(context, &nothing())?;
    response.set_status(StatusCode::NOT_FOUND);
    Ok(response)
}

/// Where an address names what there is not.
fn nothing_here(context: &ApiContext) -> poem::Result<Response> {
    let kind = problem::kind_of(StatusCode::NOT_FOUND);
    let mut response = show(context, &about(&kind, None))?;
    response.set_status(StatusCode::NOT_FOUND);
    Ok(response)
}

fn nothing() -> Page {
    Page {
        template: "web/nothing_published.html",
        values: json!({}),
    }
}

/// An instant on the company's clock, to the minute: `22 Nov 09:51`.
fn moment(at: DateTime<Utc>, rule: DayRule) -> String {
    at.with_timezone(&rule.timezone).format("%-d %b %H:%M").to_string()
}

/// Seconds of riding as a stop-watch has them: `08:20`, `1:02:09`.
fn clock(seconds: i32) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// A rider of that gender, in a word.
fn person(gender: Gender) -> &'static str {
    match gender {
        Gender::Female => "woman",
        Gender::Male => "man",
        Gender::Other => "another gender",
        Gender::Unknown => "gender not stated",
    }
}

fn show(context: &ApiContext, page: &Page) -> poem::Result<Response> {
    let html = context
        .templates
        .render(page.template, &page.values)
        .with_context(|| format!("cannot render `{}`", page.template));
    let html = html.map_err(|error| problem::Refusal::internal(&error))?;
    Ok(html_response(html, PAGE_POLICY))
}

fn html_response(html: String, policy: &'static str) -> Response {
    let mut response = html.with_content_type("text/html; charset=utf-8").into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ride_is_timed_as_by_a_stop_watch() {
        assert_eq!([0, 500, 3729].map(clock), ["00:00", "08:20", "1:02:09"]);
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_mail_is_shown_with_its_images_inside() {
        let mail = "MIME-Version: 1.0\r\nSubject: x\r\nContent-Type: multipart/related; boundary=b\r\n\r\n\
                    --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello</p><img src=\"cid:chart\">\r\n\
                    --b\r\nContent-Type: image/png\r\nContent-ID: <chart>\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                    Zm9v\r\n--b--\r\n";
        let html = html_body(mail.as_bytes()).unwrap();
        assert!(
            html.contains("<p>Hello</p>") && html.contains("data:image/png;base64,Zm9v"),
            "{html}"
        );
    }
}
