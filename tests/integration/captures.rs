//! Real captured lines, where this checkout has them beside it.

use deloton::{
    clock::Clock,
    domain::{
        heart_rate::{AlertRule, Formula, OwnLimits, Trial},
        rider::Gender,
    },
    ingest::{file::ingest_file, sessionize::Rules},
    store::{Store, heart_rates::HeartRates},
};

use crate::program::recorded;

struct Taken {
    _folder: tempfile::TempDir,
    store: Store,
    summary: deloton::ingest::file::FileSummary,
}

fn take(name: &str) -> Option<Taken> {
    let path = recorded(name)?;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::Fixed("2026-01-01T00:00:00Z".parse().unwrap())).unwrap();
    let summary = ingest_file(&store, Rules::default(), chrono_tz::UTC, &path, |_, _| {}).unwrap();
    Some(Taken {
        _folder: folder,
        store,
        summary,
    })
}

fn rows(store: &Store, sql: &str) -> Vec<String> {
    let connection = store.connection().unwrap();
    let mut statement = connection
        .prepare(&format!("select cast(row_to_json(t) as varchar) from ({sql}) t"))
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn the_ride_of_rider_100_has_its_known_figures() {
    let Some(taken) = take("deloton_kafka_2022-07-06_user100.jsonl") else {
        return;
    };
    assert_eq!(taken.summary.counts.messages, 1000);
    assert_eq!(taken.summary.counts.rejected_lines, 0);
    assert_eq!(taken.summary.counts.readings, 498);
    assert_eq!(taken.summary.days, [("2022-07-07".parse().unwrap(), 1, 498)]);
    let figures =
        "select business_day, bike_serial, rider_id, forename, surname, started_at, ended_at, end_reason, is_partial,
        duration_seconds as seconds, reading_count as readings, round(energy_kilojoules, 3) as kilojoules,
        round(power_watts_mean, 2) as watts_mean, round(power_watts_max, 2) as watts_max,
        round(heart_rate_bpm_mean, 2) as bpm_mean, heart_rate_bpm_min as bpm_min, heart_rate_bpm_max as bpm_max,
        dropout_seconds, round(cadence_rpm_mean, 2) as rpm_mean, flagged_readings, alert_count
        from ride inner join rider using (rider_id)";
    insta::assert_snapshot!(rows(&taken.store, figures).join("\n").replace(',', "\n"), @r#"
    {"business_day":"2022-07-07"
    "bike_serial":"SN0000"
    "rider_id":100
    "forename":"Steven"
    "surname":"Pearce"
    "started_at":"2022-07-06 23:29:35.435798+00"
    "ended_at":"2022-07-06 23:37:53.444906+00"
    "end_reason":"idle"
    "is_partial":false
    "seconds":498
    "readings":498
    "kilojoules":29.088
    "watts_mean":58.41
    "watts_max":792.06
    "bpm_mean":109.17
    "bpm_min":55
    "bpm_max":155
    "dropout_seconds":10
    "rpm_mean":50.64
    "flagged_readings":0
    "alert_count":0}
    "#);
    let sealed = taken.store.seal("2022-07-07".parse().unwrap()).unwrap();
    assert_eq!((sealed.rides, sealed.readings, sealed.seal_count), (1, 498, 1));
    let again = taken.store.seal("2022-07-07".parse().unwrap()).unwrap();
    assert!(!again.has_changed);
}

#[test]
fn disjoint_stretches_lose_no_reading() {
    let Some(taken) = take("deloton_kafka_fragments_2022-10.jsonl") else {
        return;
    };
    let counts = taken.summary.counts;
    assert_eq!((counts.messages, counts.rejected_lines), (337, 0));
    assert_eq!(counts.readings, 168);
    let halves = "select count(*) filter (where resistance is null or power_watts is null) as halves, count(*) filter (where resistance is not null and power_watts is not null) as pairs from reading";
    assert_eq!(rows(&taken.store, halves), [r#"{"halves":8,"pairs":160}"#]);
}

#[test]
fn a_ride_told_twice_counts_once() {
    let Some(taken) = take("deloton_kafka_testlines_lcawood.jsonl") else {
        return;
    };
    let counts = taken.summary.counts;
    assert_eq!((counts.messages, counts.rejected_lines), (40, 0));
    assert_eq!((counts.readings, counts.duplicate_readings), (10, 4));
}

/// A captured ride of a known rider: age, whether a man, and the heart rate of each second, 0 without contact.
struct Ridden {
    rider_id: i64,
    age: i32,
    is_man: bool,
    bpm: Vec<i32>,
}

/// The mails that five older systems would have sent about a ride (the first of them: to whoever wrote it).
fn older_mails(ride: &Ridden) -> [usize; 5] {
    let age = f64::from(ride.age);
    let fox = 220.0 - age;
    let gulati = if ride.age <= 40 {
        211.0 - 0.64 * age
    } else {
        208.0 - 0.7 * age
    };
    let bpm = || ride.bpm.iter().map(|&bpm| f64::from(bpm));
    let each_second = bpm().filter(|&bpm| bpm >= fox).count();
    let each_message = bpm()
        .filter(|&bpm| bpm >= 0.9 * gulati || (bpm > 0.0 && bpm <= 0.5 * gulati))
        .count();
    let once = usize::from(bpm().any(|bpm| bpm > fox - 10.0));
    let training_zone = bpm()
        .filter(|&bpm| bpm > 0.7 * fox || (bpm > 0.0 && bpm < 0.5 * fox))
        .count();
    // Zeros count as too low here: hands off the sensor for three seconds are a mail.
    let (upper, lower) = match (ride.is_man, ride.age) {
        (true, ..40) => (fox.round(), 40.0),
        (true, _) => ((208.0 - 0.7 * age).round(), if ride.age < 65 { 47.0 } else { 52.0 }),
        (false, _) => ((206.0 - 0.88 * age).round(), if ride.age < 40 { 45.0 } else { 52.0 }),
    };
    let seconds: Vec<f64> = bpm().collect();
    let three = seconds
        .windows(3)
        .any(|three| three.iter().all(|bpm| !(lower..=upper).contains(bpm)));
    [each_second, each_message, once, training_zone, usize::from(three)]
}

#[test]
fn the_rule_mails_nobody_about_the_captured_rides_where_older_ones_did_by_the_hundred() {
    let mut rides: Vec<Ridden> = Vec::new();
    let rule = AlertRule::default();
    let mut trials: Vec<(Formula, Trial)> = Formula::ALL
        .map(|formula| (formula, Trial::new(AlertRule { formula, ..rule })))
        .into();
    for name in [
        "deloton_kafka_2022-07-06_user100.jsonl",
        "deloton_kafka_fragments_2022-10.jsonl",
        "deloton_kafka_testlines_lcawood.jsonl",
    ] {
        let Some(taken) = take(name) else { return };
        assert_eq!(
            rows(&taken.store, "from ops.stored_alert"),
            [""; 0],
            "files warn nobody"
        );
        for (day, ..) in &taken.summary.days {
            let tell = |what| match what {
                HeartRates::Ride { rider_id, age, gender } => {
                    for (_, trial) in &mut trials {
                        trial.begin(rider_id, trial.rule().limits(age, gender, OwnLimits::default()));
                    }
                    rides.push(Ridden {
                        rider_id,
                        age: age.unwrap(),
                        is_man: gender == Gender::Male,
                        bpm: Vec::new(),
                    });
                }
                HeartRates::Reading {
                    second,
                    heart_rate_bpm,
                    is_dropout,
                } => {
                    for (_, trial) in &mut trials {
                        trial.observe(second, heart_rate_bpm, is_dropout);
                    }
                    let bpm = heart_rate_bpm.or(is_dropout.then_some(0));
                    rides.last_mut().unwrap().bpm.extend(bpm);
                }
            };
            taken.store.heart_rates(*day, tell).unwrap();
        }
    }
    let older: Vec<String> = rides
        .iter()
        .map(|ride| format!("rider {}, {} s: {:?}", ride.rider_id, ride.bpm.len(), older_mails(ride)))
        .collect();
    insta::assert_snapshot!(older.join("\n"), @r"
    rider 100, 498 s: [0, 127, 0, 258, 1]
    rider 815, 10 s: [0, 0, 0, 0, 1]
    ");
    for (formula, trial) in &trials {
        assert_eq!(trial.tally().alerts, 0, "{}", formula.name());
    }
}
