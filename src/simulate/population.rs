//! The people: who they are, how fit they are, and how a bike's header describes them.

use std::fmt::Write as _;

use chrono::{Days, NaiveDate};

use super::{
    dice::{Dice, Purpose},
    names::{AREAS, FEMALE, MALE, STREETS, SURNAMES, TOWN_FIRST, TOWN_LAST},
};

/// Company numbers begin here.
const FIRST_RIDER_ID: u32 = 100;
/// After this many riders one number is missing: a closed account.
const RIDERS_BETWEEN_GAPS: u32 = 11;
/// Ages are spread around this day; a birth date never changes.
const AGES_AS_OF: NaiveDate = NaiveDate::from_ymd_opt(2025, 6, 1).expect("a real date");
/// The first account was made on this day.
const FIRST_ACCOUNT: NaiveDate = NaiveDate::from_ymd_opt(2021, 12, 1).expect("a real date");
const ACCOUNT_DAYS: u32 = 1_100;
/// A rider moves house about this often.
const DAYS_BETWEEN_MOVES: u32 = 730;
/// A rider steps on the scales about this often.
const DAYS_BETWEEN_WEIGHINGS: u32 = 30;

/// Riders by age band: first age, last age, share.
const AGES: [(u32, u32, f64); 7] = [
    (16, 19, 0.06),
    (20, 29, 0.21),
    (30, 39, 0.23),
    (40, 49, 0.19),
    (50, 59, 0.15),
    (60, 69, 0.10),
    (70, 85, 0.06),
];

/// One simulated person, always the same for a seed and an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The company's number for the person.
    pub rider_id: u32,
    /// With a title, in one case of five.
    pub name: String,
    /// `male`, `female`, sometimes something else or nothing.
    pub gender: Option<&'static str>,
    /// Date of birth; before 1970 for about a quarter.
    pub date_of_birth: NaiveDate,
    /// At a reserved domain, so that no mail can reach a stranger.
    pub email_address: String,
    /// Height, cm.
    pub height_cm: u32,
    /// Weight, kg, at the first weighing.
    pub weight_kg: u32,
    /// When the account was made.
    pub account_created_on: NaiveDate,
    /// Acquisition channel.
    pub original_source: &'static str,
    /// Heart rate at rest, beats a minute.
    pub resting_bpm: f64,
    /// Highest heart rate, beats a minute.
    pub highest_bpm: f64,
    /// Fitness, 0 to 1: moves cadence up and heart rate down.
    pub fitness: f64,
    seed: u64,
    index: u32,
}

impl Person {
    /// Person number `index` of the population of `seed`.
    #[must_use]
    pub fn new(seed: u64, index: u32) -> Self {
        let mut dice = Dice::new(seed, Purpose::Rider, index.into(), 0);
        let is_male = dice.chance(0.5);
        let gender = match dice.below(1000) {
            // Enough of each that a demo's day shows the split by gender: groups under five riders are not shown.
            0..60 => None,
            60..100 => Some("non-binary"),
            100..120 => Some("other"),
            _ if is_male => Some("male"),
            _ => Some("female"),
        };
        let forename = dice.pick(if is_male { &MALE } else { &FEMALE });
        let mut surname = (*dice.pick(&SURNAMES)).to_owned();
        if dice.chance(0.04) {
            let second = dice.pick(&SURNAMES);
            if *second != surname {
                surname = format!("{surname}-{second}");
            }
        }
        let name = match title(&mut dice, gender) {
            Some(title) => format!("{title} {forename} {surname}"),
            None => format!("{forename} {surname}"),
        };
        let (youngest, oldest, _) = AGES[dice.weighted(AGES.iter().map(|band| band.2))];
        let age = dice.between(youngest, oldest);
        let date_of_birth = AGES_AS_OF - Days::new(u64::from(age) * 1461 / 4 + u64::from(dice.between(1, 364)));
        let height_cm = if is_male {
            dice.between(164, 193)
        } else {
            dice.between(151, 179)
        };
        let body_mass_index = dice.within(18.5, 30.0);
        let metres = f64::from(height_cm) / 100.0;
        let fitness = dice.unit();
        Person {
            rider_id: FIRST_RIDER_ID + index + index / RIDERS_BETWEEN_GAPS,
            email_address: email_address(&mut dice, &name),
            name,
            gender,
            date_of_birth,
            height_cm,
            weight_kg: (body_mass_index * metres * metres) as u32,
            account_created_on: FIRST_ACCOUNT + Days::new(dice.below(ACCOUNT_DAYS).into()),
            original_source: ["direct", "google ads", "social media", "offline"]
                [dice.weighted([0.42, 0.25, 0.21, 0.12].into_iter())],
            resting_bpm: 76.0 - 20.0 * fitness + dice.within(-4.0, 4.0),
            highest_bpm: (208.0 - 0.7 * f64::from(age)) * dice.within(0.92, 1.0),
            fitness,
            seed,
            index,
        }
    }

    /// Writes the header's compact JSON as it would read on `day`, all eleven keys.
    pub(super) fn write_header(&self, bike_serial: &str, day: NaiveDate, out: &mut String) {
        let gender = self
            .gender
            .map_or_else(|| "null".to_owned(), |gender| format!("\"{gender}\""));
        let address = self.address_on(day);
        let Person {
            rider_id,
            name,
            email_address,
            height_cm,
            original_source,
            ..
        } = self;
        let (born, weight, created) = (
            epoch_millis(self.date_of_birth),
            self.weight_kg_on(day),
            epoch_millis(self.account_created_on),
        );
        write!(
            out,
            "{{\"user_id\":{rider_id},\"name\":\"{name}\",\"gender\":{gender},\"address\":\"{address}\",\
             \"date_of_birth\":{born},\"email_address\":\"{email_address}\",\"height_cm\":{height_cm},\
             \"weight_kg\":{weight},\"account_create_date\":{created},\"bike_serial\":\"{bike_serial}\",\
             \"original_source\":\"{original_source}\"}}"
        )
        .expect("a String takes whatever is written");
    }

    /// Where the person lives on `day`.
    #[must_use]
    pub fn address_on(&self, day: NaiveDate) -> String {
        address(&mut Dice::new(
            self.seed,
            Purpose::Move,
            self.index.into(),
            self.period(day, DAYS_BETWEEN_MOVES),
        ))
    }

    /// What the person weighs on `day`, kg: within 2 kg of what they weighed first.
    #[must_use]
    pub fn weight_kg_on(&self, day: NaiveDate) -> u32 {
        let weighing = self.period(day, DAYS_BETWEEN_WEIGHINGS);
        self.weight_kg - 2 + Dice::new(self.seed, Purpose::Move, self.index.into(), weighing + (1 << 32)).below(5)
    }

    /// Which period of so many days it is for this person; people differ in when theirs begin.
    fn period(&self, day: NaiveDate, days: u32) -> u64 {
        let since = (day - FIRST_ACCOUNT).num_days() + i64::from(self.index.wrapping_mul(2_654_435_761) % days);
        u64::try_from(since.div_euclid(days.into())).unwrap_or(0)
    }
}

fn title(dice: &mut Dice, gender: Option<&str>) -> Option<&'static str> {
    if !dice.chance(0.2) {
        return None;
    }
    Some(match (gender, dice.below(6)) {
        (_, 0) => "Dr",
        (Some("male"), _) => "Mr",
        (Some("female"), 1 | 2) => "Mrs",
        (Some("female"), 3) => "Miss",
        (Some("female"), _) => "Ms",
        _ => "Mx",
    })
}

/// Made of the first word of the name, as the company makes them: `Mr Stuart Austin` is `mr.s@…`.
fn email_address(dice: &mut Dice, name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('\'', "");
    let (first, rest) = name.split_once(' ').unwrap_or((&name, "x"));
    let second = rest.split(' ').next().unwrap_or(rest);
    let separator = if dice.chance(0.5) { '.' } else { '_' };
    let second = if dice.chance(0.6) { &second[..1] } else { second };
    let number = if dice.chance(0.4) {
        dice.between(1, 99).to_string()
    } else {
        String::new()
    };
    let domain = dice.pick(&["example.com", "example.net", "example.org"]);
    format!("{first}{separator}{second}{number}@{domain}")
}

/// `[unit,]number street,town,postcode`, no space after commas.
fn address(dice: &mut Dice) -> String {
    let (area, post_town, _) = AREAS[dice.weighted(AREAS.iter().map(|area| area.2))];
    let mut out = String::new();
    let people = if dice.chance(0.5) { &MALE } else { &FEMALE };
    let street = format!(
        "{} {}",
        if dice.chance(0.5) {
            dice.pick(&SURNAMES)
        } else {
            dice.pick(people)
        },
        dice.pick(&STREETS)
    );
    if dice.chance(0.45) {
        out += if dice.chance(0.5) { "Flat " } else { "Studio " };
        out += &dice.between(1, 99).to_string();
        if dice.chance(0.3) {
            out.push(char::from(b'a' + dice.below(26) as u8));
        }
        out.push(',');
    } else {
        out += &dice.below(999).to_string();
        out.push(' ');
    }
    out += &street;
    out.push(',');
    if dice.chance(0.6) {
        out += post_town;
    } else if dice.chance(0.4) {
        out += &format!("{} {}", dice.pick(&TOWN_FIRST), dice.pick(people));
    } else {
        out += &format!("{}{}", dice.pick(people), dice.pick(&TOWN_LAST));
    }
    out.push(',');
    out += area;
    match dice.below(6) {
        0 => {
            out += &dice.between(1, 9).to_string();
            out.push(postcode_letter(dice));
        }
        1 | 2 => out += &dice.between(10, 29).to_string(),
        _ => out += &dice.between(1, 9).to_string(),
    }
    out.push(' ');
    out += &dice.below(10).to_string();
    out.push(postcode_letter(dice));
    out.push(postcode_letter(dice));
    out
}

/// Postcodes leave out the letters that are easily misread.
fn postcode_letter(dice: &mut Dice) -> char {
    char::from(*dice.pick(b"ABDEFGHJLNPQRSTUWXYZ"))
}

/// Milliseconds from 1970 to the day's midnight, UTC; negative before.
fn epoch_millis(day: NaiveDate) -> i64 {
    (day - NaiveDate::default()).num_milliseconds()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rider::{age_at, postcode_area, split_address, split_name};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_header_is_json_with_all_eleven_keys() {
        for index in 0..500 {
            let person = Person::new(7, index);
            let mut text = String::new();
            person.write_header("SN0001", day("2026-05-01"), &mut text);
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(
                keys,
                [
                    "user_id",
                    "name",
                    "gender",
                    "address",
                    "date_of_birth",
                    "email_address",
                    "height_cm",
                    "weight_kg",
                    "account_create_date",
                    "bike_serial",
                    "original_source"
                ]
            );
            assert!(!text.contains(": ") && !text.contains(", "), "compact: {text}");
            assert_eq!(json["date_of_birth"].as_i64().unwrap() % 86_400_000, 0);
        }
    }

    #[test]
    fn people_are_plausible_and_of_every_kind() {
        let people: Vec<_> = (0..3000).map(|index| Person::new(1, index)).collect();
        let share = |is: &dyn Fn(&Person) -> bool| people.iter().filter(|p| is(p)).count() as f64 / 3000.0;
        let ages: Vec<_> = people
            .iter()
            .map(|p| age_at(p.date_of_birth, "2025-06-01T12:00:00Z".parse().unwrap()).unwrap())
            .collect();
        assert!(
            ages.iter().all(|age| (16..=86).contains(age)),
            "{:?}",
            ages.iter().minmax()
        );
        assert!(ages.iter().any(|&age| age < 20) && ages.iter().any(|&age| age > 80));
        assert!(share(&|p| p.date_of_birth < day("1970-01-01")) > 0.1);
        assert!((0.4..0.6).contains(&share(&|p| p.gender == Some("female"))));
        assert!((0.03..0.09).contains(&share(&|p| p.gender.is_none())));
        assert!((0.03..0.09).contains(&share(&|p| !matches!(p.gender, Some("male" | "female") | None))));
        assert!(share(&|p| p.name.contains('-')) > 0.01);
        assert!((0.1..0.3).contains(&share(&|p| p.name.split(' ').count() == 3)));
        for person in &people {
            assert!(split_name(&person.name).1.is_some());
            let address = person.address_on(day("2026-05-01"));
            let parts = address.split(',').count();
            assert!(parts == 3 || parts == 4, "{address}");
            let area = postcode_area(split_address(&address).postcode.unwrap()).unwrap();
            assert!(AREAS.iter().any(|known| known.0 == area), "{address}");
        }
        let mut ids: Vec<_> = people.iter().map(|p| p.rider_id).collect();
        ids.dedup();
        assert_eq!(ids.len(), people.len());
        assert_eq!((ids[0], ids[2999]), (100, 100 + 2999 + 2999 / 11));
    }

    #[test]
    fn a_rider_moves_and_gains_weight_but_stays_the_same_person() {
        let person = Person::new(3, 9);
        let (then, later) = (day("2026-01-01"), day("2030-01-01"));
        assert_eq!(person.address_on(then), person.address_on(then));
        assert_ne!(person.address_on(then), person.address_on(later));
        let weights: std::collections::HashSet<_> = (0..12)
            .map(|month| person.weight_kg_on(then + Days::new(30 * month)))
            .collect();
        assert!(weights.len() > 1);
        assert_eq!(person, Person::new(3, 9));
        assert_ne!(person.name, Person::new(4, 9).name);
    }

    trait MinMax: Iterator<Item: Ord> + Clone {
        fn minmax(self) -> (Option<Self::Item>, Option<Self::Item>)
        where
            Self: Sized,
        {
            (self.clone().min(), self.max())
        }
    }
    impl<I: Iterator<Item: Ord> + Clone> MinMax for I {}
}
