//! What somebody is to be told, and that it was.

use std::collections::BTreeMap;

use super::{
    super::plan::{Told, Trouble, overdue, untold},
    Runner,
};

impl Runner {
    /// What went wrong and was not told yet, as far as it is time to.
    #[must_use]
    pub fn troubles(&self) -> Vec<Trouble> {
        let now = self.inner.clock.now();
        untold(&self.schedule(), &self.lock().view, (self.inner.stream)(), now)
    }

    /// How many days of each job with a deadline are undone although it has passed.
    #[must_use]
    pub fn overdue(&self) -> Vec<(String, usize)> {
        overdue(&self.schedule(), &self.lock().view, self.inner.clock.now())
    }

    /// Remembers that `troubles` were told.
    ///
    /// # Errors
    /// When the ledger cannot be written; they are told again then.
    pub fn note_told(&self, troubles: &[Trouble]) -> anyhow::Result<()> {
        let now = self.inner.clock.now();
        let mut told: BTreeMap<&str, Told> = BTreeMap::new();
        for trouble in troubles {
            let told = told.entry(&trouble.job).or_default();
            if trouble.is_late() {
                told.deadlines = told.deadlines.max(Some(trouble.at()));
            } else {
                told.failures = told.failures.max(Some(trouble.at()));
            }
        }
        for (job, new) in told {
            let told = self.lock().history(job, now).told;
            let told = Told {
                failures: new.failures.or(told.failures),
                deadlines: new.deadlines.or(told.deadlines),
            };
            // Written first: what was not is told again.
            self.inner.store.note_told(job, told.failures, told.deadlines)?;
            self.lock().history(job, now).told = told;
        }
        Ok(())
    }
}
