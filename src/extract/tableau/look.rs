//! Type and colour of the workbooks: those of the report, in a font that every Tableau has.

use super::xml::Element;

pub(super) const FONT: &str = "Tableau Book";
pub(super) const BOLD: &str = "Tableau Semibold";
pub(super) const TEXT: &str = "#14181f";
pub(super) const MUTED: &str = "#566070";
pub(super) const RULE: &str = "#d9dee5";
pub(super) const ACCENT: &str = "#0b6e75";
pub(super) const SURFACE: &str = "#ffffff";
pub(super) const PAGE: &str = "#f6f7f9";
/// From few to many.
const AMOUNTS: [&str; 6] = ["#e3f1f1", "#b4d9da", "#7fbdc0", "#479ba0", "#0b6e75", "#07464b"];
/// The colours of the genders, as the report has them.
pub(super) const GENDERS: &[(&str, &str)] = &[
    ("\"female\"", "#a160d8"),
    ("\"male\"", "#439c90"),
    ("\"other\"", "#aa8a1e"),
    ("\"unknown\"", "#868f9c"),
];

/// How a text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// The heading of a dashboard.
    Heading,
    /// The title of a sheet.
    Title,
    /// Anything else.
    Body,
    /// What may be passed over.
    Note,
    /// The page that one is on, among the buttons.
    Here,
}

/// `<formatted-text>` of lines.
pub(super) fn text(lines: &[(Ink, String)]) -> Element {
    let mut text = Element::new("formatted-text");
    for (index, (ink, line)) in lines.iter().enumerate() {
        if index > 0 {
            // This letter before a line break is how Tableau itself writes one.
            text = text.child(Element::new("run").text("Æ\n"));
        }
        let (font, size, colour) = match ink {
            Ink::Heading => (BOLD, 20, TEXT),
            Ink::Title => (BOLD, 12, TEXT),
            Ink::Body => (FONT, 11, TEXT),
            Ink::Note => (FONT, 9, MUTED),
            Ink::Here => (BOLD, 10, SURFACE),
        };
        text = text.child(
            Element::new("run")
                .attr("fontalignment", 0)
                .attr("fontcolor", colour)
                .attr("fontname", font)
                .attr("fontsize", size)
                .text(line),
        );
    }
    text
}

/// `<format>`.
pub(super) fn format(attribute: &str, value: &str) -> Element {
    Element::new("format").attr("attr", attribute).attr("value", value)
}

/// `<style-rule>` for an element of the workbook.
pub(super) fn rule(element: &str, formats: impl IntoIterator<Item = Element>) -> Element {
    Element::new("style-rule").attr("element", element).children(formats)
}

/// The colours of amounts of the field.
pub(super) fn amounts(field: &str) -> Element {
    let palette = Element::new("color-palette")
        .attr("custom", "true")
        .attr("name", "")
        .attr("type", "ordered-sequential")
        .children(AMOUNTS.map(|colour| Element::new("color").text(colour)));
    Element::new("encoding")
        .attr("attr", "color")
        .attr("field", field)
        .attr("type", "custom-interpolated")
        .child(palette)
}

/// The colours of the field's values.
pub(super) fn values(field: &str, colours: &[(&str, &str)]) -> Element {
    Element::new("encoding")
        .attr("attr", "color")
        .attr("field", field)
        .attr("type", "palette")
        .children(colours.iter().map(|(value, colour)| {
            Element::new("map")
                .attr("to", colour)
                .child(Element::new("bucket").text(*value))
        }))
}
