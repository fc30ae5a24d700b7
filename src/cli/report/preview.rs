//! What is previewed: made of a report and the templates, and made anew when one of their files has changed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context;
use chrono::NaiveDate;
use serde::Serialize;

use crate::{
    domain::{
        artifact::{Artifact, media_type_of, sha256_hex},
        period_report::PeriodReport,
        report::DailyReport,
        window::Period,
    },
    jobs,
    notify::render::{self, DailyMail},
    report::{
        self, chart,
        html::Neighbours,
        period::{self, Beside, PeriodEntry},
        site::{Reported, Site, daily_artifacts, site_artifacts},
    },
    template::{TemplateError, Templates, assets, format},
};

/// Whom the previewed mail is to.
const RECIPIENT: &str = "reader@deloton.example";

/// Where the report comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A sample, by its name.
    Sample(String),
    /// The reports of a data folder. The database is not looked at: a server may have it open.
    Reported {
        /// The data folder.
        data_dir: PathBuf,
        /// The day.
        day: NaiveDate,
    },
}

impl Source {
    /// The day's report, and those of the week and the month that it is in, where they were made.
    ///
    /// # Errors
    /// When there is no report of the day, or it is damaged.
    pub(super) fn read(&self) -> anyhow::Result<(DailyReport, Vec<PeriodReport>)> {
        match self {
            Source::Sample(name) => {
                let report = report::sample_day(name).with_context(|| format!("no sample is called `{name}`"))?;
                Ok((report, report::sample_periods()))
            }
            Source::Reported { data_dir, day } => {
                let folder = jobs::report::folder(data_dir);
                let report = jobs::report::read_report(&folder, *day)?.with_context(|| {
                    format!(
                        "there is no report of {day} in `{}`; make it with `deloton run report --day {day}`, or try \
                         `--sample ordinary`",
                        data_dir.display()
                    )
                })?;
                let around = [Period::Week, Period::Month].map(|period| period.around(*day));
                let periods = around.into_iter().filter_map(|window| {
                    let read = jobs::period_report::read_report(&folder, window);
                    read.transpose()
                });
                Ok((report, periods.collect::<anyhow::Result<_>>()?))
            }
        }
    }

    /// Its files, which may be written anew.
    fn files(&self) -> Option<PathBuf> {
        match self {
            Source::Sample(_) => None,
            Source::Reported { data_dir, day } => {
                Some(jobs::report::folder(data_dir).join(day.to_string()).join("report.json"))
            }
        }
    }
}

/// Something that keeps a part from being made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// The template's file; none where no single one is to blame.
    file: Option<String>,
    /// The line in it.
    line: Option<usize>,
    /// What that line says.
    text: Option<String>,
    /// What is wrong.
    message: String,
}

/// A part of the preview: where it is, and what changes when it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Part {
    path: String,
    version: String,
}

/// How the preview stands, for the page that shows it.
#[derive(Debug, Serialize)]
pub(super) struct State<'a> {
    /// What is shown.
    what: String,
    /// The mail's subject; empty while there is no mail.
    subject: &'a str,
    parts: &'a BTreeMap<&'static str, Part>,
    problems: &'a [Problem],
}

/// When each of the files was changed last, and how large it is.
type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// A preview, as it was made last. What could not be made stays as it was before.
#[derive(Debug)]
pub(super) struct Preview {
    source: Source,
    /// The templates that win over those compiled in.
    templates: Option<PathBuf>,
    /// The style sheets that win over those compiled in.
    statics: Option<PathBuf>,
    /// Where the preview itself is.
    url: String,
    seen: Seen,
    day: Option<NaiveDate>,
    files: BTreeMap<String, Vec<u8>>,
    subject: String,
    parts: BTreeMap<&'static str, Part>,
    problems: Vec<Problem>,
}

impl Preview {
    /// A preview at `url`, made for the first time.
    pub(super) fn new(source: Source, templates: Option<&Path>, statics: Option<&Path>, url: &str) -> Self {
        let mut preview = Preview {
            source,
            templates: templates.map(Path::to_owned),
            statics: statics.map(Path::to_owned),
            url: url.to_owned(),
            seen: Seen::new(),
            day: None,
            files: BTreeMap::new(),
            subject: String::new(),
            parts: BTreeMap::new(),
            problems: Vec::new(),
        };
        preview.seen = preview.files_now();
        preview.make();
        preview
    }

    /// Makes it anew where a file has changed since it was made last.
    pub(super) fn look(&mut self) {
        let now = self.files_now();
        if now != self.seen {
            self.seen = now;
            self.make();
        }
    }

    /// What is shown, in words.
    pub(super) fn what(&self) -> String {
        let day = self.day.map_or("no day".to_owned(), format::date_long);
        match &self.source {
            Source::Sample(name) => format!("{day}, the sample “{name}”"),
            Source::Reported { .. } => day,
        }
    }

    /// How it stands.
    pub(super) fn state(&self) -> State<'_> {
        State {
            what: self.what(),
            subject: &self.subject,
            parts: &self.parts,
            problems: &self.problems,
        }
    }

    /// The file at `path`; none where there is none.
    pub(super) fn file(&self, path: &str) -> Option<Vec<u8>> {
        match path.strip_prefix("static/") {
            Some(name) => self.static_file(name),
            None => self.files.get(path).cloned(),
        }
    }

    /// A file below `static/`, by its plain name or its published one.
    pub(super) fn static_file(&self, name: &str) -> Option<Vec<u8>> {
        let asset = assets::all()
            .iter()
            .find(|asset| asset.hashed_name == name || asset.name == name)?;
        let own = self
            .statics
            .as_ref()
            .and_then(|folder| fs::read(folder.join(&asset.name)).ok());
        own.or_else(|| Some(assets::plain(&asset.name)?.into_owned()))
    }

    /// Every file that it depends on.
    fn files_now(&self) -> Seen {
        let mut seen = Seen::new();
        for path in [&self.templates, &self.statics].into_iter().flatten() {
            look_at(path, &mut seen);
        }
        if let Some(path) = self.source.files() {
            look_at(&path, &mut seen);
        }
        seen
    }

    fn make(&mut self) {
        self.problems.clear();
        let read = self.source.read();
        let loaded = Templates::load(self.templates.as_deref()).map_err(anyhow::Error::from);
        let (Some((report, periods)), Some(templates)) = (self.or_problem(read), self.or_problem(loaded)) else {
            return;
        };
        self.day = Some(report.day);
        let pages = pages(&report, &periods, &templates);
        if let Some(pages) = self.or_problem(pages) {
            let page = format!("daily/{}/index.html", report.day);
            let html = pages.iter().filter(|artifact| artifact.path.ends_with(".html"));
            let statics: String = self
                .statics
                .iter()
                .map(|folder| self.version_of_statics(folder))
                .collect();
            let bytes = html.map(|artifact| artifact.bytes.as_slice());
            let version = sha256_hex(bytes.chain([statics.as_bytes()]));
            self.parts.insert("page", Part { path: page, version });
            self.show("pdf", &format!("daily/{}/report.pdf", report.day), &pages);
            self.keep(pages);
        }
        let pdf = self.files.get(&format!("daily/{}/report.pdf", report.day)).cloned();
        let mail = mail(&report, &pdf.unwrap_or_default(), &self.url, &templates);
        if let Some((subject, files)) = self.or_problem(mail) {
            self.subject = subject;
            self.show("mail", "mail/index.html", &files);
            self.show("text", "mail/body.txt", &files);
            self.keep(files);
        }
    }

    fn show(&mut self, part: &'static str, path: &str, files: &[Artifact]) {
        if let Some(artifact) = files.iter().find(|artifact| artifact.path == path) {
            let (path, version) = (path.to_owned(), artifact.content_hash());
            self.parts.insert(part, Part { path, version });
        }
    }

    fn keep(&mut self, files: Vec<Artifact>) {
        self.files
            .extend(files.into_iter().map(|artifact| (artifact.path, artifact.bytes)));
    }

    fn version_of_statics(&self, folder: &Path) -> String {
        let of_statics = self
            .seen
            .range(folder.to_owned()..)
            .take_while(|(path, _)| path.starts_with(folder));
        format!("{:?}", of_statics.collect::<Vec<_>>())
    }

    /// The value; else notes what keeps it from being made.
    fn or_problem<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        result.map_err(|error| self.problems.push(self.problem(&error))).ok()
    }

    fn problem(&self, error: &anyhow::Error) -> Problem {
        let Some(TemplateError::Line {
            template,
            line,
            message,
        }) = error.downcast_ref()
        else {
            return Problem {
                file: None,
                line: None,
                text: None,
                message: format!("{error:#}"),
            };
        };
        let own = self.templates.as_ref().map(|folder| folder.join(template));
        let own = own.filter(|path| path.exists());
        let source = own.as_ref().and_then(|path| fs::read_to_string(path).ok());
        let text = source.and_then(|text| Some(text.lines().nth(line.checked_sub(1)?)?.to_owned()));
        Problem {
            file: Some(own.map_or_else(
                || format!("{template} (compiled in)"),
                |path| path.display().to_string(),
            )),
            line: Some(*line),
            text,
            message: message.clone(),
        }
    }
}

/// Everything of the site that is made of one day: its page with all that is beside it, and the pages around it.
fn pages(report: &DailyReport, periods: &[PeriodReport], templates: &Templates) -> anyhow::Result<Vec<Artifact>> {
    let site = Site::new(templates, None);
    // So that links to days beside it are seen; they lead nowhere.
    let neighbours = Neighbours {
        previous: report.day.pred_opt(),
        next: report.day.succ_opt(),
    };
    let mut artifacts = daily_artifacts(report, neighbours, site)?;
    for period in periods {
        let beside = Beside {
            previous: period.window.before(),
            next: period.window.after(),
        };
        artifacts.extend(period::artifacts(period, beside, templates)?);
    }
    let mut days = Reported::default();
    days.add(report.clone());
    let entries: Vec<_> = periods.iter().map(PeriodEntry::of).collect();
    artifacts.extend(site_artifacts(&days, &entries, site)?);
    Ok(artifacts)
}

/// The mail's subject, and its parts as files: the images that its HTML shows are beside it.
fn mail(report: &DailyReport, pdf: &[u8], url: &str, templates: &Templates) -> anyhow::Result<(String, Vec<Artifact>)> {
    let page_url = format!("{url}/daily/{}/index.html", report.day);
    let mail = DailyMail {
        report,
        pdf,
        chart_png: &chart::of_mail(report)?,
        page_url: Some(&page_url),
        index_url: Some(&format!("{url}/index.html")),
    };
    let message = render::daily_report(templates, &mail, RECIPIENT)?;
    let mut html = message.html;
    let mut files = Vec::new();
    for image in message.images {
        let name = format!("{}.png", image.content_id);
        html = html.replace(&format!("cid:{}", image.content_id), &name);
        files.push(Artifact {
            path: format!("mail/{name}"),
            media_type: media_type_of(&name),
            bytes: image.png,
        });
    }
    files.push(Artifact::text("mail/index.html", media_type_of("index.html"), html));
    files.push(Artifact::text("mail/body.txt", media_type_of("body.txt"), message.text));
    Ok((message.subject, files))
}

/// Adds the files at `path` and below; what cannot be looked at is as if it were not there, until it can.
fn look_at(path: &Path, seen: &mut Seen) {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        for entry in entries {
            look_at(&entry.path(), seen);
        }
    } else if let Ok(metadata) = path.metadata() {
        seen.insert(path.to_owned(), (metadata.modified().ok(), metadata.len()));
    }
}
