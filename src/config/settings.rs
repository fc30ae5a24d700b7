//! Where things are and what the outside is called: flags, `DELOTON_*` variables and `.env`, in that order.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::schedule::parse_duration;
use crate::clock::Clock;

/// The sender of mails that never leave this machine.
const MAIL_FROM: &str = "Deloton <reports@deloton.example>";

/// Shells replace it; in a variable or a file nobody does, and to the database it would be another folder than to all else.
const NO_HOME: &str = "`~` stands for no folder here; write the path in full, or `./~` for one that is called so";

/// The variable of [`Settings::webhook_secret`].
const WEBHOOK_SECRET: &str = "DELOTON_WEBHOOK_SECRET";

/// The settings that every command accepts.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Folder for everything at rest on this machine.
    #[arg(
        long,
        global = true,
        env = "DELOTON_DATA_DIR",
        default_value = "data",
        value_name = "DIR",
        value_parser = folder
    )]
    pub data_dir: PathBuf,

    /// Where lines come from. Default: `kafka` when brokers are given, else `simulated`.
    #[arg(long, global = true, env = "DELOTON_SOURCE", value_enum)]
    pub source: Option<SourceKind>,

    /// Kafka brokers, `host:port,host:port`.
    #[arg(long, global = true, env = "DELOTON_KAFKA_BROKERS", value_name = "LIST")]
    pub kafka_brokers: Option<String>,

    /// Kafka topic.
    #[arg(
        long,
        global = true,
        env = "DELOTON_KAFKA_TOPIC",
        default_value = "deloton",
        value_name = "NAME"
    )]
    pub kafka_topic: String,

    /// Kafka consumer group.
    #[arg(
        long,
        global = true,
        env = "DELOTON_KAFKA_GROUP",
        default_value = "deloton",
        value_name = "NAME"
    )]
    pub kafka_group: String,

    /// Any other librdkafka property, as `key=value`; repeatable. Give secrets in `DELOTON_KAFKA_PROPERTIES`, separated
    /// by semicolons.
    #[arg(
        long = "kafka-property",
        global = true,
        env = "DELOTON_KAFKA_PROPERTIES",
        hide_env_values = true,
        value_delimiter = ';',
        value_name = "K=V"
    )]
    #[serde(skip)]
    pub kafka_properties: Vec<KafkaProperty>,

    /// Where a first start begins: `lookback` (at the headers of the rides under way), `earliest`, `latest`, or an
    /// RFC 3339 time.
    #[arg(
        long,
        global = true,
        env = "DELOTON_START",
        default_value = "lookback",
        value_name = "WHERE"
    )]
    pub start: StartAt,

    /// How far `lookback` goes back at most, on the log's clock: `90m`, `2h`.
    #[arg(
        long,
        global = true,
        env = "DELOTON_LOOKBACK",
        default_value = "2h",
        value_parser = parse_duration,
        value_name = "SPAN"
    )]
    #[serde(skip, default = "two_hours")]
    pub lookback: TimeDelta,

    /// Address that is listened on. Default: 127.0.0.1:8080, and 127.0.0.1:8090 for `report preview`.
    #[arg(long, global = true, env = "DELOTON_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Certificate chain of the server, a PEM file; with it only TLS is spoken. Both files are read again when they change.
    #[arg(
        long,
        global = true,
        env = "DELOTON_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,

    /// Key of that certificate, a PEM file without a password.
    #[arg(
        long,
        global = true,
        env = "DELOTON_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,

    /// Requests that one API key may make a minute.
    #[arg(long, global = true, env = "DELOTON_REQUESTS_PER_MINUTE", default_value_t = 1_200, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_per_minute: u32,

    /// How long a question of the API to the database may take before it is given up: `20s`.
    #[arg(
        long,
        global = true,
        env = "DELOTON_QUERY_TIME",
        default_value = "20s",
        value_parser = parse_duration,
        value_name = "SPAN"
    )]
    #[serde(skip, default = "twenty_seconds")]
    pub query_time: TimeDelta,

    /// Origin of another site whose pages may call the API from their visitors' browsers, `https://tools.example.org`;
    /// repeatable.
    #[arg(
        long = "cors-origin",
        global = true,
        env = "DELOTON_CORS_ORIGINS",
        value_delimiter = ',',
        value_parser = origin,
        value_name = "ORIGIN"
    )]
    pub cors_origins: Vec<String>,

    /// The schedule. Default: `cron.toml` here, else the one compiled in.
    #[arg(long, global = true, env = "DELOTON_CRON", value_name = "FILE", value_parser = folder)]
    pub cron: Option<PathBuf>,

    /// The daily tables' SQL. Default: `jobs` here, else the ones compiled in.
    #[arg(long, global = true, env = "DELOTON_JOBS_DIR", value_name = "DIR", value_parser = folder)]
    pub jobs_dir: Option<PathBuf>,

    /// The templates. Default: `templates` here, else the ones compiled in.
    #[arg(long, global = true, env = "DELOTON_TEMPLATES_DIR", value_name = "DIR", value_parser = folder)]
    pub templates_dir: Option<PathBuf>,

    /// Where the report site is published: a folder or `s3://bucket/prefix`. Default: `site` in the data folder.
    #[arg(long, global = true, env = "DELOTON_SITE", value_name = "DIR|S3")]
    pub site: Option<Location>,

    /// The address at which people open the site; used by the mail, the feed and the map for search engines.
    #[arg(long, global = true, env = "DELOTON_SITE_URL", value_name = "URL", value_parser = web_address)]
    pub site_url: Option<String>,

    /// Rider whose Peloton workouts are on the site's page of training, by name, because they want them to be; repeatable,
    /// several in the variable separated by `;`. Without any there is no such page.
    #[arg(
        long = "training-rider",
        global = true,
        env = "DELOTON_TRAINING_RIDERS",
        value_delimiter = ';',
        value_name = "NAME"
    )]
    pub training_riders: Vec<String>,

    /// Where this server itself shows the site; mails say that where no other address is set. It may be another one at the next
    /// start, so nothing that is published says it.
    #[arg(skip)]
    pub served_at: Option<String>,

    /// Where the files of single rides go when they end: a folder or `s3://bucket/prefix`. They are personal: never below
    /// the site. Default: `exports` in the data folder.
    #[arg(long, global = true, env = "DELOTON_EXPORTS", value_name = "DIR|S3")]
    pub exports: Option<Location>,

    /// Where the tables go that analysts open: a folder or `s3://bucket/prefix`. They tell of single rides: never below the
    /// site. Default: `extracts` in the data folder.
    #[arg(long, global = true, env = "DELOTON_EXTRACTS", value_name = "DIR|S3")]
    pub extracts: Option<Location>,

    /// Tableau's `hyperd`, which writes `.hyper` files. Default: the one of a `tableauhyperapi` that is installed beside a program
    /// on the path.
    #[arg(long, global = true, env = "DELOTON_HYPERD", value_name = "FILE")]
    pub hyperd: Option<PathBuf>,

    /// SNS topic that is told when a ride ends.
    #[arg(long, global = true, env = "DELOTON_SNS_TOPIC_ARN", value_name = "ARN")]
    pub sns_topic_arn: Option<String>,

    /// Address that is told when a ride ends, by a POST signed with the secret in `DELOTON_WEBHOOK_SECRET`.
    #[arg(long, global = true, env = "DELOTON_WEBHOOK_URL", value_name = "URL")]
    pub webhook_url: Option<String>,

    /// Endpoint of an S3-, SES- and SNS-compatible service other than AWS's.
    #[arg(long, global = true, env = "DELOTON_AWS_ENDPOINT_URL", value_name = "URL")]
    pub aws_endpoint_url: Option<String>,

    /// How mail leaves: into `outbox` in the data folder, or through Amazon SES.
    #[arg(long, global = true, env = "DELOTON_MAIL", value_enum, default_value = "outbox")]
    pub mail: MailKind,

    /// Sender of every mail. SES wants one of its own that it has verified.
    #[arg(
        long,
        global = true,
        env = "DELOTON_MAIL_FROM",
        default_value = MAIL_FROM,
        value_parser = sender,
        value_name = "ADDR"
    )]
    pub mail_from: String,

    /// Recipient of the daily report; repeatable.
    #[arg(
        long = "mail-to",
        global = true,
        env = "DELOTON_MAIL_TO",
        value_delimiter = ',',
        value_parser = mail_address,
        value_name = "ADDR"
    )]
    pub mail_to: Vec<String>,

    /// Recipient of mails about jobs that failed or are late; repeatable. Default: those of the daily report.
    #[arg(
        long = "mail-failures-to",
        global = true,
        env = "DELOTON_MAIL_FAILURES_TO",
        value_delimiter = ',',
        value_parser = mail_address,
        value_name = "ADDR"
    )]
    pub mail_failures_to: Vec<String>,

    /// Send every mail to this address instead, for test set-ups.
    #[arg(long, global = true, env = "DELOTON_MAIL_OVERRIDE", value_name = "ADDR", value_parser = mail_address)]
    pub mail_override: Option<String>,

    /// The address at which people reach this server.
    #[arg(long, global = true, env = "DELOTON_PUBLIC_URL", value_name = "URL", value_parser = web_address)]
    pub public_url: Option<String>,

    /// A fixed clock (RFC 3339), for tests and replays.
    #[arg(long, global = true, env = "DELOTON_NOW", value_name = "TIME")]
    pub now: Option<DateTime<Utc>>,

    /// Zone of the log's stamps, which carry none.
    #[arg(
        long,
        global = true,
        env = "DELOTON_LOG_TIMEZONE",
        default_value = "UTC",
        value_name = "ZONE"
    )]
    pub log_timezone: chrono_tz::Tz,

    /// How logs are written.
    #[arg(long, global = true, env = "DELOTON_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// What is logged: a list of `target=level`, e.g. `info,deloton::ingest=debug`.
    #[arg(long, global = true, env = "DELOTON_LOG", value_name = "FILTER", value_parser = log_filter)]
    pub log: Option<String>,
}

impl Settings {
    /// The clock this run goes by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.now.map_or(Clock::System, Clock::Fixed)
    }

    /// Where the server listens.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))
    }

    /// Where lines come from.
    #[must_use]
    pub fn source(&self) -> SourceKind {
        self.source.unwrap_or(if self.kafka_brokers.is_some() {
            SourceKind::Kafka
        } else {
            SourceKind::Simulated
        })
    }

    /// Where the report site is published.
    #[must_use]
    pub fn site(&self) -> Location {
        self.site
            .clone()
            .unwrap_or_else(|| Location::Directory(self.data_dir.join("site")))
    }

    /// Where the files of single rides go.
    #[must_use]
    pub fn exports(&self) -> Location {
        self.exports
            .clone()
            .unwrap_or_else(|| Location::Directory(self.data_dir.join("exports")))
    }

    /// Where the tables go that analysts open.
    #[must_use]
    pub fn extracts(&self) -> Location {
        self.extracts
            .clone()
            .unwrap_or_else(|| Location::Directory(self.data_dir.join("extracts")))
    }

    /// Where programs are installed: virtual environments and the system's own folders, by the path that programs are found on.
    #[must_use]
    pub fn prefixes() -> Vec<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path);
        folders
            .filter_map(|folder| folder.parent().map(Path::to_owned))
            .collect()
    }

    /// Why the tables cannot go to `place`; none where they can.
    #[must_use]
    pub fn extract_problem(&self, place: &Location) -> Option<String> {
        let is_on_site = is_below(place, &self.site()) || is_below(&self.site(), place);
        is_on_site.then(|| {
            format!(
                "the extracts tell of single rides and must not be below the published site `{}`, nor above it; name another \
                 place with --extracts",
                self.site()
            )
        })
    }

    /// What signs the webhook's calls; from the environment alone, as command lines are seen by others.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is `config`")]
    pub fn webhook_secret(&self) -> Option<String> {
        std::env::var(WEBHOOK_SECRET)
            .ok()
            .filter(|secret| !secret.trim().is_empty())
    }

    /// Who is mailed when a job fails or is late.
    #[must_use]
    pub fn failure_recipients(&self) -> &[String] {
        if self.mail_failures_to.is_empty() {
            &self.mail_to
        } else {
            &self.mail_failures_to
        }
    }

    /// What is wrong with where word of rides goes, a line each.
    #[must_use]
    pub fn export_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if is_below(&self.exports(), &self.site()) {
            problems.push(format!(
                "the files of rides are personal and must not be below the published site `{}`; name another place with \
                 --exports",
                self.site()
            ));
        }
        problems.extend(self.extract_problem(&self.extracts()));
        if let Some(url) = &self.webhook_url {
            if !(url.starts_with("https://") || url.starts_with("http://")) {
                problems.push(format!(
                    "`--webhook-url {url}` is no address; it begins with https:// or http://"
                ));
            }
            if self.webhook_secret().is_none() {
                problems.push(format!(
                    "`--webhook-url` needs a secret to sign with: give it in the environment as {WEBHOOK_SECRET}"
                ));
            }
        }
        if let Some(arn) = self.sns_topic_arn.as_ref().filter(|arn| !arn.starts_with("arn:")) {
            problems.push(format!(
                "`--sns-topic-arn {arn}` is no ARN; the SNS console shows the topic's, `arn:aws:sns:REGION:ACCOUNT:NAME`"
            ));
        }
        problems
    }

    /// Folders that were named and are not there, a line each.
    #[must_use]
    pub fn folder_problems(&self) -> Vec<String> {
        let missing = self.jobs_dir.iter().filter(|folder| !folder.is_dir());
        missing
            .map(|folder| {
                format!(
                    "the jobs folder `{}` is not there; `--jobs-dir` names it",
                    folder.display()
                )
            })
            .collect()
    }

    /// The same, with a variable that is set to nothing (`DELOTON_MAIL_OVERRIDE=`) taken for one that is not set.
    #[must_use]
    pub fn without_blanks(mut self) -> Self {
        let is_given = |text: &String| !text.trim().is_empty();
        self.mail_to.retain(is_given);
        self.mail_failures_to.retain(is_given);
        self.mail_override = self.mail_override.filter(is_given);
        self.aws_endpoint_url = self.aws_endpoint_url.filter(is_given);
        self
    }

    /// What mail lacks, a line each: without it every day would fail anew.
    #[must_use]
    pub fn mail_problems(&self) -> Vec<String> {
        if self.mail != MailKind::Ses {
            return Vec::new();
        }
        let missing = |is_missing: bool, flag: &str, variable: &str, what: &str| {
            is_missing.then(|| format!("`--mail ses` needs {what}: give it with {flag} or {variable}"))
        };
        let from = self.mail_from == MAIL_FROM || self.mail_from.trim().is_empty();
        let to = self.mail_to.is_empty();
        [
            missing(
                from,
                "--mail-from",
                "DELOTON_MAIL_FROM",
                "a sender that SES has verified",
            ),
            missing(to, "--mail-to", "DELOTON_MAIL_TO", "at least one recipient"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("deloton.duckdb")
    }
}

fn two_hours() -> TimeDelta {
    TimeDelta::hours(2)
}

fn twenty_seconds() -> TimeDelta {
    TimeDelta::seconds(20)
}

/// Where lines come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum SourceKind {
    /// Simulated bikes through an embedded Kafka-protocol broker.
    Simulated,
    /// A Kafka cluster.
    Kafka,
    /// Nowhere: only the scheduler and the API.
    None,
}

/// How mail leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum MailKind {
    /// `.eml` files in `outbox` in the data folder.
    Outbox,
    /// Amazon SES.
    Ses,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// One librdkafka property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaProperty {
    /// The property's name, e.g. `sasl.mechanisms`.
    pub key: String,
    /// Its value; may be a secret.
    pub value: String,
}

impl FromStr for KafkaProperty {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(KafkaProperty {
                key: key.trim().to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("expected `key=value`, e.g. `security.protocol=SASL_SSL`".to_owned()),
        }
    }
}

/// Where a first start begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartAt {
    /// At the headers of the rides under way.
    Lookback,
    /// At the oldest message there is.
    Earliest,
    /// At the next message.
    Latest,
    /// At the first message stamped at or after this.
    Time(DateTime<Utc>),
}

impl FromStr for StartAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "lookback" => Ok(StartAt::Lookback),
            "earliest" => Ok(StartAt::Earliest),
            "latest" => Ok(StartAt::Latest),
            time => time.parse().map(StartAt::Time).map_err(|_| {
                "expected `lookback`, `earliest`, `latest` or a time such as `2026-11-21T06:00:00Z`".to_owned()
            }),
        }
    }
}

/// A folder, or a bucket and a prefix in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Location {
    /// A folder on this machine.
    Directory(PathBuf),
    /// Objects in S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// Prefix of every key, without slashes at its ends; may be empty.
        prefix: String,
    },
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("s3://") {
            Some(rest) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err("expected `s3://bucket/prefix`".to_owned());
                }
                Ok(Location::S3 {
                    bucket: bucket.to_owned(),
                    prefix: prefix.trim_matches('/').to_owned(),
                })
            }
            // `s3:/bucket` is meant for a bucket, and nobody wants a folder called that.
            None if text.is_empty() || text.contains("://") || text.starts_with("s3:") => {
                Err("expected a folder, or `s3://bucket/prefix`".to_owned())
            }
            None => folder(text).map(Location::Directory),
        }
    }
}

/// A path on this machine.
fn folder(text: &str) -> Result<PathBuf, String> {
    if text.starts_with('~') {
        return Err(NO_HOME.to_owned());
    }
    Ok(PathBuf::from(text))
}

/// An address that mail can go to, or nothing.
fn mail_address(text: &str) -> Result<String, String> {
    let address = text.trim();
    let is_one = address
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    // Beyond ASCII only some services take addresses (RFC 6531), and SES does not.
    let is_clean = address.is_ascii()
        && !address.contains(|c: char| c.is_whitespace() || c.is_control() || r#"<>(),;:"\"#.contains(c));
    if address.is_empty() || is_one && is_clean {
        Ok(address.to_owned())
    } else {
        Err("expected an address like `ceo@deloton.example`".to_owned())
    }
}

/// `Name <address>`, an address, or nothing.
fn sender(text: &str) -> Result<String, String> {
    let address = match text.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((_, address)) if !address.trim().is_empty() => address,
        Some(_) => "nobody",
        None => text,
    };
    mail_address(address).map(|_| text.to_owned()).map_err(|_| {
        "expected an address like `reports@deloton.example` or `Deloton <reports@deloton.example>`".to_owned()
    })
}

/// An address that a browser can open.
pub(super) fn web_address(text: &str) -> Result<String, String> {
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') && !text.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        _ => Err("expected an address that begins with `http://` or `https://`".to_owned()),
    }
}

/// What browsers call a page's origin.
fn origin(text: &str) -> Result<String, String> {
    let origin = web_address(text)?.trim_end_matches('/').to_ascii_lowercase();
    let (_, host) = origin.split_once("://").unwrap_or_default();
    if host.contains(['/', '?', '#', '@', '*']) {
        return Err("expected an origin, `https://tools.example.org`, without a path".to_owned());
    }
    Ok(origin)
}

/// What `tracing` understands as a filter.
fn log_filter(text: &str) -> Result<String, String> {
    text.parse::<tracing_subscriber::EnvFilter>()
        .map(|_| text.to_owned())
        .map_err(|error| format!("{error}; expected a list of `target=level`, e.g. `info,deloton::ingest=debug`"))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Directory(path) => write!(f, "{}", path.display()),
            Location::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Location::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// The path from the root on, as far as it exists without links and steps back.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = absolute
        .ancestors()
        .find_map(|known| Some((known, known.canonicalize().ok()?)));
    known.map_or_else(
        || absolute.clone(),
        |(known, real)| real.join(absolute.strip_prefix(known).unwrap_or(Path::new(""))),
    )
}

/// Whether `place` is `root` or below it.
fn is_below(place: &Location, root: &Location) -> bool {
    match (place, root) {
        (Location::Directory(place), Location::Directory(root)) => resolved(place).starts_with(resolved(root)),
        (
            Location::S3 { bucket, prefix },
            Location::S3 {
                bucket: site,
                prefix: root,
            },
        ) => bucket == site && (root.is_empty() || prefix == root || prefix.starts_with(&format!("{root}/"))),
        _ => false,
    }
}
