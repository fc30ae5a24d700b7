//! How consumers of one group hand a partition over, through the offset that each commits to Kafka and a note beside it.
//!
//! A consumer that gives a partition up deletes its open rides there and commits the offset of their oldest header, with
//! a note of how far it had read: `until`. The next owner begins at that header. Of what it reads before `until`, rides
//! that end there are the former owner's and not kept; those that go on are now its own. So each reading counts once over
//! both stores together.

/// The note's first word: offsets committed by other programs have none, and say nothing to us.
const MARK: &str = "deloton";

/// Its third word.
const GIVEN_UP: &str = "given-up";
const READING: &str = "reading";

/// What a consumer of the group committed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// Who committed it.
    pub node: String,
    /// Whether the partition was given up with it. Otherwise it is being read, or its owner vanished.
    pub is_given_up: bool,
    /// Rides that end before this offset are kept by those who had the partition so far.
    pub until: i64,
}

impl Committed {
    /// The note to be committed with the offset.
    #[must_use]
    pub fn note(&self) -> String {
        let how = if self.is_given_up { GIVEN_UP } else { READING };
        format!("{MARK} {} {how} {}", self.node, self.until)
    }

    /// Reads a committed offset and its note back; nothing where another program wrote it.
    #[must_use]
    pub fn read(offset: i64, note: &str) -> Option<Self> {
        let mut words = note.split(' ');
        if words.next() != Some(MARK) {
            return None;
        }
        let node = words.next()?.to_owned();
        let is_given_up = match words.next()? {
            GIVEN_UP => true,
            READING => false,
            _ => return None,
        };
        let until = words.next()?.parse().ok()?;
        Some(Committed {
            offset,
            node,
            is_given_up,
            until,
        })
    }
}

/// Where a partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Where the store left it.
    Stored,
    /// Where its former owner gave it up; rides that end before `until` are that one's.
    HandedOver { offset: i64, until: i64 },
    /// Its former owner vanished when it had got here: with the rides under way then. Those that end before `until` are
    /// the former owners'.
    Vanished { offset: i64, until: i64 },
    /// It had no owner: by the start rule.
    First,
}

impl Beginning {
    /// `stored` is the next offset in the store of this `node`.
    pub(super) fn of(stored: Option<i64>, committed: Option<&Committed>, node: &str) -> Self {
        match (stored, committed) {
            (None, None) => Beginning::First,
            // The group has moved on without us. Our own note beyond what we have is from before a restored backup, and
            // what we gave up ourselves the store knows.
            (_, Some(committed)) if stored.is_none_or(|stored| committed.node != node && committed.until > stored) => {
                let &Committed { offset, until, .. } = committed;
                if committed.is_given_up {
                    Beginning::HandedOver { offset, until }
                } else {
                    Beginning::Vanished { offset, until }
                }
            }
            _ => Beginning::Stored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(offset: i64, node: &str, given_up_until: Option<i64>) -> Committed {
        Committed {
            offset,
            node: node.to_owned(),
            is_given_up: given_up_until.is_some(),
            until: given_up_until.unwrap_or(offset),
        }
    }

    #[test]
    fn a_note_is_read_back_and_others_notes_are_not_ours() {
        for until in [None, Some(70)] {
            let written = committed(40, "n1", until);
            assert_eq!(Committed::read(40, &written.note()), Some(written));
        }
        for foreign in ["", "deloton", "deloton n1", "python-consumer 7", "deloton n1 reading x"] {
            assert_eq!(Committed::read(40, foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_partition_begins_where_its_readings_would_count_once() {
        let begin = |stored, committed: Option<Committed>| Beginning::of(stored, committed.as_ref(), "me");
        let handed_over = |offset, until| Beginning::HandedOver { offset, until };
        let vanished = |offset, until| Beginning::Vanished { offset, until };
        assert_eq!(begin(None, None), Beginning::First);
        assert_eq!(begin(Some(5), None), Beginning::Stored);
        assert_eq!(begin(None, Some(committed(40, "other", Some(70)))), handed_over(40, 70));
        assert_eq!(begin(None, Some(committed(40, "other", None))), vanished(40, 40));
        // What Kafka was told last may be older than the store.
        assert_eq!(begin(Some(50), Some(committed(40, "me", None))), Beginning::Stored);
        assert_eq!(
            begin(Some(50), Some(committed(40, "other", Some(45)))),
            Beginning::Stored
        );
        // Others went on while we were away, even where a long ride has them begin again before that.
        assert_eq!(
            begin(Some(30), Some(committed(40, "other", Some(70)))),
            handed_over(40, 70)
        );
        assert_eq!(
            begin(Some(50), Some(committed(40, "other", Some(70)))),
            handed_over(40, 70)
        );
        assert_eq!(begin(Some(30), Some(committed(40, "other", None))), vanished(40, 40));
        // One that vanished while it still read what another had kept the rides of.
        let both = Committed {
            until: 90,
            ..committed(60, "other", None)
        };
        assert_eq!(begin(Some(30), Some(both)), vanished(60, 90));
        // A restored backup reads again what it lacks; what was given up here and taken back is known to the store.
        assert_eq!(begin(Some(30), Some(committed(40, "me", None))), Beginning::Stored);
        assert_eq!(begin(Some(40), Some(committed(40, "me", Some(70)))), Beginning::Stored);
    }
}
