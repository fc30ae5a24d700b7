-- Which stream told of which ride. Where the store held the ride before, `is_again`: its seconds are compared with the
-- stored ones, and its row is made from all of them.
create table ops.ride_source (
    ride_id uuid not null, source varchar not null, topic varchar not null, partition integer not null,
    is_again boolean not null
);

-- What tells this store from those of the other consumers in its Kafka group.
create table ops.node as select uuid() as node_id;

-- Rides that end before this offset are those of the consumer that gave the partition up.
alter table ops.stream add column taken_over_until bigint;

-- Messages that were gone before they could be read; `to_offset` below `from_offset`: the log was made anew.
create table ops.gap (
    source varchar not null, topic varchar not null, partition integer not null,
    from_offset bigint not null, to_offset bigint not null, found_at timestamptz not null
);
