//! Log lines, to standard error: a sentence plus fields, for people or as JSON. Never personal data.

mod capture;

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

use self::capture::Lines;
pub use self::capture::{Hearing, RunLog};

use crate::config::settings::LogFormat;

/// What is logged unless the settings say otherwise: of the libraries, only what a person can act on.
const LIBRARIES: &str = "aws_config=warn,aws_smithy_runtime=error,aws_sdk_s3=warn,aws_sdk_sesv2=warn,hyper_util=warn,\
                         librdkafka=warn,rdkafka=warn,poem=warn,tera=warn,tokio_cron_scheduler=warn";

/// What a command tells of the runs that were asked of it, it tells as its answer.
const ANSWERED: &str = "deloton::scheduler::runner::execute=off";

/// Starts logging. `filter` is a list of `target=level`, e.g. `info,deloton::ingest=debug`; without one, or with one that
/// cannot be read, a long-running program tells what it does and a command only what went wrong.
pub fn start(format: LogFormat, filter: Option<&str>, is_long_running: bool) {
    let level = if is_long_running {
        "info".to_owned()
    } else {
        format!("warn,{ANSWERED}")
    };
    let filter = filter
        .and_then(|filter| filter.parse::<EnvFilter>().ok())
        .unwrap_or_else(|| EnvFilter::new(format!("{level},{LIBRARIES}")));
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // A log that nobody reads any more must not end the program.
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => lines.with_target(false).compact().boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    registry().with(Lines { filter, shown: lines }).init();
}
