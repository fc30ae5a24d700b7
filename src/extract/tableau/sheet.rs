//! A worksheet: fields on rows, columns and marks, filters, and how it looks.

use super::{
    field::{Pill, Shape},
    identity,
    look::{self, Ink},
    source::DataSource,
    xml::Element,
};

/// A worksheet.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) rows: Vec<Pill>,
    pub(super) columns: Vec<Pill>,
    pub(super) mark: Mark,
    /// What colours the marks: more is darker, values have the colours of their field. Without it they are of one colour.
    pub(super) colour: Option<Pill>,
    /// What is written at the marks.
    pub(super) text: Vec<Pill>,
    pub(super) filters: Vec<Filter>,
    pub(super) sorts: Vec<Sort>,
    /// Fields whose axis is not drawn, as the marks say their values.
    pub(super) bare_axes: Vec<Pill>,
    /// Fields whose axis has its ends told: from, to, and whether it runs the other way.
    pub(super) axes: Vec<Axis>,
    /// How large the text of the marks is, in points.
    pub(super) text_size: u8,
    /// How large marks are, of what Tableau would make them.
    pub(super) mark_size: Option<f64>,
}

/// How a mark is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Bar,
    Line,
    Square,
    Text,
}

/// The ends of an axis.
#[derive(Debug)]
pub(super) struct Axis {
    pub(super) pill: Pill,
    pub(super) scope: &'static str,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) is_reversed: bool,
}

/// Which rows or marks are shown.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) pill: Pill,
    pub(super) keeps: Keeps,
    /// Sheets whose filters have the same number are filtered together.
    pub(super) group: Option<u8>,
}

/// What a filter keeps.
#[derive(Debug, Clone)]
pub(super) enum Keeps {
    /// Everything, until somebody chooses.
    All,
    /// What has a value.
    Known,
    /// Values between two, as the document writes them.
    Between(String, String),
}

/// The order of a field's values.
#[derive(Debug)]
pub(super) enum Sort {
    /// Those, from the first.
    Values(Pill, Vec<&'static str>),
    /// Those with most of a measure first.
    Most(Pill, Pill),
}

impl Sheet {
    /// A sheet of bars without anything on it.
    pub(super) fn new(name: &str, title: &str) -> Self {
        Sheet {
            name: name.to_owned(),
            title: title.to_owned(),
            rows: Vec::new(),
            columns: Vec::new(),
            mark: Mark::Bar,
            colour: None,
            text: Vec::new(),
            filters: Vec::new(),
            sorts: Vec::new(),
            bare_axes: Vec::new(),
            axes: Vec::new(),
            text_size: 9,
            mark_size: None,
        }
    }

    fn pills(&self) -> Vec<&Pill> {
        let mut pills: Vec<&Pill> = Vec::new();
        let all = self
            .rows
            .iter()
            .chain(&self.columns)
            .chain(&self.text)
            .chain(&self.colour);
        for pill in all.chain(self.filters.iter().map(|filter| &filter.pill)) {
            if !pills.contains(&pill) {
                pills.push(pill);
            }
        }
        pills.sort_by_key(|pill| pill.name());
        pills
    }

    /// `<worksheet>`.
    pub(super) fn element(&self, workbook: &str, source: &DataSource) -> Element {
        let title = look::text(&[(Ink::Title, self.title.clone())]);
        Element::new("worksheet")
            .attr("name", &self.name)
            .child(Element::new("layout-options").child(Element::new("title").child(title)))
            .child(
                Element::new("table")
                    .child(self.view(source))
                    .child(self.style())
                    .child(Element::new("panes").child(self.pane()))
                    .child(Element::new("rows").text(shelf(&self.rows)))
                    .child(Element::new("cols").text(shelf(&self.columns))),
            )
            .child(Element::new("simple-id").attr("uuid", identity::braced(&[workbook, "sheet", &self.name])))
    }

    fn view(&self, source: &DataSource) -> Element {
        let slices = self
            .filters
            .iter()
            .map(|filter| Element::new("column").text(filter.pill.qualified()));
        let mut slice = Vec::new();
        if !self.filters.is_empty() {
            slice.push(Element::new("slices").children(slices));
        }
        Element::new("view")
            .child(Element::new("datasources").child(source.reference()))
            .child(dependencies(source, &self.pills()))
            .children(self.filters.iter().map(Filter::element))
            .children(self.sorts.iter().map(Sort::element))
            .children(slice)
            .child(Element::new("aggregation").attr("value", "true"))
    }

    fn style(&self) -> Element {
        let mut axis = Element::new("style-rule").attr("element", "axis");
        for ends in &self.axes {
            axis = axis.child(ends.element());
        }
        for pill in &self.bare_axes {
            let scope = if self.rows.contains(pill) { "rows" } else { "cols" };
            axis = axis.child(
                look::format("display", "false")
                    .attr("class", 0)
                    .attr("field", pill.qualified())
                    .attr("scope", scope),
            );
        }
        let labels = look::format("display-field-labels", "false");
        let mut rules = vec![axis];
        if let Some(pill) = self.colour.as_ref().filter(|pill| pill.shape == Shape::Continuous) {
            rules.push(look::rule("mark", [look::amounts(&pill.qualified())]));
        }
        rules.extend([
            look::rule(
                "worksheet",
                [labels.clone().attr("scope", "rows"), labels.attr("scope", "cols")],
            ),
            look::rule(
                "header",
                [look::format("font-size", "9"), look::format("color", look::TEXT)],
            ),
            look::rule(
                "label",
                [look::format("font-size", "9"), look::format("color", look::TEXT)],
            ),
            look::rule("gridline", [look::format("stroke-color", look::RULE)]),
            look::rule(
                "table-div",
                ["rows", "cols"].map(|scope| look::format("line-visibility", "off").attr("scope", scope)),
            ),
        ]);
        Element::new("style").children(rules)
    }

    fn pane(&self) -> Element {
        let column = |name: &'static str, pill: &Pill| Element::new(name).attr("column", pill.qualified());
        let colour = self.colour.iter().map(|pill| column("color", pill));
        let encodings: Vec<Element> = colour
            .chain(self.text.iter().map(|pill| column("text", pill)))
            .collect();
        let mut pane = Element::new("pane")
            .attr("selection-relaxation-option", "selection-relaxation-allow")
            .child(Element::new("view").child(Element::new("breakdown").attr("value", "auto")))
            .child(Element::new("mark").attr("class", self.mark.class()));
        if !encodings.is_empty() {
            pane = pane.child(Element::new("encodings").children(encodings));
        }
        let mut formats = Vec::new();
        if self.colour.is_none() {
            formats.push(look::format("mark-color", look::ACCENT));
        }
        if let Some(size) = self.mark_size {
            formats.push(look::format("size", &size.to_string()));
        }
        if !self.text.is_empty() {
            formats.push(look::format("mark-labels-show", "true"));
            formats.push(look::format("mark-labels-cull", "true"));
        }
        // A text that is a mark itself has the size of the cell, one beside a mark that of its label.
        let size = || look::format("font-size", &self.text_size.to_string());
        pane.child(
            Element::new("style")
                .child(look::rule("cell", [size()]))
                .child(look::rule("datalabel", [size()]))
                .child(look::rule("mark", formats)),
        )
    }
}

impl Mark {
    const fn class(self) -> &'static str {
        match self {
            Mark::Bar => "Bar",
            Mark::Line => "Line",
            Mark::Square => "Square",
            Mark::Text => "Text",
        }
    }
}

impl Axis {
    fn element(&self) -> Element {
        let encoding = Element::new("encoding")
            .attr("attr", "space")
            .attr("class", 0)
            .attr("field", self.pill.qualified())
            .attr("field-type", "quantitative")
            .attr("max", self.to)
            .attr("min", self.from)
            .attr("range-type", "fixed");
        let encoding = if self.is_reversed {
            encoding.attr("reverse", "true")
        } else {
            encoding
        };
        encoding.attr("scope", self.scope).attr("type", "space")
    }
}

impl Filter {
    fn element(&self) -> Element {
        let filter = |class: &str| {
            Element::new("filter")
                .attr("class", class)
                .attr("column", self.pill.qualified())
                .attr_if("filter-group", self.group)
        };
        let level = self.pill.name();
        let members = Element::new("groupfilter")
            .attr("function", "level-members")
            .attr("level", &level);
        match &self.keeps {
            Keeps::All => filter("categorical").child(
                members
                    .attr("user:ui-enumeration", "all")
                    .attr("user:ui-marker", "enumerate"),
            ),
            Keeps::Known => {
                let unknown = ["%null%", "\"\""].map(|member| {
                    Element::new("groupfilter")
                        .attr("function", "member")
                        .attr("level", &level)
                        .attr("member", member)
                });
                filter("categorical").child(
                    Element::new("groupfilter")
                        .attr("function", "except")
                        .attr("user:ui-domain", "database")
                        .attr("user:ui-enumeration", "exclusive")
                        .attr("user:ui-marker", "enumerate")
                        .child(members)
                        .child(Element::new("groupfilter").attr("function", "union").children(unknown)),
                )
            }
            Keeps::Between(from, to) => filter("quantitative")
                .attr("included-values", "in-range")
                .child(Element::new("min").text(from))
                .child(Element::new("max").text(to)),
        }
    }
}

impl Sort {
    fn element(&self) -> Element {
        match self {
            Sort::Values(pill, values) => {
                let buckets = values
                    .iter()
                    .map(|value| Element::new("bucket").text(format!("\"{value}\"")));
                Element::new("manual-sort")
                    .attr("column", pill.qualified())
                    .attr("direction", "ASC")
                    .child(Element::new("dictionary").children(buckets))
            }
            Sort::Most(pill, measure) => Element::new("computed-sort")
                .attr("column", pill.qualified())
                .attr("direction", "DESC")
                .attr("using", measure.qualified()),
        }
    }
}

/// `<datasource-dependencies>`: the fields of `pills`, those that their formulas take, and the pills.
pub(super) fn dependencies(source: &DataSource, pills: &[&Pill]) -> Element {
    let mut names: Vec<&str> = Vec::new();
    let mut open: Vec<&str> = pills.iter().map(|pill| pill.field.as_str()).collect();
    while let Some(name) = open.pop() {
        if !names.contains(&name) {
            names.push(name);
            open.extend(source.field(name).uses());
        }
    }
    names.sort_unstable();
    Element::new("datasource-dependencies")
        .attr("datasource", super::source::NAME)
        .children(names.iter().map(|name| source.field(name).column()))
        .children(pills.iter().map(|pill| pill.instance()))
}

/// Pills on a shelf: several are nested, from the outermost.
fn shelf(pills: &[Pill]) -> String {
    match pills {
        [] => String::new(),
        [one] => one.qualified(),
        many => format!("({})", many.iter().map(Pill::qualified).collect::<Vec<_>>().join(" / ")),
    }
}
