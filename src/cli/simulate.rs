//! `deloton simulate`: the bikes' lines into a file, onto standard output, or to a broker.

use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, IsTerminal as _, Write},
    path::PathBuf,
    str::FromStr,
    sync::atomic::AtomicBool,
};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Days, TimeDelta, Utc};
use clap::Args;
use flate2::{Compression, write::GzEncoder};
use indicatif::{ProgressBar, ProgressStyle};

use super::words::counted;
use crate::{
    config::settings::{Settings, StartAt},
    domain::day::{DayRule, Span},
    simulate::{Faults, FaultyLines, Fleet, FleetConfig, broker::LiveProducer, envelope::write_record},
};

/// Lines between two looks at the progress bar.
const LINES_PER_TICK: u64 = 65_536;

/// Produces the bikes' stream: to a file or standard output as fast as it can, to a broker in real time. `--start TIME`
/// says where it begins; without, for a broker now, with bikes riding at once, else as many whole days ago as there are
/// days.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Bikes, serials SN0001 and up.
    #[arg(long, default_value_t = 24, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub bikes: u32,

    /// Most rides that the fleet begins on one day.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub rides_per_day: u32,

    /// Days to produce.
    #[arg(long, default_value_t = 1, value_name = "D", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,

    /// Decides everything about bikes, riders and faults: the same seed means the same bytes.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,

    /// Zone of the riders' days.
    #[arg(long, default_value = "Europe/London", value_name = "ZONE")]
    pub timezone: chrono_tz::Tz,

    /// How many times as fast as real time a broker gets the lines.
    #[arg(long, default_value_t = 1.0, value_name = "X", value_parser = positive)]
    pub speed: f64,

    /// What goes wrong, as `name=rate,name=rate`, a rate being a probability per line.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "LIST", long_help = faults_help())]
    pub faults: Faults,

    /// `broker` (see the Kafka settings), `-` for standard output, or a file; gzip when it ends in `.gz`.
    #[arg(long, default_value = "-", value_name = "FILE|-|broker")]
    pub to: Target,
}

/// Where the simulated stream goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// The Kafka topic of the settings.
    Broker,
    /// A file.
    File(PathBuf),
}

impl FromStr for Target {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "-" => Target::Stdout,
            "broker" => Target::Broker,
            file => Target::File(file.into()),
        })
    }
}

fn faults_help() -> String {
    format!(
        "What goes wrong, as `name=rate,name=rate`, a rate being a probability per line. Names: {}.",
        Faults::help()
    )
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|speed: &f64| *speed > 0.0 && speed.is_finite())
        .ok_or("expected a number above 0".to_owned())
}

/// Writes the stream.
///
/// # Errors
/// When the file cannot be written or the broker settings are wrong.
pub fn run(args: &SimulateArgs, settings: &Settings) -> anyhow::Result<()> {
    let now = settings.clock().now();
    let (span, is_live) = span(args, settings.start, now);
    let fleet = Fleet::new(FleetConfig {
        seed: args.seed,
        bikes: args.bikes,
        rides_per_day_max: args.rides_per_day,
        timezone: args.timezone,
        opens_at: Some(span.start),
        demo_from: is_live.then_some(span.start),
    });
    let mut lines = fleet.lines(span).with_faults(args.faults, args.seed);
    match &args.to {
        Target::Broker => produce(lines, span, args.speed, settings),
        Target::Stdout => {
            let written = write(&mut lines, span, io::stdout().lock(), &ProgressBar::hidden());
            // Whoever reads has seen enough: `deloton simulate | head`.
            match written {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                other => other.map(|_| ()).context("cannot write to standard output"),
            }
        }
        Target::File(path) => {
            let file = File::create(path).with_context(|| format!("cannot create `{}`", path.display()))?;
            let bar = progress_bar(span);
            let count = if path.extension().is_some_and(|extension| extension == "gz") {
                let mut encoder = GzEncoder::new(file, Compression::fast());
                write(&mut lines, span, &mut encoder, &bar).and_then(|count| encoder.finish().map(|_| count))
            } else {
                write(&mut lines, span, file, &bar)
            };
            let count = count.with_context(|| format!("cannot write `{}`; is the disk full?", path.display()))?;
            bar.finish_and_clear();
            eprintln!(
                "{} in `{}`; faults: {}",
                counted(count, "line"),
                path.display(),
                lines.counts()
            );
            Ok(())
        }
    }
}

/// The span to produce, and whether it is a demo that begins now.
fn span(args: &SimulateArgs, start: StartAt, now: DateTime<Utc>) -> (Span, bool) {
    let rule = DayRule {
        timezone: args.timezone,
        ..DayRule::default()
    };
    let days = args.days.into();
    match start {
        StartAt::Time(start) => (
            Span {
                start,
                end: start + TimeDelta::days(days),
            },
            false,
        ),
        _ if args.to == Target::Broker => (
            Span {
                start: now,
                end: now + TimeDelta::days(days),
            },
            true,
        ),
        _ => {
            let today = rule.day_of(now);
            let first = today - Days::new(days.unsigned_abs());
            (
                Span {
                    start: rule.span(first).start,
                    end: rule.span(today).start,
                },
                false,
            )
        }
    }
}

fn produce(lines: FaultyLines, span: Span, speed: f64, settings: &Settings) -> anyhow::Result<()> {
    let Some(brokers) = &settings.kafka_brokers else {
        bail!("no Kafka brokers are set; give `--kafka-brokers host:port`");
    };
    let mut producer = LiveProducer::new(brokers, &settings.kafka_topic, &settings.kafka_properties)?;
    eprintln!(
        "producing to the topic `{}` at {speed} × real time; stop with Ctrl-C",
        settings.kafka_topic
    );
    let sent = producer.produce(lines, span.start, speed, &AtomicBool::new(false))?;
    eprintln!("{} sent", counted(sent, "line"));
    Ok(())
}

/// Writes the lines and returns how many they were.
fn write(lines: &mut FaultyLines, span: Span, out: impl Write, bar: &ProgressBar) -> io::Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 18, out);
    let mut record = Vec::with_capacity(512);
    let mut count = 0;
    while let Some(line) = lines.next_line() {
        record.clear();
        write_record(&line, &mut record);
        out.write_all(&record)?;
        count += 1;
        if count % LINES_PER_TICK == 0 {
            bar.set_position((line.at - span.start).num_minutes().unsigned_abs());
        }
    }
    out.flush()?;
    Ok(count)
}

fn progress_bar(span: Span) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("riding {wide_bar} {percent} % {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new((span.end - span.start).num_minutes().unsigned_abs()).with_style(style)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: SimulateArgs,
        #[command(flatten)]
        settings: Settings,
    }

    fn simulate(arguments: &[&str]) -> anyhow::Result<()> {
        let command = Command::try_parse_from([&["simulate", "--now", "2026-05-04T10:00:00Z"], arguments].concat())?;
        run(&command.args, &command.settings)
    }

    #[test]
    fn a_file_holds_whole_days_of_keyed_records_and_the_same_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for name in ["a.jsonl", "b.jsonl", "c.jsonl.gz"] {
            simulate(&[
                "--bikes",
                "3",
                "--rides-per-day",
                "9",
                "--days",
                "2",
                "--to",
                &path(name),
            ])
            .unwrap();
        }
        let text = std::fs::read_to_string(path("a.jsonl")).unwrap();
        assert_eq!(text, std::fs::read_to_string(path("b.jsonl")).unwrap());
        let mut unzipped = String::new();
        flate2::read::GzDecoder::new(File::open(path("c.jsonl.gz")).unwrap())
            .read_to_string(&mut unzipped)
            .unwrap();
        assert_eq!(text, unzipped);
        let mut dates = std::collections::BTreeSet::new();
        for line in text.lines() {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(["SN0001", "SN0002", "SN0003"].contains(&json["key"].as_str().unwrap()));
            let log = json["log"].as_str().unwrap();
            assert!(log.ends_with('\n'));
            if log.contains("Getting") {
                dates.insert(log[..10].to_owned());
            }
        }
        assert_eq!(dates.into_iter().collect::<Vec<_>>(), ["2026-05-02", "2026-05-03"]);
        assert!(text.starts_with("{\"key\": \"SN000"));
        simulate(&["--start", "2026-03-01T00:00:00Z", "--to", &path("a.jsonl")]).unwrap();
        assert!(
            std::fs::read_to_string(path("a.jsonl"))
                .unwrap()
                .contains("\"2026-03-01 ")
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/such/folder.jsonl").display().to_string();
        assert!(format!("{:#}", simulate(&["--to", &missing]).unwrap_err()).contains(&missing));
        assert!(format!("{:#}", simulate(&["--to", "broker"]).unwrap_err()).contains("--kafka-brokers"));
        for (arguments, words) in [
            (["--speed", "0"], "a number above 0"),
            (["--faults", "drop=7"], "expected 0 to 1"),
            (["--bikes", "0"], "0 is not in 1"),
        ] {
            let error = simulate(&arguments).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
