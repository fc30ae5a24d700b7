//! A file of `jobs/`: one SELECT that says what a daily table means, before any database has seen it.

/// Why a file cannot become a daily table: where, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {reason}")]
pub struct SqlFileError {
    /// The file, as people know it.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// Tables of `historical`, and of the extracts, that are not made of a SELECT and must not be overwritten by one.
const TAKEN_NAMES: [&str; 11] = [
    "alert",
    "reading",
    "readings_per_minute",
    "ride",
    "rider",
    "rider_total",
    "riders",
    "rides",
    "workout",
    "workout_sample",
    "workouts",
];

/// One SELECT over the views `ride`, `reading`, `rider` and `rider_of_day`, for the day `:day`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFile {
    name: String,
    path: String,
    text: String,
    select: String,
}

impl SqlFile {
    /// Reads the text of `path` as the SELECT behind `historical.<name>`.
    ///
    /// # Errors
    /// The name is no identifier or is taken; the text holds anything but one statement; it uses a parameter other
    /// than `:day`, or does not use that.
    pub fn new(name: &str, path: impl Into<String>, text: impl Into<String>) -> Result<Self, SqlFileError> {
        let (path, text) = (path.into(), text.into());
        let select = check_name(name)
            .map_err(|reason| (0, reason))
            .and_then(|()| bind_day(&text))
            .map_err(|(at, reason)| SqlFileError {
                path: path.clone(),
                line: line_of(&text, at),
                reason,
            })?;
        Ok(SqlFile {
            name: name.to_owned(),
            path,
            text,
            select,
        })
    }

    /// The table's name: `[a-z][a-z0-9_]*`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, as people know it, e.g. `jobs/daily_totals.sql`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SELECT with `$day` for `:day`, and no semicolon at its end. Every character is on the line it was on.
    #[must_use]
    pub(super) fn select(&self) -> &str {
        &self.select
    }

    /// What a message of the database says about this file. Its statement must have the SELECT begin on its first line.
    pub(super) fn error(&self, message: &str) -> SqlFileError {
        let (reason, rest) = message.split_once("\nLINE ").unwrap_or((message, ""));
        let line = rest
            .split_once(':')
            .and_then(|(line, _)| line.parse().ok())
            .unwrap_or(1);
        let reason = reason
            .split('\n')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("; ");
        SqlFileError {
            path: self.path.clone(),
            line,
            reason,
        }
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let well_formed = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !well_formed {
        Err(format!(
            "`{name}` cannot name a daily table: use lower-case letters, digits and `_`, a letter first"
        ))
    } else if TAKEN_NAMES.contains(&name) {
        Err(format!(
            "`{name}` cannot name a daily table: it is a table of its own; rename the file"
        ))
    } else {
        Ok(())
    }
}

/// Rewrites `:day` to `$day` outside literals and comments, and drops the semicolon at the end. An error is a byte
/// offset and a reason.
fn bind_day(text: &str) -> Result<String, (usize, String)> {
    let mut select = String::with_capacity(text.len());
    let (mut holds_a_statement, mut has_ended, mut uses_day) = (false, false, false);
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let token = match first {
            '\'' | '"' => quoted(rest, first).ok_or_else(|| (at, format!("the {first} is never closed")))?,
            '-' if rest.starts_with("--") => &rest[..rest.find('\n').unwrap_or(rest.len())],
            '/' if rest.starts_with("/*") => {
                block_comment(rest).ok_or_else(|| (at, "the comment is never closed".to_owned()))?
            }
            ':' if rest.starts_with("::") => "::",
            ':' => word(rest),
            first if first.is_alphanumeric() => word(rest),
            first => &rest[..first.len_utf8()],
        };
        let is_comment = token.starts_with("--") || token.starts_with("/*");
        if !is_comment && !token.trim().is_empty() {
            if has_ended {
                return Err((
                    at,
                    "a file holds one SELECT; there is more after its semicolon".to_owned(),
                ));
            }
            if !holds_a_statement && !["select", "with", "("].contains(&token.to_ascii_lowercase().as_str()) {
                return Err((
                    at,
                    format!("a daily table is one SELECT, it cannot begin with `{token}`"),
                ));
            }
            holds_a_statement = true;
        }
        match token {
            ":day" => {
                uses_day = true;
                select.push_str("$day");
            }
            ";" => {
                has_ended = true;
                select.push(' ');
            }
            parameter if parameter.len() > 1 && parameter.starts_with(':') && parameter != "::" => {
                return Err((at, format!("`{parameter}` is no parameter; the only one is `:day`")));
            }
            token => select.push_str(token),
        }
        at += token.len();
    }
    if !holds_a_statement {
        return Err((0, "the file holds no SELECT".to_owned()));
    }
    if !uses_day {
        return Err((
            0,
            "`:day` is never used, so every day would be the same; add `where business_day = :day`".to_owned(),
        ));
    }
    Ok(select)
}

/// The literal or quoted name that `text` begins with; a doubled quote stands for itself.
fn quoted(text: &str, quote: char) -> Option<&str> {
    let mut at = 1;
    loop {
        at += text[at..].find(quote)? + 1;
        if !text[at..].starts_with(quote) {
            return Some(&text[..at]);
        }
        at += 1;
    }
}

/// The comment that `text` begins with; comments nest.
fn block_comment(text: &str) -> Option<&str> {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let close = at + text[at..].find("*/")?;
        match text[at..close].find("/*") {
            Some(open) => {
                depth += 1;
                at += open + 2;
            }
            None => {
                depth -= 1;
                at = close + 2;
            }
        }
    }
    Some(&text[..at])
}

/// The word that `text` begins with, whatever its first character is.
fn word(text: &str) -> &str {
    let end = text
        .char_indices()
        .skip(1)
        .find(|(_, c)| !(c.is_alphanumeric() || *c == '_'));
    &text[..end.map_or(text.len(), |(end, _)| end)]
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<SqlFile, String> {
        SqlFile::new("daily_x", "jobs/daily_x.sql", text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_day_is_bound_outside_literals_and_comments_only() {
        let text = "-- of :day; it's\nselect ':day', 'it''s :day', \":day\", x::date /* :day /* ; */ :day */ from ride\n\
                    where business_day=:day and d > :day;\n-- the end; really\n";
        let bound = "-- of :day; it's\nselect ':day', 'it''s :day', \":day\", x::date /* :day /* ; */ :day */ from ride\n\
                     where business_day=$day and d > $day \n-- the end; really\n";
        assert_eq!(file(text).unwrap().select(), bound);
    }

    #[test]
    fn what_is_not_one_select_for_a_day_is_refused_with_its_line() {
        let cases = [
            ("-- nothing\n", "jobs/daily_x.sql:1: the file holds no SELECT"),
            (
                "select 1",
                "jobs/daily_x.sql:1: `:day` is never used, so every day would be the same; add `where business_day = :day`",
            ),
            (
                "-- a\nselect :day;\n\ndrop table x",
                "jobs/daily_x.sql:4: a file holds one SELECT; there is more after its semicolon",
            ),
            (
                "-- a\n\ndelete from ride where business_day = :day",
                "jobs/daily_x.sql:3: a daily table is one SELECT, it cannot begin with `delete`",
            ),
            (
                "select\n:days",
                "jobs/daily_x.sql:2: `:days` is no parameter; the only one is `:day`",
            ),
            ("select :day,\n'abc", "jobs/daily_x.sql:2: the ' is never closed"),
            (
                "select :day\n\n/* abc /* */",
                "jobs/daily_x.sql:3: the comment is never closed",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(file(text), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_name_is_an_identifier_that_is_free() {
        for name in ["daily_totals", "x2"] {
            assert!(SqlFile::new(name, "x.sql", "select :day").is_ok(), "{name}");
        }
        for name in [
            "",
            "2x",
            "_x",
            "Totals",
            "a-b",
            "a b",
            "x\"; drop table y",
            "größe",
            "ride",
            "rider",
            "reading",
            "alert",
            "rides",
            "riders",
        ] {
            assert!(SqlFile::new(name, "x.sql", "select :day").is_err(), "{name}");
        }
    }
}
