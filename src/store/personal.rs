//! What must not be on the site.

use duckdb::Connection;

use super::{Doing, Result};

/// What says who a rider is, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// First name.
    pub forename: Option<&'a str>,
    /// Last name.
    pub surname: Option<&'a str>,
    /// The name in full, with its title.
    pub name: Option<&'a str>,
    /// House and street.
    pub street: Option<&'a str>,
    /// The town: many live there.
    pub town: Option<&'a str>,
}

/// Shows every rider to `look`, one after the other.
///
/// # Errors
/// When they cannot be read.
pub fn each_rider(connection: &Connection, mut look: impl FnMut(Identity<'_>)) -> Result<()> {
    let doing = || "failed to read the riders".to_owned();
    let mut statement = connection
        .prepare(include_str!("sql/personal_riders.sql"))
        .doing(doing)?;
    let mut rows = statement.query([]).doing(doing)?;
    while let Some(row) = rows.next().doing(doing)? {
        let text = |column| row.get::<_, Option<String>>(column).doing(doing);
        let [forename, surname, name, street, town] = [text(0)?, text(1)?, text(2)?, text(3)?, text(4)?];
        look(Identity {
            forename: forename.as_deref(),
            surname: surname.as_deref(),
            name: name.as_deref(),
            street: street.as_deref(),
            town: town.as_deref(),
        });
    }
    Ok(())
}
