//! Clocks that are set back, by a moment or by hours, and go on.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const BACKUP: &str = "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 */6 * * *\"\n";

/// Runs what is due each time that the clock is looked at; answers how often each firing was run, and the latest time that
/// the clock has shown.
fn live(steps: &[i64]) -> (BTreeMap<Window, u32>, DateTime<Utc>) {
    let schedule = Schedule::parse(BACKUP, "cron.toml").unwrap();
    let mut now: DateTime<Utc> = "2026-01-05T03:00:00Z".parse().unwrap();
    let mut view = LedgerView::new(Vec::new(), Vec::new(), now);
    view.jobs.insert("backup".to_owned(), History::new(now, None));
    let (mut latest, mut woken_at, mut stamp) = (now, now, now);
    let mut made = BTreeMap::new();
    for &seconds in steps {
        now += TimeDelta::seconds(seconds);
        latest = latest.max(now);
        if woken_at - now > UNEVEN {
            (view.up_since, woken_at) = (now, now);
        }
        woken_at = woken_at.max(now);
        for due in plan_instants(&schedule, &view, now).due {
            *made.entry(due.window).or_default() += 1;
            stamp = now.max(stamp + TimeDelta::microseconds(1));
            let history = view.jobs.get_mut("backup").unwrap();
            history.answered = due.window.instant();
            let last = Last {
                attempt: due.attempt,
                failures: 0,
                outcome: Outcome::Succeeded,
                scheduled_at: due.scheduled_at,
                started_at: stamp,
                finished_at: Some(stamp),
                is_firing: due.reason.is_firing(),
                done: None,
            };
            history.windows.insert(due.window, last);
            history.forget_old_instants();
        }
    }
    (made, latest)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_firing_is_run_once_whatever_the_clock_does(
        steps in prop::collection::vec(prop_oneof![3 => 1..20_000_i64, 1 => -50..0_i64, 1 => -30_000..0_i64], 1..40),
    ) {
        let (made, latest) = live(&steps);
        let cron = Schedule::parse(BACKUP, "cron.toml").unwrap().jobs[0].cron.clone().unwrap();
        let mut fired = Vec::new();
        let mut at = "2026-01-05T03:00:00Z".parse().unwrap();
        while let Some(next) = next_after(&cron, chrono_tz::Tz::Europe__London, at).filter(|&next| next <= latest) {
            fired.push((Window::Instant(next), 1));
            at = next;
        }
        prop_assert_eq!(made.into_iter().collect::<Vec<_>>(), fired);
    }
}
