//! The composition root: the only place where implementations are chosen.

#[cfg(test)]
mod cancel_tests;
mod erase;
mod extract;
mod observe;
mod reload;
mod workouts;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use chrono::NaiveDate;
use tokio::runtime::Handle;
use uuid::Uuid;

use self::observe::Observed;
pub use self::reload::{FileStanding, ScheduleFile};
pub use self::{erase::Progress, extract::Extract};
use crate::{
    clock::Clock,
    config::{
        aws,
        schedule::{JobConfig, Kind, Schedule},
        settings::{Location, MailKind, Settings, SourceKind},
    },
    domain::{
        batch::Replayed,
        cancel::Cancel,
        heart_rate::{Alert, AlertRule},
        live::LiveBoard,
        message::{Envelope, is_reserved},
        run::JobStatus,
        window::{Period, Window},
        workout::name_key,
    },
    export::{Exporter, Files, Topic, Webhook, ping::Pings},
    ingest::{replay::replay, sessionize::Rules, writer::Compose},
    jobs::{
        self,
        erase::Places,
        gate::Gate,
        notify::{Addresses, For},
        send::{Sender, Turns},
    },
    metrics::Metrics,
    notify::{
        Notifier, mime,
        render::{self, DailyMail, HeartRateAlert, To},
    },
    peloton::{
        client::Pace,
        token::{self, TokenStanding},
    },
    publish::{self, Editions, NewEdition, PublishStatus, Publisher},
    report::{chart, model::ReportRule, site::Site, training::Training},
    scheduler::{
        Job, Options, Run, Runner,
        plan::{Reason, Stream, Trouble, What},
    },
    store::{
        self, Store,
        daily_table::ChangedTypes,
        outbox::{self, Which},
        query::{self, WorkoutFilter},
    },
    template::Templates,
};

/// How long the end of the program waits for pings that were not sent yet.
const PING_PATIENCE: Duration = Duration::from_secs(3);

/// Everything the commands and the server work with.
#[derive(Clone)]
pub struct App {
    /// Where things are.
    pub settings: Settings,
    /// What time it is.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// The pages' and mails' templates.
    pub templates: Arc<Templates>,
    /// Runs jobs.
    pub runner: Runner,
    /// What is being ridden.
    pub live: Arc<LiveBoard>,
    /// What is counted and measured.
    pub metrics: Metrics,
    /// How far ingest has read.
    pub stream: Arc<Mutex<Stream>>,
    /// The file of the schedule; none where it is the one compiled in.
    pub schedule_file: Option<Arc<ScheduleFile>>,
    /// Something may be to be brought to its end that was erased.
    has_erasures: Arc<AtomicBool>,
    /// Raised when the program is about to end, for extracts that no job writes.
    stopping: Cancel,
    services: Arc<Services>,
    pings: Arc<Pings>,
}

impl App {
    /// Opens the store and puts everything together.
    ///
    /// # Errors
    /// Whatever is wrong with cron.toml, a template or the database.
    pub fn open(settings: Settings, runtime: &Handle) -> anyhow::Result<Self> {
        let (schedule, file) = read_schedule(&settings)?;
        let templates = Arc::new(load_templates(&settings)?);
        let clock = settings.clock();
        let store = Store::open(&settings.data_dir, clock)?;
        let recovered = outbox::recover(&*store.connection()?, None, clock.now())?;
        if recovered > 0 {
            tracing::warn!(
                mails = recovered,
                "mails were being sent when the program ended; see `deloton outbox`"
            );
        }
        let metrics = Metrics::new();
        let stream = Arc::new(Mutex::new(Stream::CAUGHT_UP));
        let exporter = runtime.block_on(exporter(&settings));
        if announces_rides(&schedule) {
            store.announce_rides_to(exporter.targets());
        }
        let services = Arc::new(Services {
            exporter,
            publisher: runtime.block_on(Publisher::open(&settings.site(), settings.aws_endpoint_url.as_deref())),
            turns: Turns::default(),
            publishing: Mutex::new(()),
            extracting: Mutex::new(()),
            is_extract_due: AtomicBool::new(false),
            notifier: runtime.block_on(notifier(&settings)),
            folder: outbox_folder(&settings),
            jobs_dir: jobs_dir(&settings),
            runtime: runtime.clone(),
            settings: settings.clone(),
            store: store.clone(),
            templates: Arc::clone(&templates),
        });
        let made = services.jobs_of(&schedule);
        let now = Arc::clone(&stream);
        let now = move || *now.lock().unwrap_or_else(PoisonError::into_inner);
        let runner = Runner::new(schedule, store.clone(), clock, made, now, Options::default())?;
        let pings = Arc::new(Pings::new(runtime));
        let runner = runner.observed_by(Observed {
            metrics: metrics.clone(),
            pings: Arc::clone(&pings),
            well: Mutex::default(),
        });
        let schedule_file = file.map(|(path, text)| Arc::new(ScheduleFile::new(path, text, clock.now())));
        Ok(App {
            settings,
            clock,
            store,
            templates,
            runner,
            live: Arc::new(LiveBoard::new()),
            metrics,
            stream,
            schedule_file,
            has_erasures: Arc::new(AtomicBool::new(true)),
            stopping: Cancel::default(),
            services,
            pings,
        })
    }

    /// When things run, at the moment.
    #[must_use]
    pub fn schedule(&self) -> Arc<Schedule> {
        self.runner.schedule()
    }

    /// How the accounts at Peloton stand that are read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn peloton_tokens(&self) -> store::Result<Vec<TokenStanding>> {
        let schedule = self.schedule();
        let jobs = schedule.jobs.iter().filter(|job| job.enabled);
        let accounts = jobs.flat_map(|job| job.kind.peloton_accounts().iter().map(move |account| (job, account)));
        accounts
            .map(|(job, account)| {
                let failure = self.store.peloton_failure(&account.rider_name)?;
                Ok(token::standing(account, &job.name, failure.as_ref(), self.clock.now()))
            })
            .collect()
    }

    /// Waits until the dead-man's switches have heard of the runs that ended, for some seconds at most.
    pub fn finish_pings(&self) {
        self.pings.finish(PING_PATIENCE);
    }

    /// Reads rejected lines once more, of one topic or file or all.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn replay_rejected(&self, topic: Option<&str>) -> store::Result<Replayed> {
        replay(&self.store, &self.rules(), self.settings.log_timezone, topic)
    }

    /// The numbers the sessioniser goes by.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            day: self.schedule().day,
            alerts: self.schedule().heart_rate,
            riders: self.store.rider_limits(),
            tombstones: self.store.tombstones(),
            ..Rules::default()
        }
    }

    /// Looks for what went wrong with jobs: logs it, counts it, and mails it to whoever keeps the system running.
    ///
    /// # Errors
    /// When the mail cannot be queued, or that it was cannot be written down; it is told again then.
    pub fn tell_troubles(&self) -> anyhow::Result<()> {
        let overdue = self.runner.overdue();
        self.metrics
            .set_days_overdue(overdue.iter().map(|(job, days)| (job.as_str(), *days)));
        let troubles = self.runner.troubles();
        let schedule = self.schedule();
        let is_mailed = |trouble: &&Trouble| schedule.job(&trouble.job).is_some_and(|job| job.notify_on_failure);
        let mailed: Vec<Trouble> = troubles.iter().filter(is_mailed).cloned().collect();
        if !mailed.is_empty() {
            let to = Addresses {
                from: &self.settings.mail_from,
                to: self.settings.failure_recipients(),
                public_url: self.settings.public_url.as_deref(),
            };
            jobs::failures::tell(&self.store, &self.templates, &mailed, to, schedule.day.timezone)?;
        }
        self.runner.note_told(&troubles)?;
        for Trouble { job, window, what } in &troubles {
            // A failure was logged by its run.
            if let What::Late { deadline, why } = what {
                self.metrics.deadline_missed(job);
                tracing::error!(
                    job.name = job, job.window = %window, job.deadline = %deadline,
                    "`{job}` has not done {window} by its deadline: {why}"
                );
            }
        }
        Ok(())
    }

    /// What publishing the reports that are there would do.
    ///
    /// # Errors
    /// When a report cannot be read, or the site cannot be reached.
    pub fn plan_publication(&self) -> anyhow::Result<PublishStatus> {
        let Services { publisher, runtime, .. } = &*self.services;
        let training = self.services.training()?;
        let site = self.services.site().with_training(training.as_ref());
        let items = jobs::report::items(&self.settings.data_dir, site)?;
        runtime
            .block_on(publisher.plan(&items))
            .with_context(|| format!("cannot tell what would be published to `{}`", publisher.target()))
    }

    /// Publishes the reports that are there now, whatever that deletes.
    ///
    /// # Errors
    /// When it could not be done.
    pub fn publish_whatever_it_deletes(&self) -> anyhow::Result<JobStatus> {
        self.services.publish(&self.schedule(), None, true, &Cancel::default())
    }

    /// The editions of the site.
    ///
    /// # Errors
    /// When the site cannot be reached.
    pub fn editions(&self) -> anyhow::Result<Editions> {
        let Services { publisher, runtime, .. } = &*self.services;
        runtime
            .block_on(publisher.editions())
            .with_context(|| format!("cannot list the editions of `{}`", publisher.target()))
    }

    /// Makes the site what it was in an older edition.
    ///
    /// # Errors
    /// When it could not be done.
    pub fn roll_back(&self, edition: u64) -> anyhow::Result<PublishStatus> {
        let Services {
            publisher,
            runtime,
            store,
            publishing,
            ..
        } = &*self.services;
        let _turn = Cancel::default().lock(publishing)?;
        let target = publisher.target();
        let status = runtime
            .block_on(publisher.roll_back(edition, store.clock().now()))
            .with_context(|| format!("cannot put edition {edition} of `{target}` back"))?;
        jobs::publish::record(store, &target, &status, None)?;
        Ok(status)
    }

    /// The newest reported day, where something of what people read is gone, as after a restore: a report that was made,
    /// or the folder that the site is published to.
    ///
    /// # Errors
    /// When the ledger or the reports' folder cannot be read.
    pub fn newest_report_of_a_lost_site(&self) -> anyhow::Result<Option<NaiveDate>> {
        let (reported, periods) = reported(&self.schedule(), &self.store)?;
        let data_dir = &self.settings.data_dir;
        let is_site_gone = match self.settings.site() {
            Location::Directory(path) => !path.join(publish::MANIFEST).exists(),
            Location::S3 { .. } => false,
        };
        let is_gone = is_site_gone
            || !jobs::report::missing(data_dir, &reported)?.is_empty()
            || !jobs::period_report::missing(data_dir, &periods)?.is_empty();
        Ok(reported.last().copied().filter(|_| is_gone))
    }

    /// Writes the mails about heart-rate alerts.
    #[must_use]
    pub fn alert_mails(&self) -> Compose {
        let mails = AlertMails {
            store: self.store.clone(),
            public_url: self.settings.public_url.clone(),
            templates: Arc::clone(&self.templates),
            rule: self.schedule().heart_rate,
            timezone: self.schedule().day.timezone.name(),
            from: self.settings.mail_from.clone(),
            instead_to: self.settings.mail_override.clone(),
            is_simulated: self.settings.source() == SourceKind::Simulated,
            clock: self.clock,
        };
        Arc::new(move |alert| mails.compose(alert))
    }
}

/// What the report job of days goes by; none where there is no such job.
fn report_rule(schedule: &Schedule) -> Option<ReportRule> {
    schedule.jobs.iter().find_map(|job| match job.kind {
        Kind::Report { alert_banner } if job.every == Period::Day => Some(ReportRule {
            day: schedule.day,
            alert_banner,
        }),
        _ => None,
    })
}

/// The days, and the weeks and months, that were reported, whether or not the files are still there.
fn reported(schedule: &Schedule, store: &Store) -> anyhow::Result<(BTreeSet<NaiveDate>, BTreeSet<Window>)> {
    let is_report = |name: &str| {
        schedule
            .job(name)
            .is_some_and(|job| matches!(job.kind, Kind::Report { .. }))
    };
    let runs = store.last_runs()?;
    let made = runs
        .iter()
        .filter(|run| run.done_started_at.is_some() && is_report(&run.job));
    let (days, periods): (Vec<_>, Vec<_>) = made.map(|run| run.window).partition(|window| window.day().is_some());
    Ok((
        days.into_iter().filter_map(Window::day).collect(),
        periods.into_iter().collect(),
    ))
}

/// Where mails to simulated riders are addressed to. Nobody lives there: they go to the outbox folder.
const SIMULATED_RIDERS: &str = "riders@deloton.example";

/// What mails about heart-rate alerts are written with.
struct AlertMails {
    store: Store,
    public_url: Option<String>,
    templates: Arc<Templates>,
    rule: AlertRule,
    timezone: &'static str,
    from: String,
    instead_to: Option<String>,
    is_simulated: bool,
    clock: Clock,
}

impl AlertMails {
    /// The mail about an alert; none where the rider has no address that could be one.
    fn compose(&self, alert: &Alert) -> Option<Envelope> {
        let own = alert.warned.email_address.as_deref()?;
        let recipient = match &self.instead_to {
            Some(instead_to) => instead_to,
            None if self.is_simulated || is_reserved(own) => SIMULATED_RIDERS,
            None => own,
        };
        let values = HeartRateAlert::new(alert, &self.rule, self.timezone, &self.from);
        let addresses = Addresses {
            from: &self.from,
            to: &[],
            public_url: self.public_url.as_deref(),
        };
        // Better an alert that cannot be unsubscribed from than none.
        let unsubscribe_url = addresses
            .unsubscribe_url(&self.store, recipient)
            .unwrap_or_else(|error| {
                tracing::error!("the mail about a heart-rate alert has no link to unsubscribe: {error:#}");
                None
            });
        let to = To {
            address: recipient,
            unsubscribe_url: unsubscribe_url.as_deref(),
        };
        let rendered = render::heart_rate_alert(&self.templates, &values, to).or_else(|error| {
            tracing::error!("{error}; the mail about a heart-rate alert is written with the template compiled in");
            render::heart_rate_alert(&Templates::load(None)?, &values, to)
        });
        let sealed = rendered
            .map_err(anyhow::Error::from)
            .and_then(|message| Ok(mime::seal(&message, &self.from, self.clock.now())?));
        sealed
            .inspect_err(|error| {
                let (ride, rider) = (alert.ride_id, alert.rider_id);
                tracing::error!("rider {rider} is not mailed about a heart-rate alert of ride {ride}: {error:#}");
            })
            .ok()
    }
}

/// What jobs need besides their window.
struct Services {
    settings: Settings,
    store: Store,
    templates: Arc<Templates>,
    publisher: Publisher,
    /// Of those who send mails.
    turns: Turns,
    /// Held from looking what there is to publish until it is published, and while a report is rendered: of two that publish
    /// at once the later one must have the newer, and none must find a day's pages half of which are new.
    publishing: Mutex<()>,
    /// Held while extracts are written: of two at once neither would know what the other has written.
    extracting: Mutex<()>,
    /// Something was deleted or corrected that is in the extracts as it was.
    is_extract_due: AtomicBool,
    notifier: Notifier,
    /// For mail to addresses that cannot exist.
    folder: Notifier,
    exporter: Exporter,
    jobs_dir: Option<PathBuf>,
    runtime: Handle,
}

/// The schedule: the file that was named, else `cron.toml` here, else the one compiled in.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_schedule(settings: &Settings) -> anyhow::Result<Schedule> {
    read_schedule(settings).map(|(schedule, _)| schedule)
}

/// The schedule, with the file that it was read from and what is in it.
fn read_schedule(settings: &Settings) -> anyhow::Result<(Schedule, Option<(PathBuf, String)>)> {
    let Some(path) = settings.cron.as_deref().or_else(|| existing("cron.toml")) else {
        return Ok((Schedule::compiled_in()?, None));
    };
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read the schedule `{}`; name another with --cron, or leave --cron out to use the one compiled in",
            path.display()
        )
    })?;
    let schedule = Schedule::parse(&text, &path.display().to_string())?;
    Ok((schedule, Some((path.to_owned(), text))))
}

/// Whether word of rides that end is written down for others.
fn announces_rides(schedule: &Schedule) -> bool {
    let exports = |job: &JobConfig| job.kind == Kind::ExportRides && job.enabled;
    schedule.jobs.iter().any(exports)
}

/// The templates, with those of the folder in front.
///
/// # Errors
/// Everything that is wrong with one.
pub fn load_templates(settings: &Settings) -> anyhow::Result<Templates> {
    Templates::load(templates_dir(settings)).context("the templates cannot be used")
}

/// The folder of the templates, where there is one.
#[must_use]
pub fn templates_dir(settings: &Settings) -> Option<&Path> {
    settings.templates_dir.as_deref().or_else(|| existing("templates"))
}

/// What keeps a daily table of the schedule from being filled at all: it has no SQL.
#[must_use]
pub fn sql_problems(schedule: &Schedule, jobs_dir: Option<&Path>) -> Vec<String> {
    let tables = schedule
        .jobs
        .iter()
        .filter(|job| job.enabled)
        .filter_map(|job| match &job.kind {
            Kind::Transform { sql } => Some((job, sql)),
            _ => None,
        });
    let problem = |(job, sql): (&JobConfig, &String)| {
        let error = jobs::sql_files::load(jobs_dir, sql).err()?;
        Some(format!("`{}`: {error:#}", job.name))
    };
    tables.filter_map(problem).collect()
}

/// The folder of the daily tables' SQL, where there is one.
#[must_use]
pub fn jobs_dir(settings: &Settings) -> Option<PathBuf> {
    settings
        .jobs_dir
        .as_deref()
        .or_else(|| existing("jobs"))
        .map(Path::to_owned)
}

fn existing(name: &str) -> Option<&Path> {
    Some(Path::new(name)).filter(|path| path.exists())
}

async fn notifier(settings: &Settings) -> Notifier {
    match settings.mail {
        MailKind::Outbox => outbox_folder(settings),
        MailKind::Ses => Notifier::ses(settings.aws_endpoint_url.as_deref(), settings.mail_override.clone()).await,
    }
}

fn outbox_folder(settings: &Settings) -> Notifier {
    Notifier::outbox(settings.data_dir.join("outbox"))
}

async fn exporter(settings: &Settings) -> Exporter {
    let endpoint_url = settings.aws_endpoint_url.as_deref();
    let topic = match &settings.sns_topic_arn {
        Some(arn) => Some(Topic::new(&aws::load(endpoint_url).await, arn)),
        None => None,
    };
    Exporter {
        files: Files::open(&settings.exports(), endpoint_url).await,
        topic,
        webhook: settings
            .webhook_url
            .as_deref()
            .zip(settings.webhook_secret())
            .map(|(url, secret)| Webhook::new(url, &secret)),
    }
}

impl Services {
    /// What runs for each job of `schedule`.
    fn jobs_of(self: &Arc<Self>, schedule: &Schedule) -> BTreeMap<String, Arc<dyn Job>> {
        let schedule = Arc::new(schedule.clone());
        let make = |job: &JobConfig| {
            let (kind, services, schedule) = (job.kind.clone(), Arc::clone(self), Arc::clone(&schedule));
            let run = move |run: &Run| services.run(&kind, &schedule, run);
            (job.name.clone(), Arc::new(run) as Arc<dyn Job>)
        };
        schedule.jobs.iter().map(make).collect()
    }

    fn run(&self, kind: &Kind, schedule: &Schedule, run: &Run) -> anyhow::Result<JobStatus> {
        // What became of a mail must be written down, whoever wants the run no longer: senders look between two.
        let store = &self.store.cancelled_by(&run.cancel);
        match kind {
            Kind::Compact => jobs::compact::run(store, run.day()?),
            Kind::Transform { sql } => {
                // A backfill is what the refusal of a changed type tells a person to run.
                let changed_types = if run.reason == Reason::Backfill {
                    ChangedTypes::Convert
                } else {
                    ChangedTypes::Refuse
                };
                jobs::transform::run(store, self.jobs_dir.as_deref(), sql, run.day()?, changed_types)
            }
            Kind::Report { .. } if matches!(run.window, Window::Week(_) | Window::Month(_)) => {
                let _turn = run.cancel.lock(&self.publishing)?;
                jobs::period_report::run(store, &self.templates, run.window)
            }
            Kind::Report { alert_banner } => {
                let rule = ReportRule {
                    day: schedule.day,
                    alert_banner: *alert_banner,
                };
                let _turn = run.cancel.lock(&self.publishing)?;
                jobs::report::run(store, &rule, self.site(), run.day()?)
            }
            Kind::Publish => self.publish(schedule, Some(run.run_id), false, &run.cancel),
            Kind::Notify { restate_percent } => self.mail(run, *restate_percent),
            Kind::Send => {
                // A schedule without a job for them must not keep alerts back.
                let alerts = schedule.alerts_job().is_none().then(|| self.send_alerts(&run.cancel));
                let sender = Sender {
                    by: &|_| &self.notifier,
                    runtime: &self.runtime,
                    cancel: &run.cancel,
                    turns: &self.turns,
                };
                let others = jobs::send::send(&self.store, Which::Other, sender);
                alerts.transpose()?;
                others
            }
            Kind::SendAlerts => self.send_alerts(&run.cancel),
            Kind::ExportRides => {
                let (rule, runtime) = (&schedule.heart_rate, &self.runtime);
                jobs::export_rides::run(&self.store, &self.exporter, rule, runtime, &run.cancel, &self.turns)
            }
            Kind::Extract { .. } => {
                let changed = Extract {
                    which: jobs::extract::Which::Changed,
                    to: None,
                    include_personal: false,
                };
                self.extract(schedule, &changed, &run.cancel, &mut |_, _, _| Ok(()))
            }
            Kind::Peloton { accounts, api_url } => {
                let api = jobs::peloton::Api {
                    url: api_url,
                    pace: Pace::default(),
                    runtime: &self.runtime,
                    cancel: &run.cancel,
                };
                let status = jobs::peloton::run(store, &self.exporter, accounts, schedule.day.timezone, api);
                // Of an account that was read, workouts may have changed although another one was not.
                let may_have_changed = status.as_ref().map_or(true, |status| !status.nothing_to_do);
                if may_have_changed && let Err(error) = self.extract_again(schedule, &run.cancel) {
                    tracing::warn!("the extracts have the workouts as they were: {error:#}; the next extract goes on");
                    self.is_extract_due.store(true, Ordering::Relaxed);
                }
                status
            }
            Kind::Prune {
                keep_days,
                keep_log_days,
            } => {
                let now = store.clock().now();
                let last_day = run.window.span().map(|(_, last)| last);
                let last = last_day.unwrap_or_else(|| schedule.day.last_finished(now));
                jobs::prune::run(store, last, *keep_days, *keep_log_days)
            }
            Kind::Backup { keep } => jobs::backup::run(store, *keep),
        }
    }

    fn send_alerts(&self, cancel: &Cancel) -> anyhow::Result<JobStatus> {
        jobs::send_alerts::run(
            &self.store,
            &self.notifier,
            &self.folder,
            &self.runtime,
            cancel,
            &self.turns,
        )
    }

    /// Where there may be something outside the database of what is erased.
    fn places(&self) -> Places<'_> {
        Places {
            exporter: &self.exporter,
            outbox: &self.folder,
            publisher: &self.publisher,
            runtime: &self.runtime,
        }
    }

    fn site(&self) -> Site<'_> {
        Site::new(&self.templates, self.settings.site_url.as_deref())
    }

    /// The workouts of those who want them on the site; none where nobody does.
    fn training(&self) -> anyhow::Result<Option<Training>> {
        let names = self.settings.training_riders.iter().map(|name| name_key(name));
        let wanted: BTreeSet<String> = names.filter(|name| !name.is_empty()).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let mut shown = self.store.workout_riders()?;
        shown.retain(|name| wanted.contains(&name_key(name)));
        if shown.len() < wanted.len() {
            tracing::warn!(
                "{} of the names in DELOTON_TRAINING_RIDERS (separated by `;`) or --training-rider have no workout here: are \
                 they spelt as in `deloton import peloton --rider` and cron.toml?",
                wanted.len() - shown.len()
            );
        }
        let filter = WorkoutFilter {
            rider_names: Some(shown),
            ..WorkoutFilter::default()
        };
        let workouts = query::workouts(&self.store, &filter, None)?;
        let workouts = workouts.into_iter().map(|stored| stored.workout);
        Ok(Some(Training::of(workouts.collect())))
    }

    /// Publishes every report that was made; those that are gone, as after a restore, are made again first.
    fn publish(
        &self,
        schedule: &Schedule,
        run_id: Option<Uuid>,
        allow_deletes: bool,
        cancel: &Cancel,
    ) -> anyhow::Result<JobStatus> {
        let store = &self.store.cancelled_by(cancel);
        let _turn = cancel.lock(&self.publishing)?;
        let (reported, periods) = reported(schedule, store)?;
        jobs::period_report::put_back(store, &self.templates, &periods)?;
        let missing = jobs::report::missing(store.data_dir(), &reported)?;
        if let Some(rule) = report_rule(schedule) {
            jobs::report::put_back(store, &rule, self.site(), &missing)?;
        }
        let training = self.training()?;
        let site = self.site().with_training(training.as_ref());
        let items = jobs::report::items(store.data_dir(), site)?;
        let gate = Gate {
            store,
            site,
            items: &items,
            cancel,
        };
        let edition = NewEdition {
            at: store.clock().now(),
            allow_deletes,
            gate: &|changed| gate.check(changed),
        };
        jobs::publish::publish(store, &self.publisher, &items, &edition, run_id, &self.runtime, cancel)
    }

    /// Mails the report that was rendered, to each recipient; to those who have it, that it was restated.
    fn mail(&self, run: &Run, restate_percent: Option<u32>) -> anyhow::Result<JobStatus> {
        let Window::Day(day) = run.window else {
            anyhow::bail!("the daily mail is about a day")
        };
        let folder = jobs::report::folder(self.store.data_dir());
        let report = jobs::report::read_report(&folder, day)?
            .with_context(|| format!("there is no report of {day}; make it with `deloton run report --day {day}`"))?;
        let pdf = folder.join(day.to_string()).join("report.pdf");
        let pdf = std::fs::read(&pdf).with_context(|| format!("cannot read `{}`", pdf.display()))?;
        let chart_png = chart::of_mail(&report)?;
        let site_url = self.settings.site_url.as_ref().or(self.settings.served_at.as_ref());
        let site_url = site_url.map(|url| url.trim_end_matches('/'));
        let page_url = site_url.map(|url| format!("{url}/daily/{day}/index.html"));
        let index_url = site_url.map(|url| format!("{url}/index.html"));
        let mail = DailyMail {
            report: &report,
            pdf: &pdf,
            chart_png: &chart_png,
            page_url: page_url.as_deref(),
            index_url: index_url.as_deref(),
        };
        let to = Addresses {
            from: &self.settings.mail_from,
            to: &self.settings.mail_to,
            public_url: self.settings.public_url.as_deref(),
        };
        if let Some(percent) = restate_percent {
            jobs::notify::queue_restatement(&self.store, &self.templates, &mail, percent, to)?;
        }
        let readers = match run.reason {
            Reason::Manual | Reason::Backfill => For::Everybody,
            _ => For::FirstReaders,
        };
        let sender = Sender {
            by: &|_| &self.notifier,
            runtime: &self.runtime,
            cancel: &run.cancel,
            turns: &self.turns,
        };
        jobs::notify::notify(&self.store, sender, &self.templates, &mail, to, readers)
    }
}
