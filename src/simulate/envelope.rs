//! How a line travels: as the value of a Kafka message, and as a line of a file.

use super::SimLine;

/// Appends the value of the Kafka message: `{"log": "<line>\n"}`.
pub fn write_payload(line: &SimLine<'_>, out: &mut Vec<u8>) {
    if line.is_bare {
        out.extend_from_slice(line.line.as_bytes());
        return;
    }
    out.extend_from_slice(b"{\"log\": \"");
    write_escaped(line.line, out);
    out.extend_from_slice(b"\\n\"}");
}

/// Appends a file's line, with its line feed: the message's value and its key in one object,
/// `{"key": "SN0001", "log": "<line>\n"}`.
pub fn write_record(line: &SimLine<'_>, out: &mut Vec<u8>) {
    if line.is_bare {
        out.extend_from_slice(line.line.as_bytes());
    } else {
        out.extend_from_slice(b"{\"key\": \"");
        out.extend_from_slice(line.serial.as_bytes());
        out.extend_from_slice(b"\", \"log\": \"");
        write_escaped(line.line, out);
        out.extend_from_slice(b"\\n\"}");
    }
    out.push(b'\n');
}

/// Appends the text as the inside of a JSON string.
fn write_escaped(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte < b' ' || byte == b'"' || byte == b'\\' {
            out.extend_from_slice(&bytes[copied..index]);
            copied = index + 1;
            if byte < b' ' {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            } else {
                out.extend_from_slice(&[b'\\', byte]);
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_the_captures_and_read_back() {
        let line = |line, is_bare| SimLine {
            at: chrono::DateTime::UNIX_EPOCH,
            bike: 0,
            serial: "SN0001",
            line,
            is_bare,
        };
        let written = |line: &SimLine<'_>| {
            let (mut payload, mut record) = (Vec::new(), Vec::new());
            write_payload(line, &mut payload);
            write_record(line, &mut record);
            (String::from_utf8(payload).unwrap(), String::from_utf8(record).unwrap())
        };
        let (payload, record) = written(&line("--------- beginning of main", false));
        assert_eq!(payload, r#"{"log": "--------- beginning of main\n"}"#);
        assert_eq!(
            record,
            "{\"key\": \"SN0001\", \"log\": \"--------- beginning of main\\n\"}\n"
        );
        let odd = "[SYSTEM] data = {\"name\":\"O'Brien \\ \u{1}é\"}\t";
        let (payload, record) = written(&line(odd, false));
        for text in [&payload, &record] {
            let json: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(json["log"].as_str().unwrap(), format!("{odd}\n"));
        }
        assert_eq!(
            written(&line("not json", true)),
            ("not json".to_owned(), "not json\n".to_owned())
        );
    }
}
