//! Mails what went wrong with jobs. Not a job itself: it is called while the scheduler runs, and tells of jobs that gave up
//! and of days that were not done by their deadline.
//!
//! 1. Put words to each of them; the errors are in the run ledger.
//! 2. Queue one mail about all of them for each recipient.

use anyhow::{Context, Result};
use chrono_tz::Tz;

use super::notify::{Addresses, queue_message};
use crate::{
    notify::render::{self, Failing, FailureMail, JobFailure, To},
    scheduler::plan::{Trouble, What},
    store::Store,
    template::Templates,
};

/// Queues the mail about `troubles`, of which there is at least one, for each recipient. It leaves with the next run that
/// sends.
///
/// # Errors
/// When the ledger cannot be read or written, a template does not fit, or an address is not one.
pub fn tell(store: &Store, templates: &Templates, troubles: &[Trouble], to: Addresses<'_>, timezone: Tz) -> Result<()> {
    let failures = troubles
        .iter()
        .map(|trouble| failure(store, trouble))
        .collect::<Result<Vec<_>>>()?;
    let jobs_url = to.public_url.map(|url| format!("{}/jobs", url.trim_end_matches('/')));
    let mail = FailureMail {
        failures: &failures,
        timezone,
        jobs_url: jobs_url.as_deref(),
    };
    for recipient in to.to {
        let unsubscribe_url = to.unsubscribe_url(store, recipient)?;
        let reader = To {
            address: recipient,
            unsubscribe_url: unsubscribe_url.as_deref(),
        };
        let message = render::job_failures(templates, &mail, reader)?;
        queue_message(store, &message, to.from).with_context(|| {
            let jobs: Vec<_> = troubles.iter().map(|trouble| trouble.job.as_str()).collect();
            format!(
                "failed to queue the mail about what went wrong with {}",
                jobs.join(", ")
            )
        })?;
    }
    Ok(())
}

fn failure(store: &Store, trouble: &Trouble) -> Result<JobFailure> {
    let run = store.latest_run(&trouble.job, trouble.window)?;
    let error = run.and_then(|run| run.error);
    let unknown = || "the run ledger has no error of it".to_owned();
    let (how, error) = match &trouble.what {
        What::GaveUp { attempts, times, .. } => {
            let (attempts, times) = (*attempts, *times);
            (Failing::GaveUp { attempts, times }, error.unwrap_or_else(unknown))
        }
        What::CutShort { times, .. } => (Failing::CutShort { times: *times }, error.unwrap_or_else(unknown)),
        What::Late { why, .. } => {
            let error = error.map_or_else(|| why.clone(), |error| format!("{why}\n{error}"));
            (Failing::Late, error)
        }
    };
    Ok(JobFailure {
        job: trouble.job.clone(),
        window: trouble.window,
        at: trouble.at(),
        how,
        error,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{run::Outcome, window::Window},
        store::{fixture::open, ledger::NewRun, outbox},
    };

    #[test]
    fn one_mail_tells_everything_with_the_errors_of_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let at = store.clock().now();
        let window: Window = "2026-01-05".parse().unwrap();
        let run_id = Uuid::from_u128(1);
        let run = NewRun {
            run_id,
            job: "publish",
            window,
            attempt: 4,
            reason: "retry",
            scheduled_at: at,
            started_at: at,
        };
        store.start_run(run).unwrap();
        let error = Err((Outcome::Failed, "cannot publish: no such bucket"));
        store.finish_run(run_id, at, error).unwrap();
        let trouble = |job: &str, what| Trouble {
            job: job.to_owned(),
            window,
            what,
        };
        let troubles = [
            trouble(
                "publish",
                What::GaveUp {
                    attempts: 4,
                    at,
                    times: 1,
                },
            ),
            trouble(
                "notify",
                What::Late {
                    deadline: at,
                    why: "waits for publish".to_owned(),
                },
            ),
        ];
        let recipients = ["ops@x.example".to_owned(), "on-call@x.example".to_owned()];
        let to = Addresses {
            from: "Deloton <reports@x.example>",
            to: &recipients,
            public_url: Some("https://x.example/"),
        };
        let templates = Templates::load(None).unwrap();
        let told = || tell(&store, &templates, &troubles, to, Tz::Europe__London);
        told().unwrap();
        told().unwrap();
        let connection = store.connection().unwrap();
        let mails = outbox::list(&connection, None, 10).unwrap();
        assert_eq!(mails.len(), 2, "one for each recipient, however often it is told");
        assert_eq!(mails[0].subject, "Deloton: 2 failures, of notify, publish");
        let (_, bytes) = outbox::get(&connection, mails[0].message_id).unwrap().unwrap();
        let mail = mail_parser::MessageParser::default().parse(&bytes).unwrap();
        let text = mail.body_text(0).unwrap();
        for words in [
            "cannot publish: no such bucket",
            "after 4 attempts",
            "deloton run publish --day 2026-01-05",
            "The job notify has not done 2026-01-05",
            "waits for publish",
            "https://x.example/jobs",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
