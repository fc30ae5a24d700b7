//! Dashboards: rows and columns of zones, and where each comes to lie.

use super::{
    field::Pill,
    identity,
    look::{self, Ink},
    sheet,
    source::DataSource,
    xml::Element,
};

/// Width and height of every dashboard, in pixels.
pub(super) const SIZE: (u32, u32) = (1200, 800);
/// What Tableau measures zones in: parts of the width, and of the height.
const WHOLE: u32 = 100_000;

/// A dashboard.
#[derive(Debug)]
pub(super) struct Dashboard {
    pub(super) name: String,
    pub(super) zone: Zone,
}

/// A part of a dashboard.
#[derive(Debug)]
pub(super) struct Zone {
    /// Pixels along the row or column that it is in; without it, an equal share of what others leave.
    size: Option<u32>,
    holds: Holds,
}

/// What a zone holds.
#[derive(Debug)]
enum Holds {
    /// Zones beside each other.
    Row(Vec<Zone>),
    /// Zones below each other.
    Column(Vec<Zone>),
    /// The worksheet of that name.
    Sheet { name: String },
    /// Lines of text.
    Text {
        lines: Vec<(Ink, String)>,
        ground: &'static str,
    },
    /// The control of a sheet's filter.
    Filter { sheet: String, pill: Pill },
    /// What the colours of a sheet's marks mean.
    Legend { sheet: String, pill: Pill },
    /// A button to another dashboard.
    Button { to: String },
    /// Nothing.
    Space,
}

impl Zone {
    fn of(holds: Holds) -> Self {
        Zone { size: None, holds }
    }

    pub(super) fn row(zones: Vec<Zone>) -> Self {
        Zone::of(Holds::Row(zones))
    }

    pub(super) fn column(zones: Vec<Zone>) -> Self {
        Zone::of(Holds::Column(zones))
    }

    pub(super) fn sheet(name: &str) -> Self {
        Zone::of(Holds::Sheet { name: name.to_owned() })
    }

    pub(super) fn text(lines: Vec<(Ink, String)>) -> Self {
        Zone::of(Holds::Text {
            lines,
            ground: look::SURFACE,
        })
    }

    /// The control of a sheet's filter: a list to tick values in, or two ends to move.
    pub(super) fn filter(sheet: &str, pill: Pill) -> Self {
        Zone::of(Holds::Filter {
            sheet: sheet.to_owned(),
            pill,
        })
    }

    /// What the colours of a sheet's marks mean.
    pub(super) fn legend(sheet: &str, pill: Pill) -> Self {
        Zone::of(Holds::Legend {
            sheet: sheet.to_owned(),
            pill,
        })
    }

    pub(super) fn space() -> Self {
        Zone::of(Holds::Space)
    }

    /// A button to each of `dashboards`, and a mark where one is.
    pub(super) fn navigation(dashboards: &[String], here: &str) -> Self {
        let button = |name: &String| {
            let holds = if name == here {
                Holds::Text {
                    lines: vec![(Ink::Here, name.clone())],
                    ground: look::ACCENT,
                }
            } else {
                Holds::Button { to: name.clone() }
            };
            Zone::of(holds).px(40)
        };
        let mut zones: Vec<Zone> = dashboards.iter().map(button).collect();
        zones.push(Zone::space());
        Zone::column(zones).px(170)
    }

    /// Of so many pixels along the row or column that it is in.
    pub(super) fn px(mut self, size: u32) -> Self {
        self.size = Some(size);
        self
    }

    /// The zones directly within.
    fn inside(&self) -> &[Zone] {
        match &self.holds {
            Holds::Row(zones) | Holds::Column(zones) => zones,
            _ => &[],
        }
    }

    fn visit<'a>(&'a self, visitor: &mut dyn FnMut(&'a Holds)) {
        visitor(&self.holds);
        for zone in self.inside() {
            zone.visit(visitor);
        }
    }
}

/// Where a zone lies, in pixels.
#[derive(Debug, Clone, Copy)]
struct Place {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

/// Lays zones out and numbers them.
struct Arranger<'a> {
    workbook: &'a str,
    last_id: u32,
}

impl Arranger<'_> {
    fn zone(&mut self, zone: &Zone, place: Place) -> Element {
        self.last_id += 1;
        // Edges are converted, not widths: what meets in pixels meets here.
        let across = |pixels: u32| pixels * WHOLE / SIZE.0;
        let down = |pixels: u32| pixels * WHOLE / SIZE.1;
        let (x, y) = (across(place.x), down(place.y));
        let mut element = Element::new("zone");
        if let Some(size) = zone.size {
            element = element.attr("fixed-size", size).attr("is-fixed", "true");
        }
        let element = element
            .attr("h", down(place.y + place.height) - y)
            .attr("id", self.last_id)
            .attr("w", across(place.x + place.width) - x)
            .attr("x", x)
            .attr("y", y);
        let margin = |size: u32, ground: &str| {
            Element::new("zone-style").children([
                look::format("border-style", "none"),
                look::format("margin", &size.to_string()),
                look::format("background-color", ground),
            ])
        };
        match &zone.holds {
            Holds::Row(zones) => element
                .attr("param", "horz")
                .attr("type-v2", "layout-flow")
                .children(self.along(zones, place, true)),
            Holds::Column(zones) => element
                .attr("param", "vert")
                .attr("type-v2", "layout-flow")
                .children(self.along(zones, place, false)),
            Holds::Sheet { name } => element.attr("name", name).child(margin(6, look::SURFACE)),
            Holds::Text { lines, ground } => element
                .attr("type-v2", "text")
                .child(look::text(lines))
                .child(margin(6, ground)),
            Holds::Filter { sheet, pill } => element
                .attr("name", sheet)
                .attr("param", pill.qualified())
                .attr("type-v2", "filter")
                .child(margin(6, look::SURFACE)),
            Holds::Legend { sheet, pill } => element
                .attr("name", sheet)
                .attr("pane-specification-id", 0)
                .attr("param", pill.qualified())
                .attr("type-v2", "color")
                .child(margin(6, look::SURFACE)),
            Holds::Button { to } => {
                let font = Element::new("button-caption-font-style")
                    .attr("fontcolor", look::ACCENT)
                    .attr("fontname", look::BOLD)
                    .attr("fontsize", 10);
                let shown = Element::new("button-visual-state")
                    .child(Element::new("caption").text(to))
                    .child(font)
                    .child(look::format("background-color", look::PAGE));
                let window = identity::braced(&[self.workbook, "window", to]);
                element
                    .attr("type-v2", "dashboard-object")
                    .child(
                        Element::new("button")
                            .attr("action", format!("tabdoc:goto-sheet window-id=\"{window}\""))
                            .attr("button-type", "text")
                            .child(shown),
                    )
                    .child(margin(4, look::SURFACE))
            }
            Holds::Space => element.attr("type-v2", "empty"),
        }
    }

    fn along(&mut self, zones: &[Zone], place: Place, is_row: bool) -> Vec<Element> {
        let length = if is_row { place.width } else { place.height };
        let told: u32 = zones.iter().filter_map(|zone| zone.size).sum();
        let mut sharers = zones.iter().filter(|zone| zone.size.is_none()).count() as u32;
        let mut shared = length.saturating_sub(told);
        let mut at = 0;
        let mut elements = Vec::new();
        for zone in zones {
            let size = zone.size.unwrap_or_else(|| {
                // The last of them takes what division leaves.
                let share = shared / sharers;
                shared -= share;
                sharers -= 1;
                share
            });
            let inner = if is_row {
                Place {
                    x: place.x + at,
                    width: size,
                    ..place
                }
            } else {
                Place {
                    y: place.y + at,
                    height: size,
                    ..place
                }
            };
            elements.push(self.zone(zone, inner));
            at += size;
        }
        elements
    }
}

impl Dashboard {
    /// The names of the sheets that it shows.
    pub(super) fn sheets(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.zone.visit(&mut |holds| {
            if let Holds::Sheet { name } = holds {
                names.push(name.as_str());
            }
        });
        names
    }

    /// `<dashboard>`.
    pub(super) fn element(&self, workbook: &str, source: &DataSource) -> Element {
        let mut used: Vec<&Pill> = Vec::new();
        self.zone.visit(&mut |holds| {
            if let Holds::Filter { pill, .. } | Holds::Legend { pill, .. } = holds {
                used.push(pill);
            }
        });
        used.sort_by_key(|pill| pill.name());
        let (width, height) = SIZE;
        let whole = Place {
            x: 0,
            y: 0,
            width,
            height,
        };
        let mut arranger = Arranger { workbook, last_id: 1 };
        let outermost = Element::new("zone")
            .attr("h", WHOLE)
            .attr("id", 1)
            .attr("type-v2", "layout-basic")
            .attr("w", WHOLE)
            .attr("x", 0)
            .attr("y", 0)
            .child(arranger.zone(&self.zone, whole));
        Element::new("dashboard")
            .attr("name", &self.name)
            .child(Element::new("style"))
            .child(
                Element::new("size")
                    .attr("maxheight", height)
                    .attr("maxwidth", width)
                    .attr("minheight", height)
                    .attr("minwidth", width),
            )
            .child(Element::new("datasources").child(source.reference()))
            .child(sheet::dependencies(source, &used))
            .child(Element::new("zones").child(outermost))
            .child(Element::new("simple-id").attr("uuid", identity::braced(&[workbook, "dashboard", &self.name])))
    }

    /// `<window>` of the dashboard; the first that is seen is `maximized`.
    pub(super) fn window(&self, workbook: &str, is_first: bool) -> Element {
        let viewpoints = self.sheets().into_iter().map(|name| {
            Element::new("viewpoint")
                .attr("name", name)
                .child(Element::new("zoom").attr("type", "entire-view"))
        });
        Element::new("window")
            .attr("class", "dashboard")
            .attr_if("maximized", is_first.then_some("true"))
            .attr("name", &self.name)
            .child(Element::new("viewpoints").children(viewpoints))
            .child(Element::new("active").attr("id", -1))
            .child(Element::new("simple-id").attr("uuid", identity::braced(&[workbook, "window", &self.name])))
    }
}
