-- Where the buffer, history and the lake stand, one row.
select
    (select count(*) from daily.ride where ended_at is null),
    epoch_us(greatest(
        (select max(recorded_at) from daily.reading), (select max(ended_at) from historical.ride)
    )),
    (select count(*) from daily.ride),
    (select count(*) from daily.reading),
    (select count(*) from daily.rejected_line),
    (select count(*) from ops.sealed_day),
    (select cast(min(business_day) as varchar) from ops.sealed_day),
    (select cast(max(business_day) as varchar) from ops.sealed_day),
    (select coalesce(sum(ride_count), 0)::bigint from ops.sealed_day),
    (select coalesce(sum(size_bytes), 0)::bigint from ops.lake_file),
    (select count(*) from ops.mail_reader where unsubscribed_at is not null),
    (select count(*) from ops.erasure where finished_at is null)
