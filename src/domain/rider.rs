//! A rider: what a bike's header says of the person, and how names, addresses and ages are read.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// A rider as one header described them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rider {
    /// The company's number for the person.
    pub rider_id: i64,
    /// Name in full, as received, with its title.
    pub name: Option<String>,
    /// See [`Gender`].
    pub gender: Gender,
    /// Address in full, as received.
    pub address: Option<String>,
    /// Date of birth.
    pub date_of_birth: Option<NaiveDate>,
    /// Mail address.
    pub email_address: Option<String>,
    /// Height, cm.
    pub height_cm: Option<i32>,
    /// Weight, kg.
    pub weight_kg: Option<i32>,
    /// When the account was made.
    pub account_created_on: Option<NaiveDate>,
    /// Acquisition channel: `direct`, `offline`, `google ads`, `social media`, …
    pub original_source: Option<String>,
}

/// A rider's gender as the header gives it. Anything else that was given is `Other`; nothing given is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Gender {
    /// `female`
    Female,
    /// `male`
    Male,
    /// Any other text.
    Other,
    /// Absent or empty.
    Unknown,
}

/// Bands of age, youngest first, as `jobs/daily_by_age_band.sql` names them.
pub const AGE_BANDS: [&str; 8] = [
    "under 18", "18–24", "25–34", "35–44", "45–54", "55–64", "65+", "unknown",
];

/// Bands of age, youngest first, as the rides and riders of the extracts have them: broader where few ride.
pub const BROAD_AGE_BANDS: [&str; 7] = ["< 18", "18–24", "25–34", "35–44", "45–54", "55+", "unknown"];

impl Gender {
    /// Every one, in the order that people are shown them.
    pub const ALL: [Gender; 4] = [Gender::Female, Gender::Male, Gender::Other, Gender::Unknown];

    /// Reads the header's text, in any case, and what tables call it.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        match text.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "unknown") => Gender::Unknown,
            Some("female") => Gender::Female,
            Some("male") => Gender::Male,
            Some(_) => Gender::Other,
        }
    }

    /// The name used in tables and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Gender::Female => "female",
            Gender::Male => "male",
            Gender::Other => "other",
            Gender::Unknown => "unknown",
        }
    }

    /// The gender called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Gender::ALL.into_iter().find(|gender| gender.name() == name)
    }
}

/// Words before a name that are not part of it, with or without a full stop.
const TITLES: [&str; 10] = ["mr", "mrs", "miss", "ms", "mx", "dr", "prof", "rev", "sir", "dame"];

/// A name without its title, split into forename and surname: all words but the last, and the last. A single word is
/// a forename.
#[must_use]
pub fn split_name(name: &str) -> (Option<&str>, Option<&str>) {
    let name = name.trim();
    let bare = match name.split_once(char::is_whitespace) {
        Some((first, rest)) if TITLES.contains(&first.trim_end_matches('.').to_ascii_lowercase().as_str()) => {
            rest.trim_start()
        }
        _ => name,
    };
    match bare.rsplit_once(char::is_whitespace) {
        Some((forename, surname)) => (Some(forename.trim_end()), Some(surname)),
        None if bare.is_empty() => (None, None),
        None => (Some(bare), None),
    }
}

/// An address split at its commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddressParts<'a> {
    /// Everything before the town.
    pub street: Option<&'a str>,
    /// The part before the postcode.
    pub town: Option<&'a str>,
    /// The last part.
    pub postcode: Option<&'a str>,
}

/// Splits an address of any shape: the postcode is the last part, the town the one before it, the street the rest.
#[must_use]
pub fn split_address(address: &str) -> AddressParts<'_> {
    fn part(text: &str) -> Option<&str> {
        Some(text.trim()).filter(|text| !text.is_empty())
    }
    let mut parts = AddressParts::default();
    let mut rest = address;
    for slot in [&mut parts.postcode, &mut parts.town] {
        match rest.rsplit_once(',') {
            Some((before, last)) => {
                *slot = part(last);
                rest = before;
            }
            None => {
                *slot = part(rest);
                rest = "";
            }
        }
    }
    parts.street = part(rest);
    parts
}

/// The postcode area: the letters a postcode begins with (`E` of `E68 8SH`), upper case.
#[must_use]
pub fn postcode_area(postcode: &str) -> Option<String> {
    let letters: String = postcode
        .trim()
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .take(2)
        .collect();
    Some(letters.to_ascii_uppercase()).filter(|area| !area.is_empty())
}

/// Calendar age in whole years at an instant: what the person would say their age is on that day. Someone born on
/// 29 February has their birthday on 1 March in other years. None before birth.
#[must_use]
pub fn age_at(date_of_birth: NaiveDate, at: DateTime<Utc>) -> Option<i32> {
    let today = at.date_naive();
    let had_birthday = (today.month(), today.day()) >= (date_of_birth.month(), date_of_birth.day());
    let age = today.year() - date_of_birth.year() - i32::from(!had_birthday);
    (age >= 0).then_some(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gender_is_read_from_a_header_and_back_from_a_table() {
        assert_eq!(Gender::parse(Some(" Female ")), Gender::Female);
        assert_eq!(
            (Gender::parse(Some("nb")), Gender::parse(Some("")), Gender::parse(None)),
            (Gender::Other, Gender::Unknown, Gender::Unknown)
        );
        for gender in Gender::ALL {
            assert_eq!(Gender::parse(Some(gender.name())), gender);
            assert_eq!(Gender::from_name(gender.name()), Some(gender));
        }
    }

    #[test]
    fn names_lose_their_titles_and_keep_their_hyphens() {
        assert_eq!(split_name("Steven Pearce"), (Some("Steven"), Some("Pearce")));
        assert_eq!(split_name("Mr Stuart Austin"), (Some("Stuart"), Some("Austin")));
        assert_eq!(
            split_name("Dr. Ann Mary Parker-Bruce"),
            (Some("Ann Mary"), Some("Parker-Bruce"))
        );
        assert_eq!(split_name("Cher"), (Some("Cher"), None));
        assert_eq!(split_name("  "), (None, None));
    }

    #[test]
    fn addresses_of_any_shape_are_split_and_none_is_refused() {
        let parts = split_address("Flat 98y,Carolyn haven,East Valeriemouth,S5T 0TT");
        assert_eq!(
            (parts.street, parts.town, parts.postcode),
            (
                Some("Flat 98y,Carolyn haven"),
                Some("East Valeriemouth"),
                Some("S5T 0TT")
            )
        );
        let parts = split_address("0 Simpson locks,Wilkinsonshire,E68 8SH");
        assert_eq!(
            (parts.street, parts.town, parts.postcode),
            (Some("0 Simpson locks"), Some("Wilkinsonshire"), Some("E68 8SH"))
        );
        assert_eq!(split_address("nowhere").postcode, Some("nowhere"));
        assert_eq!(split_address(""), AddressParts::default());
    }

    #[test]
    fn an_area_is_the_letters_a_postcode_begins_with() {
        for (postcode, area) in [
            ("E68 8SH", "E"),
            ("wr4v 7ta", "WR"),
            ("L0J 7ED", "L"),
            ("EC2E 7QP", "EC"),
        ] {
            assert_eq!(postcode_area(postcode).as_deref(), Some(area));
        }
        assert_eq!(postcode_area("12 34"), None);
    }

    #[test]
    fn age_is_the_calendar_age() {
        let born = "1978-09-04".parse().unwrap();
        let age = |at: &str| age_at(born, at.parse().unwrap());
        assert_eq!(age("2022-07-06T23:29:35Z"), Some(43));
        assert_eq!(age("2022-09-03T23:59:59Z"), Some(43));
        assert_eq!(age("2022-09-04T00:00:00Z"), Some(44));
        assert_eq!(age("1970-01-01T00:00:00Z"), None);
    }
}
