//! What lists offer: filters, orders, fields, formats, pages; and how errors look.

use super::*;

/// Every item of a list, page by page.
async fn all(client: &TestClient<impl Endpoint>, path: &str) -> Vec<Value> {
    let join = if path.contains('?') { '&' } else { '?' };
    let mut items = Vec::new();
    let mut next = String::new();
    loop {
        let page = ok(client, &format!("{path}{join}{next}limit=7")).await;
        items.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else {
            return items;
        };
        next = format!("cursor={cursor}&");
    }
}

fn figures(items: &[Value], name: &str) -> Vec<f64> {
    items.iter().filter_map(|item| item[name].as_f64()).collect()
}

#[tokio::test]
async fn every_order_shows_every_ride_once_with_those_that_have_no_figure_last() {
    let (client, ..) = server();
    for name in [
        "energy_kilojoules",
        "duration_seconds",
        "power_watts_max",
        "heart_rate_bpm_mean",
    ] {
        for sort in [name.to_owned(), format!("-{name}")] {
            let items = all(
                &client,
                &format!("/api/v1/rides?sort={sort}&from=2026-11-20&to=2026-11-20"),
            )
            .await;
            let ids: BTreeSet<_> = items.iter().map(|ride| ride["ride_id"].as_str().unwrap()).collect();
            assert_eq!((items.len(), ids.len()), (100, 100), "{sort}");
            let known = figures(&items, name);
            assert!(items[..known.len()].iter().all(|ride| ride[name].is_number()), "{sort}");
            let is_sorted = known.is_sorted_by(|a, b| if sort.starts_with('-') { a >= b } else { a <= b });
            assert!(is_sorted, "{sort}: {known:?}");
        }
    }
    let oldest = ok(&client, "/api/v1/rides?sort=started_at&limit=1").await;
    assert_eq!(oldest["items"][0]["started_at"], "2026-11-20T07:00:00+00:00");
}

#[tokio::test]
async fn rides_are_those_that_every_filter_lets_through() {
    let (client, context, _folder) = server();
    let count = async |query: &str| {
        ok(&client, &format!("/api/v1/rides?limit=1000&{query}")).await["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count("from=2026-11-20&to=2026-11-21").await, 200);
    assert_eq!(count("from=2026-11-22").await, 49);
    assert_eq!(count("bike_serial=SN0003").await, 36);
    assert_eq!(count("gender=male").await + count("gender=female").await, 249);
    assert_eq!(count("gender=other").await + count("gender=unknown").await, 0);
    let say = |sql: &str| context.store.connection().unwrap().execute_batch(sql).unwrap();
    let before = (
        count("gender=male").await,
        count("rider_id=1").await,
        count("rider_id=3").await,
    );
    say(
        "update daily.rider set gender = case rider_id when 1 then 'unknown' else 'another' end where rider_id in (1, 3)",
    );
    assert_eq!(
        (count("gender=unknown").await, count("gender=other").await),
        (before.1, before.2),
        "bikes may say that it is unknown"
    );
    assert_eq!(count("gender=male").await, before.0 - before.1 - before.2);
    say("update daily.rider set gender = 'male' where rider_id in (1, 3)");
    assert_eq!(count("city=york").await + count("city=New%20Leeds").await, 249);
    assert_eq!(count("city=york,New%20Leeds").await, 249);
    assert_eq!(count("duration_seconds_min=310&duration_seconds_max=311").await, 24);
    // Rider 5 was born on 1985-06-24, and is 41 at each ride.
    let of_41 = ok(&client, "/api/v1/rides?age=41&limit=1000").await;
    assert!(
        of_41["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|ride| ride["rider_id"] == 5)
    );
    assert_eq!(of_41["items"].as_array().unwrap().len(), 21);
    assert_eq!(count("age=0-").await, 249, "whose age is known");
    assert_eq!(count(&format!("ride_id={RIDE}")).await, 1);
    let two = ok(&client, "/api/v1/rides?limit=2").await;
    assert_eq!(count(&format!("ride_id={}", ids(&two).join(","))).await, 2);
}

#[tokio::test]
async fn riders_are_listed_with_their_totals_in_any_order() {
    let (client, ..) = server();
    let riders = all(&client, "/api/v1/riders").await;
    assert_eq!(
        figures(&riders, "rider_id"),
        (1..=12).map(f64::from).collect::<Vec<_>>()
    );
    assert_eq!(
        riders[4],
        ok(&client, "/api/v1/riders/5").await,
        "the same as one by one"
    );
    let most = all(&client, "/api/v1/riders?sort=-energy_kilojoules").await;
    assert!(most.len() == 12 && figures(&most, "energy_kilojoules").is_sorted_by(|a, b| a >= b));
    let some = all(&client, "/api/v1/riders?city=york&gender=female&age=38-").await;
    assert_eq!(figures(&some, "rider_id"), [6.0, 8.0]);
}

#[tokio::test]
async fn a_rider_has_a_best_of_each_kind_with_its_ride() {
    let (client, ..) = server();
    let bests = ok(&client, "/api/v1/riders/5/bests").await;
    let best = |measure: &str| {
        let mut bests = bests["items"].as_array().unwrap().iter();
        bests.find(|best| best["measure"] == measure).unwrap().clone()
    };
    let rides = all(&client, "/api/v1/riders/5/rides?sort=-energy_kilojoules").await;
    assert_eq!(best("energy_kilojoules")["value"], rides[0]["energy_kilojoules"]);
    assert_eq!(best("energy_kilojoules")["ride_id"], rides[0]["ride_id"]);
    assert_eq!(best("duration_seconds")["value"], 320.0);
    assert_eq!(
        ok(&client, "/api/v1/riders/5/bests").await["items"]
            .as_array()
            .unwrap()
            .len(),
        9
    );
}

#[tokio::test]
async fn a_ride_is_had_in_short_and_with_everything() {
    let (client, ..) = server();
    let summary = ok(&client, &format!("/ride/{RIDE}?summary=true")).await;
    assert_eq!(
        (&summary["duration"], &summary["duration_seconds"]),
        (&"5 min 16 s".into(), &316.into())
    );
    let expanded = ok(&client, &format!("/ride/{RIDE}?expanded=true")).await;
    assert_eq!(expanded["readings"].as_array().unwrap().len(), 300);
    assert_eq!(expanded["energy_kilojoules"], 220.5);
    let rider = expanded["rider_id"].as_i64().unwrap();
    let path = format!("/api/v1/riders/{rider}/rides");
    let (plain, full) = (
        ok(&client, &path).await,
        all(&client, &format!("{path}/expanded")).await,
    );
    assert_eq!(
        full.iter().map(|ride| ride["ride_id"].clone()).collect::<Vec<_>>(),
        ids(&plain)
    );
    assert!(full.contains(&expanded), "with its readings");
}

#[tokio::test]
async fn a_leaderboard_counts_only_whom_and_what_it_is_asked_for() {
    let (client, ..) = server();
    let board = async |query: &str| {
        let board = ok(&client, &format!("/api/v1/leaderboard?measure=energy&{query}")).await;
        let places = board["items"].as_array().unwrap().iter();
        places
            .map(|place| (place["rank"].as_i64().unwrap(), place["rider_id"].as_i64().unwrap()))
            .collect::<Vec<_>>()
    };
    let everybody = board("").await;
    assert_eq!(everybody.len(), 12);
    let women = board("gender=female").await;
    assert!(
        women.len() == 6 && women.iter().all(|(_, rider)| rider % 2 == 0),
        "{women:?}"
    );
    assert_eq!(women[0].0, 1, "ranks are among them");
    assert_eq!(board("city=new%20leeds").await.len(), 4);
    assert_eq!(board("age=41").await, [(1, 5)]);
    let all = ok(&client, "/api/v1/leaderboard?measure=energy").await;
    let third = all["items"][2]["value"].as_f64().unwrap();
    assert_eq!(board(&format!("min={third}")).await.len(), 3);
    assert_eq!(board(&format!("max={third}")).await[0], (1, everybody[2].1));
    let mut pages = Vec::new();
    for cursor in ["", "&cursor=5", "&cursor=10"] {
        pages.extend(board(&format!("limit=5{cursor}")).await);
    }
    assert_eq!(pages, everybody);
}

#[tokio::test]
async fn cities_come_in_pages_and_either_order() {
    let (client, ..) = server();
    let first = ok(&client, "/api/v1/cities?limit=1&sort=riders").await;
    assert_eq!(first["items"][0]["name"], "New Leeds");
    let next = first["next"].as_str().unwrap();
    let second = ok(&client, &format!("/api/v1/cities?limit=1&sort=riders&cursor={next}")).await;
    assert_eq!(
        (&second["items"][0]["name"], &second["next"]),
        (&"York".into(), &Value::Null)
    );
}

#[tokio::test]
async fn only_the_fields_that_are_asked_for_come_back_in_their_order() {
    let (client, ..) = server();
    let ride = ok(
        &client,
        &format!("/api/v1/rides/{RIDE}?fields=duration_seconds,ride_id"),
    )
    .await;
    assert_eq!(
        ride.to_string(),
        format!(r#"{{"duration_seconds":316,"ride_id":"{RIDE}"}}"#)
    );
    let rides = ok(&client, "/rides?fields=ride_id&limit=2").await;
    assert!(rides["next"].is_string() && rides["items"][1].as_object().unwrap().len() == 1);
    let refused = client.get("/api/v1/rides?fields=ride_id,beauty").send().await;
    let detail = problem(refused, 400, "bad-request").await;
    assert!(detail.contains("`beauty`") && detail.contains("`rider_id`"), "{detail}");
}

#[tokio::test]
async fn rows_come_as_csv_and_parquet_with_the_same_figures() {
    let (client, context, folder) = server();
    let path = format!("/api/v1/rides/{RIDE}/readings");
    let csv = client.get(&path).header("accept", "text/csv").send().await;
    assert!(csv.content_type().unwrap().starts_with("text/csv"));
    assert_eq!(csv.header("vary").unwrap(), "accept, accept-encoding");
    let tag = csv.header("etag").unwrap().to_owned();
    let csv = text(csv).await;
    assert_eq!(csv.lines().count(), 301, "the whole ride");
    assert!(
        csv.starts_with("second,recorded_at,heart_rate_bpm,is_dropout,"),
        "{}",
        &csv[..80]
    );
    assert!(
        csv.lines()
            .nth(60)
            .unwrap()
            .starts_with("60,2026-11-21T23:01:00+00:00,,true,")
    );
    let again = client
        .get(&path)
        .header("accept", "text/csv")
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);

    let parquet = client
        .get(&path)
        .header("accept", "application/vnd.apache.parquet")
        .send()
        .await;
    assert_eq!(parquet.content_type(), Some("application/vnd.apache.parquet"));
    let file = folder.path().join("readings.parquet");
    std::fs::write(&file, parquet.into_body().into_vec().await.unwrap()).unwrap();
    let sql = format!(
        "select count(*), sum(power_watts), max(recorded_at) = timestamptz '2026-11-21 23:05:00Z', typeof(any_value(second))
         from '{}'",
        file.display()
    );
    let found: (i64, f64, bool, String) = context
        .store
        .connection()
        .unwrap()
        .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap();
    assert_eq!(found, (300, 300.0 * 55.5, true, "BIGINT".to_owned()));

    let page = client
        .get("/rides?limit=2&fields=ride_id")
        .header("accept", "text/csv")
        .send()
        .await;
    let next = page.header("link").unwrap().to_owned();
    assert!(
        next.starts_with("</api/v1/rides?limit=2&fields=ride_id&cursor=") && next.ends_with("; rel=\"next\""),
        "{next}"
    );
    let next = client
        .get(&next[1..next.find('>').unwrap()])
        .header("accept", "text/csv")
        .send()
        .await;
    let (page, next) = (text(page).await, text(next).await);
    assert!(page.lines().count() == 3 && next.lines().count() == 3 && page.lines().nth(1) != next.lines().nth(1));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_for_what_it_is() {
    let (client, ..) = server();
    let put = async |media_type: &str, body: &'static str| {
        let request = client
            .request(Method::PUT, "/api/v1/riders/1/limits")
            .header("content-type", media_type);
        client.server.get_response(request.body(body)).await
    };
    problem(put("text/plain", "upper_bpm=150").await, 415, "unsupported-media-type").await;
    problem(put("application/json", "{").await, 400, "bad-request").await;
}

#[tokio::test]
async fn a_days_report_is_had_as_figures() {
    let (client, _, folder) = server();
    problem(client.get("/api/v1/reports/2026-11-21").send().await, 404, "not-found").await;
    let place = folder.path().join("reports/2026-11-21");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("report.json"), r#"{"day":"2026-11-21","rides":100}"#).unwrap();
    assert_eq!(ok(&client, "/api/v1/reports/2026-11-21").await["rides"], 100);
}

#[tokio::test]
async fn whoever_opens_an_address_that_leads_nowhere_in_a_browser_sees_a_page() {
    let (client, ..) = server();
    let page = client.get("/no-such-page").header("accept", "text/html").send().await;
    assert_eq!(
        (page.status(), page.content_type()),
        (StatusCode::NOT_FOUND, Some("text/html; charset=utf-8"))
    );
    let page = text(page).await;
    assert!(
        page.contains("There is nothing at this address") && page.contains("no-such-page"),
        "{page}"
    );
    problem(
        client
            .get("/no-such-page")
            .header("accept", "application/json")
            .send()
            .await,
        404,
        "not-found",
    )
    .await;
}

#[tokio::test]
async fn whatever_the_older_systems_documented_is_answered() {
    let (client, ..) = server();
    let two = ids(&ok(&client, "/rides?limit=2").await).join(",");
    for (older, present) in [
        (
            format!("/rides/{two}").as_str(),
            format!("/rides?ride_id={two}").as_str(),
        ),
        ("/rides/female?limit=3", "/rides?gender=female&limit=3"),
        ("/all?limit=2", "/rides?limit=2"),
        ("/rider?location=York,New+Leeds", "/riders?city=York,New%20Leeds"),
        ("/riders2?age=30-40", "/riders?age=30-40"),
        ("/rider/5/rides?summary=true", "/riders/5/rides"),
        (
            "/rider/5/rides/?expanded=true&limit=3",
            "/riders/5/rides/expanded?limit=3",
        ),
        ("/daily?date=20/11/2026", "/daily?date=2026-11-20"),
        ("/daily?date=2026-11", "/rides?from=2026-11-01&to=2026-11-30"),
        ("/daily?date=2026", "/rides?from=2026-01-01&to=2026-12-31"),
        ("/city/?city=New+Leeds", "/cities/New%20Leeds/rides"),
        ("/city", "/cities"),
    ] {
        let expected = ok(&client, &format!("/api/v1{present}")).await;
        assert_ne!(expected["items"], Value::Array(vec![]), "{present} shows nothing");
        assert_eq!(ok(&client, older).await, expected, "{older}");
    }
}
