//! Fields of a data source, and the ways in which a sheet uses them.

use super::{look, source::NAME, xml::Element};
use crate::extract::table::{Column, Kind};

/// A field: a column of the table, or a calculation over columns.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// `power_watts_mean`.
    pub(super) name: String,
    /// What people call it.
    pub(super) caption: String,
    /// What its values are.
    pub(super) datatype: Datatype,
    /// Whether it is added up rather than grouped by.
    pub(super) is_measure: bool,
    /// How it is put together when nothing else is said: `Avg`.
    pub(super) aggregation: Option<&'static str>,
    /// How numbers are written, with their unit.
    pub(super) format: Option<String>,
    /// What it is calculated from.
    pub(super) formula: Option<String>,
    /// What is shown in place of values: (value as Tableau writes it, shown).
    pub(super) aliases: &'static [(&'static str, &'static str)],
    /// The colours of values: (value as Tableau writes it, colour).
    pub(super) colours: &'static [(&'static str, &'static str)],
    /// What a value says.
    pub(super) meaning: String,
    /// The folder of the data pane that it stands in.
    pub(super) folder: &'static str,
}

/// What values are, in Tableau's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    Text,
    Integer,
    Real,
    Boolean,
    Date,
    Datetime,
}

impl Datatype {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Datatype::Text => "string",
            Datatype::Integer => "integer",
            Datatype::Real => "real",
            Datatype::Boolean => "boolean",
            Datatype::Date => "date",
            Datatype::Datetime => "datetime",
        }
    }

    /// The number by which a metadata record calls it: those of OLE DB.
    pub(super) const fn remote_type(self) -> u16 {
        match self {
            Datatype::Text => 129,
            Datatype::Integer => 20,
            Datatype::Real => 5,
            Datatype::Boolean => 11,
            Datatype::Date => 133,
            Datatype::Datetime => 135,
        }
    }
}

impl From<Kind> for Datatype {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Datatype::Text,
            Kind::Integer => Datatype::Integer,
            Kind::Number => Datatype::Real,
            Kind::Boolean => Datatype::Boolean,
            Kind::Date => Datatype::Date,
            Kind::Instant => Datatype::Datetime,
        }
    }
}

const GENDERS: &[(&str, &str)] = &[
    ("\"female\"", "Women"),
    ("\"male\"", "Men"),
    ("\"other\"", "Another gender"),
    ("\"unknown\"", "Not stated"),
];

const WEEKDAYS: &[(&str, &str)] = &[
    ("1", "Monday"),
    ("2", "Tuesday"),
    ("3", "Wednesday"),
    ("4", "Thursday"),
    ("5", "Friday"),
    ("6", "Saturday"),
    ("7", "Sunday"),
];

impl Field {
    /// The column as a field. A quantity, which has a unit, is a measure; any other number is there to be grouped by.
    pub(super) fn of(column: &Column) -> Self {
        let datatype = Datatype::from(column.kind);
        let is_number = matches!(column.kind, Kind::Integer | Kind::Number);
        let is_measure = is_number && column.unit.is_some();
        Field {
            name: column.name.clone(),
            caption: column.caption.clone(),
            datatype,
            is_measure,
            aggregation: is_measure.then(|| aggregation(&column.name)),
            format: column.unit.filter(|_| is_measure).map(|unit| {
                let places = usize::from(column.kind == Kind::Number && unit != "W" && unit != "bpm");
                number_format(unit, places)
            }),
            formula: None,
            aliases: match column.name.as_str() {
                "gender" => GENDERS,
                "weekday" => WEEKDAYS,
                _ => &[],
            },
            colours: if column.name == "gender" { look::GENDERS } else { &[] },
            meaning: column.meaning.clone(),
            folder: folder(column),
        }
    }

    /// A measure that a formula makes: of each row, or with its aggregation within of all rows of a mark.
    pub(super) fn measure(name: &str, caption: &str, formula: &str, format: String, meaning: &str) -> Self {
        Field {
            name: name.to_owned(),
            caption: caption.to_owned(),
            datatype: Datatype::Real,
            is_measure: true,
            aggregation: None,
            format: Some(format),
            formula: Some(formula.to_owned()),
            aliases: &[],
            colours: &[],
            meaning: meaning.to_owned(),
            folder: "Measures",
        }
    }

    /// A whole number that a formula makes of each row, to place it by.
    pub(super) fn place(name: &str, caption: &str, formula: String, meaning: &str) -> Self {
        Field {
            is_measure: false,
            format: None,
            folder: "Map",
            ..Field::measure(name, caption, &formula, String::new(), meaning)
        }
    }

    /// Its name in brackets, as formulas and the document have it.
    pub(super) fn bracketed(&self) -> String {
        format!("[{}]", self.name)
    }

    /// The names of the fields that its formula takes.
    pub(super) fn uses(&self) -> Vec<&str> {
        let formula = self.formula.as_deref().unwrap_or_default();
        formula
            .split('[')
            .skip(1)
            .filter_map(|rest| rest.split(']').next())
            .collect()
    }

    /// What its formula makes of `columns`: counts are whole, sums and extremes are what they are of, anything else has decimals.
    pub(super) fn calculated_datatype(&self, columns: &[Field]) -> Datatype {
        let formula = self.formula.as_deref().unwrap_or_default();
        let is_kept = formula.starts_with("MAX(") || formula.starts_with("SUM(");
        if formula.starts_with("COUNT") || formula.starts_with("CASE") {
            Datatype::Integer
        } else if is_kept && formula.ends_with(')') {
            let of = columns.iter().find(|column| self.uses() == [column.name.as_str()]);
            of.map_or(Datatype::Real, |column| column.datatype)
        } else {
            Datatype::Real
        }
    }

    /// `<column>`, as the data source declares it and each sheet that uses it repeats it.
    pub(super) fn column(&self) -> Element {
        let column_type = match self.datatype {
            _ if self.is_measure => "quantitative",
            Datatype::Text | Datatype::Boolean => "nominal",
            _ => "ordinal",
        };
        let column = Element::new("column")
            .attr_if("aggregation", self.aggregation)
            .attr("caption", &self.caption)
            .attr("datatype", self.datatype.name())
            .attr_if("default-format", self.format.as_ref())
            .attr("name", self.bracketed())
            .attr("role", if self.is_measure { "measure" } else { "dimension" })
            .attr("type", column_type)
            .children(self.formula.as_ref().map(|formula| {
                Element::new("calculation")
                    .attr("class", "tableau")
                    .attr("formula", formula)
            }));
        if self.aliases.is_empty() {
            return column;
        }
        let aliases = self
            .aliases
            .iter()
            .map(|(value, shown)| Element::new("alias").attr("key", value).attr("value", shown));
        column.child(Element::new("aliases").children(aliases))
    }

    /// `<column>` with what its values say, as the data pane shows it.
    pub(super) fn described(&self) -> Element {
        if self.meaning.is_empty() {
            return self.column();
        }
        let run = Element::new("run").text(&self.meaning);
        self.column()
            .child(Element::new("desc").child(Element::new("formatted-text").child(run)))
    }

    /// Itself, row by row: to group by, or as a range of values.
    pub(super) fn itself(&self) -> Pill {
        let shape = match self.datatype {
            _ if self.is_measure => Shape::Continuous,
            Datatype::Text | Datatype::Boolean => Shape::Nominal,
            _ => Shape::Ordinal,
        };
        Pill::new(self, "None", "none", shape)
    }

    /// Itself on an axis without gaps.
    pub(super) fn continuous(&self) -> Pill {
        Pill::new(self, "None", "none", Shape::Continuous)
    }

    /// What its formula makes of all rows of a mark.
    pub(super) fn total(&self) -> Pill {
        Pill::new(self, "User", "usr", Shape::Continuous)
    }

    /// The place of `total` among all marks of the sheet, from 1; equal values share one. As a heading or as a number.
    pub(super) fn rank(&self, shape: Shape) -> Pill {
        Pill {
            is_rank: true,
            ..Pill::new(self, "User", "rank:usr", shape)
        }
    }
}

/// A field as a sheet uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pill {
    /// The field's name.
    pub(super) field: String,
    derivation: &'static str,
    prefix: &'static str,
    pub(super) shape: Shape,
    is_rank: bool,
}

/// Whether values stand apart or on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Apart, in no order of their own.
    Nominal,
    /// Apart, in order.
    Ordinal,
    /// On an axis.
    Continuous,
}

impl Pill {
    fn new(field: &Field, derivation: &'static str, prefix: &'static str, shape: Shape) -> Self {
        Pill {
            field: field.name.clone(),
            derivation,
            prefix,
            shape,
            is_rank: false,
        }
    }

    /// `[none:gender:nk]`.
    pub(super) fn name(&self) -> String {
        let letter = match self.shape {
            Shape::Nominal => 'n',
            Shape::Ordinal => 'o',
            Shape::Continuous => 'q',
        };
        format!("[{}:{}:{letter}k]", self.prefix, self.field)
    }

    /// `[source].[none:gender:nk]`.
    pub(super) fn qualified(&self) -> String {
        format!("[{NAME}].{}", self.name())
    }

    /// `<column-instance>`: how a sheet declares it.
    pub(super) fn instance(&self) -> Element {
        let shape = match self.shape {
            Shape::Nominal => "nominal",
            Shape::Ordinal => "ordinal",
            Shape::Continuous => "quantitative",
        };
        let instance = Element::new("column-instance")
            .attr("column", format!("[{}]", self.field))
            .attr("derivation", self.derivation)
            .attr("name", self.name())
            .attr("pivot", "key")
            .attr("type", shape);
        if !self.is_rank {
            return instance;
        }
        instance.child(
            Element::new("table-calc")
                .attr("ordering-type", "Columns")
                .attr("rank-options", "Competition,Descending")
                .attr("type", "Rank"),
        )
    }
}

/// A number of `places` decimals and its unit, as Tableau writes number formats.
pub(super) fn number_format(unit: &str, places: usize) -> String {
    let number = match places {
        0 => "#,##0".to_owned(),
        _ => format!("#,##0.{}", "0".repeat(places)),
    };
    let unit = if unit.is_empty() {
        String::new()
    } else {
        format!("\" {unit}\"")
    };
    format!("n{number}{unit};-{number}{unit}")
}

fn aggregation(name: &str) -> &'static str {
    match name {
        _ if name.ends_with("_mean") => "Avg",
        _ if name.ends_with("_max") => "Max",
        _ if name.ends_with("_min") => "Min",
        "age_years" | "height_cm" | "weight_kg" => "Avg",
        _ => "Sum",
    }
}

fn folder(column: &Column) -> &'static str {
    let name = column.name.as_str();
    match name {
        _ if column.is_personal => "Personal",
        "rider" | "gender" | "age_band" | "city" | "postcode_area" | "source" => "Rider",
        "dropout_seconds" | "alert_count" => "Heart rate",
        "energy_kilojoules" => "Power and energy",
        "is_partial" | "end_reason" | "reading_count" | "flagged_readings" => "Quality",
        _ if name.starts_with("heart_rate") => "Heart rate",
        _ if name.starts_with("power") => "Power and energy",
        _ if name.starts_with("cadence") || name.starts_with("resistance") => "Cadence and resistance",
        _ => "Ride",
    }
}
