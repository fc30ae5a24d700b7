//! Log lines, to standard error: a sentence plus fields, for people or as JSON. Never personal data.

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::settings::LogFormat;

/// Starts logging. `filter` is a list of `target=level`, e.g. `info,deloton::ingest=debug`; one that cannot be read
/// means `info`.
pub fn start(format: LogFormat, filter: Option<&str>) {
    let filter = filter
        .and_then(|filter| filter.parse::<EnvFilter>().ok())
        .unwrap_or_else(|| {
            EnvFilter::new("info,aws_config=warn,aws_smithy_runtime=error,librdkafka=warn,rdkafka=warn,poem=warn")
        });
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_target(false).compact().init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
