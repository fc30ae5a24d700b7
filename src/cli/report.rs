//! `deloton report preview`: a day's page, PDF and mail side by side, for whoever edits their templates.

mod preview;

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use chrono::NaiveDate;
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, Server as HttpServer,
    endpoint::make,
    http::{StatusCode, header},
    listener::{Listener as _, TcpListener},
};

use self::preview::{Preview, Source};
use super::{serve, words::date};
use crate::{api, app, config::settings::Settings, domain::artifact::media_type_of, report};

/// Where it is to be found, unless told otherwise: beside the server.
const LISTEN: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 8090);

/// Edit the reports' templates.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with reports.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Show a day's page, PDF and mail side by side, made anew whenever a template changes.
    ///
    /// The templates are those of --templates-dir, else of `templates` here; the style sheets are those of `site/static`
    /// here, where there is such a folder. Nothing is written, published or mailed.
    Preview(PreviewArgs),
}

/// Which day is shown.
#[derive(Debug, Clone, Args)]
pub struct PreviewArgs {
    /// A day whose report was made, as `deloton run report` does.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub day: Option<NaiveDate>,

    /// A made-up day instead.
    #[arg(
        long,
        value_name = "NAME",
        value_parser = PossibleValuesParser::new(report::sample_names()),
        default_value = "ordinary",
        conflicts_with = "day"
    )]
    pub sample: String,
}

/// Shows the preview until interrupted.
///
/// # Errors
/// When there is no report of the day, the templates folder is not there, or the address cannot be listened on.
pub fn report(args: &ReportArgs, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let Action::Preview(args) = &args.action;
    let source = match args.day {
        Some(day) => Source::Reported {
            data_dir: settings.data_dir.clone(),
            day,
        },
        None => Source::Sample(args.sample.clone()),
    };
    source.read()?;
    let templates = app::templates_dir(settings);
    if let Some(missing) = templates.filter(|folder| !folder.is_dir()) {
        bail!(
            "the templates folder `{}` is not there; `--templates-dir` names it",
            missing.display()
        );
    }
    let listen = settings.listen.unwrap_or(SocketAddr::from(LISTEN));
    if !listen.ip().to_canonical().is_loopback() {
        bail!(
            "refusing to listen on {listen}: a preview is for whoever sits at this machine; listen on 127.0.0.1:{}",
            listen.port()
        );
    }
    serve::runtime()?.block_on(async {
        let interruption = serve::Interruption::listen();
        let acceptor = TcpListener::bind(listen).into_acceptor().await.with_context(|| {
            format!("cannot listen on {listen}; is another program listening there? choose another with --listen")
        })?;
        let address = serve::local_address(&acceptor).unwrap_or(listen);
        let statics = Some(Path::new("site/static")).filter(|folder| folder.is_dir());
        let preview = Preview::new(source, templates, statics, &format!("http://{address}"));
        writeln!(
            out,
            "{} is at http://{address}/   (templates of {}; stop with Ctrl-C)",
            preview.what(),
            templates.map_or("the program itself".to_owned(), |folder| format!(
                "`{}`",
                folder.display()
            )),
        )?;
        out.flush()?;
        HttpServer::new_with_acceptor(acceptor)
            .run_with_graceful_shutdown(
                endpoint(preview),
                interruption.heard(),
                Some(Duration::from_millis(500)),
            )
            .await
            .context("the preview ended")
    })
}

/// Answers with the preview's files, and with how it stands at `state`, which is when it looks for changes.
fn endpoint(preview: Preview) -> impl Endpoint<Output = Response> {
    let preview = Arc::new(Mutex::new(preview));
    make(move |request: Request| {
        let preview = Arc::clone(&preview);
        async move {
            api::check_loopback_host(&request)?;
            let path = request.uri().path().trim_start_matches('/').to_owned();
            let answered = tokio::task::spawn_blocking(move || {
                let mut preview = preview.lock().unwrap_or_else(PoisonError::into_inner);
                answer(&mut preview, &path)
            });
            let response = answered.await.map_err(poem::error::InternalServerError)?;
            Ok::<_, poem::Error>(response.with_header(header::CACHE_CONTROL, "no-store").into_response())
        }
    })
    .map_to_response()
}

fn answer(preview: &mut Preview, path: &str) -> Response {
    let file = |path: &str, bytes: Vec<u8>| bytes.with_content_type(media_type_of(path)).into_response();
    match path {
        "state" => {
            preview.look();
            let state = serde_json::to_vec(&preview.state()).expect("names and texts are JSON");
            file("state.json", state)
        }
        "" => preview
            .static_file("preview.html")
            .map_or_else(not_there, |bytes| file("preview.html", bytes)),
        path => preview.file(path).map_or_else(not_there, |bytes| file(path, bytes)),
    }
}

fn not_there() -> Response {
    let words = "There is nothing here: the preview has one day and what is around it, and of that what could be made.";
    (StatusCode::NOT_FOUND, words).into_response()
}
