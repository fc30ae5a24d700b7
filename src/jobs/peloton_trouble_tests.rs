//! What a Peloton that does not answer keeps nobody from.

use super::*;
use crate::peloton::token::standing;

fn failed(peloton: &Peloton, store: &Store, accounts: &[PelotonAccount]) -> String {
    format!("{:#}", peloton.run(store, accounts).unwrap_err())
}

#[test]
fn a_workout_that_is_not_answered_holds_up_no_other_and_is_asked_for_again() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(12));
    let course = "/api/workout/w3/performance_graph";
    peloton.change(|state| state.broken = vec![("/api/workout/w1?", 500), (course, 502)]);
    for _ in 0..2 {
        let failed = failed(&peloton, &store, &accounts);
        assert!(
            failed.contains("account 1") && failed.contains("workout w1: ") && failed.contains("status 500"),
            "{failed}"
        );
        assert!(
            failed.contains("workout w3: ") && failed.contains("status 502"),
            "{failed}"
        );
        assert_eq!(workouts(&store), 11, "that without its course is there");
        let progress = store.peloton_progress("Ann").unwrap().unwrap();
        assert_eq!(
            progress.watermark,
            at(NOW) - chrono::TimeDelta::hours(73),
            "the account is read up to the older one of both"
        );
    }
    peloton.change(|state| state.broken.clear());
    let status = peloton.run(&store, &accounts).unwrap();
    assert_eq!(
        (status.counts["workouts_new"], status.counts["workouts_changed"]),
        (1, 1)
    );
    assert_eq!(peloton.run(&store, &accounts).unwrap(), JobStatus::idle());
}

#[test]
fn nothing_is_asked_for_by_what_is_no_id() {
    let (_folder, store, accounts) = ann();
    let mut all = classes(2);
    all.insert(1, class("../user/u2/workouts", 5));
    let peloton = Peloton::new(all);
    peloton.run(&store, &accounts).unwrap();
    assert_eq!(workouts(&store), 2);
    assert!(peloton.asked().iter().all(|path| !path.contains("..")));
}

#[test]
fn what_cannot_be_understood_is_told_once_though_the_list_is_read_anew() {
    let (_folder, store, accounts) = ann();
    let mut all = classes(7);
    all[1]["id"] = json!("no id");
    all[2]["start_time"] = Value::Null;
    all[2]["created_at"] = Value::Null;
    all[3]["end_time"] = json!(at(NOW).timestamp());
    let peloton = Peloton::new(all);
    let impossible = json!({"duration": 10, "seconds_since_pedaling_start": [1, 6], "metrics": [
        {"slug": "heart_rate", "display_unit": "bpm", "values": [100_000, -5]},
    ]});
    peloton.change(|state| {
        state.faults = [("page=1", Fault::Uploaded(class("w-1", 0)))].into();
        state.courses = [("w0", impossible)].into();
    });
    let (runtime, cancel) = (Runtime::new().unwrap(), Cancel::default());
    let pace = Pace {
        between: Duration::ZERO,
        again: Duration::ZERO,
    };
    let token = Token::read(&accounts[0]).unwrap();
    let mut client = Client::new(&peloton.url, token, pace, store.clock(), runtime.handle(), &cancel);
    let state = Account {
        unsaid: Unsaid {
            rider_name: Some("Ann"),
            timezone: None,
            fallback: Tz::UTC,
            now: at(NOW),
        },
        progress: None,
        known: &HashMap::new(),
        of_others: &std::collections::HashSet::new(),
    };
    let synced = sync(&mut client, &state, |_| Ok(())).unwrap();
    let places: Vec<&str> = synced.rejected.iter().map(|one| one.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "a part of the course of workout w0",
            "an item of the list",
            "workout w2",
            "workout w3",
        ]
    );
    assert_eq!(
        synced.rejected[0].reason,
        "values of `heart_rate_bpm` that are not between 0 and 250: 2"
    );
    let too_long = &synced.rejected[3].reason;
    assert!(too_long.contains("`ridden_seconds` would be 262800"), "{too_long}");
    let asked = peloton.asked();
    let beginnings = asked.iter().filter(|path| path.contains("/workouts?limit=100&page=0"));
    assert_eq!(beginnings.count(), 2, "{asked:?}");
}

#[test]
fn a_workout_that_is_forbidden_does_not_mean_that_the_token_is_bad() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(3));
    peloton.change(|state| state.broken = vec![("/api/workout/w0?", 403)]);
    let failed = failed(&peloton, &store, &accounts);
    assert!(failed.contains("workout w0") && failed.contains("403"), "{failed}");
    assert!(!failed.contains("expired"), "{failed}");
    assert_eq!(workouts(&store), 2);
    assert!(!store.peloton_failure("Ann").unwrap().unwrap().needs_a_person);
}

#[test]
fn a_service_that_denies_everything_or_lists_half_deletes_nothing() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(6));
    peloton.run(&store, &accounts).unwrap();
    let unlisted = |state: &mut State| {
        let taken = state.workouts.remove(1);
        state.hidden.push(taken);
    };
    // What is not listed is said not to be there, as is everything else.
    peloton.change(unlisted);
    peloton.change(|state| state.broken = vec![("/api/workout/", 404)]);
    peloton.run(&store, &accounts).unwrap();
    assert_eq!(workouts(&store), 6);
    // As is one that the list counts and has not.
    peloton.change(|state| {
        state.broken = vec![("/api/workout/w1?", 404)];
        state.left_out = Some("w1");
        let hidden = state.hidden.pop().unwrap();
        state.workouts.insert(1, hidden);
    });
    peloton.run(&store, &accounts).unwrap();
    assert_eq!(workouts(&store), 6);
    // One whose id cannot be read may be it.
    peloton.change(|state| {
        state.left_out = None;
        state.workouts[1]["id"] = json!(5);
    });
    peloton.run(&store, &accounts).unwrap();
    assert_eq!(workouts(&store), 6);
    // Nothing of that is so any more.
    peloton.change(|state| drop(state.workouts.remove(1)));
    assert_eq!(peloton.run(&store, &accounts).unwrap().counts["workouts_deleted"], 1);
    assert_eq!(workouts(&store), 5);
}

#[test]
fn a_service_that_answers_nothing_is_not_asked_for_every_workout() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(30));
    peloton.change(|state| state.broken = vec![("/api/workout/", 500)]);
    let failed = failed(&peloton, &store, &accounts);
    assert!(failed.contains("5 times in a row"), "{failed}");
    let asked = peloton.asked();
    assert_eq!(
        asked.iter().filter(|path| path.contains("/api/workout/")).count(),
        5 * 4
    );
    assert_eq!(store.peloton_progress("Ann").unwrap(), None);
}

#[test]
fn a_service_that_wants_a_pause_is_not_asked_before_it_ends() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(1));
    peloton.change(|state| state.faults = [("/api/me", Fault::Status(429, Some(3600)))].into());
    let first = failed(&peloton, &store, &accounts);
    assert!(
        first.contains("not to be asked before 2026-01-10 13:00:00 UTC") && first.contains("429"),
        "{first}"
    );
    assert_eq!(peloton.asked(), ["/api/me"]);
    assert_eq!(failed(&peloton, &store, &accounts), first);
    assert!(peloton.asked().is_empty());
    // The pause has ended.
    let mut failure = store.peloton_failure("Ann").unwrap().unwrap();
    failure.not_before = Some(at(NOW));
    store.set_peloton_failure("Ann", Some(&failure)).unwrap();
    peloton.run(&store, &accounts).unwrap();
    assert_eq!((workouts(&store), store.peloton_failure("Ann").unwrap()), (1, None));
}

#[test]
fn what_is_mailed_says_nothing_of_who_the_account_or_the_file_is_of() {
    let (folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(1));
    peloton.change(|state| state.user_id = "5f3eanns".to_owned());
    for status in [403, 404, 500] {
        peloton.change(|state| state.broken = vec![("/workouts?", status)]);
        let failed = failed(&peloton, &store, &accounts);
        assert!(failed.contains("the list of workouts"), "{failed}");
        assert!(!failed.contains("5f3eanns"), "{failed}");
    }
    for (content, said) in [(json!({}), "has no `access_token`"), (json!("word"), "no JSON object")] {
        token_file(&folder, "ann.json", &content);
        let failed = failed(&peloton, &store, &accounts);
        assert!(failed.contains(said) && !failed.contains("ann.json"), "{failed}");
    }
    std::fs::remove_file(folder.path().join("ann.json")).unwrap();
    let failed = failed(&peloton, &store, &accounts);
    assert!(
        failed.contains("cannot read the token file") && !failed.contains("ann.json"),
        "{failed}"
    );
}

#[test]
fn whoever_looks_is_told_why_an_account_was_not_read() {
    let (folder, store, accounts) = ann();
    let stands = |account: &PelotonAccount| {
        let failure = store.peloton_failure(&account.rider_name).unwrap();
        standing(account, "peloton", failure.as_ref(), at(NOW))
    };
    let peloton = Peloton::new(classes(1));
    peloton.change(|state| state.token = Some("another".to_owned()));
    failed(&peloton, &store, &accounts);
    let refused = stands(&accounts[0]);
    assert!(refused.needs_a_person, "{refused:?}");
    assert!(
        refused.words.contains("tried on 2026-01-10 12:00 UTC") && refused.words.contains("refuses the token (401)"),
        "{refused:?}"
    );
    let place = folder.path().join("ann.json").display().to_string();
    assert!(
        refused.words.contains(&place),
        "it says where the new one goes: {refused:?}"
    );
    peloton.change(|state| state.token = None);
    peloton.run(&store, &accounts).unwrap();
    let well = stands(&accounts[0]);
    assert!(!well.needs_a_person && !well.words.contains("not read"), "{well:?}");
    // Nobody can do anything about a network.
    let nowhere = Peloton {
        url: "http://127.0.0.1:1".to_owned(),
        state: Arc::default(),
    };
    failed(&nowhere, &store, &accounts);
    let cut_off = stands(&accounts[0]);
    assert!(
        !cut_off.needs_a_person && cut_off.words.contains("Connection refused"),
        "{cut_off:?}"
    );

    let ended = json!({
        "access_token": jwt(at(NOW) - chrono::TimeDelta::hours(3)), "refresh_token": "first", "client_id": "c",
        "token_url": "http://127.0.0.1:1/oauth/token",
    });
    let ben = account("Ben", &token_file(&folder, "ben.json", &ended));
    assert!(stands(&ben).words.contains("expired on 2026-01-10 09:00 UTC"));
    failed(&peloton, &store, std::slice::from_ref(&ben));
    let not_renewed = stands(&ben);
    assert!(
        !not_renewed.needs_a_person && not_renewed.words.contains("Connection refused"),
        "{not_renewed:?}"
    );
    assert!(!not_renewed.words.contains("sign in"), "{not_renewed:?}");
}

/// A token that ends so many minutes from the present, and can be renewed.
fn renewable(peloton: &Peloton, minutes: i64) -> Value {
    json!({
        "access_token": jwt(at(NOW) + chrono::TimeDelta::minutes(minutes)), "refresh_token": "first", "client_id": "c",
        "token_url": format!("{}/oauth/token", peloton.url),
    })
}

#[test]
fn a_token_that_is_good_for_a_minute_yet_is_used_though_it_cannot_be_renewed() {
    let (folder, store, _) = ann();
    let peloton = Peloton::new(classes(1));
    for status in [403, 503] {
        peloton.change(|state| state.broken = vec![("/oauth/token", status)]);
        let good = account("Ann", &token_file(&folder, "ann.json", &renewable(&peloton, 1)));
        peloton.run(&store, &[good]).unwrap();
        let asked = peloton.asked();
        assert_eq!((workouts(&store), asked[0].as_str()), (1, "/oauth/token"));
        assert!(asked.contains(&"/api/me".to_owned()), "{asked:?}");
        let ended = account("Ben", &token_file(&folder, "ben.json", &renewable(&peloton, -1)));
        let failed = failed(&peloton, &store, &[ended]);
        assert!(failed.contains(&format!("status {status}")), "{failed}");
        assert!(!peloton.asked().contains(&"/api/me".to_owned()));
        let needs_a_person = store.peloton_failure("Ben").unwrap().unwrap().needs_a_person;
        assert_eq!(needs_a_person, status == 403, "{failed}");
        assert_eq!(failed.contains("cannot be renewed"), status == 403, "{failed}");
    }
}

#[test]
fn renewing_a_token_is_tried_again_and_waits_as_it_is_wished() {
    let (folder, store, _) = ann();
    let peloton = Peloton::new(classes(1));
    peloton.change(|state| state.faults = [("/oauth/token", Fault::Status(429, Some(3600)))].into());
    let accounts = [account(
        "Ann",
        &token_file(&folder, "ann.json", &renewable(&peloton, -1)),
    )];
    let first = failed(&peloton, &store, &accounts);
    assert!(
        first.contains("not to be asked before 2026-01-10 13:00:00 UTC"),
        "{first}"
    );
    assert_eq!(peloton.asked(), ["/oauth/token"]);
    assert_eq!(failed(&peloton, &store, &accounts), first);
    assert!(peloton.asked().is_empty(), "the pause has not ended");
    store.set_peloton_failure("Ann", None).unwrap();
    peloton.change(|state| {
        let token = "/oauth/token";
        state.faults = [(token, Fault::Status(502, None)), (token, Fault::Cut)].into();
    });
    peloton.run(&store, &accounts).unwrap();
    assert_eq!(
        (workouts(&store), &peloton.asked()[..3]),
        (1, &["/oauth/token"; 3].map(str::to_owned)[..])
    );
}

#[test]
fn a_token_that_could_not_be_kept_is_not_renewed() {
    use std::os::fd::AsRawFd as _;
    let (folder, store, _) = ann();
    let peloton = Peloton::new(classes(1));
    let token = renewable(&peloton, 0);
    // A file in a folder in which nobody makes any, not even whoever may do everything.
    let file = std::fs::File::open(token_file(&folder, "ann.json", &token)).unwrap();
    let path = PathBuf::from(format!("/dev/fd/{}", file.as_raw_fd()));
    let failed = failed(&peloton, &store, &[account("Ann", &path)]);
    assert!(
        failed.contains("folder of the token file cannot be written") && !failed.contains("/dev/fd"),
        "{failed}"
    );
    assert!(peloton.asked().is_empty(), "the refresh token is good for once");
}
