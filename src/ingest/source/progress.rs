//! How far a consumer has got with each of its partitions: what may be handed on, and what has to be asked for again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::RawMessage;

/// When partitions are assigned or the group rebalances, librdkafka stops and starts fetching and may go on one message
/// too late. A log may lack offsets, too; so what is missing is asked for again for so long before it is taken to be so.
const UNREST: Duration = Duration::from_secs(8);

/// The assigned partitions.
#[derive(Debug, Default)]
pub(super) struct Progress(BTreeMap<i32, Next>);

/// What comes next of a partition.
#[derive(Debug, Clone, Copy)]
struct Next {
    /// The offset expected.
    offset: i64,
    /// When fetching was last begun, or disturbed by a rebalance.
    disturbed_at: Instant,
    /// Fetching has to be begun anew before anything is handed on.
    is_lost: bool,
    /// The end was reached, and nobody was told yet.
    is_at_end: bool,
}

impl Next {
    /// Whether what is missing may only have been passed over.
    fn is_in_unrest(&self) -> bool {
        self.disturbed_at.elapsed() < UNREST
    }
}

impl Progress {
    /// Begins a partition at `offset`, anew where it is there already.
    pub(super) fn begin(&mut self, partition: i32, offset: i64) {
        let tried_since = self.0.get(&partition).map(|next| next.disturbed_at);
        let next = Next {
            offset,
            disturbed_at: tried_since.unwrap_or_else(Instant::now),
            is_lost: false,
            is_at_end: false,
        };
        self.0.insert(partition, next);
    }

    /// Gives a partition up; answers whether it was assigned.
    pub(super) fn give_up(&mut self, partition: i32) -> bool {
        self.0.remove(&partition).is_some()
    }

    /// Every partition with the offset expected.
    pub(super) fn offsets(&self) -> impl Iterator<Item = (i32, i64)> {
        self.0.iter().map(|(&partition, next)| (partition, next.offset))
    }

    /// The offset expected of a partition; none where it is not assigned.
    pub(super) fn offset(&self, partition: i32) -> Option<i64> {
        self.0.get(&partition).map(|next| next.offset)
    }

    /// Whether a message may be handed on: not of a partition that was given up, nor one that was handed on before, both
    /// of which happen after a rebalance, nor one that comes too early. The next one is expected then.
    pub(super) fn admits(&mut self, message: &RawMessage<'_>) -> bool {
        match self.0.get_mut(&message.partition) {
            Some(next) if !next.is_lost && message.offset >= next.offset => {
                if message.offset > next.offset && next.is_in_unrest() {
                    next.is_lost = true;
                    return false;
                }
                (next.offset, next.is_at_end) = (message.offset + 1, false);
                true
            }
            _ => false,
        }
    }

    /// Fetching a partition has failed.
    pub(super) fn lose(&mut self, partition: i32) {
        self.0.entry(partition).and_modify(|next| next.is_lost = true);
    }

    /// The same of one that is not known.
    pub(super) fn lose_all(&mut self) {
        self.0.values_mut().for_each(|next| next.is_lost = true);
    }

    /// The partitions where fetching has to be begun anew, with the offset expected.
    pub(super) fn lost(&self) -> Vec<(i32, i64)> {
        let lost = self.0.iter().filter(|(_, next)| next.is_lost);
        lost.map(|(&partition, next)| (partition, next.offset)).collect()
    }

    /// The group rebalances.
    pub(super) fn disturb_all(&mut self) {
        self.0.values_mut().for_each(|next| next.disturbed_at = Instant::now());
    }

    /// All partitions are fetched anew, where they are.
    pub(super) fn begin_all(&mut self) {
        // Not those in unrest, or two that lack offsets would keep each other there.
        for next in self.0.values_mut().filter(|next| !next.is_in_unrest()) {
            next.disturbed_at = Instant::now();
        }
    }

    /// Fetching has come to the end of a partition, at offset `end`.
    pub(super) fn at_end(&mut self, partition: i32, end: i64) {
        if let Some(next) = self.0.get_mut(&partition) {
            let is_beyond = end > next.offset && next.is_in_unrest();
            next.is_lost |= is_beyond;
            next.is_at_end = !is_beyond;
        }
    }

    /// The partitions that have been handed on to their ends since the last call.
    pub(super) fn take_ended(&mut self) -> Vec<i32> {
        let ended = self.0.iter_mut().filter_map(|(&partition, next)| {
            let is_at_end = std::mem::take(&mut next.is_at_end);
            is_at_end.then_some(partition)
        });
        ended.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(partition: i32, offset: i64) -> RawMessage<'static> {
        RawMessage {
            partition,
            offset,
            timestamp_millis: None,
            key: None,
            payload: b"",
        }
    }

    fn begun_at(offset: i64) -> Progress {
        let mut progress = Progress::default();
        progress.begin(0, offset);
        progress
    }

    fn calm_down(progress: &mut Progress) {
        for next in progress.0.values_mut() {
            next.disturbed_at = Instant::now().checked_sub(UNREST).unwrap();
        }
    }

    #[test]
    fn messages_come_once_in_order_and_only_of_what_is_assigned() {
        let mut progress = begun_at(5);
        assert!(!progress.admits(&message(1, 5)), "another's partition");
        assert!(!progress.admits(&message(0, 4)), "from before");
        assert!(progress.admits(&message(0, 5)) && !progress.admits(&message(0, 5)));
        // Offsets may be missing in the middle.
        calm_down(&mut progress);
        assert!(progress.admits(&message(0, 9)));
        assert_eq!(progress.offset(0), Some(10));
        assert!(progress.give_up(0) && !progress.give_up(0));
        assert!(!progress.admits(&message(0, 10)));
    }

    #[test]
    fn what_is_missing_after_a_beginning_or_a_rebalance_is_asked_for_again() {
        let mut progress = begun_at(5);
        let is_asked_for_again = |progress: &mut Progress| {
            assert!(!progress.admits(&message(0, 6)));
            assert_eq!(progress.lost(), [(0, 5)]);
            assert!(!progress.admits(&message(0, 5)), "it will come again");
            progress.begin(0, 5);
        };
        is_asked_for_again(&mut progress);
        // After long enough it is taken to be missing, but not when the group rebalances again.
        calm_down(&mut progress);
        progress.disturb_all();
        is_asked_for_again(&mut progress);
        calm_down(&mut progress);
        progress.begin(0, 5);
        assert!(progress.admits(&message(0, 7)));
        assert!(progress.lost().is_empty());
    }

    #[test]
    fn an_end_further_on_than_what_came_is_not_told() {
        let mut progress = begun_at(5);
        progress.at_end(0, 6);
        assert!(progress.take_ended().is_empty());
        assert_eq!(progress.lost(), [(0, 5)]);
        progress.begin(0, 5);
        progress.at_end(0, 5);
        assert_eq!(progress.take_ended(), [0]);
        assert!(progress.take_ended().is_empty(), "once");
        // A message that came after the end was reached takes it back.
        progress.at_end(0, 5);
        assert!(progress.admits(&message(0, 5)));
        assert!(progress.take_ended().is_empty());
        // A log may end with offsets that no message has.
        calm_down(&mut progress);
        progress.at_end(0, 8);
        assert_eq!(progress.take_ended(), [0]);
    }
}
