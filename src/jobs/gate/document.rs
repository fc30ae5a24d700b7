//! A file of the site as a reader has it: its words, and where it leads.

use std::{collections::HashSet, convert::Infallible};

use anyhow::{Context, Result};
use html5gum::{Token, Tokenizer, emitters::default::DefaultEmitter};

/// Attributes that hold shapes and looks, of which there are thousands in a chart.
const DRAWN: [&[u8]; 6] = [b"class", b"d", b"points", b"style", b"transform", b"viewBox"];

/// What a reader finds in a file.
#[derive(Debug, Default)]
pub(super) struct Document {
    path: String,
    /// Pieces of text in the order they are read, without markup, every space a plain one.
    pub texts: Vec<String>,
    /// What elements say of themselves: titles, labels, descriptions.
    pub attributes: Vec<String>,
    /// Where it leads: what it links to and what it loads, as written.
    pub links: Vec<String>,
    /// What a browser loads with it.
    pub loads: Vec<String>,
    /// The places in it that can be linked to.
    pub anchors: HashSet<String>,
}

impl Document {
    /// Reads the file `bytes`, which is what the ending of `path` says.
    ///
    /// # Errors
    /// When it is not that.
    pub(super) fn read(path: &str, bytes: &[u8]) -> Result<Document> {
        let mut document = Document {
            path: path.to_owned(),
            ..Document::default()
        };
        match path.rsplit('.').next().unwrap_or_default() {
            "html" | "xml" => document.read_markup(std::str::from_utf8(bytes)?),
            "pdf" => document.read_pdf(bytes)?,
            "txt" => document.add_pieces(std::str::from_utf8(bytes)?, &['\n']),
            _ => document.add_pieces(std::str::from_utf8(bytes)?, &[',', '"', '\r', '\n']),
        }
        Ok(document)
    }

    /// Its file name.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The path it has on the site.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether it says every headline of its day: the page, the PDF, the mail.
    pub(super) fn has_headlines(&self) -> bool {
        ["html", "pdf", "txt"].iter().any(|ending| self.path.ends_with(ending))
    }

    /// Whether a reader who looks for `label` finds one of `figures` beside it, and no other before that.
    pub(super) fn says(&self, label: &str, figures: &[String]) -> bool {
        let figures: Vec<_> = figures.iter().map(|figure| plain_spaces(figure)).collect();
        let in_one = |text: &str| {
            let after = text.trim_start_matches("- ").strip_prefix(label);
            let after = after.and_then(|rest| rest.strip_prefix(": "));
            after.is_some_and(|rest| figures.iter().any(|figure| starts_with_whole(rest, figure)))
        };
        let in_two = |pair: &[String]| pair[0] == label && figures.contains(&pair[1]);
        let begins_with_digit = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
        // A tile that is wrong is not made good by a table after it that is right. What comes later may be a chart's.
        let mut pairs = self.texts.windows(2);
        match pairs.find(|pair| pair[0] == label && begins_with_digit(&pair[1])) {
            Some(pair) => in_two(pair),
            None => self.texts.iter().any(|text| in_one(text)) || self.texts.windows(2).any(in_two),
        }
    }

    fn read_markup(&mut self, markup: &str) {
        let mut emitter = DefaultEmitter::<()>::default();
        emitter.naively_switch_states(true);
        for token in Tokenizer::new_with_emitter(markup, emitter) {
            let token = token.unwrap_or_else(|never: Infallible| match never {});
            match token {
                Token::String(text) => self.add(&lossy(&text)),
                Token::StartTag(tag) => {
                    let name = lossy(&tag.name);
                    let value = |wanted: &str| {
                        let found = tag
                            .attributes
                            .iter()
                            .find(|(name, _)| name.as_slice() == wanted.as_bytes());
                        found.map(|(_, value)| lossy(value))
                    };
                    let link = value("href").or_else(|| value("src")).or_else(|| value("xlink:href"));
                    let is_loaded = matches!(name.as_str(), "img" | "script" | "iframe" | "source")
                        || name == "link"
                            && value("rel").is_some_and(|rel| matches!(rel.as_str(), "stylesheet" | "icon"));
                    // What an SVG uses of itself has no address.
                    if let Some(link) = link.filter(|link| !link.starts_with("cid:") && !link.starts_with("data:")) {
                        if is_loaded {
                            self.loads.push(link.clone());
                        }
                        self.links.push(link);
                    }
                    self.anchors.extend(value("id"));
                    let said = tag
                        .attributes
                        .iter()
                        .filter(|(name, _)| !DRAWN.contains(&name.as_slice()));
                    self.attributes
                        .extend(said.map(|(_, value)| plain_spaces(&lossy(value))));
                }
                _ => {}
            }
        }
        // The addresses of a sitemap are its text.
        if self.path.ends_with("sitemap.xml") {
            let addresses = self
                .texts
                .iter()
                .filter(|text| text.contains("://") && !text.contains("sitemaps.org"));
            self.links.extend(addresses.cloned().collect::<Vec<_>>());
            self.links.retain(|link| !link.contains("sitemaps.org"));
        }
    }

    fn read_pdf(&mut self, bytes: &[u8]) -> Result<()> {
        let document = lopdf::Document::load_mem(bytes).context("it is no PDF")?;
        let pages: Vec<u32> = document.get_pages().keys().copied().collect();
        let text = document.extract_text(&pages).context("its text cannot be read")?;
        self.add_pieces(&text, &['\n']);
        Ok(())
    }

    fn add_pieces(&mut self, text: &str, between: &[char]) {
        text.split(between).for_each(|piece| self.add(piece));
    }

    fn add(&mut self, text: &str) {
        let text = plain_spaces(text);
        if !text.is_empty() {
            self.texts.push(text);
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The text with one plain space wherever there is space of any kind.
fn plain_spaces(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `text` begins with `figure`, and not with a longer number.
fn starts_with_whole(text: &str, figure: &str) -> bool {
    text.strip_prefix(figure)
        .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == ','))
}

/// The path that `link` on the page at `path` leads to; none where that is outside the site.
pub(super) fn resolve(path: &str, link: &str) -> Option<String> {
    let link = link.split(['#', '?']).next().unwrap_or_default();
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()?),
            "." => {}
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_a_browser_shows_it() {
        let page = "<p id=\"top\">O&#x27;Neil rode 12\u{202f}km</p><a href=\"../x.html?a=1&amp;b=2\">there</a>\
                    <link rel=stylesheet href='s.css'><!-- not <this> --><script>var a = '<p>';</script>";
        let document = Document::read("daily/x/index.html", page.as_bytes()).unwrap();
        assert!(document.texts.contains(&"O'Neil rode 12 km".to_owned()));
        assert_eq!(document.links, ["../x.html?a=1&b=2", "s.css"]);
        assert_eq!(document.loads, ["s.css"]);
        assert!(document.anchors.contains("top"));
    }

    #[test]
    fn a_figure_counts_only_beside_its_label_and_whole() {
        let says = |text: &str, figure: &str| {
            let document = Document::read("a.html", text.as_bytes()).unwrap();
            document.says("Rides", &[figure.to_owned()])
        };
        assert!(says("<dt>Rides</dt> <dd>3,412</dd>", "3,412"));
        assert!(says("- Rides: 3,412 (▲ 3 %)", "3,412"));
        let mail = Document::read("mail.txt", "Rides: 3,412\nRiders: 12".as_bytes()).unwrap();
        assert!(mail.says("Rides", &["3,412".to_owned()]));
        assert!(!says("<dt>Riders</dt><dd>3,412</dd>", "3,412"));
        assert!(!says("<dt>Rides</dt><dd>3,413</dd><dd>3,412</dd>", "3,412"));
        assert!(!says("Rides: 3,412", "3"));
        assert!(!says(
            "<dt>Rides</dt><dd>999</dd> <table><td>Rides<td>3,412</table>",
            "3,412"
        ));
        assert!(says("<th>Rides<td>12 <th>Rides<th>Riders", "12"));
    }

    #[test]
    fn links_lead_from_where_they_stand_and_not_out_of_the_site() {
        assert_eq!(
            resolve("daily/d/index.html", "../../index.html").as_deref(),
            Some("index.html")
        );
        assert_eq!(
            resolve("daily/d/index.html", "report.pdf#page=2").as_deref(),
            Some("daily/d/report.pdf")
        );
        assert_eq!(resolve("index.html", "../secret"), None);
    }
}
