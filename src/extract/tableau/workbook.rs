//! A workbook as Tableau reads it: `.twb`.

use std::io;

use super::{
    SOURCE_FEATURES, USER_NAMESPACE, VERSION, WORKBOOK_FEATURES, identity,
    layout::Dashboard,
    look::{self, FONT},
    manifest,
    sheet::Sheet,
    source::DataSource,
    xml::Element,
};

/// A workbook.
#[derive(Debug)]
pub(super) struct Workbook {
    /// `deloton-leaderboards`: its file's name without the ending.
    pub(super) name: &'static str,
    pub(super) source: DataSource,
    pub(super) sheets: Vec<Sheet>,
    /// The first is the one that opens.
    pub(super) dashboards: Vec<Dashboard>,
}

impl Workbook {
    /// The document.
    ///
    /// # Errors
    /// None in memory; the signature is the writer's.
    pub(super) fn document(&self) -> io::Result<Vec<u8>> {
        let preferences = [("ui.encoding.shelf.height", 24), ("ui.shelf.height", 26)]
            .map(|(name, value)| Element::new("preference").attr("name", name).attr("value", value));
        let sheets = self.sheets.iter().map(|sheet| sheet.element(self.name, &self.source));
        let dashboards = self
            .dashboards
            .iter()
            .map(|dashboard| dashboard.element(self.name, &self.source));
        Element::new("workbook")
            .attr("original-version", VERSION)
            .attr("source-build", "2026.1.1 (20261.26.0410.0924)")
            .attr("version", VERSION)
            .attr("xmlns:user", USER_NAMESPACE)
            .child(manifest(SOURCE_FEATURES.into_iter().chain(WORKBOOK_FEATURES)))
            .child(Element::new("preferences").children(preferences))
            .child(Element::new("style").child(look::rule("all", [look::format("font-family", FONT)])))
            .child(Element::new("datasources").child(self.source.element()))
            .child(Element::new("worksheets").children(sheets))
            .child(Element::new("dashboards").children(dashboards))
            .child(self.windows())
            .child(explanations())
            .document()
    }

    /// The tabs: the dashboards. Sheets are seen on these; their own tabs are hidden.
    fn windows(&self) -> Element {
        let dashboards = self
            .dashboards
            .iter()
            .enumerate()
            .map(|(index, dashboard)| dashboard.window(self.name, index == 0));
        let card = |kind: &str| Element::new("card").attr("type", kind);
        let strip = |size: i32, cards: &[&str]| {
            Element::new("strip")
                .attr("size", size)
                .children(cards.iter().map(|kind| card(kind)))
        };
        let left = Element::new("edge")
            .attr("name", "left")
            .child(strip(160, &["pages", "filters", "marks"]));
        let top = Element::new("edge")
            .attr("name", "top")
            .children(["columns", "rows", "title"].map(|kind| strip(i32::MAX, &[kind])));
        let cards = Element::new("cards").child(left).child(top);
        let sheets = self.sheets.iter().map(|sheet| {
            Element::new("window")
                .attr("class", "worksheet")
                .attr("hidden", "true")
                .attr("name", &sheet.name)
                .child(cards.clone())
                .child(Element::new("simple-id").attr("uuid", identity::braced(&[self.name, "window", &sheet.name])))
        });
        Element::new("windows").children(dashboards).children(sheets)
    }
}

/// What Tableau may say of itself about a mark. The schema wants it said; viewers are told nothing of single rides.
fn explanations() -> Element {
    let kinds = ["number-of-records", "average-of-records", "aggregated-dimensions"].map(|kind| {
        Element::new("explanation-type")
            .attr("enabled", "true")
            .attr("type", kind)
    });
    Element::new("explain-data")
        .attr("enabled-for-viewer", "false")
        .attr("extreme-values-enabled-for-all", "false")
        .child(Element::new("explanation-types").children(kinds))
}
