//! A message as the bytes that travel (RFC 5322, RFC 2045 to 2047).

use chrono::{DateTime, Utc};
use mail_builder::{
    MessageBuilder,
    headers::{address::Address, content_type::ContentType, text::Text, url::URL},
    mime::{BodyPart, MimePart},
};

use crate::domain::message::{Envelope, Message};

/// Why a message cannot become a mail.
#[derive(Debug, thiserror::Error)]
pub enum MimeError {
    /// An address is not one. It is not repeated here: addresses are personal.
    #[error("the {whose} address is not a mail address of the form `name@host`")]
    BadAddress {
        /// `sender's` or `recipient's`.
        whose: &'static str,
    },
    /// The bytes could not be put together.
    #[error("cannot put the mail together")]
    Write(#[from] std::io::Error),
}

/// Puts `message` into its envelope. `from` is an address, alone or as `Name <address>`; `date` is the mail's `Date`.
/// The same input gives the same bytes.
///
/// # Errors
/// See [`MimeError`].
pub fn seal(message: &Message, from: &str, date: DateTime<Utc>) -> Result<Envelope, MimeError> {
    let (name, sender) = split_sender(from);
    let host = host_of(sender).ok_or(MimeError::BadAddress { whose: "sender's" })?;
    host_of(&message.recipient).ok_or(MimeError::BadAddress { whose: "recipient's" })?;
    let message_id = message.id();
    let subject = one_line(&message.subject);
    let mut mail = MessageBuilder::new()
        .from(Address::new_address(name.map(one_line), sender))
        .to(Address::new_address(None::<&str>, message.recipient.as_str()))
        .subject(subject.as_str())
        .date(date.timestamp())
        .message_id(format!("{message_id}@{host}"))
        // Keeps holiday notices and other robots from answering (RFC 3834).
        .header("Auto-Submitted", Text::new("auto-generated"));
    if let Some(url) = &message.unsubscribe_url {
        mail = mail.header("List-Unsubscribe", URL::new(url.as_str()));
        // The button of mail programs: a POST that asks nothing more (RFC 8058), over https alone.
        if url.starts_with("https://") {
            mail = mail.header("List-Unsubscribe-Post", Text::new("List-Unsubscribe=One-Click"));
        }
    }
    let mime = mail
        .body(body(message, &message_id.simple().to_string()))
        .write_to_vec()?;
    Ok(Envelope {
        message_id,
        kind: message.kind,
        topic: message.topic.clone(),
        recipient: message.recipient.clone(),
        subject,
        content_hash: message.content_hash(),
        mime,
    })
}

/// Text and HTML as alternatives, the HTML together with the images it shows, the files beside them. Boundaries come
/// from the id, not from chance, so that the same mail has the same bytes; a body is encoded so that no line of it can
/// look like one.
fn body<'a>(message: &'a Message, id: &str) -> MimePart<'a> {
    let multipart = |subtype: &'static str, parts: Vec<MimePart<'a>>| {
        let boundary = format!("=_{subtype}_{id}");
        MimePart::new(
            ContentType::new(format!("multipart/{subtype}")).attribute("boundary", boundary),
            parts,
        )
    };
    let mut html = MimePart::new("text/html", message.html.as_str());
    if !message.images.is_empty() {
        let images = message.images.iter().map(|image| {
            let name = format!("{}.png", image.content_id);
            let disposition = ContentType::new("inline").attribute("filename", name);
            MimePart::new("image/png", BodyPart::from(image.png.as_slice()))
                .cid(image.content_id.as_str())
                .header("Content-Disposition", disposition)
        });
        html = multipart("related", std::iter::once(html).chain(images).collect());
    }
    let text = MimePart::new("text/plain", message.text.as_str());
    let alternative = multipart("alternative", vec![text, html]);
    if message.attachments.is_empty() {
        return alternative;
    }
    let files = message.attachments.iter().map(|file| {
        MimePart::new(file.media_type.as_str(), BodyPart::from(file.bytes.as_slice())).attachment(one_line(&file.name))
    });
    multipart("mixed", std::iter::once(alternative).chain(files).collect())
}

/// `Name <address>` as name and address.
fn split_sender(from: &str) -> (Option<&str>, &str) {
    match from.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (
            Some(name.trim().trim_matches('"')).filter(|name| !name.is_empty()),
            address.trim(),
        ),
        None => (None, from.trim()),
    }
}

/// The address of a sender, `Name <address>` or the address alone.
#[must_use]
pub fn sender_address(from: &str) -> &str {
    split_sender(from).1
}

/// The host of an address that is safe to stand in a header; none if it is not an address.
fn host_of(address: &str) -> Option<&str> {
    let is_safe = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '\\');
    let (name, host) = address.rsplit_once('@')?;
    (!name.is_empty() && !name.contains('@') && !host.is_empty() && address.chars().all(is_safe)).then_some(host)
}

/// The text on one line: a line break in a header would begin another header.
fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| {
            if c.is_control() || c == '\u{2028}' || c == '\u{2029}' {
                ' '
            } else {
                c
            }
        })
        .collect();
    spaced
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, MimeHeaders, PartType};

    use super::*;
    use crate::domain::message::{Attachment, InlineImage, MessageKind};

    const FROM: &str = "Deloton <reports@deloton.example>";

    fn message() -> Message {
        Message {
            kind: MessageKind::DailyReport,
            topic: "2026-11-21".to_owned(),
            recipient: "ceo@deloton.example".to_owned(),
            subject: "Deloton, Sat 21 Nov: 3,412 rides (▲ 12 %)".to_owned(),
            text: "Rides were high: 3,412.\n".to_owned(),
            html: "<p>Rides were high: <img src=\"cid:chart\"></p>".to_owned(),
            images: vec![InlineImage {
                content_id: "chart".to_owned(),
                png: vec![0x89, b'P', b'N', b'G', 0, 255],
            }],
            attachments: vec![Attachment {
                name: "deloton-2026-11-21.pdf".to_owned(),
                media_type: "application/pdf".to_owned(),
                bytes: b"%PDF-1.7 \xff\x00".to_vec(),
            }],
            unsubscribe_url: None,
        }
    }

    fn at() -> DateTime<Utc> {
        "2026-11-22T06:00:00Z".parse().unwrap()
    }

    #[test]
    fn another_library_reads_back_every_part() {
        let envelope = seal(&message(), FROM, at()).unwrap();
        let mail = MessageParser::default().parse(&envelope.mime).unwrap();
        assert_eq!(mail.subject(), Some("Deloton, Sat 21 Nov: 3,412 rides (▲ 12 %)"));
        let from = mail.from().unwrap().first().unwrap();
        assert_eq!(
            (from.name(), from.address()),
            (Some("Deloton"), Some("reports@deloton.example"))
        );
        assert_eq!(
            mail.to().unwrap().first().unwrap().address(),
            Some("ceo@deloton.example")
        );
        assert_eq!(mail.date().unwrap().to_timestamp(), at().timestamp());
        assert_eq!(
            mail.message_id().unwrap(),
            format!("{}@deloton.example", envelope.message_id)
        );
        assert_eq!(mail.body_text(0).unwrap().trim(), "Rides were high: 3,412.");
        assert!(mail.body_html(0).unwrap().contains("cid:chart"));

        let image = mail
            .parts
            .iter()
            .find(|part| part.content_id() == Some("chart"))
            .unwrap();
        assert_eq!(image.contents(), message().images[0].png);
        let file = mail
            .attachments()
            .find(|part| part.attachment_name() == Some("deloton-2026-11-21.pdf"))
            .unwrap();
        assert_eq!(file.contents(), message().attachments[0].bytes);
        assert_eq!(file.content_type().unwrap().subtype(), Some("pdf"));

        let subtypes: Vec<_> = mail
            .parts
            .iter()
            .filter(|part| matches!(part.body, PartType::Multipart(_)))
            .map(|part| part.content_type().unwrap().subtype().unwrap())
            .collect();
        assert_eq!(subtypes, ["mixed", "alternative", "related"]);
    }

    #[test]
    fn the_bytes_are_seven_bit_and_no_line_is_too_long() {
        let long = Message {
            text: "é".repeat(3000),
            html: format!("<p>{}</p>", "x".repeat(3000)),
            ..message()
        };
        let mime = seal(&long, FROM, at()).unwrap().mime;
        assert!(mime.is_ascii());
        assert!(mime.split(|&byte| byte == b'\n').all(|line| line.len() <= 998));
        let mail = MessageParser::default().parse(&mime).unwrap();
        assert_eq!(mail.body_text(0).unwrap().trim(), long.text);
    }

    #[test]
    fn the_same_mail_has_the_same_bytes_and_another_recipient_another_id() {
        let envelope = seal(&message(), FROM, at()).unwrap();
        assert_eq!(envelope, seal(&message(), FROM, at()).unwrap());
        let other = Message {
            recipient: "cto@deloton.example".to_owned(),
            ..message()
        };
        let other = seal(&other, FROM, at()).unwrap();
        assert_ne!(envelope.message_id, other.message_id);
        assert_eq!(envelope.content_hash, other.content_hash);
    }

    #[test]
    fn a_mail_is_unsubscribed_from_with_one_click_and_over_https_alone() {
        let link = |scheme: &str| format!("{scheme}://bikes.example.org/unsubscribe/{}", "0f".repeat(16));
        let head = |url: Option<String>| {
            let message = Message {
                unsubscribe_url: url,
                ..message()
            };
            let mime = String::from_utf8(seal(&message, FROM, at()).unwrap().mime).unwrap();
            let (head, _) = mime.split_once("\r\n\r\n").unwrap();
            // Unfolded, as RFC 5322 reads it.
            head.replace("\r\n ", " ").replace("\r\n\t", " ")
        };
        let with = head(Some(link("https")));
        let field = |head: &str, name: &str| -> Option<String> {
            head.lines()
                .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(":")?.trim().to_owned()))
        };
        assert_eq!(field(&with, "List-Unsubscribe"), Some(format!("<{}>", link("https"))));
        assert_eq!(
            field(&with, "List-Unsubscribe-Post").as_deref(),
            Some("List-Unsubscribe=One-Click")
        );
        let plain = head(Some(link("http")));
        assert!(field(&plain, "List-Unsubscribe").is_some());
        assert_eq!(field(&plain, "List-Unsubscribe-Post"), None);
        assert!(!head(None).contains("List-Unsubscribe"));
    }

    #[test]
    fn no_text_from_outside_can_begin_a_header() {
        let evil = "x\r\nBcc: thief@example.com\r\n\r\n<script>\u{2028}y";
        let mut hostile = message();
        hostile.subject = evil.to_owned();
        hostile.attachments[0].name = evil.to_owned();
        let from = format!("{evil} <reports@deloton.example>");
        let mail = seal(&hostile, &from, at()).unwrap();
        let parsed = MessageParser::default().parse(&mail.mime).unwrap();
        assert!(parsed.bcc().is_none());
        assert_eq!(parsed.to().unwrap().iter().count(), 1);
        assert_eq!(parsed.subject(), Some("x Bcc: thief@example.com <script> y"));
        assert_eq!(
            parsed.from().unwrap().first().unwrap().address(),
            Some("reports@deloton.example")
        );
        let headers = mail
            .mime
            .split(|&byte| byte == b'\n')
            .filter(|line| line.to_ascii_lowercase().starts_with(b"bcc"));
        assert_eq!(headers.count(), 0);
    }

    #[test]
    fn an_address_that_is_not_one_is_refused_without_being_repeated() {
        for bad in [
            "",
            "nobody",
            "a@",
            "@b",
            "a@b\r\nBcc: c@d",
            "a@b,c@d",
            "<a@b>",
            "a b@c",
            "a@b@c",
        ] {
            let error = seal(
                &Message {
                    recipient: bad.to_owned(),
                    ..message()
                },
                FROM,
                at(),
            )
            .unwrap_err();
            assert!(matches!(error, MimeError::BadAddress { .. }), "{bad}");
            assert!(bad.is_empty() || !error.to_string().contains(bad));
        }
    }
}
