//! Erasing rides and riders: from everywhere, for good, and nothing else.

use chrono::TimeDelta;
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        batch::{Batch, Checkpoint},
        day::DayRule,
        erasure::NAMED,
        heart_rate::OwnLimits,
        ride::EndReason,
    },
    store::fixture::{NOW, Told, at, number, open, ride, rows, seen},
};

const NO_PAUSE: TimeDelta = TimeDelta::zero();
const END: Option<EndReason> = Some(EndReason::Marker);
const RIDER: Subject = Subject::Rider(7);
const NOTHING: [Vec<String>; 3] = [const { Vec::new() }; 3];

fn monday() -> NaiveDate {
    "2026-01-05".parse().unwrap()
}

fn erased(store: &Store, subject: Subject) -> Erasure {
    store
        .erase(subject, "the test", IfAbsent::Refuse)
        .unwrap()
        .expect("there is something to erase")
}

/// Says something to the database in SQL, `{ride}` being a ride's id.
fn say(store: &Store, sql: &str, ride: Uuid) {
    let sql = sql.replace("{ride}", &ride.to_string());
    store.connection().unwrap().execute_batch(&sql).unwrap();
}

/// A sealed Monday of two rides, of which the first is to be erased, and an hour of Tuesday.
fn sealed(folder: &tempfile::TempDir) -> (Store, Told) {
    let store = open(folder);
    let first = ride(&store, "2026-01-05T09:00:00Z", 30);
    ride(&store, "2026-01-05T11:00:00Z", 20);
    ride(&store, "2026-01-06T08:00:00Z", 10);
    store.seal(monday()).unwrap();
    (store, first)
}

#[test]
fn an_erased_ride_is_in_no_table_and_after_sealing_in_no_file_and_the_others_are_as_they_were() {
    for is_pruned in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (store, first) = sealed(&folder);
        if is_pruned {
            store.prune(monday()).unwrap();
        }
        let id = first.id().to_string();
        let others: Vec<_> = seen(&store)
            .into_iter()
            .flatten()
            .filter(|row| !row.contains(&id))
            .collect();
        let erasure = erased(&store, Subject::Ride(first.id()));
        let Erased {
            rides,
            readings,
            alerts,
            descriptions,
            ..
        } = erasure.erased;
        assert_eq!((rides, readings, alerts, descriptions), (1, 30, 1, 0));
        assert_eq!(erasure.days, BTreeSet::from([monday()]));
        assert_eq!(erasure.files.rides, [(first.id(), monday())]);
        assert_eq!(
            number(&store, "select rides from historical.rider_total"),
            1,
            "leaderboards at once"
        );
        assert_eq!(
            store.late_days().unwrap(),
            BTreeSet::from([monday()]),
            "it is sealed again"
        );
        let resealed = store.seal(monday()).unwrap();
        assert_eq!((resealed.rides, resealed.readings, resealed.has_changed), (1, 20, true));
        let left: Vec<_> = seen(&store).into_iter().flatten().collect();
        assert_eq!(left, others);
        for table in [
            "daily.ride",
            "historical.ride",
            "daily.alert",
            "historical.alert",
            "ops.stored_reading",
        ] {
            let of_it = format!("select count(*) from {table} where ride_id = '{id}'");
            assert_eq!(number(&store, &of_it), 0, "{table}");
        }
        assert_eq!(
            store
                .erase(Subject::Ride(first.id()), "the test", IfAbsent::Refuse)
                .unwrap(),
            None
        );
        assert_eq!(store.erasures().unwrap(), [erasure]);
    }
}

#[test]
fn what_was_erased_does_not_come_back_when_the_log_is_read_again_and_its_lines_are_counted_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first) = sealed(&folder);
    erased(&store, Subject::Ride(first.id()));
    drop(store);
    let store = open(&folder);
    // From another stream, so nobody knows the offsets.
    Told::new("2026-01-05T09:00:00Z")
        .by("file")
        .flush(&store, 30, NO_PAUSE, END);
    assert_eq!(number(&store, "select count(*) from ride"), 2);
    store.seal(monday()).unwrap();
    assert_eq!(
        number(&store, "select count(*) from ops.stored_reading where second > 20"),
        0
    );
    assert_eq!(
        rows(
            &store,
            "select messages, ride_lines, telemetry_lines, tombstoned_lines, readings from ops.line_count
             where source = 'file'"
        ),
        [r#"{"messages":60,"ride_lines":0,"telemetry_lines":0,"tombstoned_lines":60,"readings":0}"#]
    );
}

#[test]
fn an_erased_riders_rides_do_not_come_back_and_what_they_ride_from_then_on_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = sealed(&folder);
    let mut under_way = Told::new("2026-01-10T11:59:00Z");
    under_way.flush(&store, 5, NO_PAUSE, None);
    let erasure = erased(&store, RIDER);
    assert_eq!((erasure.erased.rides, erasure.erased.readings), (4, 65));
    assert_eq!(number(&store, "select count(*) from historical.rider_total"), 0);
    store.seal(monday()).unwrap();
    assert_eq!(seen(&store), NOTHING, "nothing is left of the rider");

    under_way.flush(&store, 5, NO_PAUSE, END);
    // A ride of theirs that was never told of before, and then goes on without its header in the batch.
    let mut older = Told::new("2026-01-04T07:00:00Z").by("file");
    older.flush(&store, 5, NO_PAUSE, None);
    older.flush(&store, 5, NO_PAUSE, END);
    assert_eq!(seen(&store), NOTHING, "and nothing comes back");
    assert_eq!(number(&store, "select count(*) from daily.reading"), 0);

    let new = ride(&store, "2026-01-10T12:00:00Z", 3);
    assert_eq!(seen(&store).map(|rows| rows.len()), [1, 3, 1]);
    assert!(seen(&store)[0][0].contains(&new.id().to_string()));
    assert_eq!(at(NOW), erasure.erased_at);
}

#[test]
fn a_riders_mails_limits_addresses_and_rejected_text_go_too_and_no_other_riders() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first) = sealed(&folder);
    let own = OwnLimits {
        upper_bpm: Some(150),
        ..OwnLimits::default()
    };
    store.set_rider_limits(7, own).unwrap();
    store.set_rider_limits(8, own).unwrap();
    let others = Uuid::from_u128(8);
    let mail = "insert into ops.outbox
        select uuid(), kind, '{ride} high 1', to_whom, 'sent', 'Your heart rate', 'hash', 'words'::blob, now(), 1, now(),
            now(), null
        from (values ('heart_rate_alert', 'seven@x.example'), ('ride_csv', 'data/exports')) as sent(kind, to_whom)";
    say(&store, mail, first.id());
    say(&store, &mail.replace("seven", "eight"), others);
    say(
        &store,
        "update daily.rider set email_address = 'Seven@x.example', address = '7 Högvägen';
         update historical.rider set email_address = 'Seven@x.example', address = '7 Högvägen';
         insert into ops.mail_reader values ('seven@x.example', 'word', null), ('ceo@x.example', 'other', null);
         insert into daily.rejected_line
         select 'cluster', 'deloton', 0, line, now(), encode(raw), 'why', bike, written_at, '2026-01-05' from (values
            (1, 'hrt = 8x', 'SN1', timestamptz '2026-01-05T09:00:10Z'),
            (2, 'of the same bike, hours later', 'SN1', timestamptz '2026-01-05T15:00:10Z'),
            (3, '{\"log\":\"data = {\\\"user_id\\\":7,\\\"oops\"', 'SN5', timestamptz '2026-01-05T15:00:10Z'),
            (4, '{\"log\":\"data = {\\\"user_id\\\":77,\\\"oops\"', 'SN5', timestamptz '2026-01-05T15:00:10Z'),
            (5, 'SHE LIVES AT 7 HöGVäGEN, we heard', 'SN5', timestamptz '2026-01-05T15:00:10Z'),
            (6, '{\"address\": \"7 H\\u00f6gv\\u00e4gen\"', 'SN5', timestamptz '2026-01-05T15:00:10Z'),
            (7, 'some who live at 7 H of the Gvs, others at 2 Agen', 'SN5', timestamptz '2026-01-05T15:00:10Z')
         ) as lines(line, raw, bike, written_at)",
        first.id(),
    );
    let erasure = erased(&store, RIDER);
    let Erased {
        messages,
        limits,
        descriptions,
        rejected_lines,
        ..
    } = erasure.erased;
    assert_eq!((messages, limits, rejected_lines), (2, 1, 4));
    assert!(descriptions >= 1);
    assert_eq!(erasure.files.mails.len(), 1, "the mail, not the message");
    assert_eq!(
        rows(
            &store,
            "select distinct split_part(topic, ' ', 1) as ride from ops.outbox"
        ),
        [format!(r#"{{"ride":"{others}"}}"#)]
    );
    assert_eq!(store.rider_limits().keys().copied().collect::<Vec<_>>(), [8]);
    assert_eq!(
        rows(&store, "select address from ops.mail_reader"),
        [r#"{"address":"ceo@x.example"}"#]
    );
    assert_eq!(
        rows(
            &store,
            "select \"offset\" as line, reason = 'why' as is_kept from daily.rejected_line
             where starts_with(reason, 'why') and (octet_length(raw) > 0) = (reason = 'why') order by 1"
        ),
        [
            r#"{"line":1,"is_kept":false}"#,
            r#"{"line":2,"is_kept":true}"#,
            r#"{"line":3,"is_kept":false}"#,
            r#"{"line":4,"is_kept":true}"#,
            r#"{"line":5,"is_kept":false}"#,
            r#"{"line":6,"is_kept":false}"#,
            r#"{"line":7,"is_kept":true}"#,
        ],
        "each is still there, with its text or with the reason why it has none"
    );
}

#[test]
fn of_what_nobody_knows_there_is_nothing_to_erase_unless_it_is_to_be_kept_from_coming() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for subject in [RIDER, Subject::Ride(Uuid::from_u128(8))] {
        assert_eq!(store.erase(subject, "the test", IfAbsent::Refuse).unwrap(), None);
    }
    assert!(store.tombstones().is_empty() && store.erasures().unwrap().is_empty());
    let buried = store.erase(RIDER, "the test", IfAbsent::Bury).unwrap().unwrap();
    assert_eq!(buried.erased, Erased::default());
    ride(&store, "2026-01-05T09:00:00Z", 30);
    assert_eq!(
        seen(&store),
        NOTHING,
        "as where another consumer of the group had it until now"
    );
}

#[test]
fn the_files_of_a_ride_that_went_on_after_they_were_exported_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.announce_rides_to(vec![crate::domain::ride_ended::RideTarget {
        kind: MessageKind::RideCsv,
        recipient: "data/exports".to_owned(),
    }]);
    let mut told = Told::new("2026-01-10T10:00:00Z");
    told.flush(&store, 5, NO_PAUSE, Some(EndReason::Idle));
    told.flush(&store, 5, NO_PAUSE, None);
    let erasure = erased(&store, Subject::Ride(told.id()));
    assert_eq!(erasure.files.rides, [(told.id(), "2026-01-10".parse().unwrap())]);
}

#[test]
fn where_a_riders_first_ride_was_erased_the_day_of_the_next_one_is_made_again_too() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first) = sealed(&folder);
    ride(&store, "2026-01-07T08:00:00Z", 10);
    let days = ["2026-01-06", "2026-01-07"].map(|day| day.parse().unwrap());
    for day in days {
        store.seal(day).unwrap();
    }
    let second = ride(&store, "2026-01-05T11:00:00Z", 20).id();
    assert_eq!(
        erased(&store, Subject::Ride(first.id())).days,
        BTreeSet::from([monday()])
    );
    assert_eq!(
        erased(&store, Subject::Ride(second)).days,
        BTreeSet::from([monday(), days[0]])
    );
}

#[test]
fn what_brings_rides_under_way_back_is_made_again_where_an_erased_one_may_be_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut told = Told::new("2026-01-10T11:59:00Z");
    told.flush(&store, 5, NO_PAUSE, None);
    let write = |partition, tombstones| {
        let checkpoint = Checkpoint {
            partition,
            next_offset: 10,
            replay_from: 3,
            state: b"who rides".to_vec(),
        };
        let batch = Batch {
            checkpoints: vec![checkpoint],
            tombstones,
            ..Batch::default()
        };
        store.flush(&told.stream(), &batch, &DayRule::default()).unwrap();
    };
    let before = store.tombstones();
    write(0, Arc::clone(&before));
    write(1, Arc::clone(&before));
    erased(&store, Subject::Ride(told.id()));
    let states = "select partition, octet_length(state) as bytes, replay_from from ops.checkpoint order by 1";
    assert_eq!(
        rows(&store, states),
        [
            r#"{"partition":0,"bytes":0,"replay_from":3}"#,
            r#"{"partition":1,"bytes":9,"replay_from":3}"#
        ],
        "others' rides are where they were"
    );
    // One that was laid out before, and comes to be written now.
    write(1, before);
    assert_eq!(
        number(
            &store,
            "select octet_length(state) from ops.checkpoint where partition = 1"
        ),
        0
    );
    write(1, store.tombstones());
    assert_eq!(
        number(
            &store,
            "select octet_length(state) from ops.checkpoint where partition = 1"
        ),
        9
    );
}

#[test]
fn stored_lines_that_name_a_rider_are_found_by_the_same_rule_as_those_to_come() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let connection = store.connection().unwrap();
    for (line, (text, _)) in NAMED.iter().enumerate() {
        connection
            .execute(
                "insert into daily.rejected_line
                 values ('cluster', 'deloton', 0, ?, now(), encode(?), 'why', 'SN5', null, '2026-01-05')",
                params![i64::try_from(line).unwrap(), text],
            )
            .unwrap();
    }
    drop(connection);
    let expected = NAMED.iter().filter(|(_, is_named)| *is_named).count();
    let erasure = erased(&store, RIDER);
    assert_eq!(erasure.erased.rejected_lines, i64::try_from(expected).unwrap());
    for (line, (text, is_named)) in NAMED.iter().enumerate() {
        let is_blank =
            format!("select (octet_length(raw) = 0)::bigint from daily.rejected_line where \"offset\" = {line}");
        assert_eq!(number(&store, &is_blank) == 1, *is_named, "{text}");
    }
}

#[test]
fn an_erasure_is_unfinished_and_names_its_files_until_it_is_said_to_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first) = sealed(&folder);
    let begun = erased(&store, Subject::Ride(first.id()));
    let counted = Erased {
        ride_files: 2,
        ..begun.erased
    };
    store.count_erased(begun.erasure_id, &counted).unwrap();
    let [unfinished] = &store.unfinished_erasures().unwrap()[..] else {
        panic!("there is one")
    };
    assert_eq!((unfinished.erased, &unfinished.files), (counted, &begun.files));
    store.finish_erasure(&begun).unwrap();
    assert_eq!(store.unfinished_erasures().unwrap(), []);
    let finished = &store.erasures().unwrap()[0];
    assert_eq!((finished.finished_at, finished.files.is_empty()), (Some(at(NOW)), true));
}
