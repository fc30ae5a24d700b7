//! The two faces everything is set in: Inter 400 and 600, subset, with tabular figures; and how wide text is in them.
//! Signs that stand among figures (plus, minus, comma) are as wide as tables need them; the hyphen is that of words.

use std::{collections::BTreeMap, io::Write, sync::LazyLock};

use flate2::{Compression, write::ZlibEncoder};
use plotters::style::{FontStyle, register_font};
use printpdf::ParsedFont;

/// The family name that charts and style sheet share.
pub const FAMILY: &str = "Inter";

static REGULAR_TTF: &[u8] = include_bytes!("../../assets/fonts/Inter-400-tnum.ttf");
static SEMIBOLD_TTF: &[u8] = include_bytes!("../../assets/fonts/Inter-600-tnum.ttf");

/// Each face's file as PDFs hold it: compressed.
static DEFLATED: LazyLock<[(&[u8], Vec<u8>); 2]> =
    LazyLock::new(|| [REGULAR_TTF, SEMIBOLD_TTF].map(|face| (face, deflated(face))));

static REGULAR: LazyLock<ParsedFont> = LazyLock::new(|| parse(REGULAR_TTF));
static SEMIBOLD: LazyLock<ParsedFont> = LazyLock::new(|| parse(SEMIBOLD_TTF));
static REGISTERED: LazyLock<()> = LazyLock::new(|| {
    for (style, bytes) in [(FontStyle::Normal, REGULAR_TTF), (FontStyle::Bold, SEMIBOLD_TTF)] {
        assert!(
            register_font(FAMILY, style, bytes).is_ok(),
            "the compiled-in fonts are valid TrueType"
        );
    }
});

/// One of the two weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// 400.
    Regular,
    /// 600.
    SemiBold,
}

impl Weight {
    /// The face as the PDF writer wants it.
    #[must_use]
    pub fn face(self) -> &'static ParsedFont {
        match self {
            Weight::Regular => &REGULAR,
            Weight::SemiBold => &SEMIBOLD,
        }
    }

    /// The name charts ask plotters for.
    #[must_use]
    pub fn style(self) -> FontStyle {
        match self {
            Weight::Regular => FontStyle::Normal,
            Weight::SemiBold => FontStyle::Bold,
        }
    }
}

/// The compressed file of a face, where `bytes` is the file of one: every PDF has them, so it is done once.
#[must_use]
pub fn deflated_face(bytes: &[u8]) -> Option<&'static [u8]> {
    let found = DEFLATED.iter().find(|(face, _)| *face == bytes);
    found.map(|(_, deflated)| deflated.as_slice())
}

/// What `bytes` are when zlib has compressed them.
#[must_use]
pub fn deflated(bytes: &[u8]) -> Vec<u8> {
    // By less than all that can be had: the last twentieth would take as long as the rest.
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("memory can be written")
}

/// Makes the faces known to plotters, once.
pub fn register() {
    LazyLock::force(&REGISTERED);
}

/// Width of `text` at `size`, in the unit of `size`.
#[must_use]
pub fn width(text: &str, weight: Weight, size: f64) -> f64 {
    let face = weight.face();
    let units: u32 = text.chars().map(|character| u32::from(advance(face, character))).sum();
    f64::from(units) / f64::from(face.units_per_em) * size
}

/// `text` cut to `width`, with an ellipsis where something was cut.
#[must_use]
pub fn fitted(text: &str, weight: Weight, size: f64, available: f64) -> String {
    if width(text, weight, size) <= available {
        return text.to_owned();
    }
    let mut cut: Vec<char> = text.chars().collect();
    while cut.pop().is_some() {
        let candidate = format!("{}…", cut.iter().collect::<String>().trim_end());
        if width(&candidate, weight, size) <= available {
            return candidate;
        }
    }
    String::new()
}

/// `text` with what the faces cannot show replaced, so that nothing vanishes silently from a PDF.
#[must_use]
pub fn showable(text: &str) -> String {
    let known = |character: &char| REGULAR.codepoint_to_glyph.contains_key(&u32::from(*character));
    text.chars()
        .map(|character| if known(&character) { character } else { '?' })
        .collect()
}

fn advance(face: &ParsedFont, character: char) -> u16 {
    let glyphs: &BTreeMap<u32, u16> = &face.codepoint_to_glyph;
    let glyph = glyphs.get(&u32::from(character)).copied().unwrap_or(0);
    face.glyph_widths.get(&glyph).copied().unwrap_or(0)
}

fn parse(bytes: &'static [u8]) -> ParsedFont {
    ParsedFont::from_bytes(bytes, 0, &mut Vec::new()).expect("the compiled-in fonts are valid TrueType")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_the_report_writes_is_in_both_faces() {
        for character in "0123456789,.–−▲▼%✓·…’ \u{202f}ABCabcé".chars() {
            for weight in [Weight::Regular, Weight::SemiBold] {
                assert!(
                    weight.face().codepoint_to_glyph.contains_key(&u32::from(character)),
                    "{character:?}"
                );
            }
        }
    }

    #[test]
    fn digits_are_equally_wide_and_semibold_is_wider() {
        assert_eq!(width("111", Weight::Regular, 12.0), width("888", Weight::Regular, 12.0));
        assert!(width("Rides", Weight::SemiBold, 12.0) > width("Rides", Weight::Regular, 12.0));
    }

    #[test]
    fn a_hyphen_is_that_of_words_and_not_as_wide_as_a_figure() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            assert!(width("-", weight, 12.0) < 0.8 * width("0", weight, 12.0), "{weight:?}");
        }
    }

    #[test]
    fn long_names_are_cut_to_fit_and_unknown_signs_are_visible() {
        let cut = fitted("Llanfairpwllgwyngyllgogerychwyrndrobwll", Weight::Regular, 10.0, 80.0);
        assert!(
            cut.ends_with('…') && width(&cut, Weight::Regular, 10.0) <= 80.0,
            "{cut}"
        );
        assert_eq!(fitted("Leeds", Weight::Regular, 10.0, 80.0), "Leeds");
        assert_eq!(showable("上海"), "??");
    }
}
