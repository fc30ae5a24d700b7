//! The page of training: what those who asked for it did at Peloton. It answers how much, of what, how hard, whether it gets
//! more, with whom, and when; and it calls its riders by name, so it is there for nobody else.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use chrono::{Datelike, Months, NaiveDate, Timelike, Weekday};
use serde::Serialize;

use super::{
    chart::{Line, MOST_LINES, Range, lines, ranges, whole},
    html::{Links, PHONE, WIDE},
    table::{Cell, Column, Table, number, text},
};
use crate::{
    domain::{
        artifact::{Artifact, media_type_of},
        workout::{Figure, Workout},
    },
    template::{Templates, format},
};

/// Below the root of the site, where the page and its tables are.
pub const FOLDER: &str = "training/";

/// Shorter ones, and those of which next to nothing was ridden, say nothing of how hard somebody rides.
const SHORTEST_MINUTES: i32 = 10;
const LEAST_KILOJOULES: f64 = 1.0;

/// With an instructor, of one length, somebody must have ridden so often for a mean to say something.
const LEAST_CLASSES: usize = 2;

/// The workouts of everybody who is on the page.
#[derive(Debug, Clone, Default)]
pub struct Training {
    workouts: Vec<Workout>,
}

#[derive(Debug, Serialize)]
struct Page {
    links: Links,
    riders: Vec<String>,
    workouts: String,
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
    cards: Vec<Card>,
}

/// A question and its answer.
#[derive(Debug, Serialize)]
struct Card {
    title: String,
    subtitle: String,
    /// How many of the page's twelve columns it takes.
    columns: u32,
    /// For wide windows and for phones; none where the table says it better.
    charts: Option<[String; 2]>,
    table: Table,
}

/// Cards across the page, across two thirds of it, and beside such a one.
const ACROSS: u32 = 12;
const LARGE: u32 = 8;
const SMALL: u32 = 4;

/// A chart in a card across the page, in CSS pixels.
const WIDEST: (u32, u32) = (1070, 280);

/// A ride on which work was measured.
struct Ridden<'w> {
    workout: &'w Workout,
    minutes: i32,
    kilojoules: f64,
}

impl Training {
    /// Of these workouts.
    #[must_use]
    pub fn of(workouts: Vec<Workout>) -> Self {
        Training { workouts }
    }

    /// The page `training/index.html`, and each of its tables as CSV beside it.
    ///
    /// # Errors
    /// When a chart cannot be drawn, or the template does not fit.
    pub(super) fn artifacts(&self, templates: &Templates) -> Result<Vec<Artifact>> {
        let days = || self.workouts.iter().map(day);
        let cards = self.cards()?;
        let mut artifacts: Vec<Artifact> = cards
            .iter()
            .map(|card| {
                let name = format!("{}.csv", card.table.name);
                Artifact::text(format!("{FOLDER}{name}"), media_type_of(&name), card.table.csv())
            })
            .collect();
        let page = Page {
            links: Links::from("../"),
            riders: self.riders().into_iter().map(str::to_owned).collect(),
            workouts: format::count(amount(self.workouts.len())),
            first: days().min(),
            last: days().max(),
            cards,
        };
        let html = templates
            .render("report/training.html", &page)
            .context("failed to render the page of training")?;
        artifacts.push(Artifact::text(
            format!("{FOLDER}index.html"),
            media_type_of("index.html"),
            html,
        ));
        Ok(artifacts)
    }

    fn cards(&self) -> Result<Vec<Card>> {
        Ok(vec![
            self.per_month()?,
            self.by_discipline(),
            self.by_length()?,
            self.by_hour(),
            self.trend()?,
            self.by_instructor(),
            self.records(),
        ])
    }

    fn riders(&self) -> BTreeSet<&str> {
        self.workouts
            .iter()
            .map(|workout| workout.rider_name.as_str())
            .collect()
    }

    /// A rider's classes of a length; whose they are goes without saying where there is one rider.
    fn label(&self, rider: &str, minutes: i32) -> String {
        let length = length(minutes);
        if self.riders().len() == 1 {
            length
        } else {
            format!("{rider}, {length}")
        }
    }

    /// Every month from the first workout to the last.
    fn months(&self) -> Vec<NaiveDate> {
        let months = || self.workouts.iter().map(month);
        let Some((first, last)) = months().min().zip(months().max()) else {
            return Vec::new();
        };
        std::iter::successors(Some(first), |month| month.checked_add_months(Months::new(1)))
            .take_while(|month| *month <= last)
            .collect()
    }

    /// The rides that say how hard somebody rides.
    fn ridden(&self) -> impl Iterator<Item = Ridden<'_>> {
        self.workouts.iter().filter_map(|workout| {
            let minutes = workout.class_seconds? / 60;
            let kilojoules = workout.figures.get(Figure::TotalOutput)?;
            let is_telling = minutes >= SHORTEST_MINUTES && kilojoules > LEAST_KILOJOULES;
            (workout.discipline == "cycling" && is_telling).then_some(Ridden {
                workout,
                minutes,
                kilojoules,
            })
        })
    }

    fn per_month(&self) -> Result<Card> {
        let months = self.months();
        let mut counts: BTreeMap<(&str, NaiveDate), (i64, f64)> = BTreeMap::new();
        for workout in &self.workouts {
            let count = counts.entry((&workout.rider_name, month(workout))).or_default();
            count.0 += 1;
            count.1 += f64::from(workout.ridden_seconds.or(workout.class_seconds).unwrap_or(0));
        }
        let line = |rider: &str| -> Line {
            let of_month =
                |month: &NaiveDate| Some(counts.get(&(rider, *month)).map_or(0.0, |(count, _)| whole(*count)));
            (rider.to_owned(), months.iter().map(of_month).collect())
        };
        let mut most: Vec<(i64, &str)> = self
            .riders()
            .into_iter()
            .map(|rider| {
                (
                    months
                        .iter()
                        .filter_map(|month| Some(counts.get(&(rider, *month))?.0))
                        .sum(),
                    rider,
                )
            })
            .collect();
        most.sort_by_key(|(count, rider)| (-count, *rider));
        let left_out = most.len() > MOST_LINES;
        let drawn: Vec<Line> = most.iter().take(MOST_LINES).map(|(_, rider)| line(rider)).collect();
        let subtitle = if left_out {
            "Workouts begun in each month; drawn are the six riders with most of them, all are in the table"
        } else {
            "Workouts begun in each month"
        };
        let rows = counts.iter().map(|((rider, month), (count, seconds))| {
            vec![
                Cell::text(&format::month(*month), &month.to_string()),
                named(rider),
                Cell::count(Some(*count)),
                Cell::number(Some(*seconds), format::duration),
            ]
        });
        card(
            LARGE,
            ("Workouts per month", subtitle),
            Some(chart_of(
                &months,
                &drawn,
                "workouts-per-month",
                ("Workouts per month", WIDE),
            )?),
            (
                "workouts-per-month",
                vec![
                    text("Month", "month"),
                    text("Rider", "rider"),
                    number("Workouts", "workouts"),
                    number("Time", "seconds"),
                ],
            ),
            rows.collect(),
        )
    }

    fn by_discipline(&self) -> Card {
        let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        let mut totals: BTreeMap<&str, i64> = BTreeMap::new();
        for workout in &self.workouts {
            *counts.entry((&workout.rider_name, &workout.discipline)).or_default() += 1;
            *totals.entry(&workout.rider_name).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|((rider, _), count)| (*rider, -count));
        let rows = counts.into_iter().map(|((rider, discipline), count)| {
            let share = whole(count) / whole(totals[rider]);
            vec![
                named(rider),
                Cell::text(&spelt(discipline), discipline),
                Cell::count(Some(count)),
                Cell::number(Some(share), format::share),
            ]
        });
        Card {
            title: "What was done".to_owned(),
            subtitle: "Workouts by discipline, and their share of the rider's".to_owned(),
            columns: SMALL,
            charts: None,
            table: Table {
                name: "disciplines",
                columns: vec![
                    text("Rider", "rider"),
                    text("Discipline", "discipline"),
                    number("Workouts", "workouts"),
                    number("Share", "share"),
                ],
                rows: rows.collect(),
            },
        }
    }

    fn by_length(&self) -> Result<Card> {
        let mut outputs: BTreeMap<(&str, i32), Vec<f64>> = BTreeMap::new();
        for ride in self.ridden() {
            outputs
                .entry((&ride.workout.rider_name, ride.minutes))
                .or_default()
                .push(ride.kilojoules);
        }
        let groups: Vec<_> = outputs
            .iter_mut()
            .map(|(key, values)| (*key, values.len(), quartiles(values)))
            .collect();
        let drawn: Vec<(String, Range)> = groups
            .iter()
            .map(|((rider, minutes), _, range)| (self.label(rider, *minutes), *range))
            .collect();
        let title = "Output by class length";
        let chart = |id: &str, width| ranges(&drawn, id, width, (title, "kJ"));
        let rows = groups.iter().map(|((rider, minutes), count, range)| {
            let mut row = vec![
                named(rider),
                length_cell(*minutes),
                Cell::count(i64::try_from(*count).ok()),
            ];
            row.extend(range.map(|value| Cell::number(Some(value), |value| format::count(value.round()))));
            row
        });
        card(
            LARGE,
            (
                title,
                "Kilojoules of rides of ten minutes or more on which work was measured: lowest to highest, the middle half, and the median",
            ),
            Some([
                chart("output-by-length", WIDE.0)?,
                chart("output-by-length-phone", PHONE.0)?,
            ]),
            (
                "output-by-length",
                vec![
                    text("Rider", "rider"),
                    number("Class", "class_minutes"),
                    number("Rides", "rides"),
                    number("Lowest", "lowest_kilojoules"),
                    number("Lower quarter", "lower_quartile_kilojoules"),
                    number("Median", "median_kilojoules"),
                    number("Upper quarter", "upper_quartile_kilojoules"),
                    number("Highest", "highest_kilojoules"),
                ],
            ),
            rows.collect(),
        )
    }

    fn trend(&self) -> Result<Card> {
        let months = self.months();
        let mut outputs: BTreeMap<(&str, i32), BTreeMap<NaiveDate, Vec<f64>>> = BTreeMap::new();
        for ride in self.ridden() {
            let of_group = outputs.entry((&ride.workout.rider_name, ride.minutes)).or_default();
            of_group.entry(month(ride.workout)).or_default().push(ride.kilojoules);
        }
        // What was ridden most is drawn; all of it is in the table.
        let mut most: Vec<_> = outputs.iter().collect();
        most.sort_by_key(|(key, months)| (std::cmp::Reverse(months.values().map(Vec::len).sum::<usize>()), *key));
        let line = |((rider, minutes), of_group): &(&(&str, i32), &BTreeMap<NaiveDate, Vec<f64>>)| -> Line {
            let of_month = |month: &NaiveDate| of_group.get(month).map(|values| mean(values));
            (self.label(rider, *minutes), months.iter().map(of_month).collect())
        };
        let drawn: Vec<Line> = most.iter().take(MOST_LINES).map(line).collect();
        let rows = outputs.iter().flat_map(|((rider, minutes), of_group)| {
            of_group.iter().map(move |(month, values)| {
                vec![
                    Cell::text(&format::month(*month), &month.to_string()),
                    named(rider),
                    length_cell(*minutes),
                    Cell::count(i64::try_from(values.len()).ok()),
                    Cell::number(Some(mean(values)), |value| format::count(value.round())),
                ]
            })
        });
        let title = "Output over time";
        card(
            ACROSS,
            (
                title,
                "Mean kilojoules of a month's rides of one class length, the most ridden ones",
            ),
            Some(chart_of(&months, &drawn, "output-per-month", (title, WIDEST))?),
            (
                "output-per-month",
                vec![
                    text("Month", "month"),
                    text("Rider", "rider"),
                    number("Class", "class_minutes"),
                    number("Rides", "rides"),
                    number("Mean output, kJ", "output_kilojoules_mean"),
                ],
            ),
            rows.collect(),
        )
    }

    fn by_instructor(&self) -> Card {
        let mut outputs: BTreeMap<(&str, i32, &str), Vec<f64>> = BTreeMap::new();
        for ride in self.ridden() {
            if let Some(instructor) = &ride.workout.instructor {
                let key = (ride.workout.rider_name.as_str(), ride.minutes, instructor.as_str());
                outputs.entry(key).or_default().push(ride.kilojoules);
            }
        }
        let mut groups: Vec<_> = outputs
            .into_iter()
            .filter(|(_, values)| values.len() >= LEAST_CLASSES)
            .collect();
        groups.sort_by(|((rider, minutes, _), one), ((other_rider, other_minutes, _), other)| {
            (rider, minutes)
                .cmp(&(other_rider, other_minutes))
                .then(mean(other).total_cmp(&mean(one)))
        });
        let rows = groups.iter().map(|((rider, minutes, instructor), values)| {
            vec![
                named(rider),
                length_cell(*minutes),
                Cell::text(instructor, instructor),
                Cell::count(i64::try_from(values.len()).ok()),
                Cell::number(Some(mean(values)), |value| format::count(value.round())),
            ]
        });
        Card {
            title: "Who makes one work hardest".to_owned(),
            subtitle: "Mean kilojoules by class length and instructor, of two classes or more".to_owned(),
            columns: ACROSS,
            charts: None,
            table: Table {
                name: "instructors",
                columns: vec![
                    text("Rider", "rider"),
                    number("Class", "class_minutes"),
                    text("Instructor", "instructor"),
                    number("Rides", "rides"),
                    number("Mean output, kJ", "output_kilojoules_mean"),
                ],
                rows: rows.collect(),
            },
        }
    }

    fn by_hour(&self) -> Card {
        const DAYS: [Weekday; 7] = [
            Weekday::Mon,
            Weekday::Tue,
            Weekday::Wed,
            Weekday::Thu,
            Weekday::Fri,
            Weekday::Sat,
            Weekday::Sun,
        ];
        let mut counts: BTreeMap<u32, [i64; DAYS.len()]> = BTreeMap::new();
        for workout in &self.workouts {
            let local = workout.start.local;
            let day = local.weekday().num_days_from_monday() as usize;
            counts.entry(local.hour()).or_default()[day] += 1;
        }
        let rows = counts.into_iter().map(|(hour, counts)| {
            let mut row = vec![Cell::text(&format!("{hour:02}:00"), &hour.to_string())];
            row.extend(counts.map(|count| Cell::count(Some(count).filter(|count| *count > 0))));
            row
        });
        let day = |label: &'static str, key: &'static str| number(label, key);
        Card {
            title: "When".to_owned(),
            subtitle: "Workouts begun in each hour of the rider's clock, by day of the week".to_owned(),
            columns: SMALL,
            charts: None,
            table: Table {
                name: "hours",
                columns: vec![
                    text("Hour", "hour"),
                    day("Mon", "monday"),
                    day("Tue", "tuesday"),
                    day("Wed", "wednesday"),
                    day("Thu", "thursday"),
                    day("Fri", "friday"),
                    day("Sat", "saturday"),
                    day("Sun", "sunday"),
                ],
                rows: rows.collect(),
            },
        }
    }

    fn records(&self) -> Card {
        let mut best: BTreeMap<(&str, i32), Ridden<'_>> = BTreeMap::new();
        for ride in self.ridden() {
            let key = (ride.workout.rider_name.as_str(), ride.minutes);
            let is_better = best.get(&key).is_none_or(|other| ride.kilojoules > other.kilojoules);
            if is_better {
                best.insert(key, ride);
            }
        }
        let rows = best.into_iter().map(|((rider, minutes), ride)| {
            let power = ride.workout.figures.get(Figure::Power);
            let day = day(ride.workout);
            let title = ride.workout.title.as_deref().unwrap_or(format::NOTHING);
            vec![
                named(rider),
                length_cell(minutes),
                Cell::number(Some(ride.kilojoules), |value| format::count(value.round())),
                Cell::number(power, |value| format::count(value.round())),
                Cell::text("", &day.to_string()),
                Cell::text(&format!("{title}, {} {}", format::date_medium(day), day.year()), title),
            ]
        });
        Card {
            title: "Personal records".to_owned(),
            subtitle: "The most work in a ride of each class length".to_owned(),
            columns: ACROSS,
            charts: None,
            table: Table {
                name: "records",
                columns: vec![
                    text("Rider", "rider"),
                    number("Class", "class_minutes"),
                    number("Output, kJ", "output_kilojoules"),
                    number("Mean power, W", "power_watts_mean"),
                    text("", "day"),
                    text("Ride", "title"),
                ],
                rows: rows.collect(),
            },
        }
    }
}

fn card(
    columns: u32,
    (title, subtitle): (&str, &str),
    charts: Option<[String; 2]>,
    (name, of): (&'static str, Vec<Column>),
    rows: Vec<Vec<Cell>>,
) -> Result<Card> {
    Ok(Card {
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        columns,
        charts,
        table: Table {
            name,
            columns: of,
            rows,
        },
    })
}

fn chart_of(months: &[NaiveDate], drawn: &[Line], id: &str, (title, size): (&str, (u32, u32))) -> Result<[String; 2]> {
    Ok([
        lines(months, drawn, id, size, title)?,
        lines(months, drawn, &format!("{id}-phone"), PHONE, title)?,
    ])
}

/// The day it began on, by the rider's calendar.
fn day(workout: &Workout) -> NaiveDate {
    workout.start.local.date()
}

fn month(workout: &Workout) -> NaiveDate {
    let day = day(workout);
    day.with_day(1).unwrap_or(day)
}

fn named(rider: &str) -> Cell {
    Cell::text(rider, rider)
}

/// `bike_bootcamp` as people write it.
fn spelt(discipline: &str) -> String {
    let words = discipline.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn length(minutes: i32) -> String {
    format::with_unit(&minutes.to_string(), "min")
}

fn length_cell(minutes: i32) -> Cell {
    Cell::number(Some(f64::from(minutes)), |minutes| {
        format::with_unit(&format::count(minutes), "min")
    })
}

#[expect(clippy::cast_precision_loss, reason = "workouts stay far below 2^53")]
fn amount(count: usize) -> f64 {
    count as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / amount(values.len()).max(1.0)
}

/// Lowest, quartiles and highest; between two values, as far between them as it has to be.
fn quartiles(values: &mut [f64]) -> Range {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| {
        let place = share * amount(last);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is the place of one of them"
        )]
        let below = place.floor() as usize;
        let (low, high) = (values[below], values[(below + 1).min(last)]);
        low + (high - low) * place.fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::training_sample;

    fn files(training: &Training) -> BTreeMap<String, String> {
        let artifacts = training.artifacts(&Templates::load(None).unwrap()).unwrap();
        let text = |artifact: Artifact| (artifact.path, String::from_utf8(artifact.bytes).unwrap());
        artifacts.into_iter().map(text).collect()
    }

    /// A ride of Ann's: its day, minutes, kilojoules and instructor.
    fn ride(day: &str, minutes: i32, kilojoules: f64, instructor: &str) -> Workout {
        let mut workout = training_sample::workouts().workouts.swap_remove(0);
        workout.start.local = format!("{day}T07:30:00").parse().unwrap();
        workout.rider_name = "Ann".to_owned();
        workout.discipline = "cycling".to_owned();
        workout.title = Some(format!("{minutes} min <Hills>"));
        workout.class_seconds = Some(minutes * 60);
        workout.instructor = Some(instructor.to_owned());
        workout.figures.set(Figure::TotalOutput, Some(kilojoules));
        workout.figures.set(Figure::Power, None);
        workout
    }

    #[test]
    fn every_question_is_answered_with_the_figures_of_the_workouts() {
        let mut yoga = ride("2025-03-03", 30, 0.0, "Ida");
        yoga.discipline = "yoga".to_owned();
        let training = Training::of(vec![
            ride("2025-01-06", 30, 200.0, "Ida"),
            ride("2025-01-13", 30, 240.0, "Ida"),
            ride("2025-03-04", 30, 280.0, "José"),
            ride("2025-03-05", 45, 400.0, "José"),
            // Too short, and too little, to say how hard she rides.
            ride("2025-03-06", 5, 20.0, "Ida"),
            ride("2025-03-07", 30, 0.5, "Ida"),
            yoga,
        ]);
        let files = files(&training);
        let csv = |name: &str| files[&format!("training/{name}.csv")].replace("\r\n", "\n");
        assert_eq!(
            csv("workouts-per-month"),
            "month,rider,workouts,seconds\n2025-01-01,Ann,2,3600\n2025-03-01,Ann,5,8400\n"
        );
        assert!(csv("disciplines").starts_with("rider,discipline,workouts,share\nAnn,cycling,6,0.857"));
        assert_eq!(
            csv("output-by-length").lines().skip(1).collect::<Vec<_>>(),
            ["Ann,30,3,200,220,240,260,280", "Ann,45,1,400,400,400,400,400"]
        );
        assert_eq!(
            csv("output-per-month").lines().skip(1).collect::<Vec<_>>(),
            [
                "2025-01-01,Ann,30,2,220",
                "2025-03-01,Ann,30,1,280",
                "2025-03-01,Ann,45,1,400"
            ]
        );
        assert_eq!(
            csv("instructors").lines().skip(1).collect::<Vec<_>>(),
            ["Ann,30,Ida,2,220"]
        );
        assert_eq!(csv("hours").lines().nth(1), Some("7,3,1,1,1,1,,"));
        assert_eq!(
            csv("records").lines().skip(1).collect::<Vec<_>>(),
            [
                "Ann,30,280,,2025-03-04,30 min <Hills>",
                "Ann,45,400,,2025-03-05,45 min <Hills>"
            ]
        );
        let page = &files["training/index.html"];
        assert!(page.contains("7 workouts at Peloton of Ann, from"), "{page}");
        assert!(page.contains("30 min &lt;Hills&gt;") && !page.contains("<Hills>"));
        // February, in which nothing was ridden, is a month all the same.
        assert!(page.contains("Ann 2 in January 2025 to 5 in March 2025"), "{page}");
    }

    #[test]
    fn lines_of_several_riders_are_named_and_each_chart_has_its_table() {
        let files = files(&training_sample::workouts());
        let page = &files["training/index.html"];
        assert_eq!(files.len(), 8, "a page and seven tables");
        assert_eq!(
            page.matches("<svg class=\"chart\"").count(),
            6,
            "three charts, for wide windows and for phones"
        );
        assert_eq!(page.matches("<table>").count(), 7);
        assert!(page.contains(">Ann</text>") && page.contains(">Bea</text>"), "{page}");
        assert!(page.len() < 150_000, "{}", page.len());
    }

    #[test]
    fn of_one_rider_nobody_is_named_and_of_many_those_who_rode_most_are_drawn() {
        let alone = files(&Training::of(vec![
            ride("2025-01-06", 30, 200.0, "Ida"),
            ride("2025-02-13", 45, 240.0, "Ida"),
        ]));
        let page = &alone["training/index.html"];
        assert!(
            page.contains(&format!(">{}</text>", length(30))) && !page.contains("Ann, 30"),
            "{page}"
        );
        assert!(
            page.contains("Thu 13 Feb 2025"),
            "a record without its year says little"
        );

        let mut many: Vec<Workout> = Vec::new();
        for (number, name) in ["Abe", "Bo", "Cy", "Di", "Ed", "Flo", "Gus"].into_iter().enumerate() {
            for day in 0..=number {
                let mut ride = ride(&format!("2025-01-{:02}", 6 + day), 30, 200.0, "Ida");
                ride.rider_name = name.to_owned();
                many.push(ride);
            }
        }
        let page = &files(&Training::of(many))["training/index.html"];
        assert!(page.contains(">Gus</text>") && !page.contains(">Abe</text>"), "{page}");
        assert!(page.contains("the six riders with most of them"), "{page}");
    }

    #[test]
    fn nobody_trains_on_an_empty_page() {
        let files = files(&Training::default());
        assert!(files["training/index.html"].contains("No workout yet"));
    }
}
