-- Which stream told of which ride. Where the store held the ride before, `is_again`: its seconds are compared with the
-- stored ones, and its row is made from all of them.
create table ops.ride_source (
    ride_id uuid not null, source varchar not null, topic varchar not null, partition integer not null,
    is_again boolean not null
);
