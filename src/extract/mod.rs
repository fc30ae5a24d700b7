//! What analysts open elsewhere: tables as CSV and Parquet with a dictionary of their columns, workbooks for Tableau, and
//! Tableau's own `.hyper`. The rows come from the store; what a column means is said here, once for all of these.

pub mod dictionary;
pub mod glossary;
pub mod hyper;
pub mod manifest;
pub mod place;
pub mod table;
pub mod tableau;

/// A name or a literal of SQL, with its own quotes doubled.
fn quoted(text: &str, quote: char) -> String {
    format!("{quote}{}{quote}", text.replace(quote, &format!("{quote}{quote}")))
}
