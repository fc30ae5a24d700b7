//! Whether a file of the site points to a person.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::document::Document;
use crate::store::Store;

/// The longest name or street, in words, that is looked for.
const LONGEST: usize = 5;

/// What looks personal by itself: mail addresses and ids of rides.
pub(super) fn plain(document: &Document) -> HashSet<&'static str> {
    let texts = document.texts.iter().chain(&document.attributes);
    let found = texts.flat_map(|text| text.split(' ')).filter_map(|word| {
        if is_mail_address(word) {
            Some("a mail address")
        } else if is_uuid(word) {
            Some("the id of a ride")
        } else {
            None
        }
    });
    found.collect()
}

fn is_mail_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| {
        name.ends_with(|last: char| last.is_alphanumeric())
            && host.split_once('.').is_some_and(|(host, _)| !host.is_empty())
    })
}

fn is_uuid(word: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && word.split('-').all(hex)
}

/// Every few words that follow one another on the site and could be a name or a street.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    /// Phrase → a file that has it.
    found: HashMap<String, String>,
    /// Texts that were taken apart: most are on every page.
    seen: HashSet<String>,
}

impl Phrases {
    /// Adds those of `document`.
    pub(super) fn add(&mut self, document: &Document) {
        for text in document.texts.iter().chain(&document.attributes) {
            if text.contains(' ') && self.seen.insert(text.clone()) {
                self.add_words(&words_of(text), document);
            }
        }
        // A name may stand in two cells of a table.
        for cells in document.texts.windows(2) {
            let [first, second] = [&cells[0], &cells[1]].map(|cell| words_of(cell));
            if first.len() == 1 && second.len() == 1 {
                self.add_words(&[first, second].concat(), document);
            }
        }
    }

    fn add_words(&mut self, words: &[String], document: &Document) {
        for first in 0..words.len() {
            let mut phrase = words[first].clone();
            for word in words.iter().skip(first + 1).take(LONGEST - 1) {
                phrase.push(' ');
                phrase.push_str(word);
                if !self.found.contains_key(&phrase) {
                    self.found.insert(phrase.clone(), document.path().to_owned());
                }
            }
        }
    }

    /// Adds those of `other`.
    pub(super) fn extend(&mut self, other: Phrases) {
        self.found.extend(other.found);
        self.seen.extend(other.seen);
    }

    fn file_with(&self, text: &str) -> Option<(&String, &String)> {
        let words = words_of(text);
        // Of a long address its end says enough.
        let last = &words[words.len().saturating_sub(LONGEST)..];
        // One word alone is everybody's: `May`, `Green`.
        (last.len() > 1)
            .then(|| self.found.get_key_value(&last.join(" ")))
            .flatten()
    }
}

/// The words of a text, small, without numbers: these name nobody, and of a house they are the least that is personal.
fn words_of(text: &str) -> Vec<String> {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !word.contains(|c: char| c.is_ascii_digit()));
    words.map(str::to_lowercase).collect()
}

/// What names of riders, and streets they live in, are among `phrases`. What the product says by itself, as `own` has it,
/// and the names of towns are nobody's.
///
/// # Errors
/// When the riders cannot be read.
pub(super) fn riders_in(
    phrases: &Phrases,
    store: &Store,
    own: impl FnOnce() -> Result<Phrases>,
) -> Result<Vec<String>> {
    if phrases.found.is_empty() {
        return Ok(Vec::new());
    }
    let mut hits: Vec<(String, &String, &str)> = Vec::new();
    let connection = store.connection()?;
    let mut towns = HashSet::new();
    crate::store::personal::each_rider(&connection, |rider| {
        let name = format!(
            "{} {}",
            rider.forename.unwrap_or_default(),
            rider.surname.unwrap_or_default()
        );
        let values = [
            (Some(name.as_str()), "the name of a rider"),
            (rider.name, "the name of a rider"),
            (rider.street, "the street of a rider"),
        ];
        for (value, what) in values {
            if let Some((phrase, path)) = value.and_then(|value| phrases.file_with(value)) {
                hits.push((phrase.clone(), path, what));
            }
        }
        towns.extend(rider.town.map(|town| words_of(town).join(" ")));
    })?;
    hits.retain(|(phrase, _, _)| !towns.contains(phrase));
    if hits.is_empty() {
        return Ok(Vec::new());
    }
    let own = own()?;
    hits.retain(|(phrase, _, _)| !own.found.contains_key(phrase));
    Ok(hits
        .into_iter()
        .map(|(_, path, what)| format!("`{path}` has {what}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::read("page.html", text.as_bytes()).unwrap()
    }

    #[test]
    fn mail_addresses_and_ride_ids_are_seen_wherever_they_stand() {
        assert!(plain(&document("<p title='to zoe@mail.example, now'>")).contains("a mail address"));
        assert!(plain(&document("ride (3f2a8c1e-0b7d-4a51-9f3e-2d1c0b9a8f7e)")).contains("the id of a ride"));
        assert!(plain(&document("3 @ 5.2 and 2026-11-21, deadbeef-dead")).is_empty());
    }

    #[test]
    fn names_are_found_within_sentences_in_any_case_and_spelling_of_spaces() {
        let mut phrases = Phrases::default();
        phrases.add(&document("<p>Longest: Zoë&#32;O&#39;Neil, 44&nbsp;High  Street</p>"));
        phrases.add(&document(
            "<table><tr><td>Flat 98y,Carolyn haven</td><td>3</td><td>Ann</td><td>Other</td></tr></table>",
        ));
        let long = "The Old House, Flat 98y, Carolyn Haven";
        phrases.add(&document(&format!("<p>{long}</p>")));
        for there in [
            "zoë o'neil",
            "Zoë O’Neil",
            "44 High Street",
            "Longest: Zoë",
            "Flat 98y,Carolyn haven",
            "Ann Other",
            long,
        ] {
            assert!(phrases.file_with(there).is_some(), "{there}");
        }
        for not_there in ["Zoë", "O'Neil Zoë", "High Street Zoë", "Other Ann", "Old Carolyn Haven"] {
            assert!(phrases.file_with(not_there).is_none(), "{not_there}");
        }
    }
}
