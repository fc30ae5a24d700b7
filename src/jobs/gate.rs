//! What is to be published is looked at before its readers can: that every link leads somewhere, that nothing is too
//! large, that page, PDF, JSON and mail of a day say the same, and that nothing points to a person. What does not pass is
//! not published; the site stays as it is.

mod document;
mod personal;

use std::collections::HashMap;

use anyhow::Result;

use self::{
    document::{Document, resolve},
    personal::Phrases,
};
use super::parallel::in_parts;
use crate::{
    domain::{cancel::Cancel, report::DailyReport},
    notify::render::{self, DailyMail, HTML_MAX_BYTES},
    publish::Item,
    report::{self, site::Site},
    store::Store,
    template::words,
};

/// The largest page of a day, with all that a browser loads for it: what opens at once on a phone away from home.
const PAGE_MAX_BYTES: usize = 150_000;
/// The largest PDF: it travels with every mail.
const PDF_MAX_BYTES: usize = 200_000;

/// Checks made before a site is published.
#[derive(Clone, Copy)]
pub struct Gate<'a> {
    /// Whose riders must not be on the site.
    pub store: &'a Store,
    /// What pages and mails are made with, and the address that feed and sitemap spell.
    pub site: Site<'a>,
    /// Every item of the site.
    pub items: &'a [Item],
    /// Whether that is still wanted.
    pub cancel: &'a Cancel,
}

/// What a look at some items found.
#[derive(Debug, Default)]
struct Found {
    problems: Vec<String>,
    phrases: Phrases,
}

impl Gate<'_> {
    /// Looks at the items that are new or `changed`, and answers what is wrong with them.
    ///
    /// # Errors
    /// When something cannot be read, or the run was cancelled.
    pub fn check(&self, changed: &[&Item]) -> Result<Vec<String>> {
        let sizes = self.sizes(changed)?;
        let found = in_parts(changed, |part| self.look_at(part, &sizes));
        let found = found.into_iter().collect::<Result<Vec<_>>>()?;
        let mut all = Found::default();
        for part in found {
            all.problems.extend(part.problems);
            all.phrases.extend(part.phrases);
        }
        all.problems
            .extend(personal::riders_in(&all.phrases, self.store, || self.own_phrases())?);
        all.problems.sort();
        all.problems.dedup();
        Ok(all.problems)
    }

    /// The bytes of everything that a page may load, of a style sheet with its fonts. Of a site that only a little of changed, that is all that is read.
    fn sizes(&self, changed: &[&Item]) -> Result<HashMap<&str, usize>> {
        if changed.is_empty() {
            return Ok(HashMap::new());
        }
        let assets = self.items.iter().filter(|item| is_asset(item.path()));
        let assets = assets.map(|item| Ok((item.path(), item.artifact()?)));
        let assets: HashMap<_, _> = assets.collect::<Result<_>>()?;
        let fonts = assets.iter().filter(|(path, _)| path.ends_with(".woff2"));
        let fonts: Vec<_> = fonts
            .map(|(path, font)| (path.rsplit('/').next().unwrap_or_default(), font.bytes.len()))
            .collect();
        // A style sheet brings the fonts that it names.
        let brought = |path: &str, bytes: &[u8]| -> usize {
            let text = if path.ends_with(".css") {
                String::from_utf8_lossy(bytes)
            } else {
                "".into()
            };
            fonts
                .iter()
                .filter(|(name, _)| text.contains(name))
                .map(|(_, bytes)| bytes)
                .sum()
        };
        let sizes = assets
            .iter()
            .map(|(path, asset)| (*path, asset.bytes.len() + brought(path, &asset.bytes)));
        Ok(sizes.collect())
    }

    fn look_at(&self, items: &[&Item], sizes: &HashMap<&str, usize>) -> Result<Found> {
        let site: HashMap<&str, &Item> = self.items.iter().map(|item| (item.path(), item)).collect();
        let mut found = Found::default();
        // Files of a day come one after the other: no more than those of one are held.
        let mut of_day: Vec<Document> = Vec::new();
        for item in items {
            self.cancel.check()?;
            let path = item.path();
            if of_day.first().is_some_and(|first| day_of(first.path()) != day_of(path)) {
                found.problems.extend(self.compare(std::mem::take(&mut of_day), &site)?);
            }
            if is_asset(path) {
                continue;
            }
            let artifact = item.artifact()?;
            let document = match Document::read(path, &artifact.bytes) {
                Ok(document) => document,
                Err(error) => {
                    found.problems.push(format!("`{path}` is damaged: {error:#}"));
                    continue;
                }
            };
            for link in &document.links {
                if let Err(why) = self.follow(path, link, &document, &site) {
                    found.problems.push(format!("`{path}` links to `{link}`, {why}"));
                }
            }
            for what in personal::plain(&document) {
                found.problems.push(format!("`{path}` has {what}"));
            }
            found.phrases.add(&document);
            found
                .problems
                .extend(too_large(path, artifact.bytes.len(), &document, sizes));
            if day_of(path).is_some() {
                of_day.push(document);
            }
        }
        found.problems.extend(self.compare(of_day, &site)?);
        Ok(found)
    }

    /// Where a link leads, and why that is nowhere.
    fn follow(
        &self,
        path: &str,
        link: &str,
        document: &Document,
        site: &HashMap<&str, &Item>,
    ) -> Result<(), &'static str> {
        let own = self.site.url.and_then(|url| link.strip_prefix(url));
        let to = match own {
            Some(rest) => rest.trim_start_matches('/').to_owned(),
            None if link.starts_with("mailto:") => return Ok(()),
            None if link.contains("://") || link.starts_with("//") => {
                let is_loaded = document.loads.iter().any(|loaded| loaded == link);
                return if is_loaded {
                    Err("which is another host's")
                } else {
                    Ok(())
                };
            }
            None => match link.strip_prefix('#') {
                Some(part) if document.anchors.contains(part) => return Ok(()),
                Some(_) => return Err("which is not on it"),
                None => resolve(path, link).ok_or("which is outside the site")?,
            },
        };
        let file = to.split(['#', '?']).next().unwrap_or_default();
        match site.contains_key(file) {
            true => Ok(()),
            false => Err("which does not exist"),
        }
    }

    /// Whether everything that is published of a day says the same as its JSON does, and its mail would. `changed` are the
    /// files of it that did.
    fn compare(&self, changed: Vec<Document>, site: &HashMap<&str, &Item>) -> Result<Vec<String>> {
        let Some(day) = changed
            .first()
            .and_then(|first| day_of(first.path()))
            .map(str::to_owned)
        else {
            return Ok(Vec::new());
        };
        let json = format!("daily/{day}/report.json");
        let Some(item) = site.get(json.as_str()) else {
            return Ok(vec![format!("`{json}` is missing beside the other files of that day")]);
        };
        let report: DailyReport = match serde_json::from_slice(&item.artifact()?.bytes) {
            Ok(report) => report,
            Err(error) => return Ok(vec![format!("`{json}` is damaged: {error}")]),
        };
        let mail = DailyMail {
            report: &report,
            pdf: &[],
            chart_png: &[],
            page_url: None,
            index_url: None,
        };
        let mail = render::daily_report(self.site.templates, &mail, "nobody@deloton.invalid")?;
        let mail_size = mail.html.len();
        let mut documents = changed;
        for name in ["index.html", "report.pdf"] {
            let path = format!("daily/{day}/{name}");
            let unchanged = site
                .get(path.as_str())
                .filter(|_| documents.iter().all(|changed| changed.path() != path));
            if let Some(item) = unchanged {
                documents.push(Document::read(&path, &item.artifact()?.bytes)?);
            }
        }
        documents.push(Document::read("the mail.html", mail.html.as_bytes())?);
        documents.push(Document::read("the mail.txt", mail.text.as_bytes())?);
        let mut problems = Vec::new();
        if mail_size >= HTML_MAX_BYTES {
            problems.push(format!(
                "the mail of {day} would have {mail_size} bytes of HTML: Gmail cuts it short"
            ));
        }
        for document in documents.iter().filter(|document| document.has_headlines()) {
            let missing = report.headlines.iter().filter_map(|headline| {
                let label = words::label(headline.key);
                let figures = [words::figure, words::figure_short].map(|figure| figure(headline.key, headline.value));
                (!document.says(label, &figures)).then(|| format!("`{label}: {}`", figures[0]))
            });
            let missing: Vec<_> = missing.collect();
            if !missing.is_empty() {
                problems.push(format!(
                    "`{}` of {day} does not say {}, as its report.json does",
                    document.name(),
                    missing.join(", ")
                ));
            }
        }
        Ok(problems)
    }

    /// What the product itself says on a page, whoever rode: a rider may be called `Mean Power`.
    fn own_phrases(&self) -> Result<Phrases> {
        let mut phrases = Phrases::default();
        let site = report::sample_site(self.site.templates, "")?;
        for artifact in site.iter().filter(|artifact| !is_asset(&artifact.path)) {
            phrases.add(&Document::read(&artifact.path, &artifact.bytes)?);
        }
        Ok(phrases)
    }
}

/// Whether `path` is compiled in, and the same whoever rode.
fn is_asset(path: &str) -> bool {
    path.starts_with("static/")
}

/// The day whose file `path` is.
fn day_of(path: &str) -> Option<&str> {
    path.strip_prefix("daily/")?.split_once('/').map(|(day, _)| day)
}

fn too_large(path: &str, bytes: usize, document: &Document, sizes: &HashMap<&str, usize>) -> Option<String> {
    day_of(path)?;
    if path.ends_with(".pdf") {
        return (bytes >= PDF_MAX_BYTES).then(|| format!("`{path}` has {bytes} bytes, of at most {PDF_MAX_BYTES}"));
    }
    if !path.ends_with(".html") {
        return None;
    }
    let loaded = document.loads.iter().filter_map(|link| resolve(path, link));
    let all = bytes + loaded.filter_map(|path| sizes.get(path.as_str())).sum::<usize>();
    (all >= PAGE_MAX_BYTES)
        .then(|| format!("`{path}` has {all} bytes with its style sheet and its font, of at most {PAGE_MAX_BYTES}"))
}
