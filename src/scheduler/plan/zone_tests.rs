//! What holds in every zone whose clocks change, for any schedule and any outage.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeDelta};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;

use super::{calendar, case::instant, *};
use crate::{
    config::schedule::CronText,
    domain::day::DayRule,
    scheduler::firing::{Change, changes, instant_of, latest_at, next_after},
};

/// Every zone whose clocks change from 2026 to 2028, with its changes.
fn changing_zones() -> Vec<(Tz, Vec<Change>)> {
    let (from, to) = (instant("2026-01-01T00:00:00Z"), instant("2029-01-01T00:00:00Z"));
    let zones = TZ_VARIANTS.iter().map(|&zone| (zone, changes(zone, from, to)));
    zones.filter(|(_, changes)| !changes.is_empty()).collect()
}

#[test]
fn in_every_zone_a_daily_time_fires_once_on_each_date_around_each_change() {
    let zones = changing_zones();
    assert!(zones.len() > 150, "{}", zones.len());
    let mut crons = BTreeMap::new();
    for (zone, changes) in zones {
        for change in changes {
            let dates: Vec<NaiveDate> = (change.to.date() - Days::new(2)).iter_days().take(5).collect();
            // From an hour before what is skipped or doubled to an hour after it, and far from it.
            let first = change.from.min(change.to) - TimeDelta::hours(1);
            let last = change.from.max(change.to) + TimeDelta::hours(1);
            let near = std::iter::successors(Some(first), |at| Some(*at + TimeDelta::minutes(15)));
            let far = change.to + TimeDelta::hours(11);
            for time in near.take_while(|at| *at <= last).chain([far]).map(|at| at.time()) {
                let cron = crons
                    .entry(time)
                    .or_insert_with(|| CronText::parse(&time.format("%M %H * * *").to_string()).unwrap());
                let expected: Vec<_> = dates.iter().map(|date| instant_of(zone, date.and_time(time))).collect();
                let mut at = expected[0] - TimeDelta::seconds(1);
                for &expected in &expected {
                    let next = next_after(cron, zone, at);
                    assert_eq!(next, Some(expected), "{zone} {time} around {}", change.at);
                    assert_eq!(latest_at(cron, zone, expected), Some(expected), "{zone} {time}");
                    at = expected;
                }
            }
        }
    }
}

/// A life of the scheduler: it looks at the clock now and then, is away for a while, and runs may be cut short.
#[derive(Debug, Clone)]
struct Life {
    day_zone: Tz,
    ends_at: NaiveTime,
    seal: (Tz, NaiveTime),
    mail: (Tz, NaiveTime),
    first_seen_at: DateTime<Utc>,
    /// Minutes to the next look, and how many of the runs then are cut short first.
    looks: Vec<(i64, usize)>,
}

fn life() -> impl Strategy<Value = Life> {
    let zones = changing_zones();
    let of_zones = zones.clone();
    let zone = move || {
        let zones = of_zones.clone();
        (0..zones.len()).prop_map(move |place| zones[place].0)
    };
    let time = || (0..24_u32, 0..60_u32).prop_map(|(hour, minute)| NaiveTime::from_hms_opt(hour, minute, 0).unwrap());
    // Mostly often, sometimes away for days.
    let minutes = prop_oneof![8 => 1..300_i64, 1 => 1_440..7_200_i64];
    let change = (0..zones.len(), any::<prop::sample::Index>())
        .prop_map(move |(place, index)| (zones[place].0, *index.get(&zones[place].1)));
    (
        change,
        zone(),
        zone(),
        (time(), time(), time()),
        0..5_760_i64,
        prop::collection::vec((minutes, prop_oneof![5 => Just(0_usize), 1 => 1..3_usize]), 40..120),
    )
        .prop_map(
            |((day_zone, change), seal, mail, (ends_at, sealed_at, mailed_at), before, looks)| Life {
                day_zone,
                ends_at,
                seal: (seal, sealed_at),
                mail: (mail, mailed_at),
                first_seen_at: change.at - TimeDelta::minutes(before),
                looks,
            },
        )
}

/// What a life came to.
struct Lived {
    schedule: Schedule,
    /// How often each job has made each window.
    made: BTreeMap<(String, Window), usize>,
    view: LedgerView,
    until: DateTime<Utc>,
}

fn live(life: &Life) -> Lived {
    let at =
        |(zone, time): (Tz, NaiveTime)| format!("cron = \"{}\"\ntimezone = \"{zone}\"", time.format("%M %H * * *"));
    let text = format!(
        "[day]\ntimezone = \"{}\"\nends_at = \"{}\"\nlateness = \"0s\"\n[defaults]\ncatch_up_window = \"90d\"\n\
         [[job]]\nname = \"compact\"\nkind = \"compact\"\n{}\n\
         [[job]]\nname = \"totals\"\nkind = \"transform\"\nafter = [\"compact\"]\n\
         [[job]]\nname = \"mail\"\nkind = \"notify\"\nafter = [\"totals\"]\n{}\n\
         [[job]]\nname = \"weekly\"\nkind = \"report\"\nevery = \"week\"\ncron = \"0 6 * * MON\"\nafter = [\"totals\"]\n",
        life.day_zone,
        life.ends_at.format("%H:%M"),
        at(life.seal),
        at(life.mail)
    );
    let schedule = Schedule::parse(&text, "cron.toml").unwrap();
    let mut view = LedgerView::new(Vec::new(), Vec::new(), life.first_seen_at);
    for job in &schedule.jobs {
        view.jobs
            .insert(job.name.clone(), History::new(life.first_seen_at, None));
    }
    let (mut now, mut made) = (life.first_seen_at, BTreeMap::new());
    // At the end it stays up long enough for every run that was cut short.
    let looks = life.looks.iter().copied().chain([(1, 0); 3]).chain([(120, 0)]);
    for (minutes, mut cut_short) in looks {
        now += TimeDelta::minutes(minutes);
        view.up_since = now;
        let mut stamp = now;
        loop {
            let planned = plan(&schedule, &view, Stream::CAUGHT_UP, now);
            let until = quiet_until(&schedule, &planned, now);
            let Some(due) = planned.due.into_iter().next() else {
                // What is not due now is not due before the next plan is made. Told now and then: it is a plan more.
                if let Some(until) = until.filter(|_| minutes % 4 == 0) {
                    let just_before = (until - TimeDelta::seconds(1)).max(now);
                    let early = plan(&schedule, &view, Stream::CAUGHT_UP, just_before).due;
                    assert!(early.is_empty(), "quiet from {now} until {until}: {early:?}");
                }
                break;
            };
            let history = view.jobs.get_mut(&due.job).unwrap();
            let done = history.windows.get(&due.window).and_then(|last| last.done);
            let (started_at, finished_at) = (stamp, stamp + TimeDelta::microseconds(1));
            stamp = finished_at + TimeDelta::microseconds(1);
            let outcome = if cut_short > 0 {
                Outcome::Abandoned
            } else {
                Outcome::Succeeded
            };
            cut_short = cut_short.saturating_sub(1);
            if outcome == Outcome::Succeeded {
                *made.entry((due.job.clone(), due.window)).or_default() += 1;
            }
            let last = Last {
                attempt: due.attempt,
                failures: 0,
                outcome,
                scheduled_at: due.scheduled_at,
                started_at,
                finished_at: Some(finished_at),
                is_firing: due.reason.is_firing(),
                done: Some(Done {
                    started_at,
                    finished_at,
                })
                .filter(|_| outcome == Outcome::Succeeded)
                .or(done),
            };
            history.windows.insert(due.window, last);
        }
    }
    Lived {
        schedule,
        made,
        view,
        until: now,
    }
}

fn last_ended(rule: &DayRule, at: DateTime<Utc>) -> NaiveDate {
    calendar::last_ended(rule, Period::Day, at).day().unwrap()
}

/// The days from the first that no firing up to `from` was about to that of the last firing up to `until`.
fn fired(rule: &DayRule, (zone, time): (Tz, NaiveTime), from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<NaiveDate> {
    let cron = CronText::parse(&time.format("%M %H * * *").to_string()).unwrap();
    let first = next_after(&cron, zone, from).filter(|&first| first <= until);
    let (Some(first), Some(last)) = (first, latest_at(&cron, zone, until)) else {
        return Vec::new();
    };
    // Where zones differ, a clock change lets a firing be about two days, or about the one that the firing before was about.
    let before = latest_at(&cron, zone, from).map(|before| last_ended(rule, before) + Days::new(1));
    let (first, last) = (last_ended(rule, first), last_ended(rule, last));
    let first = before.unwrap_or(first);
    first
        .iter_days()
        .take_while(|day| day.num_days_from_ce() <= last.num_days_from_ce())
        .collect()
}

/// Whether the firing that seals the last day of `week` has come.
fn is_sealed_to_its_end(schedule: &Schedule, life: &Life, week: Window, now: DateTime<Utc>) -> bool {
    let (_, last) = week.span().unwrap();
    fired(&schedule.day, life.seal, life.first_seen_at, now).contains(&last)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_day_is_made_once_whatever_the_zones_and_the_outages(life in life()) {
        let Lived { schedule, made, view, until: now } = live(&life);
        let sealed = fired(&schedule.day, life.seal, life.first_seen_at, now);
        let mailed = fired(&schedule.day, life.mail, life.first_seen_at, now);
        let days = |job: &str| -> Vec<NaiveDate> {
            made.keys().filter(|(name, _)| name == job).filter_map(|(_, window)| window.day()).collect()
        };
        let is_once = |((_, window), times): (&(String, Window), &usize)| window.day().is_none() || *times == 1;
        prop_assert!(made.iter().all(is_once), "made twice: {made:?}");
        prop_assert_eq!(&days("compact"), &sealed);
        prop_assert_eq!(&days("totals"), &sealed);
        let mailed: Vec<_> = mailed.into_iter().filter(|day| sealed.contains(day)).collect();
        prop_assert_eq!(&days("mail"), &mailed);
        // Each week that has a day, as soon as it is over and its Monday morning has come: from the newest of its days.
        let weekly = schedule.job("weekly").unwrap();
        let weeks: BTreeSet<Window> = sealed.iter().map(|&day| Period::Week.around(day)).collect();
        for week in weeks {
            let ended_at = schedule.day.span(week.span().unwrap().1).end;
            let due_at = next_after(weekly.cron.as_ref().unwrap(), weekly.timezone, ended_at - TimeDelta::seconds(1));
            let done = view.last("weekly", week).and_then(|last| last.done);
            let made_at = week.days().filter_map(|day| view.last("totals", Window::Day(day))?.done);
            match (done, made_at.map(|made| made.finished_at).max()) {
                (Some(done), Some(made_at)) => prop_assert!(done.started_at > made_at, "{week} is of older days"),
                (None, Some(_)) => prop_assert!(
                    due_at.is_none_or(|at| at > now) || !is_sealed_to_its_end(&schedule, &life, week, now),
                    "{week} was not made"
                ),
                (_, None) => {}
            }
        }
    }
}
