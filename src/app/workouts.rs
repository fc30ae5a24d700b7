//! Deleting workouts, from the store and from what was made of them.

use anyhow::Context;
use uuid::Uuid;

use super::{App, Services};
use crate::{domain::cancel::Cancel, jobs, report::training};

impl App {
    /// Deletes a workout, from its daily file too; it stays deleted whoever tells of it again. False where there is none.
    ///
    /// # Errors
    /// When the store cannot be written: nothing is deleted then. When the daily file cannot: the job `peloton` tries again.
    pub fn delete_workout(&self, workout_id: Uuid) -> anyhow::Result<bool> {
        let was_there = self.store.delete_workout(workout_id, false)?;
        self.write_workout_files()?;
        Ok(was_there)
    }

    /// Deletes all that is known of a rider's workouts, and that there were any: from the store, the daily files, the extracts,
    /// and the site with its older editions. Answers how many there were.
    ///
    /// # Errors
    /// When something cannot be read or written; the same call made again completes it.
    pub fn forget_workouts_of(&self, rider_name: &str) -> anyhow::Result<u64> {
        let deleted = self.store.forget_workouts_of(rider_name)?;
        self.write_workout_files()?;
        self.extract_again()?;
        self.renew_training()
            .with_context(|| format!("the page of training may still show workouts of {rider_name}"))?;
        Ok(deleted)
    }

    fn write_workout_files(&self) -> anyhow::Result<u64> {
        let Services { exporter, runtime, .. } = &*self.services;
        jobs::peloton::write_files(&self.store, exporter, runtime, &Cancel::default())
    }

    /// Makes the page of training again where there is or was one, and deletes what older editions of the site kept of it.
    fn renew_training(&self) -> anyhow::Result<()> {
        let Services {
            publisher,
            runtime,
            publishing,
            ..
        } = &*self.services;
        let editions = self.editions()?;
        let changed = editions.newest_first.iter().flat_map(|edition| edition.changes.keys());
        if !changed
            .chain(&editions.paths)
            .any(|path| path.starts_with(training::FOLDER))
        {
            return Ok(());
        }
        self.publish_whatever_it_deletes()?;
        // Nobody publishes meanwhile.
        let _turn = Cancel::default().lock(publishing)?;
        runtime
            .block_on(publisher.forget_editions())
            .with_context(|| format!("cannot delete what older editions of `{}` kept", publisher.target()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{HashMap, HashSet},
        fs,
        path::Path,
    };

    use clap::Parser;

    use super::*;
    use crate::{
        config::settings::Settings,
        peloton::{Unsaid, read},
    };

    /// Made-up workouts, as the project's sample has them.
    const SAMPLE: &[u8] = include_bytes!("../../data/sample/workouts.csv");

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    /// The sample's workouts as Zenobia's and as Bea's; with daily files. `shown` wish to be on the site.
    fn open(folder: &tempfile::TempDir, runtime: &tokio::runtime::Runtime, shown: &str) -> App {
        let data = folder.path().display().to_string();
        let words = ["deloton", "--data-dir", &data, "--training-rider", shown];
        let app = App::open(Cli::parse_from(words).settings, runtime.handle()).unwrap();
        for rider_name in ["Zenobia", "Bea"] {
            let unsaid = Unsaid {
                rider_name: Some(rider_name),
                timezone: None,
                fallback: chrono_tz::UTC,
                now: "2026-07-10T12:00:00Z".parse().unwrap(),
            };
            let told = read(SAMPLE, &unsaid).unwrap().workouts;
            let long_ago = Some("2000-01-01T00:00:00Z".parse().unwrap());
            app.store.take_in_workouts(&told, &HashMap::new(), long_ago).unwrap();
        }
        app.write_workout_files().unwrap();
        app
    }

    /// The files below a folder, the database's apart, that have a text in them.
    fn with(folder: &Path, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(with(&path, text));
            } else if !path.to_string_lossy().contains("duckdb")
                && String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(text)
            {
                found.push(path.display().to_string());
            }
        }
        found
    }

    #[test]
    fn a_workout_that_is_deleted_leaves_its_daily_file_at_once() {
        let (folder, runtime) = (tempfile::tempdir().unwrap(), tokio::runtime::Runtime::new().unwrap());
        let app = open(&folder, &runtime, "Zenobia;Bea");
        let file = folder.path().join("exports/2026/05/daily_upload2026_05_04.csv");
        let lines = || fs::read_to_string(&file).unwrap().lines().count();
        let stored = app.store.workouts_of_day("2026-05-04".parse().unwrap()).unwrap();
        assert_eq!(lines(), 1 + stored.len());
        assert!(app.delete_workout(stored[0].workout_id).unwrap());
        assert_eq!(lines(), stored.len());
        assert!(!app.delete_workout(stored[0].workout_id).unwrap());
    }

    #[test]
    fn a_rider_who_is_forgotten_is_nowhere_on_the_site_nor_in_its_older_editions() {
        let (folder, runtime) = (tempfile::tempdir().unwrap(), tokio::runtime::Runtime::new().unwrap());
        let app = open(&folder, &runtime, "Zenobia;Bea");
        app.publish_whatever_it_deletes().unwrap();
        let stored = app.store.workouts_of_day("2026-05-04".parse().unwrap()).unwrap();
        let hers = stored.iter().find(|stored| stored.workout.rider_name == "Zenobia");
        app.delete_workout(hers.unwrap().workout_id).unwrap();
        app.publish_whatever_it_deletes().unwrap();
        assert!(app.editions().unwrap().newest_first.len() > 1);
        assert!(with(folder.path(), "Zenobia").len() > 8);

        assert_eq!(app.forget_workouts_of("zenobia").unwrap(), 8 - 1);
        assert_eq!(with(folder.path(), "Zenobia"), [""; 0]);
        assert!(
            !with(&folder.path().join("site/training"), "Bea").is_empty(),
            "others stay"
        );
        assert_eq!(app.editions().unwrap().newest_first.len(), 1);
        assert_eq!(app.forget_workouts_of("zenobia").unwrap(), 0);
    }

    #[test]
    fn names_that_are_empty_make_no_page_of_training() {
        let (folder, runtime) = (tempfile::tempdir().unwrap(), tokio::runtime::Runtime::new().unwrap());
        let app = open(&folder, &runtime, "; ");
        app.publish_whatever_it_deletes().unwrap();
        assert!(folder.path().join("site/index.html").exists() && !folder.path().join("site/training").exists());
    }

    #[test]
    fn a_name_with_a_comma_is_one_name() {
        let (folder, runtime) = (tempfile::tempdir().unwrap(), tokio::runtime::Runtime::new().unwrap());
        let app = open(&folder, &runtime, "zenobia ; o'hara, Bea");
        let unsaid = Unsaid {
            rider_name: Some("O'Hara, Bea"),
            timezone: None,
            fallback: chrono_tz::UTC,
            now: "2026-07-10T12:00:00Z".parse().unwrap(),
        };
        let told = read(SAMPLE, &unsaid).unwrap().workouts;
        app.store.take_in_workouts(&told, &HashMap::new(), None).unwrap();
        app.publish_whatever_it_deletes().unwrap();
        let disciplines = fs::read_to_string(folder.path().join("site/training/disciplines.csv")).unwrap();
        let riders: HashSet<&str> = disciplines
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').next())
            .collect();
        assert_eq!(riders, HashSet::from(["Zenobia", "\"O'Hara"]), "and not Bea");
    }
}
