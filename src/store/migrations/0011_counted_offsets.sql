-- Offsets at which the log had no message when it was read past them: transactions and log compaction leave such, an
-- ordinary topic has none. What `ops.gap` tells of is not among them.
alter table ops.stream add column missing_offsets bigint default 0;

-- Up to where messages were counted before a partition was given up: taken on again, it is read from the header of the
-- oldest ride under way, and what lies between is not counted twice.
alter table ops.stream add column counted_until bigint default 0;
