use chrono::TimeDelta;

use super::{BoardFilter, Measure, Place, leaderboard};
use crate::{
    domain::{ride::EndReason, rider::Gender},
    store::{
        Store,
        fixture::{NOW, Told, at, number, open, ride},
        query::{RiderFilter, RiderOrder, fixture, rider, riders},
    },
};

const MEASURES: [Measure; 10] = [
    Measure::Rides,
    Measure::Duration,
    Measure::LongestRide,
    Measure::Energy,
    Measure::PowerMean,
    Measure::PowerMax,
    Measure::HeartRateMean,
    Measure::HeartRateMax,
    Measure::CadenceMean,
    Measure::CadenceMax,
];

/// Every leaderboard of all rides, after it was held against the one for which rides are added up one by one.
fn boards(store: &Store, filter: &BoardFilter) -> Vec<Vec<Place>> {
    let one_by_one = BoardFilter {
        first_day: "1970-01-01".parse().ok(),
        ..filter.clone()
    };
    let board = |measure| {
        let board = leaderboard(store, measure, filter, 5).unwrap();
        let expected = leaderboard(store, measure, &one_by_one, 5).unwrap();
        assert_eq!(board.len(), expected.len(), "{measure:?}");
        for (place, expected) in board.iter().zip(&expected) {
            assert!(
                (place.value - expected.value).abs() < 1e-9,
                "{measure:?}: {place:?}, {expected:?}"
            );
            let value = expected.value;
            assert_eq!(Place { value, ..place.clone() }, *expected, "{measure:?}");
        }
        board
    };
    MEASURES.into_iter().map(board).collect()
}

/// What a rider's rides add up to, after it was held against the rides.
fn totals(store: &Store) -> (i64, i64) {
    let rider = rider(store, 4).unwrap().unwrap();
    let of_rides = |sum: &str| number(store, &format!("select {sum} from ride where rider_id = 4"));
    let expected = (of_rides("count(*)"), of_rides("sum(duration_seconds)::bigint"));
    assert_eq!((rider.rides, rider.duration_seconds), expected);
    let riders = riders(
        store,
        &RiderFilter::default(),
        (RiderOrder::RiderId, true),
        None,
        20,
        at(NOW),
    )
    .unwrap();
    let listed = riders.iter().find(|(rider, _)| rider.rider_id == 4).unwrap();
    assert_eq!(
        (listed.0.rides, listed.0.heart_rate_bpm_mean),
        (rider.rides, rider.heart_rate_bpm_mean)
    );
    expected
}

#[test]
fn leaderboards_and_totals_of_all_rides_count_each_once_wherever_it_is_stored() {
    let (_folder, store) = fixture::store();
    store.refresh_views().unwrap();
    let of_women = || BoardFilter {
        riders: RiderFilter {
            gender: Some(Gender::Female),
            ..RiderFilter::default()
        },
        ..BoardFilter::default()
    };
    let filters = || {
        let further = BoardFilter {
            offset: 4,
            min: Some(20.0),
            max: Some(7_000.0),
            ..BoardFilter::default()
        };
        [BoardFilter::default(), of_women(), further]
    };
    let before = filters().map(|filter| boards(&store, &filter));
    let totals_before = totals(&store);
    assert_eq!(before[0].iter().map(Vec::len).collect::<Vec<_>>(), [5; 10]);
    // A ride of the first day goes on; later it ends in the third.
    let again = "insert into daily.ride by name
        select * replace (null as business_day, null as ended_at, duration_seconds + 9000 as duration_seconds)
        from historical.ride where rider_id = 4 order by ride_id limit 1";
    let ended = "update daily.ride set business_day = '2026-11-22', ended_at = '2026-11-22 12:00:00Z'
        where duration_seconds > 9000";
    let mut seen = vec![before];
    for change in [again, ended] {
        store.connection().unwrap().execute_batch(change).unwrap();
        seen.push(filters().map(|filter| boards(&store, &filter)));
        let [.., earlier, now] = seen.as_slice() else {
            unreachable!()
        };
        assert_ne!(earlier[0], now[0]);
        assert_eq!(totals(&store), (totals_before.0, totals_before.1 + 9_000));
    }
    assert_eq!(seen[2][0][2][0].rider_id, 4, "by the longest ride");
}

#[test]
fn a_leaderboard_of_all_rides_is_right_when_days_are_sealed_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let [monday, tuesday] = ["2026-01-05", "2026-01-06"].map(|day| day.parse().unwrap());
    let energy = |store: &Store| boards(store, &BoardFilter::default())[3][0].value;
    let mut told = Told::new("2026-01-05T23:50:00Z");
    told.flush(&store, 100, TimeDelta::zero(), Some(EndReason::Idle));
    let of_one = energy(&store);
    store.seal(monday).unwrap();
    assert_eq!(energy(&store), of_one);
    assert_eq!(number(&store, "select rides from historical.rider_total"), 1);
    ride(&store, "2026-01-05T10:00:00Z", 30);
    store.seal(monday).unwrap();
    store.prune(monday).unwrap();
    let of_two = energy(&store);
    assert!((of_two - of_one * 1.3).abs() < 1e-9, "{of_two}");
    told.flush(&store, 10, TimeDelta::minutes(15), None);
    assert!(
        (energy(&store) - of_one * 0.3).abs() < 1e-9,
        "what is open counts when it has ended"
    );
    told.flush(&store, 10, TimeDelta::zero(), Some(EndReason::Idle));
    assert!((energy(&store) - of_one * 1.5).abs() < 1e-9);
    store.seal(tuesday).unwrap();
    store.prune(tuesday).unwrap();
    assert!((energy(&store) - of_one * 1.5).abs() < 1e-9);
    assert_eq!(number(&store, "select rides from historical.rider_total"), 2);
}
