//! The command line: one file per command.
//!
//! A command that needs the store ([`StoreCommand`]) does its work inside a running server of the same data folder,
//! where there is one, and opens the store itself otherwise. It is the same code both times.

pub mod backfill;
pub mod backup;
pub mod check;
pub mod consume;
pub mod outbox;
pub mod plan;
pub mod rejected;
pub mod remote;
pub mod restore;
pub mod run;
#[cfg(test)]
mod schedule_tests;
pub mod serve;
pub mod simulate;
pub mod status;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::{
    api,
    app::{self, App},
    config::settings::Settings,
    ingest,
    jobs::sql_files,
    logging,
    store::{Store, daily_table},
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
    /// Look after mails: what waits, what failed, what is not known to have arrived.
    Outbox(outbox::OutboxArgs),
    /// Look at lines that could not be understood.
    Rejected(rejected::RejectedArgs),
    /// Copy everything while bikes ride.
    Backup(backup::BackupArgs),
}

impl StoreCommand {
    /// Does it.
    ///
    /// # Errors
    /// Why it could not be done.
    pub fn execute(&self, app: &App, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            StoreCommand::Consume(args) => consume::consume(args, app, out),
            StoreCommand::Run(args) if args.dry_run => run::dry_run(args, app, out),
            StoreCommand::Run(args) => run::run(args, &app.runner, out),
            StoreCommand::Backfill(args) => backfill::backfill(args, &app.runner, out),
            StoreCommand::Plan(args) => plan::plan(
                args,
                &app.schedule,
                &app.runner.view()?,
                app.runner.stream(),
                app.clock.now(),
                out,
            ),
            StoreCommand::Status(args) => {
                let stream = app.live.stream();
                let standing = status::Standing {
                    status: &app.store.status()?,
                    jobs: &app.runner.overview(),
                    stream: Some(&stream).filter(|stream| stream.is_connected || stream.trouble.is_some()),
                    now: app.clock.now(),
                    day: app.schedule.day,
                };
                status::status(args, &standing, out)
            }
            StoreCommand::Outbox(args) => outbox::outbox(args, &app.store, out),
            StoreCommand::Rejected(args) => rejected::rejected(args, &app.store, out),
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
                let mut file = NamedTempFile::new().context("cannot keep standard input for the server")?;
                io::copy(&mut io::stdin().lock(), &mut file).context("cannot keep standard input for the server")?;
                *path = file.path().to_owned();
                spooled = Some(file);
            }
            StoreCommand::Consume(consume::ConsumeArgs { from_file: Some(path) })
            | StoreCommand::Backup(backup::BackupArgs { to: Some(path) }) => *path = std::path::absolute(&*path)?,
            _ => {}
        }
        Ok((self, spooled))
    }

    /// Whether it only looks: then a data folder without a database is an empty one, and stays so.
    fn only_reads(&self) -> bool {
        matches!(
            self,
            StoreCommand::Plan(_) | StoreCommand::Status(_) | StoreCommand::Outbox(_) | StoreCommand::Rejected(_)
        )
    }
}

/// Runs the command line; exits with 0 only when the thing was done.
#[must_use]
pub fn main() -> ExitCode {
    // A .env file that is not there is no mistake; one that cannot be read is said when a setting is missing.
    dotenvy::dotenv().ok();
    let cli = Cli::parse();
    let is_long_running = matches!(
        &cli.command,
        Command::Serve(_) | Command::Store(StoreCommand::Consume(consume::ConsumeArgs { from_file: None }))
    );
    logging::start(cli.settings.log_format, cli.settings.log.as_deref(), is_long_running);
    match run_command(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "deloton: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

fn run_command(cli: Cli) -> anyhow::Result<()> {
    let Cli { settings, command } = cli;
    let mut out = io::stdout();
    match command {
        Command::Serve(args) => serve::serve(&args, settings),
        Command::Simulate(args) => simulate::run(&args, &settings),
        Command::Check(args) => check_everything(&args, &settings, &mut out),
        Command::Restore(args) => restore::restore(&args, &settings, &mut out),
        Command::Openapi => Ok(out.write_all(api::openapi_document().as_bytes())?),
        Command::Store(command) => store_command(&command, settings, &mut out),
    }
}

/// Has a running server do it, or does it here.
fn store_command(command: &StoreCommand, mut settings: Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    if let Some(server) = remote::Server::find(&settings.data_dir)? {
        let (command, _spooled) = command.clone().seen_from_elsewhere()?;
        return server.execute(&command, out);
    }
    // Looking at nothing must not leave a database behind.
    let empty = if command.only_reads() && !settings.database().exists() {
        let empty = tempfile::tempdir()?;
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
    let result = command.execute(&app, out);
    drop(empty);
    result
}

/// `check`: the schedule, every SQL file, every template.
fn check_everything(args: &check::CheckArgs, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let sql = |_: &crate::config::schedule::Schedule| check_sql(settings);
    let templates = |_: &crate::config::schedule::Schedule| {
        app::load_templates(settings)
            .map(|templates| templates.count())
            .map_err(|error| vec![format!("{error:#}")])
    };
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
    check::check(args, app::load_schedule(settings), settings.clock().now(), &more, out)
}

/// Prepares every SQL file in an empty database of the present schema.
fn check_sql(settings: &Settings) -> Result<usize, Vec<String>> {
    let jobs_dir = app::jobs_dir(settings);
    let one = |error: anyhow::Error| vec![format!("{error:#}")];
    let folder = tempfile::tempdir().map_err(|error| one(error.into()))?;
    let store = Store::open(folder.path(), settings.clock()).map_err(|error| one(error.into()))?;
    let names = sql_files::names(jobs_dir.as_deref()).map_err(one)?;
    let problems: Vec<String> = names
        .iter()
        .filter_map(|name| {
            let check = || -> anyhow::Result<()> {
                let file = sql_files::load(jobs_dir.as_deref(), name)?;
                Ok(daily_table::check(&store, &file)?)
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
}
