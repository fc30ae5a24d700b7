//! A sheet to draw a chart on: plain shapes and text in CSS pixels (points in the PDF), over any plotters backend.

use plotters::{
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind},
    element::{Circle, PathElement, Rectangle, Text},
    prelude::{DrawingBackend, RGBColor},
    style::{
        Color, FontDesc, FontFamily, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    report::font::{self, FAMILY, Weight},
    template::format,
};

/// What drawing answers.
pub(crate) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Plotters' own SVG backend divides the font size it is asked for by this; ours for SVG and PDF do as it does.
pub(crate) const PLOTTERS_FONT_FACTOR: f64 = 1.24;

/// How far the baseline of a text is below the place it was asked for, in em; of SVG and PDF.
pub(crate) fn baseline_drop(position: VPos) -> f64 {
    match position {
        VPos::Top => 0.76,
        VPos::Center => 0.273,
        VPos::Bottom => -0.273,
    }
}

/// The colours of the light theme. The style sheet gives each of them its dark counterpart by its value, so a role has
/// a value of its own.
pub(crate) mod colour {
    use super::RGBColor;

    /// Text.
    pub(crate) const TEXT: RGBColor = RGBColor(0x14, 0x18, 0x1F);
    /// Less important text.
    pub(crate) const MUTED: RGBColor = RGBColor(0x56, 0x60, 0x70);
    /// Grid lines.
    pub(crate) const RULE: RGBColor = RGBColor(0xD9, 0xDE, 0xE5);
    /// Axes, edges, the group that was not stated.
    pub(crate) const CONTROL: RGBColor = RGBColor(0x86, 0x8F, 0x9C);
    /// The measure.
    pub(crate) const ACCENT: RGBColor = RGBColor(0x0B, 0x6E, 0x75);
    /// The band of what is usual.
    pub(crate) const USUAL: RGBColor = RGBColor(0xDD, 0xE3, 0xEA);
    /// Women.
    pub(crate) const PURPLE: RGBColor = RGBColor(0xA1, 0x60, 0xD8);
    /// Men.
    pub(crate) const TEAL: RGBColor = RGBColor(0x43, 0x9C, 0x90);
    /// Another gender.
    pub(crate) const OCHRE: RGBColor = RGBColor(0xAA, 0x8A, 0x1E);
    /// A trace of power.
    pub(crate) const BLUE: RGBColor = RGBColor(0x3F, 0x71, 0xA2);
    /// A trace of heart rate.
    pub(crate) const CRIMSON: RGBColor = RGBColor(0xC0, 0x2D, 0x68);
    /// A trace of resistance.
    pub(crate) const BROWN: RGBColor = RGBColor(0xA4, 0x5C, 0x18);
    /// A limit.
    pub(crate) const ALERT: RGBColor = RGBColor(0xB3, 0x26, 0x1E);
    /// The zones, from light effort to hard: also told apart by lightness alone.
    pub(crate) const ZONE_1: RGBColor = RGBColor(0x84, 0x8D, 0x9B);
    /// Zone 2.
    pub(crate) const ZONE_2: RGBColor = RGBColor(0x95, 0x75, 0x12);
    /// Zone 3.
    pub(crate) const ZONE_3: RGBColor = RGBColor(0xAB, 0x34, 0x14);
    /// Zone 4.
    pub(crate) const ZONE_4: RGBColor = RGBColor(0x7D, 0x1B, 0x48);
    /// Zone 5.
    pub(crate) const ZONE_5: RGBColor = RGBColor(0x43, 0x0E, 0x35);
    /// Classes of a map below the measure's own colour, from few to many.
    pub(crate) const TINT_1: RGBColor = RGBColor(0xDC, 0xEB, 0xEC);
    /// The second class.
    pub(crate) const TINT_2: RGBColor = RGBColor(0xAE, 0xD2, 0xD5);
    /// The third class.
    pub(crate) const TINT_3: RGBColor = RGBColor(0x7A, 0xB5, 0xBA);
    /// The fourth class.
    pub(crate) const TINT_4: RGBColor = RGBColor(0x2F, 0x83, 0x8A);
    /// What is drawn on: behind a dot.
    pub(crate) const SURFACE: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
}

/// Horizontal alignment of a text at its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// The text begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// How a backend differs from the sheet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Backend units for one unit of the sheet: backends only know whole ones.
    pub(crate) units: f64,
    /// What a font size must be multiplied by to come out as asked.
    pub(crate) font_factor: f64,
    /// How far below its point a vertically centred text must be asked for, in em, to look centred.
    pub(crate) text_drop: f64,
}

/// The sheet.
pub(crate) struct Canvas<DB: DrawingBackend> {
    area: DrawingArea<DB, Shift>,
    scale: Scale,
    /// Width in pixels.
    pub(crate) width: f64,
    /// Height in pixels.
    pub(crate) height: f64,
    /// Size of axis and note text in pixels; margins go by it.
    pub(crate) em: f64,
}

impl<DB: DrawingBackend> Canvas<DB> {
    /// A sheet that fills `area`, with text of `em` pixels.
    pub(crate) fn new(area: DrawingArea<DB, Shift>, scale: Scale, em: f64) -> Self {
        font::register();
        let (width, height) = area.dim_in_pixel();
        Canvas {
            area,
            scale,
            width: f64::from(width) / scale.units,
            height: f64::from(height) / scale.units,
            em,
        }
    }

    /// Width of `text` in the size of axis text.
    pub(crate) fn text_width(&self, text: &str, weight: Weight) -> f64 {
        font::width(text, weight, self.em)
    }

    /// A filled rectangle.
    pub(crate) fn rect(&self, x: f64, y: f64, width: f64, height: f64, colour: RGBColor) -> Drawn<DB> {
        self.area.draw(&Rectangle::new(
            [self.at(x, y), self.at(x + width, y + height)],
            colour.filled(),
        ))
    }

    /// A line through `points`, `width` pixels wide.
    pub(crate) fn line(&self, points: &[(f64, f64)], width: f64, colour: RGBColor) -> Drawn<DB> {
        let points: Vec<_> = points.iter().map(|&(x, y)| self.at(x, y)).collect();
        self.area.draw(&PathElement::new(points, self.stroke(width, colour)))
    }

    /// A dot.
    pub(crate) fn dot(&self, x: f64, y: f64, radius: f64, colour: RGBColor) -> Drawn<DB> {
        self.area
            .draw(&Circle::new(self.at(x, y), self.units(radius), colour.filled()))
    }

    /// A rectangle of thin slanted lines: what is not shown.
    pub(crate) fn hatched(&self, x: f64, y: f64, width: f64, height: f64) -> Drawn<DB> {
        let corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)];
        // To and fro in one line, which goes on along the edge.
        let mut points = corners.to_vec();
        let mut offset = 4.0;
        let mut is_back = false;
        while offset < width + height {
            let from = (x + (offset - height).max(0.0), y + offset.min(height));
            let to = (x + offset.min(width), y + (offset - width).max(0.0));
            // Around a corner of the edge, not across it.
            let corner = if is_back { (x + width, y) } else { (x, y + height) };
            let last = points[points.len() - 1];
            let next = if is_back { [to, from] } else { [from, to] };
            if points.len() > corners.len() && last.0 != next[0].0 && last.1 != next[0].1 {
                points.push(corner);
            }
            points.extend(next);
            offset += 6.0;
            is_back = !is_back;
        }
        self.line(&points, 0.75, colour::CONTROL)
    }

    /// Text of axis size, vertically centred on `y`.
    pub(crate) fn text(&self, x: f64, y: f64, text: &str, align: Align, weight: Weight, colour: RGBColor) -> Drawn<DB> {
        let position = match align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let size = self.em * self.scale.units;
        let font = FontDesc::new(FontFamily::Name(FAMILY), size * self.scale.font_factor, weight.style());
        let style = TextStyle::from(font)
            .color(&colour)
            .pos(Pos::new(position, VPos::Center));
        self.area.draw(&Text::new(
            text.to_owned(),
            self.at(x, y + self.scale.text_drop * self.em),
            style,
        ))
    }

    /// Horizontal lines at the ticks of `axis` between `left` and `right`, numbered on the left.
    pub(crate) fn grid(&self, axis: CountAxis, (left, right): (f64, f64), y: impl Fn(f64) -> f64) -> Drawn<DB> {
        for tick in axis.ticks() {
            let colour = if tick == 0.0 { colour::CONTROL } else { colour::RULE };
            self.line(&[(left, y(tick)), (right, y(tick))], 1.0, colour)?;
        }
        for tick in axis.ticks() {
            let (at, label) = (left - 0.6 * self.em, format::count(tick));
            self.text(at, y(tick), &label, Align::End, Weight::Regular, colour::MUTED)?;
        }
        Ok(())
    }

    /// The centred sentence of a chart that has nothing to draw.
    pub(crate) fn nothing(&self, why: &str) -> Drawn<DB> {
        let (x, y) = (self.width / 2.0, self.height / 2.0);
        self.text(x, y, why, Align::Middle, Weight::Regular, colour::MUTED)
    }

    fn stroke(&self, width: f64, colour: RGBColor) -> ShapeStyle {
        colour.stroke_width(self.units(width).max(1).unsigned_abs())
    }

    #[expect(clippy::cast_possible_truncation, reason = "a sheet is a few thousand units wide")]
    fn units(&self, pixels: f64) -> i32 {
        (pixels * self.scale.units).round() as i32
    }

    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        (self.units(x), self.units(y))
    }
}

/// An axis of counts from zero: round steps, three to five of them, top at or above the largest count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CountAxis {
    /// Distance between ticks.
    pub(crate) step: f64,
    /// Value at the far end.
    pub(crate) top: f64,
}

impl CountAxis {
    /// The axis that holds `largest`.
    pub(crate) fn holding(largest: f64) -> CountAxis {
        let rough = (largest.max(1.0) / 4.0).max(1.0);
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|multiple| multiple * magnitude)
            .filter(|step| step.fract() == 0.0)
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(rough.ceil());
        CountAxis {
            step,
            top: (largest / step - 1e-9).ceil().max(1.0) * step,
        }
    }

    /// Ticks from zero to the top.
    pub(crate) fn ticks(self) -> impl Iterator<Item = f64> {
        let mut next = 0.0;
        std::iter::from_fn(move || {
            let tick = next;
            next += self.step;
            (tick <= self.top + 1e-9).then_some(tick)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_whole_steps_and_hold_the_largest_count() {
        for largest in [
            0.0, 1.0, 3.0, 4.0, 7.0, 9.9, 23.0, 99.0, 100.0, 101.0, 3412.0, 128_400.0,
        ] {
            let axis = CountAxis::holding(largest);
            let ticks: Vec<f64> = axis.ticks().collect();
            assert!(
                axis.top >= largest && axis.top < largest.max(1.0) * 2.0 + 1.0,
                "{largest}: {axis:?}"
            );
            assert!((2..=6).contains(&ticks.len()), "{largest}: {ticks:?}");
            assert!(ticks.iter().all(|tick| tick.fract() == 0.0), "{largest}: {ticks:?}");
        }
    }
}
