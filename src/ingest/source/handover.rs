//! How consumers of one group hand a partition over, through the offset that each commits to Kafka and a note beside it.
//!
//! A consumer that gives a partition up deletes its open rides there and commits the offset of their oldest header, with
//! a note of how far it had read: `until`. The next owner begins at that header. Of what it reads before `until`, rides
//! that end there are the former owner's and not kept; those that go on are now its own. So each reading counts once over
//! both stores together.

/// The note's first word: offsets committed by other programs have none, and say nothing to us.
const MARK: &str = "deloton";

/// What a consumer of the group committed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// Who committed it.
    pub node: String,
    /// How far the partition had been read when it was given up; none while it is being read.
    pub until: Option<i64>,
}

impl Committed {
    /// The note to be committed with the offset.
    #[must_use]
    pub fn note(&self) -> String {
        match self.until {
            Some(until) => format!("{MARK} {} {until}", self.node),
            None => format!("{MARK} {}", self.node),
        }
    }

    /// Reads a committed offset and its note back; nothing where another program wrote it.
    #[must_use]
    pub fn read(offset: i64, note: &str) -> Option<Self> {
        let mut words = note.split(' ');
        if words.next() != Some(MARK) {
            return None;
        }
        let node = words.next()?.to_owned();
        let until = words.next().map(str::parse).transpose().ok()?;
        Some(Committed { offset, node, until })
    }
}

/// Where a partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Where the store left it.
    Stored,
    /// Where its former owner gave it up; rides that end before `until` are that one's.
    HandedOver { offset: i64, until: i64 },
    /// Its former owner vanished when it had got here: with the rides under way then.
    Vanished { offset: i64 },
    /// It had no owner: by the start rule.
    First,
}

impl Beginning {
    /// `stored` is the next offset in the store of this `node`.
    pub(super) fn of(stored: Option<i64>, committed: Option<&Committed>, node: &str) -> Self {
        let of_former = |committed: &Committed| match committed.until {
            Some(until) => Beginning::HandedOver {
                offset: committed.offset,
                until,
            },
            None => Beginning::Vanished {
                offset: committed.offset,
            },
        };
        match (stored, committed) {
            (None, None) => Beginning::First,
            (None, Some(committed)) => of_former(committed),
            // The group has moved on without us. Our own note beyond what we have is from before a restored backup.
            (Some(stored), Some(committed)) if committed.offset > stored && committed.node != node => {
                of_former(committed)
            }
            // Given up by one of us, and nobody has read on since.
            (Some(stored), Some(committed)) if committed.offset == stored && committed.until.is_some() => {
                of_former(committed)
            }
            (Some(_), _) => Beginning::Stored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(offset: i64, node: &str, until: Option<i64>) -> Committed {
        Committed {
            offset,
            node: node.to_owned(),
            until,
        }
    }

    #[test]
    fn a_note_is_read_back_and_others_notes_are_not_ours() {
        for until in [None, Some(70)] {
            let written = committed(40, "n1", until);
            assert_eq!(Committed::read(40, &written.note()), Some(written));
        }
        for foreign in ["", "deloton", "python-consumer 7", "deloton n1 x"] {
            assert_eq!(Committed::read(40, foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_partition_begins_where_its_readings_would_count_once() {
        let begin = |stored, committed: Option<Committed>| Beginning::of(stored, committed.as_ref(), "me");
        let handed_over = |offset, until| Beginning::HandedOver { offset, until };
        assert_eq!(begin(None, None), Beginning::First);
        assert_eq!(begin(Some(5), None), Beginning::Stored);
        assert_eq!(begin(None, Some(committed(40, "other", Some(70)))), handed_over(40, 70));
        assert_eq!(
            begin(None, Some(committed(40, "other", None))),
            Beginning::Vanished { offset: 40 }
        );
        // What Kafka was told last may be older than the store.
        assert_eq!(begin(Some(50), Some(committed(40, "me", None))), Beginning::Stored);
        assert_eq!(
            begin(Some(50), Some(committed(40, "other", Some(45)))),
            Beginning::Stored
        );
        // Others went on while we were away.
        assert_eq!(
            begin(Some(30), Some(committed(40, "other", Some(70)))),
            handed_over(40, 70)
        );
        assert_eq!(
            begin(Some(30), Some(committed(40, "other", None))),
            Beginning::Vanished { offset: 40 }
        );
        // A restored backup reads again what it lacks.
        assert_eq!(begin(Some(30), Some(committed(40, "me", None))), Beginning::Stored);
        // Given up and taken back, with nobody in between.
        assert_eq!(
            begin(Some(40), Some(committed(40, "me", Some(70)))),
            handed_over(40, 70)
        );
    }
}
