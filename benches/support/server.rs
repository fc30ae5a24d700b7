//! The server of a store, without a schedule and without keys.

use std::{sync::Arc, time::Duration};

use deloton::{
    api::{self, ApiContext},
    clock::Clock,
    domain::{
        batch::Replayed,
        day::DayRule,
        heart_rate::AlertRule,
        live::LiveBoard,
        run::{AskedRun, JobOverview, JobsHandle, LogLine, NotStarted, OpenWindow},
        window::Window,
    },
    store::Store,
    template::Templates,
};
use tokio::{net::TcpListener, runtime::Runtime, sync::Semaphore};
use uuid::Uuid;

/// Serves on a port that is free, for as long as the runtime lasts; answers the address.
pub(crate) fn serve(runtime: &Runtime, store: &Store, live: &Arc<LiveBoard>) -> String {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let routes = api::routes(context(store, live)).unwrap();
    runtime.spawn(api::serve(listener, routes, None, std::future::pending()));
    address
}

fn context(store: &Store, live: &Arc<LiveBoard>) -> ApiContext {
    ApiContext {
        store: store.clone(),
        clock: Clock::System,
        day_rule: DayRule::default(),
        alert_rule: AlertRule::default(),
        live: Arc::clone(live),
        jobs: Arc::new(NoJobs),
        templates: Arc::new(Templates::load(None).unwrap()),
        site_directory: None,
        site_url: None,
        public_url: None,
        replay: Arc::new(|_| Ok(Replayed::default())),
        erase: Arc::new(|_, _| Ok(None)),
        delete_workout: Arc::new(|_| Ok(false)),
        metrics: Arc::new(String::new),
        troubles: Arc::new(Vec::new),
        rules: Arc::new(api::Rules {
            listens_on_loopback: true,
            is_secure: false,
            cors_origins: Arc::new([]),
            requests_per_minute: u32::MAX,
            query_time: Duration::from_secs(10),
        }),
        questions: Arc::new(Semaphore::new(api::QUESTIONS)),
    }
}

struct NoJobs;

impl JobsHandle for NoJobs {
    fn overview(&self) -> Vec<JobOverview> {
        Vec::new()
    }

    fn open_windows(&self) -> Vec<OpenWindow> {
        Vec::new()
    }

    fn start(&self, job: &str, _: Option<Window>, _: bool) -> Result<AskedRun, NotStarted> {
        Err(NotStarted::NoSuchJob(job.to_owned()))
    }

    fn asked(&self, _: Uuid) -> Option<AskedRun> {
        None
    }

    fn log_so_far(&self, _: Uuid) -> Option<Vec<LogLine>> {
        None
    }
}
