//! `deloton serve`: everything in one process.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use chrono::NaiveDate;
use clap::Args;
use futures_util::FutureExt;
use poem::{Endpoint, EndpointExt, Response, Route, listener::Acceptor};
use tokio::{net::TcpListener, runtime::Runtime, signal, sync::Semaphore, task::JoinHandle as TaskHandle};
use uuid::Uuid;

use super::{demo, remote};
use crate::{
    api::{self, ApiContext, Rules, Tls, problem::Problems},
    app::{App, jobs_dir, load_schedule, sql_problems},
    config::{
        schedule::{Kind, UnknownJob},
        settings::{Location, MailKind, Settings, SourceKind},
    },
    domain::{
        run::{AskedRun, JobOverview, JobsHandle, LogLine, NotStarted, OpenWindow},
        window::{Period, Window},
    },
    ingest::{
        consume::{Consumer, Listener, Standing},
        source::KafkaConfig,
        writer::Written,
    },
    scheduler::{
        Runner, Ticker,
        plan::{Reason, Stream},
        runner::{Asked, Awaited, NotBegun},
    },
    store::Store,
};

/// How often gauges are taken from the store.
const MEASURE_INTERVAL: Duration = Duration::from_secs(15);

/// How long what runs may go on after a signal before it is cancelled.
const GRACE: Duration = Duration::from_secs(2);

/// Everything in one process: consumer, scheduler, API, live dashboard.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Simulated bikes, serials SN0001 and up.
    #[arg(long, default_value_t = 24, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub bikes: u32,

    /// Most simulated rides on one day of the filled-in past.
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000))]
    pub rides_per_day: u32,

    /// Decides everything about the simulated bikes and riders.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
}

/// How nice threads are that stand back: a third of the weight of the others.
#[cfg(target_os = "linux")]
const STAND_BACK: i32 = 5;

/// The runtime that requests, ticks and deliveries are served by. Where processors are scarce its threads, and what they begin,
/// stand back behind the thread that takes lines in.
///
/// # Errors
/// When the system has no threads left.
pub fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(|| {
            // Elsewhere this would be said of the whole process.
            #[cfg(target_os = "linux")]
            rustix::process::nice(STAND_BACK).ok();
        })
        .build()
        .context("cannot start the runtime")
}

/// Raises `stop` at Ctrl-C and SIGTERM.
///
/// # Errors
/// When no thread can be started.
pub fn on_signal(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let wait = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async { Interruption::listen().heard().await });
        stop.store(true, Ordering::Relaxed);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
}

/// Ctrl-C and SIGTERM, listened for from the moment this is made.
pub(super) struct Interruption(Option<[signal::unix::Signal; 2]>);

impl Interruption {
    /// To be made within a runtime.
    pub(super) fn listen() -> Self {
        let listen = |kind| signal::unix::signal(kind);
        let both = listen(signal::unix::SignalKind::interrupt())
            .and_then(|interrupt| Ok([interrupt, listen(signal::unix::SignalKind::terminate())?]));
        Interruption(
            both.inspect_err(|error| {
                tracing::error!(%error, "cannot listen for signals; stop the program with SIGKILL, it will recover");
            })
            .ok(),
        )
    }

    /// Waits for either.
    pub(super) async fn heard(self) {
        let Some([mut interrupt, mut terminate]) = self.0 else {
            return futures_util::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Serves until interrupted.
///
/// # Errors
/// Whatever keeps it from starting; while it runs, a store that cannot be written any more.
pub fn serve(args: &ServeArgs, mut settings: Settings) -> anyhow::Result<()> {
    check(&settings)?;
    if settings.source() == SourceKind::Simulated && settings.mail == MailKind::Outbox && settings.mail_to.is_empty() {
        settings.mail_to.push("ceo@deloton.example".to_owned());
    }
    let runtime = runtime()?;
    if let Some(server) = remote::Server::find(&settings.data_dir)? {
        bail!(
            "a server of `{}` is running already, at http://{} (process {})",
            settings.data_dir.display(),
            server.address,
            server.pid
        );
    }
    if !api::is_loopback(settings.listen()) {
        let store = Store::open(&settings.data_dir, settings.clock())?;
        api::check_bind(settings.listen(), store.api_keys().are_needed())?;
    }
    let tls = match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => Some(Arc::new(Tls::open(certificate.clone(), key.clone())?)),
        _ => None,
    };
    let listener = runtime
        .block_on(TcpListener::bind(settings.listen()))
        .with_context(|| {
            format!(
                "cannot listen on {}; is another program listening there? choose another with --listen",
                settings.listen()
            )
        })?;
    let door = Door {
        address: listener.local_addr().unwrap_or(settings.listen()),
        listener,
        tls,
    };
    if matches!(settings.site(), Location::Directory(_)) {
        settings.served_at = Some(format!("{}/reports", door.url()));
    }
    let app = App::open(settings, runtime.handle())?;
    let result = runtime.block_on(run(args, &app, door));
    // What still blocks must not keep the process: the store recovers from any instant.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Where the server is reached.
struct Door {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
}

impl Door {
    fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Whether commands of this machine can come in here as well.
    fn is_for_commands(&self) -> bool {
        self.tls.is_none() && api::is_loopback(self.address)
    }

    /// Serves `endpoint` until `stop`.
    fn open(
        self,
        endpoint: impl Endpoint<Output = Response> + 'static,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> TaskHandle<()> {
        tokio::spawn(api::serve(self.listener, endpoint, self.tls, stop))
    }
}

/// Finds everything that is wrong with the settings before anything begins.
fn check(settings: &Settings) -> anyhow::Result<()> {
    let mut wrong = settings.mail_problems();
    wrong.extend(settings.folder_problems());
    wrong.extend(settings.export_problems());
    // What is wrong with the schedule itself is told when it is read.
    if let Ok(schedule) = load_schedule(settings) {
        wrong.extend(schedule.ping_problems());
        wrong.extend(sql_problems(&schedule, jobs_dir(settings).as_deref()));
    }
    if settings.source() == SourceKind::Kafka {
        let kafka = KafkaConfig::from_settings(settings).and_then(|kafka| kafka.check());
        wrong.extend(kafka.err().map(|error| format!("{error:#}")));
    }
    refuse(&wrong)
}

/// All that is wrong, as one error; none where nothing is.
pub(super) fn refuse(wrong: &[String]) -> anyhow::Result<()> {
    match wrong {
        [] => Ok(()),
        [one] => bail!("{one}"),
        many => bail!("{} settings are wrong:\n  {}", many.len(), many.join("\n  ")),
    }
}

pub(super) fn local_address(acceptor: &impl Acceptor) -> Option<SocketAddr> {
    acceptor
        .local_addr()
        .iter()
        .find_map(|address| address.as_socket_addr().copied())
}

async fn run(args: &ServeArgs, app: &App, door: Door) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    // Before anybody can know of this server: whoever stops it then stops it cleanly.
    let interruption = Interruption::listen();
    let url = door.url();
    let commands = if door.is_for_commands() {
        None
    } else {
        // Never where other machines reach: who has the word in `serve.json` can do everything.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        Some(listener.context("cannot listen on loopback for commands")?)
    };
    let server = remote::Server {
        address: match &commands {
            Some(listener) => listener.local_addr()?,
            None => door.address,
        },
        pid: std::process::id(),
        token: token()?,
    };
    let context = api_context(app, &door);
    let of_commands = Route::new().at(remote::PATH, remote::endpoint(app.clone(), server.token.clone()));
    let pages = api::routes(context)?.map_to_response();
    server.announce(&app.settings.data_dir)?;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let ended = ended.map(|_| ()).shared();
    let serving = match commands {
        None => vec![door.open(
            of_commands.nest_no_strip("/", pages).with(Problems).map_to_response(),
            ended,
        )],
        Some(listener) => {
            let commands = api::serve(listener, of_commands.map_to_response(), None, ended.clone());
            vec![door.open(pages, ended), tokio::spawn(commands)]
        }
    };
    // Whoever read our output may have gone away; that is no reason to end.
    writeln!(
        std::io::stdout(),
        "deloton is at {url}/   (data in {}; stop with Ctrl-C)",
        app.settings.data_dir.display()
    )
    .ok();

    let measuring = tokio::spawn(measure(app.clone()));
    let work = start_work(args.clone(), app.clone(), Arc::clone(&stop));
    let mut work = tokio::task::spawn_blocking(move || work.join());
    let watching = app.clone();
    let ticker = Ticker::start(app.runner.clone(), move || {
        watching.reload_schedule();
        watching.tell_troubles()
    });
    let ticker = ticker.await?;
    let (erasing, stopped) = (app.clone(), Arc::clone(&stop));
    let erasing = thread::spawn(move || erasing.keep_ending_erasures(&stopped));
    let extracting = app.clone();
    let extracting = thread::spawn(move || extracting.keep_extracting_again());
    let putting_back = app.clone();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = put_site_back(&putting_back) {
            tracing::error!("the site is gone and could not be put back: {error:#}");
        }
    });
    let finished = tokio::select! {
        () = interruption.heard() => None,
        result = &mut work => Some(result),
    };
    tracing::info!("stopping");
    stop.store(true, Ordering::Relaxed);
    app.stop_extracting();
    // The answer does not matter: the other side may be gone already.
    end.send(()).ok();
    let left = ticker.stop(GRACE).await?;
    if left > 0 {
        tracing::warn!(
            runs = left,
            "runs did not end in time; they are due again at the next start"
        );
    }
    let result = match finished {
        Some(result) => result,
        None => work.await,
    };
    tokio::task::spawn_blocking(move || erasing.join()).await?.ok();
    tokio::task::spawn_blocking(move || extracting.join()).await?.ok();
    let finishing = app.clone();
    tokio::task::spawn_blocking(move || finishing.finish_pings()).await?;
    std::fs::remove_file(remote::Server::file(&app.settings.data_dir)).ok();
    for serving in serving {
        serving.abort();
    }
    measuring.abort();
    match result {
        Ok(Ok(result)) => result,
        _ => bail!("the consuming thread panicked; see the log"),
    }
}

/// Publishes again what the ledger says was published, where it is not there any more: a backup has no site, and people
/// may delete what can be made again.
fn put_site_back(app: &App) -> anyhow::Result<()> {
    let Some(newest) = app.newest_report_of_a_lost_site()? else {
        return Ok(());
    };
    tracing::info!("reports or their site are gone, as after a restore; publishing them again");
    let schedule = app.schedule();
    for job in schedule
        .jobs
        .iter()
        .filter(|job| job.enabled && job.every == Period::Day && matches!(job.kind, Kind::Publish))
    {
        run_job(app, &job.name, newest)?;
    }
    Ok(())
}

/// Keeps the gauges that come from the store up to date.
async fn measure(app: App) {
    loop {
        let (store, metrics) = (app.store.clone(), app.metrics.clone());
        let measured = tokio::task::spawn_blocking(move || {
            let status = store.status()?;
            metrics.set_buffer_readings(status.buffer_readings);
            metrics.set_disk_free(status.disk_free_bytes);
            metrics.set_outbox(
                status
                    .outbox
                    .iter()
                    .map(|count| (count.state.name(), count.mails + count.exports)),
            );
            Ok::<_, crate::store::StoreError>(())
        });
        if let Ok(Err(error)) = measured.await {
            tracing::warn!(
                error = format!("{:#}", anyhow::Error::from(error)),
                "cannot measure the store"
            );
        }
        tokio::time::sleep(MEASURE_INTERVAL).await;
    }
}

/// A word that only the owner of the data folder can know.
fn token() -> anyhow::Result<String> {
    let mut bits = [0_u8; 16];
    getrandom::fill(&mut bits).map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn api_context(app: &App, door: &Door) -> ApiContext {
    let settings = &app.settings;
    let has_public_tls = settings
        .public_url
        .as_ref()
        .is_some_and(|url| url.starts_with("https://"));
    let rules = Rules {
        listens_on_loopback: api::is_loopback(door.address),
        is_secure: door.tls.is_some() || has_public_tls,
        cors_origins: settings.cors_origins.clone().into(),
        requests_per_minute: settings.requests_per_minute,
        query_time: settings.query_time.to_std().unwrap_or_default(),
    };
    let metrics = app.metrics.clone();
    let live = Arc::clone(&app.live);
    let (replaying, erasing, deleting) = (app.clone(), app.clone(), app.clone());
    let site_directory = match app.settings.site() {
        Location::Directory(path) => Some(path),
        Location::S3 { .. } => None,
    };
    ApiContext {
        store: app.store.clone(),
        clock: app.clock,
        day_rule: app.schedule().day,
        alert_rule: app.schedule().heart_rate,
        live: Arc::clone(&app.live),
        jobs: Arc::new(Jobs(app.runner.clone())),
        templates: Arc::clone(&app.templates),
        site_url: if site_directory.is_some() {
            None
        } else {
            app.settings.site_url.clone()
        },
        site_directory,
        public_url: app.settings.public_url.clone(),
        replay: Arc::new(move |topic| replaying.replay_rejected(topic)),
        erase: Arc::new(move |subject, asked_by| erasing.erase_soon(subject, asked_by)),
        delete_workout: Arc::new(move |workout_id| {
            let was_there = deleting.delete_workout(workout_id);
            deleting.extract_again_soon();
            was_there
        }),
        metrics: Arc::new(move || metrics.render()),
        troubles: Arc::new(move || live.stream().trouble.into_iter().collect()),
        rules: Arc::new(rules),
        questions: Arc::new(Semaphore::new(api::QUESTIONS)),
    }
}

struct Jobs(Runner);

impl JobsHandle for Jobs {
    fn overview(&self) -> Vec<JobOverview> {
        self.0.overview()
    }

    fn open_windows(&self) -> Vec<OpenWindow> {
        self.0.open_windows()
    }

    fn start(&self, job: &str, window: Option<Window>, with_mail: bool) -> Result<AskedRun, NotStarted> {
        let asked = Asked {
            reason: Reason::Manual,
            mail: with_mail,
        };
        let started = self.0.start(job, window, asked).map_err(|error| {
            let why = format!("{error:#}");
            if error.is::<UnknownJob>() {
                NotStarted::NoSuchJob(why)
            } else {
                NotStarted::Unsuited(why)
            }
        });
        started.map(asked_run)
    }

    fn asked(&self, run_id: Uuid) -> Option<AskedRun> {
        self.0.awaited(run_id).map(asked_run)
    }

    fn log_so_far(&self, run_id: Uuid) -> Option<Vec<LogLine>> {
        self.0.log_so_far(run_id)
    }
}

fn asked_run(awaited: Awaited) -> AskedRun {
    let (same_as, refused) = match awaited.ended {
        None => (None, None),
        Some(NotBegun::SameAs(run_id)) => (Some(run_id), None),
        Some(NotBegun::Refused(why)) => (None, Some(why)),
    };
    AskedRun {
        run_id: awaited.run_id,
        job: awaited.job,
        window: awaited.window,
        asked_at: awaited.asked_at,
        same_as,
        refused,
    }
}

/// Keeps the scheduler, the metrics and the pages informed of how the consumer stands.
pub(super) struct Watch {
    app: App,
    refreshed_at: Option<Instant>,
    /// Says that there are mails about heart-rate alerts to send.
    alerts: SyncSender<()>,
}

impl Watch {
    /// `every`: how often mails that could not be sent are tried again, where no scheduler does that.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn new(app: &App, every: Option<Duration>) -> anyhow::Result<Self> {
        Ok(Watch {
            app: app.clone(),
            refreshed_at: None,
            alerts: send_alerts_when_told(app, every)?,
        })
    }
}

impl Listener for Watch {
    fn written(&mut self, written: &Written) {
        let messages = u64::try_from(written.messages).unwrap_or(0);
        self.app
            .metrics
            .flushed(messages, written.readings as u64, written.rejected as u64, written.took);
        if written.alerts > 0 {
            // Full: it was told already, and has not looked yet.
            self.alerts.try_send(()).ok();
        }
        if written.has_checkpoint {
            self.app.metrics.checkpointed(written.took);
        }
    }

    fn stands(&mut self, standing: &Standing) {
        if self
            .refreshed_at
            .is_some_and(|at| at.elapsed() < Duration::from_secs(1))
        {
            return;
        }
        self.refreshed_at = Some(Instant::now());
        *self.app.stream.lock().unwrap_or_else(PoisonError::into_inner) = Stream {
            caught_up: standing.caught_up,
            watermark: standing.watermark,
        };
        let metrics = &self.app.metrics;
        metrics.set_lag(standing.lag_messages.and_then(|lag| u64::try_from(lag).ok()));
        metrics.set_open_rides(standing.open_rides as u64);
        metrics.set_freshness(standing.newest.map(|at| (self.app.clock.now() - at).as_seconds_f64()));
    }
}

/// A thread that runs the job which sends alerts' mails, where the schedule has one, as soon as it is told that there are
/// some. It ends with whoever tells it.
fn send_alerts_when_told(app: &App, every: Option<Duration>) -> anyhow::Result<SyncSender<()>> {
    let (told, listens) = sync_channel(1);
    let (runner, clock) = (app.runner.clone(), app.clock);
    let asked = Asked {
        reason: Reason::Schedule,
        mail: true,
    };
    let work = move || {
        loop {
            let heard = match every {
                Some(every) => listens.recv_timeout(every),
                None => listens.recv().map_err(RecvTimeoutError::from),
            };
            if heard == Err(RecvTimeoutError::Disconnected) {
                break;
            }
            // Asked each time: cron.toml may have been edited.
            let Some(job) = runner.schedule().alerts_job().map(|job| job.name.clone()) else {
                continue;
            };
            if let Err(error) = runner.run_asked(&job, Window::Instant(clock.now()), asked) {
                tracing::warn!("the mails about heart-rate alerts wait for the next run of `{job}`: {error:#}");
            }
        }
    };
    thread::Builder::new()
        .name("alerts".to_owned())
        .spawn(work)
        .context("cannot start the thread that sends alerts")?;
    Ok(told)
}

/// The thread that brings lines in: the past first, where bikes are simulated, then the stream.
fn start_work(args: ServeArgs, app: App, stop: Arc<AtomicBool>) -> JoinHandle<anyhow::Result<()>> {
    // Until the first word from the consumer nothing is known to be complete: no day is sealed while it is filled in.
    if app.settings.source() != SourceKind::None {
        *app.stream.lock().unwrap_or_else(PoisonError::into_inner) = Stream {
            caught_up: false,
            watermark: None,
        };
    }
    thread::spawn(move || match app.settings.source() {
        SourceKind::None => {
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        }
        SourceKind::Kafka => {
            let kafka = KafkaConfig {
                node: app.store.node_id()?,
                ..KafkaConfig::from_settings(&app.settings)?
            };
            consume(&app, kafka, stop)
        }
        SourceKind::Simulated => demo::simulate(&args, &app, stop),
    })
}

pub(super) fn consume(app: &App, kafka: KafkaConfig, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let consumer = Consumer {
        store: app.store.clone(),
        rules: app.rules(),
        log_timezone: app.settings.log_timezone,
        kafka,
        live: Arc::clone(&app.live),
        compose: Some(app.alert_mails()),
        stop,
    };
    consumer.run(&mut Watch::new(app, None)?)
}

/// Runs a job for a day, where the schedule has it.
pub(super) fn run_job(app: &App, job: &str, day: NaiveDate) -> anyhow::Result<()> {
    if app.schedule().job(job).is_none() {
        return Ok(());
    }
    let ended = app.runner.run_now(job, Window::Day(day))?;
    if let Some(failed) = ended.iter().find(|run| run.error.is_some()) {
        let reason = failed.error.as_deref().unwrap_or_default();
        bail!("`{}` failed for {}: {reason}", failed.job, failed.window);
    }
    Ok(())
}
