//! A plotters backend that writes PDF operations: crisp lines and real text instead of an image.

use std::convert::Infallible;

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
    text_anchor::HPos,
};
use printpdf::{Color, FontId, Line, LinePoint, Op, PdfFontHandle, Point, Polygon, PolygonRing, Pt, Rgb, TextItem};

use super::canvas::{PLOTTERS_FONT_FACTOR, baseline_drop};
use crate::report::font::{self, Weight};

/// Backend units for one point: plotters only knows whole units.
pub const UNITS: f64 = 10.0;

/// Names of the faces in the document's resources.
pub fn font_id(weight: Weight) -> FontId {
    FontId(match weight {
        Weight::Regular => "Inter400".to_owned(),
        Weight::SemiBold => "Inter600".to_owned(),
    })
}

/// A rectangle of a page that plotters draws into.
pub struct PdfBackend<'a> {
    /// Where the operations go.
    pub ops: &'a mut Vec<Op>,
    /// Left edge, points from the page's left.
    pub left: f64,
    /// Top edge, points from the page's bottom.
    pub top: f64,
    /// Width and height in [`UNITS`].
    pub size: (u32, u32),
}

/// Any colour of ours as the PDF's.
pub fn rgb(red: u8, green: u8, blue: u8) -> Color {
    let part = |value: u8| f32::from(value) / 255.0;
    Color::Rgb(Rgb {
        r: part(red),
        g: part(green),
        b: part(blue),
        icc_profile: None,
    })
}

/// A point in points from the bottom left corner.
#[expect(clippy::cast_possible_truncation, reason = "a page is 842 points high")]
pub fn point(x: f64, y: f64) -> Point {
    Point {
        x: Pt(x as f32),
        y: Pt(y as f32),
    }
}

/// Writes one line of text, its baseline beginning at (x, y).
#[expect(clippy::cast_possible_truncation, reason = "font sizes are small")]
pub fn write_text(ops: &mut Vec<Op>, x: f64, y: f64, text: &str, weight: Weight, size: f64, colour: Color) {
    ops.extend([
        Op::StartTextSection,
        Op::SetFont {
            font: PdfFontHandle::External(font_id(weight)),
            size: Pt(size as f32),
        },
        Op::SetFillColor { col: colour },
        Op::SetTextCursor { pos: point(x, y) },
        Op::ShowText {
            items: vec![TextItem::Text(font::showable(text))],
        },
        Op::EndTextSection,
    ]);
}

impl PdfBackend<'_> {
    fn at(&self, (x, y): BackendCoord) -> Point {
        point(self.left + f64::from(x) / UNITS, self.top - f64::from(y) / UNITS)
    }

    fn points(&self, path: impl IntoIterator<Item = BackendCoord>) -> Vec<LinePoint> {
        path.into_iter()
            .map(|coord| LinePoint {
                p: self.at(coord),
                bezier: false,
            })
            .collect()
    }

    fn fill(&mut self, points: Vec<LinePoint>, colour: BackendColor) {
        let (red, green, blue) = colour.rgb;
        let polygon = Polygon {
            rings: vec![PolygonRing { points }],
            ..Polygon::default()
        };
        self.ops.extend([
            Op::SetFillColor {
                col: rgb(red, green, blue),
            },
            Op::DrawPolygon { polygon },
        ]);
    }

    #[expect(clippy::cast_possible_truncation, reason = "strokes are a few points wide")]
    fn stroke(&mut self, points: Vec<LinePoint>, is_closed: bool, style: &impl BackendStyle) {
        let (red, green, blue) = style.color().rgb;
        self.ops.extend([
            Op::SetOutlineColor {
                col: rgb(red, green, blue),
            },
            Op::SetOutlineThickness {
                pt: Pt((f64::from(style.stroke_width()) / UNITS) as f32),
            },
            Op::DrawLine {
                line: Line { points, is_closed },
            },
        ]);
    }
}

/// What every drawing call answers: writing to memory cannot fail.
type Done = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for PdfBackend<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    fn draw_pixel(&mut self, at: BackendCoord, colour: BackendColor) -> Done {
        let (x, y) = at;
        let points = self.points([(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)]);
        self.fill(points, colour);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        let points = self.points([from, to]);
        self.stroke(points, false, style);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Done {
        let points = self.points([from, (to.0, from.1), to, (from.0, to.1)]);
        if fill {
            self.fill(points, style.color());
        } else {
            self.stroke(points, true, style);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Done {
        let points = self.points(path);
        self.stroke(points, false, style);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, fill: bool) -> Done {
        const CORNERS: u32 = 32;
        #[expect(clippy::cast_possible_truncation, reason = "a sheet is a few thousand units wide")]
        let corner = |number: u32| {
            let (sin, cos) = (std::f64::consts::TAU * f64::from(number) / f64::from(CORNERS)).sin_cos();
            let radius = f64::from(radius);
            (
                centre.0 + (radius * cos).round() as i32,
                centre.1 + (radius * sin).round() as i32,
            )
        };
        let points = self.points((0..CORNERS).map(corner));
        if fill {
            self.fill(points, style.color());
        } else {
            self.stroke(points, true, style);
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Done {
        let points = self.points(path);
        self.fill(points, style.color());
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Done {
        let weight = if matches!(style.style(), FontStyle::Bold) {
            Weight::SemiBold
        } else {
            Weight::Regular
        };
        let size = style.size() / PLOTTERS_FONT_FACTOR / UNITS;
        let width = font::width(&font::showable(text), weight, size);
        let x = self.left + f64::from(at.0) / UNITS
            - match style.anchor().h_pos {
                HPos::Left => 0.0,
                HPos::Center => width / 2.0,
                HPos::Right => width,
            };
        let y = self.top - f64::from(at.1) / UNITS - baseline_drop(style.anchor().v_pos) * size;
        let (red, green, blue) = style.color().rgb;
        write_text(self.ops, x, y, text, weight, size, rgb(red, green, blue));
        Ok(())
    }
}
