//! What people reach over HTTP: the documented API, the live dashboard, the report site, health and metrics. Reads the
//! store; never renders a report or publishes one.

mod access;
mod alerts;
mod aliases;
mod assets;
mod contract;
mod cors;
mod days;
mod document;
mod encoding;
mod erasures;
mod guard;
mod health;
mod live;
mod naming;
mod operations;
mod page;
mod pages;
pub mod problem;
mod rate;
mod recent;
mod rejected;
mod reports;
mod riders;
mod rides;
mod riding;
pub mod schema;
mod server;
mod session;
mod shape;
#[cfg(test)]
mod tests;
mod tls;
mod wall;
mod workouts;

use std::{collections::HashMap, marker::PhantomData, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use poem::{
    Endpoint, EndpointExt, IntoEndpoint, Response, Route,
    endpoint::{BoxEndpoint, make_sync},
    get,
    http::Method,
    post,
};
use poem_openapi::{
    OpenApi, OpenApiService, Tags,
    registry::{MetaApi, Registry},
};

use access::{Access, Gate};
use contract::Contract;
use cors::Cors;
pub use document::openapi_document;
use encoding::Encoding;
use guard::{Bodies, Etags, Hosts, RequestIds};
pub use guard::{check_bind, check_loopback_host, is_loopback};
use pages::ErrorPages;
pub use pages::check as check_pages;
use problem::{Problems, Refusal};
pub use server::serve;
use session::Sessions;
use shape::Shapes;
pub use tls::Tls;
use tokio::{sync::Semaphore, time::timeout};
use uuid::Uuid;

use crate::{
    clock::Clock,
    domain::{
        batch::Replayed,
        cancel::{Cancel, Why},
        day::DayRule,
        erasure::{Erasure, Subject},
        heart_rate::AlertRule,
        live::LiveBoard,
        run::JobsHandle,
    },
    store::{self, Store},
    template::Templates,
};

/// Everything the API needs, handed in by the composition root.
#[derive(Clone)]
pub struct ApiContext {
    /// Where rides are.
    pub store: Store,
    /// What time it is.
    pub clock: Clock,
    /// Which day it is.
    pub day_rule: DayRule,
    /// When a heart rate is worth an alert.
    pub alert_rule: AlertRule,
    /// What is being ridden.
    pub live: Arc<LiveBoard>,
    /// The schedule.
    pub jobs: Arc<dyn JobsHandle>,
    /// The pages' templates.
    pub templates: Arc<Templates>,
    /// The published site, where it is a folder of this machine.
    pub site_directory: Option<PathBuf>,
    /// The address of the published site, where people open it elsewhere.
    pub site_url: Option<String>,
    /// The address at which people reach this server.
    pub public_url: Option<String>,
    /// Reads rejected lines once more, of one topic or file or all.
    pub replay: Arc<Replay>,
    /// Erases a ride or a rider by somebody's wish.
    pub erase: Arc<Erase>,
    /// Deletes a workout, from its daily file too.
    pub delete_workout: Arc<DeleteWorkout>,
    /// The metrics, in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// What is not ready, in words a person can act on; empty when all is well.
    pub troubles: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// From where and how much may be asked.
    pub rules: Arc<Rules>,
    /// Room for questions to the store, which consumers need as well.
    pub questions: Arc<Semaphore>,
}

/// From where and how much may be asked.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Only this machine reaches the server: then nobody needs a key as long as there is none.
    pub listens_on_loopback: bool,
    /// Browsers reach it by TLS, its own or a proxy's.
    pub is_secure: bool,
    /// Origins of other sites' pages that may call from their visitors' browsers.
    pub cors_origins: Arc<[String]>,
    /// What one key may ask.
    pub requests_per_minute: u32,
    /// How long a question to the store may take.
    pub query_time: Duration,
}

/// Questions to the store at once. Each has DuckDB's threads by turns with the others and with ingestion.
pub const QUESTIONS: usize = 4;

/// How long a question waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// Reads the rejected lines of one topic or file, or all, once more.
pub type Replay = dyn Fn(Option<&str>) -> store::Result<Replayed> + Send + Sync;

/// Erases what is named first by the wish of who is named second. None where there is nothing of it.
pub type Erase = dyn Fn(Subject, &str) -> Result<Option<Erasure>> + Send + Sync;

/// Deletes a workout. False where there is none.
pub type DeleteWorkout = dyn Fn(Uuid) -> Result<bool> + Send + Sync;

impl ApiContext {
    /// Runs a call of the store off the threads that serve requests: some at a time, each for as long as it may take. One
    /// whose caller goes away is ended.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> store::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let Ok(Ok(turn)) = timeout(TURN_WITHIN, Arc::clone(&self.questions).acquire_owned()).await else {
            return Err(Refusal::too_busy());
        };
        let cancel = Cancel::default();
        let store = self.store.cancelled_by(&cancel);
        let mut answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            read(&store)
        });
        let _asked = Asked {
            cancel,
            answer: answer.abort_handle(),
        };
        match timeout(self.rules.query_time, &mut answer).await {
            Err(_) => Err(Refusal::too_long(self.rules.query_time)),
            Ok(answer) => answer
                .context("a call of the store did not come to its end")
                .and_then(|answer| answer.map_err(anyhow::Error::from))
                .map_err(|error| Refusal::internal(&error)),
        }
    }

    fn today(&self) -> NaiveDate {
        self.day_rule.day_of(self.clock.now())
    }
}

/// A question that is ended when nobody waits for its answer any more.
struct Asked {
    cancel: Cancel,
    answer: tokio::task::AbortHandle,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.answer.is_finished() {
            return;
        }
        self.cancel.raise(Why::TimedOut);
        let (cancel, answer) = (self.cancel.clone(), self.answer.clone());
        tokio::spawn(async move {
            // A statement may have begun just after the flag was raised.
            while !answer.is_finished() {
                cancel.interrupt();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
}

#[derive(Tags)]
enum Tag {
    /// From a bike's header to its end, and every second between.
    Rides,
    /// The people who ride.
    Riders,
    /// Heart rates outside a rider's limits, and the limits.
    Alerts,
    /// What riders did at Peloton.
    Workouts,
    /// Business days, leaderboards, towns and published reports.
    Reports,
    /// What is going on right now, and how the machinery stands.
    Operations,
}

/// One page, when the caller does not say how much they want.
fn default_limit() -> u32 {
    100
}

/// Every operation of the document.
type Operations = (
    rides::Rides,
    riders::Riders,
    alerts::Alerts,
    days::Days,
    live::Live,
    recent::Recents,
    reports::Reports,
    erasures::Erasures,
    operations::Operations,
    rejected::RejectedLines,
    workouts::Workouts,
);

/// The document's half of an API: what it says without what it needs.
struct Described<T>(PhantomData<T>);

impl<T: OpenApi> OpenApi for Described<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

/// The service without what it needs, for the document alone.
fn described() -> OpenApiService<Described<Operations>, ()> {
    service(Described(PhantomData))
}

fn service<T: OpenApi>(api: T) -> OpenApiService<T, ()> {
    OpenApiService::new(api, "Deloton", env!("CARGO_PKG_VERSION")).description(DESCRIPTION)
}

const DESCRIPTION: &str = "\
Rides, riders and reports of Deloton's bikes.

**Conventions.** Times are RFC 3339 in UTC; units are in names; what has no value is null, never 0. \
A list is `{\"items\": […], \"next\": cursor}`: give `next` back as `cursor` for the next page, until it is null. \
Errors are RFC 9457 problems (`application/problem+json`); their `type` is the address of a page that says what to do. \
A query parameter that is not known is refused by name. Answers carry an `ETag`; send it back as `If-None-Match`.

**Rows** of a list come as CSV or Parquet where `Accept` says `text/csv` or `application/vnd.apache.parquet`; the next page \
is then in the `Link` header. `fields` chooses among the fields of an answer, `sort` says in what order a list is: `-` before a \
name is the largest first.

**Keys.** Send `Authorization: Bearer KEY`; a server without keys is reached from its own machine alone. What a key may do \
goes by its role: each operation names the least. Who a rider is, only `admin` is told; `viewer` is told no numbers of riders, \
but pseudonyms that stay the same. `RateLimit` says how many requests a key has left in its minute.

**A ride** belongs to the business day it ended in, in the company's zone. A heart rate of 0 is *no hand contact*: \
such seconds count as dropouts and in no statistic.

**A workout** is Peloton's: its resistance is a percentage, and its rider is a name.

**Older paths** (`/ride/{id}`, `/rider/{id}`, `/daily`, `/leaderboard`, `/city/{city}`, `/user/{id}`, …) answer as \
these do, with or without a slash at the end.";

/// The whole HTTP side.
///
/// # Errors
/// When the data folder's secret for signed-in browsers can neither be read nor written.
pub fn routes(context: ApiContext) -> Result<impl Endpoint<Output = Response> + 'static> {
    let api = service((
        rides::Rides {
            context: context.clone(),
        },
        riders::Riders {
            context: context.clone(),
        },
        alerts::Alerts {
            context: context.clone(),
        },
        days::Days {
            context: context.clone(),
        },
        live::Live {
            context: context.clone(),
        },
        recent::Recents {
            context: context.clone(),
        },
        reports::Reports {
            context: context.clone(),
        },
        erasures::Erasures {
            context: context.clone(),
        },
        operations::Operations {
            context: context.clone(),
        },
        rejected::RejectedLines {
            context: context.clone(),
        },
        workouts::Workouts {
            context: context.clone(),
        },
    ));
    let document = openapi_document();
    let described = serde_json::from_str(&document).context("cannot read the OpenAPI document")?;
    let contract = Arc::new(Contract::of(&described)?);
    let shapes = Shapes {
        context: context.clone(),
        contract: Arc::clone(&contract),
        rows: Arc::new(shape::rows_of(&described)),
    };
    let rules = Arc::clone(&context.rules);
    let hosts = Hosts::new(
        context.public_url.as_deref(),
        rules.listens_on_loopback,
        Arc::clone(&rules.cors_origins),
    );
    let sessions = Sessions::open(context.store.data_dir(), rules.is_secure)?;
    let gate = Arc::new(Gate::new(context.clone(), sessions));
    let clock = context.clock;
    let for_pages = context.clone();
    let docs = document::swagger_ui(&document);
    let kept_to = Arc::clone(&contract);
    let api = api.into_endpoint().with(shapes).before(move |request| {
        let verdict = kept_to.check(&request);
        async move { verdict.map(|()| request) }
    });

    let pages = Route::new()
        .nest_no_strip("/api/v1", api)
        .at(
            "/openapi.json",
            get(make_sync(move |_| {
                Response::builder()
                    .content_type("application/json")
                    .body(document.clone())
            })),
        )
        .nest("/docs", get(docs))
        .at("/login", get(pages::login_page).post(pages::sign_in))
        .at("/logout", post(pages::sign_out))
        .at("/", get(pages::landing_page))
        .at("/live", get(pages::live_page))
        .at("/recent", get(pages::recent_page))
        .at("/ride/:ride_id", get(pages::ride_page))
        .at("/ride/:ride_id/seconds.csv", get(pages::ride_seconds_csv))
        .at("/ride/:ride_id/seconds.json", get(pages::ride_seconds_json))
        .at("/jobs", get(pages::jobs_page))
        .at("/jobs/:job/:window", get(pages::window_page).post(pages::run_again))
        .at("/outbox", get(pages::outbox_page))
        .at("/outbox/:message_id", get(pages::mail_page))
        .at("/outbox/:message_id/body", get(pages::mail_body))
        .at(
            "/unsubscribe/:token",
            get(pages::unsubscribe_page).post(pages::stop_notices),
        )
        .at("/resubscribe/:token", post(pages::resume_notices))
        .at("/problems/:slug", get(pages::problem_page))
        .at("/healthz", get(health::healthz))
        .at("/readyz", get(health::readyz))
        .at("/metrics", get(health::metrics))
        .nest_no_strip("/reports", get(assets::reports))
        .nest("/static", get(assets::statics))
        .at("/favicon.ico", get(assets::icon))
        .with(Etags)
        .with(Encoding);
    let feed = Arc::new(wall::Feed::new(&context));
    Ok(Route::new()
        // Not compressed: a compressor would hold events back until it has enough of them.
        .at("/live/events", get(wall::events).data(feed))
        .nest_no_strip("/", pages)
        .data(context)
        .data(Arc::clone(&gate))
        .with(Access { gate, contract })
        .before(|request| async {
            Ok(match pages::is_of_a_ride(&request) {
                true => request,
                false => aliases::rewrite(request),
            })
        })
        .with(Bodies)
        .before(move |request| {
            let verdict = hosts.check(&request).and_then(|()| hosts.check_origin(&request));
            async move { verdict.map(|()| request) }
        })
        .with(Cors {
            origins: Arc::clone(&rules.cors_origins),
        })
        .with(Problems)
        .with(ErrorPages { context: for_pages })
        .with(RequestIds { clock }))
}
