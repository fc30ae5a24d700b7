//! What the plan is tested with: a case says what the schedule is, what has been, and what time it is, and what must come
//! of it, every line of it:
//!
//! ```text
//! seen T [JOB]          first sight of JOB, or of all
//! up T                  awake since; the first sight unless said
//! ok JOB DAY[..DAY] T   done in the minute from T; of a range, the same time of day after each
//! failed|abandoned|running JOB WINDOW T [xN]
//! idle JOB T            the firing at T found nothing to do
//! asked JOB T           done by hand in the minute from T, of a job that runs by the instant
//! told failures|deadlines JOB T   somebody was told of them up to T
//! rows|late DAY…        days with rides in the buffer; sealed ones with late rides
//! stream T              ingest has read up to T and is behind
//! now T
//! =>
//! what must come of it, in the words of the test
//! ```

use chrono::{NaiveDate, TimeDelta};

use super::*;

pub(super) fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is not an instant"))
}

pub(super) struct Case {
    pub(super) schedule: Schedule,
    pub(super) view: LedgerView,
    pub(super) stream: Stream,
    pub(super) now: DateTime<Utc>,
}

impl Case {
    pub(super) fn read(schedule: &str, given: &str) -> Case {
        let schedule = Schedule::parse(schedule, "cron.toml").unwrap_or_else(|error| panic!("{error}"));
        let mut case = Case {
            schedule,
            view: LedgerView::new(Vec::new(), Vec::new(), DateTime::UNIX_EPOCH),
            stream: Stream::CAUGHT_UP,
            now: DateTime::UNIX_EPOCH,
        };
        for line in given.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<_> = line.split_whitespace().collect();
            case.say(&words);
        }
        case
    }

    fn say(&mut self, words: &[&str]) {
        match *words {
            ["seen", at] => {
                for job in &self.schedule.jobs {
                    self.view.jobs.insert(job.name.clone(), History::new(instant(at), None));
                }
                self.view.up_since = instant(at);
            }
            ["seen", at, job] => drop(self.view.jobs.insert(job.to_owned(), History::new(instant(at), None))),
            ["up", at] => self.view.up_since = instant(at),
            ["stream", at] => {
                self.stream = Stream {
                    caught_up: false,
                    watermark: Some(instant(at)),
                }
            }
            ["now", at] => self.now = instant(at),
            ["told", "failures", job, at] => self.history(job).told.failures = Some(instant(at)),
            ["told", "deadlines", job, at] => self.history(job).told.deadlines = Some(instant(at)),
            ["idle", job, at] => {
                self.history(job).last_idle_at = Some(instant(at));
                self.history(job).answered = Some(instant(at));
            }
            ["asked", job, at] => {
                let (window, answered) = (Window::Instant(instant(at)), self.history(job).answered);
                self.ran(job, window, Outcome::Succeeded, instant(at), 1);
                let history = self.history(job);
                history.answered = answered;
                history.windows.get_mut(&window).unwrap().is_firing = false;
            }
            ["rows", ref days @ ..] => self
                .view
                .days_with_rows
                .extend(days.iter().flat_map(|days| range(days))),
            ["late", ref days @ ..] => self.view.late_days.extend(days.iter().flat_map(|days| range(days))),
            ["ok", job, days, at] if days.contains("..") => {
                for (index, day) in range(days).into_iter().enumerate() {
                    let at = instant(at) + TimeDelta::days(i64::try_from(index).unwrap());
                    self.ran(job, Window::Day(day), Outcome::Succeeded, at, 1);
                }
            }
            [outcome, job, window, at] => self.ran(job, window.parse().unwrap(), named(outcome), instant(at), 1),
            [outcome, job, window, at, attempt] => {
                let attempt = attempt.strip_prefix('x').unwrap().parse().unwrap();
                self.ran(job, window.parse().unwrap(), named(outcome), instant(at), attempt);
            }
            _ => panic!("no such line: {words:?}"),
        }
    }

    fn history(&mut self, job: &str) -> &mut History {
        self.view
            .jobs
            .get_mut(job)
            .unwrap_or_else(|| panic!("`{job}` was not seen"))
    }

    fn ran(&mut self, job: &str, window: Window, outcome: Outcome, at: DateTime<Utc>, attempt: u32) {
        let history = self.history(job);
        history.answered = history.answered.max(window.instant());
        let windows = &mut history.windows;
        let ended = at + TimeDelta::minutes(1);
        let before = windows.get(&window).and_then(|last| last.done);
        let done = if outcome == Outcome::Succeeded {
            Some(Done {
                started_at: at,
                finished_at: ended,
            })
        } else {
            before
        };
        let finished_at = (outcome != Outcome::Running).then_some(ended);
        // Where a case does not tell of the tries before, they ended as this one did.
        let is_failed = outcome == Outcome::Failed;
        let before = windows.get(&window).filter(|_| attempt > 1).map(|last| last.failures);
        let failures = before.unwrap_or(if is_failed { attempt - 1 } else { 0 }) + u32::from(is_failed);
        windows.insert(
            window,
            Last {
                attempt,
                failures,
                outcome,
                scheduled_at: at,
                started_at: at,
                finished_at,
                is_firing: true,
                done,
            },
        );
    }
}

fn range(days: &str) -> Vec<NaiveDate> {
    let (first, last) = days.split_once("..").unwrap_or((days, days));
    let last: NaiveDate = last.parse().unwrap();
    first
        .parse::<NaiveDate>()
        .unwrap()
        .iter_days()
        .take_while(|&day| day <= last)
        .collect()
}

fn named(outcome: &str) -> Outcome {
    match outcome {
        "ok" => Outcome::Succeeded,
        "failed" => Outcome::Failed,
        "abandoned" => Outcome::Abandoned,
        "running" => Outcome::Running,
        _ => panic!("no such outcome: {outcome}"),
    }
}

/// Holds a case of `schedule` against what comes of it in the words of `told`.
#[track_caller]
pub(super) fn expect(schedule: &str, text: &str, told: impl Fn(&Case) -> Vec<String>) {
    let (given, expected) = text
        .split_once("=>")
        .expect("a case says after `=>` what must come of it");
    let lines = expected.lines().map(str::trim).filter(|line| !line.is_empty());
    assert_eq!(told(&Case::read(schedule, given)), lines.collect::<Vec<_>>());
}
