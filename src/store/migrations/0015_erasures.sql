-- What was erased, who asked for it, how much it was (JSON), the sealed days it was in (JSON) and the files that are still to
-- be deleted (JSON). Either a ride or a rider. Not finished until nothing of it is left anywhere.
create table ops.erasure (
    erasure_id uuid not null, ride_id uuid, rider_id bigint, erased_at timestamptz not null, asked_by varchar not null,
    erased varchar not null, days varchar not null, files varchar not null, finished_at timestamptz
);
-- What is not to be kept again: a ride, or what a rider began before an instant.
create table ops.tombstone (ride_id uuid, rider_id bigint, begun_before timestamptz);
