//! A partition's place in the stream, when it changes other than by reading on.

use std::collections::HashSet;

use duckdb::params;
use uuid::Uuid;

use super::{Doing, Result, Store, ride_source, value};
use crate::domain::batch::{Gap, Reposition, StreamId};

impl Store {
    /// What tells this store from those of the other consumers in its Kafka group.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn node_id(&self) -> Result<String> {
        self.connection()?
            .query_row("select node_id::varchar from ops.node", [], |row| row.get(0))
            .doing(|| "cannot read which node of the Kafka group this is".to_owned())
    }

    /// Moves a partition to another place and drops `rides`, which are under way there and are another consumer's from
    /// now on.
    ///
    /// # Errors
    /// When the database cannot be written; everything is as it was then.
    pub fn reposition(&self, stream: &StreamId, to: &Reposition, rides: &HashSet<Uuid>) -> Result<()> {
        let doing = || format!("cannot give up the rides under way in partition {}", to.partition);
        self.transaction(doing, |connection| {
            ride_source::drop_rides(connection, rides)?;
            connection
                .execute(
                    "delete from ops.checkpoint where source = ? and topic = ? and partition = ?",
                    params![stream.source, stream.topic, to.partition],
                )
                .doing(doing)?;
            let place = params![
                stream.source,
                stream.topic,
                to.partition,
                to.next_offset,
                to.taken_over_until,
                value::timestamp(self.clock().now()),
            ];
            if connection
                .execute(include_str!("sql/move_stream.sql"), place)
                .doing(doing)?
                == 0
            {
                connection
                    .execute(include_str!("sql/begin_stream.sql"), place)
                    .doing(doing)?;
            }
            Ok(())
        })
    }

    /// Writes down that messages were gone before they could be read; once, however often it is found.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn record_gap(&self, stream: &StreamId, gap: &Gap) -> Result<()> {
        let doing = || format!("cannot write down a gap in partition {}", gap.partition);
        self.transaction(doing, |connection| {
            connection
                .execute(
                    include_str!("sql/record_gap.sql"),
                    params![
                        stream.source,
                        stream.topic,
                        gap.partition,
                        gap.from,
                        gap.to,
                        value::timestamp(self.clock().now())
                    ],
                )
                .doing(doing)?;
            // Of a log that was made anew nobody has kept anything: offsets of the old one say nothing of it.
            if gap.to < gap.from {
                for sql in [
                    "update ops.stream set next_offset = $4, taken_over_until = null, counted_until = 0
                     where source = $1 and topic = $2 and partition = $3",
                    "delete from ops.checkpoint
                     where source = $1 and topic = $2 and partition = $3 and next_offset > $4",
                ] {
                    connection
                        .execute(sql, params![stream.source, stream.topic, gap.partition, gap.to])
                        .doing(doing)?;
                }
            }
            Ok(())
        })
    }

    /// The gaps found in a stream, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn gaps(&self, stream: &StreamId) -> Result<Vec<Gap>> {
        let doing = || format!("cannot read the gaps of `{}`", stream.topic);
        let connection = self.connection()?;
        let mut statement = connection.prepare(include_str!("sql/gaps.sql")).doing(doing)?;
        let rows = statement
            .query_map(params![stream.source, stream.topic], |row| {
                Ok(Gap {
                    partition: row.get(0)?,
                    from: row.get(1)?,
                    to: row.get(2)?,
                })
            })
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }
}
