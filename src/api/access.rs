//! Who may do what: every operation with the least role that may do it, who a request comes from, and what of it is
//! refused.

use std::{net::IpAddr, sync::Arc, time::Instant};

use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderValue, Method, StatusCode, header},
};

use super::{
    ApiContext,
    contract::Contract,
    guard::wants_page,
    problem::{Problem, answered, kind},
    rate::{Guesses, Quotas, Standing},
    session::Sessions,
};
use crate::{
    domain::access::Role::{self, Admin, Analyst, Viewer},
    store::api_key::{ApiKey, RefusedKey},
};

/// Every operation of the document and the least role that may do it.
pub(super) const OPERATIONS: [(&str, Role); 39] = [
    ("list_rides", Analyst),
    ("get_ride", Analyst),
    ("get_ride_summary", Analyst),
    ("get_expanded_ride", Analyst),
    ("list_ride_readings", Analyst),
    ("list_riders", Analyst),
    ("get_rider", Analyst),
    ("list_rider_bests", Analyst),
    ("list_rider_rides", Analyst),
    ("list_expanded_rider_rides", Analyst),
    ("list_rider_durations", Analyst),
    ("erase_ride", Admin),
    ("erase_rider", Admin),
    ("list_erasures", Admin),
    ("list_alerts", Analyst),
    ("get_rider_limits", Analyst),
    ("set_rider_limits", Admin),
    ("clear_rider_limits", Admin),
    ("list_daily_rides", Analyst),
    ("get_leaderboard", Viewer),
    ("list_cities", Viewer),
    ("list_city_rides", Analyst),
    ("list_reports", Viewer),
    ("get_report", Viewer),
    ("list_riding", Viewer),
    ("get_riding", Viewer),
    ("get_recent", Viewer),
    ("get_status", Viewer),
    ("list_jobs", Analyst),
    ("list_job_runs", Analyst),
    ("start_job_run", Admin),
    ("get_run", Analyst),
    ("list_rejected", Analyst),
    ("get_rejected", Admin),
    ("replay_rejected", Admin),
    ("list_workouts", Analyst),
    ("get_workout", Analyst),
    ("list_workout_samples", Analyst),
    ("delete_workout", Admin),
];

/// Every other address: the first entry that an address is, or is below, says who may look at it; `None` is everybody.
/// Changing something by one of them needs an administrator, but where everybody may.
const PAGES: [(&str, Option<Role>); 16] = [
    ("/docs", None),
    ("/openapi.json", None),
    ("/problems", None),
    ("/static", None),
    ("/favicon.ico", None),
    ("/login", None),
    ("/logout", None),
    ("/unsubscribe", None),
    ("/resubscribe", None),
    ("/healthz", None),
    ("/readyz", None),
    // Mails have names in them.
    ("/outbox", Some(Admin)),
    ("/jobs", Some(Analyst)),
    ("/ride", Some(Analyst)),
    // What the document does not have, the contract refuses.
    ("/api", Some(Viewer)),
    ("/", Some(Viewer)),
];

/// The least role that may do an operation. One that is missing from the table is an administrator's.
pub(super) fn least_role(operation: &str) -> Role {
    let found = OPERATIONS.iter().find(|(id, _)| *id == operation);
    found.map_or(Admin, |(_, role)| *role)
}

/// Whoever a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// What they may do.
    pub(super) role: Role,
    /// Their key; none where there are no keys, and so whoever can reach this machine's loopback is an administrator.
    pub(super) key_id: Option<String>,
}

impl Caller {
    /// Whether they may know who a rider is: name, addresses, date of birth.
    pub(super) fn sees_persons(&self) -> bool {
        self.role >= Admin
    }

    /// Whether they may know riders by their numbers.
    pub(super) fn sees_numbers(&self) -> bool {
        self.role >= Analyst
    }
}

/// Lets requests through to what their callers may do.
pub(super) struct Access {
    pub(super) gate: Arc<Gate>,
    pub(super) contract: Arc<Contract>,
}

/// Knows who is there.
pub(super) struct Gate {
    context: ApiContext,
    quotas: Quotas,
    guesses: Guesses,
    sessions: Sessions,
}

/// Why somebody is not let in.
#[derive(Debug)]
pub(super) enum NotLetIn {
    /// No key was given, or none that is good; in words.
    Unknown(&'static str),
    /// The key is wrong like too many others from there.
    Guessing,
}

impl Gate {
    pub(super) fn new(context: ApiContext, sessions: Sessions) -> Self {
        Gate {
            quotas: Quotas::new(context.rules.requests_per_minute),
            guesses: Guesses::default(),
            context,
            sessions,
        }
    }

    /// The sessions of browsers.
    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Whether callers are known by keys.
    pub(super) fn needs_keys(&self) -> bool {
        !self.context.rules.listens_on_loopback || self.context.store.api_keys().are_needed()
    }

    /// The key that somebody at `address` presents. Who presents wrong ones waits longer each time.
    pub(super) async fn key(&self, presented: &str, address: IpAddr) -> Result<ApiKey, NotLetIn> {
        let found = self
            .context
            .store
            .api_keys()
            .find(presented, self.context.clock.now())
            .cloned();
        match found {
            Ok(_) => self.guesses.right(address),
            Err(RefusedKey::Unknown) => match self.guesses.wrong(address, Instant::now()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(NotLetIn::Guessing),
            },
            Err(_) => {}
        }
        found.map_err(|why| NotLetIn::Unknown(in_words(why)))
    }

    async fn caller(&self, request: &Request) -> Result<Caller, NotLetIn> {
        if !self.needs_keys() {
            let is_guest = |origin: &str| self.context.rules.cors_origins.iter().any(|guest| guest == origin);
            if request.header(header::ORIGIN).is_some_and(is_guest) {
                return Err(NotLetIn::Unknown(
                    "a page of another site needs a key, and there are none here yet: `deloton key new` makes one",
                ));
            }
            return Ok(Caller {
                role: Admin,
                key_id: None,
            });
        }
        let bearer = request.header(header::AUTHORIZATION).map(|text| {
            let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        // As one of the older systems had it.
        let bearer = bearer.or_else(|| request.header("api-key").map(Some));
        let key = match bearer {
            Some(Some(key)) => self.key(key, address_of(request)).await?,
            Some(None) => return Err(NotLetIn::Unknown("the `Authorization` header is not `Bearer KEY`")),
            None => self.signed_in(request).ok_or(NotLetIn::Unknown(
                "a key is needed, as `Authorization: Bearer KEY`; browsers sign in at /login",
            ))?,
        };
        self.note_use(&key);
        Ok(Caller {
            role: key.role,
            key_id: Some(key.key_id),
        })
    }

    /// The key with which the request's browser signed in.
    pub(super) fn signed_in(&self, request: &Request) -> Option<ApiKey> {
        let now = self.context.clock.now();
        let key_id = self.sessions.key_id(request, now)?;
        self.context.store.api_keys().by_id(&key_id, now).ok().cloned()
    }

    fn note_use(&self, key: &ApiKey) {
        if !self.context.store.api_key_use_is_news(key) {
            return;
        }
        let (store, key_id) = (self.context.store.clone(), key.key_id.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = store.note_api_key_use(&key_id) {
                tracing::warn!("cannot note that an API key was used: {error:#}");
            }
        });
    }
}

fn in_words(why: RefusedKey) -> &'static str {
    match why {
        RefusedKey::Unknown => "the key is not known here",
        RefusedKey::Expired => "the key has expired; `deloton key new` makes another",
        RefusedKey::Revoked => "the key was revoked",
    }
}

/// Where a request comes from, as far as the connection tells.
pub(super) fn address_of(request: &Request) -> IpAddr {
    let address = request.remote_addr().as_socket_addr();
    address.map_or(IpAddr::from([127, 0, 0, 1]), |address| address.ip().to_canonical())
}

impl<E: Endpoint> Middleware<E> for Access {
    type Output = AccessEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        AccessEndpoint {
            inner,
            gate: Arc::clone(&self.gate),
            contract: Arc::clone(&self.contract),
        }
    }
}

/// See [`Access`].
pub(super) struct AccessEndpoint<E> {
    inner: E,
    gate: Arc<Gate>,
    contract: Arc<Contract>,
}

impl<E: Endpoint> AccessEndpoint<E> {
    /// Who may do what is asked for; none where everybody may.
    fn least_role(&self, request: &Request) -> Option<Role> {
        if let Some(operation) = self.contract.operation_id(request) {
            return Some(least_role(operation));
        }
        let path = request.uri().path();
        let is_at = |place: &str| {
            path.strip_prefix(place)
                .is_some_and(|rest| place.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
        };
        let looks = PAGES
            .iter()
            .find(|(place, _)| is_at(place))
            .map_or(Some(Admin), |(_, role)| *role);
        let is_page = !path.starts_with("/api/");
        looks.map(|role| {
            if is_page && !is_read(request.method()) {
                Admin
            } else {
                role
            }
        })
    }
}

fn is_read(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

impl<E: Endpoint> Endpoint for AccessEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let Some(least) = self.least_role(&request) else {
            return Ok(self.inner.call(request).await?.into_response());
        };
        let caller = match self.gate.caller(&request).await {
            Ok(caller) => caller,
            Err(NotLetIn::Unknown(_)) if is_read(request.method()) && wants_page(&request) => {
                return Ok(to_login(&request));
            }
            Err(why) => return Err(poem::Error::from_response(refusal(&why))),
        };
        let quota = |key_id: &String| self.gate.quotas.take(key_id, Instant::now());
        let standing = caller.key_id.as_ref().map(quota);
        if let Some(Err(standing)) = standing {
            return Err(poem::Error::from_response(self.gate.too_many(standing)));
        }
        if caller.role < least {
            let kind = kind("role-too-low");
            let detail = format!(
                "this needs a key of role `{least}` or more; the key that was given is `{}`",
                caller.role
            );
            let status = StatusCode::FORBIDDEN;
            return Err(poem::Error::from_response(Problem::new(kind, detail).response(status)));
        }
        request.extensions_mut().insert(caller);
        let path = request.uri().path().to_owned();
        let mut response = answered(self.inner.call(request).await, &path);
        if let Some(Ok(standing)) = standing {
            self.gate.quotas.tell(standing, response.headers_mut());
        }
        Ok(response)
    }
}

impl Gate {
    fn too_many(&self, standing: Standing) -> Response {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let detail = format!(
            "this key has made its {} requests of this minute; the next is taken in {} s",
            self.context.rules.requests_per_minute, standing.resets_in_seconds
        );
        let mut response = Problem::new(kind("too-many-requests"), detail).response(status);
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(standing.resets_in_seconds));
        self.quotas.tell(standing, response.headers_mut());
        response
    }
}

/// What those are told who are not let in.
pub(super) fn refusal(why: &NotLetIn) -> Response {
    match why {
        NotLetIn::Unknown(words) => {
            let status = StatusCode::UNAUTHORIZED;
            let mut response = Problem::new(kind("unauthorized"), *words).response(status);
            let challenge = HeaderValue::from_static("Bearer realm=\"deloton\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
        NotLetIn::Guessing => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let detail = "too many wrong keys came from this address";
            let mut response = Problem::new(kind("too-many-requests"), detail).response(status);
            let wait = HeaderValue::from(Guesses::PATIENCE.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, wait);
            response
        }
    }
}

/// Leads a browser to where it signs in, and from there back.
fn to_login(request: &Request) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
    let wanted = percent_encoding::utf8_percent_encode(wanted, percent_encoding::NON_ALPHANUMERIC);
    Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, format!("/login?next={wanted}"))
        .header(header::CACHE_CONTROL, "no-store")
        .finish()
}
