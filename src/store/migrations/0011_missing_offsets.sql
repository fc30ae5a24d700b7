-- Offsets at which the log had no message when it was read past them: transactions and log compaction leave such, an
-- ordinary topic has none. What `ops.gap` tells of is not among them.
alter table ops.stream add column missing_offsets bigint default 0;
