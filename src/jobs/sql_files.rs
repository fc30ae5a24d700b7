//! Where the daily tables' SQL is found: a file of the jobs folder, else the one compiled in.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, anyhow};
use rust_embed::Embed;

use crate::store::sql_file::SqlFile;

/// The folder that is looked at when none is given.
const DEFAULT_DIRECTORY: &str = "jobs";

#[derive(Embed)]
#[folder = "jobs"]
struct CompiledIn;

/// The names of all daily tables there is SQL for, in order: those compiled in and those of `jobs_dir` (default:
/// `jobs` in the working directory, if there is one).
///
/// # Errors
/// A folder that was given cannot be read.
pub fn names(jobs_dir: Option<&Path>) -> Result<Vec<String>> {
    let mut names: BTreeSet<_> = CompiledIn::iter()
        .filter_map(|file| Some(file.strip_suffix(".sql")?.to_owned()))
        .collect();
    let directory = jobs_dir.unwrap_or(Path::new(DEFAULT_DIRECTORY));
    if jobs_dir.is_some() || directory.is_dir() {
        let failed = || {
            format!(
                "cannot read the jobs folder `{}`; `--jobs-dir` names it",
                directory.display()
            )
        };
        for entry in fs::read_dir(directory).with_context(failed)? {
            let file = entry.with_context(failed)?.path();
            if file.extension().is_some_and(|extension| extension == "sql") {
                names.extend(file.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
            }
        }
    }
    Ok(names.into_iter().collect())
}

/// The SQL of the daily table `name`: `<name>.sql` in `jobs_dir` (default: `jobs` in the working directory), else the
/// one compiled in.
///
/// # Errors
/// There is neither, the file cannot be read, or it is not one SELECT (see [`SqlFile::new`]).
pub fn load(jobs_dir: Option<&Path>, name: &str) -> Result<SqlFile> {
    let file_name = format!("{name}.sql");
    let path = jobs_dir.unwrap_or(Path::new(DEFAULT_DIRECTORY)).join(&file_name);
    if path.is_file() {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        return Ok(SqlFile::new(name, path.display().to_string(), text)?);
    }
    let compiled_in = CompiledIn::get(&file_name).ok_or_else(|| {
        anyhow!(
            "there is no SQL for the daily table `{name}`: `{}` does not exist, nor is one compiled in",
            path.display()
        )
    })?;
    let text = String::from_utf8_lossy(&compiled_in.data).into_owned();
    Ok(SqlFile::new(name, format!("jobs/{file_name} (compiled in)"), text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_folder_wins_over_the_one_compiled_in() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("leaderboard.sql"),
            "select 1 as mine from ride where business_day = :day",
        )
        .unwrap();
        fs::write(
            folder.path().join("daily_mine.sql"),
            "select 2 as mine from ride where business_day = :day",
        )
        .unwrap();
        let load = |name| load(Some(folder.path()), name);
        assert!(load("leaderboard").unwrap().text().contains("1 as mine"));
        assert!(load("daily_mine").unwrap().path().ends_with("daily_mine.sql"));
        assert_eq!(
            load("daily_quality").unwrap().path(),
            "jobs/daily_quality.sql (compiled in)"
        );
        let names = names(Some(folder.path())).unwrap();
        assert!(
            ["daily_mine", "daily_totals", "leaderboard"]
                .iter()
                .all(|name| names.contains(&(*name).to_owned()))
        );
        assert_eq!(names.iter().filter(|name| *name == "leaderboard").count(), 1);
    }

    #[test]
    fn what_cannot_be_found_is_named() {
        let error = load(None, "daily_nothing").unwrap_err().to_string();
        assert!(
            error.contains("`daily_nothing`") && error.contains("jobs/daily_nothing.sql"),
            "{error}"
        );
        assert!(load(None, "../Cargo").is_err());
        let error = format!("{:#}", names(Some(Path::new("/no/such/folder"))).unwrap_err());
        assert!(error.contains("/no/such/folder"), "{error}");
    }
}
