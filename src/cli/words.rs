//! Counts in words, written the same way by every command.

/// `1 ride`, `2,000 rides`; `thing` is in the singular.
pub(super) fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Thousands apart: `1,234,567`.
pub(super) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a run counted, by its name in the ledger: `files_written` of 1 is `1 file written`.
pub(super) fn named_count(name: &str, count: u64) -> String {
    let (thing, rest) = name.split_once('_').unwrap_or((name, ""));
    let thing = match thing.strip_suffix('s') {
        Some(one) if count == 1 => one,
        _ => thing,
    };
    format!("{} {thing} {}", grouped(count), rest.replace('_', " "))
        .trim_end()
        .to_owned()
}

/// What became of a stream's messages, in the words that every command has for it.
pub(super) fn lines(readings: u64, duplicate_readings: u64, duplicate_lines: u64, rejected_lines: u64) -> String {
    [
        counted(readings, "reading"),
        counted(duplicate_readings, "duplicate reading"),
        counted(duplicate_lines, "duplicate line"),
        counted(rejected_lines, "rejected line"),
    ]
    .join(", ")
}

/// Bytes from outside, fit for a terminal: what would steer it, and what is no text, is spelt out.
pub(super) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_thing_is_singular() {
        assert_eq!(counted(1, "day"), "1 day");
        assert_eq!(counted(0, "duplicate line"), "0 duplicate lines");
        assert_eq!(counted(1_234_567, "ride"), "1,234,567 rides");
        assert_eq!(named_count("rows", 1), "1 row");
        assert_eq!(named_count("files_written", 1), "1 file written");
        assert_eq!(named_count("files_written", 2_000), "2,000 files written");
        assert_eq!(named_count("changed", 1), "1 changed");
    }

    #[test]
    fn what_would_steer_a_terminal_is_spelt_out() {
        assert_eq!(
            printable("Zoë \u{1b}[31m\u{9b}\r".as_bytes()),
            "Zoë \\u{1b}[31m\\u{9b}\\r"
        );
        assert_eq!(printable(b"a\xff\0b"), "a\\xff\\u{0}b");
    }
}
