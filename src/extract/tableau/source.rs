//! The data source of a workbook: where its rows are, its fields, and how the data pane sorts them.

use std::collections::BTreeMap;

use super::{
    field::{Datatype, Field},
    identity, look,
    xml::Element,
};
use crate::extract::table::Table;

/// What workbooks call their data source within.
pub(super) const NAME: &str = "federated.deloton";
/// The folder of a package that rows are in.
pub(super) const FOLDER: &str = "Data";

/// Where the rows are, below [`FOLDER`] of the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// `rides.csv`.
    Csv,
    /// `rides.hyper`.
    Hyper,
}

/// The rows of one table, with calculations over them.
#[derive(Debug)]
pub(super) struct DataSource {
    /// What its files are called.
    table: String,
    rows: Rows,
    /// The table's columns, in their order.
    columns: Vec<Field>,
    /// Further fields.
    calculations: Vec<Field>,
}

impl DataSource {
    pub(super) fn new(table: &Table, rows: Rows, mut calculations: Vec<Field>) -> Self {
        let columns: Vec<Field> = table.columns.iter().map(Field::of).collect();
        for calculation in &mut calculations {
            calculation.datatype = calculation.calculated_datatype(&columns);
        }
        DataSource {
            table: super::stem(table).to_owned(),
            rows,
            columns,
            calculations,
        }
    }

    /// The field of that name.
    ///
    /// # Panics
    /// There is none: a sheet asks for a field that its own table does not have.
    pub(super) fn field(&self, name: &str) -> &Field {
        self.fields()
            .find(|field| field.name == name)
            .unwrap_or_else(|| panic!("the data source has no field `{name}`"))
    }

    /// Every field.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.columns.iter().chain(&self.calculations)
    }

    /// The fields whose values have colours of their own. Tableau takes these from the data source, not from the sheets.
    fn coloured(&self) -> impl Iterator<Item = &Field> {
        self.fields().filter(|field| !field.colours.is_empty())
    }

    /// The file with the rows, within its folder.
    pub(super) fn file(&self) -> String {
        match self.rows {
            Rows::Csv => format!("{}.csv", self.table),
            Rows::Hyper => format!("{}.hyper", self.table),
        }
    }

    /// What people call it.
    pub(super) fn caption(&self) -> String {
        format!("Deloton {}", self.table.replace('_', " "))
    }

    /// `<datasource>` as a sheet or a dashboard refers to it.
    pub(super) fn reference(&self) -> Element {
        Element::new("datasource")
            .attr("caption", self.caption())
            .attr("name", NAME)
    }

    /// `<datasource>` as a workbook holds it.
    pub(super) fn element(&self) -> Element {
        let element = Element::new("datasource")
            .attr("caption", self.caption())
            .attr("inline", "true")
            .attr("name", NAME)
            .attr("version", super::VERSION);
        self.inside(element)
    }

    /// `<datasource>` as the root of a `.tds`.
    pub(super) fn document(&self) -> Element {
        let element = Element::new("datasource")
            .attr("formatted-name", NAME)
            .attr("inline", "true")
            .attr("version", super::VERSION)
            .attr("xmlns:user", super::USER_NAMESPACE)
            .child(super::manifest(super::SOURCE_FEATURES));
        self.inside(element)
    }

    fn inside(&self, element: Element) -> Element {
        let mut folders: BTreeMap<&str, Vec<&Field>> = BTreeMap::new();
        for field in self.fields() {
            folders.entry(field.folder).or_default().push(field);
        }
        let folders = folders.into_iter().map(|(name, fields)| {
            Element::new("folder")
                .attr("name", name)
                .children(fields.into_iter().map(|field| {
                    Element::new("folder-item")
                        .attr("name", field.bracketed())
                        .attr("type", "field")
                }))
        });
        element
            .child(self.connection())
            .child(Element::new("aliases").attr("enabled", "yes"))
            .children(self.fields().map(Field::described))
            .children(self.coloured().map(|field| field.itself().instance()))
            .child(Element::new("folders-common").children(folders))
            .child(
                // Folders are shown only where the structure of tables is not.
                Element::new("layout")
                    .attr("dim-ordering", "alphabetic")
                    .attr("measure-ordering", "alphabetic")
                    .attr("show-structure", "false"),
            )
            .child(
                Element::new("style").child(look::rule(
                    "mark",
                    self.coloured()
                        .map(|field| look::values(&field.itself().name(), field.colours)),
                )),
            )
            .child(Element::new("date-options").attr("start-of-week", "monday"))
            .child(
                Element::new("object-graph").child(
                    Element::new("objects").child(
                        Element::new("object")
                            .attr("caption", self.caption())
                            .attr("id", self.object())
                            .child(Element::new("properties").attr("context", "").child(self.relation())),
                    ),
                ),
            )
    }

    fn connection(&self) -> Element {
        let file = self.file();
        let inner = match self.rows {
            Rows::Csv => Element::new("connection")
                .attr("class", "textscan")
                .attr("directory", FOLDER)
                .attr("filename", &file)
                .attr("password", "")
                .attr("server", ""),
            Rows::Hyper => Element::new("connection")
                .attr("authentication", "auth-none")
                .attr("author-locale", "en_US")
                .attr("class", "hyper")
                .attr("dbname", format!("{FOLDER}/{file}"))
                .attr("default-settings", "yes")
                .attr("schema", "Extract")
                .attr("sslmode", "")
                .attr("tablename", "Extract")
                .attr("username", "tableau_internal_user"),
        };
        let records = self
            .columns
            .iter()
            .enumerate()
            .map(|(ordinal, field)| self.metadata(ordinal, field));
        Element::new("connection")
            .attr("class", "federated")
            .child(
                Element::new("named-connections").child(
                    Element::new("named-connection")
                        .attr("caption", &self.table)
                        .attr("name", self.connection_name())
                        .child(inner),
                ),
            )
            .child(self.relation())
            .child(Element::new("metadata-records").children(records))
    }

    fn connection_name(&self) -> String {
        match self.rows {
            Rows::Csv => format!("textscan.{}", self.table),
            Rows::Hyper => format!("hyper.{}", self.table),
        }
    }

    /// The table within its file. The columns of a CSV are told, so that nothing is guessed from the first rows.
    fn relation(&self) -> Element {
        let relation = Element::new("relation").attr("connection", self.connection_name());
        match self.rows {
            Rows::Csv => relation
                .attr("name", self.file())
                .attr("table", format!("[{}#csv]", self.table))
                .attr("type", "table")
                .child(
                    Element::new("columns")
                        .attr("character-set", "UTF-8")
                        .attr("header", "yes")
                        .attr("locale", "en_US")
                        .attr("separator", ",")
                        .children(self.columns.iter().enumerate().map(|(ordinal, field)| {
                            Element::new("column")
                                .attr("datatype", field.datatype.name())
                                .attr("name", &field.name)
                                .attr("ordinal", ordinal)
                        })),
                ),
            Rows::Hyper => relation
                .attr("name", "Extract")
                .attr("table", "[Extract].[Extract]")
                .attr("type", "table"),
        }
    }

    fn metadata(&self, ordinal: usize, field: &Field) -> Element {
        let aggregation = match field.datatype {
            Datatype::Date | Datatype::Datetime => "Year",
            Datatype::Integer | Datatype::Real => "Sum",
            Datatype::Text | Datatype::Boolean => "Count",
        };
        let parent = match self.rows {
            Rows::Csv => format!("[{}]", self.file()),
            Rows::Hyper => "[Extract]".to_owned(),
        };
        let said = |name: &'static str, text: String| Element::new(name).text(text);
        Element::new("metadata-record")
            .attr("class", "column")
            .child(said("remote-name", field.name.clone()))
            .child(said("remote-type", field.datatype.remote_type().to_string()))
            .child(said("local-name", field.bracketed()))
            .child(said("parent-name", parent))
            .child(said("remote-alias", field.name.clone()))
            .child(said("ordinal", ordinal.to_string()))
            .child(said("local-type", field.datatype.name().to_owned()))
            .child(said("aggregation", aggregation.to_owned()))
            .child(said("contains-null", "true".to_owned()))
            .child(said("object-id", format!("[{}]", self.object())))
    }

    /// What the logical table is called: its file and a number that no other table has.
    fn object(&self) -> String {
        format!(
            "{}_{}",
            self.file(),
            identity::of(&["object", &self.file()])
                .simple()
                .to_string()
                .to_uppercase()
        )
    }
}
