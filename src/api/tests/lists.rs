//! What there is to read: rides and riders, days and leaderboards, the older addresses.

use super::*;

#[tokio::test]
async fn every_ride_is_met_exactly_once_by_following_next() {
    let (client, ..) = server();
    for (limit, pages) in [(1000, 1), (250, 1), (83, 4), (125, 2)] {
        let mut seen = Vec::new();
        let mut path = format!("/api/v1/rides?limit={limit}");
        let mut turned = 0;
        loop {
            let page = ok(&client, &path).await;
            seen.extend(ids(&page));
            turned += 1;
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/v1/rides?limit={limit}&cursor={next}");
        }
        assert_eq!((seen.len(), turned), (250, pages), "limit {limit}");
        assert!(
            seen.is_sorted_by(|newer, older| newer > older),
            "newest first, none twice"
        );
    }
}

#[tokio::test]
async fn rides_are_filtered_by_day_and_rider() {
    let (client, ..) = server();
    let day = ok(&client, "/api/v1/rides?day=2026-11-21&limit=1000").await;
    assert_eq!(day["items"].as_array().unwrap().len(), 100);
    assert!(
        day["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|ride| ride["business_day"] == "2026-11-21")
    );
    let both = ok(&client, "/api/v1/rides?day=21-11-2026&rider_id=5").await;
    let both = both["items"].as_array().unwrap();
    assert!(
        !both.is_empty()
            && both
                .iter()
                .all(|ride| ride["rider_id"] == 5 && ride["business_day"] == "2026-11-21")
    );
}

#[tokio::test]
async fn a_ride_is_numbers_times_in_utc_and_nulls() {
    let (client, ..) = server();
    let ride = ok(&client, &format!("/api/v1/rides/{RIDE}")).await;
    assert_eq!(ride["started_at"], "2026-11-21T23:00:00+00:00");
    assert_eq!(ride["duration_seconds"], 316);
    assert_eq!(ride["energy_kilojoules"], 220.5);
    assert_eq!(ride["heart_rate_bpm_mean"], Value::Null);
    let open = ok(&client, "/api/v1/rides?limit=1").await;
    assert_eq!(open["items"][0]["ended_at"], Value::Null);
    assert_eq!(open["items"][0]["business_day"], Value::Null);
}

#[tokio::test]
async fn readings_come_in_order_and_in_pages() {
    let (client, ..) = server();
    let path = format!("/api/v1/rides/{RIDE}/readings");
    let first = ok(&client, &format!("{path}?limit=200")).await;
    let second = ok(
        &client,
        &format!("{path}?limit=200&cursor={}", first["next"].as_str().unwrap()),
    )
    .await;
    let seconds: Vec<i64> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|reading| reading["second"].as_i64().unwrap())
        .collect();
    assert_eq!(seconds, (1..=300).collect::<Vec<_>>());
    assert_eq!(second["next"], Value::Null);
    assert_eq!(first["items"][59]["heart_rate_bpm"], Value::Null);
    assert_eq!(first["items"][59]["is_dropout"], true);
}

#[tokio::test]
async fn a_rider_has_an_age_and_totals() {
    let (client, ..) = server();
    let rider = ok(&client, "/api/v1/riders/5").await;
    assert_eq!(rider["forename"], "Rider5");
    assert_eq!(rider["age"], 41);
    assert_eq!(rider["gender"], "male");
    assert_eq!(rider["rides"], 21);
    assert_eq!(rider["heart_rate_bpm_mean"], 120.0);
    assert_eq!(rider["longest_ride_seconds"], 320);
    let rides = ok(&client, "/api/v1/riders/5/rides").await;
    assert_eq!(rides["items"].as_array().unwrap().len(), 21);
    let durations = ok(&client, "/api/v1/riders/5/durations?limit=2").await;
    assert_eq!(durations["items"][0]["duration_seconds"], 320);
    let next = durations["next"].as_str().unwrap();
    let more = ok(&client, &format!("/api/v1/riders/5/durations?limit=2&cursor={next}")).await;
    assert_eq!(more["items"][0]["duration_seconds"], 318);
}

#[tokio::test]
async fn a_day_is_today_or_the_one_named_either_way_and_may_be_empty() {
    let (client, ..) = server();
    let count = async |path: &str| ok(&client, path).await["items"].as_array().unwrap().len();
    assert_eq!(count("/api/v1/daily").await, 49);
    assert_eq!(count("/api/v1/daily?date=2026-11-20").await, 100);
    assert_eq!(count("/api/v1/daily?date=20-11-2026").await, 100);
    assert_eq!(count("/api/v1/daily?date=01-01-2020").await, 0);
    for date in ["2026-13-01", "31-02-2026", "today", "1-1-2020", "+10000-01-01", ""] {
        let response = client
            .get(format!("/api/v1/daily?date={}", date.replace('+', "%2B")))
            .send()
            .await;
        let is_form = ["2026-13-01", "31-02-2026"].contains(&date);
        let (status, slug) = if is_form {
            (422, "unsuitable")
        } else {
            (400, "bad-request")
        };
        let detail = problem(response, status, slug).await;
        assert!(detail.contains("`date`") && detail.contains("such as `"), "{detail}");
    }
}

#[tokio::test]
async fn equal_figures_share_a_rank_and_the_next_is_skipped() {
    let (client, ..) = server();
    let ranks = |board: &Value| -> Vec<(i64, i64, f64)> {
        let place = |place: &Value| {
            (
                place["rank"].as_i64().unwrap(),
                place["rider_id"].as_i64().unwrap(),
                place["value"].as_f64().unwrap(),
            )
        };
        board["items"].as_array().unwrap().iter().map(place).collect()
    };
    let board = ok(&client, "/api/v1/leaderboard?limit=12").await;
    let board = ranks(&board);
    assert!(
        board[..8].iter().all(|place| (place.0, place.2) == (1, 21.0)),
        "{board:?}"
    );
    assert_eq!(board[8].0, 9);
    let energy = ok(
        &client,
        "/api/v1/leaderboard?measure=energy&from=2026-11-20&to=2026-11-20&limit=1",
    )
    .await;
    assert_eq!(energy["items"][0]["unit"], "kilojoules");
    assert_eq!(
        ranks(&energy),
        [(
            1,
            4,
            9.0 * 20.5 + f64::from((0..9).map(|turn| 3 + 12 * turn).sum::<i32>())
        )]
    );
    for measure in [
        "duration",
        "longest_ride",
        "power_mean",
        "power_max",
        "heart_rate_mean",
        "heart_rate_max",
        "cadence_mean",
        "cadence_max",
    ] {
        assert!(
            !ranks(&ok(&client, &format!("/api/v1/leaderboard?measure={measure}")).await).is_empty(),
            "{measure}"
        );
    }
}

#[tokio::test]
async fn older_paths_answer_like_the_present_ones() {
    let (client, ..) = server();
    let ride = format!("/rides/{RIDE}");
    for (older, present) in [
        (format!("/ride/{RIDE}").as_str(), ride.as_str()),
        (&ride, &ride),
        ("/rides?limit=3", "/rides?limit=3"),
        ("/rider/5", "/riders/5"),
        ("/rider/5/rides", "/riders/5/rides"),
        ("/rider/5/duration", "/riders/5/durations"),
        ("/user/5", "/riders/5"),
        ("/user/5/rides?limit=2", "/riders/5/rides?limit=2"),
        ("/daily?date=20-11-2026", "/daily?date=2026-11-20"),
        ("/leaderboard", "/leaderboard"),
        ("/city/New%20Leeds", "/cities/New%20Leeds/rides"),
        ("/city/new%20leeds", "/cities/New%20Leeds/rides"),
    ] {
        let expected = ok(&client, &format!("/api/v1{present}")).await;
        assert_ne!(expected["items"], Value::Array(vec![]), "{present} shows nothing");
        assert_eq!(ok(&client, older).await, expected, "{older}");
        let slashed = match older.split_once('?') {
            Some((path, query)) => format!("{path}/?{query}"),
            None => format!("{older}/"),
        };
        assert_eq!(ok(&client, &slashed).await, expected, "{slashed}");
    }
}

#[tokio::test]
async fn reports_cities_and_status_say_what_the_store_has() {
    let (client, _, folder) = server();
    let day = folder.path().join("site/daily/2026-11-21");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(day.join("index.html"), "<h1>21 November</h1>").unwrap();
    std::fs::write(day.join("report.pdf"), "%PDF").unwrap();
    let reports = ok(&client, "/api/v1/reports?limit=1").await;
    assert_eq!(reports["items"][0]["day"], "2026-11-21");
    assert_eq!(
        reports["items"][0]["links"][0]["href"],
        "/reports/daily/2026-11-21/index.html"
    );
    assert_eq!(reports["items"][0]["links"][1]["format"], "pdf");
    let older = ok(
        &client,
        &format!("/api/v1/reports?cursor={}", reports["next"].as_str().unwrap()),
    )
    .await;
    assert_eq!(older["items"][0]["day"], "2026-11-20");
    assert_eq!(older["next"], Value::Null);

    let cities = ok(&client, "/api/v1/cities").await;
    assert_eq!(cities["items"][0]["name"], "York");
    assert_eq!(cities["items"][0]["riders"], 8);

    let status = ok(&client, "/api/v1/status").await;
    assert_eq!(status["buffer_rides"], 50);
    assert_eq!(status["open_rides"], 1);
    assert_eq!(status["last_sealed_day"], "2026-11-21");
    assert_eq!(status["mails_waiting"], 1);
    assert_eq!(status["rejected_lines"], 1);
    assert_eq!(status["newest_reading_at"], "2026-11-22T14:59:58+00:00");
}
