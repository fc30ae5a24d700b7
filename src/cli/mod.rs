//! The command line: one file per command.
//!
//! A command that needs the store ([`StoreCommand`]) does its work inside a running server of the same data folder,
//! where there is one, and opens the store itself otherwise. It is the same code both times.

pub mod alerts;
pub mod backfill;
pub mod backup;
pub mod check;
pub mod consume;
mod demo;
pub mod erase;
pub mod extract;
pub mod import;
pub mod key;
pub mod outbox;
pub mod output;
pub mod plan;
pub mod rejected;
pub mod remote;
pub mod report;
pub mod restore;
pub mod rider;
pub mod run;
#[cfg(test)]
mod schedule_tests;
pub mod serve;
pub mod simulate;
pub mod site;
pub mod status;
mod words;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{ArgMatches, Args as _, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, parser::ValueSource};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use self::output::{Output, Terminal};
use crate::{
    api,
    app::{self, App},
    config::{
        schedule::{JobConfig, Kind, Schedule},
        settings::{Location, Settings},
    },
    domain::message::MessageKind,
    extract::glossary,
    ingest::{
        self,
        source::{KafkaConfig, probe::probe},
    },
    jobs::sql_files,
    logging, notify,
    scheduler::plan::late,
    store::{
        Store, daily_table, mail_reader,
        outbox::{self as outbox_ledger, MailState},
    },
    template::TemplateError,
};

/// Rides from exercise bikes: consumed from Kafka, compacted, reported, mailed, served.
#[derive(Parser)]
#[command(name = "deloton", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Everything in one process: consumer, scheduler, API, live dashboard.
    Serve(serve::ServeArgs),
    /// Produce the stream of a simulated fleet, to a broker or a file.
    Simulate(simulate::SimulateArgs),
    /// Check cron.toml, every SQL file and every template.
    Check(check::CheckArgs),
    /// Put a backup back.
    Restore(restore::RestoreArgs),
    /// Edit the reports' templates with a day's page, PDF and mail in view.
    Report(report::ReportArgs),
    /// Print the OpenAPI document.
    Openapi,
    #[command(flatten)]
    Store(StoreCommand),
}

/// A command that needs the store.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
pub enum StoreCommand {
    /// Take in a file of JSON lines; without one, consume from Kafka and nothing else.
    Consume(consume::ConsumeArgs),
    /// Run one job now, after what is missing upstream for that day.
    Run(run::RunArgs),
    /// Run one job for a range of days.
    Backfill(backfill::BackfillArgs),
    /// Show what is due, what was missed, and what will run.
    Plan(plan::PlanArgs),
    /// Show how everything stands.
    Status(status::StatusArgs),
    /// Take in what other systems recorded: Peloton workouts.
    Import(import::ImportArgs),
    /// Write the tables that analysts open: CSV and Parquet with a dictionary.
    Extract(extract::ExtractArgs),
    /// Look after mails: what waits, what failed, what is not known to have arrived.
    Outbox(outbox::OutboxArgs),
    /// Look at lines that could not be understood, and read them once more.
    Rejected(rejected::RejectedArgs),
    /// Look at heart-rate alerts, and try other rules on rides that are over.
    Alerts(alerts::AlertsArgs),
    /// Settle things for single riders: their own heart-rate limits.
    Rider(rider::RiderArgs),
    /// Erase a ride, or a rider with all their rides, from everywhere and for good.
    Erase(erase::EraseArgs),
    /// Make, list, rotate and revoke the API's keys.
    Key(key::KeyArgs),
    /// Look at the published site's editions, and go back to one.
    Site(site::SiteArgs),
    /// Copy everything while bikes ride.
    Backup(backup::BackupArgs),
}

impl StoreCommand {
    /// Does it.
    ///
    /// # Errors
    /// Why it could not be done.
    pub fn execute(&self, app: &App, out: &mut dyn Output) -> anyhow::Result<()> {
        match self {
            StoreCommand::Consume(args) => consume::consume(args, app, out),
            StoreCommand::Run(args) if args.dry_run => run::dry_run(args, app, out),
            StoreCommand::Run(args) => run::run(args, &app.runner, out),
            StoreCommand::Backfill(args) => backfill::backfill(args, &app.runner, out),
            StoreCommand::Plan(args) => plan::plan(
                args,
                &app.schedule(),
                &app.runner.view()?,
                app.runner.stream(),
                &mails(app)?,
                app.clock.now(),
                out,
            ),
            StoreCommand::Status(args) if args.reconcile => status::reconcile(&app.store.reconciliation()?, out),
            StoreCommand::Status(args) => {
                let (stream, schedule, now) = (app.live.stream(), app.schedule(), app.clock.now());
                let late = late(&schedule, &app.runner.view()?, now).into_iter();
                let late: Vec<_> = late.map(|(job, window, _)| (job.name.clone(), window)).collect();
                let standing = status::Standing {
                    status: &app.store.status()?,
                    jobs: &app.runner.overview(),
                    plan: &app.runner.plan()?,
                    late: &late,
                    schedule: app.schedule_file.as_ref().map(|file| file.standing()),
                    peloton: &app.peloton_tokens()?,
                    stream: Some(&stream).filter(|stream| stream.is_connected || stream.trouble.is_some()),
                    now,
                    day: schedule.day,
                };
                status::status(args, &standing, out)
            }
            StoreCommand::Import(args) => import::import(args, app, out),
            StoreCommand::Extract(args) => extract::extract(args, app, out),
            StoreCommand::Outbox(args) => outbox::outbox(args, &app.store, out),
            StoreCommand::Rejected(args) => rejected::rejected(args, app, out),
            StoreCommand::Alerts(args) => alerts::alerts(args, &app.store, &app.schedule().heart_rate, out),
            StoreCommand::Rider(args) => rider::rider(args, &app.store, out),
            StoreCommand::Erase(args) => erase::erase(args, app, out),
            StoreCommand::Key(args) => key::key(args, &app.store, out),
            StoreCommand::Site(args) => site::site(args, app, out),
            StoreCommand::Backup(args) => backup::backup(args, &app.store, out),
        }
    }

    /// The command as a server can do it that runs in another folder and with another standard input, and the file
    /// that it reads in place of ours.
    fn seen_from_elsewhere(mut self) -> anyhow::Result<(Self, Option<NamedTempFile>)> {
        let mut spooled = None;
        match &mut self {
            StoreCommand::Consume(consume::ConsumeArgs { from_file: None }) => {
                bail!(
                    "a server of this data folder is running, and consumes already; `deloton status` shows how far it is"
                )
            }
            StoreCommand::Consume(consume::ConsumeArgs { from_file: Some(path) }) if path.as_os_str() == "-" => {
                let mut file = tempfile::Builder::new()
                    .prefix("standard-input-")
                    .tempfile()
                    .context("cannot keep standard input for the server")?;
                io::copy(&mut io::stdin().lock(), &mut file).context("cannot keep standard input for the server")?;
                *path = file.path().to_owned();
                spooled = Some(file);
            }
            StoreCommand::Consume(consume::ConsumeArgs { from_file: Some(path) })
            | StoreCommand::Backup(backup::BackupArgs { to: Some(path) })
            | StoreCommand::Extract(extract::ExtractArgs {
                to: Some(Location::Directory(path)),
                ..
            }) => *path = std::path::absolute(&*path)?,
            StoreCommand::Import(import::ImportArgs {
                action: import::Action::Peloton(args),
            }) => {
                for path in &mut args.files {
                    *path = std::path::absolute(&*path)?;
                }
            }
            _ => {}
        }
        Ok((self, spooled))
    }

    /// Whether it only looks: then a data folder without a database is an empty one, and stays so.
    fn only_reads(&self) -> bool {
        if let StoreCommand::Erase(args) = self {
            return args.list;
        }
        if let StoreCommand::Site(args) = self {
            return args.only_reads();
        }
        matches!(
            self,
            StoreCommand::Plan(_) | StoreCommand::Status(_) | StoreCommand::Rejected(_) | StoreCommand::Alerts(_)
        ) || matches!(self, StoreCommand::Key(args) if matches!(args.action, key::Action::List))
            || matches!(self, StoreCommand::Outbox(args) if !matches!(args.action, outbox::Action::Unsubscribe { .. }))
    }
}

/// What `plan` tells of mails.
fn mails(app: &App) -> anyhow::Result<plan::Mails> {
    let connection = app.store.connection()?;
    let counts = outbox_ledger::counts(&connection, None)?;
    let waiting = counts.iter().find(|count| count.state == MailState::Waiting);
    let reported = outbox_ledger::topics(&connection, MessageKind::DailyReport)?;
    let unsubscribed = mail_reader::unsubscribed(&connection)?;
    let mailed = |recipients: &[String]| -> Vec<String> {
        let is_mailed = |to: &String| {
            !unsubscribed
                .iter()
                .any(|reader| reader.address.eq_ignore_ascii_case(to))
        };
        let words = recipients.iter().map(|to| {
            if is_mailed(to) {
                to.clone()
            } else {
                format!("{to} (unsubscribed)")
            }
        });
        words.collect()
    };
    Ok(plan::Mails {
        report_to: mailed(&app.settings.mail_to),
        failures_to: mailed(app.settings.failure_recipients()),
        reported: reported.iter().filter_map(|topic| topic.parse().ok()).collect(),
        waiting: waiting.map_or(0, |count| count.mails),
    })
}

/// Runs the command line; exits with 0 only when the thing was done, with 1 otherwise.
#[must_use]
pub fn main() -> ExitCode {
    // A .env file that is not there is no mistake; one that cannot be read is said when a setting is missing.
    dotenvy::dotenv().ok();
    let parsed = Cli::command().try_get_matches();
    let (cli, flags) = match parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, settings_in(&matches)))) {
        Ok(parsed) => parsed,
        Err(told) => {
            told.print().ok();
            // The help that was asked for is no mistake.
            return if told.use_stderr() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let is_long_running = matches!(
        &cli.command,
        Command::Serve(_) | Command::Store(StoreCommand::Consume(consume::ConsumeArgs { from_file: None }))
    );
    logging::start(cli.settings.log_format, cli.settings.log.as_deref(), is_long_running);
    match run_command(cli, &flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "deloton: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

/// The settings that the command line has, `--hyperd`, without those that tell where the data is and how to log.
fn settings_in(matches: &ArgMatches) -> Vec<String> {
    let mut innermost = matches;
    while let Some((_, of_command)) = innermost.subcommand() {
        innermost = of_command;
    }
    let settings = Settings::augment_args(clap::Command::new("settings"));
    settings
        .get_arguments()
        .filter(|setting| !["data_dir", "log", "log_format"].contains(&setting.get_id().as_str()))
        .filter(|setting| innermost.value_source(setting.get_id().as_str()) == Some(ValueSource::CommandLine))
        .filter_map(|setting| Some(format!("--{}", setting.get_long()?)))
        .collect()
}

fn run_command(cli: Cli, flags: &[String]) -> anyhow::Result<()> {
    let Cli { settings, command } = cli;
    let settings = settings.without_blanks();
    let mut out = Terminal::default();
    match command {
        Command::Serve(args) => serve::serve(&args, settings),
        Command::Simulate(args) => simulate::run(&args, &settings),
        Command::Check(args) => check_everything(&args, &settings, &mut out),
        Command::Restore(args) => restore::restore(&args, &settings, &mut out),
        Command::Report(args) => report::report(&args, &settings, &mut out),
        Command::Openapi => Ok(out.write_all(api::openapi_document().as_bytes())?),
        Command::Store(command) => store_command(&command, settings, flags, &mut out),
    }
}

/// Has a running server do it, or does it here. `flags` are the settings on the command line.
fn store_command(
    command: &StoreCommand,
    mut settings: Settings,
    flags: &[String],
    out: &mut dyn Output,
) -> anyhow::Result<()> {
    if let Some(server) = remote::Server::find(&settings.data_dir)? {
        if !flags.is_empty() {
            bail!(
                "the server at {} does this, with the settings that it was started with: leave out {}, or stop it, or start it \
                 with them",
                server.address,
                flags.join(", ")
            );
        }
        let (command, _spooled) = command.clone().seen_from_elsewhere()?;
        return server.execute(&command, out);
    }
    match command {
        // A mistyped folder must not look like one in which all is well.
        StoreCommand::Status(_) if !settings.data_dir.exists() => bail!(
            "there is no data folder `{}`: nothing was ever ingested here; name another with --data-dir, or begin one \
             with `deloton serve`",
            settings.data_dir.display()
        ),
        StoreCommand::Consume(_) => serve::refuse(&settings.export_problems())?,
        StoreCommand::Run(args) if args.no_wait && !args.dry_run => bail!(
            "no server of the data folder `{}` is running that could go on with it: leave --no-wait out, or start one \
             with `deloton serve`",
            settings.data_dir.display()
        ),
        StoreCommand::Run(_) | StoreCommand::Backfill(_) => {
            let problems = [
                settings.mail_problems(),
                settings.export_problems(),
                settings.folder_problems(),
            ];
            serve::refuse(&problems.concat())?;
        }
        _ => {}
    }
    // Looking at nothing must not leave a database behind.
    let empty = if command.only_reads() && !settings.database().exists() {
        let empty = tempfile::tempdir()?;
        // The site may be elsewhere, and it is looked at where it is.
        settings.site = Some(settings.site());
        settings.data_dir = empty.path().to_owned();
        Some(empty)
    } else {
        None
    };
    let runtime = serve::runtime()?;
    let app = App::open(settings, runtime.handle())?;
    if matches!(command, StoreCommand::Consume(_)) {
        app.store.limit_memory(ingest::file::MEMORY_LIMIT)?;
    }
    if matches!(command, StoreCommand::Extract(_)) {
        app.store.limit_memory(extract::MEMORY_LIMIT)?;
    }
    let result = command.execute(&app, out);
    app.finish_pings();
    drop(empty);
    result
}

/// `check`: the schedule, every SQL file, every template.
fn check_everything(args: &check::CheckArgs, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let hints = RefCell::new(Vec::new());
    let sql = |schedule: Option<&Schedule>| check_sql(settings, schedule, &mut hints.borrow_mut());
    let templates = |_: Option<&Schedule>| check_templates(settings);
    let more = [
        check::Check {
            what: "SQL files",
            run: &sql,
        },
        check::Check {
            what: "templates",
            run: &templates,
        },
    ];
    check::check(args, app::load_schedule(settings), settings.clock().now(), &more, out)?;
    for hint in hints.take() {
        writeln!(out, "{hint}")?;
    }
    if args.connect {
        check_connection(settings, out)?;
    }
    Ok(())
}

/// Connects to Kafka step by step.
fn check_connection(settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let kafka = KafkaConfig::from_settings(settings)?;
    kafka.check()?;
    let steps = probe(&kafka);
    for step in &steps {
        let (Ok(words) | Err(words)) = &step.outcome;
        let verdict = if step.outcome.is_ok() { "fine" } else { "wrong" };
        writeln!(out, "Kafka, {}: {verdict}: {words}", step.name)?;
    }
    match steps.iter().find(|step| step.outcome.is_err()) {
        Some(step) => bail!("cannot consume from Kafka: the step `{}` fails, see above", step.name),
        None => Ok(()),
    }
}

/// Prepares every SQL file in an empty database of the present schema. `hints` gets what may tell of a person.
fn check_sql(settings: &Settings, schedule: Option<&Schedule>, hints: &mut Vec<String>) -> Result<usize, Vec<String>> {
    let jobs_dir = app::jobs_dir(settings);
    let one = |error: anyhow::Error| vec![format!("{error:#}")];
    let folder = tempfile::tempdir().map_err(|error| one(error.into()))?;
    let store = Store::open(folder.path(), settings.clock()).map_err(|error| one(error.into()))?;
    let mut names = sql_files::names(jobs_dir.as_deref()).map_err(one)?;
    let is_daily_table = |job: &&JobConfig| matches!(job.kind, Kind::Transform { .. });
    let jobs = schedule.into_iter().flat_map(|schedule| &schedule.jobs);
    names.extend(jobs.filter(is_daily_table).map(|job| job.name.clone()));
    names.sort_unstable();
    names.dedup();
    let problems: Vec<String> = names
        .iter()
        .filter_map(|name| {
            let mut check = || -> anyhow::Result<()> {
                let file = sql_files::load(jobs_dir.as_deref(), name)?;
                let columns = daily_table::check(&store, &file)?;
                hints.extend(columns.iter().filter(|column| glossary::hints_at_person(column)).map(|column| {
                    format!(
                        "`{name}`: `{column}` is in the extracts as it is; if it tells of a person, call it `rider_id`, `ride_id` \
                         or `bike_serial`, which are pseudonyms there, or by a name that is left out, as `name`"
                    )
                }));
                Ok(())
            };
            check().err().map(|error| format!("{error:#}"))
        })
        .collect();
    if problems.is_empty() {
        Ok(names.len())
    } else {
        Err(problems)
    }
}

/// Renders every page and every mail from samples.
fn check_templates(settings: &Settings) -> Result<usize, Vec<String>> {
    let templates = app::load_templates(settings).map_err(|error| vec![format!("{error:#}")])?;
    let mails = notify::render::check(&templates, &crate::report::sample_days());
    let wrong = mails
        .into_iter()
        .chain(api::check_pages(&templates))
        .map(anyhow::Error::from);
    // By their place: a part that several pages share is wrong once, whichever sample it failed for.
    let mut problems = BTreeMap::new();
    for error in crate::report::check(&templates).into_iter().chain(wrong) {
        let (place, problem) = match error.downcast_ref::<TemplateError>() {
            Some(error @ TemplateError::Line { template, line, .. }) => ((template.clone(), *line), error.to_string()),
            _ => ((format!("{error:#}"), 0), format!("{error:#}")),
        };
        problems.entry(place).or_insert(problem);
    }
    if problems.is_empty() {
        Ok(templates.count())
    } else {
        Err(problems.into_values().collect())
    }
}

/// Whoever read our output has gone away, as `head` does: nothing went wrong.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    #[test]
    fn files_are_the_callers_wherever_the_server_runs() {
        let seen = |words: &[&str]| {
            let cli = super::Cli::try_parse_from(words).unwrap();
            let super::Command::Store(command) = cli.command else {
                unreachable!("it needs the store")
            };
            command.seen_from_elsewhere()
        };
        let here = std::env::current_dir().unwrap();
        match seen(&["deloton", "consume", "--from-file", "a.jsonl"]).unwrap().0 {
            super::StoreCommand::Consume(args) => assert_eq!(args.from_file, Some(here.join("a.jsonl"))),
            other => panic!("{other:?}"),
        }
        match seen(&["deloton", "backup", "--to", "b"]).unwrap().0 {
            super::StoreCommand::Backup(args) => assert_eq!(args.to, Some(here.join("b"))),
            other => panic!("{other:?}"),
        }
        match seen(&["deloton", "extract", "--to", "e"]).unwrap().0 {
            super::StoreCommand::Extract(args) => assert_eq!(args.to, Some(super::Location::Directory(here.join("e")))),
            other => panic!("{other:?}"),
        }
        match seen(&["deloton", "import", "peloton", "c.csv", "--rider", "Ann"])
            .unwrap()
            .0
        {
            super::StoreCommand::Import(super::import::ImportArgs {
                action: super::import::Action::Peloton(args),
            }) => assert_eq!(args.files, [here.join("c.csv")]),
            other => panic!("{other:?}"),
        }
        assert!(
            seen(&["deloton", "consume"])
                .unwrap_err()
                .to_string()
                .contains("consumes already")
        );
    }

    #[test]
    fn no_two_flags_of_a_command_are_in_each_others_way() {
        super::Cli::command().debug_assert();
    }

    fn check_with(folder: &std::path::Path) -> Result<usize, Vec<String>> {
        let folder = folder.to_string_lossy();
        let cli = super::Cli::try_parse_from(["deloton", "check", "--templates-dir", &folder]).unwrap();
        super::check_templates(&cli.settings)
    }

    #[test]
    fn a_template_that_asks_for_what_is_not_there_is_named_with_its_line() {
        let templates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let names = [
            "base.html",
            "report/daily.html",
            "report/index.html",
            "report/period.html",
            "partials/badge.html",
            "partials/chart.html",
            "partials/table.html",
            "partials/tiles.html",
            "email/frame.html",
            "email/unsubscribe.txt",
            "email/daily_report/subject.txt",
            "email/daily_report/body.txt",
            "email/daily_report/body.html",
            "email/heart_rate_alert/subject.txt",
            "email/heart_rate_alert/body.txt",
            "email/heart_rate_alert/body.html",
            "email/restatement/subject.txt",
            "email/restatement/body.txt",
            "email/restatement/body.html",
            "email/job_failure/subject.txt",
            "email/job_failure/body.txt",
            "email/job_failure/body.html",
            "report/all_time.html",
            "report/training.html",
            "report/feed.xml",
            "report/sitemap.xml",
            "live/wall.html",
            "live/recent.html",
            "live/ride.html",
            "web/frame.html",
            "web/landing.html",
            "web/jobs.html",
            "web/window.html",
            "web/outbox.html",
            "web/mail.html",
            "web/problem.html",
            "web/nothing_published.html",
            "web/unsubscribe.html",
            "web/login.html",
        ];
        assert_eq!(check_with(&templates), Ok(names.len()), "every template is tried");
        let broken = tempfile::tempdir().unwrap();
        for name in names {
            let text = std::fs::read_to_string(templates.join(name)).unwrap();
            // Of a page that fills another's blocks, what stands outside of them is not rendered.
            let text = match text
                .split_once("{% block main %}")
                .filter(|_| text.starts_with("{% extends"))
            {
                Some((head, rest)) => format!("{head}{{% block main %}}{{{{ no_such_value }}}}{rest}"),
                None => format!("{{{{ no_such_value }}}}{text}"),
            };
            let line = text.lines().position(|line| line.contains("no_such_value")).unwrap() + 1;
            let path = broken.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            let problems = check_with(broken.path()).unwrap_err();
            let [problem] = problems.as_slice() else {
                panic!("{name}: {problems:#?}")
            };
            assert!(
                problem.contains(&format!("`{name}`, line {line}: ")),
                "{name}: {problem}"
            );
            assert!(problem.contains("no_such_value"), "{problem}");
            std::fs::remove_file(path).unwrap();
        }
    }
}
