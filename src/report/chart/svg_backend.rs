//! A plotters backend that writes SVG in few bytes: what follows one another in the same style is one element.

use std::{convert::Infallible, fmt::Write as _, mem};

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
    text_anchor::HPos,
};

use super::canvas::{PLOTTERS_FONT_FACTOR, baseline_drop};

/// Shapes as SVG elements, for an element with `fill="none"` around them.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    written: String,
    run: Run,
}

/// Shapes of one style that were drawn one after the other.
#[derive(Debug, Default)]
struct Run {
    kind: Kind,
    /// What they share, as attributes.
    style: String,
    parts: Vec<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Parts of a path's data.
    #[default]
    Path,
    /// Text elements, from after the shared attributes on.
    Text,
}

impl Shapes {
    /// The elements.
    pub(super) fn finish(mut self) -> String {
        self.end_run();
        self.written
    }

    fn add(&mut self, kind: Kind, style: String, part: String) {
        if kind != self.run.kind || style != self.run.style {
            self.end_run();
            (self.run.kind, self.run.style) = (kind, style);
        }
        self.run.parts.push(part);
    }

    fn end_run(&mut self) {
        let Run { kind, style, parts } = mem::take(&mut self.run);
        match (kind, parts.as_slice()) {
            (_, []) => {}
            (Kind::Path, parts) => self.written += &format!("<path{style} d=\"{}\"/>", parts.concat()),
            (Kind::Text, [text]) => self.written += &format!("<text{style}{text}"),
            (Kind::Text, texts) => {
                let texts: String = texts.iter().map(|text| format!("<text{text}")).collect();
                self.written += &format!("<g{style}>{texts}</g>");
            }
        }
    }
}

/// A sheet that plotters draws on.
pub(super) struct SvgBackend<'a> {
    /// Where the shapes go.
    pub(super) shapes: &'a mut Shapes,
    /// Width and height in the units of the view box.
    pub(super) size: (u32, u32),
}

/// A colour as a style sheet knows it: in capitals.
fn hex(BackendColor { rgb: (r, g, b), .. }: BackendColor) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// Straight lines from point to point.
fn path(points: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut data = String::new();
    let mut points = points.into_iter();
    let Some(first) = points.next() else { return data };
    let mut last = first;
    write_to(&mut data, 'M', first);
    let mut points = points.peekable();
    while let Some(point) = points.next() {
        let by = (point.0 - last.0, point.1 - last.1);
        last = point;
        if point == first && points.peek().is_none() {
            data.push('z');
        } else {
            write_to(&mut data, 'l', by);
        }
    }
    data
}

/// A step of a path: `l` by so much, in the shortest way to say it, or `M` to there.
fn write_to(data: &mut String, step: char, (x, y): BackendCoord) {
    let written = match (step, x, y) {
        ('l', 0, y) => write!(data, "v{y}"),
        ('l', x, 0) => write!(data, "h{x}"),
        (step, x, y) if y < 0 => write!(data, "{step}{x}{y}"),
        (step, x, y) => write!(data, "{step}{x} {y}"),
    };
    written.expect("writing to memory cannot fail");
}

impl SvgBackend<'_> {
    fn fill(&mut self, colour: BackendColor, data: String) {
        self.shapes.add(Kind::Path, format!(" fill=\"{}\"", hex(colour)), data);
    }

    fn stroke(&mut self, style: &impl BackendStyle, data: String) {
        let (colour, width) = (hex(style.color()), style.stroke_width());
        let style = format!(" stroke=\"{colour}\" stroke-width=\"{width}\"");
        self.shapes.add(Kind::Path, style, data);
    }

    fn paint(&mut self, is_filled: bool, style: &impl BackendStyle, data: String) {
        if is_filled {
            self.fill(style.color(), data);
        } else {
            self.stroke(style, data);
        }
    }
}

/// What every drawing call answers: writing to memory cannot fail.
type Done = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for SvgBackend<'_> {
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

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Done {
        self.fill(colour, format!("M{x} {y}h1v1h-1z"));
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        self.stroke(style, path([from, to]));
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Done {
        let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
        self.paint(fill, style, path(corners));
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, points: I, style: &S) -> Done {
        self.stroke(style, path(points));
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, (x, y): BackendCoord, radius: u32, style: &S, fill: bool) -> Done {
        let (left, across) = (i64::from(x) - i64::from(radius), 2 * radius);
        let half = format!("a{radius} {radius} 0 1 0 ");
        self.paint(fill, style, format!("M{left} {y}{half}{across} 0{half}-{across} 0z"));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, points: I, style: &S) -> Done {
        self.fill(style.color(), path(points) + "z");
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Done {
        let size = style.size() / PLOTTERS_FONT_FACTOR;
        let anchor = match style.anchor().h_pos {
            HPos::Left => "",
            HPos::Center => " text-anchor=\"middle\"",
            HPos::Right => " text-anchor=\"end\"",
        };
        let weight = match style.style() {
            FontStyle::Bold => " font-weight=\"600\"",
            _ => "",
        };
        let shared = format!(
            " font-size=\"{size:.0}\" fill=\"{}\"{anchor}{weight}",
            hex(style.color())
        );
        let y = (f64::from(y) + baseline_drop(style.anchor().v_pos) * size).round();
        let part = format!(" x=\"{x}\" y=\"{y}\">{}</text>", super::escaped(text));
        self.shapes.add(Kind::Text, shared, part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_each_step_in_the_shortest_way_and_closes_where_it_began() {
        assert_eq!(path([(1, 2), (4, 2), (4, -3), (9, -1), (7, -4)]), "M1 2h3v-5l5 2l-2-3");
        assert_eq!(path([(1, 2), (3, 2), (3, 5), (1, 2)]), "M1 2h2v3z");
        assert_eq!(path([]), "");
    }

    #[test]
    fn only_neighbours_of_one_style_become_one_element() {
        let mut shapes = Shapes::default();
        let red = || " fill=\"red\"".to_owned();
        shapes.add(Kind::Path, red(), "M1 1h1v1z".to_owned());
        shapes.add(Kind::Path, red(), "M5 5h1v1z".to_owned());
        shapes.add(Kind::Text, red(), " x=\"1\" y=\"2\">a</text>".to_owned());
        shapes.add(Kind::Path, red(), "M9 9h1v1z".to_owned());
        assert_eq!(
            shapes.finish(),
            "<path fill=\"red\" d=\"M1 1h1v1zM5 5h1v1z\"/><text fill=\"red\" x=\"1\" y=\"2\">a</text>\
             <path fill=\"red\" d=\"M9 9h1v1z\"/>"
        );
    }
}
